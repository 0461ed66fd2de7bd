"""Kaplan-Meier estimates as tables: per variant, window and scope member, for the periods of the summary and for the trend.

What belongs here: which observations go into which estimate. What does not: the estimator, which is `survival`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import duckdb
import numpy as np

from mttr_pipeline.metrics.observed import (
    SCOPES,
    Columns,
    Integers,
    Windows,
    edges_of,
    group_order,
    in_parallel,
    joined,
    observations,
    periods,
    picked,
    read,
    variants,
)
from mttr_pipeline.metrics.survival import HORIZON_US, Curves, Z, curves

# The members of a scope are numbered without a gap.
_MEMBERS = "SELECT scope, min(member_id), max(member_id) + 1 FROM core.scope_members GROUP BY scope"


def compute(con: duckdb.DuckDBPyConnection) -> Columns:
    """One row per variant, window and scope member, also without an observation. Estimates are minutes, NaN where there is none.

    The windows are those of `core.windows`, with every scope, and those of `core.trend_windows`, with the scopes all and severity.
    """
    return joined(in_parallel(_tasks(con)))


def _tasks(con: duckdb.DuckDBPyConnection) -> Iterator[Callable[[], Columns]]:
    """One task per variant, set of windows and scope."""
    members = {scope: range(first, end) for scope, first, end in con.execute(_MEMBERS).fetchall()}
    whole, recent = periods(con)
    trend = _trend_windows(con)
    earliest_us = min(int(windows.starts_us[0]) for windows in (recent, *trend))
    for variant in variants(con):
        everything = observations(con, variant)
        latest = picked(everything, np.flatnonzero(everything["started_us"] >= earliest_us))
        for rows, windows, scopes in (
            (everything, whole, SCOPES),
            (latest, recent, SCOPES),
            *((latest, windows, (None, "severity_id")) for windows in trend),
        ):
            number = windows.number_of(rows["started_us"])
            inside = np.flatnonzero(number >= 0)
            if len(inside) < len(number):
                rows, number = picked(rows, inside), number[inside]
            for column in scopes:
                scope = column.removesuffix("_id") if column else "all"
                yield partial(_estimates, variant, windows, rows, number, column, members.get(scope, range(0)))


def _trend_windows(con: duckdb.DuckDBPyConnection) -> list[Windows]:
    """The windows of the trend, one set per interval and alignment: windows of one kind do not overlap."""
    found = read(
        con,
        'SELECT window_id, start_us, end_us, alignment || "interval" AS kind FROM core.trend_windows ORDER BY start_us',
    )
    kinds = [picked(found, found["kind"] == kind) for kind in sorted(set(found["kind"]))]
    return [Windows(kind["window_id"], kind["start_us"], kind["end_us"]) for kind in kinds]


def _estimates(
    variant: str, windows: Windows, rows: Columns, number: Integers, column: str | None, members: range
) -> Columns:
    """The estimates of every window and member of one scope. `number` says in which of the windows each row lies."""
    group = number * len(members) + (0 if column is None else rows[column].astype(np.int64) - members.start)
    n = np.bincount(group, minlength=len(windows.ids) * len(members))
    order = group_order(group)
    found = curves(edges_of(n), rows["observed_us"][order], rows["is_event"][order])
    return {
        "calculation_type": np.full(len(n), variant, dtype=object),
        "window_id": np.repeat(windows.ids, len(members)),
        "member_id": np.tile(np.arange(members.start, members.stop), len(windows.ids)),
        **_columns(found),
    }


def _columns(found: Curves) -> Columns:
    """The estimates as the columns that are published, in that order. The limits of the restricted mean stay within 0 and 168 h."""
    error_us = Z * np.sqrt(found.mean_variance)
    durations_us = {
        "km_median": found.quantile_us[0.5],
        "km_median_low": found.low_us[0.5],
        "km_median_high": found.high_us[0.5],
        "km_p90": found.quantile_us[0.9],
        "km_p90_low": found.low_us[0.9],
        "km_p90_high": found.high_us[0.9],
        "rmst_minutes": found.mean_us,
        "rmst_low": np.maximum(found.mean_us - error_us, 0),
        "rmst_high": np.minimum(found.mean_us + error_us, HORIZON_US),
    }
    return {
        **{name: values / 6e7 for name, values in durations_us.items()},
        "is_rmst_bound": found.is_mean_bound,
        "longest_minutes": found.longest_us / 6e7,
        "n_events": found.events,
        "n_open": found.n - found.events,
        "low_n": found.events < 5,
    }
