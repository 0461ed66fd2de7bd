"""The HTTP client of every source: limits the rate, retries, bounds every wait, and explains failures.

Built on `requests` without its implicit behaviour (netrc, redirects, urllib3's retries). What belongs here: sending and retrying.
What does not: proxies and certificates (`route`), the wording of failures (`failures`), paging, windows, the meaning of a body
beyond "complete JSON".
"""

from __future__ import annotations

import random
import re
import socket
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
import urllib3.exceptions

from mttr_pipeline import interrupts
from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.sources.kit.deadline import Deadline
from mttr_pipeline.sources.kit.envelope import InvalidBody, whole_object
from mttr_pipeline.sources.kit.failures import Failures, HttpRefused, Refusal
from mttr_pipeline.sources.kit.query import Params, query_string
from mttr_pipeline.sources.kit.ratelimit import RateLimiter, retry_after
from mttr_pipeline.sources.kit.route import route
from mttr_pipeline.sources.kit.wire import BoundedAdapter, client_certificate_alert, tunnel_status

T = TypeVar("T")
#: Makes something of the body and the headers of a response.
Parse = Callable[[bytes, Mapping[str, str]], T]

RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
CONNECT_SECONDS = 10.0
MAX_BODY_TRIES = 3  # for a status 200 without JSON: the page of a proxy or a login does not go away
MAX_CONNECT_TRIES = 4  # for a host that never answered: report a wrong address soon
MIN_BACKOFF, MAX_BACKOFF = 0.5, 60.0  # seconds; exponential backoff with full jitter between these
#: Bytes of one decompressed response. A page of a hundred records of half a megabyte, the largest that vendors take in, has 50 MB;
#: what eight connections read at a time must fit into memory.
MAX_BODY_BYTES = 128 << 20
_CHUNK = 1 << 20  # most bytes of a body per read
_USER_AGENT = "mttr-pipeline (incident metrics; read only)"

# Paths that can be appended to an address unchanged. `requests` normalises the others: dots, percent signs, fragments.
_PLAIN_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+)*/?", re.ASCII)


class _Retry(Exception):
    """One try failed in a way that may pass. `wait` is what the vendor asks for, in seconds."""

    def __init__(
        self,
        reason: str,
        status: int | None = None,
        wait: float | None = None,
        kind: Literal["response", "body", "connect", "proxy"] = "response",
        remedy: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.remedy = remedy
        self.status = status
        self.wait = wait
        # body: a successful response that is not the expected JSON; connect, proxy: no connection at all, to the host or the proxy
        self.kind = kind


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
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.title = title
        self.host = urlsplit(base_url).netloc
        self.requests = 0  # sent so far, retries included
        self.retries = 0
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
        self._limiter = RateLimiter(options.requests_per_minute, clock, self._pause)
        self._connections = threading.BoundedSemaphore(options.connections)
        self._lock = threading.Lock()
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
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
        return self._request("GET", path, params, None, lambda body, headers: parse(body))

    def get_page(self, path: str, params: Params | None = None, *, parse: Parse[T]) -> T:
        """Like `get`, for a vendor that says in the headers of a response (names in any case) how a listing goes on."""
        return self._request("GET", path, params, None, parse)

    def post(self, path: str, body: Any, *, parse: Callable[[bytes], T]) -> T:
        """POST a JSON body to a search endpoint. The request is retried, so it must change nothing. Otherwise like `get`."""
        return self._request("POST", path, None, msgspec.json.encode(body), lambda body, headers: parse(body))

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
            _hang_up(one)

    def close(self) -> None:
        """Stop and close all connections."""
        self.stop()
        with self._lock:
            sessions, self._sessions = self._sessions, []
        for session in sessions:  # without the lock: a thread that reads keeps its session from being closed
            session.close()

    def _request(self, method: str, path: str, params: Params | None, body: bytes | None, parse: Parse[T]) -> T:
        give_up_at = self._clock() + self._options.max_wait_minutes * 60
        self._local.path = path
        tries = bad_bodies = 0
        while True:
            self._go_on()
            tries += 1
            try:
                return self._try(method, path, params, body, parse)
            except _Retry as retry:
                self._go_on()
                bad_bodies += retry.kind == "body"
                wait = retry.wait if retry.wait is not None else self._backoff(tries)
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

    def _try(self, method: str, path: str, params: Params | None, body: bytes | None, parse: Parse[T]) -> T:
        """Send the request once. Raises _Retry when another try makes sense."""
        with self._connections:
            self._limiter.acquire()
            with self._lock:
                self.requests += 1
            sent = self._clock()
            try:
                status, headers, content = self._exchange(method, path, params, body)
            finally:
                self._limiter.release()
        self._answered = True
        self._limiter.observe(headers)
        if status in RETRY_STATUSES:
            wait = retry_after(headers, throttled=status == 429)
            if status == 429:
                wait = self._limiter.throttled(sent, wait)  # one limit for all threads
            raise _Retry(self._failures.reason(content) or "no reason given", status, wait)
        self._limiter.accepted()
        if not 200 <= status < 300:
            raise self._failures.refused(path, status, headers, content)
        try:
            return parse(content, headers)
        except InvalidBody as error:
            reason, remedy = self._failures.bad_body(status, headers, content, error)
            raise _Retry(reason, status, kind="body", remedy=remedy) from error

    def _exchange(
        self, method: str, path: str, params: Params | None, body: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        seconds = self._options.timeout_seconds
        self._local.give_up_at = self._clock() + seconds
        left = max(0.001, self._seconds_left())
        try:
            with self._send(method, path, params, body, (min(CONNECT_SECONDS, left), left)) as response:
                return response.status_code, response.headers, self._body(response, path)
        except (requests.exceptions.SSLError, urllib3.exceptions.SSLError) as error:
            if alert := client_certificate_alert(error, shown=self.route.certificate is not None):
                raise self._failures.client_certificate(alert) from error
            if "certificate" in str(error).lower():
                raise self._failures.untrusted_certificate() from error
            raise _Retry("the TLS connection failed") from error
        except requests.exceptions.ProxyError as error:
            if status := tunnel_status(error):
                if status in RETRY_STATUSES:
                    raise _Retry(f"the proxy {self.route.shown} could not reach it", status, kind="connect") from error
                raise self._failures.proxy_refused(status, "") from error
            raise _Retry(_connection_reason(error)[0], kind="proxy") from error
        except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError) as error:
            connecting = isinstance(error, requests.exceptions.ConnectTimeout)
            raise _Retry(
                "the connection timed out" if connecting else f"no complete response within {seconds:g} s",
                kind="connect" if connecting else "response",
            ) from error
        except (requests.exceptions.ConnectionError, urllib3.exceptions.NewConnectionError) as error:
            reason, connected = _connection_reason(error)
            raise _Retry(reason, kind="response" if connected else "connect") from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _Retry(f"the response was cut off ({type(error).__name__})") from error

    def _body(self, response: requests.Response, path: str) -> bytes:
        """The whole body, decompressed. No part of it is asked for beyond the limits of time and size."""
        chunks, size = [], 0
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise self._failures.too_large(path, MAX_BODY_BYTES)
            if self._seconds_left() <= 0:
                raise _Retry(f"no complete response within {self._options.timeout_seconds:g} s")
        return b"".join(chunks)

    def _seconds_left(self) -> float:
        """What is left for the response under way in this thread."""
        left: float = self._local.give_up_at - self._clock()
        return left if self._deadline is None else min(left, self._deadline.seconds_left())

    def _send(
        self, method: str, path: str, params: Params | None, body: bytes | None, timeout: tuple[float, float]
    ) -> requests.Response:
        """Like `Session.request`, but a plain GET is prepared once: preparing it takes as long as sending it."""
        session = self._session()
        if body is not None or not _PLAIN_PATH.fullmatch(path) or len(session.cookies):
            return session.request(
                method,
                self.base_url + path,
                params=params,
                data=body,
                headers={"Content-Type": "application/json"} if body is not None else None,
                timeout=timeout,
                allow_redirects=False,
                stream=True,
            )
        prepared: requests.PreparedRequest | None = getattr(self._local, "prepared", None)
        if prepared is None:
            prepared = self._local.prepared = session.prepare_request(requests.Request("GET", self.base_url))
        request = prepared.copy()
        query = query_string(params) if params else ""
        address = requests.utils.requote_uri(f"{(prepared.url or '').rstrip('/')}{path}")
        request.url = f"{address}?{query}" if query else address
        return session.send(request, timeout=timeout, allow_redirects=False, stream=True)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False  # no netrc; proxies and certificates of the environment are part of the route
            session.proxies = {scheme: self.route.proxy for scheme in ("http", "https") if self.route.proxy}
            session.verify = str(self.route.ca) if self.route.ca else True
            if self.route.certificate:
                session.cert = (str(self.route.certificate[0]), str(self.route.certificate[1]))
            session.headers.update(self._headers)
            session.auth = self._auth
            adapter = BoundedAdapter(self._seconds_left, self._opened)
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            self._local.session = session
            with self._lock:
                self._sessions.append(session)
        return session

    def _opened(self, connected: socket.socket) -> None:
        with self._lock:
            self._sockets.add(connected)
        if self._hung_up.is_set():
            _hang_up(connected)

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


def _hang_up(connected: Any) -> None:
    """End a connection, and wake the thread that reads from it."""
    while not isinstance(connected, socket.socket):  # TLS inside the TLS of a proxy
        connected = connected.socket
    with suppress(OSError):  # closed already
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def _connection_reason(error: BaseException) -> tuple[str, bool]:
    """A short reason, and whether there was a connection (one that broke)."""
    text = str(error)
    if "NameResolutionError" in text or "getaddrinfo" in text or "Name or service" in text:
        return "the host name is unknown", False
    if "refused" in text.lower():
        return "connection refused", False
    if "unreachable" in text.lower() or "NewConnectionError" in text:
        return "no route to the host", False
    return "the connection broke", True
