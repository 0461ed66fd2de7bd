"""Where recovery times are heading, week by week, and when they shifted."""

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

IN_A_WEEK = 6  # observations, for the week to count
WEEKS = 8  # weeks that count, for a direction
EVENTS = 20  # recoveries, for a shift
RECENT_DAYS = 90


def published(con: duckdb.DuckDBPyConnection) -> Columns:
    """Per variant and scope member, over the whole history and over the last 90 days."""
    weeks = read(con, "SELECT starts_us, ends_us FROM figures.weeks ORDER BY starts_us")
    (as_of_us,) = con.execute("SELECT epoch_us(as_of) FROM config.run").fetchone() or (0,)
    recent_us = as_of_us - RECENT_DAYS * 86_400_000_000
    return joined(in_parallel(_tasks(con, weeks, recent_us, as_of_us)))


def _tasks(
    con: duckdb.DuckDBPyConnection, weeks: Columns, recent_us: int, as_of_us: int
) -> Iterator[Callable[[], Columns]]:
    for variant in variants(con):
        rows = observations(con, variant)
        for is_recent in (False, True):
            if is_recent:
                rows = picked(rows, (rows["started_us"] >= recent_us) & (rows["started_us"] < as_of_us))
            first_week = int(np.searchsorted(weeks["starts_us"], recent_us)) if is_recent else 0
            by_start = order_of(rows["started_us"])  # at the same instant the shorter one first
            rows["week"] = np.empty(len(by_start), dtype=np.int64)
            rows["week"][by_start] = week_of(rows["started_us"][by_start], weeks)  # a search is quick in what is sorted
            recovered = picked(rows, rows["is_event"])
            place = np.cumsum(rows["is_event"]) - 1  # among the recovered
            sequence = place[by_start[rows["is_event"][by_start]]]
            for scope in SCOPES:
                span = range(first_week, len(weeks["starts_us"]))
                yield partial(_of_scope, rows, recovered, sequence, span, scope, variant, is_recent)


def week_of(started_us: Integers, weeks: Columns) -> Integers:
    """The number of the full week each instant lies in; -1 in none."""
    week = np.searchsorted(weeks["starts_us"], started_us, side="right") - 1
    ends = np.append(
        weeks["ends_us"], np.iinfo(np.int64).min
    )  # the last one stands for week -1: nothing lies before its end
    return np.where(started_us < ends[week], week, -1)


def _of_scope(
    rows: Columns,
    recovered: Columns,
    sequence: Integers,
    span: range,
    scope: str | None,
    variant: str,
    is_recent: bool,
) -> Columns:
    """The results of one scope, for rows in time order, those of them that recovered in order of their start, and a span of
    weeks.
    """
    groups = grouped(rows, scope)
    by_time = grouped(recovered, scope, groups.member)
    by_start = sequence if scope is None else sequence[group_order(recovered[scope][sequence])]
    return {
        "calculation_type": np.full(len(groups.member), variant, dtype=object),
        "is_recent": np.full(len(groups.member), is_recent),
        "member_id": groups.member,
        "n": np.diff(groups.bounds),
        "weeks": np.full(len(groups.member), len(span)),
        **_directions(groups, rows, span),
        **_shifts(by_time, by_start, recovered),
    }


def _directions(groups: Groups, rows: Columns, span: range) -> Columns:
    """Theil-Sen and Mann-Kendall on the logarithms of the weekly Kaplan-Meier medians."""
    weekly = weekly_medians(groups, rows, span)
    usable = ~np.isnan(weekly)
    used = usable.sum(axis=1)
    found = {name: np.full(len(used), np.nan) for name in ("slope", "slope_low", "slope_high", "mann_kendall_p")}
    for place in np.flatnonzero(used >= WEEKS):
        x = np.flatnonzero(usable[place]).astype(np.float64)
        y = np.log(np.maximum(weekly[place, usable[place]], TICK_US))
        found["slope"][place], found["slope_low"][place], found["slope_high"][place] = theil_sen(x, y)
        found["mann_kendall_p"][place] = mann_kendall(y)
    return {"weeks_used": used, **found, "mann_kendall_q": benjamini_hochberg(found["mann_kendall_p"])}


def weekly_medians(groups: Groups, rows: Columns, span: range) -> Floats:
    """Kaplan-Meier median per group and week in microseconds; NaN with too few observations, or when it is not reached.

    Rows are in time order, with the number of their week.
    """
    count = len(span)
    inside = np.flatnonzero(rows["week"] >= span.start)
    cell = rows["week"][inside] - span.start
    if groups.column is not None:
        place = np.searchsorted(groups.member, np.arange(groups.member.max(initial=0) + 1))  # of each member's group
        cell += place[rows[groups.column][inside]] * count
    order = inside[group_order(cell)]
    n = np.bincount(cell, minlength=len(groups.member) * count)
    found = medians(edges_of(n), rows["observed_us"][order], rows["is_event"][order])
    return np.where(n >= IN_A_WEEK, found, np.nan).reshape(len(groups.member), count)


def _shifts(by_time: Groups, by_start: Integers, recovered: Columns) -> Columns:
    """Pettitt's test on the recovered incidents in the order in which they started, group after group."""
    edges, n = by_time.bounds, np.diff(by_time.bounds)
    ranks = np.empty(len(by_start), dtype=np.int64)
    ranks[by_time.order] = midranks_doubled(edges, recovered["observed_us"][by_time.order])
    after, p = pettitt(edges, ranks[by_start])
    p[n < EVENTS] = np.nan
    told = (after > 0) & ~np.isnan(p)
    shift_us = np.full(len(n), np.nan)
    shift_us[told] = recovered["started_us"][by_start[(edges[:-1] + after)[told]]]
    is_before = np.empty(len(by_start), dtype=np.bool_)
    is_before[by_start] = np.arange(len(by_start)) < np.repeat(edges[:-1] + after, n)
    ordered, is_before = recovered["observed_us"][by_time.order], is_before[by_time.order]
    return {
        "n_events": n,
        "shift_us": shift_us,
        "n_before": np.where(told, after, np.nan),
        "before_median": np.where(told, _medians_of(edges, ordered, is_before), np.nan) / 6e7,
        "after_median": np.where(told, _medians_of(edges, ordered, ~is_before), np.nan) / 6e7,
        "pettitt_p": p,
        "pettitt_q": benjamini_hochberg(p),
    }


def _medians_of(edges: Integers, ordered: Integers, chosen: Flags) -> Floats:
    """The median of the chosen values of each group; values are in ascending order within a group. NaN without any."""
    passed = edges_of(chosen.astype(np.int64))
    first, count = passed[edges[:-1]], np.diff(passed[edges])
    has = count > 0
    found = np.full(len(count), np.nan)
    low, high = (
        ordered[np.searchsorted(passed, (first + half)[has], side="right") - 1]
        for half in ((count - 1) // 2, count // 2)
    )
    found[has] = (low + high) / 2
    return found
