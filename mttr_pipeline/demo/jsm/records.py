"""Renders cases as the objects of JSM Operations: alerts with logs and notes, and teams.

Shapes follow the Jira Service Management Operations REST API (schemas AlertResponse, AlertLog, AlertNote) and, where it
is silent, answers of live sites: top-level stamps instead of durations, the vendor's `lastOccuredAt`, owners by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from mttr_pipeline.demo import company
from mttr_pipeline.demo.facts import Case, Fact, identifier, uuid
from mttr_pipeline.demo.kit.snapshots import Rendering
from mttr_pipeline.demo.kit.wire import epoch_ms, iso_millis

Json = dict[str, Any]

#: The fields that only the single alert shows, not the list.
DETAIL_FIELDS = ("extraProperties", "description", "entity")
INTEGRATION = "Warehouse Prometheus"


@dataclass(slots=True)
class Book:
    """Everything the site holds at one instant. Logs and notes go by the id of their alert, oldest first; each comes
    with the key after which the next page starts."""

    alerts: list[Json]
    logs: dict[str, list[tuple[str, Json]]] = field(default_factory=dict)
    notes: dict[str, list[tuple[str, Json]]] = field(default_factory=dict)
    teams: list[Json] = field(default_factory=list)
    answers: dict[Any, Any] = field(default_factory=dict)


@cache
def team_id(name: str) -> str:
    """The id of a team of the company."""
    return uuid(identifier("jsm", "team", name))


def teams() -> list[Json]:
    """The teams as /v1/teams gives them."""
    names = sorted({service.team for service in company.SERVICES if service.tool == "jsm"})
    return [{"teamId": team_id(name), "teamName": name} for name in names]


class Renderer:
    """Renders cases as alerts with their logs and notes."""

    def __init__(self, cases: Iterable[Case]) -> None:
        self._alerts = Rendering(
            cases, lambda case, facts: (_alert(case, facts), _logs(case, facts), _notes(case, facts))
        )

    def book(self, now: datetime) -> Book:
        """The site at `now`; deleted alerts are gone."""
        book = Book([], teams=teams())
        for case, (alert, logs, notes) in self._alerts.at(now):
            book.alerts.append(alert)
            book.logs[case.id], book.notes[case.id] = logs, notes
        return book


def _name(handle: str) -> str:
    return company.PEOPLE_BY_HANDLE[handle].name


def _alert(case: Case, facts: list[Fact]) -> Json:
    acks = [fact for fact in facts if fact.kind == "acknowledged"]
    close = next((fact for fact in facts if fact.kind == "resolved"), None)
    taken = next((fact for fact in reversed(facts) if fact.kind in ("acknowledged", "unacknowledged")), None)
    team = team_id(company.SERVICES_BY_NAME[case.service].team)
    alert: Json = {
        "id": case.id,
        "tinyId": str(case.number),
        "alias": case.key,
        "message": case.title,
        "status": "closed" if close else "open",
        "acknowledged": bool(taken and taken.kind == "acknowledged"),
        "seen": bool(acks or close),
        "tags": ["prod"],
        "snoozed": False,
        "count": 1 + len(facts) // 3,
        "createdAt": iso_millis(case.created),
        "updatedAt": iso_millis(facts[-1].at),
        "lastOccuredAt": iso_millis(case.created),
        "source": "prometheus",
        "owner": _name(acks[-1].actor) if acks else "",
        "ownerTeamId": team,
        "priority": next((fact.value for fact in reversed(facts) if fact.kind == "priority"), case.priority),
        "entity": "",
        "actions": [],
        "responders": [{"type": "team", "id": team}],
        "integrationType": "Prometheus",
        "integrationName": INTEGRATION,
        "description": f"Runbook: https://runbooks.example.com/{company.SERVICES_BY_NAME[case.service].slug}",
        "extraProperties": {"service": company.as_written(case.service, case.id), "region": "eu-south-1"},
    }
    if acks:
        alert["ackTime"] = iso_millis(acks[0].at)
    if close:
        alert["closeTime"] = iso_millis(close.at)
    return alert


_LOGGED = {
    "acknowledged": "Alert acknowledged via web",
    "unacknowledged": "Alert UnAcknowledged via web",
    "priority": "Alert priority updated via web",
}


def _logs(case: Case, facts: list[Fact]) -> list[tuple[str, Json]]:
    """The activity log. The text is free, and so is the owner: a person's name or address, an integration, system."""
    rows: list[tuple[datetime, str, str, str]] = []
    for place, fact in enumerate(facts):
        owner = "system"
        if fact.actor:
            owner = _name(fact.actor) if place % 2 else company.PEOPLE_BY_HANDLE[fact.actor].email
        if fact.kind == "created":
            rows.append((fact.at, f"Alert created via API[{INTEGRATION}]", "system", INTEGRATION))
            later = fact.at + timedelta(milliseconds=290)
            rows.append((later, "Notification sent to the on-call user", "alertRecipient", "system"))
        elif fact.kind in _LOGGED:
            rows.append((fact.at, _LOGGED[fact.kind], "system", owner))
        elif fact.kind == "resolved":
            text = {
                "human": "Alert closed via web",
                "integration": f"Alert closed via API[{INTEGRATION}]",
                "timeout": "Alert closed by auto close policy [close after 4 hours]",
            }[fact.value]
            rows.append((fact.at, text, "system", INTEGRATION if fact.value == "integration" else owner))
        elif fact.text:
            rows.append((fact.at, f"Note added: {fact.text}", "note", owner))
    base = epoch_ms(case.created)
    return [
        (
            f"{base}_{epoch_ms(at)}{place:06d}",
            {"log": text, "logType": kind, "logTime": iso_millis(at), "owner": owner},
        )
        for place, (at, text, kind, owner) in enumerate(rows)
    ]


def _notes(case: Case, facts: list[Fact]) -> list[tuple[str, Json]]:
    found = []
    for place, fact in enumerate(facts):
        if fact.text and fact.actor:
            at = iso_millis(fact.at)
            owner = company.PEOPLE_BY_HANDLE[fact.actor].email
            key = f"{epoch_ms(fact.at)}{place:06d}"
            found.append((key, {"id": key, "note": fact.text, "owner": owner, "createdAt": at, "updatedAt": at}))
    return found
