"""How a source tells how far it is. The command line renders it; everything else uses the silent default."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Progress(Protocol):
    def start(self, source: str) -> None: ...

    def update(self, source: str, stream: str, done_windows: int, total_windows: int, records: int) -> None:
        """`total_windows` grows while windows are split; `records` are those landed in this stream so far."""

    def finish(self, source: str) -> None: ...


class Silent:
    """The default: says nothing."""

    def start(self, source: str) -> None:
        pass

    def update(self, source: str, stream: str, done_windows: int, total_windows: int, records: int) -> None:
        pass

    def finish(self, source: str) -> None:
        pass


_CURRENT: ContextVar[Progress | None] = ContextVar("progress", default=None)


def current() -> Progress:
    """The reporter of the program that runs, the silent one where none was set."""
    return _CURRENT.get() or Silent()


@contextmanager
def shown_by(progress: Progress) -> Iterator[None]:
    """Let `progress` render whatever is pulled inside the block."""
    token = _CURRENT.set(progress)
    try:
        yield
    finally:
        _CURRENT.reset(token)
