"""Run the tasks of one extract on a bounded pool of threads, and count what they notice.

A task lands one window of one stream and may return further tasks: the parts of a window that was too full, the child
records of a window that is landed. Follow-up tasks run first, so that the number of waiting tasks does not grow with the
history. What does not belong here: HTTP, vendors.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from mttr_pipeline.landing.store import TOMBSTONES, Extract, tombstone
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.kit.failures import HttpRefused, Stopped
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.paging import (
    TARGET_ROWS,
    EndlessListing,
    Page,
    ReadResult,
    TooManyRows,
    UnstableListing,
    read_all,
)
from mttr_pipeline.sources.kit.windows import Window, gaps, split, split_for, steps

INTERRUPTED_SECONDS = 2.0  # that the threads have to end after a signal
FEW = 2  # threads that a pull begins with
LOOK_SECONDS = 0.1  # between two looks whether more threads make sense
BUSY = 0.3  # CPU seconds a second, of all threads of the pull, from which on they do not
HALF_PAGE = 50  # records per window of a listing that is unstable: they fit on one page with room to spare


@dataclass(frozen=True)
class Task:
    """`work` lands one window of `stream` and returns the tasks that follow from it."""

    stream: str
    work: Callable[[], Iterable[Task]]


class Runner:
    """The tasks and counters of one extract; safe to use from many threads.

    The counters are kept in `extract.facts["counts"]` and, for listings that lack rows, `extract.facts["count_differences"]`.
    """

    def __init__(self, extract: Extract, client: HttpClient, connections: int, progress: Progress) -> None:
        self.extract = extract
        self._client = client
        self._connections = connections
        self._progress = progress
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter(extract.facts.get("counts", {}))
        self._missing: dict[str, set[str]] = {}
        self._differences: list[dict[str, Any]] = list(extract.facts.get("count_differences", []))

    # -- counters -----------------------------------------------------------------------------------------------

    def count(self, name: str, n: int = 1) -> None:
        """Add to a counter that ends in the manifest and in the data quality table, e.g. `teams_not_in_plan`."""
        if n:
            with self._lock:
                self._counts[name] += n

    def reconcile(self, stream: str, key: str, result: ReadResult) -> None:
        """Record the duplicates of a read listing, and the rows it lacks compared with the vendor's total."""
        self.count(f"{stream}_repeats", result.repeats)
        if result.expected is not None and result.rows < result.expected:
            with self._lock:
                self._differences.append(
                    {"stream": stream, "window": key, "expected": result.expected, "received": result.rows}
                )

    def save(self) -> None:
        """Write the counters into the extract's facts. `run` does it at its end."""
        with self._lock:
            self.extract.facts["counts"] = dict(sorted(self._counts.items()))
            if self._differences:
                self.extract.facts["count_differences"] = self._differences

    # -- records that are gone ----------------------------------------------------------------------------------

    def report_missing(self, stream: str, record_id: str) -> None:
        """Note that the vendor does not know a record that it listed before. See `write_tombstones`."""
        self.count("deleted_between_list_and_detail")
        with self._lock:
            self._missing.setdefault(stream, set()).add(record_id)

    def read_each(
        self, stream: str, record_ids: Iterable[str], read: Callable[[str], Iterable[bytes]]
    ) -> Iterator[bytes]:
        """What `read` returns for each record of `stream`. A record with status 404 is reported missing and skipped.

        Raises what `read` raises otherwise.
        """
        for record_id in record_ids:
            try:
                yield from read(record_id)
            except HttpRefused as error:
                if error.status != 404:
                    raise
                self.report_missing(stream, record_id)

    def write_tombstones(self, seen_at: datetime, is_deleted: Callable[[str, str], bool]) -> None:
        """Land a tombstone for each missing record that `is_deleted(stream, id)` confirms.

        The record itself is asked for, because the 404 may have concerned a child of it that this account does not have.
        """
        for stream, record_ids in sorted(self._missing.items()):
            deleted = [name for name in sorted(record_ids) if surely_deleted(partial(is_deleted, stream), name)]
            if deleted:
                key = f"{stream} read {len(self.extract.windows(TOMBSTONES))}"
                self.extract.land(TOMBSTONES, key, (tombstone(stream, record_id, seen_at) for record_id in deleted))
        self._missing.clear()

    # -- landing ------------------------------------------------------------------------------------------------

    def land_pages(
        self,
        stream: str,
        key: str,
        page: Callable[[int], Page],
        *,
        keep: Callable[[bytes], bool] | None = None,
        ceiling: int | None = None,
        split_above: int | None = None,
        can_split: bool = False,
    ) -> None:
        """Land a listing that is paged by offset as the window `key`, and reconcile it with the vendor's total.

        `keep` decides which rows are landed. The other parameters, and what is raised, are those of `read_all`.
        """
        with self.extract.writing(stream, key) as write:
            result = read_all(
                page,
                write.many if keep is None else lambda rows: write.many(list(filter(keep, rows))),
                ceiling=ceiling,
                split_above=split_above,
                can_split=can_split,
            )
        self.reconcile(stream, key, result)

    def window_tasks(
        self,
        stream: str,
        kind: str,
        whole: Window,
        land: Callable[[Window, str], list[Task]],
        *,
        widest: timedelta | None = None,
        target: int = TARGET_ROWS,
    ) -> Iterator[Task]:
        """Tasks for the parts of `whole` that are not landed yet, in windows of at most `widest`.

        `land` lands one window under a key that begins with `kind`, and returns the tasks that follow. When it raises
        TooManyRows, the window is split so that each part holds about `target` rows.
        """
        prefix = f"{kind} "
        keys = self.extract.windows(stream)
        done = [Window.parse(key.removeprefix(prefix)) for key in keys if key.startswith(prefix)]
        for gap in gaps(whole, done):
            for window in steps(gap, widest) if widest else [gap]:
                yield self._window_task(stream, kind, window, land, target)

    def _window_task(
        self,
        stream: str,
        kind: str,
        window: Window,
        land: Callable[[Window, str], list[Task]],
        target: int,
        whole: _Whole | None = None,
        generation: int = 0,
    ) -> Task:
        def work() -> list[Task]:
            try:
                return land(window, f"{kind} {window.key}")
            except TooManyRows as error:
                if whole is not None:
                    whole.count_part(generation, error.total)
                top = whole or (None if error.total is None else _Whole(error.total))
                return [
                    self._window_task(stream, kind, part, land, target, top, generation + 1)
                    for part in parts_for(window, error, target)
                ]

        return Task(stream, work)

    # -- running ------------------------------------------------------------------------------------------------

    def run(self, tasks: Iterable[Task]) -> None:
        """Run the tasks and all that follow from them. The first failure stops the others and is raised."""
        waiting = deque(tasks)
        total = Counter(task.stream for task in waiting)
        done: Counter[str] = Counter()
        running: dict[Future[list[Task]], Task] = {}
        pool = ThreadPoolExecutor(self._connections, thread_name_prefix=self.extract.source)
        threads = _Threads(self._client, self._connections)
        try:
            while waiting or running:
                while waiting and len(running) < threads.wanted:
                    task = waiting.popleft()
                    running[pool.submit(_work, task)] = task
                finished, _ = wait(running, timeout=LOOK_SECONDS if waiting else None, return_when=FIRST_COMPLETED)
                threads.look()
                failures = [(error, running[future]) for future in finished if (error := future.exception())]
                if failures:
                    raise self._explained(*min(failures, key=lambda failure: isinstance(failure[0], Stopped)))
                for future in finished:
                    stream = running.pop(future).stream
                    more = future.result()
                    waiting.extendleft(reversed(more))
                    total.update(task.stream for task in more)
                    done[stream] += 1
                    self._progress.update(
                        self.extract.source, stream, done[stream], total[stream], self.extract.landed(stream)
                    )
        except BaseException as error:
            self._client.stop()  # ends the waits of the threads that are about to retry
            if not isinstance(
                error, Exception
            ):  # a signal; a connection that is being made is left, because nothing ends it
                self._client.hang_up()
                pool.shutdown(wait=False, cancel_futures=True)
                wait(running, timeout=INTERRUPTED_SECONDS)
                running.clear()
            raise
        finally:
            pool.shutdown(wait=bool(running), cancel_futures=True)
            self.save()

    def _explained(self, error: BaseException, task: Task) -> BaseException:
        """The failure of a task; that of a listing says whose and which it is."""
        if not isinstance(error, EndlessListing):
            return error
        explained = EndlessListing(
            f"{self._client.title}: the paging of {task.stream} does not end ({error}), so the pull is incomplete; what was landed "
            "is kept, nothing counts as deleted, and the next run goes on from there. Report this if it happens again."
        )
        explained.__cause__ = error
        return explained


class _Threads:
    """How many threads make sense: few at first, and as many as connections are allowed once these mostly waited.

    Where a vendor answers faster than Python works, more of them only take its lock from each other: eight threads take a third more
    CPU seconds for the same pages than two.
    """

    def __init__(self, client: HttpClient, most: int) -> None:
        self.wanted = min(FEW, most)
        self._client, self._most = client, most
        self._looked, self._worked = time.monotonic(), client.cpu_seconds

    def look(self) -> None:
        """How much the threads worked since the last look."""
        seconds = time.monotonic() - self._looked
        if seconds >= LOOK_SECONDS:
            if self._client.cpu_seconds - self._worked < BUSY * seconds:
                self.wanted = self._most
            self._looked, self._worked = time.monotonic(), self._client.cpu_seconds


class _Whole:
    """A window that was split, with the vendor's total. A vendor that ignores the window counts all rows in each of its parts."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._of_parts: Counter[int] = (
            Counter()
        )  # generation (parts, parts of parts, ...) -> rows of those that were split
        self._lock = threading.Lock()

    def count_part(self, generation: int, total: int | None) -> None:
        """A part is split too. Raises EndlessListing when the parts of one generation have more than twice the rows of the whole."""
        with self._lock:
            self._of_parts[generation] += total or 0
            if self._of_parts[generation] > 2 * self._total + TARGET_ROWS:  # some records came meanwhile
                raise EndlessListing(
                    f"some parts of a window have {self._of_parts[generation]:,} rows together where the whole has {self._total:,}"
                )


def parts_for(window: Window, error: TooManyRows, target: int = TARGET_ROWS) -> list[Window]:
    """The parts of a window that was too full, each with about `target` rows as far as the vendor's total tells.

    The parts of an unstable listing fit on one page. Raises PermanentError for a window of one second.
    """
    if error.total is None:
        return split(window, 2)
    return split_for(window, error.total, HALF_PAGE if isinstance(error, UnstableListing) else target)


def surely_deleted(is_deleted: Callable[[str], bool], record_id: str) -> bool:
    """Whether a record is deleted. One that this account may not read (status 403) exists."""
    try:
        return is_deleted(record_id)
    except HttpRefused as error:
        if error.status != 403:
            raise
        return False


def _work(task: Task) -> list[Task]:
    return list(task.work())
