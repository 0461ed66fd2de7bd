"""Read a paged listing whose rows may move while it is read: every row once, or an error. Every listing ends.

What belongs here: the loop over pages, duplicates, totals, and what a vendor does whose pages do not end. What does not: HTTP,
the meaning of a row beyond its `id`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import msgspec

from mttr_pipeline.errors import PermanentError

TARGET_ROWS = 2_500  # rows per window: large enough for full pages, small enough to share among the threads
MAX_READS = 3  # how often a listing is read when its rows do not add up to the vendor's total
MAX_STALE_PAGES = 3  # pages in a row that hold records of earlier pages only: moving rows push at most a few back
STORM = 500  # records that may come between the vendor's count and the pages, or that its count does not know yet
MAX_PAGES = 10_000  # of one listing: a million records at a hundred a page, in a window that should hold some thousands


class Page(NamedTuple):
    """One page: the rows as the vendor sent them, whether the vendor announces another page, and its total if it gives one."""

    rows: list[bytes]
    more: bool
    total: int | None = None


class TooManyRows(Exception):
    """The listing has more rows than its paging can return, or than the caller wants in one window.

    `total` is the vendor's total, None when it gives none.
    """

    def __init__(self, total: int | None) -> None:
        super().__init__(f"{total} rows")
        self.total = total


class UnstableListing(TooManyRows):
    """Rows moved between the pages of every read. Smaller windows, at best of one page, cannot lose a row."""


class EndlessListing(PermanentError):
    """The vendor's pages do not end. The listing was left, and is not taken for whole: no record counts as deleted for it."""


class ReadResult(NamedTuple):
    """What a complete read returned.

    rows      distinct records
    repeats   rows dropped because the same bytes came before
    expected  the vendor's total in the last read, None when it gives none
    """

    rows: int
    repeats: int
    expected: int | None


class _Id(msgspec.Struct):
    id: str | int


_ID = msgspec.json.Decoder(_Id)
_ID_FIRST = re.compile(rb'\{\s*"id"\s*:\s*"([\x20\x21\x23-\x5b\x5d-\x7e]*)"')


def row_id(row: bytes) -> str | None:
    """The `id` of a record as text, None when the record has no readable one."""
    first = _ID_FIRST.match(row)  # most records begin with it; decoding the whole record costs 50 times more
    if first is not None:
        return first[1].decode("ascii")
    try:
        return str(_ID.decode(row).id)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class NewRows(NamedTuple):
    """Of the rows of a page, those that came for the first time, and the keys of all: a record is known by its key."""

    rows: Sequence[bytes]
    keys: Collection[bytes | int]


class SeenRows:
    """Recognises duplicate rows: the same id with the same bytes. The same id with other bytes is a newer version."""

    def __init__(self) -> None:
        self._seen: dict[bytes | int, int] = {}
        self.dropped = 0  # duplicates so far

    @property
    def distinct(self) -> int:
        """How many different records came so far, by id; a record without a readable id counts by its bytes."""
        return len(self._seen)

    def is_new(self, row: bytes) -> bool:
        """Whether the row is no duplicate of an earlier one; the row is remembered."""
        key, content = _key(row), hash(row)
        if self._seen.get(key) == content:
            self.dropped += 1
            return False
        self._seen[key] = content
        return True

    def new_of(self, rows: Sequence[bytes]) -> NewRows:
        """`is_new` for the rows of a page, which are seldom known: at a third of the time where none is."""
        keys: dict[bytes | int, int] = {}
        for row, first in zip(rows, map(_ID_FIRST.match, rows), strict=True):
            keys[first[1] if first else _key(row)] = hash(row)
        if len(keys) == len(rows) and self._seen.keys().isdisjoint(keys):
            self._seen.update(keys)
            return NewRows(rows, keys)
        return NewRows([row for row in rows if self.is_new(row)], keys)


def _key(row: bytes) -> bytes | int:
    """What a record is known by: its id, else its content."""
    name = row_id(row)
    return hash(row) if name is None else name.encode()


class _Progress:
    """One read of a listing, from its first page on: whether another page may still bring something.

    `allowed` is the vendor's exact count of the listing, None where it gives none.
    """

    def __init__(self) -> None:
        self._known: set[bytes | int] = set()
        self._stale = self.pages = 0

    def note(self, keys: Collection[bytes | int], allowed: int | None = None) -> None:
        """A page with these records came and announces another one. Raises EndlessListing."""
        before = len(self._known)
        self._known.update(keys)
        self.pages += 1
        self._stale = self._stale + 1 if keys and len(self._known) == before else 0
        if self._stale >= MAX_STALE_PAGES:
            raise EndlessListing(f"{self._stale} pages in a row bring the records of earlier pages again")
        if allowed is not None and len(self._known) > max(2 * allowed, allowed + STORM):
            raise EndlessListing(f"it has brought {len(self._known):,} records where the vendor counts {allowed:,}")
        if self.pages >= MAX_PAGES:
            raise EndlessListing(f"it has more than {MAX_PAGES:,} pages")


def read_all(
    page: Callable[[int], Page],
    write: Callable[[Sequence[bytes]], object],
    *,
    ceiling: int | None = None,
    split_above: int | None = None,
    can_split: bool = False,
    repeats_end: bool = False,
) -> ReadResult:
    """Read a listing by offset from 0 to its end and write each row once.

    page         returns the page at an offset (in rows)
    write        takes the new rows of a page
    ceiling      the highest offset + page size that the vendor allows
    split_above  rows above which the caller prefers to split the listing
    can_split    whether the caller can split the listing
    repeats_end  whether a page that brings nothing new is the regular end of the listing

    The offset advances by the distinct rows of a page: a row that stands on a page twice must not skip another one. The
    listing is read again, at most three times in all, when fewer distinct rows came than the vendor's total, or when an
    empty page announced another page and there is no total. The result carries what is still missing after that.

    Raises TooManyRows when the total is above `split_above`, or when the ceiling is reached and the vendor announces
    another page. Raises UnstableListing when rows are still missing and a listing of several pages can be split. Raises
    EndlessListing when further pages are announced and the last ones brought nothing new, when more than twice the vendor's
    total came, or after MAX_PAGES pages.
    """
    seen = SeenRows()
    expected: int | None = None
    for _ in range(MAX_READS):
        progress = _Progress()
        offset = 0
        expected = None
        empty = False
        while True:
            got = page(offset)
            if offset == 0:
                expected = got.total
                if split_above is not None and expected is not None and expected > split_above:
                    raise TooManyRows(expected)
            before = seen.distinct
            new = seen.new_of(got.rows)
            write(new.rows)
            # distinct keys are distinct rows
            offset += len(got.rows) if len(new.keys) == len(got.rows) else len(set(got.rows))
            empty = got.more and not got.rows  # the vendor announces another page but gives no rows to advance by
            if not got.rows or not got.more or (repeats_end and seen.distinct == before):
                progress.pages += 1
                break
            if ceiling is not None and offset >= ceiling:
                raise TooManyRows(expected)
            progress.note(new.keys, expected)
        if not empty if expected is None else seen.distinct >= expected:
            break
    else:
        if can_split and progress.pages > 1:
            raise UnstableListing(expected)
    return ReadResult(seen.distinct, seen.dropped, expected)


def read_whole(page: Callable[[int], Page], *, ceiling: int | None = None) -> list[bytes]:
    """The rows of a listing that is to prove that a record is not in it. Raises UnstableListing when rows are missing, and what
    `read_all` raises."""
    rows: list[bytes] = []
    result = read_all(page, rows.extend, ceiling=ceiling)
    if result.expected is not None and result.rows < result.expected:
        raise UnstableListing(result.expected)
    return rows


TokenPage = tuple[list[bytes], str | None]  # the rows, and the token of the next page


def read_by_token(
    page: Callable[[str | None], TokenPage],
    write: Callable[[Sequence[bytes]], object],
    *,
    empty_pages: int = 50,
) -> ReadResult:
    """Read a listing that is chained by opaque page tokens and write each row once, those of a page together.

    `page` returns the rows behind a token (None: the first page) and the token of the next page (None: the last page).
    An empty page with a token is not the end. The listing is read from its start again, at most three times in all, when
    a token repeats, when the vendor refuses a token (TokenExpired), or after more than `empty_pages` empty pages in a
    row.

    Raises TokenLoop when the last read fails the same way, and EndlessListing like `read_all`.
    """
    seen = SeenRows()
    for read in range(MAX_READS):
        try:
            _follow(page, write, seen, empty_pages)
            break
        except (TokenLoop, TokenExpired) as error:
            if read == MAX_READS - 1:
                raise TokenLoop(str(error)) from error
    return ReadResult(seen.distinct, seen.dropped, None)


def _follow(
    page: Callable[[str | None], TokenPage],
    write: Callable[[Sequence[bytes]], object],
    seen: SeenRows,
    empty_pages: int,
) -> None:
    """Read from the first page to the last."""
    tokens: set[str] = set()
    token: str | None = None
    empty = 0
    progress = _Progress()
    while True:
        rows, token = page(token)
        new = seen.new_of(rows)
        write(new.rows)
        if not token:
            return
        empty = 0 if rows else empty + 1
        if token in tokens or empty > empty_pages:
            raise TokenLoop("the page token repeats" if token in tokens else f"{empty} empty pages in a row")
        tokens.add(token)
        progress.note(new.keys)


class TokenExpired(Exception):
    """The vendor refuses a page token that it issued."""


class TokenLoop(EndlessListing):
    """The page tokens lead nowhere."""
