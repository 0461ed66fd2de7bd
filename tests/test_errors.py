"""Issues of error trackers: episodes, classes, order, fixes, and what they are evidence of, at the limits of each definition."""

from __future__ import annotations

from pathlib import Path

import error_reference as reference
from correlation_cases import DAY, HOUR, MINUTE, Link, Rec
from delivery_cases import Dep
from error_cases import Issue, Told, World, tracked
from error_worlds import issues, side_by_side
from mart_cases import rows
from support import AS_OF_US, drawn, more_where_slow

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


def short(version: str | None) -> str | None:
    """A version without its package: with it, it would look like an e-mail address."""
    return version and version.split("@")[-1]


@more_where_slow(120, 1500)
def test_every_issue_is_what_the_reference_says(tmp_path: Path, count: int) -> None:
    """Drawn histories, counts and deploys: episodes, classes, the order of the work, and the state of every fix."""
    world = side_by_side(drawn(issues(), count))
    releases = reference.Releases(world.deploys)
    values = {"page:pay": 2.0, "S0001": 5.0, "S0003": 1.0}
    file = {"errors": {"path_values": {"services": {"s0001": 5, "S0003": 1}, "tags": {"Page:Pay": 2}}}}
    with tracked(tmp_path, world, file) as warehouse:
        shown = {row["external_id"]: row for row in rows(warehouse, "FROM mart.error_issues")}
        built = rows(warehouse, "FROM mart.error_episodes")
        names = {
            row["deploy_id"]: (row["source"], row["external_id"], row["service"])
            for row in rows(warehouse, "SELECT deploy_id, source, external_id, service FROM mart.deploys")
        }
    told = [issue for issue in world.issues if (issue.first_seen_at or 0) <= reference.LATEST]
    assert shown.keys() == {issue.external_id for issue in told}
    spiking, unresolved = set(), []
    for issue in told:
        row = shown[issue.external_id]
        found = reference.episodes(issue, world.told, releases)
        expected = [
            vars(each) | {"release": short(each.release), "resolved_release": short(each.resolved_release)} for each in found
        ]
        mine = [each for each in built if each["external_id"] == issue.external_id]
        assert [
            {
                "began_at": each["began_at"],
                "began_by": each["began_by"],
                "release": each["began_release"],
                "resolved_at": each["resolved_at"],
                "not_before": each["resolved_not_before"],
                "provenance": each["resolved_provenance"],
                "resolved_release": each["resolved_release"],
                "is_over_unknown": each["is_over_unknown"],
            }
            for each in mine
        ] == expected, issue
        for each, episode in zip(mine, found, strict=True):
            ran = releases.ran(issue.service, episode.release)
            assert names.get(each["introduced_by"]) == (ran.deploy if ran else None), issue
        made = reference.fixes(issue, found, world.counts, releases)
        assert [
            (each["episode"], each["fix_at"], each["fix_method"], names.get(each["fix_deploy_id"]), each["fix_state"],
             each["fix_confirmed_at"])
            for each in mine if each["fix_state"]
        ] == [(fix.episode, fix.at, fix.method, fix.deploy, fix.state, fix.confirmed_at) for fix in made], issue  # fmt: skip
        assert row["fix_state"] == (made[-1].state if made else None)
        spikes = reference.is_spiking(issue, world.counts)
        assert (row["is_spiking"], row["class"]) == (spikes, reference.kind_of(issue, found, spikes)), issue
        assert row["status"] == reference.shown_status(issue, found)
        spiking |= {issue.external_id} if spikes else set()
        unresolved += [issue] if row["status"] == "unresolved" else []
    ranked = [name for _, name in sorted((r["triage_rank"], r["external_id"]) for r in shown.values() if r["triage_rank"])]
    assert ranked == reference.order(unresolved, spiking, values)
