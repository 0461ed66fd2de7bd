"""What a vendor holds at an instant: cases rendered as of a clock, rendered again only when something has happened."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Generic, TypeVar

from mttr_pipeline.demo.facts import Case, Fact

State = TypeVar("State")
Rendered = TypeVar("Rendered")


class Snapshots(Generic[State]):
    """The state of a history at an instant, built again only when a fact has taken effect since the last time.

    A live clock moves with every request, but nothing changes between two facts: the number of facts so far is the version
    of the state.
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


class Rendering(Generic[Rendered]):
    """Cases rendered as a vendor's objects; each is kept until another fact of its case takes effect."""

    def __init__(self, cases: Iterable[Case], render: Callable[[Case, list[Fact]], Rendered]) -> None:
        self._cases = list(cases)
        self._render = render
        self._kept: dict[tuple[str, str], tuple[int, Rendered]] = {}

    def at(self, now: datetime) -> list[tuple[Case, Rendered]]:
        """The cases that exist at `now`, with their objects; deleted ones are gone."""
        found = []
        for case in self._cases:
            facts = case.until(now)
            if not facts or any(fact.kind == "deleted" for fact in facts):
                continue
            key = (case.tool, case.id)
            kept = self._kept.get(key)
            if kept is None or kept[0] != len(facts):
                kept = self._kept[key] = (len(facts), self._render(case, facts))
            found.append((case, kept[1]))
        return found
