"""Fault profiles: which requests go wrong, how, and for how many attempts.

Whether a request is hit depends on a hash of (seed, vendor, the request itself), never on timing, so a run is
repeatable however many threads ask. A rule hits the first `attempts` tries of a request and lets the next one
through: an honest retry always succeeds, unless the rule says `attempts=None`.

A new profile is one line in PROFILES; a new way to fail is one function in KINDS.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from mttr_pipeline.demo.wire import Request, Response, Simulator, encode


class ConnectionReset(Exception):
    """Tells the server to drop the connection without an answer."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`kind` hits `share` of the requests (or exactly the nth that its path fits) for the first `attempts` tries of each."""

    kind: str
    share: float = 1.0
    attempts: int | None = 1
    nth: int | None = None
    argument: float = 0.0
    path: str = ""


#: The vendor's true answer; `late` takes it from that much earlier, `of` to another request.
Answer = Callable[..., Response]
Kind = Callable[[Rule, Request, Simulator, Answer], Response]

#: What an invented page token ends in: the page that it stands for begins where the token before this begins.
_DETOUR = "-detour"


def _status(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    status = int(rule.argument)
    return Response(status, vendor.error(status, "Something went wrong on our side. Please try again."))


def _throttle(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    headers = vendor.limit_headers(960, 0, rule.argument, rule.argument)
    return Response(429, vendor.error(429, "Rate Limit Exceeded"), {**headers, "Retry-After": f"{rule.argument:.0f}"})


def _throttle_silent(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    return Response(429, vendor.error(429, "Rate Limit Exceeded"))


def _retry_after_date(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    # HTTP dates have whole seconds: round up, so that waiting until then is long enough.
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1 + rule.argument)
    headers = {"Retry-After": format_datetime(until, usegmt=True)}
    return Response(503, vendor.error(503, "Down for a moment."), headers)


def _html(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    page = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>"
    return Response(200, page, content_type="text/html; charset=utf-8")


def _truncated_json(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    whole = answer()
    whole.body = whole.body[: max(1, len(whole.body) * 2 // 3)]
    return whole


def _cut(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    whole = answer()
    whole.cut = len(whole.body) // 2
    return whole


def _reset(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    raise ConnectionReset


def _slow(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    time.sleep(rule.argument)
    return answer()


def _rows(body: Any) -> list[Any] | None:
    """The list of records of an answer, whatever the vendor calls it."""
    if not isinstance(body, dict):
        return None
    lists = [value for value in body.values() if isinstance(value, list)]
    return max(lists, key=len) if lists else None


def _repeated_row(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    whole = answer()
    body = msgspec.json.decode(whole.body) if whole.status == 200 else None
    rows = _rows(body)
    if rows:
        rows.append(rows[0])
        whole.body = encode(body)
    return whole


def _with(request: Request, *, body: Any = None, **query: object) -> Request:
    """The same request with another body or other query parameters."""
    values = request.query | {name: [str(value)] for name, value in query.items()}
    content = request.body if body is None else encode(body)
    text = urlencode(values, doseq=True) if query else request.query_string
    return Request(request.method, request.path, text, request.headers, content, request.base_url)


def _token_of(request: Request) -> str | None:
    """The page token in the body of a search."""
    if b'"nextPageToken"' not in request.body:
        return None
    return str(msgspec.json.decode(request.body)["nextPageToken"])


def _repeated_token(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    """The page names itself as the next one: who follows it turns in a circle."""
    whole, token = answer(), _token_of(request)
    body = msgspec.json.decode(whole.body)
    if token and "isLast" in body:
        whole.body = encode({**body, "isLast": False, "nextPageToken": token})
    return whole


def _token_refused(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    """The token of a later page has expired."""
    if _token_of(request) is None:
        return answer()
    return Response(400, vendor.error(400, "The provided next page token is invalid or has expired."))


def _empty_page(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    """No rows, but more to come: pages by token go on after it, pages by offset have to be asked for again."""
    whole = answer()
    body: Any = msgspec.json.decode(whole.body) if whole.status == 200 else None
    rows = _rows(body)
    if not rows:
        return whole
    if "isLast" in body:
        body |= {"isLast": False, "nextPageToken": f"{_token_of(request) or ''}{_DETOUR}"}
    elif "more" in body:
        body["more"] = True
    elif not (body.get("paging") or body.get("links") or {}).get("next") and "total" not in body:
        return whole  # nothing here would tell that there is more
    rows.clear()
    whole.body = encode(body)
    return whole


def without_detour(request: Request) -> Request:
    """A request with a token that `empty_page` made up, as the vendor knows it."""
    token = _token_of(request) if _DETOUR.encode() in request.body else None
    if token is None:
        return request
    body = msgspec.json.decode(request.body)
    body["nextPageToken"] = token.removesuffix(_DETOUR)
    return _with(request, body={name: value for name, value in body.items() if value != ""})


def _shifted(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    """Rows before this page were taken away (argument > 0) or came in since the page before: offsets mean others now."""
    for name in ("offset", "startAt"):
        text = request.one(name) or ""
        if text.isdigit() and int(text) > 0:
            return answer(of=_with(request, **{name: max(0, int(text) + int(rule.argument))}))
    return answer()


def _vanished(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    """A record was deleted after the list named it: itself and all that belongs to it is not found."""
    return Response(404, vendor.error(404, "The record does not exist."))


def _indexed_late(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    """The search knows the world of some minutes ago (argument); single records are read as they are."""
    return answer(late=timedelta(minutes=rule.argument))


KINDS: dict[str, Kind] = {
    "status": _status,
    "throttle": _throttle,
    "throttle_silent": _throttle_silent,
    "retry_after_date": _retry_after_date,
    "html": _html,
    "truncated_json": _truncated_json,
    "cut": _cut,
    "reset": _reset,
    "slow": _slow,
    "repeated_row": _repeated_row,
    "repeated_token": _repeated_token,
    "token_refused": _token_refused,
    "empty_page": _empty_page,
    "shifted": _shifted,
    "vanished": _vanished,
    "indexed_late": _indexed_late,
}

#: What one record is asked for by; the record's id decides whether it vanished, whatever else is asked about it.
_SINGLE = re.compile(
    r"/v2/alerts/(?!count\b)([^/]+)|/v1/alerts/([^/]+)|/v1/incidents/([^/]+)|/incident-timelines/([^/]+)|^/incidents/([^/]+)"
)


PROFILES: dict[str, tuple[Rule, ...]] = {
    "none": (),
    # Every vendor throttles once, early, and now and then a request fails the way real ones do.
    "light": (
        Rule("throttle", nth=4, argument=1),
        Rule("status", share=0.02, argument=503),
        Rule("reset", share=0.01),
        Rule("slow", share=0.03, argument=0.05),
    ),
    "heavy": (
        Rule("throttle", nth=3, argument=1),
        Rule("throttle", nth=40, argument=1),
        Rule("throttle_silent", share=0.03),
        Rule("retry_after_date", share=0.01),
        Rule("status", share=0.06, argument=503, attempts=2),
        Rule("status", share=0.03, argument=500),
        Rule("status", share=0.02, argument=408),
        Rule("truncated_json", share=0.04),
        Rule("cut", share=0.03),
        Rule("html", share=0.03),
        Rule("reset", share=0.04, attempts=2),
        Rule("repeated_row", share=0.05, attempts=None),
        Rule("repeated_token", share=0.05),
        Rule("token_refused", share=0.05),
        Rule("empty_page", share=0.03),
        Rule("shifted", share=0.05, argument=1),
        Rule("shifted", share=0.05, argument=-2),
        Rule("slow", share=0.05, argument=0.1),
    ),
    # One thing at a time, for tests. Half of all requests fail, each once.
    "html": (Rule("html", share=0.5),),
    "truncated_json": (Rule("truncated_json", share=0.5),),
    "cut": (Rule("cut", share=0.5),),
    "reset": (Rule("reset", share=0.5),),
    "429": (Rule("throttle", share=0.5, argument=1),),
    "429_no_headers": (Rule("throttle_silent", share=0.5),),
    "retry_after_date": (Rule("retry_after_date", share=0.3),),
    "slow": (Rule("slow", attempts=None, argument=0.5),),
    "latency": (Rule("slow", attempts=None, argument=0.05),),
    "repeated_rows": (Rule("repeated_row", attempts=None),),
    # Data that move while they are read.
    "repeated_token": (Rule("repeated_token", share=0.5),),
    "token_expired": (Rule("token_refused", share=0.5),),
    "empty_pages": (Rule("empty_page", share=0.3),),
    "rows_vanish": (Rule("shifted", argument=1),),
    "rows_appear": (Rule("shifted", argument=-1),),
    "deleted_while_read": (Rule("vanished", share=0.02, attempts=None),),
    "indexed_late": (Rule("indexed_late", attempts=None, argument=20, path="/search"),),
    # For good: retrying does not help.
    "endless_token": (Rule("repeated_token", attempts=None),),
    "always_html": (Rule("html", attempts=None),),
    "unauthorized": (Rule("status", attempts=None, argument=401),),
    "forbidden": (Rule("status", attempts=None, argument=403),),
    "down": (Rule("reset", attempts=None),),
    "unavailable": (Rule("status", attempts=None, argument=503),),
    **{str(code): (Rule("status", share=0.5, argument=code),) for code in (408, 425, 500, 502, 503, 504)},
}

Profile = str | tuple[Rule, ...]


def rules_of(profile: Profile) -> tuple[Rule, ...]:
    """The rules of a profile, by name or as they are."""
    if not isinstance(profile, str):
        return profile
    if profile not in PROFILES:
        raise ValueError(f"unknown fault profile {profile!r}; known: {', '.join(sorted(PROFILES))}")
    return PROFILES[profile]


class Faults:
    """Decides for one vendor."""

    def __init__(self, profile: Profile, vendor: str, seed: int) -> None:
        self._rules = rules_of(profile)
        self._vendor = vendor
        self._seed = seed
        self._lock = threading.Lock()
        self._fitting: dict[int, int] = {}  # requests so far that the path of a rule fits
        self._tries: dict[tuple[int, str], int] = {}

    def apply(self, request: Request, vendor: Simulator, answer: Answer) -> Response:
        """The answer, or what goes wrong instead of it."""
        rule = self._hit(request)
        return KINDS[rule.kind](rule, request, vendor, answer) if rule else answer()

    def _hit(self, request: Request) -> Rule | None:
        if not self._rules:
            return None
        body = hashlib.blake2b(request.body, digest_size=8).hexdigest() if request.body else ""
        identity = f"{request.method} {request.path}?{request.query_string} {body}"
        with self._lock:
            for index, rule in enumerate(self._rules):
                if rule.path and rule.path not in request.path:
                    continue
                if rule.nth is not None:
                    self._fitting[index] = self._fitting.get(index, 0) + 1
                    if self._fitting[index] == rule.nth:
                        return rule
                    continue
                if rule.kind == "vanished":
                    if not (found := _SINGLE.search(request.path)):
                        continue
                    identity = next(filter(None, found.groups()))
                if self._chance(index, identity) >= rule.share:
                    continue
                tries = self._tries.get((index, identity), 0)
                if rule.attempts is None or tries < rule.attempts:
                    self._tries[index, identity] = tries + 1
                    return rule
        return None

    def _chance(self, index: int, identity: str) -> float:
        text = f"{self._seed}:{self._vendor}:{index}:{identity}"
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64


def for_vendor(faults: Profile | Mapping[str, Profile], vendor: str, seed: int) -> Faults:
    """The faults of one vendor out of what the caller asked for: one profile for all, or one per vendor."""
    profile = faults.get(vendor, "none") if isinstance(faults, Mapping) else faults
    return Faults(profile, vendor, seed)
