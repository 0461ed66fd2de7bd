"""Ctrl-C and SIGTERM: whoever waits, reads or calculates is told at once, and a command ends within seconds.

Python runs the handler of a signal in the main thread, between two steps of Python code. A query, a response that does not
come and the threads of a pull know nothing of it: so a thread of its own hears the signal, and tells those who asked for it
with `tell`. What belongs here: signals. What does not: what is stopped, and what is said.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

ENDED_BY = {signal.SIGINT: 130, signal.SIGTERM: 143}  # exit codes, as shells count them
NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
GRACE = 4.0  # seconds from the signal to the end of the process, however far the work has come
_TELL_AGAIN = 0.3  # seconds
_ONE_SIGNAL = 0.2  # seconds: `timeout` and terminals send one signal to the process and to its group

_told: set[weakref.WeakMethod[Callable[[], object]]] = set()
_current: Signals | None = None


def tell(stop: Callable[[], object]) -> None:
    """Call the method `stop` from another thread when a signal ends the process, perhaps several times. Its object is not kept."""
    _told.difference_update([method for method in _told.copy() if method() is None])
    _told.add(weakref.WeakMethod(stop))


class Signals:
    """What was heard so far: `received` is the number of the first signal, None without one."""

    def __init__(self, on_first: Callable[[int], object] | None) -> None:
        self.received: int | None = None
        self._on_first = on_first
        self._said = threading.Event()

    @property
    def exit_code(self) -> int | None:
        """What a command ends with after the signal; None without one."""
        return None if self.received is None else ENDED_BY[signal.Signals(self.received)]

    def wait(self) -> None:
        """Let the thread that hears signals catch up with the handler that ran in this one."""
        self._said.wait(1)

    def listen(self, hearing: socket.socket) -> None:
        """Hear signals until the socket is closed. The first one ends the work, the second one or the end of the grace ends the
        process."""
        first_at = 0.0
        while True:
            ready = select.select([hearing], [], [], None if self.received is None else _TELL_AGAIN)[0]
            numbers = hearing.recv(64) if ready else b""
            if ready and not numbers:
                return
            heard = [number for number in numbers if number in ENDED_BY]
            if self.received is None and heard:
                self.received, first_at = heard[0], time.monotonic()
                threading.Thread(target=self._tell, args=heard[:1], daemon=True).start()
            elif self._on_first is not None and self.exit_code is not None:
                since = time.monotonic() - first_at
                if since > GRACE or (heard and since > _ONE_SIGNAL):
                    os._exit(self.exit_code)

    def _tell(self, number: int) -> None:
        """Tell everybody, again and again: the next query begins after the first was interrupted. It may hang: `listen` goes on."""
        if self._on_first is not None:
            with suppress(Exception):  # nobody may be there to read it
                self._on_first(number)
        self._said.set()
        while _current is self:
            _tell_all()
            time.sleep(_TELL_AGAIN)


def heard() -> bool:
    """Whether a signal is ending the work."""
    return _current is not None and _current.received is not None


def ended_by() -> str | None:
    """What ends the work, for people: `Ended by Ctrl-C`. None when no signal was heard."""
    number = _current.received if _current is not None else None
    return None if number is None else f"Ended by {NAMES[signal.Signals(number)]}"


def interrupted_by() -> str:
    """The same after KeyboardInterrupt, whose handler may run before the thread that hears signals."""
    if _current is not None:
        _current.wait()
    return ended_by() or "Ended by an interrupt"


def _tell_all() -> None:
    for method in _told.copy():
        stop = method()
        if stop is not None:
            with suppress(Exception):  # it may be closed by now
                stop()


@contextmanager
def watched(on_first: Callable[[int], object] | None = None) -> Iterator[Signals]:
    """Hear SIGINT and SIGTERM while the block runs.

    With `on_first`, which is called with the number of the first signal, the process is ours: both signals raise KeyboardInterrupt
    in the main thread, and the process ends with the signal's exit code at the second one, or when the work has not ended after
    GRACE seconds. Without, somebody else (an orchestrator) ends it, and only those who asked for it are told. Inside another such
    block, and outside of the main thread, it hears nothing by itself.
    """
    global _current
    if _current is not None or threading.current_thread() is not threading.main_thread():
        yield _current or Signals(None)
        return
    hearing, telling = socket.socketpair()
    telling.setblocking(False)
    signals = _current = Signals(on_first)
    before = signal.set_wakeup_fd(telling.fileno(), warn_on_full_buffer=False)
    listener = threading.Thread(target=signals.listen, args=(hearing,), name="signals", daemon=True)
    listener.start()
    handlers = {n: signal.signal(n, signal.default_int_handler) for n in ENDED_BY} if on_first else {}
    try:
        yield signals
    finally:
        if signals.received is None or on_first is None:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            _current = None
            signal.set_wakeup_fd(before)
            telling.close()
            listener.join()
            hearing.close()
        # else the process is ending: threads that do not end, and a second signal, are still waited for
