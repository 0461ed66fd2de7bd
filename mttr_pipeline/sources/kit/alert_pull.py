"""What pulling Opsgenie and JSM Operations has in common: windows by creation, then the child records of what changed.

What does not belong here: paths, parameters, envelopes, and how late changes are found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.errors import PermanentError
from mttr_pipeline.landing.store import Extract, wrap_child
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.kit.alert_search import AlertSearch, stamp
from mttr_pipeline.sources.kit.audit import Audit, Side
from mttr_pipeline.sources.kit.http import HttpClient, HttpRefused
from mttr_pipeline.sources.kit.paging import Page, TokenLoop, TooMany, read_all, read_by_token, row_id
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.runner import Runner, Task, pieces_for
from mttr_pipeline.sources.kit.windows import Window, gaps

Reader = Callable[[str], Iterable[bytes]]

CHUNK = 25  # parents per file of child records
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
OVERLAP = timedelta(hours=1)  # changes that the search index learns late


class Kind(NamedTuple):
    """Why a window is read: the word for it in its key, since when its rows changed, what else they must fulfil."""

    word: str
    changed_since: datetime | None = None
    also: str = ""


class AlertPull:
    """One extract under way."""

    vendor = ""

    def __init__(
        self, client: HttpClient, options: SourceOptions, plan: Plan, extract: Extract, progress: Progress
    ) -> None:
        self._client = client
        self._plan = plan
        self._extract = extract
        self._runner = Runner(extract, client, options.connections, progress)
        since = plan.since
        if plan.incremental:
            since -= max(timedelta(0), OVERLAP - timedelta(minutes=options.lag_minutes))
        self._changed_since = since
        self._covered = Window(min(plan.covered_since or plan.since, plan.until), plan.until)
        # Changed records are cut up by creation, which never changes: a record that keeps changing cannot slip from
        # window to window, nor past an upper end
        self._ever = Window(min(EPOCH, plan.until), plan.until)
        self._created = Kind("created")
        self._changed = Kind("changed", since)

    # -- what a vendor says --------------------------------------------------------------------------------------

    def _search(self, stream: str) -> AlertSearch:
        raise NotImplementedError

    def _readers(self, stream: str) -> dict[str, Reader]:
        """Child stream -> how it is read for one record of `stream`."""
        raise NotImplementedError

    @property
    def _ceiling(self) -> int:
        """How far offset + page size reach."""
        raise NotImplementedError

    @property
    def _target(self) -> int:
        """How many rows a window should hold."""
        raise NotImplementedError

    def _count(self, stream: str, window: Window, kind: Kind) -> int | None:
        """How many rows a window has, asked before it is read; None where the pages say so themselves."""
        return None

    def _is_gone(self, stream: str, name: str) -> bool:
        """Whether one record, asked for singly, does not exist any more."""
        raise NotImplementedError

    # -- what was deleted ---------------------------------------------------------------------------------------

    def audit(self, audit: Audit, streams: Iterable[str]) -> None:
        """Compare records by creation, as far as the account's search can."""
        lacking = self._extract.facts.get("counts", {})
        sides = [
            self._side(stream)
            for stream in streams
            if self._search(stream).encodings.get("createdAt") and f"{stream}_not_in_plan" not in lacking
        ]
        audit.run(self._runner, lambda: self._client.requests, self._plan.as_of, sides)
        self._runner.bury(self._plan.as_of, self._is_gone)

    def _side(self, stream: str) -> Side:
        search = self._search(stream)

        def total(window: Window) -> int | None:
            counted = self._count(stream, window, self._created)
            return search.checked_page(window, None, 0).total if counted is None else counted

        def rows(window: Window) -> list[bytes]:
            found: list[bytes] = []
            read_all(lambda offset: search.checked_page(window, None, offset), found.append, ceiling=self._ceiling)
            # whether the end of a range is included is not documented everywhere
            return [row for row in found if (at := stamp(row, "createdAt")) is None or at < window.until]

        def restore(key: str, rows: list[bytes]) -> list[Task]:
            if not self._extract.has(stream, key):
                self._extract.land(stream, key, rows)
            return self._children(stream, key)

        return Side(stream, total, rows, restore, lambda name: self._is_gone(stream, name))

    # -- windows ------------------------------------------------------------------------------------------------

    def _windows(self, stream: str, kind: Kind, whole: Window) -> Iterator[Task]:
        """Tasks for the parts of `whole` that are not landed yet, each as wide as it is: the count comes first."""
        prefix = f"{kind.word} "
        done = [Window.parse(k.removeprefix(prefix)) for k in self._extract.windows(stream) if k.startswith(prefix)]
        for gap in gaps(whole, done):
            yield self._window(stream, kind, gap)

    def _window(self, stream: str, kind: Kind, window: Window) -> Task:
        search = self._search(stream)
        key = f"{kind.word} {window.key}"
        divisible = window.seconds > 1
        fits = self._target if divisible else self._ceiling

        def page(offset: int) -> Page:
            total = self._count(stream, window, kind) if offset == 0 else None
            if total is not None and (total == 0 or total > fits):
                return Page([], False, total)
            got = search.checked_page(window, kind.changed_since, offset, kind.also)
            return got if total is None else got._replace(total=total)

        def work() -> list[Task]:
            try:
                with self._extract.writing(stream, key) as write:
                    counted = read_all(page, write, ceiling=self._ceiling, fits=fits, divisible=divisible)
            except TooMany as error:
                return [self._window(stream, kind, piece) for piece in pieces_for(window, error)]
            self._runner.reconcile(stream, key, counted)
            return self._children(stream, key)

        return Task(stream, work)

    def _whole_list(self, stream: str, path: str) -> list[Task]:
        """All records of a stream without any search."""
        try:
            with self._extract.writing(stream, "all") as write:
                counted = read_all(lambda offset: self._search(stream).page(None, offset), write, ceiling=self._ceiling)
        except TooMany as error:
            raise self._too_many(path) from error
        self._runner.reconcile(stream, "all", counted)
        return self._children(stream, "all")

    def _too_many(self, path: str) -> PermanentError:
        return PermanentError(
            f"{self.vendor}: {path} lists more than the {self._ceiling} rows its paging reaches and cannot be cut up; "
            "ask Atlassian for an export."
        )

    # -- child records ------------------------------------------------------------------------------------------

    def _resume(self, stream: str, key: str) -> Task:
        """A window that an earlier attempt landed, maybe without all of its child records."""
        return Task(stream, lambda: self._children(stream, key))

    def _children(self, stream: str, key: str) -> list[Task]:
        """Tasks for the child records of a landed window that are not landed yet, in files of some parents each."""
        ids = list(dict.fromkeys(self._parents(stream, key)))
        return [
            self._child_task(stream, child, f"{key} {start}", ids[start : start + CHUNK], read)
            for start in range(0, len(ids), CHUNK)
            for child, read in self._readers(stream).items()
            if not self._extract.has(child, f"{key} {start}")
        ]

    def _parents(self, stream: str, key: str) -> Iterator[str]:
        """The ids of the rows of a landed window whose child records may have changed."""
        for row in self._extract.read(stream, key):
            name = row_id(row)
            known = self._plan.incremental and not key.startswith("audit ")
            at = stamp(row, "updatedAt") if known else None
            if name is not None and (at is None or at >= self._last_read(key)):
                yield name

    def _last_read(self, key: str) -> datetime:
        """The instant up to which we know the child records of a window's rows."""
        return self._changed_since

    def _child_task(self, stream: str, child: str, key: str, ids: list[str], read: Reader) -> Task:
        def records() -> Iterator[bytes]:
            for name in ids:
                try:
                    yield from read(name)
                except HttpRefused as error:
                    if error.status != 404:
                        raise
                    self._runner.gone(stream, name)

        def work() -> list[Task]:
            self._extract.land(child, key, records())
            return []

        return Task(child, work)

    def _chained(
        self, path: str, parent: str, page: Callable[[str | None], tuple[list[bytes], str | None]]
    ) -> list[bytes]:
        """The logs or notes of one record, each wrapped with its id; `page` gives rows and where the next ones begin."""
        found: list[bytes] = []
        try:
            read_by_token(page, lambda row: found.append(wrap_child(parent, row)))
        except TokenLoop as error:
            raise PermanentError(f"{self.vendor}: the paging of {path} does not end ({error}); report this.") from error
        return found

    def _no_place(self, path: str) -> PermanentError:
        return PermanentError(f"{self.vendor}: {path} says that there is more but not where; report this.")
