"""Connections whose responses have one deadline, from the status line to the last trailer.

The timeout of a socket starts again with every byte, so a vendor that sends one byte every few seconds holds a request for
ever: in the status line, between two headers, in the length of a chunk, in the body or behind it. Here every read waits for
what is left of the response's time at most.

What belongs here: sockets. What does not: retries, the size of a body, how long a response may take (`http`).
"""

from __future__ import annotations

import http.client
import io
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import requests.adapters
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

#: Seconds that the response under way in this thread may still take.
SecondsLeft = Callable[[], float]

_BUFFER = (
    1 << 18
)  # bytes of a response that are read at a time: a page at once, where the usual 8 KiB take several reads


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


def client_certificate_alert(error: BaseException, *, shown: bool) -> str | None:
    """What the other side's TLS alert says about the certificate that we showed, or did not; None for any other failure.

    `shown`: a handshake that fails without a further reason is about that certificate too. Alerts are those of RFC 8446, 6.2.
    """
    text = str(error).lower().replace("_", " ")
    found = re.search(
        r"alert ((?:bad|no|unsupported|expired|revoked) certificate|certificate \w+|unknown ca|access denied)", text
    )
    if found is None and shown:
        found = re.search(r"alert (handshake failure)", text)
    return found[1] if found else None


def tunnel_status(error: BaseException) -> int | None:
    """The status with which a proxy refused to connect to a host; None when the proxy was not reached."""
    found = re.search(r"Tunnel connection failed: (\d{3})", str(error))
    return int(found[1]) if found else None


def hang_up(connected: Any) -> None:
    """End a connection, and wake the thread that reads from it."""
    while not isinstance(connected, socket.socket):  # TLS inside the TLS of a proxy
        connected = connected.socket
    with suppress(OSError):  # closed already
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def connection_reason(error: BaseException) -> tuple[str, bool]:
    """A short reason, and whether there was a connection (one that broke)."""
    text = str(error)
    if "NameResolutionError" in text or "getaddrinfo" in text or "Name or service" in text:
        return "the host name is unknown", False
    if "refused" in text.lower():
        return "connection refused", False
    if "unreachable" in text.lower() or "NewConnectionError" in text:
        return "no route to the host", False
    return "the connection broke", True


def _pool(pool: Any, connection: Any, seconds_left: SecondsLeft, opened: Callable[[socket.socket], None]) -> Any:
    """The class of pools whose connections are bounded."""

    def __init__(self: Any, *args: Any, **options: Any) -> None:
        connection.__init__(self, *args, **options)
        self.response_class = partial(_Response, seconds_left=seconds_left)

    def _new_conn(self: Any) -> Any:
        plain = connection._new_conn(self)
        opened(plain)  # at once: a proxy may be asked first, and may never answer
        return plain

    def connect(self: Any) -> None:
        connection.connect(self)
        opened(self.sock)

    members = {"__init__": __init__, "_new_conn": _new_conn, "connect": connect}
    bounded = type(f"Bounded{connection.__name__}", (connection,), members)
    return type(f"Bounded{pool.__name__}", (pool,), {"ConnectionCls": bounded})


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, seconds_left: SecondsLeft, **options: Any) -> None:
        super().__init__(_Source(sock, seconds_left), *args, **options)  # type: ignore[arg-type]


class _Source:
    """What a response takes for a socket: it only asks for a file."""

    def __init__(self, sock: socket.socket, seconds_left: SecondsLeft) -> None:
        self._sock, self._seconds_left = sock, seconds_left

    def makefile(self, _mode: str) -> io.BufferedReader[Any]:
        return io.BufferedReader(_BoundedReader(self._sock, self._seconds_left), _BUFFER)


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
