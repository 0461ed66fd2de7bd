"""A small JQL: enough to select incidents the way extractors do.

Dates follow the rule of Jira (JQL reference, Created and Updated): a bare number is epoch milliseconds; a quoted date is
local time of the user who searches, precise to the minute at best.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from mttr_pipeline.demo.kit.query import COMPARE, Parser, QueryError, Test, Token, tokens_of
from mttr_pipeline.demo.kit.wire import epoch_ms

Json = dict[str, Any]

_DATES = {"created": "created", "createddate": "created", "updated": "updated", "updateddate": "updated"}
_DATES |= {"resolved": "resolutiondate", "resolutiondate": "resolutiondate"}
_NAMED = {"issuetype": "issuetype", "type": "issuetype", "status": "status", "priority": "priority"}
_NAMED |= {"resolution": "resolution", "project": "project", "reporter": "reporter", "assignee": "assignee"}
_ORDERS = {"created", "updated", "key", "issuekey", "id", "resolved", "resolutiondate"}


@dataclass(slots=True)
class Searchable:
    """What a query may name: anything else fails the whole query, as on a real site. `zone` is the user's time zone."""

    projects: set[str]
    issue_types: set[str]
    statuses: set[str]
    zone: str
    now: datetime


@dataclass(slots=True)
class Search:
    """A parsed query. `bounded` is false when there is no restriction at all."""

    test: Test
    order: Callable[[list[Json]], list[Json]]
    bounded: bool


def millis(value: Any) -> int | None:
    """A Jira timestamp in epoch milliseconds; None when there is none."""
    try:
        return epoch_ms(datetime.fromisoformat(value).astimezone(UTC))
    except (TypeError, ValueError, OverflowError):
        return None


def parse(jql: str, site: Searchable) -> Search:
    """Read a query. Raises QueryError with the sentence that Jira answers."""
    body, *orders = re.split(r"\border\s+by\b", jql, maxsplit=1, flags=re.IGNORECASE)
    tokens = tokens_of(body)
    if tokens:
        parser = _Jql(tokens, site)
        test = parser.expression()
        if (rest := parser.peek()) is not None:
            raise QueryError(f"Error in the JQL Query: Expecting operator but got '{rest}'.")
    else:
        test = _everything
    return Search(test, _ordering(orders[0] if orders else ""), bool(tokens))


def _everything(issue: Json) -> bool:
    return True


def _ordering(text: str) -> Callable[[list[Json]], list[Json]]:
    terms: list[tuple[str, bool]] = []
    for term in filter(None, (part.strip() for part in text.split(","))):
        name, _, direction = term.partition(" ")
        if name.lower() not in _ORDERS or direction.strip().lower() not in ("", "asc", "desc"):
            raise QueryError(f"Field '{name}' does not exist or this field cannot be viewed by anonymous users.")
        terms.append((name.lower(), direction.strip().lower() == "desc"))
    if len(terms) > 7:
        raise QueryError("The number of fields in ORDER BY must not exceed 7.")

    def order(issues: list[Json]) -> list[Json]:
        # Without an ORDER BY the newest come first.
        for name, descending in reversed(terms or [("created", True)]):
            issues = sorted(issues, key=_sort_keys(name), reverse=descending)
        return issues

    return order


def _sort_keys(name: str) -> Callable[[Json], Any]:
    if name in ("key", "issuekey"):
        return lambda issue: _split_key(issue["key"])
    if name == "id":
        return lambda issue: int(issue["id"])
    column = _DATES.get(name, name)
    return lambda issue: millis((issue.get("fields") or {}).get(column)) or 0


def _split_key(key: str) -> tuple[str, int]:
    project, _, number = key.rpartition("-")
    return project, int(number) if number.isdigit() else 0


class _Jql(Parser):
    def __init__(self, tokens: list[Token], site: Searchable) -> None:
        super().__init__(tokens)
        self.site = site

    def clause(self) -> Test:
        """`field op value`, `field [not] in (...)`, `field is [not] empty`."""
        name = self.take()
        field = name.lower()
        if self.accept("is", "not", "empty") or self.accept("is", "not", "null"):
            return lambda issue: _value(issue, field) is not None
        if self.accept("is", "empty") or self.accept("is", "null"):
            return lambda issue: _value(issue, field) is None
        if self.accept("not", "in"):
            wanted = self._wanted(field, self._list())
            return lambda issue: not (_values(issue, field) & wanted)
        if self.accept("in"):
            wanted = self._wanted(field, self._list())
            return lambda issue: bool(_values(issue, field) & wanted)
        operator = self.take()
        if operator not in COMPARE or operator == ":":
            raise QueryError(f"Error in the JQL Query: Expecting operator but got '{operator}'.")
        value = self.take()
        if field in _DATES:
            return self._date_test(_DATES[field], operator, value)
        wanted = self._wanted(field, [value])
        if operator == "=":
            return lambda issue: bool(_values(issue, field) & wanted)
        if operator == "!=":
            return lambda issue: not (_values(issue, field) & wanted)
        if field in ("key", "issuekey", "id", "issue"):
            bound, compare = _split_key(value)[1] if "-" in value else int(value), COMPARE[operator]
            return lambda issue: compare(_split_key(issue["key"])[1] if "-" in value else int(issue["id"]), bound)
        raise QueryError(f"The operator '{operator}' is not supported by the '{name}' field.")

    def _list(self) -> list[Token]:
        if not self.accept("("):
            raise QueryError("Error in the JQL Query: a list must be in parentheses.")
        values = [self.take()]
        while self.accept(","):
            values.append(self.take())
        if not self.accept(")"):
            raise QueryError("Error in the JQL Query: Expecting ')' before the end of the query.")
        return values

    def _wanted(self, field: str, values: Sequence[str]) -> set[str]:
        """The values in lower case. Raises QueryError for a value or a field that the site does not have."""
        wanted = {value.lower() for value in values}
        allowed = {
            "project": self.site.projects,
            "issuetype": self.site.issue_types,
            "type": self.site.issue_types,
            "status": self.site.statuses,
        }.get(field)
        if allowed is not None:
            names = {name.lower() for name in allowed}
            for value in values:
                if value.lower() not in names:
                    shown = "issuetype" if field == "type" else field
                    raise QueryError(f"The value '{value}' does not exist for the field '{shown}'.")
        elif field not in _NAMED and field not in ("key", "issuekey", "id", "issue", "labels", "statuscategory"):
            raise QueryError(f"Field '{field}' does not exist or you do not have permission to view it.")
        return wanted

    def _date_test(self, column: str, operator: str, value: Token) -> Test:
        bound, compare = self._instant(value), COMPARE[operator]

        def test(issue: Json) -> bool:
            at = millis((issue.get("fields") or {}).get(column))
            return at is not None and compare(at, bound)

        return test

    def _instant(self, value: Token) -> int:
        if not value.quoted and re.fullmatch(r"\d{9,}", value):
            return int(value)
        if value.lower() == "now":
            self.accept("(")
            self.accept(")")
            return epoch_ms(self.site.now)
        if match := re.fullmatch(r"(-\d+)([mhdw])", value):
            unit = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}[match[2]]
            return epoch_ms(self.site.now + timedelta(**{unit: int(match[1])}))
        for pattern in ("%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%d", "%Y/%m/%d"):
            try:
                local = datetime.strptime(value, pattern).replace(tzinfo=ZoneInfo(self.site.zone))
            except ValueError:
                continue
            return epoch_ms(local.astimezone(UTC))
        raise QueryError(
            f"Date value '{value}' for field is invalid. Valid formats include: 'yyyy/MM/dd HH:mm', "
            "'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'."
        )


def _values(issue: Json, field: str) -> set[str]:
    """Every id and name of the value of this field, in lower case."""
    fields = issue.get("fields") or {}
    if field in ("key", "issuekey", "issue", "id"):
        return {str(issue["key"]).lower(), str(issue["id"])}
    if field == "labels":
        return {label.lower() for label in fields.get("labels") or ()}
    if field == "statuscategory":
        category = (fields.get("status") or {}).get("statusCategory") or {}
        return {str(category.get(name)).lower() for name in ("id", "key", "name") if category.get(name)}
    value = fields.get(_NAMED.get(field, field)) or {}
    names = ("id", "key", "name", "displayName", "accountId")
    return {str(value[name]).lower() for name in names if value.get(name)} if isinstance(value, dict) else {str(value)}


def _value(issue: Json, field: str) -> Any:
    if field == "labels":
        return (issue.get("fields") or {}).get("labels") or None
    return (issue.get("fields") or {}).get(_DATES.get(field) or _NAMED.get(field, field))
