"""The HTTP client of every source: limits the rate, retries, bounds every wait, and explains failures.

Without implicit behaviour of a library (netrc, redirects, retries). What belongs here: trying and retrying. What does not: what is
sent (`connection`), proxies and certificates (`route`), the wording of failures (`failures`), paging, windows, the meaning of a body
beyond "complete JSON".
"""

from __future__ import annotations

import random
import socket
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urljoin, urlsplit

import msgspec
import urllib3

from mttr_pipeline import interrupts
from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.sources.kit.connection import PLAIN_PATH, Connection
from mttr_pipeline.sources.kit.deadline import Deadline
from mttr_pipeline.sources.kit.envelope import InvalidBody, whole_object
from mttr_pipeline.sources.kit.failures import Failures, HttpRefused, Refusal
from mttr_pipeline.sources.kit.outcomes import Answer, Asked, Moved, Retry
from mttr_pipeline.sources.kit.query import Params
from mttr_pipeline.sources.kit.ratelimit import RateLimiter, Throttling, retry_after
from mttr_pipeline.sources.kit.route import route
from mttr_pipeline.sources.kit.wire import client_certificate_alert, connection_reason, hang_up, tunnel_status

T = TypeVar("T")

RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
CONNECT_SECONDS = 10.0
MAX_BODY_TRIES = 3  # for a status 200 without JSON: the page of a proxy or a login does not go away
REDIRECTS, MAX_REDIRECTS = (
    frozenset({301, 302, 307, 308}),
    3,
)  # followed only within the vendor's own address, and only so far
MAX_CONNECT_TRIES = 4  # for a host that never answered: report a wrong address soon
MIN_BACKOFF, MAX_BACKOFF = 0.5, 60.0  # seconds; exponential backoff with full jitter between these
#: Bytes of one decompressed response. A page of a hundred records of half a megabyte, the largest that vendors take in, has 50 MB;
#: what eight connections read at a time must fit into memory.
MAX_BODY_BYTES = 128 << 20
_CHUNK = 1 << 20  # most bytes of a body per read
_USER_AGENT = "mttr-pipeline (incident metrics; read only)"


class HttpClient:
    """Requests to one vendor; safe to use from many threads. Close it when done.

    base_url          scheme, host and an optional path prefix; every path is appended to it, no other host is asked
    title             the source's name in messages (see `instance_title`)
    options           requests a minute, connections, timeout and longest wait
    headers, auth     headers of every request; user name and password for Basic authentication
    secrets           texts that are removed from every message
    address_variable  the environment variable with the address, for messages
    remedies          HTTP status -> what the user can do
    remedy_for        asked before `remedies`, for a refusal of which the status alone does not say enough
    throttling        how this vendor slows down who asks too often
    redirects         whether a redirect to another path of the same address is followed
    clock, sleep, jitter  monotonic seconds, a wait in seconds, a random number from 0 to 1; tests replace them

    A response has one deadline for all of it, `timeout_seconds` after the request; `limit` adds one for all requests together.
    """

    def __init__(
        self,
        base_url: str,
        title: str,
        options: SourceOptions,
        *,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        secrets: Sequence[str] = (),
        address_variable: str = "its address",
        remedies: Mapping[int, str] | None = None,
        remedy_for: Callable[[Refusal], str | None] | None = None,
        throttling: Throttling | None = None,
        redirects: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.title = title
        self.host = urlsplit(base_url).netloc
        self.requests = 0  # sent so far, retries included
        self.retries = 0
        self.cpu_seconds = 0.0  # of the threads that ask, up to the last request of each
        self._options = options
        self._headers = {"Accept": "application/json", "User-Agent": _USER_AGENT, **(headers or {})}
        self._auth = auth
        self.route = route(self.base_url, title, options)
        self._failures = Failures(
            title,
            self.host,
            secrets=secrets,
            address_variable=address_variable,
            remedies=remedies,
            remedy_for=remedy_for,
            route=self.route,
        )
        self._clock = clock
        self._jitter = jitter
        self._stop = threading.Event()
        self._sleep = sleep or self._stop.wait  # `stop` ends the waits of all threads
        self._throttling = throttling or Throttling()
        self._redirects = redirects
        self._limiter = RateLimiter(options.requests_per_minute, clock, self._pause, self._throttling)
        self._connections = threading.BoundedSemaphore(options.connections)
        self._lock = threading.Lock()
        self._local = threading.local()
        self._open: list[Connection] = []
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._answered = False
        self._deadline: Deadline | None = None
        self._hung_up = threading.Event()
        interrupts.tell(self.hang_up)

    def get(self, path: str, params: Params | None = None, *, parse: Callable[[bytes], T]) -> T:
        """GET `path`; returns what `parse` makes of the body. `parse` raises InvalidBody for a body to ask for again.

        Raises HttpRefused for a redirect or a status that is not retried, HttpUnavailable when the retries are used up,
        Stopped after `stop`.
        """
        value: Any = self._request(Asked("GET", path, params), parse).value  # None only where `parse` returns it
        return value

    def fetch(
        self, path: str, params: Params | None = None, *, parse: Callable[[bytes], T], etag: str | None = None
    ) -> Answer[T]:
        """Like `get`, with the headers of the response. With `etag`, that of an earlier response, the vendor may answer that nothing
        changed since."""
        return self._request(Asked("GET", path, params, etag=etag), parse)

    def post(self, path: str, body: Any, *, parse: Callable[[bytes], T]) -> T:
        """POST a JSON body to a search endpoint. The request is retried, so it must change nothing. Otherwise like `get`."""
        value: Any = self._request(Asked("POST", path, body=msgspec.json.encode(body)), parse).value
        return value

    def exists(
        self, path: str, params: Params | None = None, *, parse: Callable[[bytes], object] = whole_object
    ) -> bool:
        """Whether GET `path` finds a record: False for status 404. Raises like `get` for everything else."""
        try:
            self.get(path, params, parse=parse)
        except HttpRefused as error:
            if error.status != 404:
                raise
            return False
        return True

    def sees(self, path: str) -> bool:
        """Whether this account sees what GET `path` gives: status 403 and 404 both say no. Raises like `get` for everything else."""
        try:
            return self.exists(path)
        except HttpRefused as error:
            if error.status != 403:
                raise
            return False

    def limit(self, deadline: Deadline | None) -> None:
        """Send no request and wait for no response after this; whatever is under way then raises OutOfTime."""
        self._deadline = deadline

    def stop(self) -> None:
        """Cancel all waits and further requests; they raise Stopped. Responses under way come to their end."""
        self._stop.set()

    def hang_up(self) -> None:
        """Like `stop`, and end the responses under way too: for a signal, which cannot wait for them."""
        self._hung_up.set()
        self.stop()
        with self._lock:
            sockets = list(self._sockets)
        for one in sockets:
            hang_up(one)

    def close(self) -> None:
        """Stop and close all connections."""
        self.stop()
        with self._lock:
            connections, self._open = self._open, []
        for one in connections:  # without the lock: a thread that reads keeps its connection from being closed
            one.close()

    def _request(self, asked: Asked, parse: Callable[[bytes], T]) -> Answer[T]:
        give_up_at = self._clock() + self._options.max_wait_minutes * 60
        path = self._local.path = asked.path
        tries = bad_bodies = moves = 0
        while True:
            self._go_on()
            tries += 1
            try:
                return self._try(asked, parse, moves < MAX_REDIRECTS)
            except Moved as moved:
                moves += 1
                asked = asked._replace(path=moved.path, params=parse_qsl(moved.query) if moved.query else asked.params)
                continue
            except Retry as retry:
                self._go_on()
                bad_bodies += retry.kind == "body"
                wait = retry.wait if retry.wait is not None else self._backoff(tries)
                give_up_at += retry.granted
                unreachable = retry.kind in ("connect", "proxy") and not self._answered
                if (
                    self._clock() + wait > give_up_at
                    or bad_bodies >= MAX_BODY_TRIES
                    or (unreachable and tries >= MAX_CONNECT_TRIES)
                ):
                    if retry.kind == "proxy":
                        raise self._failures.proxy_unreachable(str(retry)) from retry.__cause__
                    if unreachable:
                        raise self._failures.unreachable(str(retry)) from retry.__cause__
                    if retry.kind == "body":
                        raise self._failures.unusable(path, str(retry), retry.status, retry.remedy) from retry.__cause__
                    raise self._failures.no_answer(path, str(retry), retry.status, tries) from retry.__cause__
            with self._lock:
                self.retries += 1
            self._pause(wait)

    def _try(self, asked: Asked, parse: Callable[[bytes], T], follows: bool) -> Answer[T]:
        """Send the request once. Raises Retry when another try makes sense, and Moved where it has to go elsewhere."""
        with self._connections:
            self._limiter.acquire()
            worked = time.thread_time()
            with self._lock:
                self.requests += 1
                self.cpu_seconds += worked - getattr(self._local, "worked", 0.0)
            self._local.worked = worked
            sent = self._clock()
            try:
                status, headers, content = self._exchange(asked)
            finally:
                self._limiter.release()
        self._answered = True
        self._limiter.observe(headers)
        said = self._failures.reason(content) if status >= 400 else ""
        throttled = status >= 400 and self._throttling.refuses(status, headers, said)
        if throttled or status in RETRY_STATUSES:
            how = self._throttling
            wait = retry_after(headers, throttled=throttled, most=how.longest_reset, named=how.headers)
            granted = 0.0
            if throttled:
                granted = wait if wait and wait <= self._throttling.patience else 0.0
                wait = self._limiter.throttled(sent, wait)  # one limit for all threads
            raise Retry(said or "no reason given", status, wait, granted=granted)
        self._limiter.accepted()
        if status == 304 and asked.etag:
            return Answer(None, headers)
        if status in REDIRECTS and follows and (moved := self._moved(headers.get("location", ""))):
            raise moved
        if not 200 <= status < 300:
            raise self._failures.refused(asked.path, status, headers, content)
        try:
            return Answer(parse(content), headers)
        except InvalidBody as error:
            reason, remedy = self._failures.bad_body(status, headers, content, error)
            raise Retry(reason, status, kind="body", remedy=remedy) from error

    def _moved(self, location: str) -> Moved | None:
        """Where a redirect leads within the vendor's own address; None for everywhere else, which never gets the credentials."""
        target = urljoin(f"{self.base_url}/", location)
        if not location or not self._redirects or not target.startswith(f"{self.base_url}/"):
            return None
        path, _, query = target.removeprefix(self.base_url).partition("#")[0].partition("?")
        return Moved(path, query) if PLAIN_PATH.fullmatch(path) else None

    def _exchange(self, asked: Asked) -> tuple[int, Mapping[str, str], bytes]:
        seconds = self._options.timeout_seconds
        self._local.give_up_at = self._clock() + seconds
        left = max(0.001, self._seconds_left())
        response: urllib3.BaseHTTPResponse | None = None
        try:
            timeout = urllib3.Timeout(connect=min(CONNECT_SECONDS, left), read=left)
            response = self._connection().send(asked, timeout)
            return response.status, response.headers, self._body(response, asked.path)
        except urllib3.exceptions.SSLError as error:
            if alert := client_certificate_alert(error, shown=self.route.certificate is not None):
                raise self._failures.client_certificate(alert) from error
            if "certificate" in str(error).lower():
                raise self._failures.untrusted_certificate() from error
            raise Retry("the TLS connection failed") from error
        except urllib3.exceptions.ProxyError as error:
            if status := tunnel_status(error):
                if status in RETRY_STATUSES:
                    raise Retry(f"the proxy {self.route.shown} could not reach it", status, kind="connect") from error
                raise self._failures.proxy_refused(status, "") from error
            raise Retry(connection_reason(error)[0], kind="proxy") from error
        except urllib3.exceptions.NewConnectionError as error:
            raise Retry(connection_reason(error)[0], kind="connect") from error
        except urllib3.exceptions.TimeoutError as error:
            connecting = isinstance(error, urllib3.exceptions.ConnectTimeoutError)
            raise Retry(
                "the connection timed out" if connecting else f"no complete response within {seconds:g} s",
                kind="connect" if connecting else "response",
            ) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            if response is not None:
                raise Retry(f"the response was cut off ({type(error).__name__})") from error
            reason, connected = connection_reason(error)
            raise Retry(reason, kind="response" if connected else "connect") from error
        finally:
            if response is not None:  # without an effect on the connection of a response that was read to its end
                response.close()
                response.release_conn()

    def _body(self, response: urllib3.BaseHTTPResponse, path: str) -> bytes:
        """The whole body, decompressed. No part of it is asked for beyond the limits of time and size."""
        chunks, size = [], 0
        while chunk := response.read1(_CHUNK, decode_content=True):
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise self._failures.too_large(path, MAX_BODY_BYTES)
            if self._seconds_left() <= 0:
                raise Retry(f"no complete response within {self._options.timeout_seconds:g} s")
        return b"".join(chunks)

    def _seconds_left(self) -> float:
        """What is left for the response under way in this thread."""
        left: float = self._local.give_up_at - self._clock()
        return left if self._deadline is None else min(left, self._deadline.seconds_left())

    def _connection(self) -> Connection:
        """This thread's own."""
        found: Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = Connection(
                self.base_url, self.route, self._headers, self._auth, self._seconds_left, self._opened
            )
            with self._lock:
                self._open.append(found)
        return found

    def _opened(self, connected: socket.socket) -> None:
        with self._lock:
            self._sockets.add(connected)
        if self._hung_up.is_set():
            hang_up(connected)

    def _backoff(self, tries: int) -> float:
        return max(MIN_BACKOFF / 2, self._jitter() * min(MAX_BACKOFF, MIN_BACKOFF * 2 ** min(tries - 1, 20)))

    def _pause(self, seconds: float) -> None:
        self._go_on(seconds)
        if seconds > 0:
            self._sleep(seconds)
        self._go_on()

    def _go_on(self, seconds: float = 0) -> None:
        """Raises Stopped after `stop`, and OutOfTime when the time for all requests ends within this many seconds."""
        if self._stop.is_set():
            raise self._failures.stopped()
        if self._deadline is not None and self._deadline.seconds_left() <= seconds:
            raise self._deadline.passed(self.title, f"reading {self._local.path}")
