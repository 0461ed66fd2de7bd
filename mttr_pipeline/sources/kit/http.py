"""The one way a request leaves this program: bounded, throttled, retried, and explained when it fails.

Built on `requests` with everything that guesses switched off (environment proxies, netrc, redirects, urllib3's own
retries). What belongs here: transport, retries, turning a refusal into a sentence. What does not: paging, windows, the
meaning of a body beyond "complete JSON".
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
import requests
import requests.adapters
import urllib3.exceptions

from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.errors import PermanentError, TransientError
from mttr_pipeline.sources.kit.envelope import InvalidBody
from mttr_pipeline.sources.kit.explain import redact, vendor_message
from mttr_pipeline.sources.kit.ratelimit import RateGate, retry_after

T = TypeVar("T")

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
CONNECT_SECONDS = 10.0
BODY_TRIES = 3  # for an answer with status 200 that is no JSON: a proxy or login page does not go away
FIRST_TRIES = 4  # for a host that never answered: a wrong address should be told soon
BASE_SECONDS, CAP_SECONDS = 0.5, 60.0  # exponential backoff with full jitter between these
_PIECE = 1 << 20  # bytes of a body that are taken at once, if so many are there
_USER_AGENT = "mttr-pipeline (incident metrics; read only)"

# Paths that can be put behind an address as they are. In others requests mends dots, signs and marks; that is left to it.
_PLAIN_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+)*/?", re.ASCII)

Params = Mapping[str, Any] | Sequence[tuple[str, Any]]


class HttpRefused(PermanentError):
    """The vendor answered with a status that no retry mends. `status` is that of HTTP."""

    def __init__(self, message: str, status: int, said: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.said = said


class HttpUnavailable(TransientError):
    """The retries are used up. `status` is the last answer's, None when there was none."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Stopped(TransientError):
    """Another thread of the same source failed; this request was given up."""


class _Again(Exception):
    """One try failed in a way that may pass. `wait` is what the vendor asked for, in seconds."""

    def __init__(self, reason: str, status: int | None = None, wait: float | None = None, kind: str = "answer") -> None:
        super().__init__(reason)
        self.status = status
        self.wait = wait
        self.kind = kind  # answer, body (status 200 but no JSON), connect


class HttpClient:
    """Requests to one vendor, from many threads. Close it when done.

    `base_url` may carry a path prefix; every path is appended to it and no other host is ever asked. `secrets` are
    removed from every message. `scope` is what a token must be allowed; `remedies` says per status what the user can do;
    `address_from` names the variable with the address. `clock` (seconds, monotonic), `sleep` and `jitter` (0..1) can be
    replaced in tests.
    """

    def __init__(
        self,
        base_url: str,
        vendor: str,
        options: SourceOptions,
        *,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        secrets: Sequence[str] = (),
        remedies: Mapping[int, str] | None = None,
        address_from: str = "its address",
        scope: str = "",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.vendor = vendor
        self.host = urlsplit(base_url).netloc
        self.requests = 0
        self.retries = 0
        self._options = options
        self._headers = {"Accept": "application/json", "User-Agent": _USER_AGENT, **(headers or {})}
        self._auth = auth
        self._secrets = tuple(secrets)
        self._remedies = dict(remedies or {})
        self._address_from = address_from
        self._scope = scope
        self._clock = clock
        self._jitter = jitter
        self._stop = threading.Event()
        self._sleep = sleep or self._stop.wait  # a source that failed elsewhere does not sleep its retries out
        self.gate = RateGate(options.requests_per_minute, clock, self._pause)
        self._connections = threading.BoundedSemaphore(options.connections)
        self._lock = threading.Lock()
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._answered = False

    def get(self, path: str, params: Params | None = None, *, parse: Callable[[bytes], T]) -> T:
        """GET; `parse` turns the body into a value and raises InvalidBody when it is incomplete.

        Raises HttpRefused (not retried statuses, redirects) and HttpUnavailable (retries used up).
        """
        return self._request("GET", path, params, None, parse)

    def post(self, path: str, body: Any, *, parse: Callable[[bytes], T]) -> T:
        """POST of a JSON body to a read-only search endpoint, so it may be repeated. Otherwise like `get`."""
        return self._request("POST", path, None, msgspec.json.encode(body), parse)

    def stop(self) -> None:
        """Give up all waiting and further requests: the source has failed."""
        self._stop.set()

    def close(self) -> None:
        self.stop()
        with self._lock:
            for session in self._sessions:
                session.close()
            self._sessions.clear()

    def _request(
        self, method: str, path: str, params: Params | None, body: bytes | None, parse: Callable[[bytes], T]
    ) -> T:
        give_up_at = self._clock() + self._options.max_wait_minutes * 60
        tries = bad_bodies = 0
        while True:
            if self._stop.is_set():
                raise Stopped(f"{self.vendor}: stopped because another request failed.")
            tries += 1
            try:
                return self._once(method, path, params, body, parse)
            except _Again as again:
                bad_bodies += again.kind == "body"
                wait = again.wait if again.wait is not None else self._backoff(tries)
                hopeless = (
                    self._clock() + wait > give_up_at
                    or bad_bodies >= BODY_TRIES
                    or (again.kind == "connect" and not self._answered and tries >= FIRST_TRIES)
                )
                if hopeless:
                    raise self._unavailable(path, again, tries) from again.__cause__
            with self._lock:
                self.retries += 1
            self._pause(wait)

    def _once(
        self, method: str, path: str, params: Params | None, body: bytes | None, parse: Callable[[bytes], T]
    ) -> T:
        """One try. Raises _Again when another one makes sense."""
        with self._connections:
            self.gate.enter()
            with self._lock:
                self.requests += 1
            try:
                status, headers, content = self._exchange(method, path, params, body)
            finally:
                self.gate.leave()
        self._answered = True
        self.gate.observe(headers)
        if status in RETRIED:
            wait = retry_after(headers, throttled=status == 429)
            if status == 429:
                self.gate.close_for(wait if wait is not None else BASE_SECONDS)  # for all threads: one limit
            raise _Again(self._said(content) or "no reason given", status, wait)
        if not 200 <= status < 300:
            raise self._refused(path, status, headers, content)
        try:
            return parse(content)
        except InvalidBody as error:
            raise _Again(self._unusable(headers, content, error), status, kind="body") from error

    def _exchange(
        self, method: str, path: str, params: Params | None, body: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        timeout = (min(CONNECT_SECONDS, self._options.timeout_seconds), self._options.timeout_seconds)
        started = self._clock()
        try:
            with self._sent(method, path, params, body, timeout) as response:
                return response.status_code, response.headers, self._body(response, started + timeout[1])
        except (requests.exceptions.SSLError, urllib3.exceptions.SSLError) as error:
            if "certificate" in str(error).lower():
                raise HttpRefused(
                    f"{self.vendor}: the TLS certificate of {self.host} is not trusted; check {self._address_from} "
                    "and the certificates of this machine.",
                    0,
                ) from error
            raise _Again("the TLS connection broke") from error
        except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError) as error:
            connecting = isinstance(error, requests.exceptions.ConnectTimeout)
            raise _Again(
                "no connection in time" if connecting else f"no complete answer within {timeout[1]:g} s",
                kind="connect" if connecting else "answer",
            ) from error
        except (requests.exceptions.ConnectionError, urllib3.exceptions.NewConnectionError) as error:
            reason, refused = _connection_reason(error)
            raise _Again(reason, kind="connect" if refused else "answer") from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _Again(f"the answer broke off ({type(error).__name__})") from error

    def _body(self, response: requests.Response, give_up_at: float) -> bytes:
        """The whole body. The timeout of the socket starts anew with every byte: a server that drips outlasts it."""
        pieces = []
        while piece := response.raw.read1(_PIECE, decode_content=True):
            pieces.append(piece)
            if self._clock() > give_up_at:
                raise _Again(f"no complete answer within {self._options.timeout_seconds:g} s")
        return b"".join(pieces)

    def _sent(
        self, method: str, path: str, params: Params | None, body: bytes | None, timeout: tuple[float, float]
    ) -> requests.Response:
        """Like `Session.request`, which takes as long to prepare a plain GET as to send it: only its address is new."""
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
        query = urlencode(_pairs(params)) if params else ""
        address = requests.utils.requote_uri(f"{(prepared.url or '').rstrip('/')}{path}")
        request.url = f"{address}?{query}" if query else address
        return session.send(request, timeout=timeout, allow_redirects=False, stream=True)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False  # no proxies, netrc or CA bundles from the environment: same answer everywhere
            session.headers.update(self._headers)
            session.auth = self._auth
            adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=1, max_retries=0)
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            self._local.session = session
            with self._lock:
                self._sessions.append(session)
        return session

    def _backoff(self, tries: int) -> float:
        return self._jitter() * min(CAP_SECONDS, BASE_SECONDS * 2 ** min(tries - 1, 20))

    def _pause(self, seconds: float) -> None:
        if seconds > 0:
            self._sleep(seconds)
        if self._stop.is_set():
            raise Stopped(f"{self.vendor}: stopped because another request failed.")

    def _said(self, content: bytes) -> str:
        return redact(vendor_message(content), self._secrets)

    def _unusable(self, headers: Mapping[str, str], content: bytes, error: InvalidBody) -> str:
        kind = headers.get("content-type", "").split(";")[0].strip()
        if kind == "text/html" or content.lstrip()[:1] == b"<":
            return f"a web page instead of JSON ({self._said(content)[:120]!r}); a proxy or login page is in between"
        return f"no complete JSON of the documented shape ({redact(str(error), self._secrets)[:120]})"

    def _unavailable(self, path: str, again: _Again, tries: int) -> HttpUnavailable:
        where = f"{self.vendor}: {self.host}"
        if again.kind == "connect" and not self._answered:
            message = (
                f"{where} cannot be reached ({again}); check {self._address_from} and the network, then start again."
            )
        elif again.kind == "body":
            message = (
                f"{where} answered {path} with {again}; check {self._address_from} and what stands between, "
                "then start again."
            )
        else:
            status = f"status {again.status}: " if again.status else ""
            times = "1 try" if tries == 1 else f"{tries} tries"
            message = f"{where} did not answer {path} after {times} ({status}{again}); start again later."
        return HttpUnavailable(redact(message, self._secrets), again.status)

    def _refused(self, path: str, status: int, headers: Mapping[str, str], content: bytes) -> HttpRefused:
        if 300 <= status < 400:
            target = urlsplit(headers.get("location", ""))
            to = f"{target.scheme}://{target.hostname}{target.path}" if target.hostname else "another address"
            remedy = f"redirects are not followed; set {self._address_from} to the address that answers itself"
            said = f"it redirects to {to}"
        else:
            said = self._said(content)
            remedy = self._remedy(status, headers, said)
        message = f"{self.vendor}: {self.host} refused {path} with status {status}"
        message = redact(f"{message} ({said}); {remedy}." if said else f"{message}; {remedy}.", self._secrets)
        return HttpRefused(message, status, said)

    def _remedy(self, status: int, headers: Mapping[str, str], said: str) -> str:
        login = " ".join(headers.get(name, "") for name in ("x-seraph-loginreason", "x-authentication-denied-reason"))
        if "CAPTCHA" in login.upper() or "AUTHENTICATION_DENIED" in login.upper():
            return "the account is locked by a CAPTCHA: log in once in a browser, then start again"
        if "scope does not match" in said.lower():
            return f"the API token lacks a scope: create one with {self._scope or 'the read scopes of this product'}"
        if "CHANGE-2046" in said:
            return (
                "this site has removed the old search; JIRA_URL must be a Cloud site with JIRA_EMAIL and JIRA_API_TOKEN"
            )
        return self._remedies.get(status) or {
            401: "check the credentials",
            402: "the account's plan lacks this",
            403: "give the credentials read access to it",
            404: f"check {self._address_from}",
        }.get(status, "nothing was changed; report this if it stays")


def _pairs(params: Params) -> list[tuple[str, Any]]:
    """Name and value of everything in the query, as requests reads it: lists give a pair each, None gives none."""
    pairs = params.items() if isinstance(params, Mapping) else params
    return [
        (name, one)
        for name, value in pairs
        for one in ([value] if isinstance(value, str | bytes) or not isinstance(value, Iterable) else value)
        if one is not None
    ]


def _connection_reason(error: BaseException) -> tuple[str, bool]:
    """A short reason, and whether there was no connection at all (as opposed to one that broke)."""
    text = str(error)
    if "NameResolutionError" in text or "getaddrinfo" in text or "Name or service" in text:
        return "the host name is unknown", True
    if "refused" in text.lower():
        return "connection refused", True
    if "unreachable" in text.lower() or "NewConnectionError" in text:
        return "no route to the host", True
    return "the connection broke", False
