"""Opsgenie's list endpoints: one page of them, and how their search is asked.

What does not belong here: which streams are read and landed.
"""

from __future__ import annotations

from typing import Any

from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.alert_search import AlertSearch, Condition
from mttr_pipeline.sources.kit.http import HttpClient, HttpRefused
from mttr_pipeline.sources.kit.paging import Page, TooMany

PAGE = 100  # the largest limit of the list endpoints
CEILING = 20_000  # offset + limit; beyond it the answer is 422


class Search(AlertSearch):
    """Searching alerts or incidents."""

    vendor = "Opsgenie"

    def __init__(self, client: HttpClient, path: str, encodings: dict[str, str | None]) -> None:
        super().__init__(encodings)
        self.client = client
        self.path = path

    def page(self, condition: Condition | None, offset: int, *, sort: str = "createdAt", order: str = "asc") -> Page:
        """One page; `total` is the search's own where it gives one. Raises TooMany above the ceiling."""
        params: list[tuple[str, Any]] = [
            ("limit", min(PAGE, CEILING - offset)),
            ("offset", offset),
            ("sort", sort),
            ("order", order),
            *(condition or {}).items(),
        ]
        return get_page(self.client, self.path, params)


def get_page(client: HttpClient, path: str, params: list[tuple[str, Any]]) -> Page:
    """One page of `{"data": [...], "paging": {...}, "totalCount"}`.

    `paging.next` says only whether there is more: it is an absolute address that can repeat the key and name another
    host, so it is never followed.
    """

    def parse(body: bytes) -> Page:
        members = envelope.fields(body)
        if "data" not in members:
            raise envelope.InvalidBody("no member 'data'")
        total = envelope.scalar(members.get("totalCount"))
        paging = envelope.scalar(members.get("paging"))
        more = isinstance(paging, dict) and bool(paging.get("next"))
        return Page(envelope.items(members["data"]), more, total if isinstance(total, int) else None)

    try:
        return client.get(path, params, parse=parse)
    except HttpRefused as error:
        if error.status == 422 and "offset" in error.said.lower():
            raise TooMany(None) from error
        raise
