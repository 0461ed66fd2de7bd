"""The few HTTP shapes that every simulated vendor shares: request, response, paging of a list that is held in memory.

Belongs here: what is true of any JSON API. Does not belong here: any vendor's field, limit or error text.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import parse_qs

import msgspec

State = TypeVar("State")
encode = msgspec.json.encode


@dataclass(slots=True)
class Request:
    """One HTTP request, with the vendor's prefix already cut off the path. Header names are in lower case."""

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    body: bytes
    base_url: str
    query: dict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self.query = parse_qs(self.query_string, keep_blank_values=True)

    def one(self, name: str, default: str | None = None) -> str | None:
        """The last value given for a parameter: what most web frameworks take when one is repeated."""
        values = self.query.get(name)
        return values[-1] if values else default

    def many(self, name: str) -> list[str]:
        """All values of a repeated parameter such as `statuses[]`."""
        return self.query.get(name, [])

    def json(self) -> Any:
        """The decoded body; a body that is no JSON raises msgspec.DecodeError."""
        return msgspec.json.decode(self.body)


@dataclass(slots=True)
class Response:
    """One HTTP response. `cut` sends only that many bytes and then drops the connection."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    cut: int | None = None


def answer(payload: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(status, encode(payload), dict(headers or {}))


class Simulator(Protocol):
    """What the server needs to know of a vendor."""

    name: str

    def handle(self, request: Request, now: datetime) -> Response:
        """Answer a request as the vendor would at this instant."""
        ...

    def error(self, status: int, message: str) -> bytes:
        """An error body in the vendor's own shape, for refusals that are not about the request itself."""
        ...

    def limit_headers(self, limit: int, remaining: int, reset: float, window: float) -> dict[str, str]:
        """The vendor's way of telling how much of the budget is left."""
        ...

    def environment(self, url: str) -> dict[str, str]:
        """The variables that point the pipeline at this vendor."""
        ...


class Snapshots(Generic[State]):
    """The state of a history as of a clock, rebuilt only when a fact has come into effect since the last look.

    A live clock moves with every request, but between two facts nothing changes: the number of facts passed is
    the version of the state.
    """

    def __init__(self, instants: Sequence[datetime], build: Callable[[datetime], State]) -> None:
        self._instants = sorted(instants)
        self._build = build
        self._lock = threading.Lock()
        self._version = -1
        self._state: State | None = None

    def at(self, now: datetime) -> State:
        """The state at `now`."""
        version = bisect_right(self._instants, now)
        with self._lock:
            if self._state is None or version != self._version:
                self._state = self._build(now)
                self._version = version
            return self._state


def page_number(text: str | None, default: int) -> int:
    """A non-negative page parameter; anything else raises ValueError."""
    if text is None or text == "":
        return default
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


def iso_seconds(at: datetime) -> str:
    """`2026-10-01T02:14:05Z`."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def iso_millis(at: datetime) -> str:
    """`2026-10-01T02:14:05.12Z`: fractional digits only as far as they are needed, at least one."""
    digits = f"{at.microsecond // 1000:03d}".rstrip("0") or "0"
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + digits + "Z"


def iso_jira(at: datetime) -> str:
    """`2026-10-01T02:14:05.120+0000`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}+0000"


def epoch_ms(at: datetime) -> int:
    """Milliseconds since 1970, exact."""
    delta = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000
