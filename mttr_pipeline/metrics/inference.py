"""Tests and estimates that compare: log-rank, Hodges-Lehmann, Benjamini-Hochberg, Theil-Sen, Mann-Kendall, Pettitt, rates.

What belongs here: the formulas, on plain arrays. Which incidents they are fed is decided in `changes`, `directions` and
`frequency`.
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

_EXACT = 33  # longest series for which the exact distribution is used
MAX_PAIRS = 4_000_000  # Hodges-Lehmann looks at every pair up to here, beyond at a sample of so many
_POWER = 0.8416212335729143  # 80th percentile of the normal distribution


def log_rank(bounds: Integers, time_us: Integers, is_event: Flags, is_current: Flags) -> tuple[Floats, Floats]:
    """Per group: p of the log-rank test of its current against its other rows, and how many more of the current recovered
    than expected (positive: faster). Where they cannot have differed, as when all took equally long, p is 1; NaN where
    nothing recovered, or where there are no current or no other rows.

    Groups lie one after another, each ordered by time.
    """
    groups = len(bounds) - 1
    p, excess = np.full(groups, np.nan), np.full(groups, np.nan)
    filled = np.flatnonzero(np.diff(bounds))
    if len(filled) == 0:
        return p, excess
    starts, ends = bounds[filled], bounds[filled + 1]
    place = np.repeat(np.arange(len(filled)), ends - starts)
    # Equal times of a group are one step.
    opens = np.ones(len(time_us), dtype=np.bool_)
    opens[1:] = time_us[1:] != time_us[:-1]
    opens[starts] = True
    steps = np.flatnonzero(opens)
    in_group = place[steps]
    events = np.add.reduceat(is_event.astype(np.int64), steps).astype(np.float64)
    current_events = np.add.reduceat((is_event & is_current).astype(np.int64), steps).astype(np.float64)
    at_risk = (ends[in_group] - steps).astype(np.float64)
    current_before = np.concatenate(([0], np.cumsum(is_current)))
    share = (current_before[ends[in_group]] - current_before[steps]) / at_risk
    several = np.maximum(at_risk - 1, 1.0)
    spread = events * share * (1 - share) * (at_risk - events) / several
    first_steps = np.searchsorted(in_group, np.arange(len(filled)))
    more = np.add.reduceat(current_events - events * share, first_steps)
    variance = np.add.reduceat(spread, first_steps)
    known = variance > 0
    current = current_before[ends] - current_before[starts]
    compared = (np.add.reduceat(events, first_steps) > 0) & (current > 0) & (current < ends - starts)
    excess[filled[compared]], p[filled[compared]] = 0, 1
    excess[filled[known]] = more[known]
    p[filled[known]] = special.erfc(np.abs(more[known]) / np.sqrt(2 * variance[known]))
    return p, excess


def hodges_lehmann(current: Floats, previous: Floats) -> tuple[float, float, float]:
    """Median of all differences current - previous, and its 95 % limits: the k-th smallest and the k-th largest difference,
    k = floor(m n / 2 - 1.96 sqrt(m n (m + n + 1) / 12)). NaN where there is none.
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
    """q of each p within its family; NaN is no member of it."""
    q = np.full(len(p), np.nan)
    members = np.flatnonzero(~np.isnan(p))
    order = members[np.argsort(p[members], kind="stable")]
    count = len(order)
    scaled = p[order] * count / np.arange(1, count + 1)
    q[order] = np.maximum(np.minimum.accumulate(scaled[::-1])[::-1], p[order])  # the quotient may round to just below p
    return q


def smallest_detectable_ratio(events: Floats, previous_events: Floats) -> Floats:
    """The factor between two rates of recovery that a log-rank test at 5 % finds with 80 % power:
    exp((z_0.975 + z_0.8) sqrt(1 / d1 + 1 / d2)).
    """
    with np.errstate(divide="ignore"):
        found: Floats = np.exp((Z + _POWER) * np.sqrt(1 / events + 1 / previous_events))
    return np.where(np.isfinite(found), found, np.nan)


def theil_sen(x: Floats, y: Floats) -> tuple[float, float, float]:
    """Median slope over all pairs of points, and its 95 % limits from the variance of Kendall's S."""
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
    """p of the Mann-Kendall test for a trend, two-sided: exact in series of at most 33 without ties, else normal with ties
    counted. Values that are all equal have no trend: 1.
    """
    n = len(y)
    left, right = _pairs(n)
    score = int(np.sum(np.sign(y[right] - y[left])))
    _, ties = np.unique(y, return_counts=True)
    if len(ties) == n and n <= _EXACT:
        falling = (n * (n - 1) // 2 - abs(score)) // 2
        return float(min(2 * sum(_inversions(n)[: falling + 1]) / math.factorial(n), 1.0))
    variance = _score_variance(n, ties)
    return float(special.erfc(abs(score) / math.sqrt(2 * variance))) if variance > 0 else 1.0


@lru_cache(maxsize=256)
def _pairs(n: int) -> tuple[Integers, Integers]:
    """Every pair of n things: which comes first, which second."""
    left, right = np.triu_indices(n, 1)
    return left, right


def _score_variance(n: int, ties: npt.NDArray[Any]) -> float:
    """Variance of Kendall's S without a trend; `ties` is how often each value occurs."""
    return float(n * (n - 1) * (2 * n + 5) - np.sum(ties * (ties - 1) * (2 * ties + 5))) / 18


@cache
def _inversions(n: int) -> list[int]:
    """How many of the n! orders of n values have 0, 1, 2, ... falling pairs."""
    if n <= 1:
        return [1]
    fewer = _inversions(n - 1)
    return [sum(fewer[max(0, k - n + 1) : k + 1]) for k in range(len(fewer) + n - 1)]


def pettitt(bounds: Integers, ranks_doubled: Integers) -> tuple[Integers, Floats]:
    """Per group: after how many of its values the strongest shift is, and its p = 2 exp(-6 K^2 / (n^3 + n^2)).

    The values come as twice their midrank within the group, so that everything is counted in integers. Values that are all
    equal do not shift: -1 and 1. NaN for an empty group.
    """
    groups = len(bounds) - 1
    where, p = np.full(groups, -1, dtype=np.int64), np.full(groups, np.nan)
    filled = np.flatnonzero(np.diff(bounds))
    if len(filled) == 0:
        return where, p
    starts, n = bounds[filled], np.diff(bounds)[filled]
    place = np.repeat(np.arange(len(filled)), n)
    step = np.arange(len(ranks_doubled)) - starts[place] + 1
    total = np.concatenate(([0], np.cumsum(ranks_doubled)))
    strength = np.abs(total[1:] - total[starts][place] - step * (n[place] + 1))
    strongest = np.maximum.reduceat(strength, starts)
    rows = np.flatnonzero(strength == strongest[place])
    first = rows[np.searchsorted(place[rows], np.arange(len(filled)))]
    found = strongest > 0
    where[filled[found]] = step[first[found]]
    size = n.astype(np.float64)
    p[filled] = np.minimum(2 * np.exp(-6 * strongest.astype(np.float64) ** 2 / (size**3 + size**2)), 1)
    return where, p


def midranks_doubled(bounds: Integers, values: Integers) -> Integers:
    """Twice the midrank of each value within its group; groups lie one after another, each in ascending order."""
    starts = np.repeat(bounds[:-1], np.diff(bounds))
    opens = np.ones(len(values), dtype=np.bool_)
    opens[1:] = values[1:] != values[:-1]
    opens[bounds[:-1][np.diff(bounds) > 0]] = True
    first = np.flatnonzero(opens)
    length = np.diff(np.append(first, len(values)))
    return np.repeat(2 * first + length + 1, length) - 2 * starts


def garwood(count: Floats) -> tuple[Floats, Floats]:
    """Exact 95 % limits of a Poisson mean from the count."""
    low = np.where(count > 0, special.gammaincinv(np.maximum(count, 1), 0.025), 0.0)
    return low, special.gammaincinv(count + 1, 0.975)


def compare_rates(current: Floats, previous: Floats, share: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Two Poisson counts given their sum, where `share` of the time they were counted over is the current one's: two-sided
    exact p (twice the smaller binomial tail, at most 1), the ratio of the rates, current / previous, and its 95 % limits from
    those of the share of counts (Clopper-Pearson). NaN where there is none.
    """
    known = (current + previous > 0) & (share > 0) & (share < 1)
    at_most = np.where(previous > 0, special.betainc(np.maximum(previous, 1), current + 1, 1 - share), 1.0)
    at_least = np.where(current > 0, special.betainc(np.maximum(current, 1), previous + 1, share), 1.0)
    p = np.minimum(2 * np.minimum(at_most, at_least), 1)
    low = np.where(current > 0, special.betaincinv(np.maximum(current, 1), previous + 1, 0.025), 0.0)
    high = np.where(previous > 0, special.betaincinv(current + 1, np.maximum(previous, 1), 0.975), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        times = (1 - share) / share
        ratio = np.where(previous > 0, current / previous, np.nan) * times
        low, high = low / (1 - low) * times, np.where(high < 1, high / (1 - high), np.nan) * times
    return (
        np.where(known, p, np.nan),
        np.where(known, ratio, np.nan),
        np.where(known, low, np.nan),
        np.where(known, high, np.nan),
    )
