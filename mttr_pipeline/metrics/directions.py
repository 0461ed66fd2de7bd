"""Whether recovery gets faster or slower week by week, and since when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import duckdb
import numpy as np

from mttr_pipeline.metrics.inference import (
    benjamini_hochberg,
    change_point,
    log_rank,
    mann_kendall,
    martingale_residuals,
    theil_sen,
)
from mttr_pipeline.metrics.observed import (
    SCOPES,
    TICK_US,
    Columns,
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
MIN_OBSERVATIONS = 20  # observations that a shift needs
SIGNIFICANT_P = 0.05  # the log-rank test follows where no change is that unlikely
MIN_EVENTS = 10  # recoveries among them that it needs
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
        rows = observations(con, variant, also=["incident_no"])
        for is_recent in (False, True):
            if is_recent:
                rows = picked(rows, (rows["started_us"] >= recent_us) & (rows["started_us"] < as_of_us))
            first_week = int(np.searchsorted(weeks.starts_us, recent_us)) if is_recent else 0
            # Incidents are numbered in the order of their ids where they started in the same instant.
            by_start = order_of(rows["started_us"], rows["incident_no"])
            rows["week"] = np.empty(len(by_start), dtype=np.int64)
            rows["week"][by_start] = weeks.number_of(
                rows["started_us"][by_start]
            )  # a search is fast over sorted values
            span = range(first_week, len(weeks.ids))
            for scope in SCOPES:
                yield partial(_of_scope, rows, by_start, span, scope, variant, is_recent)


def _of_scope(
    rows: Columns, by_start: Integers, span: range, scope: str | None, variant: str, is_recent: bool
) -> Columns:
    """The results of one scope.

    `rows` are sorted by duration, `by_start` are their numbers in the order in which they started, `span` are the numbers of the
    weeks.
    """
    groups = grouped(rows, scope)
    return {
        "calculation_type": np.full(len(groups.member), variant, dtype=object),
        "is_recent": np.full(len(groups.member), is_recent),
        "member_id": groups.member,
        "n": np.diff(groups.bounds),
        "weeks": np.full(len(groups.member), len(span)),
        **_directions(groups, rows, span),
        **shifts(groups, rows, by_start),
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


def shifts(groups: Groups, rows: Columns, by_start: Integers) -> Columns:
    """The strongest change point of the residuals of each group, and the log-rank test of the incidents from there on.

    `rows` are sorted by duration, events first; `by_start` are their numbers in the order in which they started. The groups are one
    family of tests. `before_sum` above 0 and `after_excess` below 0 both say that recovery is slower from the change point on.
    """
    bounds, order = groups.bounds, groups.order
    n = np.diff(bounds)
    time_us, is_event = (
        rows[name] if groups.column is None else rows[name][order] for name in ("observed_us", "is_event")
    )
    if groups.column is not None:
        by_start = by_start[group_order(rows[groups.column][by_start])]
    residuals = np.empty(len(order), dtype=np.int64)
    residuals[order] = martingale_residuals(bounds, time_us, is_event)
    n_before, before_sum, p = change_point(bounds, residuals[by_start])
    n_events = np.diff(edges_of(is_event.astype(np.int64))[bounds])
    p[(n < MIN_OBSERVATIONS) | (n_events < MIN_EVENTS)] = np.nan
    has_shift = (n_before > 0) & ~np.isnan(p)
    shift_us = np.full(len(n), np.nan)
    shift_us[has_shift] = rows["started_us"][by_start[(bounds[:-1] + n_before)[has_shift]]]
    is_after = np.empty(len(order), dtype=np.bool_)
    is_after[by_start] = np.arange(len(order)) >= np.repeat(bounds[:-1] + n_before, n)
    is_after = is_after[order]
    log_rank_p, excess, before_us, after_us = np.full((4, len(n)), np.nan)
    is_tested = has_shift & (p < SIGNIFICANT_P)
    if is_tested.any():  # one pass over the rows of few groups
        chosen = np.repeat(is_tested, n)
        time_us, is_event, is_after, edges = time_us[chosen], is_event[chosen], is_after[chosen], edges_of(n[is_tested])
        log_rank_p[is_tested], excess[is_tested] = log_rank(edges, time_us, is_event, is_after)
        for found, side in ((before_us, ~is_after), (after_us, is_after)):
            found[is_tested] = medians(edges_of(side.astype(np.int64))[edges], time_us[side], is_event[side])
    return {
        "n_events": n_events,
        "shift_us": shift_us,
        "n_before": np.where(has_shift, n_before, np.nan),
        "before_median": before_us / 6e7,
        "after_median": after_us / 6e7,
        "shift_p": p,
        "shift_q": benjamini_hochberg(p),
        "before_sum": np.where(has_shift, before_sum, np.nan),
        "shift_log_rank_p": log_rank_p,
        "after_excess": excess,
    }
