"""Issues of error trackers: episodes, classes, order, fixes, and what they are evidence of, at the limits of each definition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from correlation_cases import DAY, HOUR, MINUTE, Link, Rec
from delivery_cases import Dep
from error_cases import Count, Issue, Sessions, Told, World, tracked
from mart_cases import rows
from support import AS_OF_US

T0 = AS_OF_US - 20 * DAY


def test_an_issue_is_known_by_all_that_is_told_of_it(tmp_path: Path) -> None:
    """One issue from the deploy that brought it to the fix that holds, and the page about it: everything in one place."""
    world = World(
        issues=[
            Issue(
                "7", key="CHECKOUT-1A2", title="Payment is None", first_seen_at=T0, last_seen_at=T0 + 3 * HOUR,
                first_release="shop@2.4.1", status="resolved", resolved_in_release="shop@2.4.2", users=40,
            )
        ],
        told=[Told("7", "resolved", T0 + 5 * HOUR, release="2.4.2", actor_kind="human")],
        deploys=[
            Dep("custom", "bad", version="2.4.1", finished_at=T0 - 5 * MINUTE),
            Dep("custom", "good", version="2.4.2", finished_at=T0 + 4 * HOUR, title="Fixes CHECKOUT-1A2"),
        ],
        records=[Rec("pagerduty", "P", {"detected": T0 + MINUTE, "resolved": T0 + 5 * HOUR}, service="Checkout")],
        links=[Link("pagerduty", "P", "dedup", "dedup", "CHECKOUT-1A2", place="alert_key")],
    )  # fmt: skip
    with tracked(tmp_path, world) as warehouse:
        (issue,) = rows(warehouse, "FROM mart.error_issues")
        (episode,) = rows(warehouse, "FROM mart.error_episodes")
        (evidence,) = rows(warehouse, "FROM mart.incident_errors")
        (deploy,) = rows(warehouse, "FROM mart.incident_deploys")
        names = {r["deploy_id"]: r["external_id"] for r in rows(warehouse, "FROM mart.deploys")}
        (incident,) = rows(warehouse, "FROM mart.incidents")
    assert (issue["status"], issue["class"], issue["triage_rank"], issue["episodes"]) == ("resolved", None, None, 1)
    assert (names[issue["introduced_by"]], names[issue["fix_deploy_id"]]) == ("bad", "good")
    assert (issue["fix_state"], issue["fix_method"]) == ("confirmed", "release")
    assert issue["fix_confirmed_at"] == issue["fix_confirmed_not_before"] == T0 + 4 * HOUR + 30 * MINUTE
    assert issue["incident_id"] == incident["incident_id"]
    assert (episode["began_at"], episode["resolved_at"]) == (T0, T0 + 5 * HOUR)
    assert (evidence["method"], evidence["is_weak"], evidence["minutes_from_detected"]) == ("link", False, -1.0)
    assert (names[deploy["deploy_id"]], deploy["method"]) == ("bad", "explicit")
