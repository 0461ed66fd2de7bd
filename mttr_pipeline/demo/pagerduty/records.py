"""Renders cases as PagerDuty's objects: incidents, log entries, notes and the reference lists.

Field names and meanings follow the PagerDuty REST API reference (Incidents, Log Entries, Services).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from mttr_pipeline.demo import company
from mttr_pipeline.demo.facts import Case, Fact, code, identifier
from mttr_pipeline.demo.kit.snapshots import Rendering
from mttr_pipeline.demo.kit.wire import encode, iso_seconds
from mttr_pipeline.demo.pagerduty.book import Book, Entry, Json

API = "https://api.pagerduty.com"
WEB = "https://larkspur.pagerduty.com"


def reference(kind: str, identity: str, summary: str | None, path: str) -> Json:
    """A reference object, as lists embed them (REST docs, Resource Schemas)."""
    return {
        "id": identity,
        "type": f"{kind}_reference",
        "summary": summary,
        "self": f"{API}/{path}/{identity}",
        "html_url": f"{WEB}/{path}/{identity}",
    }


def _id(prefix: str, *parts: object) -> str:
    return prefix + code(identifier("pagerduty", *parts), 6)


@cache
def service_ref(name: str) -> Json:
    """A service of the company."""
    return reference("service", _id("P", "service", name), name, "services")


@cache
def team_ref(name: str) -> Json:
    """A team of the company."""
    return reference("team", _id("P", "team", name), name, "teams")


@cache
def user_ref(handle: str) -> Json:
    """A person of the company."""
    return reference("user", _id("P", "user", handle), company.PEOPLE_BY_HANDLE[handle].name, "users")


@cache
def priority_ref(name: str) -> Json:
    """P1 to P5."""
    return reference("priority", _id("P", "priority", name), name, "priorities") | {"html_url": None}


@cache
def policy_ref(service: str) -> Json:
    """The escalation policy of a service."""
    return reference("escalation_policy", _id("P", "policy", service), f"{service} on call", "escalation_policies")


@cache
def integration_ref(service: str) -> Json:
    """The monitor that feeds a service, as an agent of log entries."""
    return reference("integration", _id("P", "integration", service), "Prometheus", "integrations")


def reference_lists() -> Json:
    """Services, teams, priorities and users, in full."""
    services = []
    for service in company.SERVICES:
        if service.tool != "pagerduty":
            continue
        full = {**service_ref(service.name), "type": "service", "name": service.name}
        full |= {
            "description": f"{service.name} in production",
            "auto_resolve_timeout": 14400,
            "acknowledgement_timeout": 1800,
            "created_at": "2024-02-01T09:00:00Z",
            "status": "active",
            "last_incident_timestamp": None,
            "escalation_policy": policy_ref(service.name),
            "teams": [team_ref(service.team)],
            "integrations": [integration_ref(service.name) | {"type": "events_api_v2_inbound_integration_reference"}],
            "incident_urgency_rule": {"type": "constant", "urgency": "severity_based"},
            "support_hours": None,
            "scheduled_actions": [],
            "addons": [],
            "alert_creation": "create_alerts_and_incidents",
        }
        services.append(full)
    paged = {service.team for service in company.SERVICES if service.tool == "pagerduty"}
    teams = [
        {**team_ref(name), "type": "team", "name": name, "description": None, "default_role": "manager"}
        for name in company.TEAMS
        if name in paged
    ]
    colours = ("a8171c", "eb6016", "f9b406", "555555", "dddddd")
    priorities = [
        {**priority_ref(name), "type": "priority", "name": name, "color": colour, "order": order, "description": ""}
        for name, colour, order in zip(("P1", "P2", "P3", "P4", "P5"), colours, (16, 8, 4, 2, 1), strict=True)
    ]
    users = [
        {**user_ref(person.handle), "type": "user", "name": person.name, "email": person.email, "role": "user"}
        for person in company.PEOPLE
    ]
    return {"services": services, "teams": teams, "priorities": priorities, "users": users}


class Renderer:
    """Renders cases as incidents with log entries and notes."""

    def __init__(self, cases: Iterable[Case], account_zone: str) -> None:
        found = list(cases)
        self._by_id = {case.id: case for case in found}
        self._zone = ZoneInfo(account_zone)
        self._lists = reference_lists()
        self._incidents = Rendering(
            found,
            lambda case, facts: (
                self._incident(case, facts),
                self._entries(case, facts),
                self._notes(case, facts),
                self._alerts(case, facts),
            ),
        )

    def book(self, now: datetime) -> Book:
        """The account at `now`. Deleted incidents are gone, with their log entries (REST docs, Endpoints)."""
        incidents, entries, notes, alerts = [], [], {}, {}
        for case, (incident, its_entries, its_notes, its_alerts) in self._incidents.at(now):
            incidents.append(incident)
            entries.extend(its_entries)
            notes[case.id], alerts[case.id] = its_notes, its_alerts
        return Book(incidents, entries, notes, **self._lists, alerts=alerts)

    def _incident(self, case: Case, facts: list[Fact]) -> Json:
        status, acks, holder, changed, changed_by, merged = "triggered", [], "", facts[0].at, "", ""
        service, priority, absorbed = case.service, case.priority, 0
        resolved: datetime | None = None
        first = _responder(case)
        for fact in facts:
            if fact.kind == "acknowledged":
                status, holder = "acknowledged", fact.actor
                acks.append({"at": iso_seconds(fact.at), "acknowledger": user_ref(fact.actor)})
            elif fact.kind in ("unacknowledged", "reopened"):
                status, acks, resolved, merged = "triggered", [], None, ""
            elif fact.kind in ("resolved", "merged"):
                status, acks, resolved, merged = "resolved", [], fact.at, fact.value if fact.kind == "merged" else ""
            elif fact.kind == "service":
                service = fact.value
            elif fact.kind == "priority":
                priority = fact.value
            elif fact.kind == "absorbed":
                absorbed += 1
            if fact.kind in ("acknowledged", "unacknowledged", "reopened", "resolved", "merged"):
                changed, changed_by = fact.at, fact.actor
        alerts = 0 if merged else 1 + absorbed
        done = status == "resolved"
        return {
            **_head(case),
            "incident_number": case.number,
            "title": case.title,
            "description": case.title,
            "created_at": iso_seconds(case.created),
            "updated_at": iso_seconds(facts[-1].at),
            "status": status,
            **({"incident_key": case.key} if _has_key(case) else {}),
            "service": service_ref(service),
            "assignments": [] if done else [{"at": iso_seconds(changed), "assignee": user_ref(holder or first)}],
            "assigned_via": "escalation_policy",
            "last_status_change_at": iso_seconds(changed),
            "resolved_at": iso_seconds(resolved) if resolved else None,
            "first_trigger_log_entry": _entry_ref(case, 0, "trigger_log_entry"),
            "alert_counts": {
                "all": alerts,
                "triggered": 0 if done else alerts,
                "resolved": alerts if done else 0,
            },
            "is_mergeable": True,
            "incident_type": {"name": "incident_default"},
            "escalation_policy": policy_ref(case.service),
            "teams": [team_ref(company.SERVICES_BY_NAME[service].team)],
            "pending_actions": [],
            "acknowledgements": acks,
            "alert_grouping": None,
            "last_status_change_by": user_ref(changed_by) if changed_by else service_ref(service),
            "priority": priority_ref(priority) if priority else None,
            "resolve_reason": {"type": "merge_resolve_reason", "incident": _reference(self._by_id[merged])}
            if merged
            else None,
            "incidents_responders": [],
            "responder_requests": [],
            "urgency": case.urgency,
        }

    def _entries(self, case: Case, facts: list[Fact]) -> list[Entry]:
        incident, service, priority = encode(_reference(case)), case.service, case.priority
        team = team_ref(company.SERVICES_BY_NAME[case.service].team)
        rows: list[tuple[str, datetime, Json]] = []
        for fact in facts:
            rows.extend(self._entries_of(case, fact, service, priority))
            service = fact.value if fact.kind == "service" else service
            priority = fact.value if fact.kind == "priority" else priority
        entries = []
        for place, (kind, at, extra) in enumerate(rows):
            entry = {
                **_entry_ref(case, place, kind),
                "type": kind,
                "created_at": iso_seconds(at),
                "service": service_ref(case.service),
                "teams": [team],
                "contexts": [],
                "event_details": {},
                **extra,
            }
            head = encode(entry)[:-1]
            entries.append(Entry(entry["created_at"], case.id, kind, head, incident, (team["id"],)))
        return entries

    def _entries_of(self, case: Case, fact: Fact, service: str, priority: str) -> list[tuple[str, datetime, Json]]:
        """The log entries of one fact: type, time and the fields of that type."""
        agent = user_ref(fact.actor) if fact.actor else service_ref(service)
        who = f"by {agent['summary']}"
        website: Json = {"type": "website"}

        def entry(kind: str, summary: str, channel: Json, **more: Any) -> list[tuple[str, datetime, Json]]:
            row = {"agent": agent, "channel": channel, **more, "summary": summary}
            return [(f"{kind}_log_entry", fact.at, row)]

        match fact.kind:
            case "created":
                return self._first_entries(case, fact, service)
            case "acknowledged":
                return entry("acknowledge", f"Acknowledged {who}.", {"type": "mobile"}, acknowledgement_timeout=1800)
            case "unacknowledged":
                return entry("unacknowledge", "Unacknowledged due to timeout.", {"type": "timeout"})
            case "note" | "root_cause" | "mitigated":
                channel: Json = {"type": "note", "summary": fact.text, "content": fact.text}
                return entry("annotate", f"Note added {who}.", channel, note=fact.text)
            case "resolved" if fact.value == "integration":
                monitor = integration_ref(service)
                return entry("resolve", f"Resolved by {monitor['summary']}.", {"type": "api"}, agent=monitor)
            case "resolved" if fact.value == "timeout":
                return entry("resolve", "Resolved due to timeout.", {"type": "timeout"})
            case "resolved":
                return entry("resolve", f"Resolved {who}.", website)
            case "merged":
                return entry("resolve", f"Resolved {who} (merged).", website)
            case "absorbed":
                other = _reference(self._by_id[fact.value])
                return entry("link", f"Alerts merged in {who}.", website, linked_incident=other)
            case "reopened":
                return entry("reopen", f"Reopened {who}.", website)
            case "priority":
                old = priority_ref(priority) if priority else None
                channel = {"type": "website", "old_priority": old, "new_priority": priority_ref(fact.value)}
                return entry("priority_change", f"Priority changed {who}.", channel)
            case "service":  # the one channel that has no type
                channel = {"old_service": service_ref(service), "new_service": service_ref(fact.value)}
                return entry("service_change", f"Service changed {who}.", channel)
        return []

    def _first_entries(self, case: Case, fact: Fact, service: str) -> list[tuple[str, datetime, Json]]:
        """The log entries of a new incident: trigger, assignment and first notification."""
        holder, itself = user_ref(_responder(case)), service_ref(service)
        event = {"type": "api", "summary": case.title, "incident_key": case.key, "details": {}}
        notified = {
            "type": "auto",
            "notification": {"type": "push_notification", "address": "phone", "status": "success"},
        }
        trigger = {"agent": integration_ref(service), "channel": event, "event_details": {"description": case.title}}
        assign = {"agent": itself, "channel": {"type": "auto"}, "assignees": [holder]}
        notify = {"agent": itself, "channel": notified, "user": holder}
        return [
            ("trigger_log_entry", fact.at, {**trigger, "summary": "Triggered through the API."}),
            ("assign_log_entry", fact.at, {**assign, "summary": f"Assigned to {holder['summary']}."}),
            (
                "notify_log_entry",
                fact.at + timedelta(seconds=4),
                {**notify, "summary": f"Notified {holder['summary']}."},
            ),
        ]

    def _alerts(self, case: Case, facts: list[Fact]) -> list[Json]:
        """The alert that an incident was made of, and those of the incidents that were merged into it."""
        ends = [fact for fact in facts if fact.kind in ("resolved", "merged", "reopened")]
        if ends and ends[-1].kind == "merged":
            return []
        its = [case, *(self._by_id[fact.value] for fact in facts if fact.kind == "absorbed")]
        return [_alert(case, alert, bool(ends) and ends[-1].kind == "resolved") for alert in its]

    def _notes(self, case: Case, facts: list[Fact]) -> list[Json]:
        """Notes have the offset of the account's time zone, unlike everything else (REST docs, List notes)."""
        return [
            {
                "id": "P" + code(identifier(case.id, "note", place), 12),
                "user": user_ref(fact.actor),
                "channel": {"summary": "The PagerDuty website or APIs"},
                "content": fact.text,
                "created_at": fact.at.astimezone(self._zone).isoformat(timespec="seconds"),
                "updated_at": fact.at.astimezone(self._zone).isoformat(timespec="seconds"),
            }
            for place, fact in enumerate(facts)
            if fact.text and fact.actor
        ]


def _alert(case: Case, alert: Case, is_over: bool) -> Json:
    """The alert of a case, in the incident that it belongs to."""
    identity = "Q" + code(identifier(alert.id, "alert"), 13)
    return {
        "id": identity,
        "type": "alert",
        "summary": alert.title,
        "self": f"{API}/alerts/{identity}",
        "html_url": f"{WEB}/alerts/{identity}",
        "created_at": iso_seconds(alert.created),
        "status": "resolved" if is_over else "triggered",
        "alert_key": alert.key,
        "service": service_ref(alert.service),
        "incident": _reference(case),
        "suppressed": False,
        "severity": "critical" if alert.urgency == "high" else "warning",
        "integration": integration_ref(alert.service) | {"type": "events_api_v2_inbound_integration_reference"},
    }


def _has_key(case: Case) -> bool:
    """Whether an incident has the key of its alert itself. One with child alerts has none (REST API reference, List incidents)."""
    return case.number % 4 != 1 or bool(case.flap_of) or case.story.endswith("+partner")


def _responder(case: Case) -> str:
    """The person who is paged first."""
    on_call = company.TEAMS[company.SERVICES_BY_NAME[case.service].team]
    return on_call[case.number % len(on_call)]


def _head(case: Case) -> Json:
    summary = f"[#{case.number}] {case.title}"
    return {
        "id": case.id,
        "type": "incident",
        "summary": summary,
        "self": f"{API}/incidents/{case.id}",
        "html_url": f"{WEB}/incidents/{case.id}",
    }


def _reference(case: Case) -> Json:
    return {**_head(case), "type": "incident_reference"}


def _entry_ref(case: Case, place: int, kind: str) -> Json:
    identity = "R" + identifier(case.id, "entry", place)[:24].upper()
    return {
        "id": identity,
        "type": f"{kind}_reference",
        "summary": "Triggered through the API.",
        "self": f"{API}/log_entries/{identity}?incident_id={case.id}",
        "html_url": None,
    }
