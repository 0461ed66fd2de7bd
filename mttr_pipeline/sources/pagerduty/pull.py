"""PagerDuty REST v2: incidents, their log entries, services, teams, priorities.

`GET /incidents` filters on creation only and knows no "changed since", so a pull after the first reads three things,
all idempotent: the log-entry feed since the mark, which carries the current state of each incident it mentions
(`include[]=incidents`); the incidents that are open now; those created lately. Stamps are never taken from
`acknowledgements`, which is emptied by the resolve. Facts from the OpenAPI description at github.com/PagerDuty/
api-schema and developer.pagerduty.com/docs (pagination, rate limits, errors).

Streams: incidents, log_entries, services, teams, priorities; incident_fields when custom fields are mapped;
tombstones of incidents that are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

import msgspec

from mttr_pipeline.landing.store import Extract
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.audit import Audit, Side
from mttr_pipeline.sources.kit.http import HttpClient, HttpRefused
from mttr_pipeline.sources.kit.paging import TARGET, Page, Repeats, TooMany, read_all, row_id
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.runner import Runner, Task, pieces_for
from mttr_pipeline.sources.kit.windows import Window, gaps, iso, steps
from mttr_pipeline.sources.pagerduty import PagerDutyAccess, PagerDutyOptions

PAGE = 100  # the largest the list endpoints honour
CEILING = 10_000  # offset + limit of classic pagination
COUNTED = timedelta(days=180)  # windows of which only the total is asked
WIDEST = timedelta(days=60)  # /incidents gives nothing at all beyond six months
OVERLAP = timedelta(hours=1)  # log entries that were written late
CHUNK = 25  # incidents per file of single reads

_UTC = ("time_zone", "UTC")
_SORTED = ("sort_by", "incident_number:asc")  # the only order that is stable while incidents change


class _Entry(msgspec.Struct):
    incident: msgspec.Raw = msgspec.Raw(b"null")


class _Incident(msgspec.Struct):
    type: str = ""
    created_at: str | None = None


_ENTRY = msgspec.json.Decoder(_Entry)
_INCIDENT = msgspec.json.Decoder(_Incident)


class PagerDuty:
    """The source `pagerduty`."""

    name = "pagerduty"

    def __init__(self, access: PagerDutyAccess, options: PagerDutyOptions, **client: Any) -> None:
        token = access.token.get_secret_value()
        self.options = options
        self._client = HttpClient(
            access.url,
            "PagerDuty",
            options,
            headers={
                "Authorization": f"Token token={token}",
                "Accept": "application/vnd.pagerduty+json;version=2",
            },
            secrets=(token,),
            address_from="PAGERDUTY_API_URL",
            remedies={
                401: "check PAGERDUTY_TOKEN: it must be a REST API key of this account",
                402: "the account's plan lacks this ability",
                403: "the key in PAGERDUTY_TOKEN may not read this; use a read-only account key",
                404: "check PAGERDUTY_API_URL",
            },
            **client,
        )

    @property
    def scope(self) -> dict[str, Any]:
        return {"custom_fields": bool(self.options.fields)}

    @property
    def requests(self) -> int:
        return self._client.requests

    def check(self) -> str:
        """One page of one service, with the total."""
        page = self._page("/services", "services", [("limit", 1), ("total", "true")])
        return (
            f"ok: PagerDuty reachable at {self._client.host}, {page.total if page.total is not None else '?'} services"
        )

    def close(self) -> None:
        self._client.close()

    def extract(self, plan: Plan, extract: Extract, progress: Progress) -> None:
        _Pull(self._client, self.options, plan, extract, progress).run()

    def audit(self, audit: Audit, plan: Plan, extract: Extract, progress: Progress) -> None:
        _Pull(self._client, self.options, plan, extract, progress).audit(audit)

    def _page(self, path: str, name: str, params: list[tuple[str, Any]]) -> Page:
        return get_page(self._client, path, name, params)


class _Pull:
    """One extract under way."""

    def __init__(
        self, client: HttpClient, options: PagerDutyOptions, plan: Plan, extract: Extract, progress: Progress
    ) -> None:
        self._client = client
        self._options = options
        self._plan = plan
        self._extract = extract
        self._runner = Runner(extract, client, options.connections, progress)

    def run(self) -> None:
        plan = self._plan
        tasks = [
            *self._listing("services", "all", "/services", []),
            *self._listing("teams", "all", "/teams", []),
            *self._listing("priorities", "all", "/priorities", []),
        ]
        open_now = [("statuses[]", "triggered"), ("statuses[]", "acknowledged"), ("date_range", "all"), _UTC, _SORTED]
        tasks += self._listing("incidents", "open", "/incidents", open_now)
        if plan.incremental:
            since = plan.since - max(timedelta(0), OVERLAP - timedelta(minutes=self._options.lag_minutes))
            lookback = Window(min(plan.until - timedelta(days=self._options.lookback_days), plan.since), plan.until)
            tasks += self._windows("log_entries", "feed", Window(min(since, plan.until), plan.until), self._feed)
            tasks += self._windows("incidents", "created", lookback, self._created)
        else:
            tasks += self._windows("incidents", "created", plan.window, self._created)
            tasks += self._windows("log_entries", "logged", plan.window, self._logged)
        self._runner.run(tasks)
        if plan.incremental:
            self._runner.run(self._older_logs())
        if self._options.fields:
            self._runner.run(self._custom_fields())
        self._runner.bury(plan.as_of, lambda stream, name: self._is_gone(name))

    # -- what was deleted ---------------------------------------------------------------------------------------

    def audit(self, audit: Audit) -> None:
        """Compare incidents by creation; a deleted one takes its log entries with it."""
        incidents = Side("incidents", self._total, self._rows, self._restore, self._is_gone, widest=COUNTED)
        audit.run(self._runner, lambda: self._client.requests, self._plan.as_of, [incidents])
        self._runner.bury(self._plan.as_of, lambda stream, name: self._is_gone(name))

    def _total(self, window: Window) -> int | None:
        params = [*_range(window), _UTC, ("limit", 1), ("total", "true")]
        return get_page(self._client, "/incidents", "incidents", params).total

    def _rows(self, window: Window) -> list[bytes]:
        rows: list[bytes] = []
        read_all(self._pages("/incidents", "incidents", [*_range(window), _UTC, _SORTED]), rows.append, ceiling=CEILING)
        return rows

    def _is_gone(self, name: str) -> bool:
        try:
            self._client.get(f"/incidents/{name}", [_UTC], parse=envelope.fields)
        except HttpRefused as error:
            if error.status != 404:
                raise
            return True
        return False

    def _restore(self, key: str, rows: list[bytes]) -> list[Task]:
        if not self._extract.has("incidents", key):
            self._extract.land("incidents", key, rows)
        ids = [name for row in rows if (name := row_id(row))]
        tasks = [task for name in ids for task in self._whole_log(name)]
        if self._options.fields:
            tasks += self._fields_of_window(key)
        return tasks

    # -- whole lists --------------------------------------------------------------------------------------------

    def _listing(self, stream: str, key: str, path: str, params: list[tuple[str, Any]]) -> Iterable[Task]:
        """A list that is read as one: reference data and the open incidents."""
        if self._extract.has(stream, key):
            return
        end = iso(self._plan.until)

        def keep(row: bytes, land: Callable[[bytes], object]) -> None:
            if key == "open" and (_created_at(row) or "") >= end:
                self._runner.note("open_after_until")  # the list has no range; what came later is the next pull's
            else:
                land(row)

        def work() -> list[Task]:
            try:
                with self._extract.writing(stream, key) as land:
                    counted = read_all(self._pages(path, stream, params), lambda row: keep(row, land), ceiling=CEILING)
            except TooMany as error:
                raise HttpRefused(
                    f"PagerDuty: {path} lists more than the {CEILING} rows its pagination reaches; narrow the key's "
                    "account or ask PagerDuty for an export.",
                    400,
                ) from error
            except HttpRefused as error:
                if error.status == 402 and stream in ("teams", "priorities"):
                    self._runner.note(f"{stream}_not_in_plan")  # the account lacks the ability: it has none
                elif error.status == 404 and key.startswith("incident "):
                    self._runner.gone("incidents", key.removeprefix("incident "))
                else:
                    raise
                self._extract.land(stream, key, ())
            else:
                self._runner.reconcile(stream, key, counted)
            return []

        yield Task(stream, work)

    # -- windows ------------------------------------------------------------------------------------------------

    def _windows(self, stream: str, kind: str, whole: Window, land: Callable[[Window, str], None]) -> Iterator[Task]:
        """Tasks for the parts of `whole` that are not landed yet."""
        prefix = f"{kind} "
        done = [Window.parse(k.removeprefix(prefix)) for k in self._extract.windows(stream) if k.startswith(prefix)]
        for gap in gaps(whole, done):
            for window in steps(gap, WIDEST):
                yield self._window(stream, kind, window, land)

    def _window(self, stream: str, kind: str, window: Window, land: Callable[[Window, str], None]) -> Task:
        def work() -> list[Task]:
            try:
                land(window, f"{kind} {window.key}")
            except TooMany as error:
                return [self._window(stream, kind, piece, land) for piece in pieces_for(window, error)]
            return []

        return Task(stream, work)

    def _created(self, window: Window, key: str) -> None:
        """Incidents by creation."""
        with self._extract.writing("incidents", key) as write:
            pages = self._pages("/incidents", "incidents", [*_range(window), _UTC, _SORTED])
            counted = read_all(pages, write, ceiling=CEILING, **_limits(window))
        self._runner.reconcile("incidents", key, counted)

    def _logged(self, window: Window, key: str) -> None:
        """Log entries as they are."""
        with self._extract.writing("log_entries", key) as write:
            pages = self._pages("/log_entries", "log_entries", [*_range(window), _UTC, ("is_overview", "false")])
            counted = read_all(pages, write, ceiling=CEILING, **_limits(window))
        self._runner.reconcile("log_entries", key, counted)

    def _feed(self, window: Window, key: str) -> None:
        """Log entries with the incidents they are about, as those are now; the incidents are landed too."""
        params = [*_range(window), _UTC, ("is_overview", "false"), ("include[]", "incidents")]
        snapshots = Repeats()
        with (
            self._extract.writing("log_entries", key) as write_entry,
            self._extract.writing("incidents", key) as write_incident,
        ):

            def write(entry: bytes) -> None:
                write_entry(entry)
                incident = _embedded(entry)
                if incident is not None and snapshots.is_new(incident):
                    write_incident(incident)

            pages = self._pages("/log_entries", "log_entries", params)
            counted = read_all(pages, write, ceiling=CEILING, **_limits(window))
        self._runner.reconcile("log_entries", key, counted)

    def _pages(self, path: str, name: str, params: list[tuple[str, Any]]) -> Callable[[int], Page]:
        def page(offset: int) -> Page:
            asked = [*params, ("limit", min(PAGE, CEILING - offset)), ("offset", offset)]
            if offset == 0:
                asked.append(("total", "true"))  # costs the vendor time, so only once per listing
            return get_page(self._client, path, name, asked)

        return page

    # -- incidents from before the history ------------------------------------------------------------------------

    def _older_logs(self) -> Iterator[Task]:
        """The whole log of each incident that changed now but was created before the history that was read.

        The feed has only its newest entries; without the older ones its first acknowledgement would be lost.
        """
        covered = iso(self._plan.covered_since or self._plan.since)
        for key in sorted(k for k in self._extract.windows("incidents") if k.startswith("feed ")):
            older = [
                name
                for row in self._extract.read("incidents", key)
                if (created := _created_at(row)) and created < covered and (name := row_id(row))
            ]
            for name in dict.fromkeys(older):
                yield from self._whole_log(name)

    def _whole_log(self, name: str) -> Iterable[Task]:
        params = [_UTC, ("is_overview", "false")]
        return self._listing("log_entries", f"incident {name}", f"/incidents/{name}/log_entries", params)

    # -- custom fields ------------------------------------------------------------------------------------------

    def _custom_fields(self) -> Iterator[Task]:
        """Custom field values: only the single read has them (`include[]=custom_fields`), one request per incident."""
        for key in sorted(self._extract.windows("incidents")):
            if self._plan.incremental and not key.startswith("feed "):
                continue  # a change of a field writes a log entry, so the feed names every incident that needs it
            yield from self._fields_of_window(key)

    def _fields_of_window(self, key: str) -> Iterator[Task]:
        ids = [name for row in self._extract.read("incidents", key) if (name := row_id(row))]
        ids = list(dict.fromkeys(ids))
        for start in range(0, len(ids), CHUNK):
            part = f"{key} {start}"
            if not self._extract.has("incident_fields", part):
                yield self._fields_of(ids[start : start + CHUNK], part)

    def _fields_of(self, ids: list[str], key: str) -> Task:
        def read() -> Iterator[bytes]:
            for name in ids:
                try:
                    fields = self._client.get(
                        f"/incidents/{name}", [("include[]", "custom_fields"), _UTC], parse=envelope.fields
                    )
                except HttpRefused as error:
                    if error.status != 404:
                        raise
                    self._runner.gone("incidents", name)
                    continue
                if "incident" in fields:
                    yield envelope.record(fields["incident"])

        def work() -> list[Task]:
            self._extract.land("incident_fields", key, read())
            return []

        return Task("incident_fields", work)


def get_page(client: HttpClient, path: str, name: str, params: list[tuple[str, Any]]) -> Page:
    """One page of classic pagination. Raises TooMany for the two wordings of the offset ceiling (error 2002)."""

    def parse(body: bytes) -> Page:
        members = envelope.fields(body)
        if name not in members:
            raise envelope.InvalidBody(f"no member {name!r}")
        total = envelope.scalar(members.get("total"))
        return Page(
            envelope.items(members[name]),
            bool(envelope.scalar(members.get("more"))),
            total if isinstance(total, int) else None,
        )

    try:
        return client.get(path, params, parse=parse)
    except HttpRefused as error:
        if error.status == 400 and "offset" in error.said.lower():
            raise TooMany(None) from error
        raise


def _range(window: Window) -> list[tuple[str, Any]]:
    return [("since", iso(window.since)), ("until", iso(window.until))]


def _limits(window: Window) -> dict[str, Any]:
    """How many rows a window may have: a single second can only be read as a whole, up to the ceiling."""
    divisible = window.seconds > 1
    return {"fits": TARGET if divisible else CEILING, "divisible": divisible}


def _created_at(incident: bytes) -> str | None:
    """`created_at` as sent (UTC, because the request asks for that); None when it cannot be read."""
    try:
        return _INCIDENT.decode(incident).created_at
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _embedded(entry: bytes) -> bytes | None:
    """The full incident inside a log entry; None for a mere reference."""
    try:
        raw = bytes(_ENTRY.decode(entry).incident)
        kind = _INCIDENT.decode(raw).type
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if kind.endswith("_reference") else raw
