"""Searching a site: which issues a query selects, how they are paged, and which of their fields are shown."""

from __future__ import annotations

from datetime import datetime

from mttr_pipeline.demo.jira.book import Book
from mttr_pipeline.demo.jira.changelogs import embedded
from mttr_pipeline.demo.jira.jql import Searchable, parse
from mttr_pipeline.demo.jira.parameters import JiraError, names_of, parameters, read_token, size_of, write_token
from mttr_pipeline.demo.jira.site import Flavour, Json
from mttr_pipeline.demo.kit.query import QueryError
from mttr_pipeline.demo.kit.wire import Request, Response, answer


def find(jql: str, book: Book, now: datetime, flavour: Flavour, zone: str) -> list[Json]:
    """The issues that a query selects, in its order. `zone` is the time zone of the user who searches.

    Raises JiraError when the query cannot be read, or, on Cloud, has no restriction.
    """
    key = ("search", jql, now if "now" in jql or '"-' in jql or " -" in jql else None)
    answered: list[Json] | None = book.answers.get(key)
    if answered is not None:
        return answered
    try:
        search = parse(jql, _searchable(book, now, zone))
    except QueryError as error:
        raise JiraError(400, str(error)) from None
    if flavour == "cloud" and not search.bounded:
        text = "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
        raise JiraError(400, text)
    found = search.order([issue for issue in book.issues if search.test(issue)])
    if len(book.answers) > 64:
        book.answers.clear()
    book.answers[key] = found
    return found


def _searchable(book: Book, now: datetime, zone: str) -> Searchable:
    def values(rows: list[Json], *columns: str) -> set[str]:
        return {str(row[column]) for row in rows for column in columns if row.get(column)}

    return Searchable(
        values(book.projects, "id", "key", "name"),
        values(book.issue_types, "id", "name"),
        values(book.statuses, "id", "name"),
        zone,
        now,
    )


def page_by_token(request: Request, book: Book, now: datetime, zone: str, page_cap: int) -> Response:
    """The search of Cloud: pages by token, ids alone unless fields are named."""
    body = parameters(request)
    jql, fields, expand = str(body.get("jql") or ""), names_of(body.get("fields")), names_of(body.get("expand"))
    found = find(jql, book, now, "cloud", zone)
    start = read_token(body.get("nextPageToken"), jql)
    wanted = size_of(body.get("maxResults"), 50)
    bare = not expand and set(fields) <= {"id", "key"}
    size = min(wanted, 5000 if bare else page_cap) or 50
    page = found[start : start + size]
    last = start + size >= len(found)
    payload: Json = {"issues": [shown(issue, fields, expand, "cloud") for issue in page], "isLast": last}
    if not last:
        payload["nextPageToken"] = write_token(start + size, jql)
    return answer(payload)


def page_by_offset(request: Request, book: Book, now: datetime, zone: str, page_cap: int) -> Response:
    """The search of Data Center: pages by startAt, with the size that the site allows."""
    body = parameters(request)
    found = find(str(body.get("jql") or ""), book, now, "dc", zone)
    start, size = size_of(body.get("startAt"), 0), min(size_of(body.get("maxResults"), 50), page_cap)
    fields, expand = names_of(body.get("fields")) or ["*navigable"], names_of(body.get("expand"))
    issues = [shown(issue, fields, expand, "dc") for issue in found[start : start + size]]
    page = {"expand": "schema,names", "startAt": start, "maxResults": size, "total": len(found), "issues": issues}
    return answer(page)


def shown(issue: Json, fields: list[str], expand: list[str], flavour: Flavour) -> Json:
    """An issue with the fields asked for; no fields means the id alone."""
    if not fields:
        row: Json = {"id": issue["id"]}
    else:
        values = issue.get("fields") or {}
        excluded = {name[1:] for name in fields if name.startswith("-")}
        everything = {"*all", "*navigable"} & set(fields) or excluded == {name[1:] for name in fields}
        names = values.keys() if everything else [name for name in fields if name in values]
        row = {name: issue[name] for name in ("expand", "id", "self", "key") if name in issue}
        row["fields"] = {name: values[name] for name in names if name not in excluded}
        if set(fields) <= {"id", "key"}:
            del row["fields"]
    if "changelog" in expand:
        row["changelog"] = embedded(issue, flavour)
    return row
