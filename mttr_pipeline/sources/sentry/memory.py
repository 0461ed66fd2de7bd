"""What a pull keeps of an account for the next one, in `facts["site"]` of the manifest.

An issue is known by a digest, not by its content: an organization has tens of thousands. What does not belong here: requests.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from mttr_pipeline.sources.sentry.releases import Seen
from mttr_pipeline.sources.sentry.server import DAYS, Server

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
#: An issue whose last event is older than this may have left the lists for its age, and for nothing else.
LISTED = timedelta(days=DAYS - 1)


class Known(msgspec.Struct, array_like=True):
    """An issue as the last pull left it.

    state, digest  of its state and of all that was landed of it
    status         as sent
    project        slug
    last_seen, asked  seconds since 1970: its latest event, and when it was last asked for by its id
    """

    state: str
    digest: str
    status: str
    project: str
    last_seen: int
    asked: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it was neither resolved nor archived."""
        return self.status not in ("resolved", "ignored")

    def was_listed(self, at: datetime) -> bool:
        """Whether a list of that time, which is one of the last 90 days, had to show it."""
        return self.last_seen > (at - LISTED).timestamp()


class Errors(msgspec.Struct):
    """The errors of an account.

    scope      which of them are read: with another one, all are read anew
    read_at    when they were read last; None: never
    walked_at  when all open ones were listed last
    server     what the server can do, and when it was asked
    issues     by id
    versions   releases without a deploy that are said to resolve an issue, and when they were asked for, seconds since 1970
    projects   digest of those that are landed
    sessions_until  up to where sessions are read for good
    """

    scope: dict[str, Any] = {}
    read_at: datetime | None = None
    walked_at: datetime | None = None
    server: Server | None = None
    probed_at: datetime | None = None
    issues: dict[str, Known] = {}
    versions: dict[str, int] = {}
    projects: str = ""
    sessions_until: datetime | None = None


class Site(msgspec.Struct):
    """An account: its organization, the end of the newest pull, the releases with deploys, by version, and its errors."""

    organization: str = ""
    read_until: datetime | None = None
    releases: dict[str, Seen] = {}
    errors: Errors = msgspec.field(default_factory=Errors)

    @classmethod
    def of(cls, facts: dict[str, Any], organization: str) -> Site:
        """What the last complete pull kept of this organization; nothing where another release of this program kept it."""
        try:
            found = msgspec.convert(facts.get("site", {}), cls, strict=False)
        except msgspec.ValidationError:
            return cls()
        return found if found.organization == organization else cls()
