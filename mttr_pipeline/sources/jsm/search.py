"""The list of alerts: read one page, and search.

What does not belong here: which alerts are read and landed.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.alert_search import QUERY_FORMATS, RANGE_FORMATS, AlertSearch, Condition
from mttr_pipeline.sources.kit.failures import HttpRefused
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.paging import Page, TooManyRows

LIST = "/v1/alerts"


class Search(AlertSearch):
    """The search of alerts. `site` keeps what was found out about this site."""

    formats = (*QUERY_FORMATS, *RANGE_FORMATS)
    page_size = 100  # the largest `size` that has an effect; a site may give fewer rows
    ceiling = 19_999  # offset + size must stay below 20,000

    def __init__(self, client: HttpClient, site: dict[str, Any]) -> None:
        super().__init__(client.title, site.setdefault("alert_dates", {}))
        self._client = client
        self._site = site

    def page(self, condition: Condition | None, offset: int, *, sort: str = "createdAt", order: str = "asc") -> Page:
        """See AlertSearch. `total` is None where the site counts all alerts whatever is searched."""
        params: list[tuple[str, Any]] = [
            ("size", min(self.page_size, self.ceiling - offset)),
            ("offset", offset),
            ("sort", sort),
            ("order", order),
            *(condition or {}).items(),
        ]
        got = get_page(self._client, LIST, params)
        if got.total is None or (condition is not None and not self._site.get("count_is_of_the_search", True)):
            return got._replace(total=None)
        return got._replace(more=got.more or offset + len(got.rows) < got.total)

    def on_detected(self, found: Page) -> None:
        """Find out whether `count`, documented as the total number of alerts, is that of the search or of the account."""
        if found.total is not None and "count_is_of_the_search" not in self._site:
            self._site["count_is_of_the_search"] = found.total <= len(found.rows) or len(found.rows) >= self.page_size


def get_page(client: HttpClient, path: str, params: list[tuple[str, Any]]) -> Page:
    """One page of `{"values": [...], "links": {"next"}, "count"}`.

    `links.next` is a relative address. It is not followed, only read as "there is more". Raises TooManyRows above the
    ceiling, and what `HttpClient.get` raises.
    """

    def parse(body: bytes) -> Page:
        rows, found = envelope.listing(body, "values", "links", "count")
        return Page(rows, bool(next_link(found)), envelope.decode_int(found.get("count")))

    try:
        return client.get(path, params, parse=parse)
    except HttpRefused as error:
        reason = error.reason.lower()
        if error.status in (400, 422) and ("offset" in reason or "20k" in reason or "20000" in reason):
            raise TooManyRows(None) from error
        raise


def next_link(found: dict[str, bytes]) -> str | None:
    """The address of the next page; None on the last page."""
    links = envelope.decode(found.get("links"))
    link = links.get("next") if isinstance(links, dict) else None
    return link if isinstance(link, str) and link else None


def next_key(link: str | None) -> str | None:
    """The parameter `after` of a link such as `/v1/alerts/{id}/logs?after=1492000072838_1492000072838234593`."""
    values = parse_qs(urlsplit(link).query).get("after") if link else None
    return values[-1] if values else None
