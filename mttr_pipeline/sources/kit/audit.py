"""Find records that the vendor has deleted: compare counts per window of creation, then ids, within a request budget.

No vendor lists its deleted records. After an incremental pull, the audit compares the windows that earlier pulls read
completely. Where the vendor's total equals our count, the window is done. Otherwise the window is halved until it is
small enough to list, and the ids are compared. A record that only we have becomes a line of the stream `tombstones`,
`{"stream", "id", "seen_missing_at"}`. A record that only the vendor has is landed. A record that is landed again after
its tombstone counts as existing again, so a listing that was incomplete for one night corrects itself.

A record that is not listed need not be deleted: it may be archived, or this account may have lost the right to see it. So some of
the missing records are asked for by their id. Those that still exist, and those that nothing is known of, stay, and are counted
by group (such as a project) in `extract.facts["out_of_sight"]`.

What belongs here: the comparison and its budget. What does not: HTTP, vendors, where our records are stored.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

from mttr_pipeline.landing.store import TOMBSTONES, Extract, tombstone
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.kit.paging import EndlessListing, TooManyRows, row_id
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.runner import Runner, Task, surely_deleted
from mttr_pipeline.sources.kit.windows import Window, gaps, split, steps

LIST_UP_TO = 500  # records of a window that is listed instead of halved: five pages cost no more than more counts
CONFIRM_BEYOND_BUDGET = (
    10  # deletions confirmed after the budget is spent, so that a window in progress yields something
)
ASKED_FIRST = 5  # missing records of one group that are asked for by their id
SUSPICIOUS_DELETIONS = 20  # missing records from which an empty listing is not trusted


class LoadedRecords(Protocol):
    """The records of one source that we have loaded, without the deleted ones. Safe to use from many threads."""

    def count(self, stream: str, window: Window) -> int:
        """How many records of the stream were created in the window."""
        ...

    def ids(self, stream: str, window: Window) -> AbstractSet[str]:
        """The ids of those records."""
        ...

    def groups(self, stream: str, column: str, window: Window) -> Mapping[str, str]:
        """The value of a column of those records, by id."""
        ...

    def rejected(self, stream: str) -> AbstractSet[str]:
        """The ids of records in quarantine: they are not missing, and landing them again does not help."""
        ...


@dataclass(frozen=True)
class AuditStream:
    """How to ask the vendor about one stream.

    stream      its name
    total       the vendor's exact count of a window, None where it has none
    rows        every record of a window; each needs only an `id`. TooManyRows and EndlessListing mean that some may be missing
    restore     lands the records that we lack, under a key within the stream; returns the tasks that follow
    is_deleted  asks for one record by its id, a stronger proof than a listing
    gone        asks for a few records of one group by their ids, where that takes more than `is_deleted`: those of them that
                exist no more, or are not selected any more; the flag says whether the list still shows others of the group
    sees_group  whether this account still sees a group (a service, say) of which the list shows no record. Where a vendor answers
                404 for what is deleted and for what this account may not see, only that tells which of the two it is
    grouped_by  the column of the raw table whose value a group has in common
    widest      the widest window that may be asked for
    list_up_to  records of a window that is listed instead of halved

    What `gone` says of some members of a group holds for all of them. Without it and `is_deleted` the listing is proof enough.
    """

    stream: str
    total: Callable[[Window], int | None]
    rows: Callable[[Window], Iterable[bytes]]
    restore: Callable[[str, list[bytes]], list[Task]]
    is_deleted: Callable[[str], bool] | None = None
    gone: Callable[[str, list[str], bool], list[str]] | None = None
    sees_group: Callable[[str], bool] | None = None
    grouped_by: str = ""
    widest: timedelta | None = None
    list_up_to: int = LIST_UP_TO


@runtime_checkable
class AuditableSource(Protocol):
    """A source that can compare its records with ours."""

    def audit(self, audit: Audit, plan: Plan, extract: Extract, progress: Progress) -> None:
        """Run `audit` over the streams of this source. Raises MttrError."""
        ...


class Audit:
    """The comparison of one source in one run.

    loaded     our records
    covered    the windows of creation that earlier pulls read completely (see `covered_windows`)
    budget     the most requests that the audit may cost, landing the records that we lack included
    postponed  stream -> keys of the windows that the last run had no budget for: they come first
    """

    def __init__(
        self,
        loaded: LoadedRecords,
        covered: Sequence[Window],
        budget: int,
        postponed: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._loaded = loaded
        self._covered = list(covered)
        self._budget = budget
        self._left_over = {stream: [Window.parse(key) for key in keys] for stream, keys in (postponed or {}).items()}
        self._postponed: dict[str, list[Window]] = {}
        self._out_of_sight: Counter[str] = Counter()
        self._one_by_one = threading.Lock()  # keeps the budget exact, and spends it on the same windows in every run
        self._spent: Callable[[], int] = lambda: 0

    def run(
        self, runner: Runner, requests: Callable[[], int], seen_at: datetime, streams: Iterable[AuditStream]
    ) -> None:
        """Compare every stream. Raises MttrError.

        `requests` returns how many requests the source has sent; `seen_at` is the clock of the run, for the tombstones.
        `extract.facts["audit"]` keeps the windows that the budget did not reach, for the next run.
        """
        start = requests()
        self._spent = lambda: requests() - start
        tasks = [
            self._task(runner, stream, window, None, seen_at) for stream in streams for window in self._windows(stream)
        ]
        runner.run(tasks)
        runner.extract.facts["audit"] = {
            "requests": self._spent(),
            "postponed": {
                stream: [window.key for window in sorted(windows)]
                for stream, windows in sorted(self._postponed.items())
            },
        }
        runner.extract.facts["out_of_sight"] = dict(sorted(self._out_of_sight.items()))

    def _windows(self, stream: AuditStream) -> list[Window]:
        """The postponed windows first, then the others, newest first."""
        first = self._left_over.get(stream.stream, [])
        rest = [gap for window in self._covered for gap in gaps(window, first)]
        if stream.widest:
            rest = [piece for window in rest for piece in steps(window, stream.widest)]
        return [*first, *sorted(rest, reverse=True)]

    def _task(self, runner: Runner, stream: AuditStream, window: Window, total: int | None, seen_at: datetime) -> Task:
        def work() -> list[Task]:
            with self._one_by_one:
                return self._compare(runner, stream, window, total, seen_at)

        return Task(TOMBSTONES, work)

    def _compare(
        self, runner: Runner, stream: AuditStream, window: Window, total: int | None, seen_at: datetime
    ) -> list[Task]:
        """One window: the counts, then its halves or its ids. `total` is the vendor's count where it is known already."""
        if self._exhausted(stream, window):
            return []
        ours = self._loaded.count(stream.stream, window)
        if total is None:
            total = stream.total(window)
        if total == ours:
            return []
        if max(total or 0, ours) > stream.list_up_to and window.seconds > 1:
            left, right = split(window, 2)
            in_left = None if total is None else stream.total(left)
            in_right = None if total is None or in_left is None else max(0, total - in_left)
            return [
                self._task(runner, stream, right, in_right, seen_at),
                self._task(runner, stream, left, in_left, seen_at),
            ]
        return self._compare_ids(runner, stream, window, seen_at)

    def _compare_ids(self, runner: Runner, stream: AuditStream, window: Window, seen_at: datetime) -> list[Task]:
        try:
            theirs = {name: row for row in stream.rows(window) if (name := row_id(row)) is not None}
        except (TooManyRows, EndlessListing):  # not whole: what it lacks may be there all the same
            runner.count("audit_answers_not_believed")
            return []
        ours = self._loaded.ids(stream.stream, window)
        missing = sorted(ours - theirs.keys())
        is_suspicious = not theirs and len(missing) >= SUSPICIOUS_DELETIONS
        if is_suspicious:  # permissions were withdrawn, or an index is being rebuilt
            runner.count("audit_answers_not_believed")
            if stream.gone is None:
                return []
        deleted = [] if not missing else self._confirmed(stream, window, missing, theirs.keys())
        if is_suspicious:
            return []
        if deleted:
            runner.extract.land(
                TOMBSTONES,
                f"{stream.stream} {window.key}",
                (tombstone(stream.stream, record_id, seen_at) for record_id in deleted),
            )
            runner.count(f"{stream.stream}_deleted_at_source", len(deleted))
        lacking = theirs.keys() - ours - self._loaded.rejected(stream.stream)
        if not lacking:
            return []
        runner.count(f"{stream.stream}_missed_before", len(lacking))
        return stream.restore(f"audit {window.key}", [theirs[record_id] for record_id in sorted(lacking)])

    def _confirmed(
        self, stream: AuditStream, window: Window, missing: list[str], listed: AbstractSet[str]
    ) -> list[str]:
        """Those of the missing records that are deleted; the others are counted as out of sight."""
        if stream.gone is None and stream.is_deleted is None:
            return missing
        groups = self._loaded.groups(stream.stream, stream.grouped_by, window) if stream.grouped_by else {}
        members: dict[str, list[str]] = {}
        for record_id in missing:
            members.setdefault(groups.get(record_id, ""), []).append(record_id)
        shown = {groups.get(record_id, "") for record_id in listed}
        deleted: list[str] = []
        for group, ids in sorted(members.items()):
            if stream.gone is not None:
                found = self._gone_of_group(stream.gone, group, ids, group in shown)
            elif group and group not in shown and stream.sees_group is not None and not stream.sees_group(group):
                self._out_of_sight[group] += len(ids)
                found = []
            else:
                found = self._asked_one_by_one(stream, window, ids, len(deleted))
            deleted += found
        return deleted

    def _gone_of_group(
        self, gone: Callable[[str, list[str], bool], list[str]], group: str, ids: list[str], is_shown: bool
    ) -> list[str]:
        """Ask for a few; when all of them are gone, all others are taken for gone too."""
        asked = _spread(ids)
        found = gone(group, asked, is_shown)
        if len(found) == len(asked):
            return ids
        self._out_of_sight[group] += len(ids) - len(found)
        return found

    def _asked_one_by_one(self, stream: AuditStream, window: Window, ids: list[str], before: int) -> list[str]:
        """Ask for every one, the spread first: when none of those is deleted, something else hides them all."""
        assert stream.is_deleted is not None
        first = _spread(ids)
        deleted: list[str] = []
        asked = 0
        for record_id in [*first, *sorted(set(ids) - set(first))]:
            if before + len(deleted) >= CONFIRM_BEYOND_BUDGET and self._exhausted(stream, window):
                break
            if surely_deleted(stream.is_deleted, record_id):
                deleted.append(record_id)
            asked += 1
            if asked == len(first) and not deleted:
                asked = len(ids)
                break
        if asked > len(deleted):
            self._out_of_sight[""] += asked - len(deleted)
        return deleted

    def _exhausted(self, stream: AuditStream, window: Window) -> bool:
        """Whether the budget is spent; the window is then postponed to the next run."""
        if self._spent() < self._budget:
            return False
        windows = self._postponed.setdefault(stream.stream, [])
        if window not in windows:
            windows.append(window)
        return True


def _spread(ids: list[str]) -> list[str]:
    """A few of many, from the first to the last."""
    step = max(1, -(-len(ids) // ASKED_FIRST))
    return ids[::step]


def covered_windows(plans: Iterable[Mapping[str, Any]], scope: Mapping[str, Any], until: datetime) -> list[Window]:
    """The windows of creation, up to `until`, that complete pulls of the same scope read; adjacent ones are joined.

    `plans` are those of the complete extracts, as JSON.
    """
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
