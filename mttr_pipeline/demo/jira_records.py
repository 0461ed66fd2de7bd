"""Renders cases into Jira issues with their changelog, for a Cloud service desk and an old Data Center instance.

Shapes follow the Jira Cloud platform REST API v3 and the Jira Data Center REST API v2. The two desks differ on
purpose: the Cloud project has statuses for every stage, a field for the start of the impact, responders and SLA fields
with cycles (Jira Service Management Cloud REST API, SLA information), the Data Center one has the classic workflow, a
Severity field and an SLA field that is mere text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from mttr_pipeline.demo import company
from mttr_pipeline.demo.facts import Case, Fact, identifier
from mttr_pipeline.demo.wire import epoch_ms, iso_jira

Json = dict[str, Any]

SITES = {"cloud": "https://larkspur.atlassian.net", "dc": "https://jira.larkspur.example.com"}
PROJECTS = {"cloud": ("10003", "ITD", "IT Desk"), "dc": ("10400", "PAY", "Payroll Desk")}
#: Where issues are moved to.
HELP = ("10900", "HELP", "Help Centre")
VERSION = {"cloud": "3", "dc": "2"}

AFFECTED_SERVICES = {"cloud": "customfield_10043", "dc": "customfield_11201"}
IMPACT_START, MAJOR_INCIDENT, SEVERITY = "customfield_10051", "customfield_10052", "customfield_11202"
RESPONDERS, SLA_RESOLUTION, SLA_RESPONSE = "customfield_10053", "customfield_10041", "customfield_10042"
SLA_TEXT = "customfield_11205"
#: Goals in hours by priority: resolution, first response.
_GOALS = {"P1": (4, 0.25), "P2": (8, 0.5), "P3": (24, 2), "P4": (48, 8), "P5": (120, 16)}

_CATEGORIES = {
    "new": {"id": 2, "key": "new", "colorName": "blue-gray", "name": "To Do"},
    "indeterminate": {"id": 4, "key": "indeterminate", "colorName": "yellow", "name": "In Progress"},
    "done": {"id": 3, "key": "done", "colorName": "green", "name": "Done"},
}
#: status name -> (id, category), per flavour.
_STATUSES: dict[str, dict[str, tuple[str, str]]] = {
    "cloud": {
        "Open": ("10010", "new"),
        "Triaged": ("10011", "indeterminate"),
        "Work in progress": ("10012", "indeterminate"),
        "Identified": ("10013", "indeterminate"),
        "Mitigated": ("10014", "indeterminate"),
        "Waiting for customer": ("10015", "indeterminate"),
        "Resolved": ("10016", "done"),
        "Closed": ("10017", "done"),
        "Reopened": ("10018", "new"),
    },
    "dc": {
        "Open": ("1", "new"),
        "In Progress": ("3", "indeterminate"),
        "Reopened": ("4", "new"),
        "Resolved": ("5", "done"),
        "Closed": ("6", "done"),
        "Workaround": ("10201", "indeterminate"),
    },
}
#: Which status a fact moves the issue to.
_MOVES: dict[str, dict[str, str]] = {
    "cloud": {
        "acknowledged": "Triaged",
        "investigating": "Work in progress",
        "root_cause": "Identified",
        "mitigated": "Mitigated",
        "resolved": "Resolved",
        "duplicate": "Resolved",
        "closed": "Closed",
        "reopened": "Reopened",
    },
    "dc": {
        "investigating": "In Progress",
        "mitigated": "Workaround",
        "resolved": "Resolved",
        "duplicate": "Resolved",
        "closed": "Closed",
        "reopened": "Reopened",
    },
}
_PRIORITIES = {"P1": "Highest", "P2": "High", "P3": "Medium", "P4": "Low", "P5": "Lowest"}
_TYPES = {
    "cloud": {"incident": ("10007", "[System] Incident"), "request": ("10008", "[System] Service request")},
    "dc": {"incident": ("10600", "Incident"), "request": ("3", "Task")},
}


@dataclass(slots=True)
class Book:
    """Everything the site holds at one instant. Each issue carries its whole changelog, oldest entry first."""

    issues: list[Json]
    fields: list[Json] = field(default_factory=list)
    statuses: list[Json] = field(default_factory=list)
    issue_types: list[Json] = field(default_factory=list)
    projects: list[Json] = field(default_factory=list)
    by_name: dict[str, Json] = field(init=False)
    answers: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.by_name = {str(issue["id"]): issue for issue in self.issues}
        self.by_name |= {str(issue["key"]).upper(): issue for issue in self.issues}


def category(key: str, site: str, version: str) -> Json:
    """A status category: new, indeterminate or done."""
    known = _CATEGORIES[key]
    return {"self": f"{site}/rest/api/{version}/statuscategory/{known['id']}", **known}


class Renderer:
    """Turns the facts of one case into its issue; remembers the result until another fact comes into effect."""

    def __init__(self, cases: Iterable[Case], flavour: str) -> None:
        self._cases = list(cases)
        self._by_id = {case.id: case for case in self._cases}
        self.flavour = flavour
        self.site = SITES[flavour]
        self.api = f"{self.site}/rest/api/{VERSION[flavour]}"
        self._cache: dict[str, tuple[int, Json]] = {}

    def book(self, now: datetime) -> Book:
        """The site at `now`; deleted issues leave no trace."""
        issues = []
        for case in self._cases:
            facts = case.until(now)
            if not facts or any(fact.kind == "deleted" for fact in facts):
                continue
            cached = self._cache.get(case.id)
            if cached is None or cached[0] != len(facts):
                cached = self._cache[case.id] = (len(facts), self._issue(case, facts))
            issues.append(cached[1])
        return Book(
            issues,
            self.fields(),
            [self._status(name) for name in _STATUSES[self.flavour]],
            [self._type(kind) for kind in _TYPES[self.flavour]],
            [self._project(), self._project(HELP)],
        )

    def fields(self) -> list[Json]:
        """The system fields that matter here, and the site's own."""
        types = {"summary": "string", "created": "datetime", "updated": "datetime", "resolutiondate": "datetime"}
        types |= {name: name for name in ("issuetype", "project", "priority", "status", "resolution")}
        types |= {"assignee": "user", "reporter": "user", "creator": "user", "labels": "array", "issuelinks": "array"}
        names = {"issuetype": "Issue Type", "resolutiondate": "Resolved", "issuelinks": "Linked Issues"}
        rows: list[Json] = [
            {
                "id": name,
                "key": name,
                "name": names.get(name, name.capitalize()),
                "custom": False,
                "orderable": True,
                "navigable": True,
                "searchable": True,
                "clauseNames": [name],
                "schema": {"type": kind, "system": name} | ({"items": "string"} if kind == "array" else {}),
            }
            for name, kind in types.items()
        ]
        own = [(AFFECTED_SERVICES[self.flavour], "Affected services", "array")]
        if self.flavour == "cloud":
            own += [(IMPACT_START, "Incident start", "datetime"), (MAJOR_INCIDENT, "Major incident", "option")]
            own += [(RESPONDERS, "Responders", "array")]
            own += [(SLA_RESOLUTION, "Time to resolution", "sd-servicelevelagreement")]
            own += [(SLA_RESPONSE, "Time to first response", "sd-servicelevelagreement")]
        else:
            own += [(SEVERITY, "Severity", "option"), (SLA_TEXT, "Time to resolution", "string")]
        for identity, name, kind in own:
            number = int(identity.rpartition("_")[2])
            plugin = f"com.atlassian.jira.plugin.system.customfieldtypes:{kind}"
            schema = {"type": kind, "custom": plugin, "customId": number}
            row = {"id": identity, "name": name, "custom": True, "orderable": True, "navigable": True}
            row |= {"searchable": True, "clauseNames": [f"cf[{number}]", name]}
            rows.append({**row, "key": identity, "schema": schema | ({"items": "option"} if kind == "array" else {})})
        if self.flavour == "dc":
            for row in rows:
                del row["key"]
        return rows

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
            "issuelinks": [state["link"]] if state["link"] else [],
            AFFECTED_SERVICES[self.flavour]: self._affected(service, named=case.number % 10 != 4),
        }
        if self.flavour == "cloud":
            fields[IMPACT_START] = iso_jira(case.impact_start) if case.impact_start else None
            fields[MAJOR_INCIDENT] = {"id": "10120", "value": "Major incident"} if case.major else None
            fields[RESPONDERS] = self._responders(service) if case.major else None
            fields[SLA_RESOLUTION] = _sla(case, facts, "17", "Time to resolution")
            fields[SLA_RESPONSE] = _sla(case, facts, "18", "Time to first response")
        else:
            fields[SEVERITY] = {"id": "1120" + case.severity[-1], "value": case.severity}
            fields[SLA_TEXT] = "within goal"
        return {
            "expand": "renderedFields,names,schema,transitions,operations,editmeta,changelog",
            "id": case.id,
            "self": f"{self.api}/issue/{case.id}",
            "key": key,
            "fields": fields,
            "changelog": {
                "startAt": 0,
                "maxResults": len(histories),
                "total": len(histories),
                "histories": histories,
            },
        }

    def _changes(self, case: Case, fact: Fact, state: Json) -> list[Json]:
        """The changelog items of one fact; moves `state` along."""
        items: list[Json] = []

        def item(name: str, old: tuple[str | None, str | None], new: tuple[str | None, str | None]) -> None:
            row: Json = {"field": name, "fieldtype": "jira"}
            if self.flavour == "cloud":
                row["fieldId"] = name
            items.append(row | {"from": old[0], "fromString": old[1], "to": new[0], "toString": new[1]})

        if fact.kind == "acknowledged" and state["assignee"] != fact.actor:
            item("assignee", self._named(state["assignee"]), self._named(fact.actor))
            state["assignee"] = fact.actor
        target = _MOVES[self.flavour].get(fact.kind)
        if target and target != state["status"]:
            statuses = _STATUSES[self.flavour]
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
            old, new = _PRIORITIES[state["priority"]], _PRIORITIES[fact.value]
            item("priority", (state["priority"][1], old), (fact.value[1], new))
            state["priority"] = fact.value
        if fact.kind == "moved":
            own = PROJECTS[self.flavour]
            item("project", (own[0], own[2]), (HELP[0], HELP[2]))
            item("Key", (None, self._key(case, [])), (None, self._key(case, [fact])))
        if fact.kind == "retyped":
            old_type, new_type = (_TYPES[self.flavour][kind] for kind in (case.issue_type, fact.value))
            item("issuetype", old_type, new_type)
        if fact.kind == "labelled":
            old = " ".join(state["labels"])
            state["labels"] = sorted({*state["labels"], fact.value} if len(state["labels"]) < 3 else {fact.value})
            item("labels", (None, old), (None, " ".join(state["labels"])))
        return items

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
        identity, kind = _STATUSES[self.flavour][name]
        row = {"self": f"{self.api}/status/{identity}", "description": "", "name": name, "id": identity}
        return row | {"statusCategory": category(kind, self.site, VERSION[self.flavour])}

    def _type(self, kind: str) -> Json:
        identity, name = _TYPES[self.flavour][kind]
        row = {"self": f"{self.api}/issuetype/{identity}", "id": identity, "name": name, "description": ""}
        return row | {"subtask": False}

    def _priority(self, priority: str) -> Json:
        return {"self": f"{self.api}/priority/{priority[1]}", "id": priority[1], "name": _PRIORITIES[priority]}

    def _affected(self, service: company.Service, *, named: bool) -> list[Any]:
        """Objects with a name, and now and then the resource name alone."""
        if self.flavour == "dc":
            return [{"id": "11300", "value": service.name}]
        ari = f"ari:cloud:graph::service/{identifier('jira', service.name)}"
        return [{"id": ari, "name": service.name}] if named else [ari]

    def _responders(self, service: company.Service) -> list[Json]:
        """A major incident calls the team and somebody of it."""
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


def _sla(case: Case, facts: list[Fact], identity: str, name: str) -> Json:
    """An SLA field. Its clock stands still now and then, so it shows less than the wall clock; some issues have none."""
    first = name == "Time to first response"
    goal = timedelta(hours=_GOALS[case.priority or "P3"][first])
    ends = ("acknowledged", "resolved", "duplicate") if first else ("resolved", "duplicate")
    field: Json = {"id": identity, "name": name, "_links": {}, "completedCycles": [], "ongoingCycle": None}
    field["slaDisplayFormat"] = "NEW_SLA_FORMAT"
    if case.number % 4 == 0:
        return field
    began: datetime | None = case.created
    for fact in facts:
        if began and fact.kind in ends:
            field["completedCycles"].append({**_cycle(began, fact.at, goal), "stopTime": _sla_instant(fact.at)})
            began = None
        elif fact.kind == "reopened" and not first:
            began = fact.at
    if began:
        ongoing = {**_cycle(began, facts[-1].at, goal), "paused": False, "withinCalendarHours": True}
        field["ongoingCycle"] = ongoing
    return field


def _cycle(began: datetime, until: datetime, goal: timedelta) -> Json:
    used = (until - began) * 3 // 5
    spans = {"goalDuration": goal, "elapsedTime": used, "remainingTime": goal - used}
    return {
        "startTime": _sla_instant(began),
        "breachTime": _sla_instant(began + goal * 5 / 3),
        "breached": used > goal,
        **{key: {"millis": span // timedelta(milliseconds=1), "friendly": str(span)} for key, span in spans.items()},
    }


def _sla_instant(at: datetime) -> Json:
    return {"iso8601": at.isoformat(timespec="seconds"), "jira": iso_jira(at), "epochMillis": epoch_ms(at)}


def _last(facts: list[Fact], kind: str) -> str:
    """The value of the last fact of a kind; empty when there is none."""
    return next((fact.value for fact in reversed(facts) if fact.kind == kind), "")


@cache
def account_id(handle: str) -> str:
    """An opaque account id as Cloud has them."""
    return f"712020:{identifier('account', handle)[:24]}"


# -- sites made of given issues ------------------------------------------------------------------------------------


def book_of(issues: Iterable[Json], flavour: str, fields: list[Json] | None = None) -> Book:
    """A site that holds exactly these issues; its statuses, types, projects and fields are read off them.

    Served as Cloud, users that only have a name get an account id instead.
    """
    found = list(issues)
    if flavour == "cloud":
        found = [_cloud_users(issue) for issue in found]
    site, version = SITES[flavour], VERSION[flavour]
    statuses: dict[str, Json] = {}
    types: dict[str, Json] = {}
    projects: dict[str, Json] = {}
    names: set[str] = set()
    for issue in found:
        values = issue.get("fields") or {}
        names |= values.keys()
        for column, rows in (("status", statuses), ("issuetype", types), ("project", projects)):
            if value := values.get(column):
                rows.setdefault(value.get("id", value.get("name")), value)
    for issue in found:
        for history in (issue.get("changelog") or {}).get("histories") or ():
            for item in history.get("items") or ():
                if item.get("field") != "status":
                    continue
                for identity, name in ((item["from"], item["fromString"]), (item["to"], item["toString"])):
                    row = {"self": f"{site}/rest/api/{version}/status/{identity}", "id": identity, "name": name}
                    row["statusCategory"] = category(_guess(name), site, version)
                    statuses.setdefault(identity, row)
    if fields is None:
        fields = [_bare_field(name, flavour) for name in sorted(names)]
    return Book(found, fields, list(statuses.values()), list(types.values()), list(projects.values()))


def _guess(status: str) -> str:
    """The usual category of a status that only the changelog remembers."""
    if status in ("Open", "Reopened", "To Do", "New", "Backlog"):
        return "new"
    return "done" if status in ("Resolved", "Closed", "Done") else "indeterminate"


def _bare_field(name: str, flavour: str) -> Json:
    custom = name.startswith("customfield_")
    row: Json = {"id": name, "name": name, "custom": custom, "orderable": True, "navigable": True, "searchable": True}
    row |= {"clauseNames": [name], "schema": {"type": "any"} if custom else {"type": "any", "system": name}}
    return row if flavour == "dc" else {**row, "key": name}


def _cloud_users(value: Any) -> Any:
    """The same JSON with Data Center users turned into Cloud ones."""
    if isinstance(value, list):
        return [_cloud_users(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "displayName" in value and "name" in value and "accountId" not in value:
        user = {"accountId": account_id(str(value["name"])), "accountType": "atlassian"}
        return user | {"displayName": value["displayName"], "active": value.get("active", True)}
    return {name: _cloud_users(item) for name, item in value.items()}
