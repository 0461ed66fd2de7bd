"""The definitions once more, in plain Python: what the SQL is held against.

Written from the definition page, not from the SQL, and on purpose by other means: one record at a time through a state
machine, exact fractions instead of floating point, loops instead of joins. Slow and short. Instants and durations are
integers, microseconds since 1970.

    fold(records, events, as_of)      events -> incidents, with episodes, flaps, merges
    calculate(incidents, ...)         the calculation, every exclusion named
    breakdown(incidents, ...)         phases of one model
    phase_model(incidents)            which model `auto` means
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

STAMPS = (
    "occurred",
    "detected",
    "acknowledged",
    "investigating",
    "root_cause_found",
    "mitigated",
    "resolved",
    "closed",
)
RANK = {name: place for place, name in enumerate(STAMPS)} | {"reopened": 8}
VARIANTS = {
    "basic": ("detected", "resolved"),
    "service_restore": ("detected", "mitigated"),
    "full_recovery": ("detected", "closed"),
}
PHASES = {
    "lifecycle": (
        ("detection", "occurred", "detected"),
        ("acknowledgment", "detected", "acknowledged"),
        ("investigation", "acknowledged", "root_cause_found"),
        ("mitigation", "root_cause_found", "mitigated"),
        ("resolution", "mitigated", "resolved"),
        ("closure", "resolved", "closed"),
    ),
    "coarse": (
        ("detection", "occurred", "detected"),
        ("acknowledgment", "detected", "acknowledged"),
        ("investigation", "acknowledged", "mitigated"),
        ("mitigation", "mitigated", "resolved"),
        ("closure", "resolved", "closed"),
    ),
}
MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
YEAR_2000 = 946_684_800_000_000
NAMESPACE = uuid.UUID("7d1c4a0e-2f0b-5c1a-9a7d-5e0b3c9f6a41")


@dataclass(frozen=True)
class Event:
    """One entry of a record's history. `at` is None when its instant could not be read as one of this era."""

    record: str
    event_id: str
    type: str
    at: int | None
    provenance: str = "api"
    actor_kind: str | None = None
    severity_from: str | None = None
    severity_to: str | None = None


@dataclass(frozen=True)
class Record:
    """What a vendor record says about itself. `service` and `team` are the names after all aliases."""

    external_id: str
    source: str = "custom"
    kind: str = "incident"
    severity: str = "SEV3"
    service: str | None = None
    team: str | None = None
    duplicate_of: str | None = None
    dedup_key: str | None = None
    resolution_kind: str | None = None
    over: str | None = None  # resolved or closed, where the record says that it is over
    is_dated: bool = False  # it says when it changed last


@dataclass
class Incident:
    """One row: an episode of a record. Stamps by name in `at`, their origin in `provenance`."""

    incident_id: str
    record: Record
    episode: int = 1
    recurrence_of: str | None = None
    duplicate_of: str | None = None
    at: dict[str, int] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)
    first_resolved: int | None = None
    last_reopen: int | None = None
    status: str = "detected"
    reopen_count: int = 0
    flap_count: int = 0
    ack_count: int = 0
    active_us: int | None = None
    resolution_kind: str | None = None
    auto_resolved: bool = False
    severity_first: str = "SEV3"
    severity_max: str = "SEV3"

    @property
    def counts(self) -> bool:
        """Duplicates and non-incidents are in no figure."""
        return self.duplicate_of is None and self.record.kind == "incident"

    @property
    def started(self) -> int:
        """What decides the window: detected, else the first stamp."""
        return self.at["detected"] if "detected" in self.at else min(self.at.values())


def incident_id(source: str, external_id: str, episode: int = 1) -> str:
    parts = [source, external_id] + ([str(episode)] if episode > 1 else [])
    return str(uuid.uuid5(NAMESPACE, "\x1f".join(parts)))


# --- the fold ---------------------------------------------------------------------------------------------------------


def fold(
    records: Iterable[Record], events: Iterable[Event], as_of: int, reopen: int = 24 * HOUR, flap: int = 10 * MINUTE
) -> list[Incident]:
    """Every incident that the events tell of, duplicates and non-incidents among them (all of one source)."""
    known = {record.external_id: record for record in records}
    history: dict[str, list[Event]] = {external_id: [] for external_id in known}
    ends_later: set[str] = set()
    for event in events:
        if event.type in ("resolved", "closed") and (event.at is None or event.at > as_of + 5 * MINUTE):
            ends_later.add(event.record)
        if event.record in known and event.at is not None and YEAR_2000 <= event.at <= as_of + 5 * MINUTE:
            history[event.record].append(event)
    came_back = _flaps(known, history, flap)
    incidents: list[Incident] = []
    for root in known.values():
        if root.external_id in came_back:
            continue
        told = list(history[root.external_id])
        for member, first in came_back.items():
            if first == root.external_id:
                told += [replace(e, type="flap") if e.type == "detected" else e for e in history[member]]
        found = _episodes(root, told, as_of, reopen)
        members = [root, *(known[member] for member, first in came_back.items() if first == root.external_id)]
        is_told_now = root.is_dated or root.external_id not in ends_later
        if found and all(member.over for member in members) and "resolved" not in found[-1].at and is_told_now:
            found[-1].status, found[-1].active_us = root.over or "", None  # over at an unknown time
        incidents += found
    _merge(known, came_back, incidents)
    for incident in incidents:
        if incident.active_us is not None and incident.active_us < 0:
            incident.active_us = None  # an end before the start is no time
    return incidents


def _flaps(known: dict[str, Record], history: dict[str, list[Event]], flap: int) -> dict[str, str]:
    """Record that came back -> the record it is counted under."""
    rows: dict[tuple[str, str | None], list[tuple[int, str, float]]] = {}
    for external_id, record in known.items():
        detected = [e.at for e in history[external_id] if e.type == "detected" and e.at is not None]
        resolved = [e.at for e in history[external_id] if e.type == "resolved" and e.at is not None]
        if record.dedup_key and record.kind == "incident" and record.duplicate_of is None and detected:
            row = (min(detected), external_id, max(resolved) if resolved else math.inf)
            rows.setdefault((record.dedup_key, record.service), []).append(row)
    found: dict[str, str] = {}
    for row in rows.values():
        root, over = "", -math.inf
        for began, external_id, ended in sorted(row):
            if began - over <= flap:
                found[external_id] = root
            else:
                root = external_id
            over = max(over, ended)
    return found


@dataclass
class _State:
    """One episode while its events are read."""

    incident: Incident
    fields: dict[str, Event] = field(default_factory=dict)
    told: dict[str, Event] = field(default_factory=dict)
    first_resolved: int | None = None
    reopened_at: int | None = None  # the reopen that began the episode
    last_reopen: int | None = None
    active: int = 0
    open_since: int | None = None
    changes: list[Event] = field(default_factory=list)
    last: dict[str, int] = field(default_factory=dict)


def _episodes(record: Record, events: list[Event], as_of: int, reopen: int) -> list[Incident]:
    """The state machine over one record's events, in the order of the definition."""

    def order(event: Event) -> tuple[Any, ...]:
        rank = RANK["reopened"] if event.type == "flap" else RANK.get(event.type, 9)
        if event.type == "reopened" and event.provenance == "derived":
            rank = -1  # inferred from what was done at that instant, so it comes before that
        # two of a kind at one instant: the better origin first; which of them counts changes no duration
        origin = ("field", "api", "changelog", "derived").index(event.provenance)
        actor = ("human", "integration", "timeout").index(event.actor_kind) + 1 if event.actor_kind else 0
        stamp = (origin, actor) if event.type in STAMPS else ()
        return (event.at, rank, stamp, event.record, event.event_id)

    ordered = sorted(events, key=order)
    states = [_State(Incident(incident_id(record.source, record.external_id), record))]
    is_done, done_at, closed_at = False, None, None  # of the stretch between two reopens
    first_close: int | None = None
    index = 0
    while index < len(ordered):
        event = ordered[index]
        index += 1
        at = event.at
        assert at is not None
        state = states[-1]
        machine = event.provenance != "field"
        if event.type in ("reopened", "flap") and machine:
            if is_done:
                over = done_at if done_at is not None else closed_at
                assert over is not None
                if done_at is None and first_close is not None:  # a close alone stands for the resolve
                    state.first_resolved = min(first_close, state.first_resolved or first_close)
                if event.type == "reopened" and at - over > reopen:
                    number = len(states) + 1
                    state = _State(Incident(incident_id(record.source, record.external_id, number), record, number))
                    state.incident.recurrence_of = states[0].incident.incident_id
                    state.reopened_at = at
                    # what happened at that very instant belongs to the new episode, except an end of the old one
                    moved = [e for e in ordered[: index - 1] if e.at == at and order(e)[1] < RANK["resolved"]]
                    for earlier in moved:
                        _forget(states[-1], earlier)
                    states.append(state)
                    for earlier in moved:
                        _take(state, earlier)
                else:
                    state.incident.reopen_count += event.type == "reopened"
                    state.incident.flap_count += event.type == "flap"
                    state.told.pop("resolved", None)
                    state.told.pop("closed", None)
                    state.last_reopen = at
                    state.open_since = at
            is_done, done_at, closed_at, first_close = False, None, None, None
        elif event.type in ("resolved", "closed") and machine:
            if not is_done and state.open_since is not None:
                state.active += at - state.open_since
                state.open_since = None
            elif not is_done:
                state.active += at  # minus the detection, once that is known
            is_done = True
            if event.type == "resolved":
                done_at = at
            else:
                closed_at, first_close = at, at if first_close is None else first_close
        if event.type == "severity_changed":
            state.changes.append(event)
        _take(state, event)
    return [found for state in states for found in [_finished(state, as_of)] if found is not None]


def _take(state: _State, event: Event) -> None:
    at = event.at
    assert at is not None
    if event.type not in STAMPS:
        return
    state.last[event.type] = at
    if event.type == "resolved" and (state.first_resolved is None or at < state.first_resolved):
        state.first_resolved = at
    if event.type == "acknowledged" and event.provenance != "field":
        state.incident.ack_count += 1
    kept = state.fields if event.provenance == "field" else state.told
    if event.type in ("resolved", "closed") or event.type not in kept:
        kept[event.type] = event  # the last end, the first of everything else


def _forget(state: _State, event: Event) -> None:
    """Take back what was just read at the instant of a late reopen; events come in order, so it was read last."""
    kept = state.fields if event.provenance == "field" else state.told
    if kept.get(event.type) is event:
        del kept[event.type]
    if event.type == "acknowledged" and event.provenance != "field":
        state.incident.ack_count -= 1


def _finished(state: _State, as_of: int) -> Incident | None:
    incident, record = state.incident, state.incident.record
    for name in STAMPS:
        event = state.fields.get(name) or state.told.get(name)
        if event is not None and event.at is not None:
            incident.at[name], incident.provenance[name] = event.at, event.provenance
    if state.reopened_at is not None and "detected" not in state.fields:
        incident.at["detected"], incident.provenance["detected"] = state.reopened_at, "derived"
    if "closed" in incident.at and "resolved" not in incident.at:
        incident.at["resolved"], incident.provenance["resolved"] = incident.at["closed"], "imputed"
    if not incident.at:
        return None
    ends = state.told.get("resolved") or state.fields.get("resolved")
    said = record.resolution_kind or (ends.actor_kind if ends else None)
    incident.resolution_kind = said if "resolved" in incident.at else None
    incident.auto_resolved = incident.resolution_kind in ("integration", "timeout")
    ends_at = [at for at in (state.first_resolved, incident.at.get("resolved")) if at is not None]
    incident.first_resolved = min(ends_at, default=None)
    if "acknowledged" in state.fields:
        incident.ack_count = max(incident.ack_count, 1)
    incident.active_us = _active(state, as_of)
    incident.status, incident.last_reopen = _status(state), state.last_reopen
    worse = [s for e in state.changes for s in (e.severity_from, e.severity_to) if s]
    begun = [(e.at, e.severity_from) for e in state.changes if e.severity_from]
    incident.severity_first = min(begun)[1] if begun else record.severity
    incident.severity_max = min([record.severity, *worse])
    return incident


def _active(state: _State, as_of: int) -> int | None:
    at = state.incident.at
    if "detected" not in at:
        return None
    if state.last_reopen is None:
        return at.get("resolved", as_of) - at["detected"]
    return state.active + (as_of - state.open_since if state.open_since is not None else 0) - at["detected"]


def _status(state: _State) -> str:
    """How far the work is; after a reopen only what happened since then says so."""
    at = state.incident.at
    if "closed" in at or "resolved" in at:
        return "closed" if "closed" in at else "resolved"
    since = state.last_reopen if state.last_reopen is not None else -math.inf
    for status, names in (
        ("mitigated", ("mitigated",)),
        ("investigating", ("investigating", "root_cause_found")),
        ("acknowledged", ("acknowledged",)),
    ):
        if any(state.last.get(name, -math.inf) >= since and name in state.last for name in names):
            return status
    return "detected"


def _merge(known: dict[str, Record], came_back: dict[str, str], incidents: list[Incident]) -> None:
    """Follow every chain of duplicates to its end; the record there gets the earliest detection and acknowledgement.

    A chain ends before a record that has no incident (unknown, or without any stamp): nothing would count what points at it.
    """
    rows = {(i.record.external_id, i.episode): i for i in incidents}
    present = {external_id for external_id, _ in rows} | came_back.keys()
    groups: dict[str, list[Incident]] = {}
    for record in known.values():
        target, passed = record.external_id, set()
        while target not in passed and known[target].duplicate_of in present - {target}:
            passed.add(target)
            target = known[target].duplicate_of or ""
        if target in passed or target == record.external_id:
            continue  # a circle, or no duplicate
        root = came_back.get(target, target)
        for incident in incidents:
            if incident.record.external_id == record.external_id:
                incident.duplicate_of = incident_id(record.source, root)
                if incident.episode == 1:
                    groups.setdefault(root, []).append(incident)
    own = {key: (dict(i.at), dict(i.provenance)) for key, i in rows.items()}
    for root, members in groups.items():
        target_row = rows.get((root, 1))
        if target_row is None:
            continue
        before = target_row.at.get("detected")
        for name in ("detected", "acknowledged"):
            lent = [
                (own[(m.record.external_id, 1)][0][name], own[(m.record.external_id, 1)][1][name])
                for m in members
                if name in own[(m.record.external_id, 1)][0]
            ]
            if lent and (name not in target_row.at or min(lent)[0] < target_row.at[name]):
                target_row.at[name], target_row.provenance[name] = min(lent)
            after = target_row.last_reopen if target_row.last_reopen is not None else -math.inf
            if name == "acknowledged" and target_row.status == "detected" and any(at >= after for at, _ in lent):
                target_row.status = "acknowledged"
        if target_row.active_us is not None and before is not None:
            target_row.active_us += before - target_row.at["detected"]


# --- the calculation --------------------------------------------------------------------------------------------------


def population(
    at: dict[str, int], start: str, end: str, limit: Fraction | None, status: str = "detected"
) -> tuple[str, int | None]:
    """Which of the six an incident is, the first that applies, and its duration."""
    if start not in at:
        return "missing_start", None
    if end not in at:
        later = STAMPS[STAMPS.index(end) :]
        is_over = status in ("resolved", "closed") or any(name in at for name in later)
        return ("missing_end" if is_over else "open"), None
    duration = at[end] - at[start]
    if duration < 0 or (end == "acknowledged" and "resolved" in at and at["resolved"] < at[end]):
        return "invalid", None
    if limit is not None and duration > limit:
        return "outlier", duration
    return "analysed", duration


def matching(
    incidents: Iterable[Incident],
    severities: Sequence[str] | None = None,
    services: Sequence[str] | None = None,
    teams: Sequence[str] | None = None,
    window: tuple[int | None, int | None] = (None, None),
) -> list[Incident]:
    """The incidents that a calculation looks at. No filter is all; an empty list matches nothing."""
    found = []
    for i in incidents:
        within = (window[0] is None or i.started >= window[0]) and (window[1] is None or i.started < window[1])
        if (
            i.counts
            and within
            and (severities is None or i.record.severity in severities)
            and (services is None or (i.record.service or "unknown") in services)
            and (teams is None or (i.record.team or "unknown") in teams)
        ):
            found.append(i)
    return found


def calculate(
    incidents: Iterable[Incident],
    start: str = "detected",
    end: str = "resolved",
    outlier_hours: float | Fraction | None = 168,
) -> dict[str, Any]:
    """The calculation over incidents that match. `outlier_hours` None: the outlier rule is off."""
    limit = None if outlier_hours is None else Fraction(str(outlier_hours)) * HOUR
    placed = [population(i.at, start, end, limit, i.status) for i in incidents]
    counts = {
        name: sum(kind == name for kind, _ in placed)
        for name in ("missing_start", "missing_end", "open", "invalid", "outlier")
    }
    durations = sorted(us for kind, us in placed if kind == "analysed" and us is not None)
    outliers = sum(us for kind, us in placed if kind == "outlier" and us is not None)
    n, total = len(durations), sum(durations)
    return {
        "incidents_matched": len(placed),
        "incidents_analyzed": n,
        "incidents_excluded": sum(counts.values()),
        **{f"excluded_{name}": count for name, count in counts.items()},
        "mean_minutes": minutes(Fraction(total, n)) if n else None,
        "median_minutes": minutes(percentile(durations, Fraction(1, 2))),
        "p90_minutes": minutes(percentile(durations, Fraction(90, 100))),
        "p95_minutes": minutes(percentile(durations, Fraction(95, 100))),
        "p99_minutes": minutes(percentile(durations, Fraction(99, 100))),
        "min_minutes": minutes(durations[0]) if n else None,
        "max_minutes": minutes(durations[-1]) if n else None,
        "std_dev_minutes": std_dev(durations),
        "outlier_minutes_share": float(Fraction(outliers, total + outliers)) if total + outliers else None,
    }


def minutes(us: Fraction | int | None) -> float | None:
    return None if us is None else float(Fraction(us) / MINUTE)


def percentile(ordered: Sequence[int], p: Fraction) -> Fraction | None:
    """Linear between the two neighbours of place (n - 1) p."""
    if not ordered:
        return None
    place = (len(ordered) - 1) * p
    low = math.floor(place)
    high = math.ceil(place)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def std_dev(values: Sequence[int]) -> float | None:
    """Sample standard deviation in minutes; None for fewer than two."""
    n = len(values)
    if n < 2:
        return None
    mean = Fraction(sum(values), n)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1) / MINUTE**2)


# --- phases -----------------------------------------------------------------------------------------------------------


def phase_model(incidents: Iterable[Incident]) -> str:
    """What `auto` means: at least half of the incidents with ack and mitigated also carry the root cause."""
    both = [i for i in incidents if i.counts and {"acknowledged", "mitigated"} <= i.at.keys()]
    return "lifecycle" if both and 2 * sum("root_cause_found" in i.at for i in both) >= len(both) else "coarse"


def breakdown(
    incidents: Iterable[Incident],
    model: str,
    start: str = "detected",
    end: str = "resolved",
    outlier_hours: float | None = 168,
) -> dict[str, dict[str, Any]]:
    """Phase -> figures, over incidents that match; the outliers of the variant are left out."""
    limit = None if outlier_hours is None else Fraction(str(outlier_hours)) * HOUR
    chosen = [i for i in incidents if population(i.at, start, end, limit)[0] != "outlier"]
    phases = PHASES[model]
    recovered = sum("resolved" in i.at for i in chosen)
    kinds = {
        prefix: _complete(chosen, phases[first:])
        for prefix, first in (("", 1), ("from_occurred_", 0))  # from detected, which is where the second phase begins
    }
    means: dict[str, Fraction] = {}
    found: dict[str, dict[str, Any]] = {}
    for name, a, b in phases:
        durations = [
            # too late for an acknowledgement: invalid
            -1 if name == "acknowledgment" and i.at[b] > i.at.get("resolved", math.inf) else i.at[b] - i.at[a]
            for i in chosen
            if a in i.at and b in i.at
        ]
        valid = sorted(us for us in durations if us >= 0)
        if valid:
            means[name] = Fraction(sum(valid), len(valid))
        found[name] = {
            "n": len(valid),
            "mean_minutes": minutes(means.get(name)),
            "median_minutes": minutes(percentile(valid, Fraction(1, 2))),
            "total_minutes": minutes(sum(valid)) if valid else None,
            "invalid": len(durations) - len(valid),
            "pct_of_means": None,
        }
        for prefix, complete in kinds.items():
            inside = name != "closure" and (name != "detection" or prefix)
            pooled = sum(i.at["resolved"] - i.at["occurred" if prefix else "detected"] for i in complete)
            share = sum(i.at[b] - i.at[a] for i in complete) if inside else 0
            covered = float(Fraction(100 * len(complete), recovered)) if inside and recovered else None
            found[name] |= {
                f"{prefix}share_pct": float(100 * Fraction(share, pooled)) if inside and pooled else None,
                f"{prefix}share_n": len(complete) if inside else None,
                f"{prefix}coverage_pct": covered,
            }
    four = ("detection", "acknowledgment", "investigation", "mitigation")
    whole = sum(means.get(name, Fraction(0)) for name in four)
    for name in four:
        if name in means and whole:
            found[name]["pct_of_means"] = float(100 * means[name] / whole)
    return found


def _complete(incidents: Iterable[Incident], phases: Sequence[tuple[str, str, str]]) -> list[Incident]:
    """Those with every boundary of the phases up to resolved, not decreasing."""
    boundaries = [phases[0][1]] + [to for name, _, to in phases if name != "closure"]
    return [
        i
        for i in incidents
        if all(name in i.at for name in boundaries) and all(i.at[a] <= i.at[b] for a, b in pairwise(boundaries))
    ]
