"""Change, direction, shift, frequency and downtime: the formulas against plain Python and scipy, the tables against records."""

from __future__ import annotations

import math
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference_change import change_of
from scipy import stats
from support import AS_OF, AS_OF_US, door, examples, iso, microseconds, rows

from mttr_pipeline.metrics.changes import compare
from mttr_pipeline.metrics.frequency import time_between
from mttr_pipeline.metrics.inference import (
    MAX_PAIRS,
    RESIDUAL_UNIT,
    benjamini_hochberg,
    change_point,
    compare_rates,
    garwood,
    hodges_lehmann,
    log_rank,
    mann_kendall,
    martingale_residuals,
    smallest_detectable_ratio,
    theil_sen,
)
from mttr_pipeline.metrics.observed import TICK_US, edges_of, order_of
from mttr_pipeline.metrics.survival import Z

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def same(value: float | None, expected: float | None, rel: float = 1e-9, tiny: float = 0.0) -> bool:
    value = None if value is None or math.isnan(value) else value
    if value is None or expected is None or math.isnan(expected):
        return value is None and (expected is None or math.isnan(expected))
    return value == pytest.approx(expected, rel=rel, abs=tiny)


# --- log-rank ---------------------------------------------------------------------------------------------------------

Row = tuple[int, bool, bool]  # time, whether it ended in an event, whether it is current

survival_rows = st.lists(
    st.tuples(st.one_of(st.integers(0, 4), st.integers(0, 10**11)), st.booleans(), st.booleans()), max_size=30
)


def plain_log_rank(group: Sequence[Row]) -> tuple[float | None, Fraction]:
    """p and observed minus expected recoveries, per distinct time."""
    more, variance = Fraction(0), Fraction(0)
    for time in sorted({t for t, event, _ in group if event}):
        n = sum(t >= time for t, _, _ in group)
        n1 = sum(t >= time and current for t, _, current in group)
        d = sum(t == time and event for t, event, _ in group)
        d1 = sum(t == time and event and current for t, event, current in group)
        more += d1 - Fraction(d * n1, n)
        if n > 1:
            variance += Fraction(d * n1 * (n - n1) * (n - d), n * n * (n - 1))
    if variance:
        return math.erfc(abs(more) / math.sqrt(2 * variance)), more
    # Nothing could have differed, as when all took equally long; or there was nothing to compare.
    compared = any(event for _, event, _ in group) and len({current for _, _, current in group}) == 2
    return (1.0, Fraction(0)) if compared else (None, more)


def laid_out(groups: Sequence[Sequence[Row]]) -> tuple[Any, ...]:
    """Groups one after another, each in the order that the functions want."""
    columns: list[list[Any]] = [[], [], []]
    for group in groups:
        time = np.array([t for t, _, _ in group], dtype=np.int64)
        event = np.array([e for _, e, _ in group], dtype=np.bool_)
        for place in np.lexsort((~event, time)):
            for column, value in zip(columns, group[place], strict=True):
                column.append(value)
    return (
        edges_of(np.array([len(group) for group in groups], dtype=np.int64)),
        np.array(columns[0], dtype=np.int64),
        np.array(columns[1], dtype=np.bool_),
        np.array(columns[2], dtype=np.bool_),
    )


@examples(200)
@given(st.lists(survival_rows, min_size=1, max_size=5))
def test_log_rank_is_the_textbook(groups: list[list[Row]]) -> None:
    p, more = log_rank(*laid_out(groups))
    for place, group in enumerate(groups):
        expected, excess = plain_log_rank(group)
        # What cancels to nearly nothing has no nine digits: then p is near 1 and compared as such.
        assert same(p[place], expected, tiny=1e-12), group
        assert expected is None or same(more[place], float(excess), tiny=1e-12)


@examples(60)
@given(st.lists(st.tuples(st.integers(1, 50), st.booleans(), st.booleans()), min_size=4, max_size=40))
def test_log_rank_agrees_with_scipy(group: list[Row]) -> None:
    sides = [
        stats.CensoredData(
            uncensored=[t for t, event, current in group if event and current is side],
            right=[t for t, event, current in group if not event and current is side],
        )
        for side in (True, False)
    ]
    expected, more = plain_log_rank(group)
    if expected is None or more == 0 or min(len(side._uncensored) + len(side._right) for side in sides) == 0:
        return
    p, _ = log_rank(*laid_out([group]))
    assert same(p[0], stats.logrank(*sides).pvalue, rel=1e-7, tiny=1e-9)


# --- Hodges-Lehmann, q, detectable change -----------------------------------------------------------------------------

values = st.lists(st.floats(-20, 30, allow_nan=False), min_size=1, max_size=25)


@examples(100)
@given(values, values)
def test_hodges_lehmann_is_the_median_of_all_differences(current: list[float], previous: list[float]) -> None:
    differences = sorted(a - b for a, b in product(current, previous))
    m, n = len(current), len(previous)
    k = math.floor(m * n / 2 - Z * math.sqrt(m * n * (m + n + 1) / 12))
    found, low, high = hodges_lehmann(np.array(current), np.array(previous))
    assert same(found, median(differences), tiny=1e-12)
    assert same(low, differences[k - 1] if k >= 1 else None)
    assert same(high, differences[-k] if k >= 1 else None)


def test_beyond_four_million_pairs_a_seeded_sample_stands_for_all() -> None:
    random = np.random.default_rng(3)
    current, previous = random.normal(4, 1, 2100), random.normal(4.2, 1, 2100)
    differences = np.sort(np.subtract.outer(current, previous).ravel())
    assert len(differences) > MAX_PAIRS
    sampled = hodges_lehmann(current, previous)
    assert sampled == hodges_lehmann(current, previous), "the same sample every time"
    assert sampled[0] != np.median(differences)
    assert sampled[0] == pytest.approx(np.median(differences), abs=0.01)
    k = math.floor(2100**2 / 2 - Z * math.sqrt(2100**2 * 4201 / 12))
    assert sampled[1:] == pytest.approx((differences[k - 1], differences[-k]), abs=0.01)


def test_the_ratio_does_not_change_under_the_limits() -> None:
    """A side that takes twice as long has a ratio of 2, with limits on both sides of it."""
    base = np.log([10.0, 12, 15, 20, 22, 31, 45, 60])
    ratio, low, high = np.exp(hodges_lehmann(base + math.log(2), base))
    assert ratio == pytest.approx(2)
    assert low < 2 < high


@examples(100)
@given(st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), min_size=1, max_size=30))
def test_q_agrees_with_scipy(p: list[float]) -> None:
    q = benjamini_hochberg(np.array(p))
    family = [value for value in p if not math.isnan(value)]
    expected = iter(stats.false_discovery_control(family) if family else [])
    for value, found in zip(p, q, strict=True):
        assert same(found, math.nan if math.isnan(value) else float(next(expected)))
        assert math.isnan(value) or found >= value


def test_smallest_detectable_ratio_is_found_four_times_in_five() -> None:
    """By its own definition: with exponential durations that differ by it, the test sees the change in 80 % of samples."""
    factor = smallest_detectable_ratio(np.array([60.0]), np.array([60.0]))[0]
    assert factor == pytest.approx(math.exp((Z + stats.norm.ppf(0.8)) * math.sqrt(2 / 60)))
    random = np.random.default_rng(11)
    time = (random.exponential(1.0, (400, 120)) * np.where(np.arange(120) < 60, 1.0, factor) * 1e9).astype(np.int64)
    order = np.argsort(time, axis=1)
    bounds = np.arange(401) * 120
    p, _ = log_rank(
        bounds, np.take_along_axis(time, order, 1).ravel(), np.ones(400 * 120, np.bool_), (order < 60).ravel()
    )
    assert 0.75 < np.mean(p < 0.05) < 0.87
    assert np.isnan(smallest_detectable_ratio(np.array([0.0]), np.array([5.0]))[0])


@examples(100)
@given(st.lists(survival_rows, min_size=1, max_size=5))
def test_a_comparison_says_what_it_rests_on(groups: list[list[Row]]) -> None:
    found = compare(*laid_out(groups))
    for place, group in enumerate(groups):
        sides = [[(t, e) for t, e, current in group if current is side] for side in (True, False)]
        assert [found["n"][place], found["previous_n"][place]] == [len(side) for side in sides]
        assert [found["n_events"][place], found["previous_n_events"][place]] == [sum(e for _, e in s) for s in sides]
        if not all(sides) or not any(e for _, e, _ in group):
            assert math.isnan(found["ratio"][place])
        elif all(e for _, e, _ in group):
            expected = median(
                math.log(max(a, TICK_US)) - math.log(max(b, TICK_US)) for (a, _), (b, _) in product(*sides)
            )
            assert same(found["ratio"][place], math.exp(expected))
            assert math.isnan(found["horizon_minutes"][place])
        else:
            horizon = min([168 * HOUR, *(_known_until(side) for side in sides)])
            now, before = (_mean_to(side, horizon) for side in sides)
            assert same(found["horizon_minutes"][place] * MINUTE, horizon)
            assert same(found["ratio"][place], float(now / before) if before else math.nan)
        if min(len(side) for side in sides) < 6:
            assert not found["is_enough"][place] and math.isnan(found["q"][place])


def _known_until(side: list[tuple[int, bool]]) -> float:
    longest = max(t for t, _ in side)
    return math.inf if (longest, True) in side and (longest, False) not in side else longest


def _mean_to(side: list[tuple[int, bool]], horizon: float) -> Fraction:
    curve, total, at = Fraction(1), Fraction(0), Fraction(0)
    for time in sorted({t for t, event in side if event and t < horizon}):
        total += curve * (time - at)
        n, d = sum(t >= time for t, _ in side), sum((t, e) == (time, True) for t, e in side)
        curve, at = curve * (1 - Fraction(d, n)), Fraction(time)
    return total + curve * (Fraction(horizon) - at)


# --- direction and shift ----------------------------------------------------------------------------------------------


@examples(100)
@given(st.lists(st.one_of(st.integers(0, 5).map(float), st.floats(-5, 15)), min_size=8, max_size=20), st.randoms())
def test_theil_sen_agrees_with_scipy(y: list[float], random: Any) -> None:
    x = np.array(sorted(random.sample(range(40), len(y))), dtype=np.float64)
    expected = stats.theilslopes(y, x, alpha=0.95)
    slope, low, high = theil_sen(x, np.array(y))
    assert same(slope, expected.slope, tiny=1e-12)
    assert math.isnan(low) or same(low, expected.low_slope, tiny=1e-12)
    assert math.isnan(high) or same(high, expected.high_slope, tiny=1e-12)


@examples(60)
@given(st.lists(st.integers(0, 30), min_size=8, max_size=14))
def test_mann_kendall_counts_pairs(y: list[int]) -> None:
    """S is the number of rising pairs minus the falling ones: exact without ties, else the normal limit with ties counted."""
    n = len(y)
    s = sum((b > a) - (b < a) for i, a in enumerate(y) for b in y[i + 1 :])
    if len(set(y)) == n:
        ways = [1]  # of so many orders, how many have that many falling pairs
        for size in range(2, n + 1):
            ways = [sum(ways[max(0, k - size + 1) : k + 1]) for k in range(len(ways) + size - 1)]
        falling = (n * (n - 1) // 2 - abs(s)) // 2
        expected = min(1.0, 2 * sum(ways[: falling + 1]) / math.factorial(n))
    else:
        ties = [y.count(value) for value in set(y)]
        variance = (n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18
        expected = math.erfc(abs(s) / math.sqrt(2 * variance)) if variance else 1.0
    assert same(mann_kendall(np.array(y, dtype=np.float64)), expected)


@examples(100)
@given(st.lists(st.one_of(st.integers(0, 9).map(float), st.floats(-5, 15)), min_size=8, max_size=33))
def test_mann_kendall_agrees_with_scipy(y: list[float]) -> None:
    expected = stats.kendalltau(range(len(y)), y).pvalue
    assert same(mann_kendall(np.array(y)), 1.0 if math.isnan(expected) else expected)


@examples(150)
@given(
    st.lists(
        st.lists(st.tuples(st.one_of(st.integers(0, 4), st.integers(0, 10**9)), st.booleans()), max_size=25),
        min_size=1,
        max_size=5,
    )
)
def test_change_points_by_their_definition(groups: list[list[tuple[int, bool]]]) -> None:
    """The functions work on all groups at once, sorted, in integers; the definition is per group, in fractions."""
    bounds = edges_of(np.array([len(group) for group in groups], dtype=np.int64))
    orders = [sorted(range(len(g)), key=lambda row, g=g: (g[row][0], not g[row][1])) for g in groups]
    ascending = [group[row] for group, order in zip(groups, orders, strict=True) for row in order]
    time = np.array([t for t, _ in ascending], dtype=np.int64)
    event = np.array([e for _, e in ascending], dtype=np.bool_)
    places = [int(start) + row for start, order in zip(bounds[:-1], orders, strict=True) for row in order]
    residuals = np.empty(len(time), dtype=np.int64)
    residuals[places] = martingale_residuals(bounds, time, event)
    after, before, p = change_point(bounds, residuals)
    for place, group in enumerate(groups):
        expected = change_of(group)
        found = residuals[bounds[place] : bounds[place + 1]] / RESIDUAL_UNIT
        assert found == pytest.approx([float(r) for r in expected.residuals], abs=1e-9)
        if not group:
            assert math.isnan(p[place])
            continue
        assert same(p[place], expected.p, rel=1e-6)
        if expected.p == 1 and max(abs(s) for s in expected.sums) == 0:
            assert after[place] == -1
            continue
        # Of sums that are equal, or nearly, any may be the largest.
        assert same(abs(before[place]), float(max(abs(s) for s in expected.sums)), rel=1e-6)
        assert same(before[place], float(expected.sums[after[place] - 1]), rel=1e-6, tiny=1e-8)


@given(st.lists(st.tuples(st.one_of(st.integers(0, 5), st.integers(-(2**62), 2**62)), st.integers(0, 9)), max_size=60))
def test_equal_values_are_sorted_by_the_second_column(pairs: list[tuple[int, int]]) -> None:
    """Incidents that began in the same instant come in the order of their ids: the change point depends on it."""
    column, then = (np.array([pair[place] for pair in pairs], dtype=np.int64) for place in (0, 1))
    ordered = order_of(column, then)
    assert [pairs[row] for row in ordered] == sorted(pairs)


_COLUMNS = """
import resource, sys
import numpy as np
from mttr_pipeline.metrics.memory import keep_freed_columns
if sys.argv[1] == "keep":
    keep_freed_columns()
for _ in range(20):
    columns = [np.full(1_000_000, 1.0) for _ in range(6)]
    del columns
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has to be told")
def test_the_memory_of_columns_is_used_again() -> None:
    """The number of pages that the kernel hands out says it exactly, where a time would not."""
    faults = {
        how: int(
            subprocess.run([sys.executable, "-c", _COLUMNS, how], capture_output=True, text=True, check=True).stdout
        )
        for how in ("keep", "give back")
    }
    assert faults["keep"] < faults["give back"] / 2, faults


# --- frequency --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2, 7, 150, 40_000])
def test_garwood_agrees_with_chi_squared(count: int) -> None:
    low, high = garwood(np.array([float(count)]))
    assert same(low[0], stats.chi2.ppf(0.025, 2 * count) / 2 if count else 0.0)
    assert same(high[0], stats.chi2.ppf(0.975, 2 * count + 2) / 2)
    mean, least, most = time_between(np.array([float(count)]), np.array([43_200.0]))
    assert same(mean[0], 43_200 / count if count else None)
    assert same(least[0], 43_200 / float(high[0]))
    assert same(most[0], 43_200 / float(low[0]) if count else None)


@examples(100)
@given(st.integers(0, 80), st.integers(0, 80), st.one_of(st.just(0.5), st.floats(0.01, 0.99)))
def test_rates_agree_with_the_exact_binomial_test(current: int, previous: int, covered: float) -> None:
    """`covered` is the current window's share of the time that the history covers: 1/2, unless the history is young."""
    arrays = (np.array([float(value)]) for value in (current, previous, covered))
    p, ratio, low, high = (found[0] for found in compare_rates(*arrays))
    both = current + previous
    if both == 0:
        assert math.isnan(p) and math.isnan(ratio) and math.isnan(low) and math.isnan(high)
        return
    tails = [stats.binomtest(current, both, covered, side).pvalue for side in ("less", "greater")]
    assert same(p, min(2 * min(tails), 1), rel=1e-8)
    assert covered != 0.5 or same(p, stats.binomtest(current, both).pvalue)
    share, times = stats.binomtest(current, both).proportion_ci(0.95, "exact"), (1 - covered) / covered
    assert same(ratio, current / previous * times if previous else None)
    assert same(low, share.low / (1 - share.low) * times)
    assert same(high, share.high / (1 - share.high) * times if previous else None, rel=1e-7)


@pytest.mark.parametrize("covered", [0.0, 1.0])
def test_no_time_is_nothing_to_compare_with(covered: float) -> None:
    """A history that begins in the current window says nothing about the one before."""
    found = compare_rates(np.array([9.0]), np.array([0.0]), np.array([covered]))
    assert all(np.isnan(value[0]) for value in found)


# --- the tables -------------------------------------------------------------------------------------------------------


def _record(name: str, started: int, minutes: float | None, **more: Any) -> dict[str, Any]:
    stamps = {} if minutes is None else {"resolved_at": iso(started + round(minutes * MINUTE))}
    return {"external_id": name, "detected_at": iso(started), "severity": "SEV2", **stamps, **more}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two windows of `cart` in which it gets four times faster, a `login` that has too little, twelve weeks of `slow`."""
    records = []
    for k in range(20):
        records.append(_record(f"before-{k}", AS_OF_US - 35 * DAY + k * HOUR, 100 + 9 * k, service="cart", team="shop"))
        records.append(_record(f"now-{k}", AS_OF_US - 20 * DAY + k * HOUR, 25 + 2 * k, service="cart", team="shop"))
    for k in range(5):
        records.append(_record(f"login-{k}", AS_OF_US - 5 * DAY + k * HOUR, 30 + k, service="login"))
    records.append(_record("login-open", AS_OF_US - 2 * DAY, None, service="login"))
    first = microseconds("2026-01-05T00:00:00+00:00")  # a Monday
    for week in range(12):
        for k in range(7):
            records.append(
                _record(f"slow-{week}-{k}", first + (7 * week + k) * DAY, (10 + k) * 1.2**week, service="slow")
            )
    records.append(_record("slow-thin", first + 12 * 7 * DAY, 1, service="slow"))  # a week of one says nothing
    folder = tmp_path_factory.mktemp("statistics")
    tables = ["mart.changes", "mart.directions", "mart.frequency", "mart.downtime"]
    with door(folder, custom=records, configured={"targets": {"availability_pct": 99}}, only=tables) as warehouse:
        yield warehouse.con


def _only(con: Any, table: str, where: str) -> dict[str, Any]:
    found = rows(con, f"SELECT * FROM mart.{table} WHERE {where}")
    assert len(found) == 1
    return found[0]


def test_a_change_that_is_there_is_found(history: Any) -> None:
    row = _only(history, "changes", "calculation_type = 'basic' AND scope_value = 'cart'")
    assert (row["n"], row["n_events"], row["n_open"]) == (20, 20, 0)
    assert (row["method"], row["verdict"], row["low_n"]) == ("hodges_lehmann", "faster", False)
    differences = [math.log(25 + 2 * a) - math.log(100 + 9 * b) for a in range(20) for b in range(20)]
    assert row["ratio"] == pytest.approx(math.exp(median(differences)), rel=1e-9)
    assert row["ratio_low"] < row["ratio"] < row["ratio_high"] < 1
    assert row["log_rank_p"] <= row["q"] < 0.05
    assert (row["km_median"], row["previous_km_median"]) == (25 + 2 * 9, 100 + 9 * 9)
    assert row["window_end"] == AS_OF and row["window_start"] - row["previous_start"] == timedelta(days=30)


def test_too_little_is_said_to_be_too_little(history: Any) -> None:
    row = _only(history, "changes", "calculation_type = 'basic' AND scope_value = 'login'")
    assert (row["n"], row["n_open"], row["previous_n"]) == (6, 1, 0)
    assert row["verdict"] == "not enough data"
    assert [row[name] for name in ("ratio", "method", "q", "log_rank_p", "previous_km_median")] == [None] * 5
    row = _only(history, "directions", "calculation_type = 'basic' AND scope_value = 'login' AND window_start IS NULL")
    assert (row["direction"], row["shift"]) == ("not enough data", "not enough data")
    assert row["direction_reason"].startswith("0 of ")
    assert row["shift_reason"] == "6 incidents; 20 are needed"


def test_a_variant_that_nobody_stamps_has_rows_that_say_so(history: Any) -> None:
    """Nobody mitigates here: what is resolved is missing its end and not observed, what is open is censored."""
    row = _only(history, "changes", "calculation_type = 'service_restore' AND scope = 'all'")
    assert (row["n"], row["n_events"], row["verdict"]) == (1, 0, "not enough data")
    assert row["ratio"] is None


def test_the_direction_of_weekly_medians(history: Any) -> None:
    row = _only(history, "directions", "calculation_type = 'basic' AND scope_value = 'slow' AND window_start IS NULL")
    assert (row["n"], row["weeks_used"]) == (85, 12)
    assert row["slope_per_week"] == pytest.approx(math.log(1.2), rel=1e-6)
    assert row["change_pct_per_week"] == pytest.approx(20, rel=1e-6)
    assert row["direction"] == "slower" and row["mann_kendall_q"] < 0.05 and row["direction_reason"] is None
    assert row["shift"] == "slower" and row["shift_q"] < 0.05 and row["shift_log_rank_p"] < 0.05
    assert row["n_before"] + 1 <= 85 and row["before_median_minutes"] < row["after_median_minutes"]
    recent = rows(history, "SELECT * FROM mart.directions WHERE scope_value = 'slow' AND window_start IS NOT NULL")
    assert recent == [], "it had nothing in the last 90 days"


def test_the_shift_is_where_it_happened(history: Any) -> None:
    row = _only(history, "directions", "calculation_type = 'basic' AND scope_value = 'cart' AND window_start IS NULL")
    assert (row["n_before"], row["shift"]) == (20, "faster")
    assert row["shift_at"] == AS_OF - timedelta(days=20)
    assert (row["before_median_minutes"], row["after_median_minutes"]) == (100 + 9 * 9, 25 + 2 * 9)


def test_frequency(history: Any) -> None:
    row = _only(history, "frequency", "scope_value = 'cart'")
    assert (row["n"], row["n_current"], row["n_previous"], row["rate_ratio"]) == (40, 20, 20, 1)
    assert row["p"] == 1 and row["verdict"] == "no detectable change"
    row = _only(history, "frequency", "scope_value = 'login'")
    assert (row["n_current"], row["n_previous"], row["rate_ratio"], row["rate_ratio_high"]) == (6, 0, None, None)
    assert row["p"] == pytest.approx(2 / 2**6)
    assert row["mtbf_current_minutes"] == 30 * 24 * 60 / 6
    row = _only(history, "frequency", "scope = 'all'")
    observed = AS_OF - datetime(2026, 1, 5, tzinfo=UTC)
    assert row["mtbf_minutes"] == pytest.approx(observed / timedelta(minutes=1) / row["n"])
    assert row["mtbf_low_minutes"] < row["mtbf_minutes"] < row["mtbf_high_minutes"]


def test_downtime_counts_every_minute_once(tmp_path: Path) -> None:
    """Against a set of minutes. Users are down from occurred, else detected, to mitigated, else resolved. Here every incident takes
    all of its service down, and no open one is abandoned: test_downtime.py has the others.
    """
    configured = {
        "targets": {"availability_pct": 99.5},
        "downtime": {"severities": {"SEV3": 1}},
        "lifecycle": {"abandoned_days": 3650},
    }
    random = np.random.default_rng(5)
    spans: list[tuple[int, int | None, str | None, int | None]] = [
        (
            int(random.integers(0, 130 * 24 * 60)),
            None if random.random() < 0.03 else int(random.integers(-30, 3 * 24 * 60)),
            str(random.choice(["cart", "login", "search"])) if random.random() < 0.9 else None,
            int(random.integers(0, 5000)) if random.random() < 0.7 else None,
        )
        for _ in range(120)
    ]
    records = []
    for number, (ago, length, service, users) in enumerate(spans):
        start = AS_OF_US - ago * MINUTE
        stamps: dict[str, Any] = {"occurred_at": iso(start), "detected_at": iso(start + MINUTE)}
        if number % 3 == 0:
            stamps = {"detected_at": iso(start)}
        if length is not None:
            stamps["mitigated_at" if number % 2 else "resolved_at"] = iso(start + length * MINUTE)
            if number % 2:
                stamps["resolved_at"] = iso(start + (length + 500) * MINUTE)
        records.append({"external_id": f"d-{number}", "service": service, "affected_users": users, **stamps})
    with door(tmp_path, custom=records, configured=configured, only=["mart.downtime"]) as warehouse:
        found = {
            (row["scope_value"], row["window_start"]): row for row in rows(warehouse.con, "SELECT * FROM mart.downtime")
        }
    valid = [(ago, ago if length is None else length, s or "unknown", u) for ago, length, s, u in spans]
    valid = [
        (ago, min(length, ago), service, users) for ago, length, service, users in valid if length >= 0 and ago > 0
    ]
    first = max(ago for ago, *_ in valid)
    for member in ("all", "cart", "login", "search", "unknown"):
        mine = [s for s in valid if member in ("all", s[2])]
        for window in (first, 30 * 24 * 60, 90 * 24 * 60):
            row = found[member, None if window == first else AS_OF - timedelta(minutes=window)]
            down = {m for ago, length, *_ in mine for m in range(-ago, length - ago) if m >= -window}
            assert row["downtime_minutes"] == row["weighted_downtime_minutes"] == len(down), (member, window)
            assert row["window_minutes"] == window
            if member == "unknown":  # incidents of any number of services: of which time is not known
                assert row["availability_pct"] is None
            else:
                assert row["availability_pct"] == pytest.approx(100 * (1 - len(down) / window), rel=1e-12)
            if member in ("all", "unknown"):  # each service has the target, not all of them together
                assert row["availability_target_pct"] is None and row["error_budget_used_pct"] is None
            else:
                assert row["error_budget_used_pct"] == pytest.approx(100 * len(down) / (window * 0.005), rel=1e-9)
            known = [
                (users, max(0, length - max(0, ago - window)))
                for ago, length, _, users in mine
                if users is not None and (length - ago > -window or ago <= window)
            ]
            assert row["user_minutes"] == sum(users * minutes for users, minutes in known)
            assert row["n_users_known"] == len(known)


def test_changes_of_odd_kinds(tmp_path: Path) -> None:
    """Each a service of its own.

    `same`: twenty of an hour each in both windows. Nothing to detect, which is not too little data; a curve of one step has no
    limits.
    `apart`: most incidents are over six times as fast, three go on for weeks. The test says faster, the means say longer, and the
    row says that they disagree.
    `zero`: alerts that end in the instant they begin. They count as a second: a ratio of microseconds would be no figure that
    anybody can use.
    """
    spans = {
        "same": [(40, 20, 60), (20, 20, 60)],
        "apart": [(20, 20, 10), (20, 3, None), (50, 23, 60)],
        "zero": [(20, 10, 0), (50, 10, 1)],
    }
    records = [
        _record(f"{service}-{part}-{k}", AS_OF_US - ago * DAY + k * HOUR, minutes, service=service)
        for service, parts in spans.items()
        for part, (ago, count, minutes) in enumerate(parts)
        for k in range(count)
    ]
    with door(tmp_path, custom=records, only=["mart.changes"]) as warehouse:
        same, apart, zero = (
            _only(warehouse.con, "changes", f"calculation_type = 'basic' AND scope_value = '{service}'")
            for service in spans
        )
    assert (same["log_rank_p"], same["q"], same["ratio"], same["verdict"]) == (1, 1, 1, "no detectable change")
    assert apart["q"] < 0.001 and apart["ratio"] > 1
    assert (apart["verdict"], apart["is_mixed"]) == ("faster", True)
    assert zero["ratio"] == pytest.approx(1 / 60, rel=1e-9) and zero["verdict"] == "faster"


@pytest.mark.parametrize(
    ("days", "verdict", "minutes"), [(35, "no detectable change", 5 * 1440), (20, "not enough data", 0)]
)
def test_a_young_history_is_not_a_low_rate(days: int, verdict: str, minutes: float, tmp_path: Path) -> None:
    """Two incidents a day since the history began, in or after the earlier window: nothing became more frequent."""
    records = [_record(f"i-{k}", AS_OF_US - days * DAY + k * 12 * HOUR, 30) for k in range(2 * days)]
    with door(tmp_path, custom=records, only=["mart.frequency", "mart.downtime"]) as warehouse:
        row = _only(warehouse.con, "frequency", "scope = 'all'")
        down = _only(
            warehouse.con, "downtime", "scope = 'all' AND window_start = (SELECT max(window_start) FROM mart.downtime)"
        )
    assert (row["verdict"], row["previous_minutes"]) == (verdict, minutes)
    if minutes:
        assert row["rate_ratio"] == pytest.approx(1)
    assert down["window_minutes"] == min(days, 30) * 1440
    assert down["availability_pct"] == pytest.approx(100 * (1 - 60 / 1440))


def test_no_incidents_is_no_data(tmp_path: Path) -> None:
    names = ("changes", "directions", "frequency", "downtime")
    with door(tmp_path, only=[f"mart.{name}" for name in names]) as warehouse:
        changes, directions, frequency, downtime = (rows(warehouse.con, f"SELECT * FROM mart.{name}") for name in names)
        types = (
            warehouse.con.execute("DESCRIBE mart.changes").fetchall()
            + warehouse.con.execute("DESCRIBE mart.directions").fetchall()
        )
    assert {row["verdict"] for row in changes} == {"not enough data"} and len(changes) == 3
    assert {(row["direction"], row["shift"]) for row in directions} == {("not enough data", "not enough data")}
    assert [(row["n"], row["mtbf_minutes"], row["verdict"]) for row in frequency] == [(0, None, "not enough data")]
    assert {(row["n"], row["downtime_minutes"]) for row in downtime} == {(0, 0)}
    assert {row["availability_pct"] for row in downtime} == {None}
    assert not [name for name, kind, *_ in types if kind in ("NULL", "INTEGER")], "types are the same without rows"


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Los_Angeles", "Australia/Lord_Howe"])
def test_weeks_are_full_weeks_of_the_reporting_zone(tmp_path: Path, zone: str) -> None:
    first = microseconds("2026-02-11T03:00:00+00:00")
    record, configured = _record("a", first, 5), {"reporting_time_zone": zone}
    with door(tmp_path, custom=[record], configured=configured, only=["figures.weeks"]) as warehouse:
        weeks = warehouse.con.execute("SELECT starts_us, ends_us FROM figures.weeks ORDER BY starts_us").fetchall()
    for start, _ in weeks:
        local = datetime.fromtimestamp(start / 1e6, ZoneInfo(zone))
        assert (local.weekday(), local.hour, local.minute) == (0, 0, 0)
    assert all(a[1] == b[0] for a, b in pairwise(weeks))
    assert weeks[0][0] >= first and weeks[-1][1] <= AS_OF_US
    assert weeks[0][0] - first < 7 * DAY and AS_OF_US - weeks[-1][1] < 7 * DAY + HOUR
