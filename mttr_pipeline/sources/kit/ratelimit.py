"""One gate per vendor that all threads of a source pass before each request.

It keeps the configured requests per minute and obeys what the vendor says about its limits. What does not belong
here: sending requests, deciding which answers are errors.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MINUTE = 60.0
LONGEST_RESET = 120.0  # seconds; Jira's reset instants have been wrong in practice, so none is waited for longer
LONGEST_RETRY_AFTER = 600.0


class RateGate:
    """Thread-safe. `clock` gives seconds (monotonic), `sleep` waits; both can be replaced in tests."""

    def __init__(self, per_minute: int | None, clock: Callable[[], float], sleep: Callable[[float], object]) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._sent: deque[float] = deque(maxlen=per_minute)  # the starts of the last `per_minute` requests
        self._closed_until = 0.0
        self._left: int | None = None  # requests the vendor still allows until _left_until
        self._left_until = 0.0
        self._in_flight = 0
        self.waited = 0.0

    def enter(self) -> None:
        """Wait until the next request may start; never more than `per_minute` of them start within 60 seconds."""
        while True:
            with self._lock:
                now = self._clock()
                wait = self._wait(now)
                if wait <= 0:
                    self._sent.append(now)
                    self._in_flight += 1
                    if self._left is not None:
                        self._left -= 1
                    return
                self.waited += wait
            self._sleep(wait)

    def leave(self) -> None:
        """A request has ended, in whatever way."""
        with self._lock:
            self._in_flight -= 1

    def close_for(self, seconds: float) -> None:
        """No request starts for this long: the vendor asked for it."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock() + seconds)

    def observe(self, headers: Mapping[str, str]) -> None:
        """Take over what an answer says about the requests left (PagerDuty, Opsgenie, Jira header names)."""
        remaining, reset = allowance(headers)
        if remaining is None or reset is None:
            return
        with self._lock:
            now = self._clock()
            left = remaining - self._in_flight  # the others on their way count against it too
            if self._left is None or now >= self._left_until:
                self._left = left
            else:
                self._left = min(self._left, left)
            self._left_until = now + reset

    def _wait(self, now: float) -> float:
        wait = self._closed_until - now
        if self._left is not None:
            if now >= self._left_until:
                self._left = None
            elif self._left <= 0:
                wait = max(wait, self._left_until - now)
        if self._per_minute and len(self._sent) == self._per_minute:
            wait = max(wait, self._sent[0] + MINUTE - now)
        return wait


def allowance(headers: Mapping[str, str]) -> tuple[int | None, float | None]:
    """(requests left, seconds until there are more) as far as the headers say so.

    PagerDuty: `ratelimit-remaining`, `ratelimit-reset` (seconds). Opsgenie: `X-RateLimit-Period-In-Sec`. Jira Data
    Center: `X-RateLimit-Remaining`, `X-RateLimit-Interval-Seconds`. Jira Cloud: `X-RateLimit-Reset` (ISO instant).
    """
    remaining = _number(headers.get("ratelimit-remaining"))
    reset = _number(headers.get("ratelimit-reset"))
    if remaining is None:
        remaining = _number(headers.get("x-ratelimit-remaining"))
        reset = _number(headers.get("x-ratelimit-period-in-sec"))
        if reset is None:
            reset = _number(headers.get("x-ratelimit-interval-seconds"))
        if reset is None:
            reset = _seconds_until(headers.get("x-ratelimit-reset"))
    if remaining is None or reset is None:
        return None, None
    return int(remaining), min(max(reset, 0.0), LONGEST_RESET)


def retry_after(headers: Mapping[str, str], *, throttled: bool) -> float | None:
    """Seconds the vendor asks to wait: `Retry-After` as seconds or HTTP date (RFC 9110).

    When it is `throttled` (429), its reset headers count too; on other errors they say nothing about when to retry.
    """
    value = headers.get("retry-after")
    if value is not None:
        seconds = _number(value)
        if seconds is None:
            seconds = _seconds_until(value)
        if seconds is not None:
            return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)
    if not throttled:
        return None
    for name in ("ratelimit-reset", "x-ratelimit-period-in-sec", "x-ratelimit-interval-seconds"):
        seconds = _number(headers.get(name))
        if seconds is not None:
            return min(max(seconds, 0.0), LONGEST_RESET)
    seconds = _seconds_until(headers.get("x-ratelimit-reset"))
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_RESET)


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else None
    except ValueError:
        return None
    return number if number is not None and number == number else None


def _seconds_until(value: str | None) -> float | None:
    """From now (wall clock) to an ISO instant or HTTP date."""
    if not value:
        return None
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            instant = parse(value.strip())
        except (ValueError, TypeError):
            continue
        instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant
        return (instant - datetime.now(UTC)).total_seconds()
    return None
