"""The calculation and the phases: nightly tables against the reference, on incidents that came in through the real door.

Each drawn set of incidents is a service of its own, so that one build answers for all of them: every set is a row of
mttr_stats per variant and window, and eleven rows of phase_breakdown.
"""

from __future__ import annotations

import random
import statistics
from bisect import bisect_right
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import (
    DAY,
    HOUR,
    MINUTE,
    PHASES,
    STAMPS,
    VARIANTS,
    Incident,
    breakdown,
    calculate,
    fold,
    matching,
    percentile,
    phase_model,
    std_dev,
)
from support import AS_OF_US, assert_figures, close, custom_history, door, drawn, examples, iso, open_warehouse, rows

from mttr_pipeline.warehouse.database import Warehouse

CONFIGURED = {
    "variants": {
        "hands_on": {"start": "acknowledged_at", "end": "mitigated_at"},
        "backwards": {"start": "resolved_at", "end": "detected_at"},
    }
}
ALL_VARIANTS = VARIANTS | {"hands_on": ("acknowledged", "mitigated"), "backwards": ("resolved", "detected")}
WINDOWS = {
    "whole": (None, None),
    "current": (AS_OF_US - 30 * DAY, AS_OF_US),
    "previous": (AS_OF_US - 60 * DAY, AS_OF_US - 30 * DAY),
}
TABLES = ("mart.mttr_stats", "figures.phase_breakdown")
SCOPES = {"severity": "severities", "service": "services", "team": "teams"}

# Zeros and ties, both sides of the outlier limit, and now and then the wrong direction.
GAPS = st.one_of(
    st.sampled_from((0, 0, 1, MINUTE, 5 * MINUTE, HOUR, 168 * HOUR - 1, 168 * HOUR, 168 * HOUR + 1, -1, -MINUTE, -DAY)),
    st.integers(0, 3 * HOUR),
)
BEGINS = st.one_of(
    st.sampled_from((0, 1, 30 * DAY - 1, 30 * DAY, 30 * DAY + 1, 60 * DAY, 60 * DAY + 1, -MINUTE)),
    st.integers(0, 90 * DAY),
)


@st.composite
def incident_sets(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The custom records of one set: complete ones, open ones, ones with holes, duplicates, non-incidents."""
    wanted = draw(st.sampled_from(((), ("acknowledged",), ("root_cause_found",), ("mitigated", "resolved", "closed"))))
    found = []
    for place in range(draw(st.one_of(st.integers(1, 3), st.integers(1, 25)))):
        at, record = AS_OF_US - draw(BEGINS), {"external_id": str(place)}
        reached = draw(st.integers(1, len(STAMPS)))
        for name in STAMPS[:reached]:
            if name not in wanted and draw(st.integers(0, 9)):
                record[f"{name}_at"] = iso(at)
            at += draw(GAPS)
        if len(record) == 1:
            record["detected_at"] = iso(at)
        record["severity"] = draw(st.sampled_from(("SEV1", "SEV2", "SEV3", "SEV4")))
        record["team"] = draw(st.sampled_from(("red", "blue", "green")))
        if draw(st.integers(0, 11)) == 0:
            record["kind"] = draw(st.sampled_from(("false_alarm", "maintenance", "test")))
        if place and draw(st.integers(0, 11)) == 0:
            record["duplicate_of"] = str(draw(st.integers(0, place - 1)))
        found.append(record)
    return found


@pytest.fixture(scope="module")
def history() -> list[list[dict[str, Any]]]:
    sets = drawn(incident_sets(), 120)
    for number, records in enumerate(sets):
        for record in records:
            record["service"] = f"set {number}"
            for name in ("external_id", "duplicate_of"):
                if name in record:
                    record[name] = f"{number}-{record[name]}"
    sets.append([{"external_id": "nobody", "detected_at": iso(AS_OF_US - DAY)}])  # neither service nor team
    return sets


@pytest.fixture(scope="module")
def incidents(history: list[list[dict[str, Any]]]) -> list[Incident]:
    told = [custom_history(record) for records in history for record in records]
    return fold([about for about, _ in told], [event for _, events in told for event in events], AS_OF_US)


@pytest.fixture(scope="module")
def warehouse(history: list[list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    records = [record for them in history for record in them]
    with door(tmp_path_factory.mktemp("metrics"), custom=records, configured=CONFIGURED, only=TABLES) as built:
        yield built


def keyed(con: Any, table: str, *more: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The rows of a table by variant, scope, member, window and what else names one."""
    windows = {bounds[0]: name for name, bounds in WINDOWS.items()}
    found = rows(con, f"SELECT * EXCLUDE (window_start), epoch_us(window_start) AS starts_us FROM {table}")
    keys = ("calculation_type", "scope", "scope_value")
    return {
        (*(row[name] for name in keys), windows[row["starts_us"]], *(row[name] for name in more)): row for row in found
    }


def scopes(incidents: list[Incident]) -> Iterator[tuple[str, str, list[Incident]]]:
    """Every scope and member with its incidents; the whole is there also without any."""
    counted = matching(incidents)
    yield "all", "all", counted
    for scope in SCOPES:
        members: dict[str, list[Incident]] = {}
        for incident in counted:
            members.setdefault(getattr(incident.record, scope) or "unknown", []).append(incident)
        yield from ((scope, member, them) for member, them in members.items())


def test_every_row_of_mttr_stats_is_the_references(warehouse: Warehouse, incidents: list[Incident]) -> None:
    """Counts, every exclusion, mean to percentile: for five variants, four scopes and three windows."""
    found = keyed(warehouse.con, "mart.mttr_stats")
    expected = {}
    for scope, member, them in scopes(incidents):
        for window, bounds in WINDOWS.items():
            chosen = matching(them, window=bounds)
            for variant, (start, end) in ALL_VARIANTS.items():
                expected[variant, scope, member, window] = calculate(chosen, start, end)
    assert found.keys() == expected.keys()
    for key, figures in expected.items():
        assert_figures(found[key], figures, key)
    reasons = [name for name in next(iter(expected.values())) if name.startswith("excluded_")]
    assert [name for name in reasons if not any(figures[name] for figures in expected.values())] == []


def test_every_row_of_phase_breakdown_is_the_references(warehouse: Warehouse, incidents: list[Incident]) -> None:
    """Both models in every scope and window; the outliers of each variant left out, open incidents counted as far as they are."""
    found = keyed(warehouse.con, "mart.phase_breakdown", "phase_model", "phase")
    expected = {}
    for scope, member, them in scopes(incidents):
        for window, bounds in WINDOWS.items():
            chosen = matching(them, window=bounds)
            for variant, (start, end) in ALL_VARIANTS.items():
                for model in PHASES:
                    for phase, figures in breakdown(chosen, model, start, end).items():
                        expected[variant, scope, member, window, model, phase] = figures
    assert found.keys() == expected.keys()
    for key, figures in expected.items():
        assert_figures(found[key], figures, key)


def test_shares_add_up(warehouse: Warehouse) -> None:
    """A reader adds the percentages of one report: 100, or nothing to share."""
    for column in ("share_pct", "from_occurred_share_pct", "pct_of_means"):
        sums = warehouse.con.execute(
            f"""SELECT sum({column}) AS whole FROM mart.phase_breakdown
            GROUP BY calculation_type, phase_model, scope, scope_value, window_start HAVING count({column}) > 0"""
        ).fetchall()
        assert len(sums) > 100
        assert all(close(whole, 100.0) for (whole,) in sums), column


def test_the_phase_model_is_the_references(warehouse: Warehouse, incidents: list[Incident]) -> None:
    assert warehouse.con.execute("SELECT DISTINCT phase_model FROM mart.mttr_stats").fetchall() == [
        (phase_model(incidents),)
    ]


@pytest.mark.parametrize(
    ("with_cause", "complete", "model"),
    [(0, 0, "coarse"), (0, 3, "coarse"), (1, 3, "coarse"), (1, 2, "lifecycle"), (2, 3, "lifecycle")],
)
def test_auto_needs_half_of_the_root_causes(tmp_path: Path, with_cause: int, complete: int, model: str) -> None:
    """Exactly half is enough; without any acknowledged and mitigated incident it is coarse. Duplicates have no vote."""
    at = AS_OF_US - DAY
    records: list[dict[str, Any]] = [
        {"external_id": str(n), "acknowledged_at": iso(at), "mitigated_at": iso(at)} for n in range(complete)
    ]
    for record in records[:with_cause]:
        record["root_cause_found_at"] = iso(at)
    other = {"acknowledged_at": iso(at), "mitigated_at": iso(at), "root_cause_found_at": iso(at)}
    records += [{"external_id": f"test {n}", "kind": "test", **other} for n in range(3)]
    records += [{"external_id": "open", "root_cause_found_at": iso(at)}]
    with door(tmp_path, custom=records, only=["core.phase_model"]) as built:
        assert built.con.execute("SELECT phase_model FROM core.phase_model").fetchall() == [(model,)]


@pytest.mark.parametrize("model", ["lifecycle", "coarse"])
def test_a_configured_phase_model_is_not_argued_with(tmp_path: Path, model: str) -> None:
    records = [{"external_id": "A", "detected_at": iso(AS_OF_US - DAY)}]
    with door(tmp_path, custom=records, configured={"phase_model": model}, only=["core.phase_model"]) as built:
        assert built.con.execute("SELECT phase_model FROM core.phase_model").fetchall() == [(model,)]


def test_no_history_is_null_everywhere(tmp_path: Path) -> None:
    """Nothing happened: the whole still has its rows, with counts of 0 and not one invented minute."""
    with door(tmp_path, only=TABLES) as built:
        found = keyed(built.con, "mart.mttr_stats")
        assert found.keys() == {(v, "all", "all", w) for v in VARIANTS for w in WINDOWS}
        for row in found.values():
            assert_figures(row, calculate([]))
        phases = keyed(built.con, "mart.phase_breakdown", "phase_model", "phase")
        assert len(phases) == 3 * 3 * (6 + 5), "variants, windows, phases of both models"
        for (*_, model, phase), row in phases.items():
            assert_figures(row, breakdown([], model)[phase])
            assert row["low_n"]


def test_only_open_incidents_say_so(tmp_path: Path) -> None:
    records = [{"external_id": str(n), "detected_at": iso(AS_OF_US - n * DAY)} for n in range(1, 4)]
    with door(tmp_path, custom=records, only=TABLES) as built:
        row = keyed(built.con, "mart.mttr_stats")["basic", "all", "all", "whole"]
        assert (row["incidents_matched"], row["excluded_open"], row["mean_minutes"], row["p95_minutes"]) == (
            3,
            3,
            None,
            None,
        )


@pytest.mark.parametrize("hours", [0.7, 168, 168.0001, 70000.25])
def test_the_outlier_limit_is_exact(tmp_path: Path, hours: float) -> None:
    """Exactly the limit is no outlier, a microsecond more is one: also for a limit that floating point cannot hold."""
    limit = int(Fraction(str(hours)) * HOUR)
    at = AS_OF_US - 20 * DAY - limit
    records = [
        {"external_id": str(more), "detected_at": iso(at), "resolved_at": iso(at + limit + more)} for more in (-1, 0, 1)
    ]
    with door(tmp_path, custom=records, configured={"outliers": {"hours": hours}}, only=TABLES) as built:
        row = keyed(built.con, "mart.mttr_stats")["basic", "all", "all", "whole"]
        assert (row["incidents_analyzed"], row["excluded_outlier"]) == (2, 1)
        (same,) = rows(built.con, "FROM mttr()")
        assert (same["incidents_analyzed"], same["excluded_outlier"]) == (2, 1)


def test_without_the_outlier_rule_everything_counts(tmp_path: Path) -> None:
    at = AS_OF_US - 20 * DAY
    records = [{"external_id": "A", "detected_at": iso(at), "resolved_at": iso(at + 10 * DAY)}]
    with door(tmp_path, custom=records, configured={"outliers": {"enabled": False}}, only=TABLES) as built:
        row = keyed(built.con, "mart.mttr_stats")["basic", "all", "all", "whole"]
        assert_figures(row, {"incidents_analyzed": 1, "mean_minutes": 14400.0, "outlier_minutes_share": 0.0})
        (same,) = rows(built.con, "FROM mttr()")
        assert_figures(same, {"incidents_analyzed": 1, "mean_minutes": 14400.0})


# --- the reference itself, and the arithmetic of the SQL, against somebody else's ------------------------------------

DURATIONS = st.lists(st.one_of(st.integers(0, 10**6), st.integers(0, 168 * HOUR)), min_size=1, max_size=60)
DECADES = st.lists(st.integers(0, 50 * 365 * DAY) | st.sampled_from((0, 1, 2**41, 2**43 + 1)), min_size=1, max_size=230)


@pytest.fixture(scope="module")
def arithmetic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    opened = open_warehouse(tmp_path_factory.mktemp("arithmetic"), after_nothing=True)
    opened.con.execute(opened.analyst_macros().split("-- Every incident that the calculation matches")[0])
    yield opened
    opened.close()


@examples(60)
@given(DURATIONS)
def test_percentiles_and_deviation_against_the_standard_library(arithmetic: Warehouse, values: list[int]) -> None:
    """Three implementations agree: the SQL, the reference and Python's statistics (its `inclusive` is ours)."""
    (found,) = rows(
        arithmetic.con,
        "SELECT unnest(m) FROM (SELECT mttr_measures('analysed', us) AS m FROM (SELECT unnest(?::BIGINT[]) AS us))",
        [values],
    )
    ordered = sorted(values)
    cuts = statistics.quantiles(values, n=100, method="inclusive") if len(values) > 1 else values * 99
    for name, place in (("median_minutes", 50), ("p90_minutes", 90), ("p95_minutes", 95), ("p99_minutes", 99)):
        exact = percentile(ordered, Fraction(place, 100))
        assert exact is not None
        assert close(float(cuts[place - 1] / MINUTE), float(exact / MINUTE))
        assert found[name] == float(exact / MINUTE), name  # to the last digit: so every version of DuckDB says the same
    deviation = statistics.stdev(Fraction(value, MINUTE) for value in values) if len(values) > 1 else None
    assert close(std_dev(values), deviation)
    assert close(found["std_dev_minutes"], deviation)
    assert close(found["mean_minutes"], float(statistics.mean(Fraction(value, MINUTE) for value in values)))
    assert (found["min_minutes"], found["max_minutes"]) == (ordered[0] / 6e7, ordered[-1] / 6e7)


@examples(60)
@given(DECADES)
def test_percentiles_of_decades_are_exact(arithmetic: Warehouse, values: list[int]) -> None:
    """Also where doubles hold no hundredth of a microsecond any more, and between values that lie years apart: no version of
    DuckDB can then say anything else. They stay in order, or the checks would keep the night's figures back."""
    (found,) = rows(
        arithmetic.con,
        "SELECT unnest(m) FROM (SELECT mttr_measures('analysed', us) AS m FROM (SELECT unnest(?::BIGINT[]) AS us))",
        [values],
    )
    for name, place in (("median_minutes", 50), ("p90_minutes", 90), ("p95_minutes", 95), ("p99_minutes", 99)):
        exact = percentile(sorted(values), Fraction(place, 100))
        assert exact is not None
        assert found[name] == int(exact * 100) / 6e9, name
        assert abs(Fraction(found[name]) - exact / MINUTE) <= exact / MINUTE / 2**52, name
    figures = [found[f"{name}_minutes"] for name in ("min", "median", "p90", "p95", "p99", "max")]
    assert figures == sorted(figures)


@pytest.mark.slow
def test_a_percentile_of_too_many_values_is_refused(arithmetic: Warehouse) -> None:
    """It would be wrong by a rank, and nobody would see it."""
    of_range = "SELECT percentile_minutes(i, 99) FROM range(?::BIGINT) AS t(i)"
    with pytest.raises(duckdb.Error, match="more than 100,000,000 durations cannot be exact"):
        arithmetic.con.execute(of_range, [100_000_001]).fetchall()


def test_every_rank_next_to_a_percentile_has_its_share(arithmetic: Warehouse) -> None:
    """DuckDB gives the value of rank ceil(n q) for a share q: for any n up to a hundred million, the last share that does not
    lie beyond a rank must lie on it."""
    ((shares,),) = arithmetic.con.execute("SELECT percentile_shares()").fetchall()
    assert isinstance(shares[0], Decimal)  # as floating point, DuckDB would round n q
    scaled = [int(share * 10**10) for share in shares]
    chance = random.Random(1)
    for n in (*range(1, 20_000), *(chance.randrange(1, 10**8) for _ in range(20_000)), 10**8):
        for percent in (50, 90, 95, 99):
            before, rest = divmod((n - 1) * percent, 100)
            for rank in (before + 1, before + 2)[: 1 + (rest > 0)]:
                share = scaled[bisect_right(scaled, rank * 10**10 // n) - 1]
                assert -(-n * share // 10**10) == rank, (n, percent)
    for n in (*range(1, 60), 101, 1234, 54_321):
        (looked_up,) = arithmetic.con.execute(
            "SELECT quantile_disc(i, percentile_shares()) FROM range(1, ? + 1) AS t(i)", [n]
        ).fetchall()[0]
        assert looked_up == [-(-n * share // 10**10) for share in scaled], n


def test_deviation_does_not_cancel(arithmetic: Warehouse) -> None:
    """Long durations that differ by a microsecond: the sum of squares in floating point would give 0 or NaN."""
    values = [25 * 365 * DAY + n for n in range(4)]
    (found,) = rows(
        arithmetic.con,
        "SELECT unnest(m) FROM (SELECT mttr_measures('analysed', us) AS m FROM (SELECT unnest(?::BIGINT[]) AS us))",
        [values],
    )
    assert found["std_dev_minutes"] == pytest.approx(statistics.stdev(values) / MINUTE, rel=1e-12)


def test_a_deviation_beyond_128_bits_is_still_a_number(arithmetic: Warehouse) -> None:
    """A million durations of 25 years: no overflow error in the nightly run."""
    (found,) = rows(
        arithmetic.con,
        "SELECT unnest(m) FROM (SELECT mttr_measures('analysed', us) AS m "
        f"FROM (SELECT {25 * 365 * DAY} + (i % 2) * {DAY} AS us FROM range(1000000) AS t(i)))",
    )
    assert found["std_dev_minutes"] == pytest.approx(720.0, rel=1e-6)
