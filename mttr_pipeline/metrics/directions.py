"""Whether recovery gets faster or slower week by week, and since when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import duckdb
import numpy as np

from mttr_pipeline.metrics.inference import (
    benjamini_hochberg,
    mann_kendall,
    midranks_doubled,
    pettitt,
    theil_sen,
)
from mttr_pipeline.metrics.observed import (
    SCOPES,
    TICK_US,
    Columns,
    Flags,
    Floats,
    Groups,
    Integers,
    Windows,
    edges_of,
    group_order,
    grouped,
    in_parallel,
    joined,
    observations,
    order_of,
    picked,
    read,
    variants,
)
from mttr_pipeline.metrics.survival import medians

MIN_PER_WEEK = 6  # observations that a week needs to count
MIN_WEEKS = 8  # weeks that a direction needs
MIN_EVENTS = 20  # recoveries that a shift needs
RECENT_US = 90 * 86_400_000_000


def compute(con: duckdb.DuckDBPyConnection) -> Columns:
    """One row per variant, scope member with an observation, and span: the whole history and its last 90 days.

    Slopes are changes of ln(minutes) per week. NaN stands for a value that does not exist.
    """
    found = read(con, "SELECT starts_us, ends_us FROM figures.weeks ORDER BY starts_us")
    weeks = Windows(np.arange(len(found["starts_us"])), found["starts_us"], found["ends_us"])
    (as_of_us,) = con.execute("SELECT epoch_us(as_of) FROM config.run").fetchone() or (0,)
    return joined(in_parallel(_tasks(con, weeks, as_of_us)))


def _tasks(con: duckdb.DuckDBPyConnection, weeks: Windows, as_of_us: int) -> Iterator[Callable[[], Columns]]:
    """One task per variant, span and scope."""
    recent_us = as_of_us - RECENT_US
    for variant in variants(con):
        rows = observations(con, variant)
        for is_recent in (False, True):
            if is_recent:
                rows = picked(rows, (rows["started_us"] >= recent_us) & (rows["started_us"] < as_of_us))
            first_week = int(np.searchsorted(weeks.starts_us, recent_us)) if is_recent else 0
            by_start = order_of(rows["started_us"])  # of equal instants, the shorter duration comes first
            rows["week"] = np.empty(len(by_start), dtype=np.int64)
            rows["week"][by_start] = weeks.number_of(
                rows["started_us"][by_start]
            )  # a search is fast over sorted values
            recovered = picked(rows, rows["is_event"])
            number = np.cumsum(rows["is_event"]) - 1  # of each row among those that recovered
            recovered_by_start = number[by_start[rows["is_event"][by_start]]]
            for scope in SCOPES:
                span = range(first_week, len(weeks.ids))
                yield partial(_of_scope, rows, recovered, recovered_by_start, span, scope, variant, is_recent)


def _of_scope(
    rows: Columns,
    recovered: Columns,
    recovered_by_start: Integers,
    span: range,
    scope: str | None,
    variant: str,
    is_recent: bool,
) -> Columns:
    """The results of one scope.

    `rows` are sorted by duration, `recovered` are those of them that recovered, `recovered_by_start` are the numbers of the
    recovered in the order in which they started, `span` are the numbers of the weeks.
    """
    groups = grouped(rows, scope)
    by_duration = grouped(recovered, scope, groups.member)
    by_start = (
        recovered_by_start if scope is None else recovered_by_start[group_order(recovered[scope][recovered_by_start])]
    )
    return {
        "calculation_type": np.full(len(groups.member), variant, dtype=object),
        "is_recent": np.full(len(groups.member), is_recent),
        "member_id": groups.member,
        "n": np.diff(groups.bounds),
        "weeks": np.full(len(groups.member), len(span)),
        **_directions(groups, rows, span),
        **_shifts(by_duration, by_start, recovered),
    }


def _directions(groups: Groups, rows: Columns, span: range) -> Columns:
    """Theil-Sen slope and Mann-Kendall test of the logarithms of the weekly Kaplan-Meier medians, per group."""
    weekly = weekly_medians(groups, rows, span)
    has_median = ~np.isnan(weekly)
    weeks_used = has_median.sum(axis=1)
    found = {name: np.full(len(weeks_used), np.nan) for name in ("slope", "slope_low", "slope_high", "mann_kendall_p")}
    for group in np.flatnonzero(weeks_used >= MIN_WEEKS):
        x = np.flatnonzero(has_median[group]).astype(np.float64)
        y = np.log(np.maximum(weekly[group, has_median[group]], TICK_US))
        found["slope"][group], found["slope_low"][group], found["slope_high"][group] = theil_sen(x, y)
        found["mann_kendall_p"][group] = mann_kendall(y)
    return {"weeks_used": weeks_used, **found, "mann_kendall_q": benjamini_hochberg(found["mann_kendall_p"])}


def weekly_medians(groups: Groups, rows: Columns, span: range) -> Floats:
    """Kaplan-Meier medians in microseconds, of shape (groups, weeks).

    NaN in weeks with fewer than 6 observations and where the median is not reached. `rows` are sorted by duration and have the
    number of their week in the column `week`.
    """
    weeks = len(span)
    inside = np.flatnonzero(rows["week"] >= span.start)
    cell = rows["week"][inside] - span.start
    if groups.column is not None:
        group_of_member = np.searchsorted(groups.member, np.arange(groups.member.max(initial=0) + 1))
        cell += group_of_member[rows[groups.column][inside]] * weeks
    order = inside[group_order(cell)]
    n = np.bincount(cell, minlength=len(groups.member) * weeks)
    found = medians(edges_of(n), rows["observed_us"][order], rows["is_event"][order])
    return np.where(n >= MIN_PER_WEEK, found, np.nan).reshape(len(groups.member), weeks)


def _shifts(by_duration: Groups, by_start: Integers, recovered: Columns) -> Columns:
    """Pettitt's test on the durations of the recovered incidents of each group, in the order in which they started.

    `by_start` are the numbers of the recovered incidents in that order, group after group.
    """
    edges, n = by_duration.bounds, np.diff(by_duration.bounds)
    ranks = np.empty(len(by_start), dtype=np.int64)
    ranks[by_duration.order] = midranks_doubled(edges, recovered["observed_us"][by_duration.order])
    n_before, p = pettitt(edges, ranks[by_start])
    p[n < MIN_EVENTS] = np.nan
    has_shift = (n_before > 0) & ~np.isnan(p)
    shift_us = np.full(len(n), np.nan)
    shift_us[has_shift] = recovered["started_us"][by_start[(edges[:-1] + n_before)[has_shift]]]
    is_before = np.empty(len(by_start), dtype=np.bool_)
    is_before[by_start] = np.arange(len(by_start)) < np.repeat(edges[:-1] + n_before, n)
    durations, is_before = recovered["observed_us"][by_duration.order], is_before[by_duration.order]
    return {
        "n_events": n,
        "shift_us": shift_us,
        "n_before": np.where(has_shift, n_before, np.nan),
        "before_median": np.where(has_shift, _medians_of(edges, durations, is_before), np.nan) / 6e7,
        "after_median": np.where(has_shift, _medians_of(edges, durations, ~is_before), np.nan) / 6e7,
        "pettitt_p": p,
        "pettitt_q": benjamini_hochberg(p),
    }


def _medians_of(edges: Integers, values: Integers, chosen: Flags) -> Floats:
    """The median of the chosen values of each group; NaN without any. Values are in ascending order within a group."""
    chosen_before = edges_of(chosen.astype(np.int64))
    first, count = chosen_before[edges[:-1]], np.diff(chosen_before[edges])
    has_any = count > 0
    found = np.full(len(count), np.nan)
    low, high = (
        values[np.searchsorted(chosen_before, (first + half)[has_any], side="right") - 1]
        for half in ((count - 1) // 2, count // 2)
    )
    found[has_any] = (low + high) / 2
    return found
