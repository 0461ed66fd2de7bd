"""What is true of the errors of a simulated organization: the interface between whoever tells a story and the simulator that shows
it.

    book.errors.issues.append(
        ErrorIssue(
            number=1, project="checkout", title="KeyError: cart", first_seen=at, first_release="checkout@1.4",
            episodes=[Episode(began=at, resolved=at + HOUR, how="hand", by="Ana Diaz")],
            events=per_hour(at, at + HOUR, 40),
        )
    )

An issue has its first event at `first_seen`. Its episodes follow each other: the first begins there, each later one with an event
that brings a resolved issue back (a regression), or by hand where `reopened_by` names somebody. How an episode ends is one of WAYS:

    hand          somebody resolves it
    in_release    somebody says at `claimed` that `release` resolves it; it counts as resolved from then on
    next_release  the same, of the next release: at `resolved` that has come to be `release`
    commit        a commit or pull request that names the issue is opened at `claimed`; `release`, made at `resolved`, has it. No
    entry
                  of the history tells of the resolve
    age           nobody resolves it until its age does

`events` are counts per hour of the sender's clock, which need not agree with the episodes. Everything later than the present of the
server has not happened yet. Nothing here knows HTTP or the shape of an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
How = Literal["hand", "in_release", "next_release", "commit", "age"]


@dataclass(slots=True)
class Episode:
    """A stretch in which an issue was open; `resolved` is None while it is."""

    began: datetime
    resolved: datetime | None = None
    how: How = "hand"
    by: str | None = None
    release: str | None = None
    claimed: datetime | None = None
    reopened_by: str | None = None

    @property
    def over_at(self) -> datetime | None:
        """When the server calls it resolved: "resolved in a release" counts at once."""
        return (self.claimed or self.resolved) if self.how in ("in_release", "next_release") else self.resolved


@dataclass(slots=True)
class Act:
    """Something else that happened to an issue: an entry of its history, of a type of the vendor."""

    type: str
    at: datetime
    by: str | None = None
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class Archived:
    """A stretch in which an issue was archived; it ends because it escalates, or without a word where the archiving was for a
    time."""

    at: datetime
    until: datetime | None = None
    by: str | None = None
    escalates: bool = True


@dataclass(slots=True)
class ErrorIssue:
    """One issue.

    number, project  make its id and its short id
    events       the hour -> events in it
    users        how many users all events affected
    unhandled    whether nothing handled its events; `flips_at` is when that begins to be otherwise
    assigned     ("user" or "team", name)
    tickets      keys of tickets of another tool that an integration made, and `pages`, addresses of pages that an app or annotation
    names tags         tag -> its most frequent value
    category     error, or what else the same list holds
    merged_into  the number of the issue that it became part of at `merged_at`
    deleted_at   when it was deleted
    """

    number: int
    project: str
    title: str
    first_seen: datetime
    level: str = "error"
    episodes: list[Episode] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    archived: list[Archived] = field(default_factory=list)
    events: dict[datetime, int] = field(default_factory=dict)
    users: int = 1
    unhandled: bool = False
    flips_at: datetime | None = None
    priority: str = "medium"
    first_release: str | None = None
    last_release: str | None = None
    assigned: tuple[str, str] | None = None
    tickets: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    environment: str = "production"
    category: str = "error"
    merged_into: int | None = None
    merged_at: datetime | None = None
    deleted_at: datetime | None = None

    @property
    def id(self) -> str:
        """Its id at the server."""
        return str(self.number)

    @property
    def short_id(self) -> str:
        """What people write, and pagers know it by."""
        return f"{self.project.upper()}-{self.number:X}"

    def is_merged(self, now: datetime) -> bool:
        """Whether it is part of another one by now."""
        return self.merged_into is not None and self.merged_at is not None and self.merged_at <= now

    def is_there(self, now: datetime) -> bool:
        """Whether it has happened by now and is not deleted."""
        return self.first_seen <= now and not (self.deleted_at is not None and self.deleted_at <= now)


@dataclass(slots=True)
class Sessions:
    """The sessions of a release on one day."""

    release: str
    project: str
    day: datetime
    sessions: int
    crashed: int = 0
    environment: str = "production"


@dataclass(slots=True)
class Errors:
    """Everything about errors that an organization holds: issues, sessions, and the teams of each project."""

    issues: list[ErrorIssue] = field(default_factory=list)
    sessions: list[Sessions] = field(default_factory=list)
    teams: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def projects(self) -> list[str]:
        """The slugs of all projects, in the order of their ids."""
        named = [*self.teams, *(one.project for one in self.issues), *(one.project for one in self.sessions)]
        return sorted(dict.fromkeys(named))


def per_hour(begin: datetime, end: datetime, n: int) -> dict[datetime, int]:
    """`n` events in each hour from that of `begin` to that of `end`."""
    hour = begin.replace(minute=0, second=0, microsecond=0)
    found: dict[datetime, int] = {}
    while hour <= end:
        found[hour] = n
        hour += HOUR
    return found


def instants(errors: Iterable[ErrorIssue]) -> list[datetime]:
    """Every instant at which one of the issues changes, but for its events."""
    found: list[datetime | None] = []
    for issue in errors:
        found += [issue.first_seen, issue.merged_at, issue.deleted_at, issue.flips_at]
        found += [at for one in issue.episodes for at in (one.began, one.resolved, one.claimed)]
        found += [act.at for act in issue.acts]
        found += [at for one in issue.archived for at in (one.at, one.until)]
    return [at for at in found if at is not None]
