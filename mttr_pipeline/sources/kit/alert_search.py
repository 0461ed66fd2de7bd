"""Searching alerts by time where the vendor does not say how dates are written: settled once by asking, then used.

Opsgenie and its successor JSM Operations share a search language whose encoding of dates is not documented bindingly;
several are in use. So a known record is looked for with each, and the first way that finds it (and only rows of its
window, and nothing a year later) is used and kept in the extract's facts. What does not belong here: HTTP, which
streams are read and landed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from mttr_pipeline.errors import ContractError
from mttr_pipeline.sources.kit.http import HttpRefused
from mttr_pipeline.sources.kit.paging import Page, row_id
from mttr_pipeline.sources.kit.windows import Window, epoch_ms

Condition = Mapping[str, str | int]  # request parameters

ENCODINGS: dict[str, Callable[[datetime], str]] = {
    "epoch_ms": lambda t: str(epoch_ms(t)),
    "epoch_s": lambda t: str(epoch_ms(t) // 1000),
    "day_first": lambda t: f'"{t:%d-%m-%YT%H:%M:%S}"',
}
RANGES: dict[str, Callable[[datetime], int]] = {  # the parameters from and to, instead of a query
    "range_ms": epoch_ms,
    "range_s": lambda t: epoch_ms(t) // 1000,
}


class _Stamps(msgspec.Struct):
    createdAt: str | None = None
    updatedAt: str | None = None


_STAMPS = msgspec.json.Decoder(_Stamps)


class AlertSearch:
    """Searching one list endpoint; a vendor's subclass knows how to ask for a page.

    `encodings` maps createdAt and updatedAt to the way in use, None = no such search here; a field that is missing was
    not settled (the account is empty). It is filled in place.
    """

    vendor = ""
    ways: tuple[str, ...] = tuple(ENCODINGS)

    def __init__(self, encodings: dict[str, str | None]) -> None:
        self.encodings = encodings

    def page(self, condition: Condition | None, offset: int, *, sort: str = "createdAt", order: str = "asc") -> Page:
        """One page of what fulfils the condition (None: of everything). Raises TooMany above the ceiling."""
        raise NotImplementedError

    def learn(self, near: Page) -> None:
        """Called with the page of the probe that succeeded."""

    def settle(self, field: str) -> str | None:
        """Find out how `field` is searched on this account. Costs at most a handful of requests, once."""
        if field in self.encodings:
            return self.encodings[field]
        newest = self._newest(field)
        if newest is None:
            return None  # nothing to look for, so nothing to settle
        name, instant = newest
        self.encodings[field] = next((way for way in self.ways if self._understands(field, way, name, instant)), None)
        return self.encodings[field]

    def condition(self, window: Window, changed_since: datetime | None = None, also: str = "") -> Condition:
        """Created in `window` (and changed since then, and fulfilling `also`), in the account's encodings."""
        clauses = []
        if changed_since is not None:
            write = ENCODINGS[self.encodings.get("updatedAt") or "epoch_ms"]
            clauses.append(f"updatedAt >= {write(changed_since)}")
        if also:
            clauses.append(also)
        return _between("createdAt", window, self.encodings.get("createdAt") or "epoch_ms", clauses)

    def checked_page(self, window: Window, changed_since: datetime | None, offset: int, also: str = "") -> Page:
        """A page of a window by creation, with the proof that the search understood the dates: all rows belong there.

        Raises ContractError for a row that does not.
        """
        page = self.page(self.condition(window, changed_since, also), offset)
        closed = self.encodings.get("createdAt") in RANGES  # whether `to` is included is not documented
        for row in page.rows:
            created, updated = stamp(row, "createdAt"), stamp(row, "updatedAt")
            outside = created is not None and not (
                window.since <= created < window.until or (closed and created == window.until)
            )
            if outside or (changed_since and updated is not None and updated < changed_since):
                raise ContractError(
                    f"{self.vendor}: a search in {window.key} gave the record {row_id(row)}, which does not belong "
                    "there; the account reads dates differently than it did. Start again with --full-refresh."
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

    def _understands(self, field: str, way: str, name: str, instant: datetime) -> bool:
        if way in RANGES and field != "createdAt":
            return False
        since = instant.replace(microsecond=0) - timedelta(seconds=1)
        near = Window(since, since + timedelta(seconds=3))
        far = Window(near.until + timedelta(days=400), near.until + timedelta(days=401))
        try:
            found, nothing = (self.page(_between(field, window, way, []), 0) for window in (near, far))
        except HttpRefused as error:
            if error.status not in (400, 422):
                raise
            return False
        inside = all((at := stamp(row, field)) is None or near.since <= at <= near.until for row in found.rows)
        there = any(row_id(row) == name for row in found.rows) or (found.more and bool(found.rows))
        if not inside or nothing.rows or not there:
            return False
        self.learn(found)
        return True


def _between(field: str, window: Window, way: str, clauses: list[str]) -> Condition:
    parameters: dict[str, str | int] = {}
    if way in RANGES:
        count = RANGES[way]
        parameters = {"from": count(window.since), "to": count(window.until)}
    else:
        write = ENCODINGS[way]
        clauses = [*clauses, f"{field} >= {write(window.since)}", f"{field} < {write(window.until)}"]
    return {**parameters, "query": " AND ".join(clauses)} if clauses else parameters


def stamp(row: bytes, field: str) -> datetime | None:
    """createdAt or updatedAt of a row; None when it cannot be read."""
    try:
        at = datetime.fromisoformat(getattr(_STAMPS.decode(row), field) or "")
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
