"""Alerts of Jira Service Management Operations that are linked to an incident issue: which issues are asked for theirs.

No list gives links that changed, and no document says that a link changes `updated` of the issue or the alert. Alerts are linked
asynchronously, mostly while people work on the incident. So a pull asks for the issues that are not done, those that changed within
SETTLED before its end or since the last pull, and those that no pull has asked for yet, newest first. What the budget does not reach
waits for the next pull. A link that is made or removed later than SETTLED after the last change of a done issue is seen by a full
refresh only.

One record per issue is landed, with all its alerts: `{"issueId", "linked": [...], "responders": [...]}`. So a link that was removed
is gone. An issue that is refused keeps what was known of it. This API is beta: whatever it answers, the pull of the issues goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from mttr_pipeline.errors import PermanentError, TransientError
from mttr_pipeline.sources.jira import NO_LINKED_ALERTS, NOT_READABLE, POSTPONED
from mttr_pipeline.sources.jira.incidents_api import IncidentsApi
from mttr_pipeline.sources.jira.jql import combined, created_in
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.deadline import OutOfTime
from mttr_pipeline.sources.kit.failures import HttpRefused, Stopped
from mttr_pipeline.sources.kit.paging import EndlessListing, row_id
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.runner import Runner, Task
from mttr_pipeline.sources.kit.windows import Window, epoch_ms

STREAM = "linked_alerts"
SETTLED = timedelta(days=7)  # after its last change, a done issue is not asked again
REQUESTS_PER_ISSUE = 2
ISSUES_PER_FILE = 25
HOPELESS = 5  # issues that are refused before any is answered: then it is not the issue that is refused


class _Known(msgspec.Struct):
    issueId: str


_KNOWN = msgspec.json.Decoder(_Known)


class LinkedAlerts:
    """The linked alerts of one pull, after its issues have landed. `jql` selects the incidents, `search` gives the ids that a JQL
    finds; `budget` is in requests."""

    def __init__(
        self, api: IncidentsApi, runner: Runner, plan: Plan, jql: str, search: Callable[[str], list[bytes]], budget: int
    ) -> None:
        self._api, self._runner, self._plan, self._jql, self._search = api, runner, plan, jql, search
        self._most = -(-budget // REQUESTS_PER_ISSUE)
        self._extract = runner.extract
        self._lock = threading.Lock()
        self._is_known = False  # whether the site has given linked alerts to an earlier pull
        self._answered = 0
        self._refused: list[str] = []
        self._is_over = threading.Event()  # what was seen says that further requests are in vain
        self._why = ""  # the sentence of the last failure

    def run(self, changed_since: datetime) -> None:
        """Land what is not landed yet, and leave to the next pull what waits. `changed_since` is the instant since when this pull
        reads changes. Raises OutOfTime, and what the search for issues raises."""
        site = self._extract.facts.get("site", {})
        waiting = _ids_of(site.get(STREAM))
        self._is_known = waiting is not None
        recent_since = self._plan.until - SETTLED
        if self._plan.incremental:
            recent_since = min(recent_since, changed_since)
        is_recent = f"(statusCategory != Done OR updated >= {epoch_ms(recent_since)})"
        recent = self._found([is_recent])
        if waiting is None or not self._plan.incremental:
            since = self._plan.covered_since if self._plan.incremental else None
            whole = Window(min(since or self._plan.since, self._plan.until), self._plan.until)
            waiting = sorted({*(waiting or ()), *self._found([created_in(whole)])}, key=int, reverse=True)
        landed = self._landed()
        asked, left = in_turn(set(recent) - landed, [name for name in waiting if name not in landed], self._most)
        self._runner.run(self._tasks(asked))
        if self._is_over.is_set() or (self._refused and not (self._answered or landed or self._is_known)):
            self._runner.count(NOT_READABLE)
            self._extract.facts[NOT_READABLE] = (
                self._why
            )  # the vendor may be well again when somebody asks `mttr doctor`
            if not (self._answered or landed or self._is_known):
                return  # as if it had never been asked
            landed = self._landed()
            left = [name for name in asked if name not in landed] + left
        self._runner.count(NO_LINKED_ALERTS, len(self._refused))
        self._runner.count(POSTPONED, len(left))
        self._extract.facts["site"] = {**self._extract.facts.get("site", {}), STREAM: left}

    def _found(self, clauses: list[str]) -> list[str]:
        """The ids of incidents, which are numbers."""
        rows = self._search(combined(self._jql, clauses))
        return [name for row in rows if (name := row_id(row)) and name.isdigit()]

    def _landed(self) -> set[str]:
        """The issues whose alerts an earlier attempt landed."""
        lines = (row for key in self._extract.windows(STREAM) for row in self._extract.read(STREAM, key))
        return {known.issueId for row in lines if (known := envelope.decode_as(_KNOWN, row))}

    def _tasks(self, ids: list[str]) -> Iterator[Task]:
        taken = len(self._extract.windows(STREAM))
        for number, start in enumerate(range(0, len(ids), ISSUES_PER_FILE), start=taken):
            yield self._task(f"part {number}", ids[start : start + ISSUES_PER_FILE])

    def _task(self, key: str, ids: list[str]) -> Task:
        def work() -> list[Task]:
            self._extract.land(STREAM, key, (row for name in ids for row in self._read(name)))
            return []

        return Task(STREAM, work)

    def _read(self, issue_id: str) -> Iterator[bytes]:
        """The record of an issue; nothing where the site does not give it."""
        if self._is_over.is_set():
            return
        try:
            linked, responders = self._api.linked(issue_id), self._api.responders(issue_id)
        except (OutOfTime, Stopped):
            raise
        except HttpRefused as error:
            self._note(issue_id, error.status, str(error))
            return
        except EndlessListing as error:
            self._note(issue_id, None, f"{self._api.client.title}: {error}")
            return
        except (PermanentError, TransientError) as error:  # it does not answer, or not in the shape that is documented
            with self._lock:
                self._why = str(error)
            self._is_over.set()
            return
        with self._lock:
            self._answered += 1
        name, *lists = (msgspec.json.encode(part) for part in (issue_id, linked, responders))
        yield b'{"issueId":%b,"linked":%b,"responders":%b}' % (name, *lists)

    def _note(self, issue_id: str, status: int | None, why: str) -> None:
        with self._lock:
            self._refused.append(issue_id)
            self._why = why
            in_vain = (
                not self._answered and len(self._refused) >= HOPELESS and (status in (403, None) or not self._is_known)
            )
            if status in (401, 402) or in_vain:
                self._is_over.set()


def in_turn(recent: Collection[str], waiting: Sequence[str], most: int) -> tuple[list[str], list[str]]:
    """The `most` issues whose turn it is, and those that wait for the next pull, the longest first. All are ids.

    Of the recent ones, which each pull asks, those that waited longest come first, so that each has its turn; then the newest.
    """
    places = {name: place for place, name in enumerate(waiting)}
    first = sorted(set(recent), key=lambda name: (places.get(name, len(places)), -int(name)))
    ordered = first + [name for name in places if name not in set(recent)]
    return ordered[:most], ordered[most:]


def _ids_of(kept: Any) -> list[str] | None:
    """The issues that wait, as the last complete pull kept them; None where none did."""
    if not isinstance(kept, list):
        return None
    return [name for name in kept if isinstance(name, str) and name.isdigit()]
