"""Runs the tasks of one extract on a bounded pool of threads and counts what they did.

A task lands one window of one stream and may return further tasks (the pieces of a window that was too full, the child
records of a window that is landed). Children go first, so that the number of waiting tasks does not grow with the
history. What does not belong here: HTTP, vendors.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mttr_pipeline.landing.store import TOMBSTONES, Extract, tombstone
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.kit.http import HttpClient, Stopped
from mttr_pipeline.sources.kit.paging import TARGET, Counted, TooMany, Unsettled
from mttr_pipeline.sources.kit.windows import Window, split, split_for

HALF_PAGE = 50


@dataclass(frozen=True)
class Task:
    """`work` lands one window of `stream` and gives the tasks that follow from it."""

    stream: str
    work: Callable[[], Iterable[Task]]


class Runner:
    """One extract's tasks and counters. `extract.facts["counts"]` takes the counters when the run ends."""

    def __init__(self, extract: Extract, client: HttpClient, connections: int, progress: Progress) -> None:
        self.extract = extract
        self._client = client
        self._connections = connections
        self._progress = progress
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter(extract.facts.get("counts", {}))
        self._gone: dict[str, set[str]] = {}
        self._differences: list[dict[str, Any]] = list(extract.facts.get("count_differences", []))

    def note(self, name: str, n: int = 1) -> None:
        """Count something that a reader of the manifest should know, e.g. `deleted_between_list_and_detail`."""
        if n:
            with self._lock:
                self._counts[name] += n

    def gone(self, stream: str, name: str) -> None:
        """A record that was listed was refused as unknown when it was asked for singly."""
        self.note("deleted_between_list_and_detail")
        with self._lock:
            self._gone.setdefault(stream, set()).add(name)

    def bury(self, seen_at: datetime, is_gone: Callable[[str, str], bool]) -> None:
        """Land tombstones of the records that `gone` was told, after asking for each itself once more.

        Only a child of it may be missing: an account without timelines has no incident less for that.
        """
        for stream, names in sorted(self._gone.items()):
            dead = [name for name in sorted(names) if is_gone(stream, name)]
            if dead:
                key = f"{stream} read {len(self.extract.windows(TOMBSTONES))}"
                self.extract.land(TOMBSTONES, key, (tombstone(stream, name, seen_at) for name in dead))
        self._gone.clear()

    def reconcile(self, stream: str, window: str, counted: Counted) -> None:
        """Keep the repeats that were dropped, and a difference to the vendor's own total that rereading left."""
        self.note(f"{stream}_repeats", counted.repeats)
        if counted.expected is not None and counted.rows < counted.expected:
            with self._lock:
                self._differences.append(
                    {"stream": stream, "window": window, "expected": counted.expected, "received": counted.rows}
                )

    def run(self, tasks: Iterable[Task]) -> None:
        """Run the tasks and all that follow from them. The first failure stops the others and is raised."""
        waiting = deque(tasks)
        total = Counter(task.stream for task in waiting)
        done: Counter[str] = Counter()
        running: dict[Future[list[Task]], Task] = {}
        pool = ThreadPoolExecutor(self._connections, thread_name_prefix=self.extract.source)
        try:
            while waiting or running:
                while waiting and len(running) < self._connections:
                    task = waiting.popleft()
                    running[pool.submit(_work, task)] = task
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                failures = [error for future in finished if (error := future.exception())]
                if failures:
                    raise next((error for error in failures if not isinstance(error, Stopped)), failures[0])
                for future in finished:
                    stream = running.pop(future).stream
                    more = future.result()
                    waiting.extendleft(reversed(more))
                    total.update(task.stream for task in more)
                    done[stream] += 1
                    self._progress.update(
                        self.extract.source, stream, done[stream], total[stream], self.extract.landed(stream)
                    )
        except BaseException:
            self._client.stop()  # wakes the threads that wait for a retry
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            self.save()

    def save(self) -> None:
        """Write the counters into the extract's facts."""
        with self._lock:
            self.extract.facts["counts"] = dict(sorted(self._counts.items()))
            if self._differences:
                self.extract.facts["count_differences"] = self._differences


def pieces_for(window: Window, error: TooMany, target: int = TARGET) -> list[Window]:
    """How to cut a window that was too full (by the total), or whose rows would not stand still (into single pages)."""
    if error.total is None:
        return split(window, 2)
    return split_for(window, error.total, HALF_PAGE if isinstance(error, Unsettled) else target)


def _work(task: Task) -> list[Task]:
    return list(task.work())
