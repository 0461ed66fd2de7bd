"""How a source tells how far it is. The command line renders it; everything else uses the silent default."""

from __future__ import annotations

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
