"""How a source reports its progress. The command line shows it; everything else uses the silent default."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Progress(Protocol):
    """Receives the progress of the pulls. The methods of one source may be called from any thread, one at a time."""

    def start(self, source: str) -> None:
        """The pull of a source begins."""

    def update(self, source: str, stream: str, done_windows: int, total_windows: int, records: int) -> None:
        """A window of a stream is landed.

        `total_windows` grows while windows are split; `records` are those landed in the stream so far.
        """

    def finish(self, source: str) -> None:
        """The pull of a source ended, successfully or not."""


class Silent:
    """The default: reports nothing."""

    def start(self, source: str) -> None:
        """See Progress."""

    def update(self, source: str, stream: str, done_windows: int, total_windows: int, records: int) -> None:
        """See Progress."""

    def finish(self, source: str) -> None:
        """See Progress."""


_CURRENT: ContextVar[Progress | None] = ContextVar("progress", default=None)


def current() -> Progress:
    """The progress that `shown_by` has set in this context; the silent one without it."""
    return _CURRENT.get() or Silent()


@contextmanager
def shown_by(progress: Progress) -> Iterator[None]:
    """Report everything that is pulled inside the block to `progress`."""
    token = _CURRENT.set(progress)
    try:
        yield
    finally:
        _CURRENT.reset(token)
