"""One request, and what may become of a try to send it: an answer, another path, another try.

What does not belong here: sending and retrying (`http`), what a failure is called (`failures`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Literal, NamedTuple, TypeVar

from mttr_pipeline.sources.kit.query import Params

T = TypeVar("T")


class Answer(NamedTuple, Generic[T]):
    """What came back: `value` is what `parse` made of the body, None where nothing changed (status 304). Names of headers in any
    case."""

    value: T | None
    headers: Mapping[str, str]


class Asked(NamedTuple):
    """A request."""

    method: str
    path: str
    params: Params | None = None
    body: bytes | None = None
    etag: str | None = None


class Moved(Exception):
    """What is asked for stands at another path of the same vendor."""

    def __init__(self, path: str, query: str) -> None:
        super().__init__(path)
        self.path, self.query = path, query


class Retry(Exception):
    """One try failed in a way that may pass. `wait` is what the vendor asks for, in seconds; `granted` is the part of it that
    the retries of a request get on top of their time."""

    def __init__(
        self,
        reason: str,
        status: int | None = None,
        wait: float | None = None,
        kind: Literal["response", "body", "connect", "proxy"] = "response",
        remedy: str | None = None,
        granted: float = 0.0,
    ) -> None:
        super().__init__(reason)
        self.remedy = remedy
        self.granted = granted
        self.status = status
        self.wait = wait
        # body: a successful response that is not the expected JSON; connect, proxy: no connection at all, to the host or the proxy
        self.kind = kind
