"""When a service, or any service, was down, and by what part. Where outages overlap, the largest weight counts, not the sum.

What belongs here: the sweep over outages. What does not: which incidents are outages and what they weigh (`facts.outages`).
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import numpy as np

from mttr_pipeline.metrics.observed import Columns, Groups, Integers, grouped, joined, order_of, picked, read

#: Instants of the members of a scope stand on one axis, a stretch for each; the axis ends well below the largest integer.
_AXIS = 2**62


def compute(con: duckdb.DuckDBPyConnection) -> Columns:
    """Spans that do not overlap, with the outage that counts and its weight, for all services together and for each.

    Spans of abandoned incidents follow, with what they add to the weight of the others. Microseconds since 1970.
    """
    rows = read(
        con,
        """SELECT incident_no, service_id, start_us, end_us, weight, is_abandoned FROM facts.outages
        WHERE end_us > start_us AND weight > 0""",
    )
    rows = picked(rows, order_of(rows["start_us"], -rows["end_us"], rows["incident_no"]))
    parts: list[Columns] = []
    for scope in (None, "service_id"):
        groups = grouped(rows, scope)
        ordered = rows if scope is None else picked(rows, groups.order)
        parts += [_spans(*each) for each in _on_an_axis(ordered, groups)]
    return joined(parts)


def _on_an_axis(rows: Columns, groups: Groups) -> Iterator[tuple[Columns, Integers, int, int]]:
    """As many members at a time as one axis has room for: their rows, the members, the origin and the length of a stretch."""
    origin = int(rows["start_us"].min()) if len(rows["start_us"]) else 0
    length = int(rows["end_us"].max(initial=origin)) - origin + 1
    room = _AXIS // length
    for first in range(0, len(groups.member), room):
        member, bounds = groups.member[first : first + room], groups.bounds[first : first + room + 1]
        shift = np.repeat(np.arange(len(member)) * length - origin, np.diff(bounds))
        mine = picked(rows, slice(bounds[0], bounds[-1]))
        yield {**mine, "start_us": mine["start_us"] + shift, "end_us": mine["end_us"] + shift}, member, origin, length


def _spans(rows: Columns, member: Integers, origin: int, length: int) -> Columns:
    """The spans of the members on one axis, at their instants again."""
    is_abandoned, names = rows["is_abandoned"], ("incident_no", "start_us", "end_us", "weight")
    living, abandoned = (
        _largest({name: rows[name][chosen] for name in names}) for chosen in (~is_abandoned, is_abandoned)
    )
    added = _beyond(abandoned, living)
    spans = joined([living, added])
    stretch = spans["start_us"] // length
    shift = stretch * length - origin
    return {
        **spans,
        "member_id": member[stretch],
        "start_us": spans["start_us"] - shift,
        "end_us": spans["end_us"] - shift,
        "is_abandoned": np.repeat([False, True], [len(living["weight"]), len(added["weight"])]),
    }


def _largest(outages: Columns) -> Columns:
    """Spans with the largest weight of the outages in them. The outages are sorted by start."""
    spans = picked(outages, slice(0, 0))
    for weight in np.flatnonzero(np.bincount(outages["weight"]))[::-1]:
        pieces = _beyond(_first(picked(outages, outages["weight"] == weight)), spans)
        spans = joined([spans, pieces])
        spans = picked(spans, np.argsort(spans["start_us"], kind="stable"))
    return spans


def _first(outages: Columns) -> Columns:
    """The part of every outage that no earlier outage covers. The outages are sorted by start."""
    starts, ends = outages["start_us"], outages["end_us"]
    covered_until = np.full(len(ends), np.iinfo(np.int64).min)  # the latest end of the outages before it
    np.maximum.accumulate(ends[:-1], out=covered_until[1:])
    spans = {**outages, "start_us": np.maximum(starts, covered_until)}
    return picked(spans, ends > covered_until)


def _beyond(pieces: Columns, spans: Columns) -> Columns:
    """The parts of the pieces that weigh more than the spans there, with the difference. Both are sorted and do not overlap."""
    if not len(spans["start_us"]) or not len(pieces["start_us"]):
        return pieces
    # The spans and the gaps between them, one cell after another: cell k ends at edges[k].
    edges = np.column_stack((spans["start_us"], spans["end_us"])).ravel()
    weights = np.zeros(len(edges) + 1, np.int64)
    weights[1::2] = spans["weight"]
    first = np.searchsorted(edges, pieces["start_us"], side="right")
    count = np.searchsorted(edges, pieces["end_us"], side="left") - first + 1
    piece = np.repeat(np.arange(len(first)), count)
    cell = np.arange(len(piece)) + np.repeat(first - np.cumsum(count) + count, count)
    beyond = pieces["weight"][piece] - weights[cell]  # of a wider type, so it may be negative
    more = np.flatnonzero(beyond > 0)
    piece, cell = piece[more], cell[more]
    bounded = np.concatenate(([np.iinfo(np.int64).min], edges, [np.iinfo(np.int64).max]))
    found = {
        **picked(pieces, piece),
        "start_us": np.maximum(pieces["start_us"][piece], bounded[cell]),
        "end_us": np.minimum(pieces["end_us"][piece], bounded[cell + 1]),
        "weight": beyond[more].astype(np.uint16),
    }
    return picked(found, found["start_us"] < found["end_us"])
