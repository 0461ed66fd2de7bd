"""A plain GET is prepared once and from then on only gets another address. What goes over the wire must nevertheless be, byte
for byte, what `requests` sends by itself: a vendor that reads one escaped character differently answers another question.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
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
                    if length := re.search(rb"(?i)\r\ncontent-length: (\d+)", head):
                        while len(waiting) < int(length[1]):
                            waiting += connection.recv(65536)
                        head += b"\r\n\r\n" + waiting[: int(length[1])]
                        waiting = waiting[int(length[1]) :]
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


@pytest.mark.parametrize("login", LOGINS)
def test_a_search_is_that_of_requests(wire: Wire, login: str) -> None:
    """A POST, whose body each request has anew, and the plain GET after it, which has no trace of it."""
    ours = HttpClient(wire.url, "Acme", SourceOptions(), **LOGINS[login])
    theirs = requests.Session()
    theirs.trust_env = False
    theirs.headers.update(ours._headers)
    theirs.auth = LOGINS[login].get("auth")
    try:
        wire.heads.clear()
        for path in ("/search", "/a/../search?x=1"):
            ours.post(path, {"jql": "text ~ \u00fc"}, parse=bytes)
            body, headers = b'{"jql":"text ~ \xc3\xbc"}', {"Content-Type": "application/json"}
            theirs.post(wire.url + path, body, headers=headers)
        ours.get("/search", parse=bytes)
        theirs.get(wire.url + "/search")
        assert wire.heads[::2] == wire.heads[1::2] and len(wire.heads) == 6
        assert wire.heads[0].endswith(b'\r\n\r\n{"jql":"text ~ \xc3\xbc"}')
    finally:
        ours.close()
        theirs.close()


@pytest.mark.parametrize("login", LOGINS)
def test_what_a_proxy_gets_is_that_of_requests(wire: Wire, login: str) -> None:
    """A proxy is told the whole address of a host that is asked by plain HTTP, and our name and password for it."""
    proxy = wire.url.replace("http://", "http://some%40one:s%3Acret@")
    base = "http://vendor.example.com:8080/\u00fc"
    ours = HttpClient(base, "Acme", SourceOptions(proxy=wire.url), **LOGINS[login])
    with_name = HttpClient(base, "Acme", SourceOptions(), **LOGINS[login])
    with_name.route = replace(with_name.route, proxy=proxy)
    try:
        for client, way in ((ours, wire.url), (with_name, proxy)):
            theirs = requests.Session()
            theirs.trust_env = False
            theirs.headers.update(client._headers)
            theirs.auth = LOGINS[login].get("auth")
            for path, params in [(path, {"limit": 1}) for path in PATHS] + [("", None), ("/x", None)]:
                wire.heads.clear()
                client.get(path, params, parse=bytes)
                theirs.get(base + path, params=params, proxies={"http": way})
                assert wire.heads[0] == wire.heads[1], (path, params)
                assert wire.heads[0].startswith(b"GET http://vendor.example.com:8080/")
                assert (b"Proxy-Authorization: " in wire.heads[0]) == (way == proxy)
            theirs.close()
    finally:
        ours.close()
        with_name.close()


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


@pytest.mark.parametrize(
    "address",
    [
        *(
            "http://vendor.example.com",
            "http://Vendor.Example.com:80/v2",
            "https://vendor.example.com:443",
            "http://10.0.0.1:81",
        ),
        *("https://vendor.example.com:8443", "http://localhost:5000", "http://vendor.example.com."),
    ],
)
def test_the_host_is_named_as_urllib3_names_it(address: str) -> None:
    """On a connection that is open, its name is ours to write: the usual port is left out, and capitals are small."""
    client = HttpClient(address, "Acme", SourceOptions())
    ours = client._connection()
    theirs = ours._pool._new_conn()
    theirs.putrequest("GET", "/")
    named = re.search(rb"\r\n(Host: [^\r]+)\r\n", b"\r\n".join([*theirs._buffer, b""]))
    assert named is not None and ours._after_target is not None
    assert ours._after_target.startswith(b" HTTP/1.1\r\n" + named[1] + b"\r\n")
    client.close()


@pytest.mark.parametrize("address", ["http://[::1]:8080", "http://vendor.example.com"])
def test_what_is_uncommon_is_left_to_urllib3(address: str) -> None:
    """An address in numbers with colons, and a proxy, which is told more."""
    client = HttpClient(address, "Acme", SourceOptions(proxy=None if ":" in address[7:] else "http://127.0.0.1:9"))
    assert client._connection()._after_target is None
    client.close()
