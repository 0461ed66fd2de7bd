"""Lists of PagerDuty's REST API: classic pagination by offset, and the ranges of windows (developer.pagerduty.com/docs, Pagination).

What belongs here: one page of any list. What does not: which lists are read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.failures import HttpRefused
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.paging import TARGET_ROWS, Page, TooManyRows
from mttr_pipeline.sources.kit.windows import Window, iso

PAGE = 100  # the largest page of the list endpoints
CEILING = 10_000  # the highest offset + limit of classic pagination

Params = list[tuple[str, Any]]


def pages(client: HttpClient, path: str, name: str, params: Params) -> Callable[[int], Page]:
    """The pages of a list by offset; the first one also gives the total."""

    def page(offset: int) -> Page:
        asked = [*params, ("limit", min(PAGE, CEILING - offset)), ("offset", offset)]
        if offset == 0:
            asked.append(("total", "true"))  # slow for the vendor, so only once per listing
        return get_page(client, path, name, asked)

    return page


def get_page(client: HttpClient, path: str, name: str, params: Params) -> Page:
    """One page of classic pagination; `name` is the member with the rows.

    Raises TooManyRows for both messages of the offset ceiling (error 2002), and what `HttpClient.get` raises.
    """

    def parse(body: bytes) -> Page:
        rows, found = envelope.listing(body, name, "more", "total")
        return Page(rows, bool(envelope.decode(found.get("more"))), envelope.decode_int(found.get("total")))

    try:
        return client.get(path, params, parse=parse)
    except HttpRefused as error:
        if error.status == 400 and "offset" in error.reason.lower():
            raise TooManyRows(None) from error
        raise


def range_of(window: Window) -> Params:
    """The window as parameters, in UTC."""
    return [("since", iso(window.since)), ("until", iso(window.until))]


def limits(window: Window) -> dict[str, Any]:
    """How many rows a window may hold: one second cannot be split, so up to the ceiling."""
    can_split = window.seconds > 1
    return {"ceiling": CEILING, "split_above": TARGET_ROWS if can_split else CEILING, "can_split": can_split}
