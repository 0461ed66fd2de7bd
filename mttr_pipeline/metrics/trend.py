"""Kaplan-Meier curves of the windows of the trend, for all incidents and per severity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import duckdb
import numpy as np

from mttr_pipeline.metrics.observed import (
    Columns,
    Integers,
    edges_of,
    group_order,
    in_parallel,
    joined,
    observations,
    picked,
    read,
    variants,
)
from mttr_pipeline.metrics.survival import curves, in_minutes


def published(con: duckdb.DuckDBPyConnection) -> Columns:
    """One row per variant, window and member that has an observation in it. Minutes."""
    windows = read(
        con, 'SELECT window_id, "interval", alignment, start_us, end_us FROM core.trend_windows ORDER BY start_us'
    )
    return joined(in_parallel(_tasks(con, windows)))


def _tasks(con: duckdb.DuckDBPyConnection, windows: Columns) -> Iterator[Callable[[], Columns]]:
    begins = int(windows["start_us"].min())
    for variant in variants(con):
        rows = observations(con, variant, begins)
        for window_id, place in _cuts(windows, rows["started_us"]):
            for member_id in (np.zeros_like(place), rows["severity_id"]):
                yield partial(_measured, rows, window_id, place, member_id, variant)


def _cuts(windows: Columns, started_us: Integers) -> Iterator[tuple[Integers, Integers]]:
    """Per interval and alignment: the ids of its windows, and in which of them each row lies; -1 is none."""
    kinds = sorted(set(zip(windows["interval"], windows["alignment"], strict=True)))
    for interval, alignment in kinds:
        kind = picked(windows, (windows["interval"] == interval) & (windows["alignment"] == alignment))
        place = np.searchsorted(kind["start_us"], started_us, side="right") - 1
        yield kind["window_id"], np.where((place >= 0) & (started_us < kind["end_us"][place]), place, -1)


def _measured(rows: Columns, window_id: Integers, place: Integers, member_id: Integers, variant: str) -> Columns:
    inside = np.flatnonzero(place >= 0)
    members = int(member_id.max(initial=0)) + 1
    group = place[inside] * members + member_id[inside]
    counts = np.bincount(group, minlength=1)
    used = np.flatnonzero(counts)
    order = inside[group_order(group)]
    found = curves(edges_of(counts[used]), rows["observed_us"][order], rows["is_event"][order])
    return {
        "calculation_type": np.full(len(used), variant, dtype=object),
        "window_id": window_id[used // members],
        "member_id": used % members,
        **in_minutes(found),
    }
