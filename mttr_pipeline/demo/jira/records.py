"""Renders cases as Jira issues with their changelog, for the Cloud service desk and the Data Center instance.

Shapes follow the Jira Cloud platform REST API v3 and the Jira Data Center REST API v2.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from mttr_pipeline.demo import company
from mttr_pipeline.demo.facts import Case, Fact, identifier
from mttr_pipeline.demo.jira.book import Book
from mttr_pipeline.demo.jira.fields import (
    AFFECTED_SERVICES,
    AFFECTED_USERS,
    IMPACT_START,
    MAJOR_INCIDENT,
    RESPONDERS,
    REVENUE_IMPACT,
    SEVERITY,
    SLA_RESOLUTION,
    SLA_RESPONSE,
    SLA_TEXT,
    field_rows,
)
from mttr_pipeline.demo.jira.site import (
    HELP,
    MOVES,
    PRIORITIES,
    PROJECTS,
    SITES,
    STATUSES,
    TYPES,
    VERSION,
    Flavour,
    Json,
    account_id,
    category,
    iso_jira,
)
from mttr_pipeline.demo.jira.sla import sla
from mttr_pipeline.demo.kit.snapshots import Rendering


class Renderer:
    """Renders the cases of one desk as the issues of its site."""

    def __init__(self, cases: Iterable[Case], flavour: Flavour) -> None:
        found = list(cases)
        self._by_id = {case.id: case for case in found}
        self._issues = Rendering(found, self._issue)
        self.flavour = flavour
        self.site = SITES[flavour]
        self.api = f"{self.site}/rest/api/{VERSION[flavour]}"

    def book(self, now: datetime) -> Book:
        """The site at `now`; deleted issues are gone."""
        return Book(
            [issue for _, issue in self._issues.at(now)],
            field_rows(self.flavour),
            [self._status(name) for name in STATUSES[self.flavour]],
            [self._type(kind) for kind in TYPES[self.flavour]],
            [self._project(), self._project(HELP)],
        )

    def _issue(self, case: Case, facts: list[Fact]) -> Json:
        key = self._key(case, facts)
        state: Json = {"status": "Open", "assignee": None, "resolution": None, "labels": [], "link": None}
        state |= {"priority": case.priority, "resolved": None}
        histories: list[Json] = []
        for fact in facts[1:]:
            changes = self._changes(case, fact, state)
            if changes:
                author = self._user(fact.actor) if fact.actor else self._machine()
                identity = str(int(identifier(case.id, len(histories))[:7], 16))
                histories.append({"id": identity, "author": author, "created": iso_jira(fact.at), "items": changes})
        project = self._project(HELP if _last(facts, "moved") else None)
        service = company.SERVICES_BY_NAME[case.service]
        fields: Json = {
            "summary": case.title,
            "issuetype": self._type(_last(facts, "retyped") or case.issue_type),
            "project": project,
            "priority": self._priority(state["priority"]),
            "status": self._status(state["status"]),
            "resolution": {"id": "10000", "name": state["resolution"]} if state["resolution"] else None,
            "resolutiondate": state["resolved"],
            "created": iso_jira(case.created),
            "updated": histories[-1]["created"] if histories else iso_jira(case.created),
            "assignee": self._user(state["assignee"]) if state["assignee"] else None,
            "reporter": self._user("ana"),
            "creator": self._user("ana"),
            "labels": state["labels"],
            "issuelinks": [*([state["link"]] if state["link"] else []), *self._links(case)],
            **({"duedate": case.due.isoformat()} if case.due else {}),
            AFFECTED_SERVICES[self.flavour]: self._affected(
                service, named=case.story == "linked" or case.number % 10 != 4
            ),
            AFFECTED_USERS[self.flavour]: None if case.users is None else float(case.users),
            REVENUE_IMPACT[self.flavour]: case.revenue,
        }
        if case.text:
            fields["description"] = self._text(case.text)
        if self.flavour == "cloud":
            fields[IMPACT_START] = iso_jira(case.impact_start) if case.impact_start else None
            fields[MAJOR_INCIDENT] = {"id": "10120", "value": "Major incident"} if case.major else None
            fields[RESPONDERS] = self._responders(service) if case.major else None
            fields[SLA_RESOLUTION] = sla(case, facts, "17", "Time to resolution")
            fields[SLA_RESPONSE] = sla(case, facts, "18", "Time to first response")
        else:
            fields[SEVERITY] = {"id": "1120" + case.severity[-1], "value": case.severity}
            fields[SLA_TEXT] = "within goal"
        return {
            "expand": "renderedFields,names,schema,transitions,operations,editmeta,changelog",
            "id": case.id,
            "self": f"{self.api}/issue/{case.id}",
            "key": key,
            "fields": fields,
            "remoteLinks": self._remote_links(facts),
            "changelog": {
                "startAt": 0,
                "maxResults": len(histories),
                "total": len(histories),
                "histories": histories,
            },
        }

    def _changes(self, case: Case, fact: Fact, state: Json) -> list[Json]:
        """The changelog items of one fact; updates `state`."""
        items: list[Json] = []

        def item(name: str, old: tuple[str | None, str | None], new: tuple[str | None, str | None]) -> None:
            row: Json = {"field": name, "fieldtype": "jira"}
            if self.flavour == "cloud":
                row["fieldId"] = name
            items.append(row | {"from": old[0], "fromString": old[1], "to": new[0], "toString": new[1]})

        if fact.kind == "acknowledged" and state["assignee"] != fact.actor:
            item("assignee", self._named(state["assignee"]), self._named(fact.actor))
            state["assignee"] = fact.actor
        target = MOVES[self.flavour].get(fact.kind)
        if target and target != state["status"]:
            statuses = STATUSES[self.flavour]
            item("status", (statuses[state["status"]][0], state["status"]), (statuses[target][0], target))
            state["status"] = target
        if fact.kind in ("resolved", "duplicate"):
            reason = "Duplicate" if fact.kind == "duplicate" else fact.text or "Done"
            item("resolution", (None, None), ("10000", reason))
            state["resolution"], state["resolved"] = reason, iso_jira(fact.at)
        if fact.kind == "duplicate":
            other = self._key(self._by_id[fact.value], [])
            item("Link", (None, None), (other, f"This issue duplicates {other}"))
            kind = {"id": "10002", "name": "Duplicate", "inward": "is duplicated by", "outward": "duplicates"}
            state["link"] = {"id": fact.value, "type": kind, "outwardIssue": {"id": fact.value, "key": other}}
        if fact.kind == "reopened" and state["resolution"]:
            item("resolution", ("10000", state["resolution"]), (None, None))
            state["resolution"], state["resolved"] = None, None
        if fact.kind == "priority":
            old, new = PRIORITIES[state["priority"]], PRIORITIES[fact.value]
            item("priority", (state["priority"][1], old), (fact.value[1], new))
            state["priority"] = fact.value
        if fact.kind == "moved":
            own = PROJECTS[self.flavour]
            item("project", (own[0], own[2]), (HELP[0], HELP[2]))
            item("Key", (None, self._key(case, [])), (None, self._key(case, [fact])))
        if fact.kind == "retyped":
            old_type, new_type = (TYPES[self.flavour][kind] for kind in (case.issue_type, fact.value))
            item("issuetype", old_type, new_type)
        if fact.kind == "linked":
            item("RemoteIssueLink", (None, None), ("10000", f'This issue links to "{fact.value}"'))
        if fact.kind == "labelled":
            old = " ".join(state["labels"])
            state["labels"] = sorted({*state["labels"], fact.value} if len(state["labels"]) < 3 else {fact.value})
            item("labels", (None, old), (None, " ".join(state["labels"])))
        return items

    def _links(self, case: Case) -> list[Json]:
        """The links that an issue is made with."""
        found = []
        for place, (name, other) in enumerate(case.links):
            outward = {"Relates": "relates to"}.get(name, "reviews")
            kind = {"id": str(10_003 + (name != "Relates")), "name": name, "inward": outward, "outward": outward}
            link = {"id": f"{case.id}{place}", "type": kind}
            found.append(link | {"outwardIssue": {"id": other, "key": self._key(self._by_id[other], [])}})
        return found

    def _text(self, text: str) -> Any:
        """A text of the site: a document on Cloud, plain on Data Center."""
        if self.flavour == "dc":
            return text
        return {
            "type": "doc",
            "version": 1,
            "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}],
        }

    def _remote_links(self, facts: list[Fact]) -> list[Json]:
        return [
            {
                "id": 10_000 + place,
                "globalId": fact.value,
                "object": {"url": fact.value, "title": "Incident", "icon": {}},
            }
            for place, fact in enumerate(facts)
            if fact.kind == "linked"
        ]

    def _key(self, case: Case, facts: list[Fact]) -> str:
        return f"{_last(facts, 'moved') or PROJECTS[self.flavour][1]}-{case.number}"

    def _project(self, project: tuple[str, str, str] | None = None) -> Json:
        identity, key, name = project or PROJECTS[self.flavour]
        return {
            "self": f"{self.api}/project/{identity}",
            "id": identity,
            "key": key,
            "name": name,
            "projectTypeKey": "service_desk",
        }

    def _status(self, name: str) -> Json:
        identity, kind = STATUSES[self.flavour][name]
        row = {"self": f"{self.api}/status/{identity}", "description": "", "name": name, "id": identity}
        return row | {"statusCategory": category(kind, self.site, VERSION[self.flavour])}

    def _type(self, kind: str) -> Json:
        identity, name = TYPES[self.flavour][kind]
        row = {"self": f"{self.api}/issuetype/{identity}", "id": identity, "name": name, "description": ""}
        return row | {"subtask": False}

    def _priority(self, priority: str) -> Json:
        return {"self": f"{self.api}/priority/{priority[1]}", "id": priority[1], "name": PRIORITIES[priority]}

    def _affected(self, service: company.Service, *, named: bool) -> list[Any]:
        """The affected services: objects with a name, and at times the resource name alone."""
        if self.flavour == "dc":
            return [{"id": "11300", "value": service.name}]
        ari = f"ari:cloud:graph::service/{identifier('jira', service.name)}"
        return [{"id": ari, "name": service.name}] if named else [ari]

    def _responders(self, service: company.Service) -> list[Json]:
        """The responders of a major incident: the team and one of its members."""
        team = {"ari": f"ari:cloud:identity::team/{identifier('team', service.team)}", "type": "team"}
        person = company.TEAMS[service.team][0]
        user = {"accountId": account_id(person), "displayName": company.PEOPLE_BY_HANDLE[person].name, "type": "user"}
        return [user, {**team, "name": service.team}]

    def _user(self, handle: str) -> Json:
        person = company.PEOPLE_BY_HANDLE[handle]
        if self.flavour == "dc":
            return {"name": handle, "key": handle, "displayName": person.name, "active": True}
        identity = account_id(handle)
        row = {"self": f"{self.api}/user?accountId={identity}", "accountId": identity, "accountType": "atlassian"}
        return row | {"displayName": person.name, "active": True}

    def _machine(self) -> Json:
        if self.flavour == "dc":
            return {"name": "automation", "key": "automation", "displayName": "Automation", "active": True}
        row = {"accountId": account_id("automation"), "accountType": "app"}
        return row | {"displayName": "Automation for Jira", "active": True}

    def _named(self, handle: str | None) -> tuple[str | None, str | None]:
        if not handle:
            return None, None
        name = company.PEOPLE_BY_HANDLE[handle].name
        return (handle if self.flavour == "dc" else account_id(handle)), name


def _last(facts: list[Fact], kind: str) -> str:
    """The value of the last fact of a kind; empty when there is none."""
    return next((fact.value for fact in reversed(facts) if fact.kind == kind), "")
