"""A listing without a filter and without a documented order: which of its pages are read, and how an unchanged page costs nothing.

What does not belong here: what a row means beyond its creation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

import msgspec

from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.order import NewestFirst
from mttr_pipeline.sources.kit.paging import MAX_PAGES, read_by_token
from mttr_pipeline.sources.kit.query import next_page

PAGE = 100  # the largest page


class _Created(msgspec.Struct):
    created_at: str | None = None


_CREATED = msgspec.json.Decoder(_Created)


def created_at(row: bytes) -> datetime | None:
    """When a row was created; None where it does not say."""
    found = envelope.decode_as(_CREATED, row)
    return instant(found.created_at) if found else None


def instant(text: str | None) -> datetime | None:
    """An ISO instant with an offset; None for anything else."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else None


def read_listing(
    client: HttpClient,
    path: str,
    write: Callable[[Sequence[bytes]], object],
    *,
    etags: Sequence[str] = (),
    oldest: datetime | None = None,
) -> list[str]:
    """Give each row of the changed pages to `write`, once; returns the entity tags of the pages, for the next time.

    `etags` are those of the last time: a page that is as it was then brings no rows. Without `oldest`, every page is read; else
    those after a page of older rows are not. Raises what `HttpClient.get` raises, and EndlessListing.
    """
    tags: list[str] = []
    order = NewestFirst(oldest) if oldest else None

    def page(token: str | None) -> tuple[list[bytes], str | None]:
        nonlocal order
        if token is None:
            tags.clear()
            order = NewestFirst(oldest) if oldest else None
        known = etags[len(tags)] if len(tags) < len(etags) else ""
        params = [
            ("per_page", str(PAGE)),
            *((name, value) for name, value in parse_qsl(token or "") if name != "per_page"),
        ]
        rows, headers = client.fetch(path, params, parse=envelope.items, etag=known or None)
        tags.append(known if rows is None else headers.get("etag", ""))
        if rows is None:
            return [], f"page={len(tags) + 1}" if len(tags) < len(etags) else None
        following = next_page(headers)
        if following is None or (order and order.is_past([created_at(row) for row in rows])):
            return rows, None
        return rows, urlencode(following)

    read_by_token(page, write, empty_pages=MAX_PAGES)
    return tags
