"""Deploys of the demonstration company, as facts: the simulators render them in the shapes of their vendors.

What belongs here: what really happened to a deploy. No field name of a vendor belongs here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

import msgspec


class Deploy(msgspec.Struct, frozen=True, kw_only=True):
    """One deploy of one service to one environment, with everything that ever happens to it.

    `story` says why it is there: plain, breaks (it introduced an incident), rollback, fix, rerun (the same commit again),
    fails, cancelled, waits (hours for an approval), or unfinished (its job never says that it is over). `number` counts the
    deploys of a tool.
    """

    tool: str
    number: int
    service: str
    environment: str
    story: str
    version: str
    sha: str
    #: Title of the commit that it brings out.
    title: str
    #: Handle of the person who asked for it.
    author: str
    #: Author date of the earliest commit that it brings out first.
    committed: datetime
    requested: datetime
    #: None where it never starts.
    started: datetime | None
    #: None where nothing ever says that it is over.
    finished: datetime | None
    #: How it ends: success, failure or cancelled; empty where it does not.
    outcome: str
    #: The number of the deploy that it takes back.
    takes_back: int | None = None
    #: Tool and id of the record of the incident that it broke, takes back or repairs.
    incident: tuple[str, str] | None = None
    #: Services that the same release brings out with it.
    also: tuple[str, ...] = ()

    def ends_by(self, now: datetime) -> bool:
        """Whether it is over at `now`."""
        return self.finished is not None and self.finished <= now


def told_again(deploys: Iterable[Deploy], services: Collection[str], later: timedelta) -> list[Deploy]:
    """The deploys of some services as a second tool is told of them, so much later: only what reached users is told."""
    return [
        msgspec.structs.replace(deploy, finished=deploy.finished + later)
        for deploy in deploys
        if deploy.service in services and deploy.outcome == "success" and deploy.environment == "production" and deploy.finished
    ]  # fmt: skip
