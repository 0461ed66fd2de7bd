"""HTTP servers for tests, on loopback. What a client breaks off is no trouble of theirs."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class QuietHandler(BaseHTTPRequestHandler):
    """Keeps connections, and writes no log."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass


class QuietServer(ThreadingHTTPServer):
    """A thread per connection, which ends with the test."""

    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        pass

    @property
    def port(self) -> int:
        return int(self.server_address[1])
