"""A request budget per window: so many requests, then 429 until the window ends."""

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
