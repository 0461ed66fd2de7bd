"""Kaplan-Meier: against the textbook in exact fractions, against scipy, and through the whole road from records to mttr_stats."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mart_cases import upstream
from scipy import stats
from support import AS_OF_US, door, examples, iso, open_warehouse, rows

from mttr_pipeline.metrics.observed import joined
from mttr_pipeline.metrics.survival import HORIZON_US, Curves, Z, curves, medians
from mttr_pipeline.warehouse.catalog import default_catalog

MINUTE = 60_000_000
HOUR = 60 * MINUTE

Observation = tuple[int, bool]  # microseconds, whether it ended in an event


def textbook(observed: Sequence[Observation], horizon: int = HORIZON_US) -> dict[str, Any]:
    """Per time, as the definition has it: d events among n at risk."""
    curve, greenwood = Fraction(1), Fraction(0)
    steps: list[tuple[int, Fraction, Fraction | None, int, int]] = []
    for time in sorted({t for t, event in observed if event}):
        n = sum(t >= time for t, _ in observed)
        d = sum(t == time and event for t, event in observed)
        curve *= 1 - Fraction(d, n)
        greenwood = greenwood + Fraction(d, n * (n - d)) if d < n else greenwood
        steps.append((time, curve, greenwood if d < n else None, d, n))
    found: dict[str, Any] = {"n": len(observed), "events": sum(event for _, event in observed)}
    for q in (Fraction(1, 2), Fraction(9, 10)):
        found[f"q{float(q)}"] = next((t for t, s, _, _, _ in steps if s <= 1 - q), None)
        for name, sign in (("low", 1), ("high", -1)):
            found[f"{name}{float(q)}"] = next(
                (t for t, s, v, _, _ in steps if v is not None and _band(s, v, sign) <= float(1 - q)), None
            )
    if not observed:
        return found | {"mean": None, "variance": None, "is_mean_bound": False}

    def area(start: int) -> Fraction:
        """Under the curve from `start` to the horizon."""
        edges = sorted({start, horizon, *(t for t, *_ in steps if start < t < horizon)})
        total = Fraction(0)
        for left, right in pairwise(edges):
            total += (right - left) * next((s for t, s, *_ in reversed(steps) if t <= left), Fraction(1))
        return total if start < horizon else Fraction(0)

    longest = max(observed, key=lambda o: (o[0], not o[1]))
    variance = sum((area(t) ** 2 * Fraction(d, n * (n - d)) for t, _, _, d, n in steps if d < n), Fraction(0))
    return found | {
        "mean": area(0),
        "variance": variance or None,
        "is_mean_bound": not longest[1] and longest[0] < horizon,
    }


def _band(s: Fraction, v: Fraction, sign: int) -> float:
    return float(s) ** math.exp(sign * Z * math.sqrt(v) / -math.log(s))


def laid_out(groups: Sequence[Sequence[Observation]]) -> tuple[Any, ...]:
    """Groups one after another, each in the order that the functions want."""
    parts = [
        {
            "time": np.array([t for t, _ in group], dtype=np.int64),
            "event": np.array([event for _, event in group], dtype=np.bool_),
        }
        for group in groups
    ]
    parts = [{name: values[np.lexsort((~p["event"], p["time"]))] for name, values in p.items()} for p in parts]
    everything = joined(parts)
    return np.cumsum([0, *map(len, groups)]), everything["time"], everything["event"]


def estimate(groups: Sequence[Sequence[Observation]], horizon: float = float(HORIZON_US)) -> Curves:
    """The function under test, over all groups in one call."""
    return curves(*laid_out(groups), horizon)


def agrees(value: float, expected: Fraction | float | None) -> bool:
    if expected is None or math.isnan(value):
        return expected is None and math.isnan(value)
    return value == pytest.approx(float(expected), rel=1e-9, abs=0)


times = st.one_of(
    st.integers(0, 5),  # ties and zeros
    st.integers(0, 400 * HOUR),  # outliers too
    st.integers(1, 40).map(lambda k: k * HOUR),
)
observations = st.lists(st.tuples(times, st.booleans()), max_size=30)
groups_of_any_kind = st.lists(
    st.one_of(
        observations,
        observations.map(lambda group: [(t, True) for t, _ in group]),
        observations.map(lambda group: [(t, False) for t, _ in group]),
    ),
    min_size=1,
    max_size=6,
)


@examples(300)
@given(groups_of_any_kind)
def test_every_group_is_what_the_textbook_says(groups: list[list[Observation]]) -> None:
    found, alone = estimate(groups), medians(*laid_out(groups))
    for place, group in enumerate(groups):
        expected = textbook(group)
        assert found.n[place] == expected["n"]
        assert found.events[place] == expected["events"]
        assert found.is_mean_bound[place] == expected["is_mean_bound"]
        for q in (0.5, 0.9):
            for name, values in (("q", found.quantile_us), ("low", found.low_us), ("high", found.high_us)):
                assert agrees(values[q][place], expected[f"{name}{q}"]), (name, q, group)
        assert agrees(found.mean_us[place], expected["mean"]), group
        assert agrees(found.mean_variance[place], expected["variance"]), group
        assert agrees(alone[place], expected["q0.5"]), group


@examples(100)
@given(st.lists(st.tuples(times, st.booleans()), min_size=2, max_size=60))
def test_scipy_agrees(group: list[Observation]) -> None:
    """scipy has the curve and its log-log limits at every time; the quantiles are read off them here."""
    events, censored = [t for t, event in group if event], [t for t, event in group if not event]
    if not events:
        return
    # scipy takes a censored time for smaller than an equal event; half a microsecond later it is what the textbook has.
    survival = stats.ecdf(stats.CensoredData(uncensored=events, right=[t + 0.5 for t in censored])).sf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # scipy says that there is no limit where the curve is 0 or 1
        limits = survival.confidence_interval(method="log-log")
    found = estimate([group])
    times_of_events = [i for i, t in enumerate(survival.quantiles) if t in set(events)]

    def first(curve: np.ndarray, level: float) -> float | None:
        return next((survival.quantiles[i] for i in times_of_events if curve[i] <= level), None)

    inner = np.where(survival.probabilities > 0, 1.0, np.nan)  # scipy's limits at 0 are no limits
    for q in (0.5, 0.9):
        assert agrees(found.quantile_us[q][0], first(survival.probabilities, 1 - q + 1e-12))
        assert agrees(found.low_us[q][0], first(limits.low.probabilities * inner, 1 - q))
        assert agrees(found.high_us[q][0], first(limits.high.probabilities * inner, 1 - q))


def test_groups_that_share_a_block_and_groups_larger_than_one() -> None:
    """The work is cut into blocks; the cuts must not show."""
    random = np.random.default_rng(7)
    groups = [
        [(int(t), bool(e)) for t, e in zip(random.integers(0, 10**10, n), random.random(n) < 0.8, strict=True)]
        for n in (1, 70_000, 0, 3, 40_000, 40_000, 2, 0)
    ]
    together = estimate(groups)
    for place, group in enumerate(groups):
        alone = estimate([group])
        np.testing.assert_array_equal(together.mean_us[place], alone.mean_us[0])
        np.testing.assert_array_equal(together.mean_variance[place], alone.mean_variance[0])
        np.testing.assert_array_equal(together.low_us[0.9][place], alone.low_us[0.9][0])
        np.testing.assert_array_equal(together.high_us[0.5][place], alone.high_us[0.5][0])


def test_a_long_curve_does_not_drift() -> None:
    """With nothing censored the curve after k of n events is exactly 1 - k / n: the median of 400,000 is the 200,000th."""
    n = 400_000
    found = estimate([[(t, True) for t in range(n)]])
    assert found.quantile_us[0.5][0] == n // 2 - 1
    assert found.quantile_us[0.9][0] == n * 9 // 10 - 1
    assert found.mean_us[0] == pytest.approx((n - 1) / 2, rel=1e-12)


@pytest.mark.parametrize(
    ("group", "median", "mean"),
    [
        ([], None, None),
        ([(7 * MINUTE, True)], 7, 7),
        ([(0, True)], 0, 0),
        ([(7 * MINUTE, False)], None, 168 * 60),  # nothing is known but that it lasts longer
        ([(200 * HOUR, True)], 200 * 60, 168 * 60),  # the mean is capped, the median is not
        ([(5 * MINUTE, True), (5 * MINUTE, False)], 5, (5 + 168 * 60) / 2),  # of equal times the event comes first
    ],
)
def test_the_smallest_groups(group: list[Observation], median: float | None, mean: float | None) -> None:
    found = estimate([group])
    assert agrees(found.quantile_us[0.5][0] / MINUTE, median)
    assert agrees(found.mean_us[0] / MINUTE, mean)
    assert np.isnan(found.high_us[0.5][0]), "one observation has no upper limit"


def _record(number: int, started: int, minutes: float | None, **more: Any) -> dict[str, Any]:
    stamps = {} if minutes is None else {"resolved_at": iso(started + round(minutes * MINUTE))}
    return {"external_id": f"i-{number}", "detected_at": iso(started), "severity": "SEV2", **stamps, **more}


def test_from_records_to_mttr_stats(tmp_path: Path) -> None:
    """Open incidents last until as_of, a timeout is censored at the timeout, outliers stay in."""
    day = 24 * HOUR
    records = [
        _record(1, AS_OF_US - 100 * day, 30, service="cart"),
        _record(2, AS_OF_US - 90 * day, 200 * 60, service="cart"),  # an outlier for the plain mean
        _record(3, AS_OF_US - 40 * day, 45, service="cart", resolution_kind="timeout"),
        _record(4, AS_OF_US - 20 * day, 60, service="login"),
        _record(5, AS_OF_US - 10 * day, None, service="login"),
        _record(6, AS_OF_US - 5 * day, -10, service="login"),  # ends before it starts: not observed at all
        _record(7, AS_OF_US - 812 * MINUTE, None, service="search"),
    ]
    with door(tmp_path, custom=records, only=["mart.mttr_stats"]) as warehouse:
        found = {
            (row["scope"], row["scope_value"], row["window_start"] is None): row
            for row in rows(
                warehouse.con,
                """SELECT * FROM mart.mttr_stats WHERE calculation_type = 'basic'
                AND (window_start IS NULL OR window_end = as_of)""",
            )
        }
    groups = {
        ("all", "all", True): [
            (30 * MINUTE, True),
            (200 * HOUR, True),
            (45 * MINUTE, False),
            (60 * MINUTE, True),
            (10 * day, False),
            (812 * MINUTE, False),
        ],
        ("service", "cart", True): [(30 * MINUTE, True), (200 * HOUR, True), (45 * MINUTE, False)],
        ("service", "login", True): [(60 * MINUTE, True), (10 * day, False)],
        ("service", "login", False): [(60 * MINUTE, True), (10 * day, False)],
        ("service", "search", True): [(812 * MINUTE, False)],
        ("team", "unknown", False): [(60 * MINUTE, True), (10 * day, False), (812 * MINUTE, False)],
    }
    for key, group in groups.items():
        expected, row = textbook(group), found[key]
        assert (row["n_events"], row["n_open"]) == (expected["events"], len(group) - expected["events"]), key
        for name, value in {
            "km_median": expected["q0.5"],
            "km_median_low": expected["low0.5"],
            "km_median_high": expected["high0.5"],
            "km_p90": expected["q0.9"],
            "km_p90_low": expected["low0.9"],
            "km_p90_high": expected["high0.9"],
            "rmst_minutes": expected["mean"],
        }.items():
            assert agrees(math.nan if row[name] is None else row[name] * MINUTE, value), (key, name)
        assert row["is_rmst_bound"] == expected["is_mean_bound"]
        assert row["low_n"]
    assert found["service", "search", True]["km_median_text"] == "> 812 min"
    assert found["service", "login", True]["km_median_text"] == "60 min"
    assert found["service", "cart", True]["rmst_low"] < found["service", "cart", True]["rmst_minutes"]


def test_a_timeout_is_censored_at_the_timeout_also_where_it_was_closed_later(tmp_path: Path) -> None:
    """Nobody knows when service came back after a timeout; that somebody closed the record days later tells nothing more. The
    plain statistics count it to its end. An open incident whose clock runs ahead of ours was observed for no time at all.
    """
    closed = {"closed_at": iso(AS_OF_US - 2 * 24 * HOUR), "resolution_kind": "timeout"}
    ahead = AS_OF_US + 3 * MINUTE
    records = [_record(1, AS_OF_US - 5 * 24 * HOUR, 100, **closed), _record(2, ahead, None)]
    with door(tmp_path, custom=records, only=["mart.mttr_stats"]) as warehouse:
        (row,) = rows(
            warehouse.con,
            """SELECT * FROM mart.mttr_stats
            WHERE calculation_type = 'full_recovery' AND scope = 'all' AND window_start IS NULL""",
        )
    assert (row["n_events"], row["n_open"], row["longest_minutes"]) == (0, 2, 100)
    assert (row["incidents_analyzed"], row["mean_minutes"]) == (1, 3 * 24 * 60)


def test_nothing_observed_is_null_and_zero_counts(tmp_path: Path) -> None:
    with door(tmp_path) as warehouse:
        for row in rows(warehouse.con, "SELECT * FROM mart.mttr_stats"):
            assert (row["n_events"], row["n_open"], row["low_n"]) == (0, 0, True)
            assert {row[name] for name in row if name.startswith(("km_", "rmst_"))} == {None}


def test_threads_make_no_difference(tmp_path: Path) -> None:
    """The same bytes on every run: neither the order in which rows come nor the number of threads changes a digit."""
    warehouse = open_warehouse(tmp_path, after_nothing=True)
    warehouse.con.execute(
        """INSERT INTO mart.incidents BY NAME
        SELECT i::VARCHAR AS incident_id, 'jira' AS source, i::VARCHAR AS external_id, 'incident' AS kind, 'SEV1' AS severity,
            'field' AS severity_source, 'resolved' AS status, 1 AS episode, 0 AS reopen_count, 's' || (hash(i) % 7) AS service,
            't' AS team, began AS started_at, began AS detected_at,
            began + to_microseconds((hash(i * 5) % 10000000000)::BIGINT) AS acknowledged_at,
            CASE WHEN hash(i * 11) % 10 > 0 THEN began + to_microseconds((hash(i * 7) % 100000000000)::BIGINT) END AS resolved_at
        FROM (
            SELECT i, run.as_of - to_microseconds((hash(i * 3) % 86400000000)::BIGINT * 100) AS began
            FROM range(40000) AS r(i) CROSS JOIN config.run AS run
        )"""
    )
    results = []
    for threads in (1, 4):
        warehouse.con.execute(f"SET threads = {threads}")
        made = [model for model in default_catalog() if model.table not in upstream()]
        for model in made:
            warehouse.build(model)
        results.append(
            {
                model.table: warehouse.con.execute(f"SELECT * FROM {model.place} ORDER BY ALL").fetchall()
                for model in made
            }
        )
    warehouse.close()
    assert len(results[0]["figures.survival"]) > 20
    assert results[0] == results[1]
