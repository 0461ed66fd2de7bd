"""Which issues of error trackers are incidents: none without [errors.incidents], and those that pass are records like any other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from correlation_cases import DAY, HOUR
from delivery_cases import Dep
from error_cases import Issue, World, tracked
from error_company import ISSUES, NINE_DAYS, company
from mart_cases import rows
from support import AS_OF_US

from mttr_pipeline.publish import publish
from mttr_pipeline.warehouse.database import Warehouse

T0 = AS_OF_US - 10 * DAY
OPEN = {"errors": {"incidents": {"enabled": True}}}
#: What tells of the issues themselves, or when something was read.
OF_ERRORS = {"source_runs", "error_issues", "error_episodes", "incident_errors", "error_coverage", "release_health"}


def published(warehouse: Warehouse) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of every published table that is not about errors."""
    return {
        model.name: warehouse.con.execute(f"FROM mart.{model.name} ORDER BY ALL").fetchall()
        for model in warehouse.catalog.published
        if model.name not in OF_ERRORS
    }


def test_without_the_gate_no_figure_changes(tmp_path: Path) -> None:
    """Issues that incidents name, that are named by more than 3, and that happened with them: every table but those about errors has
    the same rows as without any issue. Data quality has findings of its own about errors."""
    found = {}
    for name, world in (("without", World()), ("with", ISSUES)):
        (tmp_path / name).mkdir()
        with company(tmp_path / name, world) as warehouse:
            found[name] = published(warehouse)
            evidence = rows(warehouse, "SELECT external_id, method FROM mart.incident_errors ORDER BY ALL")
    assert not [row for row in found["without"]["data_quality"] if row[0].startswith("error_")]
    for tables in found.values():
        assert tables.pop("data_quality_status")
        tables["data_quality"] = [row for row in tables["data_quality"] if not row[0].startswith("error_")]
    assert found["with"] == found["without"]
    assert {row["method"] for row in evidence} == {"link", "service and time"}
    assert [row for row in evidence if row["method"] == "link"] == [{"external_id": "12", "method": "link"}]


def test_with_the_gate_issues_are_records(tmp_path: Path) -> None:
    """An issue that passes is a machine alert: it joins the ticket that names it and detects its incident; alone, it is an incident,
    and one that comes back days later is two. It stays in error_issues."""
    with company(tmp_path, ISSUES, OPEN) as warehouse:
        records = rows(warehouse, "FROM mart.records WHERE source = 'sentry' ORDER BY external_id, episode")
        incidents = {row["incident_id"]: row for row in rows(warehouse, "FROM mart.incidents")}
        sources = rows(warehouse, "FROM mart.incident_sources WHERE source = 'sentry' ORDER BY external_id, episode")
        shown = {row["external_id"]: row for row in rows(warehouse, "FROM mart.error_issues")}
        evidence = rows(warehouse, "FROM mart.incident_errors WHERE NOT is_weak ORDER BY external_id, incident_id")
        alone = rows(warehouse, "FROM core.standalone WHERE source = 'sentry' ORDER BY external_id, episode")
    assert [(row["external_id"], row["episode"]) for row in records] == [("12", 1), ("14", 1), ("14", 2)]
    assert {row["role"] for row in alone} == {"machine alert"}
    # Responders' notes and acknowledgements count as in any other tool.
    assert (alone[0]["acknowledged_at"], alone[0]["mitigated_at"]) == (NINE_DAYS, NINE_DAYS + HOUR)
    assert (alone[0]["mitigated_provenance"], alone[0]["acknowledged_by"], alone[0]["severity"]) == (
        "derived",
        "human",
        "SEV2",
    )
    joined = incidents[sources[0]["incident_id"]]
    assert (joined["source"], joined["external_id"], sources[0]["link_reason"]) == ("custom", "ticket", "key")
    assert joined["detected_at"] == NINE_DAYS - HOUR  # the ticket was written an hour later
    first, second = (incidents[source["incident_id"]] for source in sources[1:])
    assert (first["severity"], first["severity_source"], first["service"]) == ("SEV3", "level", "Search")
    assert (first["resolved_at"], first["resolution_kind"]) == (NINE_DAYS + HOUR, "timeout")
    assert (second["detected_at"], second["resolved_at"], second["status"]) == (NINE_DAYS + 3 * DAY, None, "detected")
    assert {name for name, row in shown.items() if row["is_incident"]} == {"12", "14"} < shown.keys()
    assert shown["14"]["incident_id"] == second["incident_id"]
    assert {(row["external_id"], row["incident_id"]) for row in evidence if row["external_id"] in ("12", "14")} == {
        ("12", joined["incident_id"]),
        ("14", first["incident_id"]),
        ("14", second["incident_id"]),
    }


#: What an issue is like otherwise than one that only its level lets pass, and whether it passes.
GATE: tuple[tuple[dict[str, Any], dict[str, Any], bool], ...] = (
    ({}, {}, False),
    ({"is_unhandled": True}, {}, True),
    ({"is_unhandled": False}, {}, False),
    ({"is_unhandled": True}, {"unhandled": False}, False),
    ({"is_unhandled": True, "level": "fatal"}, {}, True),
    ({"is_unhandled": True, "level": "FATAL"}, {}, True),
    ({"is_unhandled": True, "level": "warning"}, {}, False),
    ({"is_unhandled": True, "level": None}, {}, False),
    ({"is_unhandled": True, "level": "warning"}, {"levels": ["warning"]}, True),
    ({"is_unhandled": True, "status": "archived"}, {}, False),
    ({"is_unhandled": True, "status": "resolved"}, {}, True),
    ({"users": 99}, {}, False),
    ({"users": 100}, {}, True),
    ({"users": 1}, {"users": 1}, True),
    ({"first_release": "shop@1.0"}, {}, True),
    ({"first_release": "1.0"}, {"new_in_release": False}, False),
    ({"first_release": "1.1"}, {}, False),  # only staging ran it
    ({"first_release": "1.0", "service": "Search"}, {}, False),
    ({"is_unhandled": True}, {"enabled": False}, False),
)


@pytest.mark.parametrize(
    "settings",
    [{}, {"unhandled": False}, {"levels": ["warning"]}, {"users": 1}, {"new_in_release": False}, {"enabled": False}],
)
def test_what_the_gate_lets_pass(tmp_path: Path, settings: dict[str, Any]) -> None:
    """Each condition at its limit. Without it, a company would drown in incidents, or miss those that hurt."""
    cases = [(issue, passes) for issue, given, passes in GATE if given == settings]
    world = World(
        issues=[Issue(str(n), **{"first_seen_at": T0, **issue}) for n, (issue, _) in enumerate(cases)],
        deploys=[
            Dep("custom", "d", version="1.0", finished_at=T0 - HOUR),
            Dep("custom", "s", version="1.1", finished_at=T0 - HOUR, environment="staging"),
        ],
    )
    with tracked(tmp_path, world, {"errors": {"incidents": {"enabled": True, **settings}}}) as warehouse:
        passed = {row["external_id"] for row in rows(warehouse, "SELECT external_id FROM core.error_records")}
    assert passed == {str(n) for n, (_, passes) in enumerate(cases) if passes}


def test_how_severe_an_issue_is(tmp_path: Path) -> None:
    """By its level, as configured; an unhandled one of high priority is urgent, and a level never makes it less severe."""
    cases: Sequence[tuple[dict[str, Any], str]] = (
        ({"level": "fatal"}, "SEV2"),
        ({"level": "error"}, "SEV3"),
        ({"level": "warning"}, "SEV1"),
        ({"level": "debug"}, "SEV4"),
        ({"level": "error", "priority": "High"}, "SEV2"),
        ({"level": "warning", "priority": "high"}, "SEV1"),
        ({"level": "error", "priority": "high", "is_unhandled": False, "users": 100}, "SEV3"),
        ({"level": "error", "priority": "low"}, "SEV3"),
    )
    world = World(
        [Issue(str(n), **{"first_seen_at": T0, "is_unhandled": True, **issue}) for n, (issue, _) in enumerate(cases)]
    )
    levels = ["fatal", "error", "warning", "info", "debug"]
    file = {"errors": {"incidents": {"enabled": True, "levels": levels, "severities": {"warning": "SEV1"}}}}
    with tracked(tmp_path, world, file) as warehouse:
        found = {
            row["external_id"]: row["severity"]
            for row in rows(warehouse, "SELECT external_id, severity FROM core.error_records")
        }
    assert found == {str(n): severity for n, (_, severity) in enumerate(cases)}


@pytest.mark.slow
def test_an_issue_that_no_longer_passes_is_no_loss(tmp_path: Path) -> None:
    """Somebody archives it, or shuts the gate: its incident is gone and the issue is not, so the next generation is published."""
    for number, file in enumerate((OPEN, {})):
        (tmp_path / str(number)).mkdir()
        with company(tmp_path / str(number), ISSUES, file) as warehouse:
            publish(warehouse, tmp_path / "published", f"run-{number}")
            found = rows(warehouse, "SELECT count(*) AS n FROM mart.incident_sources WHERE source = 'sentry'")
        assert (found[0]["n"] > 0) == bool(file)
