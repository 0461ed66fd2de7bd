"""Everything an account holds at one instant, and how to find, sort and complete its incidents."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mttr_pipeline.demo.kit.wire import encode
from mttr_pipeline.demo.pagerduty.refusals import invalid, not_found

Json = dict[str, Any]

SORTABLE = {"incident_number", "created_at", "resolved_at", "urgency"}


@dataclass(slots=True)
class Entry:
    """A log entry without its incident, encoded; `render` adds the incident as a reference or in full."""

    created_at: str
    incident_id: str
    type: str
    head: bytes
    reference: bytes
    team_ids: tuple[str, ...] = ()

    def render(self, incident: bytes | None) -> msgspec.Raw:
        """The whole entry."""
        return msgspec.Raw(self.head + b',"incident":' + (incident or self.reference) + b"}")


@dataclass(slots=True)
class Book:
    """Everything the account holds at one instant. Incidents ascend by creation, log entries descend."""

    incidents: list[Json]
    entries: list[Entry]
    notes: dict[str, list[Json]] = field(default_factory=dict)
    services: list[Json] = field(default_factory=list)
    teams: list[Json] = field(default_factory=list)
    priorities: list[Json] = field(default_factory=list)
    users: list[Json] = field(default_factory=list)
    #: Alerts by the id of their incident.
    alerts: dict[str, list[Json]] = field(default_factory=dict)
    #: The newest first.
    changes: list[Json] = field(default_factory=list)
    encoded: list[bytes] = field(init=False)
    index: dict[str, int] = field(init=False)
    created: list[str] = field(init=False)
    #: Results of searches, kept while the account does not change.
    answers: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.incidents.sort(key=lambda incident: (incident["created_at"] or "", incident["incident_number"]))
        self.entries.sort(key=lambda entry: entry.created_at, reverse=True)
        self.changes.sort(key=lambda change: change.get("timestamp") or "", reverse=True)
        self.encoded = [encode(incident) for incident in self.incidents]
        self.index = {incident["id"]: place for place, incident in enumerate(self.incidents)}
        self.created = [incident["created_at"] or "" for incident in self.incidents]


def entry_of(row: Json) -> Entry:
    """The entry for a log entry given as a whole object."""
    rest = {name: value for name, value in row.items() if name != "incident"}
    incident = row.get("incident") or {}
    head = encode(rest)[:-1]
    teams = tuple(team["id"] for team in row.get("teams") or () if team.get("id"))
    return Entry(
        row.get("created_at") or "", incident.get("id", ""), row.get("type", ""), head, encode(incident), teams
    )


def entries_between(book: Book, since: str, until: str) -> list[Entry]:
    """The log entries from `since` up to `until`, newest first. Both are written as in the entries."""
    low = bisect_right(book.entries, _Reverse(until), key=lambda entry: _Reverse(entry.created_at))
    high = bisect_right(book.entries, _Reverse(since), key=lambda entry: _Reverse(entry.created_at))
    return book.entries[low:high]


class _Reverse:
    """Text in descending order, to bisect a list that descends."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __lt__(self, other: _Reverse) -> bool:
        return self.text > other.text


def find(book: Book, identity: str) -> int:
    """The place of an incident in the book, by id or by number. Raises PagerDutyError when there is none."""
    place = book.index.get(identity)
    if place is None and identity.isdigit():
        numbers = {row["incident_number"]: place for place, row in enumerate(book.incidents)}
        place = numbers.get(int(identity))
    if place is None:
        raise not_found()
    return place


def included(book: Book, place: int, include: list[str]) -> Json:
    """The incident with the objects named in include[] in full instead of as references."""
    row = dict(book.incidents[place])

    def full(kind: str, ref: Json | None) -> Json | None:
        found = [item for item in getattr(book, kind) if ref and item["id"] == ref.get("id")]
        return found[0] if found else ref

    if "services" in include:
        row["service"] = full("services", row.get("service"))
    if "priorities" in include:
        row["priority"] = full("priorities", row.get("priority"))
    if "teams" in include:
        row["teams"] = [full("teams", team) for team in row.get("teams") or ()]
    if "assignees" in include:
        row["assignments"] = [{**a, "assignee": full("users", a["assignee"])} for a in row.get("assignments") or ()]
    if "acknowledgers" in include:
        acks = row.get("acknowledgements") or ()
        row["acknowledgements"] = [{**a, "acknowledger": full("users", a["acknowledger"])} for a in acks]
    if "first_trigger_log_entries" in include:
        ref = row.get("first_trigger_log_entry") or {}
        for entry in book.entries:
            if entry.incident_id == row["id"] and entry.type == "trigger_log_entry":
                row["first_trigger_log_entry"] = entry.render(None)
                break
        else:
            row["first_trigger_log_entry"] = ref
    if "body" in include:
        row["body"] = {"type": "incident_body", "details": row.get("title")}
    if "custom_fields" in include:
        row.setdefault("custom_fields", [])
    return row


def sort_places(places: list[int], book: Book, sort_by: str | None) -> list[int]:
    """One or two `field[:asc|desc]`; by default by creation."""
    terms = [term for term in (sort_by or "created_at:asc").split(",") if term]
    if len(terms) > 2:
        raise invalid("sort_by takes at most two fields")
    for term in reversed(terms):
        field, _, direction = term.partition(":")
        if field not in SORTABLE or direction not in ("", "asc", "desc"):
            raise invalid(f"sort_by {term} is not supported")
        if field == "created_at" and direction != "desc" and len(terms) == 1:
            continue
        places = sorted(
            places,
            key=lambda place: (book.incidents[place].get(field) is None, book.incidents[place].get(field) or 0),
            reverse=direction == "desc",
        )
    return places
