"""Sessions of releases per day, and how many of them crashed.

One answer holds at most 10,000 points, and lists no more groups than that allows, without a word: a window whose answer is full is
halved. Days are read again until they were over at a pull. Source: docs.sentry.io (API reference: release health).

Stream: sessions, one line for each release, project, environment and day.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from mttr_pipeline.landing.store import Extract
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.runner import Runner, Task
from mttr_pipeline.sources.kit.windows import Window, iso, steps
from mttr_pipeline.sources.sentry import SESSIONS_CUT
from mttr_pipeline.sources.sentry.issues import plain
from mttr_pipeline.sources.sentry.memory import DAY
from mttr_pipeline.sources.sentry.pages import Params

POINTS = 10_000  # of one answer
WIDEST = timedelta(days=30)
_GROUPED = ("project", "release", "environment", "session.status")
_FIELD = "sum(session)"


class _Group(msgspec.Struct):
    by: dict[str, Any] = {}
    series: dict[str, Any] = {}


class _Answer(msgspec.Struct):
    intervals: list[Any] = []
    groups: list[_Group] = []


_ANSWER = msgspec.json.Decoder(_Answer)


class SessionsPull:
    """The sessions of one extract. After `run`, `cut` says how many days have more releases than one answer holds."""

    def __init__(
        self,
        organization: str,
        client: HttpClient,
        extract: Extract,
        runner: Runner,
        narrowed: Params,
        read_at: datetime,
    ) -> None:
        """`narrowed` asks for some projects and environments only."""
        self._path = f"/organizations/{organization}/sessions/"
        self._client, self._extract, self._runner = client, extract, runner
        self._narrowed, self._read_at = narrowed, read_at
        self.cut = 0

    def run(self, since: datetime) -> datetime:
        """Land the days from that of `since` on; gives up to where they were over. Raises MttrError."""
        today = self._read_at.replace(hour=0, minute=0, second=0, microsecond=0)
        first = min(since, self._read_at).replace(hour=0, minute=0, second=0, microsecond=0)
        self._runner.run(self._task(window) for window in steps(Window(first, today + DAY), WIDEST))
        self._runner.count(SESSIONS_CUT, self.cut)
        return today

    def _task(self, window: Window) -> Task:
        return Task("sessions", partial(self._read, window))

    def _read(self, window: Window) -> list[Task]:
        if self._extract.has("sessions", window.key):
            return []
        days = window.seconds // int(DAY.total_seconds())
        most = POINTS // days
        params: Params = (
            ("field", _FIELD),
            *(("groupBy", name) for name in _GROUPED),
            ("start", iso(window.since)),
            ("end", iso(window.until)),
            ("interval", "1d"),
            ("includeTotals", "0"),
            ("per_page", str(most)),
            *self._narrowed,
        )
        body = self._client.get(self._path, params, parse=envelope.whole_object)
        answer = envelope.decode_as(_ANSWER, body) or _Answer()
        if len(answer.groups) >= most:
            if days > 1:
                middle = window.since + DAY * (days // 2)
                return [self._task(Window(window.since, middle)), self._task(Window(middle, window.until))]
            self.cut += 1
        self._extract.land("sessions", window.key, self._lines(answer))
        return []

    def _lines(self, answer: _Answer) -> Iterator[bytes]:
        """One for each release, project, environment and day with sessions."""
        found: dict[tuple[str, str, str], dict[str, list[int]]] = {}
        for group in answer.groups:
            project, release, environment, status = (plain(group.by.get(name)) for name in _GROUPED)
            if not isinstance(release, str) or not release:
                continue
            days = found.setdefault((release, str(project or ""), str(environment or "")), {})
            for at, n in zip(answer.intervals, _numbers(group.series.get(_FIELD)), strict=False):
                if isinstance(at, str) and n:
                    counts = days.setdefault(at, [0, 0])
                    counts[0] += n
                    counts[1] += n if status == "crashed" else 0
        for (release, project, environment), days in sorted(found.items()):
            for at, (sessions, crashed) in sorted(days.items()):
                yield msgspec.json.encode(
                    {
                        "id": release,
                        "project": project,
                        "environment": environment,
                        "day": at,
                        "read_at": iso(self._read_at),
                        "sessions": sessions,
                        "crashed": crashed,
                    }
                )


def _numbers(series: Any) -> list[int]:
    values = series if isinstance(series, list) else []
    return [int(v) if isinstance(v, int | float) and not isinstance(v, bool) and 0 <= v < 2**53 else 0 for v in values]


def start_of_sessions(until: datetime | None, oldest: datetime) -> datetime:
    """From when on sessions are read: since they were read for good, the day before included; else since `oldest`."""
    return oldest if until is None else max(oldest, until - DAY).astimezone(UTC)
