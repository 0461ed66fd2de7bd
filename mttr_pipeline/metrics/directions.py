"""Where recovery times are heading, week by week, and when they shifted."""

from __future__ import annotations

from collections.abc import Iterator

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
    SCOPE_COLUMNS,
    Columns,
    Floats,
    Integers,
    by_scope,
    edges_of,
    group_order,
    joined,
    observations,
    picked,
    read,
    variants,
)
from mttr_pipeline.metrics.survival import medians, time_order

IN_A_WEEK = 6  # observations, for the week to count
WEEKS = 8  # weeks that count, for a direction
EVENTS = 20  # recoveries, for a shift
RECENT_DAYS = 90


def published(con: duckdb.DuckDBPyConnection) -> Columns:
    """Per variant and scope member, over the whole history and over the last 90 days."""
    weeks = read(con, "SELECT starts_us, ends_us FROM core.weeks ORDER BY starts_us")
    (as_of_us,) = con.execute("SELECT epoch_us(as_of) FROM config.run").fetchone() or (0,)
    recent_us = as_of_us - RECENT_DAYS * 86_400_000_000
    parts: list[Columns] = []
    for variant in variants(con):
        rows = observations(con, variant)
        rows = picked(rows, time_order(rows["observed_us"], rows["is_event"]))
        rows["week"] = week_of(rows["started_us"], weeks)
        sequence = np.lexsort((rows["observed_us"], rows["started_us"]))
        for part in _span(rows, sequence, 0, len(weeks["starts_us"])):
            parts.append(_named(part, variant, is_recent=False))
        inside = (rows["started_us"] >= recent_us) & (rows["started_us"] < as_of_us)
        sequence = (np.cumsum(inside) - 1)[sequence[inside[sequence]]]  # their places among the recent rows
        first_week = int(np.searchsorted(weeks["starts_us"], recent_us))
        for part in _span(picked(rows, inside), sequence, first_week, len(weeks["starts_us"])):
            parts.append(_named(part, variant, is_recent=True))
    return joined(parts)


def week_of(started_us: Integers, weeks: Columns) -> Integers:
    """The number of the full week each instant lies in; -1 in none."""
    week = np.searchsorted(weeks["starts_us"], started_us, side="right") - 1
    ends = np.append(
        weeks["ends_us"], np.iinfo(np.int64).min
    )  # the last one stands for week -1: nothing lies before its end
    return np.where(started_us < ends[week], week, -1)


def _named(part: Columns, variant: str, is_recent: bool) -> Columns:
    count = len(part["member_id"])
    return {
        "calculation_type": np.full(count, variant, dtype=object),
        "is_recent": np.full(count, is_recent),
        **part,
    }


def _span(rows: Columns, sequence: Integers, first_week: int, end_week: int) -> Iterator[Columns]:
    """Every scope of rows in `time_order`; `sequence` puts them in the order in which they started."""
    started = by_scope({name: rows[name][sequence] for name in SCOPE_COLUMNS})
    for (member, bounds, by_time), (_, _, by_start) in zip(by_scope(rows), started, strict=True):
        yield {
            "member_id": member,
            "n": np.diff(bounds),
            "weeks": np.full(len(member), end_week - first_week),
            **_directions(bounds, rows, by_time, first_week, end_week),
            **_shifts(bounds, rows, by_time, sequence[by_start]),
        }


def _directions(bounds: Integers, rows: Columns, by_time: Integers, first_week: int, end_week: int) -> Columns:
    """Theil-Sen and Mann-Kendall on the logarithms of the weekly Kaplan-Meier medians."""
    weekly = weekly_medians(bounds, rows, by_time, first_week, end_week)
    usable = ~np.isnan(weekly)
    used = usable.sum(axis=1)
    found = {name: np.full(len(used), np.nan) for name in ("slope", "slope_low", "slope_high", "mann_kendall_p")}
    for place in np.flatnonzero(used >= WEEKS):
        x = np.flatnonzero(usable[place]).astype(np.float64)
        y = np.log(np.maximum(weekly[place, usable[place]], 1))  # a median of 0 counts as one microsecond
        found["slope"][place], found["slope_low"][place], found["slope_high"][place] = theil_sen(x, y)
        found["mann_kendall_p"][place] = mann_kendall(x, y)
    return {"weeks_used": used, **found, "mann_kendall_q": benjamini_hochberg(found["mann_kendall_p"])}


def weekly_medians(bounds: Integers, rows: Columns, by_time: Integers, first_week: int, end_week: int) -> Floats:
    """Kaplan-Meier median per group and week in microseconds; NaN with too few observations, or when it is not reached.

    Rows are in `time_order`; `by_time` puts groups together and keeps that order inside.
    """
    groups, count = len(bounds) - 1, end_week - first_week
    first_cell = np.empty(len(by_time), dtype=np.int64)
    first_cell[by_time] = np.repeat(np.arange(groups) * count, np.diff(bounds))
    inside = np.flatnonzero(rows["week"] >= first_week)
    cell = first_cell[inside] + rows["week"][inside] - first_week
    order = inside[group_order(cell)]
    n = np.bincount(cell, minlength=groups * count)
    found = medians(edges_of(n), rows["observed_us"][order], rows["is_event"][order])
    return np.where(n >= IN_A_WEEK, found, np.nan).reshape(groups, count)


def _shifts(bounds: Integers, rows: Columns, by_time: Integers, by_start: Integers) -> Columns:
    """Pettitt's test on the recovered incidents in the order in which they started; both orders put groups together."""
    group = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))[rows["is_event"][by_time]]
    n = np.bincount(group, minlength=len(bounds) - 1)
    edges = edges_of(n)
    by_time, by_start = by_time[rows["is_event"][by_time]], by_start[rows["is_event"][by_start]]
    ranks = np.empty(len(rows["is_event"]), dtype=np.int64)
    ranks[by_time] = midranks_doubled(edges, rows["observed_us"][by_time])
    after, p = pettitt(edges, ranks[by_start])
    p[n < EVENTS] = np.nan
    told = (after > 0) & ~np.isnan(p)
    shift_us = np.full(len(n), np.nan)
    middle = np.full((2, len(n)), np.nan)
    for place in np.flatnonzero(told):
        start, turn, end = edges[place], edges[place] + after[place], edges[place + 1]
        shift_us[place] = rows["started_us"][by_start[turn]]
        middle[0, place] = np.median(rows["observed_us"][by_start[start:turn]]) / 6e7
        middle[1, place] = np.median(rows["observed_us"][by_start[turn:end]]) / 6e7
    return {
        "n_events": n,
        "shift_us": shift_us,
        "n_before": np.where(told, after, np.nan),
        "before_median": middle[0],
        "after_median": middle[1],
        "pettitt_p": p,
        "pettitt_q": benjamini_hochberg(p),
    }
