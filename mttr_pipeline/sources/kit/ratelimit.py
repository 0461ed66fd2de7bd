"""The rate limit that all threads of a source share.

It keeps the configured requests per minute and obeys the limits that the vendor reports. What does not belong here:
sending requests, deciding which responses are errors.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MINUTE = 60.0
MAX_RESET = 120.0  # seconds; reset instants of vendors have been wrong in practice, so no wait for one is longer
MAX_RETRY_AFTER = 600.0  # seconds
EPOCH_NUMBER = 1e9  # from here on a number of seconds is one since 1970
ABSURD = 86_400.0  # seconds; a vendor that asks for a longer wait is not believed
#: Seconds without a request after a 429, whatever its headers say; twice as long after each further one, up to the second number.
FLOOR, MAX_FLOOR = 1.0, 60.0


def _with_429(status: int, headers: Mapping[str, str], reason: str) -> bool:
    return status == 429


@dataclass(frozen=True)
class Throttling:
    """How a vendor slows down who asks too often. The default fits a vendor that answers 429 and resets within two minutes.

    refuses        whether a refusal (its status, its headers, the vendor's message) is one for the rate
    longest_reset  seconds; no wait for a reset is longer
    silent, most   seconds without a request after a refusal that does not say how long to wait: at first, and after many
    patience       seconds; a wait up to this that the vendor asks for does not count against the time for retries
    headers        how the names of its headers begin, in lower case: `<headers>-remaining`, `<headers>-reset`
    """

    refuses: Callable[[int, Mapping[str, str], str], bool] = _with_429
    longest_reset: float = MAX_RESET
    silent: float = FLOOR
    most: float = MAX_FLOOR
    patience: float = 0.0
    headers: str = "x-ratelimit"


class RateLimiter:
    """Delays requests; safe to use from many threads.

    `per_minute` is the most requests in any 60 seconds (None: no limit of our own). `clock` returns monotonic seconds and
    `sleep` waits that long; tests replace both.
    """

    def __init__(
        self,
        per_minute: int | None,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
        throttling: Throttling | None = None,
    ) -> None:
        self._per_minute = per_minute
        self._throttling = throttling or Throttling()
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._sent: deque[float] = deque(maxlen=per_minute)  # the starts of the last `per_minute` requests
        self._blocked_until = 0.0
        self._remaining: int | None = None  # requests that the vendor still allows until _resets_at
        self._resets_at = 0.0
        self._in_flight = 0
        self._floor = 0.0  # seconds; above 0 while the vendor refuses everything
        self._throttled_at = -math.inf

    def acquire(self) -> None:
        """Wait until the next request may start. Call `release` when the request has ended."""
        while True:
            with self._lock:
                now = self._clock()
                wait = self._wait(now)
                if wait <= 0:
                    self._sent.append(now)
                    self._in_flight += 1
                    if self._remaining is not None:
                        self._remaining -= 1
                    return
            self._sleep(wait)

    def release(self) -> None:
        """Note that a request has ended, successfully or not."""
        with self._lock:
            self._in_flight -= 1

    def throttled(self, sent: float, wait: float | None) -> float:
        """The vendor refused a request that was sent at `sent` for its rate, and asks to wait for `wait` seconds.

        Starts no request for that long, and for the floor at least: with a useless or missing `wait` the threads would ask as
        fast as the vendor refuses. Returns the seconds. Only a request sent after the last refusal raises the floor.
        """
        with self._lock:
            now = self._clock()
            if sent >= self._throttled_at:
                least, most = (self._throttling.silent, self._throttling.most) if wait is None else (FLOOR, MAX_FLOOR)
                self._floor = min(max(least, 2 * self._floor), most)
                self._throttled_at = now
            seconds = max(wait or 0.0, self._floor)
            self._blocked_until = max(self._blocked_until, now + seconds)
            return seconds

    def accepted(self) -> None:
        """The vendor answered a request without refusing it for its rate."""
        with self._lock:
            self._floor = 0.0

    def observe(self, headers: Mapping[str, str]) -> None:
        """Obey the rate limit headers of a response, if it has any (see `allowance`)."""
        remaining, reset = allowance(headers, self._throttling.longest_reset, self._throttling.headers)
        if remaining is None or reset is None:
            return
        with self._lock:
            now = self._clock()
            remaining -= self._in_flight  # the requests under way count against it too
            if self._remaining is None or now >= self._resets_at:
                self._remaining = remaining
            else:
                self._remaining = min(self._remaining, remaining)
            self._resets_at = now + (reset if self._remaining > 0 else max(reset, FLOOR))

    def _wait(self, now: float) -> float:
        """Seconds until the next request may start."""
        wait = self._blocked_until - now
        if self._remaining is not None:
            if now >= self._resets_at:
                self._remaining = None
            elif self._remaining <= 0:
                wait = max(wait, self._resets_at - now)
        if self._per_minute and len(self._sent) == self._per_minute:
            wait = max(wait, self._sent[0] + MINUTE - now)
        return wait


def allowance(
    headers: Mapping[str, str], most: float = MAX_RESET, named: str = "x-ratelimit"
) -> tuple[int | None, float | None]:
    """(requests remaining, seconds until the limit resets, 0 to `most`); (None, None) when the headers lack one of them, or
    the limit resets after more than a day only.

    Reads `ratelimit-remaining` with `ratelimit-reset` (seconds from now or since 1970), or `x-ratelimit-remaining` with the first
    of `x-ratelimit-period-in-sec`, `x-ratelimit-interval-seconds` (seconds) and `x-ratelimit-reset` (an instant, or seconds since
    1970). `named` is what stands in the place of `x-ratelimit`.
    """
    remaining = _number(headers.get("ratelimit-remaining"))
    reset = _until_reset(headers.get("ratelimit-reset"))
    if remaining is None:
        remaining = _number(headers.get(f"{named}-remaining"))
        reset = _number(headers.get(f"{named}-period-in-sec"))
        if reset is None:
            reset = _number(headers.get(f"{named}-interval-seconds"))
        if reset is None:
            reset = _seconds_until(headers.get(f"{named}-reset"))
    if remaining is None or reset is None or reset > ABSURD:
        return None, None
    return int(remaining), min(max(reset, 0.0), most)


def retry_after(
    headers: Mapping[str, str], *, throttled: bool, most: float = MAX_RESET, named: str = "x-ratelimit"
) -> float | None:
    """Seconds to wait before a retry, as the vendor asks; None when it does not say, or nothing that can be meant.

    Reads `Retry-After` as seconds or HTTP date (RFC 9110), at most 600 s. When the request was `throttled`, the rate limit
    headers count too, at most `most` seconds; with other errors they do not tell when to retry. A wait of zero, one
    that is over and one of more than a day say nothing.
    """
    value = headers.get("retry-after")
    asked = [(_number(value), MAX_RETRY_AFTER), (_seconds_until(value), MAX_RETRY_AFTER)]
    if throttled:
        names = (f"{named}-period-in-sec", f"{named}-interval-seconds")
        asked.append((_until_reset(headers.get("ratelimit-reset")), most))
        asked += [(_number(headers.get(name)), most) for name in names]
        asked.append((_seconds_until(headers.get(f"{named}-reset")), most))
    for seconds, most in asked:
        if seconds is not None and 0 < seconds <= ABSURD:
            return min(seconds, most)
    return None


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else None
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) else None


def _until_reset(value: str | None) -> float | None:
    """Seconds until a reset that is given in seconds from now, or as seconds since 1970: no limit lasts thirty years."""
    number = _number(value)
    return number if number is None or number < EPOCH_NUMBER else number - datetime.now(UTC).timestamp()


def _seconds_until(value: str | None) -> float | None:
    """Seconds from now (wall clock) to an ISO instant, an HTTP date, or a number of seconds since 1970."""
    if not value:
        return None
    number = _number(value)
    if number is not None and number >= EPOCH_NUMBER:
        return number - datetime.now(UTC).timestamp()
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            instant = parse(value.strip())
        except (ValueError, TypeError, OverflowError):
            continue
        instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant
        return (instant - datetime.now(UTC)).total_seconds()
    return None
