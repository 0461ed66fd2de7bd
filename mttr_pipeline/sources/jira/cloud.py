"""Issues of Jira Cloud: `POST /rest/api/3/search/jql` with page tokens, and changelogs in bulk.

A search truncates the changelog that it embeds in an issue, so changelogs come from `changelog/bulkfetch`. What does not
belong here: which windows are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from mttr_pipeline.sources.jira.issues import IssuePull
from mttr_pipeline.sources.jira.jql import without_order
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.audit import AuditStream
from mttr_pipeline.sources.kit.failures import HttpRefused
from mttr_pipeline.sources.kit.paging import (
    ReadResult,
    TokenExpired,
    TokenPage,
    TooManyRows,
    read_by_token,
    row_id,
)
from mttr_pipeline.sources.kit.runner import Task
from mttr_pipeline.sources.kit.windows import Window

ISSUES_PER_PAGE = 100  # with all fields; the site may give fewer
IDS_PER_PAGE = 5_000  # the largest page of a search for ids only
ISSUES_PER_READ = 100  # per issue/bulkfetch
CHANGELOGS_PER_FILE = 500  # issues per changelog/bulkfetch; the site allows 1,000
HISTORIES_PER_PAGE = 1_000  # of changelog/bulkfetch


class CloudPull(IssuePull):
    """One extract under way."""

    api = "/rest/api/3"

    def land_found(self, stream: str, key: str, jql: str, *, can_split: bool) -> None:
        """See IssuePull."""
        if can_split:
            estimate = self._estimate(jql)
            if estimate > self.issues_per_window:
                raise TooManyRows(estimate)
        search = {"jql": jql, "maxResults": ISSUES_PER_PAGE, "fields": ["*all"]}
        with self._extract.writing(stream, key) as write:
            result = self._read("search/jql", search, "issues", write.many)
        self._runner.reconcile(stream, key, result)

    def _estimate(self, jql: str) -> int:
        """About how many issues a query selects. Cloud gives no exact count; this one only decides whether to split."""

        def parse(body: bytes) -> int:
            return envelope.decode_int(envelope.members(body).get("count")) or 0

        search = {"jql": without_order(jql)}
        return self._client.post(f"{self.api}/search/approximate-count", search, parse=parse)

    def _read(
        self, path: str, body: dict[str, Any], name: str, write: Callable[[Sequence[bytes]], object]
    ) -> ReadResult:
        """Read the rows `name` of a listing that is chained by page tokens.

        A token is valid for seven days, but sites have refused younger ones: the listing is then read again.
        """

        def page(token: str | None) -> TokenPage:
            asked = {**body, "nextPageToken": token} if token else body
            try:
                return self._client.post(f"{self.api}/{path}", asked, parse=lambda content: _token_page(content, name))
            except HttpRefused as error:
                if error.status == 400 and token:
                    raise TokenExpired(f"status 400 for a page token: {error.reason}") from error
                raise

        return read_by_token(page, write)

    # -- changelogs ---------------------------------------------------------------------------------------------

    def _changelogs(self, key: str) -> list[Task]:
        ids = list(dict.fromkeys(name for row in self._extract.read("issues", key) if (name := row_id(row))))
        return [
            self._changelog_task(ids[start : start + CHANGELOGS_PER_FILE], f"{key} {start}")
            for start in range(0, len(ids), CHANGELOGS_PER_FILE)
            if not self._extract.has("changelogs", f"{key} {start}")
        ]

    def _changelog_task(self, ids: list[str], key: str) -> Task:
        def work() -> list[Task]:
            with self._extract.writing("changelogs", key) as write:
                self._write_changelogs(ids, write.many)
            return []

        return Task("changelogs", work)

    def _write_changelogs(self, ids: list[str], write: Callable[[Sequence[bytes]], object]) -> None:
        body = {"issueIdsOrKeys": ids, "maxResults": HISTORIES_PER_PAGE}
        try:
            self._read("changelog/bulkfetch", body, "issueChangeLogs", write)
        except HttpRefused as error:
            if error.status not in (400, 404):
                raise
            if len(ids) > 1:  # one issue that was deleted or hidden since makes the whole batch fail: find it
                self._write_changelogs(ids[: len(ids) // 2], write)
                self._write_changelogs(ids[len(ids) // 2 :], write)
            elif error.status == 404:
                self._runner.report_missing("issues", ids[0])
            else:
                raise

    # -- deleted issues -----------------------------------------------------------------------------------------

    def _audit_streams(self) -> Iterable[AuditStream]:
        """Cloud gives no exact count, so ids are compared: one request lists 5,000."""
        return [
            AuditStream(
                "issues",
                lambda window: None,
                self._ids,
                self._restore,
                gone=self._gone,
                grouped_by="project_key",
                list_up_to=IDS_PER_PAGE,
            )
        ]

    def _ids(self, window: Window) -> list[bytes]:
        return self._found(self._query_all(window))

    def _found(self, jql: str) -> list[bytes]:
        found: list[bytes] = []
        search = {"jql": jql, "maxResults": IDS_PER_PAGE, "fields": ["id"]}
        self._read("search/jql", search, "issues", found.extend)
        return found

    def _restore(self, key: str, rows: list[bytes]) -> list[Task]:
        def issues() -> Iterator[bytes]:
            ids = [name for row in rows if (name := row_id(row))]
            for start in range(0, len(ids), ISSUES_PER_READ):
                body = {"issueIdsOrKeys": ids[start : start + ISSUES_PER_READ], "fields": ["*all"]}
                # issues that were deleted since are named under `issueErrors`
                yield from self._client.post(
                    f"{self.api}/issue/bulkfetch", body, parse=lambda content: envelope.member_list(content, "issues")
                )

        if not self._extract.has("issues", key):
            self._extract.land("issues", key, issues())
        return self._changelogs(key)


def _token_page(body: bytes, name: str) -> TokenPage:
    rows, found = envelope.listing(body, name, "isLast", "nextPageToken")
    if envelope.decode(found.get("isLast")) is True:
        return rows, None
    return rows, envelope.decode_text(found.get("nextPageToken"))
