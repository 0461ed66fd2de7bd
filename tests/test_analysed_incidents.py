"""The tables that dashboards are built on: `analysed_incidents`, and what `incidents` says about a row by itself. Whoever counts and
sums there must get the figures of `mttr_stats`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from mart_cases import built, many, rows
from support import AS_OF_US, build_all, iso, land_custom, open_warehouse
from support import rows as real_rows

from mttr_pipeline.landing.store import Landing
from mttr_pipeline.warehouse.database import Warehouse

ZONE = "America/St_Johns"  # half an hour off: a rule for whole hours would be seen
HOUR, DAY = 3_600_000_000, 86_400_000_000
TABLES = ("mart.analysed_incidents", "mart.mttr_stats")
EXCLUDED = ("missing_start", "missing_end", "open", "invalid", "outlier")


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Warehouse]:
    """Drawn incidents of every population, in three services, with a variant of one's own."""
    incidents = [
        replace(one, service=None if one.service is None else ("api", "web", "db")[n % 3])
        for n, one in enumerate(many(50))
    ]
    file = {
        "reporting_time_zone": ZONE,
        "variants": {"handover": {"start": "acknowledged_at", "end": "mitigated_at"}},
    }
    with built(TABLES, incidents, file) as found:
        yield found


def test_counts_and_sums_are_those_of_mttr_stats(warehouse: Warehouse) -> None:
    """Every variant, scope and window: each population, and the mean to the last digit from the exact sum. An average of the
    minutes themselves is a sum of rounded numbers; it agrees to twelve digits."""
    nightly = rows(warehouse, "SELECT * FROM mart.mttr_stats WHERE incidents_matched > 0")
    assert {row["calculation_type"] for row in nightly} == {"basic", "service_restore", "full_recovery", "handover"}
    assert len(nightly) > 100
    for row in nightly:
        scope = "true" if row["scope"] == "all" else f"{row['scope']} = '{row['scope_value']}'"
        window = "true"
        if row["window_start"] is not None:
            window = f"epoch_us(started_at) >= {row['window_start']} AND epoch_us(started_at) < {row['window_end']}"
        (found,) = rows(
            warehouse,
            f"""SELECT count(*) AS matched, sum(duration_us) FILTER (population = 'analysed') AS us,
                avg(minutes) FILTER (population = 'analysed') AS mean,
                count(minutes) FILTER (population = 'analysed') AS analysed,
                {", ".join(f"count(*) FILTER (population = '{name}') AS {name}" for name in EXCLUDED)}
            FROM mart.analysed_incidents WHERE calculation_type = '{row["calculation_type"]}' AND {scope} AND {window}""",
        )
        assert (found["matched"], found["analysed"]) == (row["incidents_matched"], row["incidents_analyzed"])
        assert [found[name] for name in EXCLUDED] == [row[f"excluded_{name}"] for name in EXCLUDED]
        if found["analysed"]:
            assert found["us"] / (found["analysed"] * 6e7) == row["mean_minutes"]
            assert found["mean"] == pytest.approx(row["mean_minutes"], rel=1e-12)
    assert all(sum(row[f"excluded_{name}"] for row in nightly) for name in EXCLUDED)


def test_each_variant_has_each_counted_incident_once(warehouse: Warehouse) -> None:
    """Whatever a dashboard adds up, nothing is added twice."""
    found = rows(
        warehouse, "SELECT calculation_type, incident_id, epoch_us(started_at) AS us FROM mart.analysed_incidents"
    )
    keys = [(row["us"], row["incident_id"]) for row in found]
    assert len(found) == 4 * len(set(keys)) and len(
        {(row["incident_id"], row["calculation_type"]) for row in found}
    ) == len(found)
    assert {row["calculation_type"] for row in found} == {"basic", "full_recovery", "handover", "service_restore"}


def test_minutes_are_there_where_the_population_has_some(warehouse: Warehouse) -> None:
    """An open incident has no duration yet, an invalid one never had: an average must not meet them."""
    found = rows(warehouse, "SELECT population, minutes, duration_us FROM mart.analysed_incidents")
    assert {row["population"] for row in found} == {"analysed", *EXCLUDED}
    for row in found:
        if row["population"] in ("analysed", "outlier"):
            assert row["minutes"] == row["duration_us"] / 6e7 >= 0
            assert (row["population"] == "outlier") == (row["duration_us"] > 168 * HOUR)
        else:
            assert row["minutes"] is row["duration_us"] is None


def test_dates_are_those_of_the_reporting_zone(warehouse: Warehouse) -> None:
    """Against Python's own zones: day, Monday, first of the month, weekday and hour of the start, day and month of the resolve."""
    found = rows(warehouse, "SELECT * FROM mart.analysed_incidents WHERE calculation_type = 'basic'")
    days = 0
    for row in found:
        local = datetime.fromtimestamp(row["started_at"] / 1e6, UTC).astimezone(ZoneInfo(ZONE))
        days += local.date() != datetime.fromtimestamp(row["started_at"] / 1e6, UTC).date()
        assert row["started_date"] == local.date()
        assert (row["started_weekday"], row["started_hour"]) == (local.isoweekday(), local.hour)
        assert (local.date() - row["started_week_date"]).days == local.weekday()
        assert row["started_month_date"] == local.date().replace(day=1)
        if row["resolved_at"] is None:
            assert row["resolved_date"] is row["resolved_month_date"] is None
        else:
            over = datetime.fromtimestamp(row["resolved_at"] / 1e6, UTC).astimezone(ZoneInfo(ZONE)).date()
            assert (row["resolved_date"], row["resolved_month_date"]) == (over, over.replace(day=1))
    assert days > 0


# -- incidents ---------------------------------------------------------------------------------------------------------


def record(name: str, began: int, took: int | None, **fields: Any) -> dict[str, Any]:
    at = AS_OF_US - began
    resolved = {} if took is None else {"resolved_at": iso(at + took)}
    return {"external_id": name, "detected_at": iso(at)} | resolved | fields


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Custom records through the real door."""
    folder = tmp_path_factory.mktemp("counted")
    landing = Landing(folder / "landing")
    records = [
        record("plain", 9 * DAY, HOUR + 1),
        record("at once", 9 * DAY, 0),
        record("outlier", 30 * DAY, 20 * DAY),
        record("open", 2 * DAY, None),
        record("backwards", 5 * DAY, -HOUR),
        record("alarm", 5 * DAY, HOUR, kind="false_alarm"),
        record("works", 5 * DAY, HOUR, kind="maintenance"),
        record("twice", 9 * DAY + HOUR, 3 * HOUR, duplicate_of="plain"),
        {"external_id": "no start", "resolved_at": iso(AS_OF_US - DAY)},
        {"external_id": "closed only", "detected_at": iso(AS_OF_US - DAY), "closed_at": iso(AS_OF_US - DAY + 2 * HOUR)},
    ]
    land_custom(landing, records)
    warehouse = open_warehouse(folder, after_nothing=True)
    try:
        warehouse.load(landing)
        build_all(warehouse, ["mart.analysed_incidents", "mart.mttr_stats"])
        yield warehouse
    finally:
        warehouse.close()


def test_incidents_say_what_counts_and_how_long_it_took(counted: Warehouse) -> None:
    """From the own detection, or that of a duplicate if that was earlier, to the resolve. A close stands for a missing resolve.
    A duplicate has no row."""
    found = real_rows(counted.con, "SELECT external_id, is_counted, resolve_minutes FROM mart.incidents")
    assert {row["external_id"]: (row["is_counted"], row["resolve_minutes"]) for row in found} == {
        "plain": (True, (2 * HOUR + 1) / 6e7),
        "at once": (True, 0.0),
        "outlier": (True, 20 * 1440.0),
        "open": (True, None),
        "backwards": (True, None),
        "alarm": (False, None),
        "works": (False, None),
        "no start": (True, None),
        "closed only": (True, 120.0),
    }


def test_resolve_minutes_are_the_minutes_of_basic(counted: Warehouse) -> None:
    """The same incidents, the same numbers: whoever takes the one table or the other gets one answer."""
    columns = "incident_id, resolve_minutes AS minutes"
    plain = real_rows(counted.con, f"SELECT {columns} FROM mart.incidents WHERE is_counted ORDER BY incident_id")
    long = real_rows(
        counted.con,
        """SELECT incident_id, minutes FROM mart.analysed_incidents WHERE calculation_type = 'basic'
        ORDER BY incident_id""",
    )
    assert plain == long and len(plain) == 7
    populations: dict[str, set[str]] = defaultdict(set)
    query = """SELECT i.external_id, a.population FROM mart.analysed_incidents AS a JOIN mart.incidents AS i USING (incident_id)
        WHERE a.calculation_type = 'basic'"""
    for row in real_rows(counted.con, query):
        populations[row["population"]].add(row["external_id"])
    assert populations == {
        "analysed": {"plain", "at once", "closed only"},
        "outlier": {"outlier"},
        "open": {"open"},
        "invalid": {"backwards"},
        "missing_start": {"no start"},
    }


def test_a_configured_limit_and_a_wide_zone_reach_the_table(tmp_path: Path) -> None:
    """The outlier limit and the zone of mttr.toml decide, not the defaults."""
    landing = Landing(tmp_path / "landing")
    land_custom(
        landing, [{"external_id": "A", "detected_at": "2026-10-31T13:30:00Z", "resolved_at": "2026-10-31T16:00:00Z"}]
    )
    warehouse = open_warehouse(tmp_path, {"reporting_time_zone": "Pacific/Kiritimati", "outliers": {"hours": 2}})
    try:
        warehouse.load(landing)
        build_all(warehouse, ["mart.analysed_incidents"])
        (row,) = real_rows(warehouse.con, "SELECT * FROM mart.analysed_incidents WHERE calculation_type = 'basic'")
    finally:
        warehouse.close()
    assert (row["population"], row["minutes"]) == ("outlier", 150.0)
    assert [str(row[name]) for name in ("started_date", "started_month_date", "resolved_month_date")] == [
        "2026-11-01",
        "2026-11-01",
        "2026-11-01",
    ]
