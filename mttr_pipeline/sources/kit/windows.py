"""Half-open UTC time windows `[since, until)`: cut a range into steps, split a window, find the parts not read yet.

Windows are whole seconds, because vendors filter by whole seconds. What does not belong here: HTTP and paging.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mttr_pipeline.errors import PermanentError

SECOND = timedelta(seconds=1)
MAX_PARTS = 32  # pieces of one split


@dataclass(frozen=True, order=True)
class Window:
    """The instants t with `since` <= t < `until`; both ends are UTC and whole seconds.

    Raises ValueError when an end has no time zone or `since` is after `until`.
    """

    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if self.since.tzinfo is None or self.until.tzinfo is None or self.since > self.until:
            raise ValueError(f"invalid window: {self.since} .. {self.until}")

    @property
    def seconds(self) -> int:
        """The length in seconds."""
        return (self.until - self.since) // SECOND

    @property
    def key(self) -> str:
        """The window as text, e.g. `2026-01-01T00:00:00Z/2026-01-08T00:00:00Z`."""
        return f"{iso(self.since)}/{iso(self.until)}"

    @classmethod
    def parse(cls, key: str) -> Window:
        """The inverse of `key`. Raises ValueError."""
        since, _, until = key.partition("/")
        return cls(datetime.fromisoformat(since), datetime.fromisoformat(until))


def iso(instant: datetime) -> str:
    """ISO 8601 in UTC with a `Z` and whole seconds, which every vendor accepts."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch_ms(instant: datetime) -> int:
    """Milliseconds since 1970, exact for whole seconds."""
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def whole_second(instant: datetime) -> datetime:
    """`instant` in UTC, truncated to the second."""
    return instant.astimezone(UTC).replace(microsecond=0)


def steps(window: Window, step: timedelta) -> Iterator[Window]:
    """`window` in consecutive pieces of `step`; the last one may be shorter.

    Raises ValueError when `step` is below one second.
    """
    if step < SECOND:
        raise ValueError("a step is at least one second")
    since = window.since
    while since < window.until:
        until = min(since + step, window.until)
        yield Window(since, until)
        since = until


def split(window: Window, parts: int) -> list[Window]:
    """`window` in at most `parts` (2 to 32) nearly equal pieces of whole seconds.

    Raises PermanentError when the window is one second long: a second cannot be split, so its records cannot all be
    read.
    """
    if window.seconds <= 1:
        raise PermanentError(
            f"The second {iso(window.since)} holds more records than the vendor's API returns for one query; "
            "the pull stops rather than leave records out. Ask the vendor for an export of that second."
        )
    size = -(-window.seconds // max(2, min(parts, MAX_PARTS)))
    return list(steps(window, size * SECOND))


def split_for(window: Window, total: int, target: int) -> list[Window]:
    """At least two pieces that hold about `target` records each when the `total` records are spread evenly.

    Raises PermanentError like `split`.
    """
    return split(window, -(-total // target))


def gaps(window: Window, done: Iterable[Window]) -> list[Window]:
    """The parts of `window` that no window of `done` covers, in order: what a resumed extract still has to read."""
    missing = []
    since = window.since
    for piece in sorted(done):
        if piece.since > since and since < window.until:
            missing.append(Window(since, min(piece.since, window.until)))
        since = max(since, piece.until)
    if since < window.until:
        missing.append(Window(since, window.until))
    return [gap for gap in missing if gap.seconds > 0]
