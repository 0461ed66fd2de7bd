"""Finding records that the vendor has deleted: its totals against ours per window of creation, then ids, within a budget.

No vendor lists what was deleted. After an incremental pull the windows that earlier pulls read completely are compared:
where the vendor's own total is what we hold, that was all; where it is not, the window is halved until it is small
enough to list, and the ids are compared. What we hold and the vendor has not becomes a line of the stream `tombstones`,
`{"stream", "id", "seen_missing_at"}`; what the vendor has and we do not is landed. A record that is landed again later
than its tombstone is alive again, so a listing that was incomplete for one night mends itself.

What belongs here: the comparison and its budget. What does not: HTTP, vendors, where our records are kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

from mttr_pipeline.landing.store import TOMBSTONES, Extract, tombstone
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.kit.paging import row_id
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.runner import Runner, Task
from mttr_pipeline.sources.kit.windows import Window, gaps, split, steps

AT_ONCE = 500  # records that are listed rather than counted in halves: five pages cost no more than the counts would
FURTHER = 10  # so many findings are confirmed beyond the budget: a window that was begun must bring something
SUSPICIOUS = 20  # so many records are not deleted while nothing at all is left: such an answer is not believed


class Known(Protocol):
    """What we hold of one source, tombstoned records left out. May be asked from many threads."""

    def count(self, stream: str, window: Window) -> int:
        """How many records were created in the window."""
        ...

    def ids(self, stream: str, window: Window) -> AbstractSet[str]:
        """Their ids."""
        ...

    def rejected(self, stream: str) -> AbstractSet[str]:
        """Ids of records that we got but cannot read: they are not missing, and landing them again mends nothing."""
        ...


@dataclass(frozen=True)
class Side:
    """The vendor's side of one stream.

    total    its own total of a window, or None where it has no exact one
    rows     every record of a window; only the `id` has to be in it
    restore  lands the records that we lack; `key` names the window within the stream
    is_gone  asks for one record: an empty listing is a weaker proof than a refusal. None: the listing is proof enough
    widest   the widest window that may be asked for
    at_once  so many records are listed without counting halves first
    """

    stream: str
    total: Callable[[Window], int | None]
    rows: Callable[[Window], Iterable[bytes]]
    restore: Callable[[str, list[bytes]], list[Task]]
    is_gone: Callable[[str], bool] | None = None
    widest: timedelta | None = None
    at_once: int = AT_ONCE


@runtime_checkable
class Audited(Protocol):
    """A source that can compare what it has with what we know."""

    def audit(self, audit: Audit, plan: Plan, extract: Extract, progress: Progress) -> None:
        """Run `audit` over the streams of this source. Raises MttrError."""
        ...


class Audit:
    """One run's comparison of one source.

    `covered` are the windows of creation that earlier pulls read completely; `budget` is how many requests it may cost,
    records that are landed again included; `postponed` is what the last run had no budget for: it comes first.
    """

    def __init__(
        self, known: Known, covered: Sequence[Window], budget: int, postponed: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._known = known
        self._covered = list(covered)
        self._budget = budget
        self._before = {stream: [Window.parse(key) for key in keys] for stream, keys in (postponed or {}).items()}
        self._postponed: dict[str, list[Window]] = {}
        self._one_by_one = threading.Lock()  # so that the budget is kept, and spent on the same windows in every run
        self._spent: Callable[[], int] = lambda: 0

    def run(self, runner: Runner, requests: Callable[[], int], seen_at: datetime, sides: Iterable[Side]) -> None:
        """Compare every side. `requests` counts those sent so far; `seen_at` is the clock of the run.

        `extract.facts["audit"]` takes what was left undone, for the next run.
        """
        start = requests()
        self._spent = lambda: requests() - start
        tasks = [self._task(runner, side, window, None, seen_at) for side in sides for window in self._windows(side)]
        runner.run(tasks)
        runner.extract.facts["audit"] = {
            "requests": self._spent(),
            "postponed": {
                stream: [window.key for window in sorted(windows)]
                for stream, windows in sorted(self._postponed.items())
            },
        }

    def _windows(self, side: Side) -> list[Window]:
        """What was postponed, then the rest from the newest on."""
        first = self._before.get(side.stream, [])
        rest = [gap for window in self._covered for gap in gaps(window, first)]
        if side.widest:
            rest = [piece for window in rest for piece in steps(window, side.widest)]
        return [*first, *sorted(rest, reverse=True)]

    def _task(self, runner: Runner, side: Side, window: Window, total: int | None, seen_at: datetime) -> Task:
        return Task(TOMBSTONES, lambda: self._compare(runner, side, window, total, seen_at))

    def _compare(self, runner: Runner, side: Side, window: Window, total: int | None, seen_at: datetime) -> list[Task]:
        """One window: the totals, then its halves or its ids. `total` when it follows from what was asked before."""
        with self._one_by_one:
            return self._compared(runner, side, window, total, seen_at)

    def _compared(self, runner: Runner, side: Side, window: Window, total: int | None, seen_at: datetime) -> list[Task]:
        if self._exhausted(side, window):
            return []
        ours = self._known.count(side.stream, window)
        if total is None:
            total = side.total(window)
        if total == ours:
            return []
        if max(total or 0, ours) > side.at_once and window.seconds > 1:
            left, right = split(window, 2)
            in_left = None if total is None else side.total(left)
            in_right = None if total is None or in_left is None else max(0, total - in_left)
            return [
                self._task(runner, side, right, in_right, seen_at),
                self._task(runner, side, left, in_left, seen_at),
            ]
        return self._list(runner, side, window, seen_at)

    def _list(self, runner: Runner, side: Side, window: Window, seen_at: datetime) -> list[Task]:
        theirs = {name: row for row in side.rows(window) if (name := row_id(row)) is not None}
        ours = self._known.ids(side.stream, window)
        missing = sorted(ours - theirs.keys())
        if not theirs and len(missing) >= SUSPICIOUS:
            runner.note("audit_answers_not_believed")  # rights withdrawn, or an index that is being rebuilt
            return []
        gone: list[str] = []
        for name in missing:
            if side.is_gone is not None:
                if len(gone) >= FURTHER and self._exhausted(side, window):
                    break
                if not side.is_gone(name):
                    runner.note("missing_from_the_list_only")
                    continue
            gone.append(name)
        if gone:
            runner.extract.land(
                TOMBSTONES, f"{side.stream} {window.key}", (tombstone(side.stream, name, seen_at) for name in gone)
            )
            runner.note(f"{side.stream}_deleted_at_source", len(gone))
        lacking = theirs.keys() - ours - self._known.rejected(side.stream)
        if not lacking:
            return []
        runner.note(f"{side.stream}_missed_before", len(lacking))
        return side.restore(f"audit {window.key}", [theirs[name] for name in sorted(lacking)])

    def _exhausted(self, side: Side, window: Window) -> bool:
        """Whether the budget is spent; the window is then left to the next run."""
        if self._spent() < self._budget:
            return False
        windows = self._postponed.setdefault(side.stream, [])
        if window not in windows:
            windows.append(window)
        return True


def covered_windows(plans: Iterable[Mapping[str, Any]], scope: Mapping[str, Any], until: datetime) -> list[Window]:
    """The windows of creation, up to `until`, that complete pulls of the same scope read; joined where they meet."""
    read = []
    for plan in plans:
        if plan.get("scope", {}) == scope and plan.get("since") and plan.get("until"):
            since, end = (datetime.fromisoformat(plan[name]) for name in ("since", "until"))
            if since < min(end, until):
                read.append(Window(since, min(end, until)))
    joined: list[Window] = []
    for window in sorted(read):
        if joined and window.since <= joined[-1].until:
            joined[-1] = Window(joined[-1].since, max(joined[-1].until, window.until))
        else:
            joined.append(window)
    return joined
