"""The union of outages: when anything was down, overlaps counted once."""

from __future__ import annotations

from itertools import pairwise

import duckdb
import numpy as np

from mttr_pipeline.metrics.observed import Columns, grouped, joined, read


def spans(con: duckdb.DuckDBPyConnection) -> Columns:
    """The parts of every outage that no earlier one covers, for all services together and for each. Microseconds."""
    rows = read(
        con,
        "SELECT service_id, start_us, end_us FROM facts.outages WHERE end_us > start_us ORDER BY start_us, end_us",
    )
    parts: list[Columns] = []
    for scope in (None, "service_id"):
        groups = grouped(rows, scope)
        starts, ends = rows["start_us"][groups.order], rows["end_us"][groups.order]
        covered = np.full(len(ends), np.iinfo(np.int64).min)  # until when those before it reach
        for first, last in pairwise(groups.bounds):
            np.maximum.accumulate(ends[first : last - 1], out=covered[first + 1 : last])
        new = ends > covered
        parts.append(
            {
                "member_id": np.repeat(groups.member, np.diff(groups.bounds))[new],
                "start_us": np.maximum(starts, covered)[new],
                "end_us": ends[new],
            }
        )
    return joined(parts)
