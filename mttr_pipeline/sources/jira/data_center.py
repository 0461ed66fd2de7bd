"""Issues of Jira Data Center: `GET /rest/api/2/search` with `expand=changelog`, and single reads where that is truncated.

What does not belong here: which windows are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from mttr_pipeline.errors import PermanentError
from mttr_pipeline.sources.jira.issues import IssuePull
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.audit import AuditStream
from mttr_pipeline.sources.kit.failures import HttpRefused
from mttr_pipeline.sources.kit.paging import Page, read_all, read_whole, row_id
from mttr_pipeline.sources.kit.runner import Task
from mttr_pipeline.sources.kit.windows import Window

ISSUES_PER_PAGE = 50  # small, because the embedded changelogs make a page expensive for the server
HISTORIES_PER_PAGE = 100


class _Changelog(msgspec.Struct):
    total: int | None = None
    histories: list[msgspec.Raw] | None = None


class _Issue(msgspec.Struct):
    id: str | int
    changelog: _Changelog | None = None


_ISSUE = msgspec.json.Decoder(_Issue)


class DataCenterPull(IssuePull):
    """One extract under way."""

    api = "/rest/api/2"

    def land_found(self, stream: str, key: str, jql: str, *, can_split: bool) -> None:
        """See IssuePull."""

        def page(offset: int) -> Page:
            params = [
                ("jql", jql),
                ("startAt", offset),
                ("maxResults", ISSUES_PER_PAGE),
                ("fields", "*all"),
                ("expand", "changelog"),
            ]
            return self._client.get(f"{self.api}/search", params, parse=lambda body: _issue_page(body, offset))

        self._runner.land_pages(
            stream, key, page, split_above=self.issues_per_window if can_split else None, can_split=can_split
        )

    # -- changelogs ---------------------------------------------------------------------------------------------

    def _changelogs(self, key: str) -> list[Task]:
        """Only for issues whose embedded changelog holds fewer histories than its own total."""
        if self._extract.has("changelogs", key):
            return []
        rows = self._extract.read("issues", key)
        ids = [str(issue.id) for row in rows if (issue := envelope.decode_as(_ISSUE, row)) and _is_truncated(issue)]
        if not ids:
            return []

        def work() -> list[Task]:
            self._extract.land("changelogs", key, self._runner.read_each("issues", ids, self._changelog))
            return []

        return [Task("changelogs", work)]

    def _changelog(self, issue_id: str) -> Iterator[bytes]:
        """The whole changelog of one issue, in the shape of a bulk read."""
        histories = b",".join(self._histories(issue_id))
        yield b'{"issueId":' + msgspec.json.encode(issue_id) + b',"changeHistories":[' + histories + b"]}"

    def _histories(self, issue_id: str) -> list[bytes]:
        """The histories of one issue: from the single read, else page by page where the server has that."""
        path = f"{self.api}/issue/{issue_id}"
        row = self._client.get(path, [("fields", "created"), ("expand", "changelog")], parse=envelope.whole_object)
        issue = envelope.decode_as(_ISSUE, row)
        if issue and issue.changelog and issue.changelog.histories is not None and not _is_truncated(issue):
            return [bytes(history) for history in issue.changelog.histories]
        found: list[bytes] = []

        def page(offset: int) -> Page:
            params = [("startAt", offset), ("maxResults", HISTORIES_PER_PAGE)]
            return self._client.get(
                f"{path}/changelog", params, parse=lambda body: _offset_page(body, "values", offset)
            )

        try:
            result = read_all(page, found.extend)
        except HttpRefused as error:
            if error.status != 404:
                raise
            raise self._incomplete(issue_id) from error
        if result.expected is not None and result.rows < result.expected:
            raise self._incomplete(issue_id)
        return found

    def _incomplete(self, issue_id: str) -> PermanentError:
        return PermanentError(
            f"{self._client.title}: {self._client.host} truncates the changelog of issue {issue_id}, and it cannot be read "
            f"in full; raise the limit in the site's configuration, or exclude the issue with {self._jql_variable}."
        )

    # -- deleted issues -----------------------------------------------------------------------------------------

    def _audit_streams(self) -> Iterable[AuditStream]:
        return [AuditStream("issues", self._total, self._ids, self._restore, gone=self._gone, grouped_by="project_key")]

    def _total(self, window: Window) -> int | None:
        return self._ids_page(self._query_all(window), 0, 1).total

    def _ids(self, window: Window) -> list[bytes]:
        return self._found(self._query_all(window))

    def _found(self, jql: str) -> list[bytes]:
        return read_whole(lambda offset: self._ids_page(jql, offset, self.issues_per_window))

    def _ids_page(self, jql: str, offset: int, size: int) -> Page:
        """One page of ids only; the server may give fewer than `size`."""
        params = [("jql", jql), ("startAt", offset), ("maxResults", size), ("fields", "id")]
        return self._client.get(f"{self.api}/search", params, parse=lambda body: _issue_page(body, offset))

    def _restore(self, key: str, rows: list[bytes]) -> list[Task]:
        def read(issue_id: str) -> Iterator[bytes]:
            params = [("fields", "*all"), ("expand", "changelog")]
            yield self._client.get(f"{self.api}/issue/{issue_id}", params, parse=envelope.whole_object)

        if not self._extract.has("issues", key):
            ids = [name for row in rows if (name := row_id(row))]
            self._extract.land("issues", key, self._runner.read_each("issues", ids, read))
        return self._changelogs(key)


def _issue_page(body: bytes, offset: int) -> Page:
    """A page of a search. Its total is required: without it there is no telling whether another page follows."""
    page = _offset_page(body, "issues", offset)
    if page.total is None:
        raise envelope.InvalidBody("no member 'total'")
    return page


def _offset_page(body: bytes, name: str, offset: int) -> Page:
    rows, found = envelope.listing(body, name, "total")
    total = envelope.decode_int(found.get("total"))
    return Page(rows, total is not None and offset + len(rows) < total, total)


def _is_truncated(issue: _Issue) -> bool:
    log = issue.changelog
    return log is None or log.histories is None or (log.total is not None and log.total > len(log.histories))
