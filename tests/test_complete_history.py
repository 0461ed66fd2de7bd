"""Incidents from before the complete history of their source: kept in tables and lists, left out of what compares durations.

A pull brings an old record only because it was open then, or touched later. Those that ended in time are missing beside it, so with
the old ones the past looks slow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from report_cases import Reader
from support import AS_OF, build_all, land_custom, open_warehouse, rows

from mttr_pipeline import reports
from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.warehouse.database import Warehouse
from mttr_pipeline.warehouse.histories import complete_since

DAY = timedelta(days=1)
SINCE = AS_OF - 60 * DAY


def plan(since: datetime, until: datetime, mode: str = "backfill", **scope: str) -> dict[str, Any]:
    return {"mode": mode, "since": since.isoformat(), "until": until.isoformat(), "scope": scope}


def incident(name: str, ago: float, hours: float | None) -> dict[str, Any]:
    at = AS_OF - ago * DAY
    end = None if hours is None else at + timedelta(hours=hours)
    return {
        "id": name,
        "status": "triggered" if end is None else "resolved",
        "created_at": at.isoformat(),
        "resolved_at": end and end.isoformat(),
        "urgency": "high",
        "service": {"id": "S", "summary": "api"},
    }


#: One every other day since the first pull, and four that began before it: three still open, one resolved after the pull.
PULLED = [
    *(incident(f"P{number}", 59.5 - 2 * number, 3 + number % 5) for number in range(30)),
    *(incident(f"OLD{number}", 70 + number, None) for number in range(3)),
    incident("OLD3", 75, 20 * 24),
]


@contextmanager
def nights(
    folder: Path,
    *pulls: tuple[str, dict[str, Any], list[dict[str, Any]]],
    configured: dict[str, Any] | None = None,
    last: str = "",
) -> Iterator[Warehouse]:
    """What is built of these pulls (source, plan, incidents) and of one record of a file, older than all of them: all, or up to
    one table.
    """
    landing = Landing(folder / "landing")
    for number, (source, asked, payloads) in enumerate(pulls):
        extract = landing.begin(source, f"run-{number}", asked)
        extract.land("incidents", "all", (json.dumps(payload).encode() for payload in payloads))
        extract.finish(AS_OF)
    record = {"external_id": "F", "detected_at": (AS_OF - 300 * DAY).isoformat(), "severity": "SEV2"}
    land_custom(landing, [record], "run-file")
    warehouse = open_warehouse(folder, configured, after_nothing=True)
    try:
        warehouse.load(landing)
        build_all(warehouse, [last] if last else ())
        yield warehouse
    finally:
        warehouse.close()


def only(warehouse: Warehouse, table: str, where: str) -> dict[str, Any]:
    (row,) = rows(warehouse.con, f"SELECT * FROM mart.{table} WHERE {where}")
    return row


def test_old_incidents_are_kept_in_lists_and_left_out_of_statistics(tmp_path: Path) -> None:
    """One flag decides it for every figure, and each says beside itself how many it leaves out."""
    nightly = plan(AS_OF - DAY, AS_OF, "incremental")
    with nights(tmp_path, ("pagerduty", plan(SINCE, AS_OF), PULLED), ("pagerduty", nightly, PULLED[-1:])) as warehouse:
        flagged = rows(
            warehouse.con, "SELECT external_id FROM mart.incidents WHERE is_before_history ORDER BY external_id"
        )
        assert [row["external_id"] for row in flagged] == ["OLD0", "OLD1", "OLD2", "OLD3"], "no record of a file"
        whole = "calculation_type = 'basic' AND scope = 'service' AND scope_value = 'api' AND window_start IS NULL"
        row = only(warehouse, "mttr_stats", whole)
        assert (row["incidents_matched"], row["excluded_open"], row["excluded_outlier"]) == (34, 3, 1)
        assert (row["n_events"], row["n_open"], row["n_before_history"]) == (30, 0, 4)
        assert row["longest_minutes"] == 7 * 60
        row = only(warehouse, "directions", whole)
        assert (row["n"], row["n_before_history"]) == (30, 4) and row["shift_at"] >= SINCE
        recent = only(warehouse, "directions", whole.replace("window_start IS NULL", "window_start IS NOT NULL"))
        assert (recent["n"], recent["n_before_history"]) == (30, 4)
        trend = rows(
            warehouse.con,
            """SELECT sum(incident_count) AS n, sum(n_before_history) AS left_out, min(window_start) FILTER (
                WHERE incident_count > 0) AS first FROM mart.trend
            WHERE calculation_type = 'basic' AND "interval" = 'day' AND alignment = 'rolling'""",
        )
        assert (trend[0]["n"], trend[0]["left_out"]) == (30, 4) and trend[0]["first"] > SINCE - DAY
        row = only(warehouse, "frequency", "scope_value = 'api'")
        assert row["n"] == 30 and row["verdict"] == "no detectable change"
        row = only(warehouse, "downtime", "scope_value = 'api' AND window_start IS NULL")
        assert (row["n"], row["n_open"], row["n_abandoned"]) == (31, 0, 3), "down until their last event, and apart"
        late = rows(warehouse.con, "SELECT 1 FROM mart.target_breaches WHERE is_open AND external_id LIKE 'OLD%'")
        assert len(late) == 3
        finding = only(warehouse, "data_quality", "dq_check = 'before_complete_history'")
        assert (finding["source"], finding["n"], finding["total"], finding["status"]) == ("pagerduty", 4, 34, "info")
        assert f"{SINCE:%Y-%m-%d}" in finding["meaning"]
        page = Reader(reports.render(reports.documents(warehouse.con))).text
        assert "4 incidents are left out: they began before the complete history of their source." in page


def test_periods_of_the_summary_say_what_they_leave_out(tmp_path: Path) -> None:
    """A source that was connected ten days ago: what is older is left out of both periods, and said beside their figures."""
    begun = AS_OF - 10 * DAY
    payloads = [incident(f"N{number}", 9 - number / 2, 2) for number in range(12)]
    payloads += [incident("A", 20, None), incident("B", 40, None), incident("C", 45, None)]
    with nights(tmp_path, ("pagerduty", plan(begun, AS_OF), payloads)) as warehouse:
        row = only(warehouse, "changes", "calculation_type = 'basic' AND scope = 'all'")
        assert (row["n"], row["n_before_history"], row["previous_n"], row["previous_n_before_history"]) == (12, 1, 0, 2)
        frequency = only(warehouse, "frequency", "scope_value = 'api'")
        assert frequency["n_previous"] == 0
        page = Reader(reports.render(reports.documents(warehouse.con))).text
    assert page.count("1 incident left out") >= 2, "beside the service and beside the week"
    assert "12 recovered, 0 still open or timed out, 1 from before the complete history left out" in page.replace(
        " ,", ","
    )


def test_nothing_is_left_out_where_the_history_is_long_enough(tmp_path: Path) -> None:
    """The same incidents after a pull that covers them: no flag, no finding, no sentence."""
    with nights(tmp_path, ("pagerduty", plan(AS_OF - 100 * DAY, AS_OF), PULLED)) as warehouse:
        assert rows(warehouse.con, "SELECT 1 FROM mart.incidents WHERE is_before_history") == []
        row = only(warehouse, "mttr_stats", "calculation_type = 'basic' AND scope = 'all' AND window_start IS NULL")
        assert (row["n_events"] + row["n_open"], row["n_before_history"]) == (35, 0)
        finding = only(warehouse, "data_quality", "dq_check = 'before_complete_history'")
        assert (finding["n"], finding["status"]) == (0, "ok")
        page = Reader(reports.render(reports.documents(warehouse.con))).text
    assert "complete history" not in page.split("Data quality")[0] and "left out" not in page.split("Data quality")[0]


def test_each_account_has_a_history_of_its_own(tmp_path: Path) -> None:
    """A second account of the vendor, connected later, says nothing about the first."""
    configured = {"sources": {"pagerduty_eu": {"kind": "pagerduty"}}}
    theirs = [incident("OLD0", 70, None), incident("X", 5, 2)]
    pulls = [("pagerduty", plan(AS_OF - 100 * DAY, AS_OF), PULLED), ("pagerduty_eu", plan(SINCE, AS_OF), theirs)]
    with nights(tmp_path, *pulls, configured=configured, last="core.incidents") as warehouse:
        flagged = rows(warehouse.con, "SELECT source, external_id FROM mart.incidents WHERE is_before_history")
    assert flagged == [{"source": "pagerduty_eu", "external_id": "OLD0"}]


JAN, FEB, MAR, APR, MAY = (datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 6))


@pytest.mark.parametrize(
    ("plans", "since"),
    [
        ([], None),
        ([{"night": 1}], None),
        ([plan(FEB, MAR)], FEB),
        ([plan(FEB, MAR), plan(MAR, APR, "incremental"), plan(APR, MAY, "incremental")], FEB),
        ([plan(FEB, MAR), plan(MAR, APR, "incremental"), plan(JAN, APR)], JAN),
        ([plan(FEB, MAR), plan(JAN, FEB), plan(MAR, APR, "incremental")], JAN),
        ([plan(MAR, APR), plan(JAN, FEB), plan(APR, MAY, "incremental")], MAR),
        ([plan(JAN, MAR), plan(FEB, APR, "full"), plan(APR, MAY, "incremental")], JAN),
        ([plan(JAN, MAR, jql="a"), plan(FEB, APR, jql="b"), plan(APR, MAY, "incremental", jql="b")], FEB),
    ],
    ids=[
        "no pull",
        "no window",
        "one pull",
        "changes add nothing",
        "read again from earlier",
        "an earlier part that fits",
        "a gap in between",
        "a full refresh of less",
        "another scope",
    ],
)
def test_from_when_on_a_history_is_complete(plans: list[dict[str, Any]], since: datetime | None) -> None:
    """The windows that pulls of the scope in force cover together, without a gap up to now."""
    manifests = [Manifest("jira", str(number), "complete", asked, [], []) for number, asked in enumerate(plans)]
    assert complete_since(manifests) == since
