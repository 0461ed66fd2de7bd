"""What one pull keeps of a repository for the next one, in `facts["site"]` of the manifest.

A repository goes on from where it was read itself: one that was added later, or could not be read for a week, lacks nothing. What
does not belong here: requests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from mttr_pipeline.config.options import DEFAULT_BACKFILL_DAYS
from mttr_pipeline.sources.github.outcomes import Success
from mttr_pipeline.sources.kit.plan import Plan


class Waiting(msgspec.Struct):
    """A deployment that is not over: its commit, its environment where that is a production one, the tag of its statuses."""

    sha: str = ""
    production: str = ""
    etag: str = ""


class Memory(msgspec.Struct):
    """One repository.

    read_until      the end of the last pull that read it
    pages, releases entity tags of the pages of its deployments and releases
    waiting         deployments that are not over, by id
    live            the last successful deployments of each production environment, oldest first
    deploys         whether it ever had a deployment
    """

    read_until: datetime
    pages: list[str] = []
    releases: list[str] = []
    waiting: dict[str, Waiting] = {}
    live: dict[str, list[Success]] = {}
    deploys: bool = False


class Known(msgspec.Struct):
    """What a configured name stood for: the id and name of the repository, and the entity tag of what described it."""

    id: str
    name: str
    etag: str = ""


class Site(msgspec.Struct):
    """An account."""

    names: dict[str, Known] = {}
    repositories: dict[str, Memory] = {}

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Site:
        """What the last complete pull kept; nothing where that is not there or of another release."""
        try:
            return msgspec.convert(facts.get("site", {}), cls, strict=False)
        except msgspec.ValidationError:
            return cls()

    def keep(self, facts: dict[str, Any]) -> None:
        """Leave it for the next pull."""
        facts["site"] = msgspec.to_builtins(self)


@dataclass
class Repository:
    """A repository in one pull: its id, its name now, what is known of it, and from when on its changes are read.

    pages, releases  the entity tags of its pages, as they are now
    listed           ids of the deployments on the pages that changed
    etags            the entity tags of statuses, by the id of the deployment
    gone             deployments that the vendor does not know any more; ours stay
    """

    id: str
    name: str
    memory: Memory | None
    since: datetime
    pages: list[str] = field(default_factory=list)
    releases: list[str] = field(default_factory=list)
    listed: set[str] = field(default_factory=set)
    etags: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    @property
    def key(self) -> str:
        """Begins the keys of its windows."""
        return f"repository {self.id}"

    def waiting(self) -> dict[str, Waiting]:
        """The deployments that were not over the last time, by id."""
        return self.memory.waiting if self.memory else {}


def read_since(plan: Plan, memory: Memory | None, overlap: timedelta) -> datetime:
    """From when on the changes of a repository are read: since it was read last, `overlap` included; all of it where it is new."""
    if not plan.incremental:
        return plan.since
    if memory is None:
        return plan.requested_since or plan.as_of - timedelta(days=DEFAULT_BACKFILL_DAYS)
    return min(memory.read_until, plan.until) - overlap
