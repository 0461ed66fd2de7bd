"""A base class for pulling alerts: read windows by creation, then the child records of the alerts that changed.

It serves the APIs that `alert_search` describes. What does not belong here: paths, parameters, response formats, and how
late changes are found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.errors import PermanentError
from mttr_pipeline.landing.store import Extract, wrap_child
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.kit.alert_search import AlertSearch, stamp
from mttr_pipeline.sources.kit.audit import AuditStream
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.paging import (
    TARGET_ROWS,
    Page,
    TokenPage,
    TooManyRows,
    read_by_token,
    read_whole,
    row_id,
)
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.pull import EPOCH, Pull
from mttr_pipeline.sources.kit.runner import Task
from mttr_pipeline.sources.kit.windows import Window

ChildReader = Callable[[str], Iterable[bytes]]  # the child records of the record with an id

PARENTS_PER_FILE = 25  # records whose child records are landed together


class Selection(NamedTuple):
    """Which rows of a window are read.

    kind           the first word of the window's key in the landing zone
    changed_since  only rows that changed since then; None: whenever they changed
    also           another condition, in the vendor's search language
    """

    kind: str
    changed_since: datetime | None = None
    also: str = ""


class AlertPull(Pull):
    """One extract under way. A subclass implements `run` and the methods up to the first heading."""

    audited_streams: tuple[str, ...] = ()
    rows_per_window = TARGET_ROWS

    def __init__(
        self, client: HttpClient, options: SourceOptions, plan: Plan, extract: Extract, progress: Progress
    ) -> None:
        super().__init__(client, options, plan, extract, progress)
        self._covered = Window(min(plan.covered_since or plan.since, plan.until), plan.until)
        # Changed records are read in windows of creation, which never changes: a record that changes again and again
        # cannot move from window to window, nor past an upper end.
        self._all_time = Window(min(EPOCH, plan.until), plan.until)
        self._created = Selection("created")
        self._changed = Selection("changed", self._changed_since)

    def _search(self, stream: str) -> AlertSearch:
        """The search of a stream's list."""
        raise NotImplementedError

    def _child_readers(self, stream: str) -> dict[str, ChildReader]:
        """Child stream -> how to read it for one record of `stream`."""
        raise NotImplementedError

    def _count(self, stream: str, window: Window, selection: Selection) -> int | None:
        """How many rows a window has, asked before it is read; None where the list itself gives a total."""
        return None

    # -- deleted records ----------------------------------------------------------------------------------------

    def _audit_streams(self) -> Iterable[AuditStream]:
        """The streams whose search knows the creation, so far as the account's plan includes them."""
        counts = self._extract.facts.get("counts", {})
        for stream in self.audited_streams:
            if self._search(stream).date_formats.get("createdAt") and f"{stream}_not_in_plan" not in counts:
                yield self._audit_stream(stream)

    def _audit_stream(self, stream: str) -> AuditStream:
        search = self._search(stream)

        def total(window: Window) -> int | None:
            counted = self._count(stream, window, self._created)
            return search.checked_page(window, None, 0).total if counted is None else counted

        def rows(window: Window) -> list[bytes]:
            found = read_whole(lambda offset: search.checked_page(window, None, offset), ceiling=search.ceiling)
            # it is not documented everywhere whether the end of a range is included
            return [row for row in found if (at := stamp(row, "createdAt")) is None or at < window.until]

        def restore(key: str, rows: list[bytes]) -> list[Task]:
            if not self._extract.has(stream, key):
                self._extract.land(stream, key, rows)
            return self._children(stream, key)

        return AuditStream(stream, total, rows, restore, lambda record_id: self._is_deleted(stream, record_id))

    # -- windows ------------------------------------------------------------------------------------------------

    def _windows(self, stream: str, selection: Selection, whole: Window) -> Iterator[Task]:
        """Tasks for the parts of `whole` that are not landed yet. Each part is read as one window if it holds few rows."""
        search = self._search(stream)

        def land(window: Window, key: str) -> list[Task]:
            can_split = window.seconds > 1
            most = self.rows_per_window if can_split else search.ceiling

            def page(offset: int) -> Page:
                total = self._count(stream, window, selection) if offset == 0 else None
                if total is not None and (total == 0 or total > most):
                    return Page([], False, total)
                got = search.checked_page(window, selection.changed_since, offset, selection.also)
                return got if total is None else got._replace(total=total)

            self._runner.land_pages(stream, key, page, ceiling=search.ceiling, split_above=most, can_split=can_split)
            return self._children(stream, key)

        return self._runner.window_tasks(stream, selection.kind, whole, land)

    def _full_list(self, stream: str, path: str) -> list[Task]:
        """Land all records of a stream without any search, as the window `all`."""
        search = self._search(stream)
        try:
            self._runner.land_pages(stream, "all", lambda offset: search.page(None, offset), ceiling=search.ceiling)
        except TooManyRows as error:
            raise self._listing_too_long(path, search.ceiling) from error
        return self._children(stream, "all")

    # -- child records ------------------------------------------------------------------------------------------

    def _resume(self, stream: str) -> list[Task]:
        """Tasks for the windows that an earlier attempt landed, perhaps without all of their child records."""

        def task(key: str) -> Task:
            return Task(stream, lambda: self._children(stream, key))

        return [task(key) for key in self._extract.windows(stream)]

    def _children(self, stream: str, key: str) -> list[Task]:
        """Tasks for the child records of a landed window that are not landed yet, some parents per file."""
        ids = list(dict.fromkeys(self._parents(stream, key)))
        return [
            self._child_task(stream, child, f"{key} {start}", ids[start : start + PARENTS_PER_FILE], read)
            for start in range(0, len(ids), PARENTS_PER_FILE)
            for child, read in self._child_readers(stream).items()
            if not self._extract.has(child, f"{key} {start}")
        ]

    def _parents(self, stream: str, key: str) -> Iterator[str]:
        """The ids of the rows of a landed window whose child records may have changed."""
        only_changed = self._plan.incremental and not key.startswith("audit ")
        for row in self._extract.read(stream, key):
            record_id = row_id(row)
            at = stamp(row, "updatedAt") if only_changed else None
            if record_id is not None and (at is None or at >= self._children_read_until(key)):
                yield record_id

    def _children_read_until(self, key: str) -> datetime:
        """The instant up to which earlier pulls have read the child records of a window's rows."""
        return self._changed_since

    def _child_task(self, stream: str, child: str, key: str, ids: list[str], read: ChildReader) -> Task:
        def work() -> list[Task]:
            self._extract.land(child, key, self._runner.read_each(stream, ids, read))
            return []

        return Task(child, work)

    def _chained(self, path: str, parent: str, page: Callable[[str | None], TokenPage]) -> list[bytes]:
        """The logs or notes of one record, each wrapped with the record's id. `page` is that of `read_by_token`."""
        found: list[bytes] = []
        read_by_token(page, found.extend)
        return [wrap_child(parent, row) for row in found]

    def _no_next_page(self, path: str) -> PermanentError:
        return PermanentError(
            f"{self._client.title}: {path} announces another page but not where it starts; report this."
        )
