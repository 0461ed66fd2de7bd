"""What is landed of a release, and what a pull keeps of one for the next pull. People, health and counts of errors are not landed:
they change every night.

What does not belong here: requests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from mttr_pipeline.sources.kit import envelope


class _Project(msgspec.Struct):
    slug: Any = None
    name: Any = None


class _Id(msgspec.Struct):
    id: Any = None


class Record(msgspec.Struct):
    """The members of a release that are kept, whatever they hold."""

    version: str
    shortVersion: Any = None
    url: Any = None
    dateCreated: Any = None
    dateReleased: Any = None
    commitCount: Any = None
    deployCount: Any = None
    lastDeploy: Any = None
    lastCommit: Any = None
    projects: Any = None

    def kept(self) -> dict[str, Any]:
        """The members as they are landed."""
        members = msgspec.structs.asdict(self)
        for name in ("lastDeploy", "lastCommit"):
            value = members[name]
            members[name] = {"id": value.get("id")} if isinstance(value, dict) else None
        if isinstance(self.projects, list):
            found = [one for one in self.projects if isinstance(one, dict)]
            members["projects"] = [{name: one.get(name) for name in ("id", "slug", "name")} for one in found]
        return members

    @property
    def listed_at(self) -> datetime | None:
        """What the list is sorted by."""
        return instant(self.dateReleased) or instant(self.dateCreated)

    @property
    def active_at(self) -> datetime | None:
        """The same, or when its newest deploy was over, whichever is later; None where it says neither."""
        last = self.lastDeploy.get("dateFinished") if isinstance(self.lastDeploy, dict) else None
        return max((at for at in (self.listed_at, instant(last)) if at), default=None)

    @property
    def deploys(self) -> int:
        """How many deploys it had."""
        return count_of(self.deployCount)

    @property
    def last_deploy(self) -> str:
        """The id of the newest one; empty where the server does not say it."""
        found = self.lastDeploy.get("id") if isinstance(self.lastDeploy, dict) else None
        return "" if found is None else str(found)


class _Line(msgspec.Struct):
    record: Record


class Seen(msgspec.Struct):
    """A release as the last pull left it.

    at       when it, or a deploy of it, was new, ISO 8601 in UTC; empty where it says none
    digest   of what was landed
    deploys, last   its deploys, and the newest of them
    commits  how many commits it had when they were read
    is_open  whether its deploys could not be read
    """

    at: str = ""
    digest: str = ""
    deploys: int = 0
    last: str = ""
    commits: int = 0
    is_open: bool = False


_RECORD = msgspec.json.Decoder(Record)
_LINE = msgspec.json.Decoder(_Line)


def record_of(row: bytes) -> Record | None:
    """A release as sent; None for what has no version."""
    found = envelope.decode_as(_RECORD, row)
    return found if found and found.version else None


def line_of(record: Record) -> bytes:
    """What is landed of it."""
    return msgspec.json.encode({"id": record.version, "record": record.kept()})


def landed(lines: Iterable[bytes]) -> dict[str, tuple[Record, str]]:
    """The releases that were landed and the digest of each, by version."""
    found = {}
    for line in lines:
        if one := envelope.decode_as(_LINE, line):
            found[one.record.version] = (one.record, digest(line))
    return found


def digest(line: bytes) -> str:
    """Tells two lines apart."""
    return hashlib.blake2b(line, digest_size=8).hexdigest()


def count_of(value: Any) -> int:
    """A count; 0 for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**53 else 0


def instant(text: Any) -> datetime | None:
    """An ISO instant with an offset, in UTC; None for anything else."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
        return found.astimezone(UTC) if found and found.tzinfo else None
    except (ValueError, OverflowError):
        return None
