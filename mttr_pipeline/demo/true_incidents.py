"""What one incident is in truth, where several records tell of it, and which of them gives each stamp.

The rules are those of the documentation of correlation, for what the history has: pagers, tickets that an integration fills, alerts
of a monitor, and records that were merged or came back. This module shares no code with the pipeline and reads no rendered payload.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter

import msgspec

from mttr_pipeline.demo.facts import Case
from mttr_pipeline.demo.registry import TOOLS
from mttr_pipeline.demo.truth import Truth

Record = tuple[str, str]

#: Stamps that a record by itself gives for its incident, each with the attribute of `Truth` that has it.
STAMPS = {
    "occurred_at": "occurred_at",
    "detected_at": "counted_detected_at",
    "acknowledged_at": "counted_acknowledged_at",
    "investigating_at": "investigating_at",
    "root_cause_found_at": "root_cause_found_at",
    "mitigated_at": "mitigated_at",
    "resolved_at": "resolved_at",
    "closed_at": "closed_at",
}

#: Two sources that are farther apart on one stamp disagree.
DISAGREE = timedelta(minutes=15)


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One incident: `row` says what it shows, under the id of its first record; `sources` where each of its stamps comes from;
    `conflicts` which other sources disagree on a stamp by more than 15 minutes, each as stamp, own source, other source."""

    row: Truth
    records: tuple[tuple[str, str, int], ...]
    sources: Mapping[str, str]
    conflicts: frozenset[tuple[str, str, str]] = frozenset()


def incidents_of(
    truth: Sequence[Truth], groups: Iterable[Sequence[Record]], cases: Mapping[Record, Case]
) -> list[Incident]:
    """The incidents at the instant of `truth`; `groups` are the records that links join by then. Deleted records are in none."""
    present = [row for row in truth if not row.deleted]
    joined = _joined(present, groups)
    together: dict[tuple[Record, int], list[Truth]] = {}
    for row in present:
        # Links, merges and flaps hold for the first episode; later ones are incidents of their own.
        key = (joined[_record(row)], 1) if row.episode == 1 else (_record(row), row.episode)
        together.setdefault(key, []).append(row)
    return [_incident(rows, cases) for rows in together.values()]


def _record(row: Truth) -> Record:
    return row.tool, row.external_id


def _joined(rows: Sequence[Truth], groups: Iterable[Sequence[Record]]) -> dict[Record, Record]:
    """Each record with one that stands for all that belong together."""
    name = {_record(row): _record(row) for row in rows}
    pairs = [(group[0], other) for group in groups for other in group[1:]]
    pairs += [(_record(row), (row.tool, other)) for row in rows for other in (row.duplicate_of, row.flap_of) if other]
    for one, other in pairs:
        if one in name and other in name:
            old, new = name[one], name[other]
            name = {record: new if known == old else known for record, known in name.items()}
    return name


def _incident(rows: Sequence[Truth], cases: Mapping[Record, Case]) -> Incident:
    pages = {page for row in rows for page in cases[_record(row)].pages}
    ordered = sorted(rows, key=lambda row: _place(row, pages))
    first = ordered[0]
    records = tuple((row.source, row.external_id, row.episode) for row in rows)
    # What was merged is in the counted stamps of its target already; what came back is a part of the first record's history.
    told = [row for row in ordered if row is first or not (row.duplicate_of or row.flap_of)]
    if len(told) == 1:
        return Incident(
            row=first, records=records, sources={stamp: first.source for stamp in STAMPS if _stamp(first, stamp)}
        )
    full = [row for row in told if row is first or row.external_id not in pages]
    tickets = sorted(full, key=lambda row: not _is_ticket(row))
    paged = [row for row in told if _rank(row) == 0] or told
    # What is asked for a stamp that has a best of its kind, and not merely a first one to know.
    asked = {
        "occurred_at": tickets,
        "detected_at": [row for row in full if not _is_ticket(row)] or full,
        "acknowledged_at": paged,
        "resolved_at": [row for row in full if _rank(row) == min(map(_rank, full))],
    }
    chosen = {
        "occurred_at": _first(tickets, "occurred_at"),
        "detected_at": _earliest(asked["detected_at"], "detected_at"),
        "acknowledged_at": _earliest(asked["acknowledged_at"], "acknowledged_at"),
        **{
            stamp: _first([row for row in order if not _is_copied(row, stamp, cases)], stamp)
            for stamp, order in (
                ("investigating_at", full),
                ("root_cause_found_at", tickets),
                ("mitigated_at", full),
                ("closed_at", tickets),
            )
        },
        "resolved_at": _latest(asked["resolved_at"], "resolved_at"),
    }
    values = {STAMPS[stamp]: row and _stamp(row, stamp) for stamp, row in chosen.items()}
    ended = chosen["resolved_at"]
    severe = next((row for row in full if row.severity_source == "priority"), first)
    row = msgspec.structs.replace(
        first,
        **values,
        severity=severe.severity,
        severity_source=severe.severity_source,
        team=next((row.team for row in full if row.team), None),
        first_resolved_at=(ended or first).first_resolved_at,
        resolution_kind=ended.resolution_kind if ended else None,
        affected_users=max((row.affected_users for row in full if row.affected_users is not None), default=None),
        revenue_impact=max((row.revenue_impact for row in full if row.revenue_impact is not None), default=None),
    )
    return Incident(
        row=row,
        records=records,
        sources={stamp: row.source for stamp, row in chosen.items() if row},
        conflicts=frozenset(
            (stamp, best.source, other.source)
            for stamp, rows in asked.items()
            if (best := chosen[stamp])
            for other in _with(rows, stamp)
            if other.source != best.source and abs(_at(other, stamp) - _at(best, stamp)) > DISAGREE
        ),
    )


def _place(row: Truth, pages: set[str]) -> tuple[object, ...]:
    """Where a record stands among those of its incident: a pager before a ticket before a monitor, then what began first."""
    return (
        bool(row.flap_of),
        bool(row.duplicate_of),
        row.external_id in pages,
        _rank(row),
        row.detected_at,
        row.source,
        row.external_id,
    )


def _is_ticket(row: Truth) -> bool:
    return TOOLS[row.tool].is_desk


def _rank(row: Truth) -> int:
    """A pager goes before a ticket before a monitor."""
    return 2 if TOOLS[row.tool].group_key else int(_is_ticket(row))


def _is_copied(row: Truth, stamp: str, cases: Mapping[Record, Case]) -> bool:
    """Whether an integration wrote the stamp into a ticket: all but the close of those that it opened."""
    return _is_ticket(row) and cases[_record(row)].story == "linked" and stamp != "closed_at"


def _stamp(row: Truth, stamp: str) -> datetime | None:
    found: datetime | None = getattr(row, STAMPS[stamp])
    return found


def _at(row: Truth, stamp: str) -> datetime:
    found = _stamp(row, stamp)
    assert found is not None
    return found


def _with(rows: Iterable[Truth], stamp: str) -> list[Truth]:
    return [row for row in rows if _stamp(row, stamp) is not None]


def _first(rows: Iterable[Truth], stamp: str) -> Truth | None:
    return next(iter(_with(rows, stamp)), None)


def _earliest(rows: Iterable[Truth], stamp: str) -> Truth | None:
    return min(_with(rows, stamp), key=attrgetter(STAMPS[stamp]), default=None)


def _latest(rows: Iterable[Truth], stamp: str) -> Truth | None:
    return max(_with(rows, stamp), key=attrgetter(STAMPS[stamp]), default=None)
