"""Tests and estimates that compare samples, as formulas over plain arrays.

What belongs here: log-rank, Hodges-Lehmann, Benjamini-Hochberg, Theil-Sen, Mann-Kendall, change points, limits of rates. What does
not: which incidents they compare; that is in `changes`, `directions` and `frequency`.

Groups are consecutive rows. `bounds` has the place where each group begins and the place where the last one ends, one value more
than there are groups. NaN stands for a value that does not exist.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from mttr_pipeline.metrics.observed import Flags, Floats, Integers
from mttr_pipeline.metrics.survival import Z

MAX_PAIRS = 4_000_000  # up to here Hodges-Lehmann uses every pair, beyond it a sample of this size
_MAX_EXACT = 33  # longest series whose Mann-Kendall test uses the exact distribution
#: Residuals are integers in this unit, and the hazard in a finer one: sums are exact in any order.
RESIDUAL_UNIT = 2**36
_HAZARD_SHIFT = 20
_HAZARD_UNIT = float(RESIDUAL_UNIT << _HAZARD_SHIFT)  # a hazard stays below ln n + 1, 32 for any n that fits in memory
_POWER_Z = 0.8416212335729143  # 80th percentile of the normal distribution


def log_rank(bounds: Integers, time_us: Integers, is_event: Flags, is_current: Flags) -> tuple[Floats, Floats]:
    """p of the log-rank test of the current rows against the others, and the excess of current recoveries, per group.

    The excess is the number of current events minus the expected number; above 0, current incidents recovered faster. p is 1 where
    the samples cannot differ, as when all times are equal. Both are NaN without an event, without current rows and without others.
    Rows are sorted by time within a group.

    Mantel, Cancer Chemotherapy Reports 50 (1966), with the hypergeometric variance.
    """
    groups = len(bounds) - 1
    p, excess = np.full(groups, np.nan), np.full(groups, np.nan)
    filled = np.flatnonzero(np.diff(bounds))
    if len(filled) == 0:
        return p, excess
    starts, ends = bounds[filled], bounds[filled + 1]
    group = np.repeat(np.arange(len(filled)), ends - starts)
    # Equal times of a group are one step.
    is_step = np.ones(len(time_us), dtype=np.bool_)
    is_step[1:] = time_us[1:] != time_us[:-1]
    is_step[starts] = True
    steps = np.flatnonzero(is_step)
    group_of_step = group[steps]
    events = np.add.reduceat(is_event.astype(np.int64), steps).astype(np.float64)
    current_events = np.add.reduceat((is_event & is_current).astype(np.int64), steps).astype(np.float64)
    at_risk = (ends[group_of_step] - steps).astype(np.float64)
    current_before = np.concatenate(([0], np.cumsum(is_current)))
    share = (current_before[ends[group_of_step]] - current_before[steps]) / at_risk
    variance_of_step = events * share * (1 - share) * (at_risk - events) / np.maximum(at_risk - 1, 1.0)
    first_steps = np.searchsorted(group_of_step, np.arange(len(filled)))
    observed_less_expected = np.add.reduceat(current_events - events * share, first_steps)
    variance = np.add.reduceat(variance_of_step, first_steps)
    current = current_before[ends] - current_before[starts]
    is_comparable = (np.add.reduceat(events, first_steps) > 0) & (current > 0) & (current < ends - starts)
    excess[filled[is_comparable]], p[filled[is_comparable]] = 0, 1
    varies = variance > 0
    excess[filled[varies]] = observed_less_expected[varies]
    p[filled[varies]] = special.erfc(np.abs(observed_less_expected[varies]) / np.sqrt(2 * variance[varies]))
    return p, excess


def hodges_lehmann(current: Floats, previous: Floats) -> tuple[float, float, float]:
    """The median of all differences current - previous, and its 95 % limits. NaN where there is none.

    The limits are the k-th smallest and the k-th largest difference, k = floor(m n / 2 - 1.96 sqrt(m n (m + n + 1) / 12)). Beyond
    MAX_PAIRS differences a seeded sample of them is used, so the result is the same on every run.

    Hodges and Lehmann, Annals of Mathematical Statistics 34 (1963); limits: Hollander, Wolfe and Chicken, Nonparametric statistical
    methods, section 4.3 (2014), large samples.
    """
    pairs = len(current) * len(previous)
    if pairs == 0:
        return np.nan, np.nan, np.nan
    k = int(np.floor(pairs / 2 - Z * np.sqrt(pairs * (len(current) + len(previous) + 1) / 12)))
    if pairs <= MAX_PAIRS:
        differences = np.subtract.outer(current, previous).ravel()
    else:
        random = np.random.default_rng(0)
        differences = (
            current[random.integers(0, len(current), MAX_PAIRS)]
            - previous[random.integers(0, len(previous), MAX_PAIRS)]
        )
        k = k * MAX_PAIRS // pairs
    size = len(differences)
    middle = [(size - 1) // 2, size // 2]
    outer = [k - 1, size - k] if k >= 1 else []
    differences.partition(sorted({*middle, *outer}))
    low, high = (differences[outer[0]], differences[outer[1]]) if outer else (np.nan, np.nan)
    return float((differences[middle[0]] + differences[middle[1]]) / 2), float(low), float(high)


def benjamini_hochberg(p: Floats) -> Floats:
    """q of each p: p adjusted for the false discovery rate within the family of all p that are not NaN.

    Benjamini and Hochberg, Journal of the Royal Statistical Society B 57 (1995).
    """
    q = np.full(len(p), np.nan)
    members = np.flatnonzero(~np.isnan(p))
    order = members[np.argsort(p[members], kind="stable")]
    count = len(order)
    scaled = p[order] * count / np.arange(1, count + 1)
    q[order] = np.maximum(
        np.minimum.accumulate(scaled[::-1])[::-1], p[order]
    )  # rounding may put the quotient just below p
    return q


def smallest_detectable_ratio(events: Floats, previous_events: Floats) -> Floats:
    """The factor between two rates of recovery that a log-rank test at 5 % detects with 80 % power; NaN without events.

    exp((z_0.975 + z_0.8) sqrt(1 / d1 + 1 / d2)), from Schoenfeld, Biometrika 68 (1981).
    """
    with np.errstate(divide="ignore"):
        found: Floats = np.exp((Z + _POWER_Z) * np.sqrt(1 / events + 1 / previous_events))
    return np.where(np.isfinite(found), found, np.nan)


def theil_sen(x: Floats, y: Floats) -> tuple[float, float, float]:
    """The median slope over all pairs of points, and its 95 % limits from the variance of Kendall's S. Limits may be NaN.

    Theil, Indagationes Mathematicae 12 (1950); Sen, Journal of the American Statistical Association 63 (1968). `x` has no ties.
    """
    left, right = _pairs(len(x))
    slopes = (y[right] - y[left]) / (x[right] - x[left])
    n, count = len(x), len(slopes)
    _, ties = np.unique(y, return_counts=True)
    width = Z * math.sqrt(max(_score_variance(n, ties), 0))
    low, high = round((count - width) / 2) - 1, round((count + width) / 2)
    outer = [low, high] if low >= 0 and high < count else []
    slopes.partition(sorted({(count - 1) // 2, count // 2, *outer}))
    limits = (slopes[low], slopes[high]) if outer else (np.nan, np.nan)
    middle = (slopes[(count - 1) // 2] + slopes[count // 2]) / 2
    return float(middle), float(limits[0]), float(limits[1])


def mann_kendall(y: Floats) -> float:
    """Two-sided p of the Mann-Kendall test for a trend in a series; 1 where all values are equal.

    The distribution is exact for at most 33 values without ties, else normal with a variance that accounts for ties.

    Mann, Econometrica 13 (1945); Kendall, Rank correlation methods (1975).
    """
    n = len(y)
    left, right = _pairs(n)
    score = int(np.sum(np.sign(y[right] - y[left])))
    _, ties = np.unique(y, return_counts=True)
    if len(ties) == n and n <= _MAX_EXACT:
        falling = (n * (n - 1) // 2 - abs(score)) // 2
        return float(min(2 * sum(_inversions(n)[: falling + 1]) / math.factorial(n), 1.0))
    variance = _score_variance(n, ties)
    return float(special.erfc(abs(score) / math.sqrt(2 * variance))) if variance > 0 else 1.0


@lru_cache(maxsize=256)
def _pairs(n: int) -> tuple[Integers, Integers]:
    """The first and the second member of every pair of n things."""
    left, right = np.triu_indices(n, 1)
    return left, right


def _score_variance(n: int, ties: npt.NDArray[Any]) -> float:
    """The variance of Kendall's S without a trend. `ties` is how often each value occurs."""
    return float(n * (n - 1) * (2 * n + 5) - np.sum(ties * (ties - 1) * (2 * ties + 5))) / 18


@cache
def _inversions(n: int) -> list[int]:
    """How many of the n! orders of n values have 0, 1, 2, ... falling pairs."""
    if n <= 1:
        return [1]
    fewer = _inversions(n - 1)
    return [sum(fewer[max(0, k - n + 1) : k + 1]) for k in range(len(fewer) + n - 1)]


def martingale_residuals(bounds: Integers, time_us: Integers, is_event: Flags) -> Integers:
    """The martingale residual of each row within its group, in units of 1 / RESIDUAL_UNIT: 1 for an event, less the hazard.

    The hazard is the Nelson-Aalen estimate up to the row's own time: the sum of d / n over the times with d events and n rows at
    risk. A row that recovers later than expected has a negative residual; the residuals of a group add up to 0. Rows are sorted by
    time within a group.

    Therneau, Grambsch and Fleming, Biometrika 77 (1990).
    """
    n = np.diff(bounds)
    if n.sum() == 0:
        return np.zeros(0, dtype=np.int64)
    starts = np.repeat(bounds[:-1], n)
    at_risk = np.repeat(bounds[1:], n)
    at_risk -= np.arange(len(time_us))
    # Rows of a group with equal times are one step: they share its number at risk and the hazard after it.
    is_same = time_us[1:] == time_us[:-1]
    is_same &= starts[1:] == starts[:-1]
    tied = np.flatnonzero(is_same) + 1
    if len(tied):
        first = np.ones(len(time_us), dtype=np.bool_)
        first[tied] = False
        steps = np.flatnonzero(first)
        at_risk[tied] = at_risk[steps[np.searchsorted(steps, tied) - 1]]
    added = is_event / at_risk
    added *= _HAZARD_UNIT
    hazard = np.rint(added, out=added).astype(np.int64)
    before = -hazard[bounds[:-1][n > 0]]
    np.cumsum(hazard, out=hazard)  # may overflow over all groups; differences do not
    before += hazard[bounds[:-1][n > 0]]
    hazard -= np.repeat(before, n[n > 0])
    if len(tied):
        ends = np.append(steps[1:], len(time_us)) - 1
        hazard[tied] = hazard[ends[np.searchsorted(steps, tied) - 1]]
        hazard[steps] = hazard[ends]
    hazard += 1 << (_HAZARD_SHIFT - 1)
    hazard >>= _HAZARD_SHIFT
    residuals: Integers = is_event * np.int64(RESIDUAL_UNIT)
    residuals -= hazard
    return residuals


def change_point(bounds: Integers, residuals: Integers) -> tuple[Integers, Floats, Floats]:
    """Where the residuals of each group change most: the rows before that place, their sum, and p of no change.

    `residuals` are those of `martingale_residuals`, in the order of time. The statistic is the largest |S_k|, S_k the sum of the
    first k, divided by the root of the sum of all squares; without a change it follows Kolmogorov's distribution in large samples.
    A sum above 0 says that the rows before recovered faster than those after. The number of rows is -1 and p is 1 where all
    residuals are 0; p is NaN for an empty group.

    Lin, Wei and Ying, Biometrika 80 (1993): cumulative sums of martingale residuals.
    """
    groups = len(bounds) - 1
    n_before, before, p = np.full(groups, -1), np.full(groups, np.nan), np.full(groups, np.nan)
    n = np.diff(bounds)
    filled = np.flatnonzero(n)
    if len(filled) == 0:
        return n_before, before, p
    starts, n = bounds[filled], n[filled]
    total = np.cumsum(residuals)
    total -= np.repeat(total[starts] - residuals[starts], n)
    strength = np.abs(total)
    strongest = np.maximum.reduceat(strength, starts)
    rows = np.flatnonzero(strength == np.repeat(strongest, n))
    first = rows[np.searchsorted(rows, starts)]
    squares = np.add.reduceat((residuals / RESIDUAL_UNIT) ** 2, starts)
    varies = (strongest > 0) & (squares > 0)
    n_before[filled[varies]] = (first - starts)[varies] + 1
    before[filled] = total[first] / RESIDUAL_UNIT
    p[filled] = 1
    p[filled[varies]] = special.kolmogorov(strongest[varies] / RESIDUAL_UNIT / np.sqrt(squares[varies]))
    return n_before, before, p


def garwood(count: Floats) -> tuple[Floats, Floats]:
    """Exact 95 % limits of a Poisson mean, from a count. Garwood, Biometrika 28 (1936)."""
    low = np.where(count > 0, special.gammaincinv(np.maximum(count, 1), 0.025), 0.0)
    return low, special.gammaincinv(count + 1, 0.975)


def compare_rates(current: Floats, previous: Floats, share: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """p of equal rates, the ratio of the rates current / previous, and the lower and upper 95 % limit of the ratio.

    `current` and `previous` are counts; `share` is the current part of the time that both were counted over, 0 to 1. The test is
    exact and conditional on the sum of the counts: p is twice the smaller binomial tail, at most 1. Everything is NaN where there is
    nothing to compare, and the ratio and its upper limit also where the previous count is 0.

    Przyborowski and Wilenski, Biometrika 31 (1940); limits: Clopper and Pearson, Biometrika 26 (1934).
    """
    is_comparable = (current + previous > 0) & (share > 0) & (share < 1)
    at_most = np.where(previous > 0, special.betainc(np.maximum(previous, 1), current + 1, 1 - share), 1.0)
    at_least = np.where(current > 0, special.betainc(np.maximum(current, 1), previous + 1, share), 1.0)
    p = np.minimum(2 * np.minimum(at_most, at_least), 1)
    low = np.where(current > 0, special.betaincinv(np.maximum(current, 1), previous + 1, 0.025), 0.0)
    high = np.where(previous > 0, special.betaincinv(current + 1, np.maximum(previous, 1), 0.975), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = (1 - share) / share
        ratio = np.where(previous > 0, current / previous, np.nan) * odds
        low, high = low / (1 - low) * odds, np.where(high < 1, high / (1 - high), np.nan) * odds
    return (
        np.where(is_comparable, p, np.nan),
        np.where(is_comparable, ratio, np.nan),
        np.where(is_comparable, low, np.nan),
        np.where(is_comparable, high, np.nan),
    )
