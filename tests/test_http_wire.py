"""A plain GET is prepared once and from then on only gets another address. What goes over the wire must nevertheless be, byte
for byte, what `requests` sends by itself: a vendor that reads one escaped character differently answers another question.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.sources.kit.http import HttpClient

PREFIXES = ("", "/prefix", "/\u00fc b%2f/")
LOGINS: dict[str, dict[str, Any]] = {
    "token": {"headers": {"Authorization": "Token token=s3cr3t/with+odd=chars", "X-Early-Access": "yes"}},
    "basic": {"auth": ("somebody", "p\u00e4ss:w\u00f6rd %41")},
    "none": {},
}
PATHS = (
    *("/incidents", "", "/", "/v2/alerts/8418d193-2dab-4490-b331-8c02cdd196b7", "/with/slash/", "//twice"),
    *(
        "/alerts/a%2Fb",
        "/alerts/a%2fb%7E",
        "/a b/\u00fc",
        "/a/../b",
        "/a/./b",
        "/..",
        "/.hidden",
        "/a..b",
        "/%",
        "/%zz",
    ),
    *("/a#mark", "/a?b=1", "/a;b,c:@!$&'()*+=", '/[x]|\\^`{}"<>'),
)
QUERIES: tuple[Any, ...] = (
    *(None, {}, [], {"none": []}, {"empty": ""}, {"": "no name"}),
    *({"limit": 100, "half": 0.5, "yes": True}, [("limit", 100), ("include[]", "a b"), ("include[]", "\u00e4&c")]),
    *({"fields": ["key", "status", "\u00fc +"]}, {"fields": ("one",)}, (("x", 1), ("x", 2))),
    {"jql": 'project = "A B" AND created >= "2026-10-01 00:00" AND text ~ "50% + 1"'},
    {"query": "a+b c~d*e/f?g&h=i%20%#;:@!$'(),|\\^`{}<>-._"},
    {"\u00e4[]": "\N{PILE OF POO}\u202e\u00a0", "lines": "a\nb\r\n\x00", "bytes": b"\xff\xfe"},
    *({"left out": None}, {"left out": None, "kept": 1}, [("left out", None), ("kept", ["a", None])]),
)


class Wire:
    """Answers every request with {} and keeps what was sent, as it was sent."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listening.accept()[0]
            except OSError:  # closed
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        waiting = b""
        with connection:
            while piece := connection.recv(65536):
                waiting += piece
                while b"\r\n\r\n" in waiting:
                    head, _, waiting = waiting.partition(b"\r\n\r\n")
                    self.heads.append(head)
                    connection.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
                    )

    def close(self) -> None:
        self._listening.close()


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    running = Wire()
    yield running
    running.close()


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_bytes_are_those_of_requests(wire: Wire, prefix: str, login: str) -> None:
    """Every path with a query, and every query: request line, headers and their order, credentials."""
    ours = HttpClient(wire.url + prefix, "Acme", SourceOptions(), **LOGINS[login])
    theirs = requests.Session()
    theirs.trust_env = False
    theirs.headers.update(ours._headers)
    theirs.auth = LOGINS[login].get("auth")
    try:
        for path, params in [(path, {"limit": 1}) for path in PATHS] + [("/search", query) for query in QUERIES]:
            wire.heads.clear()
            ours.get(path, params, parse=bytes)
            theirs.get((wire.url + prefix).rstrip("/") + path, params=params)
            mine, expected = wire.heads
            assert mine == expected, (path, params)
            assert mine.startswith(b"GET /") and (login == "none") == (b"Authorization: " not in mine)
    finally:
        ours.close()
        theirs.close()


def test_one_request_leaves_nothing_behind_in_the_next(wire: Wire) -> None:
    """The request that is prepared once is copied, never changed."""
    ours = HttpClient(wire.url, "Acme", SourceOptions())
    wire.heads.clear()
    for path, params in (("/a", {"x": 1}), ("/b", None), ("/c?y=2", None), ("/a", {"x": 1}), ("/b", None)):
        ours.get(path, params, parse=bytes)
    ours.close()
    lines = [head.split(b" ")[1] for head in wire.heads]
    assert lines == [b"/a?x=1", b"/b", b"/c?y=2", b"/a?x=1", b"/b"]
    assert len({head.split(b"\r\n", 1)[1] for head in wire.heads}) == 1
