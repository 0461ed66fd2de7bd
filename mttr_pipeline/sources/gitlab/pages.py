"""How GitLab's lists go on from page to page, and how an address of a project is followed when it was renamed.

What belongs here: HTTP as GitLab speaks it (docs.gitlab.com, REST API, pagination and redirects). What does not: which lists are
read, and what is made of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.failures import HttpRefused
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.paging import MAX_READS, ReadResult, SeenRows, read_by_token

PER_PAGE = 100  # the most that GitLab gives
API = "/api/v4"

Params = list[tuple[str, Any]]

_NEXT = re.compile(r'<([^<>]+)>\s*;[^,<]*\brel="?next"?', re.IGNORECASE)


class ListPage(NamedTuple):
    """One page: the rows as sent, the number of the next page (None: this is the last), and the total where GitLab gives one.

    It gives none above 10,000 rows, so no loop depends on it.
    """

    rows: list[bytes]
    following: str | None
    total: int | None


def project_path(project: str) -> str:
    """The path of a project, given by its id or its full name."""
    return f"/projects/{quote(project, safe='')}"


def get_page(
    client: HttpClient, path: str, params: Params, page: str | None = None, per_page: int = PER_PAGE
) -> ListPage:
    """One page of a list; `page` is the number that the page before gave. Raises what `HttpClient.get` raises."""
    asked = [*params, ("per_page", per_page), *([("page", page)] if page else [])]

    answer = client.fetch(path, asked, parse=envelope.items)
    total = answer.headers.get("x-total", "")
    return ListPage(answer.value or [], _following(answer.headers), int(total) if total.isdecimal() else None)


def _following(headers: Mapping[str, str]) -> str | None:
    """The number of the next page, from `X-Next-Page` or the `Link` with rel="next". A short page may not be the last one."""
    if page := headers.get("x-next-page", "").strip():
        return page
    if link := _NEXT.search(headers.get("link", "")):
        return next(iter(parse_qs(urlsplit(link[1]).query).get("page", [])), None)
    return None


def read_list(client: HttpClient, path: str, params: Params, write: Callable[[Sequence[bytes]], object]) -> ReadResult:
    """Read a list to its end and write each row once.

    A row that leaves the list while it is read moves the others by one, past the border of a page. So a list that gave fewer rows
    than its total, where there is one, is read again, at most three times in all. Raises what `read_by_token` raises.
    """
    seen = SeenRows()
    totals: list[int | None] = []

    def page(token: str | None) -> tuple[list[bytes], str | None]:
        found = get_page(client, path, params, token)
        totals.append(found.total)
        return found.rows, found.following

    expected: int | None = None
    for _ in range(MAX_READS):
        totals.clear()
        read_by_token(page, lambda rows: write(seen.new_of(rows).rows))
        expected = totals[0]
        if len(totals) == 1 or expected is None or seen.distinct >= expected:
            break
    return ReadResult(seen.distinct, seen.dropped, expected)


def rows_of(client: HttpClient, path: str, params: Params) -> Iterator[bytes]:
    """The rows of a short list, page by page: who finds what was looked for asks for no more."""
    page: str | None = None
    while True:
        found = get_page(client, path, params, page)
        yield from found.rows
        if not found.following or found.following == page:
            return
        page = found.following


def get_project(client: HttpClient, project: str) -> bytes:
    """A project as sent. GitLab answers the old name of one with a redirect, which is followed inside this GitLab only."""
    path = project_path(project)
    try:
        return client.get(path, parse=envelope.whole_object)
    except HttpRefused as error:
        target = moved_to(error.location, client.base_url)
        if target is None or target == path:
            raise
    return client.get(target, parse=envelope.whole_object)


def moved_to(location: str, base_url: str) -> str | None:
    """The path of a project below `base_url` that a redirect names; None for any other address."""
    base, target = urlsplit(base_url), urlsplit(location)
    if target.netloc and (target.scheme, target.netloc) != (base.scheme, base.netloc):
        return None
    if not target.path.startswith(f"{base.path}/"):
        return None
    path = target.path.removeprefix(base.path)
    return path if re.fullmatch(r"/projects/[A-Za-z0-9%._-]+", path) else None
