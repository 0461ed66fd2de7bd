"""Kaplan-Meier curves of many groups at once: quantiles with limits, and the restricted mean survival time.

An observation is a time, and whether it ended in an event; otherwise it is censored. At equal times, events come before censored
observations. The sources of the definitions:

- curve: Kaplan and Meier, Journal of the American Statistical Association 53 (1958);
- variance of the curve: Greenwood, The natural duration of cancer (1926);
- limits of a quantile: Brookmeyer and Crowley, Biometrics 38 (1982), on the log-log scale of Kalbfleisch and Prentice, The
  statistical analysis of failure time data (1980);
- restricted mean and its variance: Klein and Moeschberger, Survival analysis, section 4.5 (2003).

With n observations at risk, one event multiplies the curve by 1 - 1/n and adds 1 / (n (n - 1)) to Greenwood's sum. After the last
of d equal events both have the values that the textbook gives for all d together, 1 - d/n and d / (n (n - d)). So equal times need
no grouping, as long as the curve is only read there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mttr_pipeline.metrics.observed import Flags, Floats, Integers, edges_of

Z = 1.959963984540054  # 97.5th percentile of the normal distribution, for 95 % limits
HORIZON_US = 168 * 3_600_000_000  # the restricted mean counts durations up to here
QUANTILES = (0.5, 0.9)
_BLOCK = 65_536  # rows computed at a time: their columns stay in the processor's cache

# Running sums are sums of integers, in units of 2**-58 and 2**-62. They are exact in any order, where a sum of floats over a million
# rows would drift. |ln S| stays below ln n (at most 32 for any n that fits in memory), and Greenwood's sum below 1.
_LOG_UNIT = 2.0**58
_VARIANCE_UNIT = 2.0**62


@dataclass(frozen=True)
class Curves:
    """The estimates, one value per group. Times are microseconds; NaN stands for a value that does not exist.

    `n` are the observations, `events` those that ended in an event, `longest_us` is the longest. `quantile_us` has the time of each
    of QUANTILES, `low_us` and `high_us` its 95 % limits. `mean_us` is the restricted mean, `mean_variance` its variance in square
    microseconds. Where `is_mean_bound` is true, the last observation is censored before the horizon: the mean takes the curve as
    flat from there on, so it is an upper bound.
    """

    n: Integers
    events: Integers
    longest_us: Floats
    quantile_us: dict[float, Floats]
    low_us: dict[float, Floats]
    high_us: dict[float, Floats]
    mean_us: Floats
    mean_variance: Floats
    is_mean_bound: Flags


def curves(
    bounds: Integers, time_us: Integers, is_event: Flags, horizon_us: Floats | float = float(HORIZON_US)
) -> Curves:
    """The curve of each group. `horizon_us` limits the restricted mean: one horizon for all groups, or one per group.

    Groups are consecutive and sorted by time, events before censored rows. `bounds` has the place where each group begins and the
    place where the last one ends. A group may be empty.
    """
    groups = len(bounds) - 1
    n = np.diff(bounds)
    no_value = np.full(groups, np.nan)
    horizon = np.broadcast_to(np.asarray(horizon_us, dtype=np.float64), (groups,))
    out = Curves(
        n=n,
        events=np.zeros(groups, dtype=np.int64),
        longest_us=no_value.copy(),
        quantile_us={q: no_value.copy() for q in QUANTILES},
        low_us={q: no_value.copy() for q in QUANTILES},
        high_us={q: no_value.copy() for q in QUANTILES},
        mean_us=no_value.copy(),
        mean_variance=no_value.copy(),
        is_mean_bound=np.zeros(groups, dtype=np.bool_),
    )
    for members in _blocks(np.flatnonzero(n), n):
        rows = slice(int(bounds[members[0]]), int(bounds[members[-1] + 1]))
        _fill(out, members, n[members], time_us[rows], is_event[rows], horizon[members])
    return out


def _blocks(filled: Integers, n: Integers) -> Iterator[Integers]:
    """Neighbouring groups that together have about _BLOCK rows. A group is never split. `filled` are the groups with rows."""
    before = np.cumsum(n[filled]) - n[filled]
    cuts = np.flatnonzero(np.diff(before // _BLOCK)) + 1
    return (part for part in np.split(filled, cuts) if len(part))


def _fill(out: Curves, members: Integers, n: Integers, time_us: Integers, is_event: Flags, horizon: Floats) -> None:
    """Compute the estimates of some consecutive groups, none of them empty, and write them to `out` at the places `members`."""
    starts = np.cumsum(n) - n
    lasts = starts + n - 1
    group = np.repeat(np.arange(len(n)), n)
    at_risk, log_curve = _log_curve(starts, n, is_event)
    steps = np.zeros(len(time_us))
    np.divide(1, at_risk * (at_risk - 1.0), out=steps, where=is_event & (at_risk > 1))
    greenwood = _running_sum(np.rint(steps * _VARIANCE_UNIT).astype(np.int64), starts, n) / _VARIANCE_UNIT
    reaches_zero = is_event & (at_risk == 1)  # the last observation is an event
    curve = np.where(reaches_zero, 0.0, np.exp(log_curve))

    out.events[members] = np.add.reduceat(is_event.astype(np.int64), starts)
    out.longest_us[members] = time_us[lasts]

    # The curve and its limits are read after the last of equal events.
    is_last_of_equals = np.ones(len(time_us), dtype=np.bool_)
    is_last_of_equals[:-1] = (time_us[1:] != time_us[:-1]) | ~is_event[1:]
    is_last_of_equals[lasts] = True
    is_read = is_event & is_last_of_equals
    has_limits = is_read & ~reaches_zero & (log_curve < 0)  # at 0 the variance is infinite
    logs = np.where(has_limits, log_curve, -1.0)
    power = np.exp(Z * np.sqrt(greenwood) / -logs)
    lower, upper = logs * power, logs / power  # logarithms of the limits of the curve
    for q in QUANTILES:
        for result, is_reached in (
            (out.quantile_us[q], is_read & (curve <= 1 - q + 1e-12)),
            (out.low_us[q], has_limits & (lower <= np.log(1 - q))),
            (out.high_us[q], has_limits & (upper <= np.log(1 - q))),
        ):
            rows = np.flatnonzero(is_reached)
            _write_first(result, members, group[rows], time_us[rows])

    # The area under the curve up to the horizon: the time before the first observation, then one strip per observation.
    clipped = np.minimum(time_us.astype(np.float64), np.repeat(horizon, n))
    until = np.empty_like(clipped)
    until[:-1] = clipped[1:]
    until[lasts] = horizon
    strips = curve * (until - clipped)
    out.mean_us[members] = clipped[starts] + np.add.reduceat(strips, starts)
    out.is_mean_bound[members] = ~is_event[lasts] & (time_us[lasts] < horizon)

    # Var = sum over events of (area after the event)^2 / (n (n - 1)). Areas are summed in integer units that suit their group.
    unit = np.repeat(np.ldexp(1.0, 61 - np.frexp(np.add.reduceat(strips, starts))[1]), n)
    areas = np.rint(strips * unit).astype(np.int64)
    area_before = _running_sum(areas, starts, n)
    area_after = (np.repeat(area_before[lasts], n) - area_before + areas) / unit
    variance = np.add.reduceat(area_after * area_after * steps, starts)
    out.mean_variance[members] = np.where(variance > 0, variance, np.nan)


def medians(bounds: Integers, time_us: Integers, is_event: Flags) -> Floats:
    """The medians of `curves` alone, in microseconds; NaN where the median is not reached. Much faster than `curves`.

    Between two censored rows the steps of the curve cancel out: it is the share of rows that are left, times a factor for the
    censored rows before, r / (r - 1) for one with r at risk. So only runs of events are examined, not every row.
    """
    n = np.diff(bounds)
    out = np.full(len(n), np.nan)
    censored = np.flatnonzero(~is_event)
    of_censored = np.searchsorted(bounds, censored, side="right") - 1
    at_risk = bounds[of_censored + 1] - censored
    log_factor = np.zeros(len(censored))
    np.log1p(np.divide(-1, at_risk, where=at_risk > 1, out=log_factor), out=log_factor)
    log_factors = edges_of(np.rint(-log_factor * _LOG_UNIT).astype(np.int64))

    # A run begins with each group and after each censored row, and ends before the next censored row.
    starts = np.sort(np.concatenate((bounds[:-1][n > 0], censored[at_risk > 1] + 1)))
    group = np.searchsorted(bounds, starts, side="right") - 1
    censored_before = np.searchsorted(censored, starts)
    ends = np.minimum(np.append(censored, len(is_event))[censored_before], bounds[group + 1])
    factor = np.exp((log_factors[censored_before] - log_factors[np.searchsorted(censored, bounds[group])]) / _LOG_UNIT)
    half = np.ceil(n[group] - 1 - (0.5 + 1e-12) * n[group] / factor)  # the first row at which half have recovered
    row = np.maximum(starts, bounds[group] + half.astype(np.int64))
    _write_first(out, np.arange(len(n)), group[row < ends], time_us[row[row < ends]])
    return out


def _log_curve(starts: Integers, n: Integers, is_event: Flags) -> tuple[Floats, Floats]:
    """The number at risk at each row, and the logarithm of the curve after it (not where the curve reaches 0)."""
    at_risk = np.repeat(starts + n, n) - np.arange(len(is_event), dtype=np.float64)
    steps = np.zeros(len(is_event))
    np.divide(-1, at_risk, out=steps, where=is_event & (at_risk > 1))
    np.log1p(steps, out=steps)
    steps *= _LOG_UNIT
    return at_risk, _running_sum(np.rint(steps, out=steps).astype(np.int64), starts, n) / _LOG_UNIT


def _running_sum(values: Integers, starts: Integers, n: Integers) -> Integers:
    """The sum from the first row of its group to each row. The total over all groups may overflow; the difference does not."""
    total = np.cumsum(values)
    total -= np.repeat(total[starts] - values[starts], n)
    return total


def _write_first(result: Floats, members: Integers, group: Integers, time_us: Integers) -> None:
    """Write the time of the first row of each group to `result`, at the place that `members` has for the group of the row."""
    is_first = np.ones(len(group), dtype=np.bool_)
    is_first[1:] = group[1:] != group[:-1]
    result[members[group[is_first]]] = time_us[is_first]
