"""A case and its timed facts: the simulators render records from them, and `truth` computes the expected results.

A `Case` is one record in one tool; its facts say what happened to it and when. A simulator renders the facts up to an
instant in the vendor's shape. `truth` derives from the same facts the timestamps that the pipeline must find. No field
name of a vendor belongs here.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime

import msgspec


class Fact(msgspec.Struct, frozen=True, gc=False):
    """Something that happened. `actor` is the handle of a person; it is empty for a machine."""

    at: datetime
    kind: str
    actor: str = ""
    text: str = ""
    value: str = ""


class Case(msgspec.Struct, kw_only=True):
    """One record in one tool, with everything that ever happens to it; `facts[0]` is its creation."""

    tool: str
    id: str
    title: str
    service: str
    severity: str
    story: str
    key: str = ""
    number: int = 0
    #: The priority at creation; empty when nobody set one.
    priority: str = ""
    urgency: str = "high"
    issue_type: str = "incident"
    major: bool = False
    #: When the impact began, where the tool has a field for it.
    impact_start: datetime | None = None
    #: What it cost, where somebody filled the fields of the tool.
    users: int | None = None
    revenue: float | None = None
    #: The id of the case whose deduplication key this one repeats within ten minutes.
    flap_of: str = ""
    #: A description, where one tells something.
    text: str = ""
    #: Ids of the alerts that belong to the record, and of those that page for it.
    alerts: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    #: Links to other records of the tool: name of the type, id. They are there from the creation on.
    links: tuple[tuple[str, str], ...] = ()
    #: The day on which it is due, where the tool has a field for it.
    due: date | None = None
    facts: list[Fact] = []

    @property
    def created(self) -> datetime:
        """When the record was created."""
        return self.facts[0].at

    def until(self, now: datetime) -> list[Fact]:
        """The facts up to `now`; empty when the case does not exist yet."""
        return [fact for fact in self.facts if fact.at <= now]

    def add(self, at: datetime, kind: str, actor: str = "", text: str = "", value: str = "") -> None:
        """Record something that happened."""
        self.facts.append(Fact(at, kind, actor, text, value))

    def last(self, kind: str) -> Fact | None:
        """The last fact of a kind over the whole life of the case; None when there is none."""
        return next((fact for fact in reversed(self.facts) if fact.kind == kind), None)

    def ends(self) -> datetime | None:
        """When the case is resolved for the last time; None when it never is."""
        fact = self.last("resolved")
        return fact.at if fact else None


def identifier(*parts: object) -> str:
    """A stable hexadecimal id."""
    return hashlib.blake2b(":".join(map(str, parts)).encode(), digest_size=16).hexdigest()


def uuid(identity: str) -> str:
    """Hexadecimal digits, laid out as a UUID."""
    return "-".join((identity[:8], identity[8:12], identity[12:16], identity[16:20], identity[20:32]))


def uuid_with_time(identity: str, created: datetime) -> str:
    """A UUID followed by the creation in epoch milliseconds."""
    return f"{uuid(identity)}-{int(created.timestamp() * 1000)}"


def code(identity: str, length: int) -> str:
    """The hexadecimal id as upper-case letters and digits."""
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    number, text = int(identity, 16), ""
    for _ in range(length):
        number, digit = divmod(number, 36)
        text += alphabet[digit]
    return text
