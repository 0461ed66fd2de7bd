"""What pulling issues from Jira Cloud and from Jira Data Center has in common.

What does not belong here: how issues are searched, and how their changelogs are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from mttr_pipeline.landing.store import Extract
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.jira import JiraOptions
from mttr_pipeline.sources.jira.follow_ups import FollowUps
from mttr_pipeline.sources.jira.incidents_api import IncidentsApi
from mttr_pipeline.sources.jira.jql import combined, created_in
from mttr_pipeline.sources.jira.linked_alerts import LinkedAlerts
from mttr_pipeline.sources.jira.remote_links import remote_links
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.failures import HttpRefused
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.paging import row_id
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.pull import EPOCH, Pull
from mttr_pipeline.sources.kit.runner import Task, surely_deleted
from mttr_pipeline.sources.kit.windows import Window, epoch_ms


class IssuePull(Pull):
    """One extract under way. `jql` selects the issues; `jql_variable` is the variable it comes from, for messages;
    `incidents` gives linked alerts, None where they are not wanted."""

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
        incidents: IncidentsApi | None = None,
    ) -> None:
        super().__init__(client, options, plan, extract, progress)
        self._incidents = incidents
        self._jql = jql
        self._jql_variable = jql_variable
        self._options = options
        self._links = options.remote_links
        self._whole = Window(EPOCH, max(EPOCH, plan.until)) if plan.incremental else plan.window
        self._updated = [f"updated >= {epoch_ms(self._changed_since)}"] if plan.incremental else []

    def run(self) -> None:
        """See Pull."""
        tasks = [*self._list("fields", "/field"), *self._list("statuses", "/status")]
        tasks += [self._resume(key) for key in self._extract.windows("issues")]
        kind = "changed" if self._plan.incremental else "created"
        tasks += self._runner.window_tasks("issues", kind, self._whole, self._land, target=self.issues_per_window)
        self._runner.run(tasks)
        if self._links != "none":
            unlinked = self._plan.incremental and self._links == "changed"
            every = self._links == "all"
            self._runner.run(remote_links(self._client, self._runner, self.api, unlinked=unlinked, every=every))
        if self._incidents:
            budget = self._options.linked_alert_requests
            alerts = LinkedAlerts(self._incidents, self._runner, self._plan, self._jql, self._found, budget)
            alerts.run(self._changed_since)
        FollowUps(self._client, self._runner, self._options, self._plan, self).run()
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
        self.land_found("issues", key, self._query(window), can_split=window.seconds > 1)
        return self._changelogs(key)

    def land_found(self, stream: str, key: str, jql: str, *, can_split: bool) -> None:
        """Land the issues that a query selects as the window `key` of a stream. Raises TooManyRows when they are many and can be
        split."""
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

    def _found(self, jql: str) -> list[bytes]:
        """The ids of the few issues that a query finds."""
        raise NotImplementedError

    def _gone(self, project: str, issue_ids: list[str], is_shown: bool) -> list[str]:
        """Of issues that the search does not list: those that are deleted, and those that the JQL does not select any more.

        An archived issue can be read by its id, but no search finds it. A deleted one and one that this account may not see
        both have status 404: whether the account sees the project tells which of the two it is.
        """
        missing = [name for name in issue_ids if surely_deleted(lambda one: self._is_deleted("issues", one), name)]
        there = [name for name in issue_ids if name not in missing]
        if missing and not is_shown and project and not self._sees(project):
            missing = []
        return missing + self._searchable(there)

    def _sees(self, project: str) -> bool:
        return self._client.sees(f"{self.api}/project/{quote(project, safe='')}")

    def _searchable(self, issue_ids: list[str]) -> list[str]:
        """Those of a few issues that some search finds."""
        if not issue_ids:
            return []
        try:
            found = {row_id(row) for row in self._found(f"id in ({', '.join(issue_ids)})")}
        except HttpRefused as error:  # the site names an issue that no search finds
            if error.status != 400:
                raise
            return [name for one in issue_ids for name in self._searchable([one])] if len(issue_ids) > 1 else []
        return [name for name in issue_ids if name in found]

    def _is_deleted(self, stream: str, record_id: str) -> bool:
        return not self._client.exists(f"{self.api}/issue/{record_id}", [("fields", "created")])
