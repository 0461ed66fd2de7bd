"""Opsgenie's list endpoints: read one page, and search.

What does not belong here: which streams are read and landed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.alert_search import AlertSearch, Condition
from mttr_pipeline.sources.kit.failures import HttpRefused
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.paging import Page, TooManyRows


class Search(AlertSearch):
    """The search of alerts (`/v2/alerts`) or incidents (`/v1/incidents`)."""

    page_size = 100  # the largest limit of the list endpoints
    ceiling = 20_000  # offset + limit; above it the status is 422

    def __init__(self, client: HttpClient, path: str, date_formats: dict[str, str | None]) -> None:
        super().__init__(client.title, date_formats)
        self.client = client
        self.path = path

    def page(self, condition: Condition | None, offset: int, *, sort: str = "createdAt", order: str = "asc") -> Page:
        """See AlertSearch. `total` is that of the search where the list gives one."""
        params: list[tuple[str, Any]] = [
            ("limit", min(self.page_size, self.ceiling - offset)),
            ("offset", offset),
            ("sort", sort),
            ("order", order),
            *(condition or {}).items(),
        ]
        return get_page(self.client, self.path, params)


def get_page(
    client: HttpClient,
    path: str,
    params: list[tuple[str, Any]],
    items: Callable[[bytes], list[bytes]] = envelope.items,
) -> Page:
    """One page of `{"data": [...], "paging": {...}, "totalCount"}`. `items` cuts the list into its elements.

    `paging.next` is not followed, only read as "there is more": it is an absolute address that may hold the key and name
    another host. Raises TooManyRows above the ceiling, and what `HttpClient.get` raises.
    """

    def parse(body: bytes) -> Page:
        found = envelope.members(body)
        rows = items(envelope.required(found, "data"))
        paging = envelope.decode(found.get("paging"))
        more = isinstance(paging, dict) and bool(paging.get("next"))
        return Page(rows, more, envelope.decode_int(found.get("totalCount")))

    try:
        return client.get(path, params, parse=parse)
    except HttpRefused as error:
        if error.status == 422 and "offset" in error.reason.lower():
            raise TooManyRows(None) from error
        raise


def ids(raw: bytes) -> list[bytes]:
    """The texts of a list of ids, each as JSON. Raises InvalidBody for anything else than a list."""
    found = envelope.decode(raw)
    if not isinstance(found, list):
        raise envelope.InvalidBody("no list of ids")
    return [msgspec.json.encode(one) for one in found if isinstance(one, str)]


def count(client: HttpClient, query: str = "") -> int:
    """How many alerts a search finds (`GET /v2/alerts/count`). Raises what `HttpClient.get` raises."""

    def parse(body: bytes) -> int:
        data = envelope.decode(envelope.members(body).get("data"))
        found = data.get("count") if isinstance(data, dict) else None
        if not isinstance(found, int):
            raise envelope.InvalidBody("no member 'data.count'")
        return found

    return client.get("/v2/alerts/count", [("query", query)] if query else None, parse=parse)
