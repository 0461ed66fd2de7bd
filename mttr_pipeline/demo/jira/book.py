"""Everything a site holds at one instant, and how to make one from given issues."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mttr_pipeline.demo.jira.site import SITES, VERSION, Flavour, Json, account_id, category


@dataclass(slots=True)
class Book:
    """Everything the site holds at one instant. Each issue carries its whole changelog, oldest entry first."""

    issues: list[Json]
    fields: list[Json] = field(default_factory=list)
    statuses: list[Json] = field(default_factory=list)
    issue_types: list[Json] = field(default_factory=list)
    projects: list[Json] = field(default_factory=list)
    by_name: dict[str, Json] = field(init=False)
    #: Results of searches, kept while the site does not change.
    answers: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.by_name = {str(issue["id"]): issue for issue in self.issues}
        self.by_name |= {str(issue["key"]).upper(): issue for issue in self.issues}


def book_of(issues: Iterable[Json], flavour: Flavour, fields: list[Json] | None = None) -> Book:
    """A site that holds exactly these issues. Its statuses, types, projects and fields are those that the issues name.

    On Cloud, users that have only a name get an account id instead.
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
    """The usual category of a status that only the changelog names."""
    if status in ("Open", "Reopened", "To Do", "New", "Backlog"):
        return "new"
    return "done" if status in ("Resolved", "Closed", "Done") else "indeterminate"


def _bare_field(name: str, flavour: Flavour) -> Json:
    custom = name.startswith("customfield_")
    row: Json = {"id": name, "name": name, "custom": custom, "orderable": True, "navigable": True, "searchable": True}
    row |= {"clauseNames": [name], "schema": {"type": "any"} if custom else {"type": "any", "system": name}}
    return row if flavour == "dc" else {**row, "key": name}


def _cloud_users(value: Any) -> Any:
    """The same JSON with the users of Data Center as users of Cloud."""
    if isinstance(value, list):
        return [_cloud_users(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "displayName" in value and "name" in value and "accountId" not in value:
        user = {"accountId": account_id(str(value["name"])), "accountType": "atlassian"}
        return user | {"displayName": value["displayName"], "active": value.get("active", True)}
    return {name: _cloud_users(item) for name, item in value.items()}
