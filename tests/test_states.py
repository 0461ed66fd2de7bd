"""Incidents that are over at an unknown time, in every place that decides what is open.

An incident whose record says that it is over, without a timestamp, was open for ever: a breach, an outage and a censored
observation that grew every night. One build with one open and several such incidents, and every table that could tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import door, rows

from mttr_pipeline.warehouse.database import Warehouse

TABLES = (
    "mart.mttr_stats",
    "mart.target_compliance",
    "mart.target_breaches",
    "mart.phase_compliance",
    "mart.downtime",
    "mart.trend",
    "mart.data_quality_status",
)
BEGAN = "2026-10-20T08:00:00Z"
RECORDS = [
    {"external_id": "open", "status": "investigating", "detected_at": BEGAN},
    {"external_id": "closed", "status": "Closed", "detected_at": BEGAN},
    {"external_id": "done", "status": "done", "detected_at": BEGAN, "acknowledged_at": "2026-10-20T08:05:00Z"},
    {"external_id": "mitigated", "status": "RESOLVED", "detected_at": BEGAN, "mitigated_at": "2026-10-20T09:00:00Z"},
    {"external_id": "resolved", "detected_at": BEGAN, "resolved_at": "2026-10-20T10:00:00Z"},
    {
        "external_id": "late ack",
        "detected_at": BEGAN,
        "resolved_at": "2026-10-20T10:00:00Z",
        "acknowledged_at": "2026-10-20T11:00:00Z",
    },
]
OVER = ["closed", "done", "mitigated"]
SETTINGS = {
    "targets": {"phases": {"acknowledgment": 5}},
    "variants": {"reaction": {"start": "detected_at", "end": "acknowledged_at"}},
}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    records = [{"service": "api", "severity": "SEV2", **record} for record in RECORDS]
    with door(tmp_path_factory.mktemp("states"), custom=records, configured=SETTINGS, only=TABLES) as built:
        yield built


def names(warehouse: Warehouse, population: str, variant: str) -> list[str]:
    found = warehouse.con.execute(
        f"SELECT external_id FROM mttr_population('{variant}') WHERE population = '{population}' ORDER BY external_id"
    )
    return [name for (name,) in found.fetchall()]


def test_the_macro_and_the_tables_call_one_incident_open(warehouse: Warehouse) -> None:
    """For every variant: over is over, whether the variant ends at the resolve, before it or after it."""
    resolved = ["late ack", "resolved"]
    for variant, missing in (
        ("basic", OVER),
        ("service_restore", sorted(["closed", "done", *resolved])),
        ("full_recovery", sorted([*OVER, *resolved])),
    ):
        assert names(warehouse, "open", variant) == ["open"], variant
        assert names(warehouse, "missing_end", variant) == missing, variant
        (row,) = rows(
            warehouse.con,
            "SELECT excluded_open, excluded_missing_end, n_open FROM mart.mttr_stats "
            "WHERE calculation_type = ? AND scope = 'all' AND window_start IS NULL",
            [variant],
        )
        assert row == {"excluded_open": 1, "excluded_missing_end": len(missing), "n_open": 1}, variant


def test_an_acknowledgement_after_the_resolve_ends_no_variant(warehouse: Warehouse) -> None:
    """A variant up to the acknowledgement has the rule of the acknowledgment phase, in the tables and in the macro."""
    (row,) = rows(
        warehouse.con,
        "SELECT incidents_analyzed, excluded_invalid, mean_minutes FROM mart.mttr_stats "
        "WHERE calculation_type = 'reaction' AND scope = 'all' AND window_start IS NULL",
    )
    assert row == {"incidents_analyzed": 1, "excluded_invalid": 1, "mean_minutes": 5}
    assert names(warehouse, "invalid", "reaction") == ["late ack"]
    (row,) = rows(warehouse.con, "SELECT incidents_analyzed, excluded_invalid, mean_minutes FROM mttr('reaction')")
    assert row == {"incidents_analyzed": 1, "excluded_invalid": 1, "mean_minutes": 5}


def test_it_is_no_breach(warehouse: Warehouse) -> None:
    """Its age at as_of is weeks, its duration unknown: neither met nor missed."""
    assert rows(warehouse.con, "SELECT external_id FROM mart.target_breaches WHERE is_open") == [
        {"external_id": "open"}
    ]
    (row,) = rows(
        warehouse.con,
        "SELECT open_breached, pending, not_measured FROM mart.target_compliance "
        "WHERE severity = 'SEV2' AND service IS NULL AND window_start IS NULL",
    )
    assert row == {"open_breached": 1, "pending": 0, "not_measured": len(OVER)}


def test_it_is_no_endless_outage(warehouse: Warehouse) -> None:
    """Down until as_of would cost the service its year: it is down until the last event. The open one, long quiet, is apart."""
    (row,) = rows(warehouse.con, "FROM mart.downtime WHERE scope = 'service' AND window_start IS NULL")
    assert (row["n"], row["n_open"], row["n_abandoned"]) == (len(RECORDS) - 1, 0, 1)
    assert row["downtime_minutes"] < 24 * 60


def test_the_trend_waits_for_the_open_one_only(warehouse: Warehouse) -> None:
    """A window with such an incident is as mature as it will ever be."""
    found = rows(
        warehouse.con,
        "SELECT open_count, incident_count FROM mart.trend WHERE calculation_type = 'basic' AND alignment = 'calendar' "
        "AND \"interval\" = 'month' AND incident_count > 0",
    )
    assert found == [{"open_count": 1, "incident_count": len(RECORDS)}]


def test_it_is_counted_and_shown(warehouse: Warehouse) -> None:
    """A figure that leaves incidents out says how many, and which."""
    (row,) = rows(warehouse.con, "SELECT * FROM mart.data_quality WHERE dq_check = 'over_at_unknown_time'")
    assert (row["n"], row["total"], row["status"]) == (3, 6, "warn")
    assert sorted(row["examples"]) == OVER
    (light,) = rows(warehouse.con, "SELECT findings FROM mart.data_quality_status WHERE source = 'custom'")
    assert "over_at_unknown_time: 3 of 6" in light["findings"]


def test_a_phase_of_it_is_not_running(warehouse: Warehouse) -> None:
    """Nobody will acknowledge what is over; and what was acknowledged after its resolve has no such phase."""
    (row,) = rows(
        warehouse.con,
        "SELECT within_target, open_breached, not_measured, invalid FROM mart.phase_compliance "
        "WHERE phase = 'acknowledgment' AND severity IS NULL AND window_start IS NULL",
    )
    # done in time; open running; late ack invalid; the others have no acknowledgement and are over
    assert row == {"within_target": 1, "open_breached": 1, "not_measured": 3, "invalid": 1}
