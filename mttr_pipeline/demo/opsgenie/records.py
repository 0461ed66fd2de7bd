"""Renders cases as Opsgenie's objects: alerts with logs and notes, incidents with timelines, services and teams.

Shapes follow the Opsgenie API reference (Alert API, Incident API) and, for timelines and services, which it does not
describe, payloads that integrations have captured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from mttr_pipeline.demo import company
from mttr_pipeline.demo.facts import Case, Fact, identifier, uuid
from mttr_pipeline.demo.kit.snapshots import Rendering
from mttr_pipeline.demo.kit.wire import epoch_ms, iso_millis

API = "https://api.opsgenie.com"
WEB = "https://fernway.app.opsgenie.com"

#: The fields that only the single alert shows, not the list (API reference, Get alert).
DETAIL_FIELDS = ("details", "description", "entity")

Json = dict[str, Any]


@dataclass(slots=True)
class Book:
    """Everything the account holds at one instant. Logs, notes and timelines by the id of their record."""

    alerts: list[Json]
    incidents: list[Json]
    logs: dict[str, list[Json]] = field(default_factory=dict)
    notes: dict[str, list[Json]] = field(default_factory=dict)
    timelines: dict[str, list[Json]] = field(default_factory=dict)
    services: list[Json] = field(default_factory=list)
    teams: list[Json] = field(default_factory=list)
    #: By the id of an incident: the ids of its alerts under the last word of the path that lists them.
    alerts_of: dict[str, Mapping[str, list[str]]] = field(default_factory=dict)
    answers: dict[Any, Any] = field(default_factory=dict)


@cache
def _id(*parts: object) -> str:
    return uuid(identifier("opsgenie", *parts))


def reference_lists() -> Json:
    """Services and teams of the company that are on Opsgenie."""
    services = [
        {
            "id": _id("service", service.name),
            "name": service.name,
            "description": f"{service.name} in production",
            "teamId": _id("team", service.team),
            "tags": [],
            "isExternal": False,
            "links": {
                "web": f"{WEB}/service/{_id('service', service.name)}/status",
                "api": f"{API}/v1/services/{_id('service', service.name)}",
            },
        }
        for service in company.SERVICES
        if service.tool == "opsgenie"
    ]
    names = sorted({service.team for service in company.SERVICES if service.tool == "opsgenie"})
    teams = [
        {
            "id": _id("team", name),
            "name": name,
            "description": "",
            "links": {
                "web": f"{WEB}/teams/dashboard/{_id('team', name)}",
                "api": f"{API}/v2/teams/{_id('team', name)}",
            },
        }
        for name in names
    ]
    return {"services": services, "teams": teams}


class Renderer:
    """Renders cases as alerts with logs and incidents with timelines, each with its notes."""

    def __init__(self, alerts: Iterable[Case], incidents: Iterable[Case]) -> None:
        self._lists = reference_lists()
        self._alerts = Rendering(
            alerts, lambda case, facts: (_alert(case, facts), _logs(case, facts), _notes(case, facts))
        )
        self._incidents = Rendering(
            incidents, lambda case, facts: (_incident(case, facts), _timeline(case, facts), _notes(case, facts))
        )

    def book(self, now: datetime) -> Book:
        """The account at `now`; deleted records are gone."""
        book = Book([], [], **self._lists)
        for case, (alert, logs, notes) in self._alerts.at(now):
            book.alerts.append(alert)
            book.logs[case.id], book.notes[case.id] = logs, notes
        for case, (incident, timeline, notes) in self._incidents.at(now):
            book.incidents.append(incident)
            book.timelines[case.id], book.notes[case.id] = timeline, notes
            book.alerts_of[case.id] = {"associated-alert-ids": [*case.alerts], "responder-alert-ids": [*case.pages]}
        return book


def _priority(case: Case, facts: list[Fact]) -> str:
    return next((fact.value for fact in reversed(facts) if fact.kind == "priority"), case.priority)


def _team_id(case: Case) -> str:
    return _id("team", company.SERVICES_BY_NAME[case.service].team)


def _email(handle: str) -> str:
    return company.PEOPLE_BY_HANDLE[handle].email


def _alert(case: Case, facts: list[Fact]) -> Json:
    """An alert. Its report holds milliseconds since creation; `acknowledged` is false again once closed."""
    created = case.created
    acks = [fact for fact in facts if fact.kind == "acknowledged"]
    close = next((fact for fact in facts if fact.kind == "resolved"), None)
    taken = next((fact for fact in reversed(facts) if fact.kind in ("acknowledged", "unacknowledged")), None)
    again = facts[-1].at if len(facts) % 3 == 0 and not close else created
    report: Json = {}
    if acks:
        report |= {"ackTime": epoch_ms(acks[0].at) - epoch_ms(created), "acknowledgedBy": _email(acks[0].actor)}
    if close:
        by = _email(close.actor) if close.actor else "Prod Prometheus"
        report |= {"closeTime": epoch_ms(close.at) - epoch_ms(created), "closedBy": by}
    alert: Json = {
        "id": case.id,
        "tinyId": str(case.number),
        "alias": case.key,
        "message": case.title,
        "status": "closed" if close else "open",
        "acknowledged": bool(taken and taken.kind == "acknowledged" and not close),
        "isSeen": bool(acks or close),
        "seen": bool(acks or close),
        "tags": ["prod", f"service:{company.as_written(case.service, case.id)}"],
        "snoozed": False,
        "count": 1 + len(facts) // 3,
        "lastOccurredAt": iso_millis(again),
        "createdAt": iso_millis(created),
        "updatedAt": iso_millis(facts[-1].at),
        "source": "prometheus",
        "owner": _email(acks[-1].actor) if acks else "",
        "priority": _priority(case, facts),
        "teams": [{"id": _team_id(case)}],
        "responders": [{"type": "team", "id": _team_id(case)}],
        "integration": {"id": _id("integration", "prometheus"), "name": "Prod Prometheus", "type": "Prometheus"},
        "ownerTeamId": _team_id(case),
        "actions": [],
        "entity": case.service,
        "description": f"Runbook: https://runbooks.example.com/{company.SERVICES_BY_NAME[case.service].slug}",
        "details": {"service": company.as_written(case.service, case.id), "region": "eu-south-1"},
    }
    if report:
        alert["report"] = report
    return alert


_LOGGED = {
    "created": "Alert created via API[Prod Prometheus]",
    "acknowledged": "Alert acknowledged via web",
    "unacknowledged": "Alert UnAcknowledged via web",
    "priority": "Alert priority updated via web",
}


def _logs(case: Case, facts: list[Fact]) -> list[Json]:
    """The activity log, oldest first. The text is free; the owner is who acted."""
    rows: list[tuple[datetime, str, str, str]] = []
    for fact in facts:
        owner = _email(fact.actor) if fact.actor else "System"
        if fact.kind == "created":
            rows.append((fact.at, _LOGGED["created"], "system", "Prod Prometheus"))
            rows.append(
                (
                    fact.at + timedelta(milliseconds=310),
                    "Notification sent to the on-call user",
                    "alertRecipient",
                    "System",
                )
            )
        elif fact.kind in _LOGGED:
            rows.append((fact.at, _LOGGED[fact.kind], "system", owner))
        elif fact.kind == "resolved":
            text = {
                "human": "Alert closed via web",
                "integration": "Alert closed via API[Prod Prometheus]",
                "timeout": "Alert closed by auto close policy [close after 4 hours]",
            }[fact.value]
            rows.append((fact.at, text, "system", "Prod Prometheus" if fact.value == "integration" else owner))
        elif fact.text:
            rows.append((fact.at, f"Note added: {fact.text}", "note", owner))
    base = epoch_ms(case.created)
    return [
        {"log": text, "type": kind, "owner": owner, "createdAt": iso_millis(at), "offset": _offset(base, at, place)}
        for place, (at, text, kind, owner) in enumerate(rows)
    ]


def _notes(case: Case, facts: list[Fact]) -> list[Json]:
    base = epoch_ms(case.created)
    return [
        {
            "note": fact.text,
            "owner": _email(fact.actor),
            "createdAt": iso_millis(fact.at),
            "offset": _offset(base, fact.at, place),
        }
        for place, fact in enumerate(facts)
        if fact.text and fact.actor
    ]


def _offset(base: int, at: datetime, place: int) -> str:
    """An opaque position, `1492000072838_1492000072838234593`."""
    return f"{base}_{epoch_ms(at)}{place:06d}"


def _incident(case: Case, facts: list[Fact]) -> Json:
    """An incident. Only its timeline says when it was resolved."""
    ended = next((fact for fact in facts if fact.kind == "mitigated"), None)
    resolved = any(fact.kind == "resolved" for fact in facts)
    closed = any(fact.kind == "closed" for fact in facts)
    # The summary is edited long after the end, so updatedAt is not the time of the resolve.
    touched = facts[-1].at + (timedelta(minutes=7) if closed else timedelta())
    incident: Json = {
        "id": case.id,
        "tinyId": str(case.number),
        "message": case.title,
        "description": "",
        "status": "closed" if closed else "resolved" if resolved else "open",
        "tags": ["customer-facing"],
        "createdAt": iso_millis(case.created),
        "updatedAt": iso_millis(touched),
        "priority": _priority(case, facts),
        "ownerTeam": _team_id(case),
        "responders": [{"type": "team", "id": _team_id(case)}],
        "extraProperties": {},
        "impactedServices": [_id("service", case.service)],
        "impactStartDate": iso_millis(case.impact_start or case.created),
        "actions": [],
        "links": {"web": f"{WEB}/incident/detail/{case.id}", "api": f"{API}/v1/incidents/{case.id}"},
    }
    if ended and not _by_note(case):
        incident["impactEndDate"] = iso_millis(ended.at)
    return incident


def _by_note(case: Case) -> bool:
    """Some responders write the note but never set the end of the impact."""
    return case.number % 5 == 0


def _timeline(case: Case, facts: list[Fact]) -> list[Json]:
    """Timeline entries, newest first. A resolve makes the API itself acknowledge: no person did."""
    rows: list[tuple[datetime, str, str, str, str]] = []
    for fact in facts:
        name = company.PEOPLE_BY_HANDLE[fact.actor].name if fact.actor else "System"
        actor = "user" if fact.actor else "api"
        if fact.kind == "created":
            rows.append((fact.at, "IncidentOpened", "incident", "Incident opened", "System/user"))
            rows.append((fact.at, "IncidentResponderTeamAdded", "incident", "Responder team added", "System/user"))
        elif fact.kind == "acknowledged":
            rows.append((fact.at, "ResponderAlertAcked", "responderAlert", "Responder alert acked", f"{name}/{actor}"))
        elif fact.kind == "resolved":
            rows.append((fact.at, "IncidentResolved", "incident", "Incident resolved", f"{name}/{actor}"))
            later = fact.at + timedelta(milliseconds=210)
            rows.append((later, "ResponderAlertAcked", "responderAlert", "Responder alert acked", "API/api"))
        elif fact.kind == "closed":
            rows.append((fact.at, "IncidentClosed", "incident", "Incident closed", f"{name}/{actor}"))
            later = fact.at + timedelta(milliseconds=130)
            rows.append((later, "ResponderAlertClosed", "responderAlert", "Responder alert closed", "API/api"))
        elif fact.kind == "priority":
            rows.append((fact.at, "IncidentPriorityChanged", "incident", "Priority changed", f"{name}/{actor}"))
        elif fact.text:
            rows.append((fact.at, "CustomEntryAdded", "custom", fact.text, f"{name}/{actor}"))
    entries = []
    for place, (at, kind, group, title, actor) in enumerate(rows):
        name, _, sort = actor.rpartition("/")
        entries.append(
            {
                "id": f"{kind}_{uuid(identifier(case.id, 'timeline', place))}",
                "group": group,
                "type": kind,
                "eventTime": iso_millis(at),
                "hidden": False,
                "actor": {"name": name, "type": sort},
                "title": {"type": "plain_text", "content": title},
            }
        )
    return entries[::-1]
