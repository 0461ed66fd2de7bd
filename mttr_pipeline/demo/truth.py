"""What the pipeline must find, folded straight from the facts: the answer key for end-to-end tests.

It shares no code with the pipeline and never looks at a rendered payload.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from mttr_pipeline.demo import company
from mttr_pipeline.demo.facts import Case, Fact

Cases = Mapping[tuple[str, str], Case]

SOURCE = {"jira-dc": "jira"}
SEVERITY = {"P1": "SEV1", "P2": "SEV2", "P3": "SEV3", "P4": "SEV4", "P5": "SEV4"}

#: A reopen later than this after the resolve begins a new episode.
SAME_EPISODE = timedelta(hours=24)

#: What counts as taking the issue on a Jira desk: a person as assignee, or the first status in progress.
_JIRA_TAKEN = ("acknowledged", "investigating", "root_cause", "mitigated")


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """One episode of one vendor record. Stamps are None where the vendor's data cannot show them.

    detected_at and acknowledged_at are the record's own; the counted_ pair is what the incident shows once merged
    records are counted under it (the earliest of the members).
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
    duplicate_of: str | None = None
    flap_of: str | None = None
    deleted: bool = False
    counted_detected_at: datetime
    counted_acknowledged_at: datetime | None = None


def fold(case: Case, now: datetime, cases: Cases) -> list[Truth]:
    """The episodes of one case at `now`; none when it does not exist yet or is no incident."""
    facts = case.until(now)
    retyped = next((fact.value for fact in reversed(facts) if fact.kind == "retyped"), case.issue_type)
    if not facts or retyped != "incident":
        return []
    episodes = _episodes(facts)
    return [_row(case, facts, episode, number, now, cases) for number, episode in enumerate(episodes, start=1)]


def _episodes(facts: list[Fact]) -> list[list[Fact]]:
    """Split where a case comes back later than a day after it was resolved."""
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
    priority = next((fact.value for fact in reversed(facts) if fact.kind == "priority"), case.priority)
    severity, origin = severity_of(case, priority)
    service = next((fact.value for fact in reversed(facts) if fact.kind == "service"), case.service)
    ends = [fact for fact in episode if fact.kind in ("resolved", "merged", "duplicate")]
    is_open = not ends or any(fact.kind == "reopened" and fact.at > ends[-1].at for fact in episode)
    reopened = [fact.at for fact in episode[1:] if fact.kind == "reopened"]
    duplicate = next((fact.value for fact in facts if fact.kind in ("merged", "duplicate")), None)
    acks = [fact.at for fact in episode if fact.kind == "acknowledged"]
    taken = [fact.at for fact in episode if fact.kind in _JIRA_TAKEN] if case.tool.startswith("jira") else acks
    detected = episode[0].at
    acknowledged = min(taken, default=None)
    members = [(detected, acknowledged)]
    if number == 1:
        members += _absorbed(case, facts, now, cases)
    jira = case.tool.startswith("jira")
    return Truth(
        source=SOURCE.get(case.tool, case.tool),
        tool=case.tool,
        external_id=case.id,
        episode=number,
        title=case.title,
        service=service,
        # A Jira issue names no team but the one among the responders of a major incident.
        team=company.SERVICES_BY_NAME[service].team if case.major or not jira else None,
        kind="false_alarm" if case.story == "false_alarm" and not is_open else "incident",
        severity=severity,
        severity_source=origin,
        occurred_at=_occurred(case) if number == 1 else None,
        detected_at=detected,
        acknowledged_at=acknowledged,
        investigating_at=_first(episode, "investigating") if jira else None,
        # The classic Data Center workflow has no status for a found cause.
        root_cause_found_at=None if case.tool == "jira-dc" else _first(episode, "root_cause"),
        mitigated_at=_first(episode, "mitigated"),
        first_resolved_at=ends[0].at if ends else None,
        resolved_at=None if is_open else ends[-1].at,
        closed_at=_closed(case, episode, reopened),
        reopen_count=len(reopened),
        ack_count=len(acks),
        resolution_kind=None if is_open or ends[-1].kind != "resolved" else ends[-1].value,
        duplicate_of=duplicate,
        flap_of=case.flap_of or None,
        deleted=any(fact.kind == "deleted" for fact in facts),
        counted_detected_at=min(detection for detection, _ in members),
        counted_acknowledged_at=min((ack for _, ack in members if ack), default=None),
    )


def severity_of(case: Case, priority: str) -> tuple[str, str]:
    """The severity the tool's data lead to, and which field says so."""
    if case.tool == "jira-dc":
        return case.severity, "field"  # this site has a Severity field of its own; the priority does not count
    if not priority:
        return ("SEV1" if case.urgency == "high" else "SEV3"), "urgency"
    severity = SEVERITY[priority]
    return (min(severity, "SEV2") if case.major else severity), "priority"


def _occurred(case: Case) -> datetime | None:
    """An Opsgenie incident always says when its impact began; if nobody knew better, at its creation."""
    return case.impact_start or (case.created if case.tool == "opsgenie_incident" else None)


def _first(facts: list[Fact], kind: str) -> datetime | None:
    return next((fact.at for fact in facts if fact.kind == kind), None)


def _closed(case: Case, episode: list[Fact], reopened: list[datetime]) -> datetime | None:
    """Only desks and Opsgenie incidents have a close of their own, and reopening clears it."""
    if case.tool in ("pagerduty", "opsgenie", "jsm"):
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
