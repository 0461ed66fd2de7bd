"""How far a listing without a filter by time is read: until its rows are too old, if it has an order at all.

What does not belong here: HTTP, which instant of a row counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime


class NewestFirst:
    """Whether a listing has come to rows that are all older than `oldest`, page by page.

    Listings have been seen with the newest row first, and nobody promises it: of one in another order, and of one that has not yet
    shown an order, every page is wanted.
    """

    def __init__(self, oldest: datetime) -> None:
        self._oldest = oldest
        self._newest_of_last: datetime | None = None
        self._holds, self._shown = True, False

    def is_past(self, rows: Sequence[datetime | None]) -> bool:
        """A page with these creations came; whether the pages after it are not wanted."""
        known = [at for at in rows if at is not None]
        if not known:
            return False
        last = self._newest_of_last
        self._holds &= known[0] >= known[-1] and (last is None or max(known) <= last)
        self._shown |= known[0] > known[-1] or (last is not None and max(known) < last)
        self._newest_of_last = max(known)
        return self._holds and self._shown and len(known) == len(rows) and max(known) < self._oldest
