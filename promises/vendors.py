"""Shows that a pull ends, whatever the vendor does. One line per mode: what the vendor did, what came out, seconds, requests.

    python promises/vendors.py            every mode, with short limits: about a minute
    python promises/vendors.py trailers   those whose name holds the word

Each mode is a server on loopback that misbehaves in that very way, and a pull of a real source against it. The limits are those
of `mttr.toml`, set to fractions of a second. `tests/test_hostile_vendors.py` runs the same modes.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import socket
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from mttr_pipeline.config.settings import settings_of
from mttr_pipeline.errors import MttrError
from mttr_pipeline.landing.store import Landing, new_run_id
from mttr_pipeline.sources.pulling import build_source, pull
from mttr_pipeline.sources.registry import registry

NOW = datetime(2025, 10, 1, 6, tzinfo=UTC)
GAP = 0.03  # seconds between two bytes: far below the time limit of a response, so that no single read times out
Answer = Callable[[socket.socket, str], object]


class Hostile:
    """A server that does with each request what `answer(connection, target)` does. `asked` are the targets so far."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[str] = []
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=self._listening.accept()[:1], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ValueError):
            while head := _head(connection):
                self.asked.append(head.split()[1])
                self._answer(connection, self.asked[-1])


def _head(connection: socket.socket) -> str:
    """The request line and headers, after the body was read too; empty at the end."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = connection.recv(65536)
        if not piece:
            return ""
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    while length and len(body) < int(length[1]):
        body += connection.recv(65536)
    return head.decode("latin-1")


def send(connection: socket.socket, content: Any, status: str = "200 OK", **headers: Any) -> None:
    """A whole response."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)


def drip(start: bytes, byte: bytes = b"x") -> Answer:
    """`start` at once, then the same byte for ever, one at a time."""

    def answer(connection: socket.socket, _target: str) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(byte)
            time.sleep(GAP)

    return answer


def flood(encoding: str, pack: Callable[[bytes], bytes]) -> Answer:
    """Spaces for ever, which are JSON as long as nobody looks for the end; packed or not."""
    content = pack(b"{" + b" " * (140 << 20)) if encoding else b""

    def answer(connection: socket.socket, _target: str) -> None:
        if encoding:
            send(connection, content, Content_Encoding=encoding)
            return
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")
        while True:
            connection.sendall(b" " * (1 << 20))

    return answer


def throttle(**headers: Any) -> Answer:
    """Every request is one too many."""
    return lambda connection, _target: send(connection, {}, "429 Too Many Requests", **headers)


def incidents(more: Callable[[int, str], dict[str, Any]]) -> Answer:
    """A PagerDuty account without services and the like; `more(offset, target)` is a page of its incidents and log entries."""

    def answer(connection: socket.socket, target: str) -> None:
        path = target.partition("?")[0].strip("/")
        if path in ("incidents", "log_entries"):
            offset = int((re.search(r"\boffset=(\d+)", target) or [0, 0])[1])
            send(connection, {**more(offset, target), path: more(offset, target)["rows"]})
        else:
            send(connection, {path: [], "more": False})

    return answer


def numbered(first: int, n: int = 100) -> list[dict[str, Any]]:
    """Incidents with these numbers."""
    return [{"id": f"Q{number}", "created_at": "2025-09-01T00:00:00Z"} for number in range(first, first + n)]


def slowly(connection: socket.socket, target: str) -> None:
    """Every response is whole and comes within the limit of a response; there is no end of them."""
    time.sleep(0.15)
    incidents(lambda offset, _: {"rows": numbered(offset), "more": True})(connection, target)


def tokens() -> Answer:
    """A Jira site whose page tokens are always new and whose pages are always the first."""
    numbers = count()

    def answer(connection: socket.socket, target: str) -> None:
        path = target.partition("?")[0]
        if path.endswith("/search/jql"):
            issues = [{"id": str(n), "fields": {"created": "2025-09-01T00:00:00.000+0000"}} for n in range(100)]
            send(connection, {"issues": issues, "nextPageToken": f"t{next(numbers)}"})
        elif path.endswith("/myself"):
            send(connection, {"displayName": "A reader"})
        elif path.endswith("/approximate-count"):
            send(connection, {"count": 100})
        else:
            send(connection, [])

    return answer


@dataclass(frozen=True)
class Mode:
    """What a vendor does, and what a pull must then say, as a pattern. `options` are those of the source's section."""

    answer: Callable[[], Answer]
    told: str
    source: str = "pagerduty"
    options: dict[str, Any] = field(default_factory=dict)
    most_requests: int = 40
    scheme: str = "http"


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
NO_ANSWER = r"did not answer /\w+ after \d tr(y|ies) \(no complete response within 0.3 s\)"
TOO_LARGE = r"answered /\w+ with more than 128 MB \(decompressed\)"
LAST_YEAR = format_datetime(datetime.now(UTC) - timedelta(days=365), usegmt=True)
THROTTLED = r"did not answer /\w+ after \d tr(y|ies) \(status 429"
PATIENT = {"max_wait_minutes": 0.02}
ONE = {"timeout_seconds": 30, "connections": 1}
MODES = {
    "one byte now and then in the status line": Mode(lambda: drip(b"HTTP/1.1 200 "), NO_ANSWER),
    "one byte now and then in a header": Mode(lambda: drip(OK + b"X-Slow: "), NO_ANSWER),
    "one header now and then": Mode(lambda: drip(OK, b"X: y\r\n"), NO_ANSWER + "|cut off|connection broke"),
    "100 Continue for ever": Mode(lambda: drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), NO_ANSWER),
    "one byte now and then in the length of a chunk": Mode(lambda: drip(CHUNKED + b"1;"), NO_ANSWER),
    "one chunk now and then": Mode(lambda: drip(CHUNKED, b"1\r\n \r\n"), NO_ANSWER),
    "one byte now and then in the body": Mode(lambda: drip(OK + b"Content-Length: 9000\r\n\r\n", b" "), NO_ANSWER),
    "one byte now and then in the trailers": Mode(lambda: drip(CHUNKED + b"2\r\n{}\r\n0\r\nX-Slow: "), NO_ANSWER),
    "one trailer now and then": Mode(lambda: drip(CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n"), NO_ANSWER),
    "nothing at all": Mode(lambda: lambda _connection, _target: time.sleep(60), NO_ANSWER),
    "a TLS handshake that does not end": Mode(
        lambda: lambda _connection, _target: None, "cannot be reached|did not answer", scheme="https"
    ),
    "a body without an end": Mode(lambda: flood("", bytes), TOO_LARGE, options=ONE),
    "140 MB as 600 KB of gzip": Mode(
        lambda: flood("gzip", lambda text: gzip.compress(text, 1)), TOO_LARGE, options=ONE
    ),
    "140 MB as 600 KB of deflate": Mode(
        lambda: flood("deflate", lambda text: zlib.compress(text, 1)), TOO_LARGE, options=ONE
    ),
    "140 MB as 3 KB of gzip in gzip": Mode(
        lambda: flood("gzip, gzip", lambda text: gzip.compress(gzip.compress(text, 1), 1)),
        TOO_LARGE,
        options=ONE,
    ),
    "pages without an end": Mode(
        lambda: slowly,
        r"the 0.6 seconds that a pull may take were over .* max_hours in \[sources.pagerduty\]",
        options={"max_hours": 0.6 / 3600, "timeout_seconds": 5},
    ),
    "the first page for ever": Mode(
        lambda: incidents(lambda offset, _: {"rows": numbered(0), "more": True}), "pages in a row bring the records"
    ),
    "new pages above its own count": Mode(
        lambda: incidents(lambda offset, _: {"rows": numbered(offset), "more": True, "total": 120}),
        "700 records where the vendor counts 120",
        most_requests=70,  # eight connections, seven pages each, and the lists before
    ),
    "windows that are not looked at": Mode(
        lambda: incidents(
            lambda offset, target: {"rows": numbered(offset) if "since" in target else [], "more": True, "total": 2_900}
        ),
        "some parts of a window have",
        most_requests=150,
    ),
    "new page tokens for ever": Mode(tokens, "pages in a row bring the records", source="jira"),
    "429, Retry-After: 0": Mode(lambda: throttle(Retry_After=0), THROTTLED, options=PATIENT),
    "429, Retry-After: -5": Mode(lambda: throttle(Retry_After=-5), THROTTLED, options=PATIENT),
    "429, Retry-After in the past": Mode(lambda: throttle(Retry_After=LAST_YEAR), THROTTLED, options=PATIENT),
    "429, Retry-After in a thousand years": Mode(lambda: throttle(Retry_After=10**11), THROTTLED, options=PATIENT),
    "429, Retry-After: soon": Mode(lambda: throttle(Retry_After="soon"), THROTTLED, options=PATIENT),
    "429, ratelimit-reset: 0": Mode(
        lambda: throttle(ratelimit_remaining=0, ratelimit_reset=0), THROTTLED, options=PATIENT
    ),
    "503, Retry-After: 0": Mode(
        lambda: lambda connection, _: send(connection, {}, "503 Busy", Retry_After=0),
        r"did not answer /\w+ after \d+ tries \(status 503",
        options=PATIENT,
    ),
}


@dataclass(frozen=True)
class Outcome:
    """What came out of a pull: the sentence of its failure, or how many records it landed."""

    sentence: str
    seconds: float
    requests: int


def run(mode: Mode, folder: Path) -> Outcome:
    """One pull against a vendor of this mode. The landing zone is in `folder`."""
    server = Hostile(mode.answer())
    address = f"{mode.scheme}://127.0.0.1:{server.port}"
    env = {"PAGERDUTY_TOKEN": "x", "PAGERDUTY_API_URL": address}
    if mode.source == "jira":
        env = {"JIRA_URL": address, "JIRA_EMAIL": "a@example.com", "JIRA_API_TOKEN": "x", "JIRA_JQL": "type = Incident"}
    options = {"timeout_seconds": 0.3 if mode.told == NO_ANSWER else 5, "max_wait_minutes": 0.001, **mode.options}
    settings = settings_of({"sources": {mode.source: options}}, registry().sources, env, data_dir=folder)
    source = build_source(mode.source, settings)
    began = time.monotonic()
    try:
        manifest = pull(source, settings, Landing(folder / "landing"), new_run_id(), as_of=NOW)
        sentence = f"complete: {manifest.records} records"
    except MttrError as error:
        sentence = str(error)
    finally:
        seconds = time.monotonic() - began
        source.close()
        server.close()
    return Outcome(sentence, seconds, len(server.asked))


def chosen(words: list[str]) -> Iterator[tuple[str, Mode]]:
    """The modes whose name holds one of the words; all without any."""
    for name, mode in MODES.items():
        if not words or any(word in name for word in words):
            yield name, mode


def main() -> int:
    """Run the modes one after the other; 1 when one came out otherwise than promised."""
    broken = 0
    for name, mode in chosen(sys.argv[1:]):
        with tempfile.TemporaryDirectory() as folder:
            got = run(mode, Path(folder))
        kept = bool(re.search(mode.told, got.sentence)) and got.requests <= mode.most_requests
        broken += not kept
        print(
            f"{'kept  ' if kept else 'BROKEN'} {got.seconds:5.1f} s {got.requests:4} requests | {name} | {got.sentence}",
            flush=True,
        )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
