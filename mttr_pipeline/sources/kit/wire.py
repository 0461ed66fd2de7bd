"""Connections whose responses have one deadline, from the status line to the last trailer.

The timeout of a socket starts again with every byte, so a vendor that sends one byte every few seconds holds a request for
ever: in the status line, between two headers, in the length of a chunk, in the body or behind it. Here every read waits for
what is left of the response's time at most.

What belongs here: sockets. What does not: retries, the size of a body, how long a response may take (`http`).
"""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import requests.adapters
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

#: Seconds that the response under way in this thread may still take.
SecondsLeft = Callable[[], float]


class BoundedAdapter(requests.adapters.HTTPAdapter):
    """One connection at a time, without retries, without a read beyond `seconds_left()`. `opened` is told every new socket."""

    def __init__(self, seconds_left: SecondsLeft, opened: Callable[[socket.socket], None]) -> None:
        self._pools = {
            "http": _pool(urllib3.HTTPConnectionPool, HTTPConnection, seconds_left, opened),
            "https": _pool(urllib3.HTTPSConnectionPool, HTTPSConnection, seconds_left, opened),
        }
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """See HTTPAdapter."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        """See HTTPAdapter."""
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _pool(pool: Any, connection: Any, seconds_left: SecondsLeft, opened: Callable[[socket.socket], None]) -> Any:
    """The class of pools whose connections are bounded."""

    def __init__(self: Any, *args: Any, **options: Any) -> None:
        connection.__init__(self, *args, **options)
        self.response_class = partial(_Response, seconds_left=seconds_left)

    def connect(self: Any) -> None:
        connection.connect(self)
        opened(self.sock)

    bounded = type(f"Bounded{connection.__name__}", (connection,), {"__init__": __init__, "connect": connect})
    return type(f"Bounded{pool.__name__}", (pool,), {"ConnectionCls": bounded})


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, seconds_left: SecondsLeft, **options: Any) -> None:
        super().__init__(_Source(sock, seconds_left), *args, **options)  # type: ignore[arg-type]


class _Source:
    """What a response takes for a socket: it only asks for a file."""

    def __init__(self, sock: socket.socket, seconds_left: SecondsLeft) -> None:
        self._sock, self._seconds_left = sock, seconds_left

    def makefile(self, _mode: str) -> io.BufferedReader[Any]:
        return io.BufferedReader(_BoundedReader(self._sock, self._seconds_left))


class _BoundedReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, seconds_left: SecondsLeft) -> None:
        self._sock, self._seconds_left = sock, seconds_left
        self._raw: Any = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._seconds_left()
        if left <= 0:
            raise TimeoutError("the response took too long")
        self._sock.settimeout(left)
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
