"""Remote links of issues: read one issue at a time, so only of those that may have one that nothing else tells, or of all.

These are issues whose history says that a remote link was set or removed, and issues that hold no address of a page of a record.

One record per issue is landed, with all its links: `{"issueId", "remoteLinks":
[...]}`. So a link that was removed is gone.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from urllib.parse import quote

import msgspec

from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.failures import HttpRefused
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.paging import row_id
from mttr_pipeline.sources.kit.runner import Runner, Task

ISSUES_PER_FILE = 100
TOLD = b"RemoteIssueLink"  # the field of such an item of a changelog

# The page of a record elsewhere, in a text or in JSON; the issue's own addresses are not of this shape.
_PAGE = re.compile(rb"https?:[^\s\"<>]*/(?:incidents|alerts|(?:alert|incident)\\?/(?:detail|show))\\?/[\w-]")


class _Changes(msgspec.Struct):
    issueId: str | int


_CHANGES = msgspec.json.Decoder(_Changes)


def remote_links(client: HttpClient, runner: Runner, api: str, *, unlinked: bool, every: bool) -> Iterator[Task]:
    """Tasks that read the remote links of landed issues: those whose history tells of one, the `unlinked`, which name no page, or
    all."""
    extract = runner.extract
    told: set[str] = set()
    for key in extract.windows("changelogs"):
        lines = (row for row in extract.read("changelogs", key) if TOLD in row)
        told |= {str(found.issueId) for row in lines if (found := envelope.decode_as(_CHANGES, row))}
    is_refused = threading.Event()

    def read(issue_id: str) -> Iterator[bytes]:
        if is_refused.is_set():
            return
        try:
            rows = client.get(f"{api}/issue/{quote(issue_id, safe='')}/remotelink", parse=envelope.items)
        except HttpRefused as error:
            if error.status not in (400, 403, 405):
                raise
            # Links between issues and other pages are switched off, or may not be read.
            if not is_refused.is_set():
                runner.count("remote_links_not_readable")
            is_refused.set()
            return
        yield b'{"issueId":%b,"remoteLinks":[%b]}' % (msgspec.json.encode(issue_id), b",".join(rows))

    def task(key: str, ids: list[str]) -> Task:
        def work() -> list[Task]:
            extract.land("remote_links", key, runner.read_each("issues", ids, read))
            return []

        return Task("remote_links", work)

    for key in sorted(extract.windows("issues")):
        rows = extract.read("issues", key)
        ids = [
            name
            for row in rows
            if (name := row_id(row)) and (every or name in told or TOLD in row or (unlinked and not _PAGE.search(row)))
        ]
        ids = list(dict.fromkeys(ids))
        for start in range(0, len(ids), ISSUES_PER_FILE):
            if not extract.has("remote_links", f"{key} {start}"):
                yield task(f"{key} {start}", ids[start : start + ISSUES_PER_FILE])
