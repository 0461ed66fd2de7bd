"""Search alerts by time in APIs whose date format is not documented: find the format by asking, once, then use it.

Several vendors share this search language: conditions like `createdAt >= ... AND createdAt < ...` in a parameter `query`,
or the parameters `from` and `to`. Accounts read dates in different formats. So the search looks for a known record with
each format, and uses the first one that finds it, returns only rows of its window, and returns nothing for a window a
year later. The result is kept in the extract's facts. What does not belong here: HTTP, which streams are landed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from mttr_pipeline.errors import ContractError
from mttr_pipeline.sources.kit.failures import HttpRefused
from mttr_pipeline.sources.kit.paging import Page, row_id
from mttr_pipeline.sources.kit.windows import Window, epoch_ms

Condition = Mapping[str, str | int]  # the request parameters of a search

QUERY_FORMATS: dict[str, Callable[[datetime], str]] = {  # how a date is written in a query
    "epoch_ms": lambda t: str(epoch_ms(t)),
    "epoch_s": lambda t: str(epoch_ms(t) // 1000),
    "day_first": lambda t: f'"{t:%d-%m-%YT%H:%M:%S}"',
}
RANGE_FORMATS: dict[str, Callable[[datetime], int]] = {  # the parameters `from` and `to` instead of a query
    "range_ms": epoch_ms,
    "range_s": lambda t: epoch_ms(t) // 1000,
}
BAD_QUERY = (400, 422)  # HTTP statuses of a search that the account does not support


class _Stamps(msgspec.Struct):
    createdAt: str | None = None
    updatedAt: str | None = None


_STAMPS = msgspec.json.Decoder(_Stamps)


class AlertSearch:
    """The search of one list endpoint. A vendor's subclass implements `page`.

    title         the source's name in messages
    date_formats  field (createdAt, updatedAt) -> its format, None when the account cannot search by it; a missing field
                  is not detected yet, because the account was empty. It is filled in place.
    """

    formats: tuple[str, ...] = tuple(QUERY_FORMATS)  # those that the vendor may support
    page_size = 100  # rows per request
    ceiling = 0  # the highest offset + page size that the vendor allows

    def __init__(self, title: str, date_formats: dict[str, str | None]) -> None:
        self.title = title
        self.date_formats = date_formats

    def page(self, condition: Condition | None, offset: int, *, sort: str = "createdAt", order: str = "asc") -> Page:
        """The page at `offset` of the rows that meet the condition (None: of all rows).

        Raises TooManyRows above the ceiling, and what `HttpClient.get` raises.
        """
        raise NotImplementedError

    def on_detected(self, found: Page) -> None:
        """Called with the page of the search that found the known record; a subclass may learn more from it."""

    def detect_format(self, field: str) -> str | None:
        """The format in which this account searches `field`; None when it cannot, or when the account is empty.

        Costs a handful of requests, once per account.
        """
        if field in self.date_formats:
            return self.date_formats[field]
        newest = self._newest(field)
        if newest is None:
            return None  # the account is empty: there is no record to search for
        record_id, instant = newest
        self.date_formats[field] = next(
            (name for name in self.formats if self._supports(field, name, record_id, instant)), None
        )
        return self.date_formats[field]

    def condition(self, window: Window, changed_since: datetime | None = None, also: str = "") -> Condition:
        """Created in `window`, changed since `changed_since` and meeting the condition `also`, in the account's formats."""
        clauses = []
        if changed_since is not None:
            write = QUERY_FORMATS[self.date_formats.get("updatedAt") or "epoch_ms"]
            clauses.append(f"updatedAt >= {write(changed_since)}")
        if also:
            clauses.append(also)
        return _between("createdAt", window, self.date_formats.get("createdAt") or "epoch_ms", clauses)

    def checked_page(self, window: Window, changed_since: datetime | None, offset: int, also: str = "") -> Page:
        """A page of `condition(window, changed_since, also)`, after a check that the rows are in the window.

        Raises ContractError for a row outside it: the account reads dates in another format than before. Raises what
        `page` raises.
        """
        page = self.page(self.condition(window, changed_since, also), offset)
        closed = self.date_formats.get("createdAt") in RANGE_FORMATS  # it is not documented whether `to` is included
        for row in page.rows:
            created, updated = stamp(row, "createdAt"), stamp(row, "updatedAt")
            outside = created is not None and not (
                window.since <= created < window.until or (closed and created == window.until)
            )
            if outside or (changed_since and updated is not None and updated < changed_since):
                raise ContractError(
                    f"{self.title}: a search of {window.key} returned the record {row_id(row)}, which is outside of it; "
                    "the account now reads dates in another format. Run again with --full-refresh."
                )
        return page

    def _newest(self, field: str) -> tuple[str, datetime] | None:
        """The id and the instant `field` of a record, the newest one where the vendor can sort by it."""
        try:
            rows = self.page(None, 0, sort=field, order="desc").rows
        except HttpRefused as error:
            if error.status not in BAD_QUERY:
                raise
            rows = self.page(None, 0, order="desc").rows
        for row in rows:
            record_id, at = row_id(row), stamp(row, field)
            if record_id is not None and at is not None:
                return record_id, at
        return None

    def _supports(self, field: str, format_name: str, record_id: str, instant: datetime) -> bool:
        """Whether a search in this format finds the record, and nothing that it should not find."""
        if format_name in RANGE_FORMATS and field != "createdAt":
            return False
        since = instant.replace(microsecond=0) - timedelta(seconds=1)
        near = Window(since, since + timedelta(seconds=3))
        far = Window(near.until + timedelta(days=400), near.until + timedelta(days=401))
        try:
            found, nothing = (self.page(_between(field, window, format_name, []), 0) for window in (near, far))
        except HttpRefused as error:
            if error.status not in BAD_QUERY:
                raise
            return False
        inside = all((at := stamp(row, field)) is None or near.since <= at <= near.until for row in found.rows)
        there = any(row_id(row) == record_id for row in found.rows) or (found.more and bool(found.rows))
        if not inside or nothing.rows or not there:
            return False
        self.on_detected(found)
        return True


def _between(field: str, window: Window, format_name: str, clauses: list[str]) -> Condition:
    parameters: dict[str, str | int] = {}
    if format_name in RANGE_FORMATS:
        number = RANGE_FORMATS[format_name]
        parameters = {"from": number(window.since), "to": number(window.until)}
    else:
        write = QUERY_FORMATS[format_name]
        clauses = [*clauses, f"{field} >= {write(window.since)}", f"{field} < {write(window.until)}"]
    return {**parameters, "query": " AND ".join(clauses)} if clauses else parameters


def stamp(row: bytes, field: str) -> datetime | None:
    """The instant `createdAt` or `updatedAt` of a row; None when it cannot be read."""
    try:
        at = datetime.fromisoformat(getattr(_STAMPS.decode(row), field) or "")
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
