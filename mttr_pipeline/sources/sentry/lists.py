"""The lists of issues that one pull reads, and the rows of them that are wanted.

A server with this API may ignore a filter, and then gives everything or nothing: each row is looked at here, and where a list lacks
what must be in it, everything is read. What does not belong here: what is done with the rows.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.order import NewestFirst
from mttr_pipeline.sources.kit.runner import Runner, Task
from mttr_pipeline.sources.sentry.issues import Issue, issue_of
from mttr_pipeline.sources.sentry.pages import Params, read_list
from mttr_pipeline.sources.sentry.projects import Projects
from mttr_pipeline.sources.sentry.server import Server

OVER = ("resolved", "ignored")
STATUSES = ("unresolved", *OVER)
_EXPANDED: Params = (("expand", "integrationIssues"), ("expand", "sentryAppIssues"))
_DISORDER = timedelta(hours=1)  # between two rows of a page that stand in the wrong order


class Lists:
    """What was read so far.

    rows        issues by id
    active      those with an event since the last pull, with their counts
    days        events per day of those, by id, where `read_days` was called
    unreadable  rows that are no issue
    ignored     filters and orders that the server does not follow
    """

    def __init__(
        self,
        client: HttpClient,
        runner: Runner,
        path: str,
        server: Server,
        projects: Projects,
        environments: Sequence[str],
    ) -> None:
        self._client, self._runner, self._path = client, runner, path
        self._server, self._projects = server, projects
        self._is_sentry = server.dialect == "sentry"
        narrowed = (*projects.params(server.dialect), *(("environment", name) for name in environments))
        self._more: Params = (*narrowed, *(_EXPANDED if self._is_sentry else ()))
        self.rows: dict[str, Issue] = {}
        self.active: set[str] = set()
        self.days: dict[str, list[tuple[int, int]]] = {}
        self.unreadable: dict[bytes, None] = {}
        self.ignored: set[str] = set()
        self._listed: Counter[str] = Counter()
        self._lock = threading.Lock()

    def read(self, since: datetime | None, *, with_open: bool) -> None:
        """Read the errors with events since an instant, and all that are over; all errors without one. `with_open`: also all open
        ones. Raises MttrError."""
        if since is None:
            self._run(partial(self._walk, self._server.whole_list(), "24h"))
            return
        statuses = (*OVER, "unresolved") if with_open else OVER
        walks = [partial(self._walk, self._server.whole_list(status), "", status) for status in statuses]
        self._run(partial(self._walk, self._server.query(), "24h", since=since), *walks)

    def read_days(self, since: datetime) -> None:
        """Read the errors with events since an instant once more, now with the events of 14 days: a page of them costs less than a
        request for each. Raises MttrError."""
        self._run(partial(self._walk, self._server.query(), "14d", since=since))

    def read_all_if_lacking(self, known: Iterable[tuple[str, str]]) -> None:
        """Read all errors where a list of a status was empty though issues have it: of those that were read, or of `known` (id and
        status). Raises MttrError."""
        has = {(id, row.status) for id, row in self.rows.items()} | {(id, s) for id, s in known if id not in self.rows}
        lacking = {status for status in OVER if not self._listed[status] and any(s == status for _, s in has)}
        if not lacking:
            return
        self._run(partial(self._walk, self._server.whole_list(), ""))
        self.ignored |= {f"is:{status}" for status in lacking & {row.status for row in self.rows.values()}}

    def _run(self, *walks: Callable[[], list[Task]]) -> None:
        self._runner.run([Task("issues", walk) for walk in walks])

    def _walk(self, params: Params, period: str, status: str = "", since: datetime | None = None) -> list[Task]:
        """Read a list, or its beginning up to `since`, and keep the rows that are wanted."""
        found: dict[str, Issue] = {}
        order: NewestFirst | None = None

        def restart() -> None:
            nonlocal order
            order = NewestFirst(since) if since else None

        def is_past(rows: Sequence[bytes]) -> bool:
            seen = [one.last_seen if (one := issue_of(row)) else None for row in rows]
            if since and any(b > a + _DISORDER for a, b in pairwise(seen) if a and b):
                self.ignored.add("sort")
            return order is not None and order.is_past(seen)

        def keep(rows: Sequence[bytes]) -> None:
            for row in rows:
                if (issue := issue_of(row)) is None:
                    self.unreadable[row] = None
                elif self._is_wanted(issue, status):
                    found[issue.name] = issue

        stats: Params = (("groupStatsPeriod", period),) if self._is_sentry else ()
        read_list(self._client, self._path, keep, is_past, restart, params=(*params, *stats, *self._more))
        with self._lock:
            self._listed[status] += len(found)
            if period == "14d":
                self.days |= {id: issue.points(period) for id, issue in found.items()}
                return []
            self.rows = {**found, **self.rows} if not period else {**self.rows, **found}
            if period:
                self.active |= {id for id, one in found.items() if _is_since(one, since)}
        return []

    def _is_wanted(self, issue: Issue, status: str) -> bool:
        """Whether a row is what was asked for; a row that is not shows that the server does not filter."""
        if status and issue.status != status and issue.status in STATUSES:
            filter = f"is:{status}"
        elif not issue.is_error:
            filter = "issue.category"
        elif not self._projects.wants(issue.project_slug):
            filter = "project"
        else:
            return True
        self.ignored.add(filter)
        return False


def _is_since(issue: Issue, since: datetime | None) -> bool:
    """Whether an issue had an event since an instant, as far as it says that. A page also holds older ones."""
    return since is None or (seen := issue.last_seen) is None or seen >= since
