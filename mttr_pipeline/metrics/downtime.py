"""The union of outages: when a service, or any service, was down. Overlapping outages count once."""

from __future__ import annotations

from itertools import pairwise

import duckdb
import numpy as np

from mttr_pipeline.metrics.observed import Columns, grouped, joined, read


def compute(con: duckdb.DuckDBPyConnection) -> Columns:
    """The part of every outage that no earlier outage covers, for all services together and for each. Microseconds since 1970."""
    rows = read(
        con,
        "SELECT service_id, start_us, end_us FROM facts.outages WHERE end_us > start_us ORDER BY start_us, end_us",
    )
    parts: list[Columns] = []
    for scope in (None, "service_id"):
        groups = grouped(rows, scope)
        starts, ends = rows["start_us"][groups.order], rows["end_us"][groups.order]
        covered_until = np.full(len(ends), np.iinfo(np.int64).min)  # the latest end of the outages before it
        for first, last in pairwise(groups.bounds):
            np.maximum.accumulate(ends[first : last - 1], out=covered_until[first + 1 : last])
        is_new = ends > covered_until
        parts.append(
            {
                "member_id": np.repeat(groups.member, np.diff(groups.bounds))[is_new],
                "start_us": np.maximum(starts, covered_until)[is_new],
                "end_us": ends[is_new],
            }
        )
    return joined(parts)
