"""How the lists of this API go on: a cursor in the header `Link`, which says itself whether anything is behind it.

What belongs here: HTTP as Sentry and GlitchTip speak it (docs.sentry.io, Pagination). What does not: which lists are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

from requests.utils import parse_header_links

from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.failures import HttpRefused
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.paging import MAX_PAGES, TokenExpired, read_by_token

API = "/api/0"
PER_PAGE = 100  # the most that Sentry gives
Params = Sequence[tuple[str, str]]
FULL: Params = (("per_page", str(PER_PAGE)),)


class ListPage(NamedTuple):
    """One page: the rows as sent, and the cursor of the next page; None: this is the last."""

    rows: list[bytes]
    following: str | None


def releases_path(organization: str, version: str | None = None, part: str = "") -> str:
    """The path of an organization's releases, of one of them, or of a list of that one. A version may hold any character."""
    one = f"{quote(version, safe='')}/" if version is not None else ""
    return f"/organizations/{organization}/releases/{one}{part and f'{part}/'}"


def issues_path(organization: str, issue: str = "", part: str = "") -> str:
    """The path of an organization's issues, of one of them, or of a list of that one."""
    one = f"{quote(issue, safe='')}/" if issue else ""
    return f"/organizations/{organization}/issues/{one}{part and f'{part}/'}"


def get_page(client: HttpClient, path: str, cursor: str | None = None, params: Params = FULL) -> ListPage:
    """One page of a list. Raises TokenExpired for a cursor that is refused, and what `HttpClient.get` raises."""
    asked = [*params, ("cursor", cursor)] if cursor else [*params]
    try:
        rows, headers = client.fetch(path, asked, parse=envelope.items)
    except HttpRefused as error:
        if error.status == 400 and cursor:
            raise TokenExpired(str(error)) from error
        raise
    return ListPage(rows or [], following(headers))


def following(headers: Mapping[str, str]) -> str | None:
    """The cursor of the next page. The last page names one too, with results="false"; a page without rows may not be the last."""
    for link in parse_header_links(headers.get("link", "")):
        if link.get("rel") == "next" and link.get("results", "true") == "true":
            query = parse_qs(urlsplit(link.get("url", "")).query)
            return link.get("cursor") or next(iter(query.get("cursor", [])), None)
    return None


def read_list(
    client: HttpClient,
    path: str,
    write: Callable[[Sequence[bytes]], object],
    is_past: Callable[[Sequence[bytes]], bool] = lambda rows: False,
    restart: Callable[[], object] = lambda: None,
    params: Params = FULL,
) -> None:
    """Read a list to its end, or to a page of which `is_past` says that none behind it is wanted, and write each row once.

    `restart` is told when the first page is asked for. Raises what `read_by_token` and `HttpClient.get` raise.
    """

    def page(cursor: str | None) -> tuple[list[bytes], str | None]:
        if cursor is None:
            restart()
        found = get_page(client, path, cursor, params)
        return found.rows, None if is_past(found.rows) else found.following

    read_by_token(page, write, empty_pages=MAX_PAGES)
