"""One issue: its history, the values of tags, comments; and how many events issues had.

An issue costs a request only where something happened to it beside events. What does not belong here: which issues are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec

from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.failures import HttpRefused
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.sentry.issues import Issue, issue_of, plain, points_of
from mttr_pipeline.sources.sentry.pages import Params
from mttr_pipeline.sources.sentry.server import NOT_SHOWN, Server

STATS_AT_ONCE = 200  # issues that one request for counts may name
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HOURS, DAYS_BACK = 60, 1440  # minutes of a period


class _Value(msgspec.Struct):
    value: Any = None


class _Tag(msgspec.Struct):
    key: Any = None
    topValues: list[_Value] = []


class _Stats(msgspec.Struct):
    id: str | int
    stats: dict[str, Any] = {}


_TAG = msgspec.json.Decoder(_Tag)
_STATS = msgspec.json.Decoder(_Stats)


class Details:
    """Reads what the list does not tell of an issue."""

    def __init__(self, client: HttpClient, organization: str, server: Server, environments: Sequence[str]) -> None:
        self._client = client
        self._organization = organization
        self._server = server
        self._environments: Params = tuple(("environment", name) for name in environments)

    def issue(self, issue: str) -> Issue | None:
        """An issue as the server shows it now; None where it does not exist any more. One that was merged into another is that
        other one. Raises what `HttpClient.get` raises."""
        try:
            path = self._server.issue_path(self._organization, issue)
            return issue_of(self._client.get(path, self._environments, parse=envelope.whole_object))
        except HttpRefused as error:
            if error.status != 404:
                raise
            return None

    def comments(self, issue: str) -> list[dict[str, Any]]:
        """The comments on an issue of a server that keeps no history, as entries of one. Raises what `HttpClient.get` raises."""
        rows = self._optional(self._server.issue_path(self._organization, issue, "comments"))
        found = (envelope.decode(row) for row in rows)
        return [{**one, "type": "note"} for one in found if isinstance(one, dict)]

    def tag(self, issue: str, key: str) -> str | None:
        """The most frequent value of a tag of an issue; None without any. Raises what `HttpClient.get` raises."""
        if self._server.scoped:
            path = self._server.issue_path(self._organization, issue, f"tags/{quote(key, safe='')}")
            params: Params = self._environments
        else:
            path, params = self._server.issue_path(self._organization, issue, "tags"), (("key", key),)
        for row in self._optional(path, params):
            tag = envelope.decode_as(_TAG, row)
            values = [plain(one.value) for one in tag.topValues] if tag and tag.key == key else []
            if values and isinstance(values[0], str) and values[0].strip():
                return values[0].strip()
        return None

    def counts(self, issues: Sequence[str], read_at: datetime) -> Iterator[tuple[str, int, list[tuple[int, int]]]]:
        """How many events issues had, from the list of its own: issue, minutes of a period, points. It leaves out what was 0."""
        path = f"/organizations/{self._organization}/issues-stats/"
        for start in range(0, len(issues), STATS_AT_ONCE):
            groups: Params = tuple(("groups", issue) for issue in issues[start : start + STATS_AT_ONCE])
            for period, minutes in (("24h", HOURS), ("14d", DAYS_BACK)):
                for row in self._client.get(path, (*groups, ("statsPeriod", period)), parse=envelope.items):
                    found = envelope.decode_as(_STATS, row)
                    if found is not None:
                        points = points_of(found.stats.get(period))
                        yield str(found.id), minutes, filled(points, read_at) if minutes == DAYS_BACK else points

    def _optional(self, path: str, params: Params = ()) -> list[bytes]:
        """The rows of a list, or the one object, of a path; nothing where the server does not show it."""

        def parse(body: bytes) -> list[bytes]:
            return envelope.items(body) if body.lstrip().startswith(b"[") else [envelope.whole_object(body)]

        try:
            return self._client.get(path, params, parse=parse)
        except HttpRefused as error:
            if error.status not in NOT_SHOWN:
                raise
            return []


def filled(points: Iterable[tuple[int, int]], read_at: datetime, days: int = 14) -> list[tuple[int, int]]:
    """Points of whole days with a 0 for each day up to `read_at` that is missing."""
    seconds = int(DAY.total_seconds())
    today = int(read_at.timestamp()) // seconds * seconds
    found: dict[int, int] = {today - seconds * back: 0 for back in range(days)}
    for at, n in points:
        day = at // seconds * seconds
        found[day] = found.get(day, 0) + n
    return sorted(found.items())


def unread(points: Iterable[tuple[int, int]], minutes: int, since: datetime | None) -> list[tuple[int, int]]:
    """The points that tell more than the last pull did: of periods that were not whole by `since`, the last time they were read,
    with one of overlap. Hours without events are left out."""
    length = minutes * 60
    floor = since.timestamp() - length if since else 0
    return [(at, n) for at, n in points if at + length > floor and (n or minutes == DAYS_BACK)]
