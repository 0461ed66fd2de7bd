"""The analysts' macros in the published file: the same figures as the nightly tables, whatever the session is like, in every
release of DuckDB that can open the file.

The releases are those that the package index lists on the day of the test. `MTTR_TEST_DUCKDBS` may name a folder that keeps
them for the next time, one folder per release.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import DAY, HOUR, MINUTE, STAMPS, VARIANTS, Incident, Record, calculate, matching
from support import AS_OF_US, assert_figures, build_all, examples, instant, iso, land_custom, open_warehouse, rows
from support_e2e import REPOSITORY

from mttr_pipeline.cli.stats import Question, ask
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.publish import publish

SEVERITIES = ("SEV1", "SEV2", "SEV3", "SEV4")
FIGURES = tuple(calculate([]))[:-1]  # incidents_matched to std_dev_minutes
STAMP_COLUMNS = tuple(f"{name}_at" for name in STAMPS)


def custom_records() -> list[dict[str, Any]]:
    """120 incidents over four months, with every population among them, and times that do not divide evenly; and some that
    took weeks to decades."""
    chance = random.Random(20261101)
    found: list[dict[str, Any]] = []
    for n in range(120):
        at = AS_OF_US - chance.randrange(120 * DAY)
        record: dict[str, Any] = {"external_id": str(n), "severity": chance.choice(SEVERITIES)}
        for name in STAMPS[: chance.choice((2, 3, 6, 7, 8, 8, 8))]:
            if chance.random() < 0.93:
                record[f"{name}_at"] = iso(at)
            at += int(chance.lognormvariate(3, 1.6) * MINUTE) - (chance.random() < 0.03) * HOUR
        if chance.random() < 0.9:
            record["service"], record["team"] = chance.choice(("api", "web", "db's")), chance.choice(("red", "blue"))
        if len(record) > 4:
            found.append(record)
    for n in range(40):
        took = chance.randrange(1, (8, 40, 110, 9000)[n % 4]) * DAY + chance.randrange(DAY)
        ended = AS_OF_US - chance.randrange(DAY)
        found.append({"external_id": f"long-{n}", "detected_at": iso(ended - took), "resolved_at": iso(ended)})
    return found


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published mttr.duckdb, made as a run makes it."""
    folder = tmp_path_factory.mktemp("macros")
    landing = Landing(folder / "landing")
    land_custom(landing, custom_records())
    warehouse = open_warehouse(folder, after_nothing=True)
    try:
        warehouse.load(landing)
        build_all(warehouse)
        return publish(warehouse, folder / "published", "run-1").folder / "mttr.duckdb"
    finally:
        warehouse.close()


@pytest.fixture(scope="module")
def analyst(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """What an analyst has: the file, read-only, in a session of an unhelpful time zone."""
    con = duckdb.connect(str(published), read_only=True)
    con.execute("SET TimeZone = 'Asia/Kathmandu'")
    yield con
    con.close()


def the_row(con: duckdb.DuckDBPyConnection, query: str, values: Any = ()) -> dict[str, Any]:
    (row,) = rows(con, query, values)
    return row


# --- the same figures as the nightly tables ---------------------------------------------------------------------------


def test_mttr_is_the_nightly_row_to_the_last_digit(analyst: duckdb.DuckDBPyConnection) -> None:
    """Every variant in every scope and every window of mttr_stats, and every member of a scope, asked of the macro with its
    filters."""
    nightly = rows(analyst, "SELECT *, epoch_us(window_start) AS starts, epoch_us(window_end) AS ends FROM mttr_stats")
    assert len(nightly) > 80
    filters = {"severity": "severities", "service": "services", "team": "teams"}
    asked_of: set[tuple[Any, ...]] = set()
    for row in nightly:
        variant, starts, scope, member = (row[k] for k in ("calculation_type", "starts", "scope", "scope_value"))
        new = {(variant, "window", starts), (variant, scope), (scope, member)} - asked_of
        if not new:  # a question takes 60 ms, whatever it finds
            continue
        asked_of |= new
        asked = [f"calculation_type := '{row['calculation_type']}'"]
        if row["scope"] != "all":
            quoted = member.replace("'", "''")
            asked.append(f"{filters[row['scope']]} := ['{quoted}']")
        if row["starts"] is not None:
            asked += [f"start_date := '{iso(row['starts'])}'", f"end_date := '{iso(row['ends'])}'"]
        found = the_row(analyst, f"FROM mttr({', '.join(asked)})")
        assert tuple(found)[: len(FIGURES)] == FIGURES  # names and order of the columns
        assert found == {name: row[name] for name in found}, asked


@pytest.mark.parametrize("dimension", ["severity", "service", "team"])
@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_mttr_by_is_the_nightly_rows(analyst: duckdb.DuckDBPyConnection, dimension: str, variant: str) -> None:
    found = rows(analyst, f"FROM mttr_by('{dimension}', calculation_type := '{variant}')")
    names = [name for name in found[0] if name not in ("scope_values", "window_start")]
    assert names[0] == "scope_value"
    assert all(row.pop("scope_values") == [row["scope_value"]] and row.pop("window_start") is None for row in found)
    nightly = rows(
        analyst,
        f"SELECT {', '.join(names)} FROM mttr_stats "
        "WHERE scope = ? AND calculation_type = ? AND window_start IS NULL ORDER BY scope_value",
        [dimension, variant],
    )
    assert found == nightly
    if dimension != "severity":
        assert "unknown" in [row["scope_value"] for row in found]


@pytest.mark.parametrize("dimension", ["day", "week", "month"])
def test_mttr_by_time_is_mttr_of_each_window(analyst: duckdb.DuckDBPyConnection, dimension: str) -> None:
    """Weeks begin on Monday, windows are half-open and none is lost, empty ones included."""
    found = rows(analyst, f"FROM mttr_by('{dimension}')")
    starts = [row.pop("window_start") for row in found]
    step = {"day": "1 DAY", "week": "7 DAY", "month": "1 MONTH"}[dimension]
    expected = analyst.execute(
        f"SELECT generate_series(?, ?, INTERVAL {step})::DATE[]", [starts[0], starts[-1]]
    ).fetchall()
    assert starts == expected[0][0] and len(starts) > 4
    if dimension == "day":
        assert 0 in [row["incidents_matched"] for row in found]
    nothing = the_row(analyst, "FROM mttr(services := [])")
    for place, (start, row) in enumerate(zip(starts, found, strict=True)):
        assert row.pop("scope_values") == [row.pop("scope_value")] == [start.isoformat()]
        if place % 5 and start not in starts[-2:]:  # a question takes 60 ms
            continue
        if row["incidents_matched"] == 0 and start < starts[-30]:  # decades
            assert row == nothing
            continue
        window = f"start_date := '{start}', end_date := DATE '{start}' + INTERVAL 1 {dimension}"
        assert the_row(analyst, f"FROM mttr({window})") == row
        if dimension == "week":
            assert analyst.execute(f"SELECT isodow(DATE '{start}')").fetchone() == (1,)
    assert sum(row["incidents_matched"] for row in found) == the_row(analyst, "FROM mttr()")["incidents_matched"]


def test_several_dimensions_have_a_row_per_combination(analyst: duckdb.DuckDBPyConnection) -> None:
    """In the order in which they are named; each is the calculation with these filters, and none is lost."""
    found = rows(analyst, "FROM mttr_by(['team', 'severity'])")
    pairs = analyst.execute(
        """SELECT DISTINCT coalesce(team, 'unknown') AS team, severity FROM incidents
        WHERE duplicate_of IS NULL AND kind = 'incident' ORDER BY ALL"""
    ).fetchall()
    assert [tuple(row["scope_values"]) for row in found] == pairs and len(pairs) > 8
    for row in found:
        team, severity = row.pop("scope_values")
        assert (row.pop("scope_value"), row.pop("window_start")) == (f"{team} / {severity}", None)
        assert row == the_row(analyst, f"FROM mttr(teams := ['{team}'], severities := ['{severity}'])")


def test_combinations_with_a_window_have_the_same_windows(analyst: duckdb.DuckDBPyConnection) -> None:
    """A chart with a line per service needs a point in every week, also in those without incidents."""
    asked = "calculation_type := 'full_recovery', severities := ['SEV1', 'SEV2']"
    found = rows(analyst, f"FROM mttr_by(['week', 'service'], {asked})")
    services = sorted({row["scope_values"][1] for row in found})
    weeks = sorted({row["window_start"] for row in found})
    assert len(services) > 3 and [(week - weeks[0]).days for week in weeks] == list(range(0, 7 * len(weeks), 7))
    assert [(row["window_start"], row["scope_values"][1]) for row in found] == [(w, s) for w in weeks for s in services]
    assert 0 in [row["incidents_matched"] for row in found]
    for place, row in enumerate(found):
        if place % 5:  # a question takes 60 ms
            continue
        week, service = row.pop("scope_values")
        assert row.pop("scope_value") == f"{week} / {service}" and row.pop("window_start").isoformat() == week
        window = f"start_date := '{week}', end_date := DATE '{week}' + INTERVAL 7 DAY"
        member = service.replace("'", "''")
        assert row == the_row(analyst, f"FROM mttr({asked}, services := ['{member}'], {window})")


@pytest.mark.parametrize(
    ("call", "first", "last", "n"),
    [
        (
            "'month', start_date := '2025-01-15', end_date := '2025-04-01', services := ['api']",
            "2025-01-01",
            "2025-03-01",
            3,
        ),
        (
            "'month', start_date := '2025-01-15', end_date := '2025-04-01', services := []",
            "2025-01-01",
            "2025-03-01",
            3,
        ),
        (
            "'week', start_date := '2026-10-01', end_date := '2026-10-05T00:00:00.000001Z'",
            "2026-09-28",
            "2026-10-05",
            2,
        ),
        (
            "'day', start_date := '2026-10-20', end_date := '9999-12-31', services := ['no such thing']",
            "2026-10-20",
            "2026-11-01",
            13,
        ),
        ("'day', start_date := '2026-12-01', end_date := '2026-12-05'", None, None, 0),
        ("'day', end_date := '2000-01-01'", None, None, 0),
        ("'day', start_date := '2026-10-01', services := []", None, None, 0),
        ("['day', 'team'], start_date := '2026-10-01', end_date := '2026-10-05', services := []", None, None, 0),
    ],
)
def test_the_windows_of_a_range(
    analyst: duckdb.DuckDBPyConnection, call: str, first: str | None, last: str | None, n: int
) -> None:
    """A quiet window at the edge of the range that was asked for is shown as quiet. What nobody can know yet is not shown."""
    found = rows(analyst, f"FROM mttr_by({call})")
    assert len(found) == n
    if found:
        assert (found[0]["scope_value"], found[-1]["scope_value"]) == (first, last)
    if "services" in call and "api" not in call:
        for row in found:
            assert_figures(row, {name: value for name, value in calculate([]).items() if name in row})


def test_dimensions_may_be_a_parameter_or_a_text(analyst: duckdb.DuckDBPyConnection) -> None:
    """A dashboard passes what a user chose; many can pass a text only."""
    expected = rows(analyst, "FROM mttr_by(['severity', 'month'])")
    assert rows(analyst, "FROM mttr_by($1)", [["severity", "month"]]) == expected
    assert (
        rows(analyst, "FROM mttr_by($1)", ["severity, month"])
        == expected
        == rows(analyst, "FROM mttr_by('severity,month')")
    )
    assert rows(analyst, "FROM mttr_by(['team'])") == rows(analyst, "FROM mttr_by('team')")


@pytest.mark.parametrize("interval", ["week", "month"])
def test_mttr_is_the_nightly_trend(analyst: duckdb.DuckDBPyConnection, interval: str) -> None:
    """Of each window, to the last digit: the trend has the same definition."""
    nightly = rows(
        analyst,
        f"""SELECT epoch_us(window_start) AS starts, epoch_us(window_end) AS ends, incident_count AS incidents_matched,
            mttr AS mean_minutes, median AS median_minutes, p90 AS p90_minutes
        FROM trend WHERE calculation_type = 'basic' AND "interval" = '{interval}' AND alignment = 'calendar'""",
    )
    assert nightly
    for row in nightly[:: 1 + len(nightly) // 8] + nightly[-1:]:  # a question takes 60 ms
        row = {**row}
        starts, ends = iso(row.pop("starts")), iso(row.pop("ends"))
        found = the_row(analyst, f"FROM mttr(start_date := '{starts}', end_date := '{ends}')")
        assert {name: found[name] for name in row} == row


def test_days_are_those_of_the_reporting_zone(tmp_path: Path) -> None:
    """An incident at 23:30 UTC belongs to the next day in Berlin, in the file of a company that reports there."""
    landing = Landing(tmp_path / "landing")
    land_custom(landing, [{"external_id": "A", "detected_at": "2026-09-30T22:30:00Z"}])
    warehouse = open_warehouse(tmp_path, {"reporting_time_zone": "Europe/Berlin"}, after_nothing=True)
    try:
        warehouse.load(landing)
        build_all(warehouse, ["core.incidents"])
        found = [rows(warehouse.con, f"FROM mttr_by('{by}')")[0]["scope_value"] for by in ("day", "week", "month")]
        assert found == ["2026-10-01", "2026-09-28", "2026-10-01"]
    finally:
        warehouse.close()


@pytest.mark.parametrize("dimension", [None, "severity", "service", "team"])
@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_the_command_has_the_phases_of_the_nightly_rows(published: Path, dimension: str | None, variant: str) -> None:
    """`mttr stats` beside its own figures: mean, n and invalid of every phase of the model in force, to the last digit."""
    answer = ask(published, Question(calculation_type=variant, by=dimension))
    found = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    with duckdb.connect(str(published), read_only=True) as con:
        call = f"mttr_by('{dimension}'," if dimension else "mttr("
        measures = rows(con, f"FROM {call} calculation_type := '{variant}')")
        nightly = rows(
            con,
            """SELECT scope_value, phase, n, mean_minutes, invalid FROM phase_breakdown
            WHERE calculation_type = ? AND phase_model = ? AND scope = ? AND window_start IS NULL""",
            [variant, answer.basis["phase_model"], dimension or "all"],
        )
    names = [name for name in measures[0] if name not in ("scope_values", "window_start")]
    assert [{name: row[name] for name in names} for row in found] == [
        {name: row[name] for name in names} for row in measures
    ]
    assert len(nightly) == len(found) * (6 if answer.basis["phase_model"] == "lifecycle" else 5)
    members = {row.get("scope_value", "all"): row for row in found}
    for row in nightly:
        for name in ("n", "mean_minutes", "invalid"):
            assert members[row["scope_value"]][f"{row['phase']}_{name}"] == row[name], row


# --- filters ----------------------------------------------------------------------------------------------------------


def test_no_filter_is_all_and_an_empty_list_matches_nothing(analyst: duckdb.DuckDBPyConnection) -> None:
    everything = the_row(analyst, "FROM mttr()")
    assert everything["incidents_analyzed"] > 20
    for name in ("severities", "services", "teams"):
        assert the_row(analyst, f"FROM mttr({name} := NULL)") == everything
        nothing = the_row(analyst, f"FROM mttr({name} := [])")
        if name != "severities":  # of those all are known: another is a mistake
            assert nothing == the_row(analyst, f"FROM mttr({name} := ['no such thing'])")
        assert_figures(nothing, {figure: value for figure, value in calculate([]).items() if figure in nothing})
        assert rows(analyst, f"FROM mttr_by('service', {name} := [])") == []


def test_several_members_and_all_filters_together(analyst: duckdb.DuckDBPyConnection) -> None:
    each = [the_row(analyst, f"FROM mttr(severities := ['{name}'])")["incidents_matched"] for name in SEVERITIES]
    both = the_row(analyst, "FROM mttr(severities := ['SEV2', 'SEV4'])")
    assert both["incidents_matched"] == each[1] + each[3]
    found = the_row(
        analyst,
        """FROM mttr(calculation_type := 'service_restore', severities := ['SEV1', 'SEV2'], services := ['api', 'unknown'],
        teams := ['red', 'unknown'], start_date := '2026-07-15', end_date := '2026-10-15', exclude_outliers := false)""",
    )
    by_hand = the_row(
        analyst,
        """SELECT count(*) AS n FROM incidents WHERE severity IN ('SEV1', 'SEV2')
        AND (service = 'api' OR service IS NULL) AND (team = 'red' OR team IS NULL)
        AND started_at >= '2026-07-15 00:00:00+00' AND started_at < '2026-10-15 00:00:00+00'""",
    )
    assert found["incidents_matched"] == by_hand["n"] > 0


def test_values_may_be_parameters(analyst: duckdb.DuckDBPyConnection) -> None:
    """A notebook passes what a user chose; nobody pastes it into the query."""
    literal = the_row(analyst, "FROM mttr(severities := ['SEV1'], services := ['db''s'], start_date := '2026-08-01')")
    query = "FROM mttr(severities := $1, services := $2, start_date := $3)"
    assert the_row(analyst, query, [["SEV1"], ["db's"], "2026-08-01"]) == literal
    assert literal["incidents_matched"] > 0


def test_the_list_behind_a_figure(analyst: duckdb.DuckDBPyConnection) -> None:
    """mttr_population names the incidents, so that anybody can follow a number to them."""
    counted = the_row(analyst, "FROM mttr(services := ['api'])")
    behind = rows(analyst, "SELECT population, duration_us FROM mttr_population(services := ['api'])")
    assert len(behind) == counted["incidents_matched"]
    durations = [row["duration_us"] for row in behind if row["population"] == "analysed"]
    assert sum(durations) / len(durations) / 6e7 == pytest.approx(counted["mean_minutes"], rel=1e-12)


# --- instants ---------------------------------------------------------------------------------------------------------

SAME_INSTANT = (
    "'2026-09-01'",
    "'2026-09-01T00:00:00'",
    "'2026-09-01 00:00:00.000000'",
    "'2026-09-01T00:00'",
    "'2026-09-01T00:00:00Z'",
    "'2026-09-01T00:00Z'",
    "'2026-09-01 00:00:00.0000009z'",
    "'2026-09-01T05:45+0545'",
    "'2026-08-31 16:30:00.000-07:30'",
    "'2026-09-01T05:45:00+05:45'",
    "'2026-09-01 02:00:00+02'",
    "'2026-08-31T19:00:00-0500'",
    "DATE '2026-09-01'",
    "TIMESTAMP '2026-09-01 00:00:00'",
    "TIMESTAMP_S '2026-09-01 00:00:00'",
    "TIMESTAMP_NS '2026-09-01 00:00:00'",
    "TIMESTAMPTZ '2026-09-01 00:00:00+00'",
    "TIMESTAMPTZ '2026-09-01 05:45:00'",  # of the session
    "make_timestamptz(2026, 9, 1, 0, 0, 0, 'UTC')",
)
#: Those that a session could read in its own zone.
WITHOUT_OFFSET = ("'2026-09-01'", "'2026-09-01T00:00'", "DATE '2026-09-01'", "TIMESTAMP '2026-09-01 00:00:00'")


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/New_York", "UTC"])
def test_an_instant_is_the_same_however_it_is_written(published: Path, zone: str) -> None:
    """Without an offset it is UTC, never the session's zone: the same query gives the same figure in every office."""
    with duckdb.connect(str(published), read_only=True) as con:
        con.execute(f"SET TimeZone = '{zone}'")
        for name in ("start_date", "end_date") if zone == "Asia/Kathmandu" else ("start_date",):
            whole = the_row(con, f"FROM mttr({name} := '2026-09-01T00:00:00Z')")
            assert 0 < whole["incidents_matched"] < the_row(con, "FROM mttr()")["incidents_matched"]
            for text in SAME_INSTANT if (zone, name) == ("Asia/Kathmandu", "start_date") else WITHOUT_OFFSET:
                assert the_row(con, f"FROM mttr({name} := {text})") == whole, text


def test_instants_as_python_values(analyst: duckdb.DuckDBPyConnection) -> None:
    at = instant(AS_OF_US - 60 * DAY)
    whole = the_row(analyst, f"FROM mttr(start_date := '{iso(AS_OF_US - 60 * DAY)}')")
    assert the_row(analyst, "FROM mttr(start_date := ?)", [at]) == whole
    assert the_row(analyst, "FROM mttr(start_date := ?)", [at.replace(tzinfo=None)]) == whole


def test_windows_are_half_open_to_the_microsecond(analyst: duckdb.DuckDBPyConnection) -> None:
    us = the_row(analyst, "SELECT epoch_us(min(started_at)) AS us FROM mttr_population()")["us"]
    for start, end, n in ((us, us + 1, 1), (us - 1, us, 0), (us + 1, us + 1, 0), (us, us, 0)):
        found = the_row(analyst, f"FROM mttr(start_date := '{iso(start)}', end_date := '{iso(end)}')")
        assert found["incidents_matched"] == n


def test_nonsense_for_an_instant_is_an_error(analyst: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.Error, match="yesterday"):
        analyst.execute("FROM mttr(start_date := 'yesterday')").fetchall()


# --- errors -----------------------------------------------------------------------------------------------------------

ALMOST_INSTANTS = (
    *("infinity", "-infinity", "epoch", "2026", "2026-09", "20260901", "2026-9-1", "26-09-01", "2026-02-30"),
    *("2026-244", "2026-W36-2", "12026-09-01", "2026/09/01", "2026-09-01 (BC)", "2026-09-01Z", "2026-09-01+02"),
    *("2026-09-01T", "2026-09-01 10", "2026-09-01T1000", "2026-09-01 24:00:00", "2026-09-01 10:60"),
    *("2026-09-01 10:00:60", "2026-09-01 10:00:00.", "2026-09-01 10:00:00 Europe/Berlin", "2026-09-01 10:00:00 UTC"),
    *("2026-09-01T10:00:00+2", "2026-09-01T10:00:00+24:00", "2026-09-01T10:00:00+02:60"),
    *("2026-09-01T10:00:00+02:00:00", "2026-09-01 10:00:00 +02", "2026-09-01 10:00:00 AM", "2026-09-01,10:00:00"),
    *(" 2026-09-01", "2026-09-01 ", "2026-09-01  10:00"),
)
WRONG = (
    ("mttr(calculation_type := 'bsic')", "bsic.*basic, service_restore, full_recovery"),
    ("mttr(calculation_type := NULL)", "NULL.*basic, service_restore, full_recovery"),
    ("mttr(calculation_type := 'custom')", "custom.*start_stamp and end_stamp"),
    ("mttr(calculation_type := 'custom', start_stamp := 'detected_at')", "custom.*start_stamp and end_stamp"),
    ("mttr(start_stamp := 'detected')", "unknown stamp detected; use one of occurred_at, .*closed_at"),
    ("mttr(end_stamp := 'updated_at')", "unknown stamp updated_at"),
    ("mttr(end_stamp := 'detected_at')", "both detected_at"),
    ("mttr_population(start_stamp := 'x')", "unknown stamp x"),
    (
        "mttr(calculation_type := 'bsic', start_stamp := 'detected_at', end_stamp := 'closed_at')",
        "unknown calculation_type bsic; use basic, service_restore, full_recovery",
    ),
    (
        "mttr_by('team', calculation_type := 'x', start_stamp := 'detected_at', end_stamp := 'closed_at')",
        "type x; use basic",
    ),
    ("mttr(start_date := 'nonsense')", "'nonsense' is no instant; write it like 2026-01-31"),
    ("mttr(end_date := '2026-13-01')", "'2026-13-01' is no instant"),
    ("mttr(start_date := '2026-10-01', end_date := '2026-10-02T25:00:00Z')", "'2026-10-02T25:00:00Z' is no instant"),
    ("mttr_population(start_date := '')", "'' is no instant"),
    ("mttr_by('week', end_date := 'yesterday')", "'yesterday' is no instant"),
    # What some version reads as an instant and another does not, or reads otherwise: a filter must not depend on that.
    *((f"mttr(start_date := '{text}')", f"'{re.escape(text)}' is no instant") for text in ALMOST_INSTANTS),
    ("mttr(start_date := TIMESTAMPTZ 'infinity')", "'infinity' is no instant"),
    ("mttr(end_date := TIMESTAMPTZ '-infinity')", "'-infinity' is no instant"),
    ("mttr(end_date := DATE 'infinity')", "'infinity' is no instant"),
    ("mttr(start_date := 20260901)", "'20260901' is no instant"),
    ("mttr(severities := ['SEV9'])", "unknown severity SEV9; use SEV1, SEV2, SEV3 or SEV4"),
    ("mttr_by('service', severities := ['SEV1', 'sev1'])", "unknown severity sev1; use SEV1"),
    ("mttr(severities := ['SEV1', NULL])", "unknown severity NULL"),
    ("mttr(severities := [''])", "unknown severity ; use"),
    ("mttr(outlier_threshold_hours := -1)", "outlier_threshold_hours is -1; use a number of hours above 0"),
    ("mttr(outlier_threshold_hours := 0)", "outlier_threshold_hours is 0;"),
    ("mttr(outlier_threshold_hours := NULL)", "outlier_threshold_hours is NULL;"),
    ("mttr(outlier_threshold_hours := 'nan'::DOUBLE)", "outlier_threshold_hours is nan;"),
    ("mttr_by('team', outlier_threshold_hours := 'infinity'::DOUBLE)", "outlier_threshold_hours is inf;"),
    ("mttr_population(exclude_outliers := false, outlier_threshold_hours := -0.5)", "outlier_threshold_hours is -0.5;"),
    ("mttr(exclude_outliers := NULL)", "exclude_outliers is NULL; use true or false"),
    ("mttr_by('month', end_stamp := 'x')", "unknown stamp x"),
    ("mttr_by('months')", "unknown dimension months; use severity, service, team, day, week or month"),
    ("mttr_by(NULL)", "unknown dimension NULL"),
    ("mttr_by(['severity', 'serivce'])", "unknown dimension serivce; use severity"),
    ("mttr_by(['severity', NULL])", "unknown dimension NULL"),
    ("mttr_by([])", "got no dimension; use severity"),
    ("mttr_by('')", "got no dimension; use severity"),
    ("mttr_by(['team', 'team'])", "got a dimension twice: team, team"),
    ("mttr_by(['day', 'severity', 'month'])", "takes one of day, week and month, not several: day, severity, month"),
    ("mttr_by(['team', 'week'], start_date := 'soon')", "'soon' is no instant"),
)


@pytest.mark.parametrize(("call", "message"), WRONG, ids=[call for call, _ in WRONG])
def test_what_is_unknown_is_named_with_what_is_valid(
    analyst: duckdb.DuckDBPyConnection, call: str, message: str
) -> None:
    """An empty answer would look like good news."""
    with pytest.raises(duckdb.Error, match=message):
        analyst.execute(f"FROM {call}").fetchall()


# --- drawn incidents: any two stamps, any filters ---------------------------------------------------------------------


def test_what_is_wrong_in_a_question_is_an_error_in_an_empty_file_too(tmp_path: Path) -> None:
    """On the first night there is no incident; a misspelt name or date must not wait for one, written out or as a parameter, nor
    for a filter that matches something."""
    warehouse = open_warehouse(tmp_path, after_nothing=True)
    try:
        build_all(warehouse, ["core.incidents"])
        for call, message in WRONG:
            with pytest.raises(duckdb.Error, match=message):
                warehouse.con.execute(f"FROM {call[:-1]}, services := [])").fetchall()
        for name, value in (("start_date", "nonsense"), ("end_date", "nonsense"), ("calculation_type", "bsic")):
            with pytest.raises(duckdb.Error, match=value):
                warehouse.con.execute(f"FROM mttr({name} := ?)", [value]).fetchall()
    finally:
        warehouse.close()


def test_two_stamps_need_no_variant(analyst: duckdb.DuckDBPyConnection) -> None:
    """Named custom, not named at all, or on top of a variant: the two stamps decide."""
    stamps = "start_stamp := 'acknowledged_at', end_stamp := 'mitigated_at'"
    plain = the_row(analyst, f"FROM mttr({stamps})")
    assert plain["incidents_analyzed"] > 20
    for name in ("'custom'", "'basic'", "'full_recovery'", "NULL"):
        assert the_row(analyst, f"FROM mttr(calculation_type := {name}, {stamps})") == plain


@st.composite
def incidents(draw: st.DrawFn) -> list[Incident]:
    found = []
    for n in range(draw(st.integers(0, 12))):
        moment = st.sampled_from((0, 0, 1, MINUTE, HOUR, 2 * HOUR, 2 * HOUR + 1, 30 * DAY))
        at = {name: AS_OF_US - 60 * DAY + draw(moment) for name in STAMPS if draw(st.booleans())}
        record = Record(
            str(n),
            kind=draw(st.sampled_from(("incident", "incident", "incident", "test"))),
            severity=draw(st.sampled_from(SEVERITIES)),
            service=draw(st.sampled_from(("api", "web", None))),
            team=draw(st.sampled_from(("red", None))),
        )
        duplicate_of = draw(st.sampled_from((None, None, None, "another")))
        found.append(Incident(str(n), record, duplicate_of=duplicate_of, at=at or {"closed": AS_OF_US}))
    return found


FILTERS = st.fixed_dictionaries(
    {
        "severities": st.none() | st.lists(st.sampled_from(SEVERITIES), max_size=3),
        "services": st.none() | st.lists(st.sampled_from(("api", "unknown", "none such")), max_size=2),
        "teams": st.none() | st.lists(st.sampled_from(("red", "unknown")), max_size=2),
    }
)
EDGES = st.none() | st.sampled_from((0, 1, MINUTE, HOUR, 30 * DAY)).map(lambda us: AS_OF_US - 60 * DAY + us)


@pytest.fixture(scope="module")
def own_incidents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The macros over a table `incidents` of our own."""
    warehouse = open_warehouse(tmp_path_factory.mktemp("own"), after_nothing=True)
    warehouse.con.execute("CREATE SCHEMA own; USE work.own")
    columns = ", ".join(f"{name} TIMESTAMPTZ" for name in (*STAMP_COLUMNS, "started_at"))
    texts = ", ".join(
        f"{name} VARCHAR"
        for name in (
            "incident_id",
            "source",
            "external_id",
            "kind",
            "severity",
            "status",
            "service",
            "team",
            "duplicate_of",
        )
    )
    warehouse.con.execute(f"CREATE TABLE incidents ({texts}, is_counted BOOLEAN, {columns})")
    warehouse.con.execute(warehouse.analyst_macros())
    warehouse.con.execute("SET TimeZone = 'America/New_York'")
    yield warehouse.con
    warehouse.close()


@examples(30)
@given(
    them=incidents(),
    filters=FILTERS,
    window=st.tuples(EDGES, EDGES),
    span=st.lists(st.sampled_from(STAMPS), min_size=2, max_size=2, unique=True),
    hours=st.sampled_from((None, 2, 0.5, 168)),
)
def test_any_two_stamps_and_any_filters(
    own_incidents: duckdb.DuckDBPyConnection,
    them: list[Incident],
    filters: dict[str, list[str] | None],
    window: tuple[int | None, int | None],
    span: list[str],
    hours: float | None,
) -> None:
    """56 pairs of stamps, forwards and backwards, each filter alone and with the others, against the reference."""
    con = own_incidents
    con.execute("DELETE FROM incidents")
    values: list[Any] = []
    for i in them:
        r = i.record
        values += [
            i.incident_id,
            "custom",
            r.external_id,
            r.kind,
            r.severity,
            i.status,
            r.service,
            r.team,
            i.duplicate_of,
            i.counts,
        ]
        values += [instant(i.at[name]) if name in i.at else None for name in STAMPS] + [instant(i.started)]
    if them:
        marks = f"({', '.join('?' * (len(values) // len(them)))})"
        con.execute(f"INSERT INTO incidents VALUES {', '.join([marks] * len(them))}", values)
    asked = [f"{name} := {[*chosen]!r}" for name, chosen in filters.items() if chosen is not None]
    asked += [
        f"{name} := '{iso(us)}'" for name, us in zip(("start_date", "end_date"), window, strict=True) if us is not None
    ]
    asked += [f"start_stamp := '{span[0]}_at', end_stamp := '{span[1]}_at', calculation_type := 'custom'"]
    asked += ["exclude_outliers := false" if hours is None else f"outlier_threshold_hours := {hours}"]
    expected = calculate(matching(them, **filters, window=window), *span, hours)
    assert_figures(the_row(con, f"FROM mttr({', '.join(asked)})"), {name: expected[name] for name in FIGURES}, asked)
    by_team = rows(con, f"FROM mttr_by('team', {', '.join(asked)})")
    assert {row["scope_value"] for row in by_team} == {
        i.record.team or "unknown" for i in matching(them, **filters, window=window)
    }
    for row in by_team:
        only = [
            i for i in matching(them, **filters, window=window) if (i.record.team or "unknown") == row["scope_value"]
        ]
        assert_figures(row, {name: calculate(only, *span, hours)[name] for name in FIGURES}, asked)


# --- other sessions and other versions --------------------------------------------------------------------------------


def test_attached_under_another_name(published: Path) -> None:
    """After `USE name` the macros of an attached file work, and the view works before; what they say does not depend on how it was
    opened."""
    long = "SELECT calculation_type, population, sum(duration_us) FROM {}analysed_incidents GROUP BY ALL ORDER BY ALL"
    with duckdb.connect(str(published), read_only=True) as con:
        expected = the_row(con, "FROM mttr(severities := ['SEV1'])")
        counted = con.execute(long.format("")).fetchall()
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{published}' AS incidents_of_acme (READ_ONLY)")
        assert con.execute(long.format("incidents_of_acme.")).fetchall() == counted
        con.execute("USE incidents_of_acme")
        assert the_row(con, "FROM mttr(severities := ['SEV1'])") == expected
        assert rows(con, "FROM mttr_by('month')")


_OTHER_VERSION = """
import duckdb, json, sys
con = duckdb.connect(sys.argv[1], read_only=True)
con.execute("SET TimeZone = 'Asia/Kathmandu'")
tables = [name for (name,) in con.execute("SHOW TABLES").fetchall()]
said = []
for file in (sys.argv[1], sys.argv[3]):
    with duckdb.connect(file, read_only=True) as other:
        for call in json.loads(sys.argv[4]):
            try:
                said.append(str(other.execute(f"FROM {call}").fetchall()))
            except duckdb.Error as error:
                said.append(str(error))
print(json.dumps({
    "version": duckdb.__version__,
    "rows": {name: con.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables},
    "answers": [con.execute(f"SELECT * FROM {call}").fetchall() for call in json.loads(sys.argv[2])],
    "said": said,
    "lengths": [len(con.execute(query).fetchall()) for query in json.loads(sys.argv[5])],
}, default=str))
"""
CALLS = (
    "mttr()",
    "mttr(calculation_type := 'full_recovery', severities := ['SEV1', 'SEV2'], start_date := DATE '2026-08-01')",
    "mttr(start_stamp := 'acknowledged_at', end_stamp := 'mitigated_at', end_date := '2026-10-01T00:00:00+02:00')",
    "mttr(services := [])",
    "mttr(exclude_outliers := false)",
    "mttr_by('severity', outlier_threshold_hours := 1000)",
    "mttr_by('month', exclude_outliers := false)",
    *(f"mttr(start_date := {text})" for text in SAME_INSTANT if not text.startswith("TIMESTAMPTZ")),
    "mttr_by('service')",
    "mttr_by('week', calculation_type := 'service_restore')",
    "mttr_by('day', start_date := '2026-10-01', end_date := '2027-01-01', teams := ['red'])",
    "mttr_by(['service', 'severity'])",
    "mttr_by(['team', 'month'], services := ['api', 'web'])",
    "mttr_by('month', services := [], start_date := '2026-01-01', end_date := '2026-06-01')",
    "mttr_population() ORDER BY incident_id",
)
QUESTIONS = re.findall(
    r"^```sql\n(.*?)^```", (REPOSITORY / "docs" / "questions.md").read_text(encoding="utf-8"), re.M | re.S
)
FIRST = (1, 2, 2)  # the first DuckDB that opens the file


def releases(pip: tuple[str, ...]) -> list[str]:
    """The releases of DuckDB that the package index lists, from the first that opens the file. Skips the test without an index."""
    asked = subprocess.run([*pip, "index", "versions", "duckdb"], capture_output=True, text=True, check=False)
    listed = re.search(r"Available versions: (.*)", asked.stdout)
    if listed is None:
        pytest.skip("the package index does not list the releases of DuckDB")
    versions = [text.strip() for text in listed[1].split(",")]
    return [text for text in versions if tuple(int(part) for part in text.split(".")) >= FIRST][::-1]


@pytest.mark.slow
def test_every_release_of_duckdb_answers_the_same(published: Path, tmp_path: Path) -> None:
    """The file is handed to people with other versions: they open it, their figures are ours to the last digit, and in none may
    a wrong question pass, not even in an empty file. 1.4.0 and 1.4.1 fell between the versions that were tried once."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    kept = Path(os.environ.get("MTTR_TEST_DUCKDBS") or tmp_path / "duckdbs")
    empty = tmp_path / "mttr.duckdb"
    shutil.copy(published, empty)
    empty.chmod(0o644)
    with duckdb.connect(str(empty)) as con:
        con.execute("DELETE FROM incidents")
    with duckdb.connect(str(published), read_only=True) as con:
        tables = [name for (name,) in con.execute("SHOW TABLES").fetchall()]
        counts = {name: con.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}  # type: ignore[index]
        con.execute("SET TimeZone = 'Asia/Kathmandu'")
        answers = json.loads(
            json.dumps([con.execute(f"SELECT * FROM {call}").fetchall() for call in CALLS], default=str)
        )
        lengths = [len(con.execute(query).fetchall()) for query in QUESTIONS]
    questions = json.dumps(CALLS), str(empty), json.dumps([call for call, _ in WRONG]), json.dumps(QUESTIONS)

    def attempt(version: str) -> dict[str, Any] | str | None:
        """What a release says, its last error, or nothing where it has no wheel for this Python."""
        folder = kept / version
        if not folder.is_dir():
            install = [*pip, "install", "-q", "--no-deps", "--only-binary", ":all:", "--target", str(folder)]
            if subprocess.run([*install, f"duckdb=={version}"], capture_output=True, check=False).returncode:
                return None
        command = [sys.executable, "-c", _OTHER_VERSION, str(published), *questions]
        env = {**os.environ, "PYTHONPATH": str(folder)}
        run = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        return run.stderr.strip().splitlines()[-1] if run.returncode else json.loads(run.stdout)

    versions = releases(pip)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        told = {version: found for version, found in zip(versions, pool.map(attempt, versions), strict=True) if found}
    wrong: dict[str, Any] = {version: found for version, found in told.items() if isinstance(found, str)}
    for version, found in told.items():
        if isinstance(found, str):
            continue
        assert found["version"] == version
        objections = zip([*WRONG, *WRONG], found["said"], strict=True)
        accepted = [call for (call, message), said in objections if not re.search(message, said)]
        differing = [call for call, one, other in zip(CALLS, found["answers"], answers, strict=True) if one != other]
        if accepted or differing or found["rows"] != counts or found["lengths"] != lengths:
            wrong[version] = f"accepts {accepted}; answers otherwise {differing}; has the rows {found['lengths']}"
    assert wrong == {}
    assert len(told) > 2, f"only {[*told]} have a wheel for this Python"
    print(f"DuckDB {', '.join(told)}")
