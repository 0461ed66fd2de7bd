"""Faults: how a request goes wrong, and which requests do.

Whether a request is hit depends on a hash of (seed, vendor, the request itself), never on timing, so a run is repeatable
however many threads ask. A rule hits the first `attempts` tries of a request and lets the next one through: an honest retry
succeeds, unless the rule says `attempts=None`.

A new kind of fault is one function in KINDS. What differs between vendors is asked of the simulator.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import msgspec

from mttr_pipeline.demo.kit.wire import Request, Response, Simulator, encode
from mttr_pipeline.demo.profiles import Profile, Rule, rules_of


class ConnectionReset(Exception):
    """Makes the server drop the connection without an answer."""


#: The vendor's true answer; `late` gives the answer of that much earlier, `of` the answer to another request.
Answer = Callable[..., Response]
Kind = Callable[[Rule, Request, Simulator, Answer], Response]

#: The end of a page token that `empty_page` made up; the token before it is the vendor's own.
_DETOUR = "-detour"
#: The rate limit that a throttled answer reports.
_LIMIT = 1000


def _status(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    status = int(rule.argument)
    return Response(status, vendor.error(status, "Something went wrong on our side. Please try again."))


def _throttle(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    headers = vendor.limit_headers(_LIMIT, 0, rule.argument, rule.argument)
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


def _repeated_row(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    """A page holds one of its rows twice."""
    whole = answer()
    body = msgspec.json.decode(whole.body) if whole.status == 200 else None
    rows = vendor.paging.rows(body)
    if rows:
        rows.append(rows[0])
        whole.body = encode(body)
    return whole


def _repeated_token(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    """The page names itself as the next one: a client that follows it never ends."""
    whole, token = answer(), vendor.paging.token(request)
    if token:
        body: Any = msgspec.json.decode(whole.body)
        if vendor.paging.announce_next(body, token):
            whole.body = encode(body)
    return whole


def _token_refused(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    """The token of a later page has expired."""
    if vendor.paging.token(request) is None:
        return answer()
    return Response(400, vendor.error(400, "The provided next page token is invalid or has expired."))


def _empty_page(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    """No rows, but more to come: a page by token goes on after it, a page by offset has to be asked for again."""
    whole = answer()
    body: Any = msgspec.json.decode(whole.body) if whole.status == 200 else None
    rows = vendor.paging.rows(body)
    if not rows or not vendor.paging.announce_next(body, f"{vendor.paging.token(request) or ''}{_DETOUR}"):
        return whole
    rows.clear()
    whole.body = encode(body)
    return whole


def without_detour(request: Request, vendor: Simulator) -> Request:
    """The request with the vendor's own token in place of one that `empty_page` made up."""
    token = vendor.paging.token(request)
    if token is None or not token.endswith(_DETOUR):
        return request
    return vendor.paging.with_token(request, token.removesuffix(_DETOUR))


def _shifted(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    """Rows before this page were removed (argument > 0) or added (argument < 0), so its offset means other rows now."""
    other = vendor.paging.shifted(request, int(rule.argument))
    return answer() if other is None else answer(of=other)


def _vanished(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    """A record was deleted after a list named it: neither it nor what belongs to it is found."""
    return Response(404, vendor.error(404, "The record does not exist."))


def _indexed_late(rule: Rule, request: Request, vendor: Simulator, answer: Answer) -> Response:
    """The answer of some minutes ago (argument): the index of a search lags behind the records."""
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


class Faults:
    """Decides which requests to one vendor go wrong."""

    def __init__(self, profile: Profile, vendor: str, seed: int) -> None:
        self._rules = rules_of(profile)
        self._vendor = vendor
        self._seed = seed
        self._lock = threading.Lock()
        self._fitting: dict[int, int] = {}  # rule -> requests so far whose path fits
        self._tries: dict[tuple[int, str], int] = {}

    def apply(self, request: Request, vendor: Simulator, answer: Answer) -> Response:
        """The vendor's answer, or the fault in its place. Raises ConnectionReset when there is to be no answer at all."""
        rule = self._hit(request, vendor)
        return KINDS[rule.kind](rule, request, vendor, answer) if rule else answer()

    def _hit(self, request: Request, vendor: Simulator) -> Rule | None:
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
                if rule.kind == "vanished":  # the record decides, whatever is asked about it
                    if not (record := vendor.record_in(request.path)):
                        continue
                    identity = record
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
    """The faults of one vendor: of a profile for all, or of a mapping by vendor name ("none" where it has no entry)."""
    profile = faults.get(vendor, "none") if isinstance(faults, Mapping) else faults
    return Faults(profile, vendor, seed)
