"""Opsgenie's search: how this account wants dates written, settled once by asking, and windows over it.

The encoding of dates in a `query` is not documented bindingly; three are in use. So the newest record is looked for
with each, and the first that finds it (and only rows of its window, and nothing a day later) is used and kept in the
extract's facts. What does not belong here: which streams are read and landed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from mttr_pipeline.errors import ContractError
from mttr_pipeline.sources import envelope
from mttr_pipeline.sources.http import HttpClient, HttpRefused
from mttr_pipeline.sources.paging import Page, TooMany, row_id
from mttr_pipeline.sources.windows import Window, epoch_ms

PAGE = 100  # the largest limit of the list endpoints
CEILING = 20_000  # offset + limit; beyond it the answer is 422

ENCODINGS: dict[str, Callable[[datetime], str]] = {
    "epoch_ms": lambda t: str(epoch_ms(t)),
    "epoch_s": lambda t: str(epoch_ms(t) // 1000),
    "day_first": lambda t: f'"{t:%d-%m-%YT%H:%M:%S}"',
}


class _Stamps(msgspec.Struct):
    createdAt: str | None = None
    updatedAt: str | None = None


_STAMPS = msgspec.json.Decoder(_Stamps)


@dataclass
class Search:
    """Searching one list endpoint. `encodings` maps createdAt and updatedAt to the encoding in use, None = no such
    search here; a field that is missing was not settled (the account is empty)."""

    client: HttpClient
    path: str
    encodings: dict[str, str | None]

    def settle(self, field: str) -> str | None:
        """Find out how `field` is searched on this account. Costs at most a handful of requests, once."""
        if field in self.encodings:
            return self.encodings[field]
        newest = self._newest(field)
        if newest is None:
            return None  # nothing to look for, so nothing to settle
        name, instant = newest
        self.encodings[field] = next((e for e in ENCODINGS if self._understands(field, e, name, instant)), None)
        return self.encodings[field]

    def clause(self, window: Window, changed_since: datetime | None = None) -> str:
        """Created in `window` (and changed since then), in the account's encodings."""
        text = _clause("createdAt", window, self.encodings.get("createdAt") or "epoch_ms")
        if changed_since is None:
            return text
        write = ENCODINGS[self.encodings.get("updatedAt") or "epoch_ms"]
        return f"updatedAt >= {write(changed_since)} AND {text}"

    def page(self, query: str | None, offset: int, *, sort: str = "createdAt", order: str = "asc") -> Page:
        """One page; `total` is the search's own where it gives one. Raises TooMany above the ceiling."""
        params: list[tuple[str, Any]] = [
            ("limit", min(PAGE, CEILING - offset)),
            ("offset", offset),
            ("sort", sort),
            ("order", order),
        ]
        if query:
            params.append(("query", query))
        return get_page(self.client, self.path, params)

    def checked_page(self, window: Window, changed_since: datetime | None, offset: int) -> Page:
        """A page of a window by creation, with the proof that the search understood the dates: all rows belong there.

        Raises ContractError for a row that does not.
        """
        page = self.page(self.clause(window, changed_since), offset)
        for row in page.rows:
            created, updated = stamp(row, "createdAt"), stamp(row, "updatedAt")
            outside = created is not None and not window.since <= created < window.until
            if outside or (changed_since and updated is not None and updated < changed_since):
                raise ContractError(
                    f"Opsgenie: a search in {window.key} gave the record {row_id(row)}, which does not belong there; "
                    "the account reads dates differently than it did. Start again with --full-refresh."
                )
        return page

    def _newest(self, field: str) -> tuple[str, datetime] | None:
        try:
            rows = self.page(None, 0, sort=field, order="desc").rows
        except HttpRefused as error:
            if error.status not in (400, 422):
                raise
            rows = self.page(None, 0, order="desc").rows  # sorting by this field is not offered: any record will do
        for row in rows:
            name, at = row_id(row), stamp(row, field)
            if name is not None and at is not None:
                return name, at
        return None

    def _understands(self, field: str, encoding: str, name: str, instant: datetime) -> bool:
        since = instant.replace(microsecond=0) - timedelta(seconds=1)
        near = Window(since, since + timedelta(seconds=3))
        far = Window(near.until + timedelta(days=400), near.until + timedelta(days=401))
        try:
            found, nothing = (self.page(_clause(field, window, encoding), 0).rows for window in (near, far))
        except HttpRefused as error:
            if error.status not in (400, 422):
                raise
            return False
        inside = all((at := stamp(row, field)) is None or near.since <= at < near.until for row in found)
        return inside and not nothing and any(row_id(row) == name for row in found)


def _clause(field: str, window: Window, encoding: str) -> str:
    write = ENCODINGS[encoding]
    return f"{field} >= {write(window.since)} AND {field} < {write(window.until)}"


def stamp(row: bytes, field: str) -> datetime | None:
    """createdAt or updatedAt of a row; None when it cannot be read."""
    try:
        at = datetime.fromisoformat(getattr(_STAMPS.decode(row), field) or "")
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


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
