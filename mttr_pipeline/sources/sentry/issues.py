"""What is landed of an issue and of what belongs to it, and what a pull compares to see that one has changed.

People are named in the histories only, by id and name; addresses of e-mail are landed nowhere. What does not belong here: requests,
what a pull keeps for the next one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.windows import iso
from mttr_pipeline.sources.sentry.releases import instant

#: Members that are landed as they are.
_PLAIN = (
    *("shortId", "title", "permalink", "level", "status", "substatus", "priority", "issueCategory", "isUnhandled"),
    *("count", "userCount", "firstSeen", "lastSeen", "numComments"),
)
#: Of objects, the members that are landed.
_PARTS = {
    "lifetime": ("count", "userCount", "firstSeen", "lastSeen"),
    "project": ("id", "slug", "name"),
    "statusDetails": ("inNextRelease", "inRelease", "autoResolved", "ignoreUntil", "ignoreCount"),
    "firstRelease": ("version", "shortVersion"),
    "lastRelease": ("version", "shortVersion"),
}
#: Of lists of objects, the members that are landed of each.
_LISTS = {
    "annotations": ("url",),
    "integrationIssues": ("key", "url"),
    "sentryAppIssues": ("webUrl",),
}
#: The longest history that is given.
MOST_ACTIVITIES = 100


class Issue(msgspec.Struct):
    """The members of an issue that are looked at, whatever they hold."""

    id: str | int
    shortId: Any = None
    title: Any = None
    permalink: Any = None
    level: Any = None
    status: Any = None
    substatus: Any = None
    priority: Any = None
    issueCategory: Any = None
    isUnhandled: Any = None
    count: Any = None
    userCount: Any = None
    firstSeen: Any = None
    lastSeen: Any = None
    numComments: Any = None
    lifetime: Any = None
    project: Any = None
    statusDetails: Any = None
    firstRelease: Any = None
    lastRelease: Any = None
    assignedTo: Any = None
    annotations: Any = None
    integrationIssues: Any = None
    sentryAppIssues: Any = None
    stats: Any = None
    activity: Any = None

    @property
    def name(self) -> str:
        """Its id as text."""
        return str(self.id)

    @property
    def last_seen(self) -> datetime | None:
        """When it had its latest event in its whole life; in the window that was asked for where the server says no more."""
        lifetime = self.lifetime if isinstance(self.lifetime, dict) else {}
        return instant(lifetime.get("lastSeen")) or instant(self.lastSeen)

    @property
    def project_slug(self) -> str:
        """The slug of its project, else its name; empty where it has none."""
        found = self.project if isinstance(self.project, dict) else {}
        return next((one for key in ("slug", "name") if isinstance(one := found.get(key), str)), "")

    @property
    def is_error(self) -> bool:
        """Whether it is about errors: the same list holds slow requests, feedback and missed check-ins."""
        return not isinstance(self.issueCategory, str) or self.issueCategory == "error"

    def kept(self) -> dict[str, Any]:
        """The members that are landed."""
        found = {name: plain(getattr(self, name)) for name in _PLAIN}
        found |= {name: _part(getattr(self, name), members) for name, members in _PARTS.items()}
        found |= {name: _parts(getattr(self, name), members) for name, members in _LISTS.items()}
        if isinstance(self.statusDetails, dict):
            commit = self.statusDetails.get("inCommit")  # an object, or its id
            found["statusDetails"]["inCommit"] = plain(commit.get("id") if isinstance(commit, dict) else commit)
        if isinstance(self.assignedTo, dict):
            kind = plain(self.assignedTo.get("type"))
            found["assignedTo"] = {
                "type": kind,
                "name": plain(self.assignedTo.get("name")) if kind == "team" else None,
            }
        return found

    def state(self) -> str:
        """Tells whether something happened to it, events apart: then its history is read."""
        kept = self.kept()
        assigned = self.assignedTo if isinstance(self.assignedTo, dict) else {}
        names = ("status", "substatus", "statusDetails", "level", "shortId", "numComments")
        return _digest([kept[name] for name in names] + [plain(assigned.get("type")), plain(assigned.get("id"))])

    def digest(self) -> str:
        """Tells whether anything that is landed of it changed."""
        return _digest([self.kept(), self.state()])

    def points(self, period: str) -> list[tuple[int, int]]:
        """How many events it had, as (seconds since 1970, number), of a series such as `24h`."""
        return points_of(self.stats.get(period) if isinstance(self.stats, dict) else None)

    def activities(self) -> list[dict[str, Any]]:
        """The entries of its history that are readable objects."""
        return [one for one in self.activity if isinstance(one, dict)] if isinstance(self.activity, list) else []


class _Line(msgspec.Struct):
    id: str


_ISSUE = msgspec.json.Decoder(Issue)
_LINE = msgspec.json.Decoder(_Line)


def issue_of(row: bytes) -> Issue | None:
    """An issue as sent; None for what has no id."""
    found = envelope.decode_as(_ISSUE, row)
    return found if found and found.name.strip() else None


def id_of(line: bytes) -> str | None:
    """The issue of a landed line."""
    found = envelope.decode_as(_LINE, line)
    return found.id if found else None


def issue_line(
    issue: Issue, read_at: datetime, before_at: datetime | None, *, is_whole: bool, more: dict[str, Any]
) -> bytes:
    """What is landed of an issue: its state at `read_at`.

    `before_at` is when it was last seen in the state that was landed before; None where nothing was. `is_whole` says whether its own
    numbers are those of its whole life, and not of the window that was asked for. `more` are members that are not the server's.
    """
    return msgspec.json.encode(
        {
            "id": issue.name,
            "read_at": iso(read_at),
            "before_at": iso(before_at) if before_at else None,
            "is_whole": is_whole,
            **more,
            "record": issue.kept(),
        }
    )


def activity_line(issue: str, read_at: datetime, entry: dict[str, Any]) -> bytes:
    """What is landed of an entry of a history. Ids are left out: they are given anew now and then."""
    user, app, data = (entry.get(name) for name in ("user", "sentry_app", "data"))
    data = data if isinstance(data, dict) else {}
    merged = data.get("issues")
    return msgspec.json.encode(
        {
            "id": issue,
            "read_at": iso(read_at),
            "type": plain(entry.get("type")),
            "dateCreated": plain(entry.get("dateCreated")),
            "user": _part(user, ("id", "name")),
            "app": plain(app.get("name")) if isinstance(app, dict) else None,
            "data": {name: plain(data.get(name)) for name in ("version", "commit", "age", "integration", "text")},
            "merged": [one["id"] for one in _parts(merged, ("id",))],
        }
    )


def counts_line(issue: str, read_at: datetime, minutes: int, points: Iterable[tuple[int, int]]) -> bytes:
    """What is landed of how many events an issue had in periods of so many minutes."""
    return msgspec.json.encode({"id": issue, "minutes": minutes, "read_at": iso(read_at), "points": list(points)})


def points_of(series: Any) -> list[tuple[int, int]]:
    """The readable points of a series, one for each instant."""
    found = {}
    for point in series if isinstance(series, list) else ():
        if isinstance(point, list) and len(point) >= 2:
            at, n = (plain(value) for value in point[:2])
            if _is_count(at) and _is_count(n):
                found[int(at)] = int(n)
    return sorted(found.items())


def plain(value: Any) -> Any:
    """A text, a number or a truth value that can be landed; None for anything else."""
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else None
    return value if isinstance(value, float) and math.isfinite(value) else None


def _is_count(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**53


def _part(value: Any, members: Iterable[str]) -> dict[str, Any] | None:
    return {name: plain(value.get(name)) for name in members} if isinstance(value, dict) else None


def _parts(value: Any, members: Iterable[str]) -> list[dict[str, Any]]:
    found = [_part(one, members) for one in value] if isinstance(value, list) else []
    return [one for one in found if one is not None]


def _digest(value: Any) -> str:
    return hashlib.blake2b(msgspec.json.encode(value), digest_size=6).hexdigest()
