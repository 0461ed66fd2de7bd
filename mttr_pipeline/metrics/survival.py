"""Kaplan-Meier curves of many groups at once: quantiles with limits, and the restricted mean.

An observation is a time and whether it ended in an event; otherwise it is censored. Where times are equal, events come before
the censored. Taken one by one in that order, an event at n at risk multiplies the curve by 1 - 1/n and adds 1 / (n (n - 1)) to
Greenwood's sum. At the last of d equal events both have come to what the textbook has for all d together, 1 - d/n and
d / (n (n - d)), so times need not be grouped, and only there the curve is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import duckdb
import numpy as np

from mttr_pipeline.metrics.observed import (
    SCOPES,
    Columns,
    Flags,
    Floats,
    Integers,
    edges_of,
    grouped,
    in_parallel,
    joined,
    observations,
    picked,
    variants,
    windows,
)

Z = 1.959963984540054  # 97.5th percentile of the normal distribution, for 95 % limits
HORIZON_US = 168 * 3_600_000_000  # the restricted mean looks this far
QUANTILES = (0.5, 0.9)
_BLOCK = 65_536  # rows worked on at a time: their columns stay in the processor's cache

# Running sums are sums of integers, in units of 2**-58 and 2**-62: exact in any order, where a sum of floats over a million
# rows would drift. |ln S| stays below ln n (no more than 32, for any n that fits in memory) and Greenwood's sum below 1.
_LOG_UNIT = 2.0**58
_VARIANCE_UNIT = 2.0**62


@dataclass(frozen=True)
class Curves:
    """What Kaplan-Meier says of each group. Microseconds; NaN where there is no value."""

    n: Integers
    events: Integers
    longest_us: Floats
    quantile_us: dict[float, Floats]
    low_us: dict[float, Floats]
    high_us: dict[float, Floats]
    mean_us: Floats
    mean_variance: Floats
    carried_on: (
        Flags  # the last observation is censored before the horizon: the mean takes the curve as flat from there on
    )


def curves(
    bounds: Integers, time_us: Integers, is_event: Flags, horizon_us: Floats | float = float(HORIZON_US)
) -> Curves:
    """Curves of groups that lie one after another, each in time order; a horizon for all or one per group."""
    groups = len(bounds) - 1
    n = np.diff(bounds)
    nothing = np.full(groups, np.nan)
    horizon = np.broadcast_to(np.asarray(horizon_us, dtype=np.float64), (groups,))
    out = Curves(
        n=n,
        events=np.zeros(groups, dtype=np.int64),
        longest_us=nothing.copy(),
        quantile_us={q: nothing.copy() for q in QUANTILES},
        low_us={q: nothing.copy() for q in QUANTILES},
        high_us={q: nothing.copy() for q in QUANTILES},
        mean_us=nothing.copy(),
        mean_variance=nothing.copy(),
        carried_on=np.zeros(groups, dtype=np.bool_),
    )
    for members in _blocks(np.flatnonzero(n), n):
        rows = slice(int(bounds[members[0]]), int(bounds[members[-1] + 1]))
        _fill(out, members, n[members], time_us[rows], is_event[rows], horizon[members])
    return out


def _blocks(filled: Integers, n: Integers) -> Iterator[Integers]:
    """Neighbouring groups, as many as make a block of rows; a group is never split."""
    before = np.cumsum(n[filled]) - n[filled]
    cuts = np.flatnonzero(np.diff(before // _BLOCK)) + 1
    return (part for part in np.split(filled, cuts) if len(part))


def _fill(out: Curves, members: Integers, n: Integers, time_us: Integers, is_event: Flags, horizon: Floats) -> None:
    """Work out some groups, none of them empty, that lie one after another."""
    starts = np.cumsum(n) - n
    lasts = starts + n - 1
    place = np.repeat(np.arange(len(n)), n)
    at_risk, log_curve = _log_curve(starts, n, is_event)
    shrinks = is_event & (at_risk > 1)
    steps = np.zeros(len(time_us))
    np.divide(1, at_risk * (at_risk - 1.0), out=steps, where=shrinks)
    greenwood = _running(np.rint(steps * _VARIANCE_UNIT).astype(np.int64), starts, n) / _VARIANCE_UNIT
    ends = is_event & (at_risk == 1)  # the last observation is an event: the curve is at 0
    curve = np.where(ends, 0.0, np.exp(log_curve))

    out.events[members] = np.add.reduceat(is_event.astype(np.int64), starts)
    out.longest_us[members] = time_us[lasts]

    # The curve and its limits are read after the last of equal events.
    next_differs = np.ones(len(time_us), dtype=np.bool_)
    next_differs[:-1] = (time_us[1:] != time_us[:-1]) | ~is_event[1:]
    next_differs[lasts] = True
    read = is_event & next_differs
    known = read & ~ends & (log_curve < 0)  # at 0 the variance is infinite: no limits there
    logs = np.where(known, log_curve, -1.0)
    power = np.exp(Z * np.sqrt(greenwood) / -logs)
    below, above = logs * power, logs / power
    for q in QUANTILES:
        for result, reached in (
            (out.quantile_us[q], read & (curve <= 1 - q + 1e-12)),
            (out.low_us[q], known & (below <= np.log(1 - q))),
            (out.high_us[q], known & (above <= np.log(1 - q))),
        ):
            rows = np.flatnonzero(reached)
            _first(result, members, place[rows], time_us, rows)

    # The area under the curve up to the horizon: what lies before the first observation, then one strip per observation.
    clipped = np.minimum(time_us.astype(np.float64), np.repeat(horizon, n))
    until = np.empty_like(clipped)
    until[:-1] = clipped[1:]
    until[lasts] = horizon
    strips = curve * (until - clipped)
    first = clipped[starts]
    out.mean_us[members] = first + np.add.reduceat(strips, starts)
    out.carried_on[members] = ~is_event[lasts] & (time_us[lasts] < horizon)

    # Var = sum over events of (area after the event)^2 / (n (n - 1)). Areas are summed in units that suit their group.
    unit = np.repeat(np.ldexp(1.0, 61 - np.frexp(np.add.reduceat(strips, starts))[1]), n)
    whole = np.rint(strips * unit).astype(np.int64)
    done = _running(whole, starts, n)
    after = (np.repeat(done[lasts], n) - done + whole) / unit
    variance = np.add.reduceat(after * after * steps, starts)
    out.mean_variance[members] = np.where(variance > 0, variance, np.nan)


def medians(bounds: Integers, time_us: Integers, is_event: Flags) -> Floats:
    """The medians of `curves` alone.

    Between two censored rows the steps of the curve cancel out: it is the share of rows that are left, times what the censored
    before have raised it by, r / (r - 1) for one with r at risk. So only stretches of events are looked at, not every row.
    """
    n = np.diff(bounds)
    out = np.full(len(n), np.nan)
    censored = np.flatnonzero(~is_event)
    of_censored = np.searchsorted(bounds, censored, side="right") - 1
    at_risk = bounds[of_censored + 1] - censored
    raises = np.zeros(len(censored))
    np.log1p(np.divide(-1, at_risk, where=at_risk > 1, out=raises), out=raises)
    raised = edges_of(np.rint(-raises * _LOG_UNIT).astype(np.int64))

    # A stretch begins with each group and after each censored row, and ends before the next censored row.
    starts = np.sort(np.concatenate((bounds[:-1][n > 0], censored[at_risk > 1] + 1)))
    group = np.searchsorted(bounds, starts, side="right") - 1
    passed = np.searchsorted(censored, starts)
    ends = np.minimum(np.append(censored, len(is_event))[passed], bounds[group + 1])
    factor = np.exp((raised[passed] - raised[np.searchsorted(censored, bounds[group])]) / _LOG_UNIT)
    fallen = np.ceil(n[group] - 1 - (0.5 + 1e-12) * n[group] / factor)  # the first place at which half have recovered
    row = np.maximum(starts, bounds[group] + fallen.astype(np.int64))
    _first(out, np.arange(len(n)), group[row < ends], time_us, row[row < ends])
    return out


def _log_curve(starts: Integers, n: Integers, is_event: Flags) -> tuple[Floats, Floats]:
    """How many are at risk at each row, and the logarithm of the curve after it (not where it ends at 0)."""
    at_risk = np.repeat(starts + n, n) - np.arange(len(is_event), dtype=np.float64)
    falls = np.zeros(len(is_event))
    np.divide(-1, at_risk, out=falls, where=is_event & (at_risk > 1))
    np.log1p(falls, out=falls)
    falls *= _LOG_UNIT
    return at_risk, _running(np.rint(falls, out=falls).astype(np.int64), starts, n) / _LOG_UNIT


def _running(values: Integers, starts: Integers, n: Integers) -> Integers:
    """Sum from the first row of its group to each row. The total over all groups may wrap around; the difference does not."""
    total = np.cumsum(values)
    total -= np.repeat(total[starts] - values[starts], n)
    return total


def _first(result: Floats, members: Integers, place: Integers, time_us: Integers, rows: Integers) -> None:
    """The time of the first of these rows in each group; `place` is that of each row."""
    leading = np.ones(len(rows), dtype=np.bool_)
    leading[1:] = place[1:] != place[:-1]
    result[members[place[leading]]] = time_us[rows[leading]]


def published(con: duckdb.DuckDBPyConnection) -> Columns:
    """The curves of every variant, window and scope member that has an observation. Minutes."""
    return joined(in_parallel(_tasks(con)))


def _tasks(con: duckdb.DuckDBPyConnection) -> Iterator[Callable[[], Columns]]:
    for variant in variants(con):
        everything = observations(con, variant)
        for window, inside in windows(con, everything["started_us"]):
            rows = everything if inside is None else picked(everything, inside)
            for scope in SCOPES:
                yield partial(_of_scope, rows, scope, variant, window)


def _of_scope(rows: Columns, scope: str | None, variant: str, window: str) -> Columns:
    groups = grouped(rows, scope)
    found = curves(groups.bounds, rows["observed_us"][groups.order], rows["is_event"][groups.order])
    return {
        "calculation_type": np.full(len(groups.member), variant, dtype=object),
        "window_name": np.full(len(groups.member), window, dtype=object),
        "member_id": groups.member,
        **in_minutes(found),
    }


def in_minutes(found: Curves) -> Columns:
    """The estimates as columns of a table, limits of the restricted mean within 0 and its horizon of 168 h."""
    error = Z * np.sqrt(found.mean_variance)
    minutes = {
        "longest_minutes": found.longest_us,
        "km_median": found.quantile_us[0.5],
        "km_median_low": found.low_us[0.5],
        "km_median_high": found.high_us[0.5],
        "km_p90": found.quantile_us[0.9],
        "km_p90_low": found.low_us[0.9],
        "km_p90_high": found.high_us[0.9],
        "rmst_minutes": found.mean_us,
        "rmst_low": np.maximum(found.mean_us - error, 0),
        "rmst_high": np.minimum(found.mean_us + error, HORIZON_US),
    }
    return {
        "n": found.n,
        "n_events": found.events,
        "is_rmst_bound": found.carried_on,
        **{name: values / 6e7 for name, values in minutes.items()},
    }
