"""The HTTP shapes that every simulated vendor shares: request, response, simulator, and the formats of timestamps.

Belongs here: what is true of any JSON API. Does not belong here: a field, a limit or an error text of one vendor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs

import msgspec

if TYPE_CHECKING:
    from mttr_pipeline.demo.kit.paging import Paging

encode = msgspec.json.encode


@dataclass(slots=True)
class Request:
    """One HTTP request. The path has no vendor prefix; header names are in lower case."""

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
        """The last value of a parameter, as most web frameworks read a repeated one."""
        values = self.query.get(name)
        return values[-1] if values else default

    def many(self, name: str) -> list[str]:
        """All values of a repeated parameter such as `statuses[]`."""
        return self.query.get(name, [])

    def json(self) -> Any:
        """The decoded body. Raises msgspec.DecodeError when it is not JSON."""
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
    """What the server and the faults need of a vendor."""

    #: The path prefix under which it is served.
    name: str
    #: How its lists are paged.
    paging: Paging

    def record_in(self, path: str) -> str | None:
        """The id of the one record that a path asks about; None when it asks about a list or something else."""
        ...

    def handle(self, request: Request, now: datetime) -> Response:
        """Answer a request as the vendor would at this instant."""
        ...

    def error(self, status: int, message: str) -> bytes:
        """An error body in the vendor's shape, for refusals that have nothing to do with the request itself."""
        ...

    def limit_headers(self, limit: int, remaining: int, reset: float, window: float) -> dict[str, str]:
        """The headers in which the vendor reports its rate limit; `reset` and `window` are in seconds."""
        ...

    def environment(self, url: str) -> dict[str, str]:
        """The variables that point the pipeline at this vendor."""
        ...


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
    """`2026-10-01T02:14:05.12Z`: as many fractional digits as needed, at least one."""
    digits = f"{at.microsecond // 1000:03d}".rstrip("0") or "0"
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + digits + "Z"


def epoch_ms(at: datetime) -> int:
    """Milliseconds since 1970, exact."""
    delta = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000
