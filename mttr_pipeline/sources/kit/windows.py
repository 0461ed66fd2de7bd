"""Half-open UTC time windows `[since, until)`: cutting a range, splitting what is too full, finding what is missing.

Whole seconds only, because the vendors' stamps that we window on have no finer meaning to their filters. What does not
belong here: HTTP and paging.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mttr_pipeline.errors import PermanentError

SECOND = timedelta(seconds=1)
MOST_PARTS = 32


@dataclass(frozen=True, order=True)
class Window:
    """`since` <= t < `until`, both UTC and whole seconds."""

    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if self.since.tzinfo is None or self.until.tzinfo is None or self.since > self.until:
            raise ValueError(f"no window: {self.since} .. {self.until}")

    @property
    def seconds(self) -> int:
        return (self.until - self.since) // SECOND

    @property
    def key(self) -> str:
        """The window as text: `2026-01-01T00:00:00Z/2026-01-08T00:00:00Z`."""
        return f"{iso(self.since)}/{iso(self.until)}"

    @classmethod
    def parse(cls, key: str) -> Window:
        """The inverse of `key`. Raises ValueError."""
        since, _, until = key.partition("/")
        return cls(datetime.fromisoformat(since), datetime.fromisoformat(until))


def iso(instant: datetime) -> str:
    """UTC with a `Z` and whole seconds: the form every vendor reads the same way."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch_ms(instant: datetime) -> int:
    """Milliseconds since 1970, exact for whole seconds."""
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def whole_second(instant: datetime) -> datetime:
    """`instant` in UTC, cut to its second."""
    return instant.astimezone(UTC).replace(microsecond=0)


def steps(window: Window, step: timedelta) -> Iterator[Window]:
    """`window` cut into pieces of `step`, the last one shorter; together exactly `window`. `step` >= 1 s."""
    if step < SECOND:
        raise ValueError("a step is at least one second")
    since = window.since
    while since < window.until:
        until = min(since + step, window.until)
        yield Window(since, until)
        since = until


def split(window: Window, parts: int) -> list[Window]:
    """`window` in at most `parts` (2 to 32) nearly equal pieces of whole seconds.

    Raises PermanentError for a window of one second: what does not fit into that cannot be read completely.
    """
    if window.seconds <= 1:
        raise PermanentError(
            f"More records than the vendor's interface gives out fall into the second {iso(window.since)}; "
            "the source is stopped rather than cut short. Ask the vendor for an export of that second."
        )
    size = -(-window.seconds // max(2, min(parts, MOST_PARTS)))
    return list(steps(window, size * SECOND))


def split_for(window: Window, total: int, target: int) -> list[Window]:
    """Pieces that hold about `target` records each if the `total` of them lie evenly; at least two."""
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
