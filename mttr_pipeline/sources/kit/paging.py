"""Offset paging over data that may move while it is read: every row once, or an error.

What belongs here: the loop, counting, repeats. What does not: HTTP, the meaning of a row beyond its `id`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import msgspec

TARGET = 2_500  # rows per window: enough to make partial pages cheap, few enough to share among the threads
READS = 3  # of a listing whose rows do not add up to the vendor's own total


class Page(NamedTuple):
    """Rows as sent; `total` when the vendor said it; `more` when it says that another page follows."""

    rows: list[bytes]
    more: bool
    total: int | None = None


class TooMany(Exception):
    """The listing does not fit under the ceiling (or is better cut up). `total` is None when it is not known."""

    def __init__(self, total: int | None) -> None:
        super().__init__(f"{total} rows")
        self.total = total


class Unsettled(TooMany):
    """Rows moved between the pages of every reading; smaller windows, at best of one page, cannot lose any."""


class Counted(NamedTuple):
    """What a complete read gave. `expected` is the vendor's total of the last reading, None when it gave none."""

    rows: int
    repeats: int
    expected: int | None


class _Id(msgspec.Struct):
    id: str | int


_ID = msgspec.json.Decoder(_Id)
_ID_FIRST = re.compile(rb'\{\s*"id"\s*:\s*"([\x20\x21\x23-\x5b\x5d-\x7e]*)"')


def row_id(row: bytes) -> str | None:
    """The `id` of a record, None when it has none that can be read."""
    first = _ID_FIRST.match(row)  # every vendor begins a record with it; reading on to the end would cost 50 times more
    if first is not None:
        return first[1].decode("ascii")
    try:
        return str(_ID.decode(row).id)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class Repeats:
    """Recognises rows seen before: the same bytes. The same id with other bytes is a newer state and is kept."""

    def __init__(self) -> None:
        self._seen: dict[str | int, int] = {}
        self.dropped = 0

    @property
    def distinct(self) -> int:
        """Different records so far, by id; one without a readable id counts by its bytes."""
        return len(self._seen)

    def is_new(self, row: bytes) -> bool:
        content = hash(row)
        name = row_id(row)
        key = content if name is None else name
        if self._seen.get(key) == content:
            self.dropped += 1
            return False
        self._seen[key] = content
        return True


def read_all(
    page: Callable[[int], Page],
    write: Callable[[bytes], object],
    *,
    ceiling: int | None = None,
    fits: int | None = None,
    divisible: bool = False,
) -> Counted:
    """Read a listing from offset 0 to its end and write each row once.

    The offset advances by the different rows of a page, whatever size was asked for: a row that stands twice on a page
    must not push another one over the edge. With fewer distinct rows than the vendor's total (rows moved between
    pages), or without a total after an empty page that says there is more, the listing is read again, at most three
    times in all. What then still is missing raises Unsettled when the listing is `divisible` and longer than a page,
    else it is in the result.

    Raises TooMany when the total is above `fits`, or when `ceiling` (offset + page size) is reached and the vendor says
    that there is more.
    """
    repeats = Repeats()
    expected: int | None = None
    pages = 0
    for _ in range(READS):
        offset = pages = 0
        expected = None
        empty = False
        while True:
            got = page(offset)
            if offset == 0:
                expected = got.total
                if fits is not None and expected is not None and expected > fits:
                    raise TooMany(expected)
            for row in got.rows:
                if repeats.is_new(row):
                    write(row)
            offset += len(set(got.rows))
            pages += 1
            empty = got.more and not got.rows  # it says that there is more, but not where
            if not got.rows or not got.more:
                break
            if ceiling is not None and offset >= ceiling:
                raise TooMany(expected)
        if not empty if expected is None else repeats.distinct >= expected:
            break
    else:
        if divisible and pages > 1:
            raise Unsettled(expected)
    return Counted(repeats.distinct, repeats.dropped, expected)


def read_by_token(
    page: Callable[[str | None], tuple[list[bytes], str | None]],
    write: Callable[[bytes], object],
    *,
    empty_pages: int = 50,
) -> Counted:
    """Read a listing that is chained by opaque tokens and write each row once.

    It ends when no token follows. An empty page with a token goes on. When a token comes back, is refused (TokenExpired)
    or more than `empty_pages` pages in a row are empty, the listing is read from its start again, at most three times in
    all. Raises TokenLoop when that does not help: it would go on for ever.
    """
    repeats = Repeats()
    for read in range(READS):
        try:
            _follow(page, write, repeats, empty_pages)
            break
        except (TokenLoop, TokenExpired) as error:
            if read == READS - 1:
                raise TokenLoop(str(error)) from error
    return Counted(repeats.distinct, repeats.dropped, None)


def _follow(
    page: Callable[[str | None], tuple[list[bytes], str | None]],
    write: Callable[[bytes], object],
    repeats: Repeats,
    empty_pages: int,
) -> None:
    """From the first page to the last."""
    seen: set[str] = set()
    token: str | None = None
    empty = 0
    while True:
        rows, token = page(token)
        for row in rows:
            if repeats.is_new(row):
                write(row)
        if not token:
            return
        empty = 0 if rows else empty + 1
        if token in seen or empty > empty_pages:
            raise TokenLoop("the page token repeats" if token in seen else f"{empty} empty pages in a row")
        seen.add(token)


class TokenExpired(Exception):
    """The vendor refuses a page token that it gave itself."""


class TokenLoop(Exception):
    """The vendor's paging does not end."""
