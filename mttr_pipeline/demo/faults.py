"""Fault profiles: which requests go wrong, how, and for how many attempts.

Whether a request is hit depends on a hash of (seed, vendor, the request itself), never on timing, so a run is
repeatable however many threads ask. A rule hits the first `attempts` tries of a request and lets the next one
through: an honest retry always succeeds, unless the rule says `attempts=None`.

A new profile is one line in PROFILES; a new way to fail is one function in KINDS.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import msgspec

from mttr_pipeline.demo.wire import Request, Response, Simulator, encode


class ConnectionReset(Exception):
    """Tells the server to drop the connection without an answer."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`kind` hits `share` of the requests (or exactly the nth of a vendor) for the first `attempts` tries of each."""

    kind: str
    share: float = 1.0
    attempts: int | None = 1
    nth: int | None = None
    argument: float = 0.0
    path: str = ""


Answer = Callable[[], Response]
Kind = Callable[[Rule, Simulator, Answer], Response]


def _status(rule: Rule, vendor: Simulator, answer: Answer) -> Response:
    status = int(rule.argument)
    return Response(status, vendor.error(status, "Something went wrong on our side. Please try again."))


def _throttle(rule: Rule, vendor: Simulator, answer: Answer) -> Response:
    headers = vendor.limit_headers(960, 0, rule.argument, rule.argument)
    return Response(429, vendor.error(429, "Rate Limit Exceeded"), {**headers, "Retry-After": f"{rule.argument:.0f}"})


def _throttle_silent(rule: Rule, vendor: Simulator, answer: Answer) -> Response:
    return Response(429, vendor.error(429, "Rate Limit Exceeded"))


def _retry_after_date(rule: Rule, vendor: Simulator, answer: Answer) -> Response:
    # HTTP dates have whole seconds: round up, so that waiting until then is long enough.
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1 + rule.argument)
    headers = {"Retry-After": format_datetime(until, usegmt=True)}
    return Response(503, vendor.error(503, "Down for a moment."), headers)


def _html(rule: Rule, vendor: Simulator, answer: Answer) -> Response:
    page = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>"
    return Response(200, page, content_type="text/html; charset=utf-8")


def _truncated_json(rule: Rule, vendor: Simulator, answer: Answer) -> Response:
    whole = answer()
    whole.body = whole.body[: max(1, len(whole.body) * 2 // 3)]
    return whole


def _cut(rule: Rule, vendor: Simulator, answer: Answer) -> Response:
    whole = answer()
    whole.cut = len(whole.body) // 2
    return whole


def _reset(rule: Rule, vendor: Simulator, answer: Answer) -> Response:
    raise ConnectionReset


def _slow(rule: Rule, vendor: Simulator, answer: Answer) -> Response:
    time.sleep(rule.argument)
    return answer()


def _rows(body: Any) -> list[Any] | None:
    """The list of records of an answer, whatever the vendor calls it."""
    if not isinstance(body, dict):
        return None
    lists = [value for value in body.values() if isinstance(value, list)]
    return max(lists, key=len) if lists else None


def _repeated_row(rule: Rule, vendor: Simulator, answer: Answer) -> Response:
    whole = answer()
    body = msgspec.json.decode(whole.body) if whole.status == 200 else None
    rows = _rows(body)
    if rows:
        rows.append(rows[0])
        whole.body = encode(body)
    return whole


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
}

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
    # For good: retrying does not help.
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
        self._requests = 0
        self._tries: dict[tuple[int, str], int] = {}

    def apply(self, request: Request, vendor: Simulator, answer: Answer) -> Response:
        """The answer, or what goes wrong instead of it."""
        rule = self._hit(request)
        return KINDS[rule.kind](rule, vendor, answer) if rule else answer()

    def _hit(self, request: Request) -> Rule | None:
        if not self._rules:
            return None
        body = hashlib.blake2b(request.body, digest_size=8).hexdigest() if request.body else ""
        identity = f"{request.method} {request.path}?{request.query_string} {body}"
        with self._lock:
            self._requests += 1
            for index, rule in enumerate(self._rules):
                if rule.path and rule.path not in request.path:
                    continue
                if rule.nth is not None:
                    if self._requests == rule.nth:
                        return rule
                    continue
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
