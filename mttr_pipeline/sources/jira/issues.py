"""What pulling issues from Jira Cloud and from Jira Data Center has in common.

What does not belong here: how issues are searched, and how their changelogs are read.
"""

from __future__ import annotations

from collections.abc import Iterator

from mttr_pipeline.landing.store import Extract
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.jira import JiraOptions
from mttr_pipeline.sources.jira.jql import combined, created_in
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.pull import EPOCH, Pull
from mttr_pipeline.sources.kit.runner import Task
from mttr_pipeline.sources.kit.windows import Window, epoch_ms


class IssuePull(Pull):
    """One extract under way. `jql` selects the issues; `jql_variable` is the variable it comes from, for messages."""

    api = ""  # the path prefix of the REST API
    issues_per_window = 1_000

    def __init__(
        self,
        client: HttpClient,
        options: JiraOptions,
        jql: str,
        jql_variable: str,
        plan: Plan,
        extract: Extract,
        progress: Progress,
    ) -> None:
        super().__init__(client, options, plan, extract, progress)
        self._jql = jql
        self._jql_variable = jql_variable
        self._whole = Window(EPOCH, max(EPOCH, plan.until)) if plan.incremental else plan.window
        self._updated = [f"updated >= {epoch_ms(self._changed_since)}"] if plan.incremental else []

    def run(self) -> None:
        """See Pull."""
        tasks = [*self._list("fields", "/field"), *self._list("statuses", "/status")]
        tasks += [self._resume(key) for key in self._extract.windows("issues")]
        kind = "changed" if self._plan.incremental else "created"
        tasks += self._runner.window_tasks("issues", kind, self._whole, self._land, target=self.issues_per_window)
        self._runner.run(tasks)
        self._write_tombstones()

    def _list(self, stream: str, path: str) -> Iterator[Task]:
        """A list that the site gives in one response."""

        def work() -> list[Task]:
            self._extract.land(stream, "all", self._client.get(self.api + path, parse=envelope.items))
            return []

        if not self._extract.has(stream, "all"):
            yield Task(stream, work)

    def _resume(self, key: str) -> Task:
        """A window that an earlier attempt landed, perhaps without all of its changelogs."""
        return Task("changelogs", lambda: self._changelogs(key))

    def _land(self, window: Window, key: str) -> list[Task]:
        """Land the issues of a window; returns the tasks for their changelogs. Raises TooManyRows to have it split."""
        raise NotImplementedError

    def _changelogs(self, key: str) -> list[Task]:
        """Tasks for the changelogs of a landed window that are not landed yet."""
        raise NotImplementedError

    def _query(self, window: Window, *, ordered: bool = True) -> str:
        """The JQL for a window of this pull."""
        first = self._plan.incremental and window.since == self._whole.since  # nothing was created before it
        return combined(self._jql, [*self._updated, created_in(window, no_start=first)], ordered=ordered)

    def _query_all(self, window: Window) -> str:
        """The JQL for everything created in a window, whenever it changed."""
        return combined(self._jql, [created_in(window)])

    def _is_deleted(self, stream: str, record_id: str) -> bool:
        return not self._client.exists(f"{self.api}/issue/{record_id}", [("fields", "created")])
