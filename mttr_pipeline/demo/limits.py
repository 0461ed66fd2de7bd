"""A request budget per window, the way the vendors count: so many requests, then 429 until the window ends."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """`requests` in each window of `seconds`."""

    requests: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the budget says about one request; `reset` is in seconds from now."""

    allowed: bool
    remaining: int
    reset: float


class Budget:
    """A fixed window counter on the real clock; safe to share between threads."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._opened = -float("inf")
        self._used = 0

    def take(self) -> Verdict:
        """Count one request."""
        with self._lock:
            now = time.monotonic()
            if now - self._opened >= self.limit.seconds:
                self._opened, self._used = now, 0
            reset = max(0.0, self._opened + self.limit.seconds - now)
            if self._used >= self.limit.requests:
                return Verdict(False, 0, reset)
            self._used += 1
            return Verdict(True, self.limit.requests - self._used, reset)


#: What the vendors document: PagerDuty 960 a minute per key (REST docs, Rate Limits). Opsgenie, JSM and Jira publish
#: the mechanism but no number for every plan; these are of the usual size.
DOCUMENTED: dict[str, Limit] = {
    "pagerduty": Limit(960, 60.0),
    "opsgenie": Limit(600, 60.0),
    "jsm": Limit(600, 60.0),
    "jira": Limit(600, 60.0),
    "jira-dc": Limit(600, 60.0),
}

#: The same counts in a shorter window, so that a demonstration meets the limit without waiting for a minute.
DEMO: dict[str, Limit] = {name: Limit(limit.requests, 3.0) for name, limit in DOCUMENTED.items()}
