"""What the pipeline must find, derived from the facts: the expected results of the end-to-end tests.

This module shares no code with the pipeline and reads no rendered payload.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from mttr_pipeline.demo import company
from mttr_pipeline.demo.facts import Case, Fact
from mttr_pipeline.demo.registry import TOOLS

Cases = Mapping[tuple[str, str], Case]

#: Kind of fact -> the timestamp it sets.
STAGES = {"investigating": "investigating_at", "root_cause": "root_cause_found_at", "mitigated": "mitigated_at"}
SEVERITY = {"P1": "SEV1", "P2": "SEV2", "P3": "SEV3", "P4": "SEV4", "P5": "SEV4"}

#: A reopen later than this after the resolve begins a new episode.
SAME_EPISODE = timedelta(hours=24)


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """One episode of one vendor record. A timestamp is None where the vendor's data cannot show it.

    detected_at and acknowledged_at are the record's own. The counted_ pair is what the incident shows once merged records
    count under it: the earliest of the members.
    """

    source: str
    tool: str
    external_id: str
    episode: int
    title: str
    service: str
    team: str | None
    kind: str
    severity: str
    severity_source: str
    occurred_at: datetime | None = None
    detected_at: datetime
    acknowledged_at: datetime | None = None
    investigating_at: datetime | None = None
    root_cause_found_at: datetime | None = None
    mitigated_at: datetime | None = None
    first_resolved_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    reopen_count: int = 0
    ack_count: int = 0
    resolution_kind: str | None = None
    affected_users: int | None = None
    revenue_impact: float | None = None
    duplicate_of: str | None = None
    flap_of: str | None = None
    deleted: bool = False
    counted_detected_at: datetime
    counted_acknowledged_at: datetime | None = None


def truth_of(case: Case, now: datetime, cases: Cases) -> list[Truth]:
    """The episodes of one case at `now`; none when it does not exist yet or is no incident."""
    facts = case.until(now)
    retyped = next((fact.value for fact in reversed(facts) if fact.kind == "retyped"), case.issue_type)
    if not facts or retyped != "incident":
        return []
    episodes = _episodes(facts)
    return [_row(case, facts, episode, number, now, cases) for number, episode in enumerate(episodes, start=1)]


def _episodes(facts: list[Fact]) -> list[list[Fact]]:
    """The facts of each episode: a case reopened more than a day after its resolve begins a new one."""
    episodes: list[list[Fact]] = [[]]
    resolved: datetime | None = None
    for fact in facts:
        if fact.kind == "reopened" and resolved and fact.at - resolved > SAME_EPISODE:
            episodes.append([])
        if fact.kind in ("resolved", "merged", "duplicate"):
            resolved = fact.at
        episodes[-1].append(fact)
    return episodes


def _row(case: Case, facts: list[Fact], episode: list[Fact], number: int, now: datetime, cases: Cases) -> Truth:
    tool = TOOLS[case.tool]
    priority = next((fact.value for fact in reversed(facts) if fact.kind == "priority"), case.priority)
    severity, origin = severity_of(case, priority)
    service = next((fact.value for fact in reversed(facts) if fact.kind == "service"), case.service)
    ends = [fact for fact in episode if fact.kind in ("resolved", "merged", "duplicate")]
    is_open = not ends or any(fact.kind == "reopened" and fact.at > ends[-1].at for fact in episode)
    reopened = [fact.at for fact in episode[1:] if fact.kind == "reopened"]
    duplicate = next((fact.value for fact in facts if fact.kind in ("merged", "duplicate")), None)
    acks = [fact.at for fact in episode if fact.kind == "acknowledged"]
    taken = [fact.at for fact in episode if fact.kind in tool.taken_by]
    detected = episode[0].at
    acknowledged = min(taken, default=None)
    members = [(detected, acknowledged)]
    if number == 1:
        members += _absorbed(case, facts, now, cases)
    return Truth(
        source=tool.source,
        tool=case.tool,
        external_id=case.id,
        episode=number,
        title=case.title,
        service=service,
        team=company.SERVICES_BY_NAME[service].team if case.major or tool.names_team else None,
        kind="false_alarm" if case.story == "false_alarm" and not is_open else "incident",
        severity=severity,
        severity_source=origin,
        occurred_at=_occurred(case) if number == 1 else None,
        detected_at=detected,
        acknowledged_at=acknowledged,
        **{column: _first(episode, kind) for kind, column in STAGES.items() if kind in tool.stages},
        first_resolved_at=ends[0].at if ends else None,
        resolved_at=None if is_open else ends[-1].at,
        closed_at=_closed(case, episode, reopened),
        reopen_count=len(reopened),
        ack_count=len(acks),
        resolution_kind=None if is_open or ends[-1].kind != "resolved" else ends[-1].value,
        affected_users=case.users,
        revenue_impact=case.revenue,
        duplicate_of=duplicate,
        flap_of=case.flap_of or None,
        deleted=any(fact.kind == "deleted" for fact in facts),
        counted_detected_at=min(detection for detection, _ in members),
        counted_acknowledged_at=min((ack for _, ack in members if ack), default=None),
    )


def severity_of(case: Case, priority: str) -> tuple[str, str]:
    """The severity that follows from the tool's data, and the field that says so."""
    if TOOLS[case.tool].has_severity:
        return case.severity, "field"
    if not priority:
        return ("SEV1" if case.urgency == "high" else "SEV3"), "urgency"
    severity = SEVERITY[priority]
    return ("SEV2", "major_incident") if case.major and severity > "SEV2" else (severity, "priority")


def _occurred(case: Case) -> datetime | None:
    """The start of the impact as the record shows it."""
    return case.impact_start or (case.created if TOOLS[case.tool].impact_start_is_creation else None)


def _first(facts: list[Fact], kind: str) -> datetime | None:
    return next((fact.at for fact in facts if fact.kind == kind), None)


def _closed(case: Case, episode: list[Fact], reopened: list[datetime]) -> datetime | None:
    """The last close, where closing is a step of its own; a reopen clears it."""
    if not TOOLS[case.tool].has_close:
        return None
    return next(
        (fact.at for fact in reversed(episode) if fact.kind == "closed" and all(fact.at > at for at in reopened)), None
    )


def _absorbed(case: Case, facts: list[Fact], now: datetime, cases: Cases) -> list[tuple[datetime, datetime | None]]:
    """Detection and first acknowledgement of the records merged into this one."""
    found = []
    for fact in facts:
        if fact.kind == "absorbed" and (member := cases.get((case.tool, fact.value))):
            acks = [other.at for other in member.until(now) if other.kind == "acknowledged"]
            found.append((member.created, min(acks, default=None)))
    return found
