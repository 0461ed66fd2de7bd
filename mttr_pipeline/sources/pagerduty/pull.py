"""PagerDuty REST v2: incidents, their log entries, services, teams, priorities.

`GET /incidents` filters by creation only and cannot list what changed since an instant. So every pull after the first
reads three things, each of which can be repeated: the log entries since the high-water mark, with the current state of
each incident that they mention (`include[]=incidents`); the incidents that are open now; those created recently. Stamps
never come from `acknowledgements`, which the resolve empties. Sources: the OpenAPI description that
the vendor publishes (PagerDuty/api-schema) and developer.pagerduty.com/docs (pagination, rate limits, errors).

Streams: incidents, log_entries, services, teams, priorities; change_events when configured (see `changes`); incident_fields when
custom fields are mapped; incident_alerts (one record per incident without a key of its own); tombstones of deleted incidents.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from mttr_pipeline.landing.store import Extract
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.audit import AuditStream
from mttr_pipeline.sources.kit.failures import HttpRefused
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.paging import Page, SeenRows, TooManyRows, read_all, read_whole, row_id
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.pull import Pull
from mttr_pipeline.sources.kit.runner import Task
from mttr_pipeline.sources.kit.source import HttpSource, instance_title, variables_of
from mttr_pipeline.sources.kit.windows import Window, iso
from mttr_pipeline.sources.pagerduty import PagerDutyAccess, PagerDutyOptions, changes
from mttr_pipeline.sources.pagerduty.pages import CEILING, Params, get_page, limits, pages, range_of

WIDEST_COUNT = timedelta(days=180)  # the widest window of which only the total is asked
WIDEST = timedelta(days=60)  # of a window that is read; beyond six months /incidents returns nothing
INCIDENTS_PER_FILE = 25  # incidents read one by one and landed together

_UTC = ("time_zone", "UTC")
_SORTED = ("sort_by", "incident_number:asc")  # the only order that is stable while incidents change


class _Entry(msgspec.Struct):
    incident: msgspec.Raw = msgspec.Raw(b"null")


class _Incident(msgspec.Struct):
    type: str = ""
    created_at: str | None = None
    incident_key: str | None = None


_ENTRY = msgspec.json.Decoder(_Entry)
_INCIDENT = msgspec.json.Decoder(_Incident)


class PagerDuty(HttpSource[PagerDutyOptions]):
    """One PagerDuty account. `variables` maps a suffix to the environment variable of this instance, for messages."""

    def __init__(
        self,
        name: str,
        access: PagerDutyAccess,
        options: PagerDutyOptions,
        *,
        variables: Callable[[str], str] | None = None,
        **client: Any,
    ) -> None:
        variable = variables or variables_of(name)
        token = access.token.get_secret_value()
        http = HttpClient(
            access.url,
            instance_title("PagerDuty", "pagerduty", name),
            options,
            headers={
                "Authorization": f"Token token={token}",
                "Accept": "application/vnd.pagerduty+json;version=2",
            },
            secrets=(token,),
            address_variable=variable("API_URL"),
            remedies={
                401: _refused_token(token, access.url, variable),
                402: "the account's plan does not include this",
                403: f"the key in {variable('TOKEN')} may not read this; use a read-only account key",
            },
            **client,
        )
        super().__init__(name, options, http)

    @property
    def scope(self) -> dict[str, Any]:
        """Whether custom fields are read, and the alerts of all incidents."""
        return {"custom_fields": bool(self.options.fields)} | ({"alerts": True} if self.options.alerts else {})

    def check(self) -> str:
        """Ask for one service, with the total."""
        page = get_page(self._client, "/services", "services", [("limit", 1), ("total", "true")])
        services = page.total if page.total is not None else "?"
        return f"ok: {self.title} reachable at {self._client.host}, {services} services"

    def _pull(self, plan: Plan, extract: Extract, progress: Progress) -> Pull:
        return _Pull(self._client, self.options, plan, extract, progress)


def _refused_token(token: str, url: str, variable: Callable[[str], str]) -> str:
    """What may be wrong with a token that the vendor does not know: its kind, or the region."""
    regions = {"https://api.eu.pagerduty.com": "in the EU", "https://api.pagerduty.com": "outside the EU"}
    other, where = next((address, where) for address, where in regions.items() if address != url.rstrip("/"))
    region = f"; accounts {where} need {variable('API_URL')}={other}"
    if re.match(r"pd[a-z]{2}\+", token):  # pdus+..., pdeu+...
        return f"{variable('TOKEN')} is an OAuth token (it begins with {token[:5]}): set a REST API key instead{region}"
    return f"check {variable('TOKEN')}: it must be a REST API key of this account{region}"


class _Pull(Pull):
    """One extract under way."""

    def __init__(
        self, client: HttpClient, options: PagerDutyOptions, plan: Plan, extract: Extract, progress: Progress
    ) -> None:
        super().__init__(client, options, plan, extract, progress)
        self._reads_fields = bool(options.fields)
        self._reads_alerts = options.alerts
        self._reads_changes = bool(options.change_events)
        self._site: dict[str, Any] = extract.facts.setdefault("site", {})
        self._lookback = timedelta(days=options.lookback_days)

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
            changed = Window(min(self._changed_since, plan.until), plan.until)
            recent = Window(min(plan.until - self._lookback, plan.since), plan.until)
            tasks += self._windows("log_entries", "feed", changed, self._land_feed)
            tasks += self._windows("incidents", "created", recent, self._land_incidents)
        else:
            tasks += self._windows("incidents", "created", plan.window, self._land_incidents)
            tasks += self._windows("log_entries", "logged", plan.window, self._land_log_entries)
        tasks += self._change_events()
        self._runner.run(tasks)
        if plan.incremental:
            self._runner.run(self._older_logs())
        if self._reads_fields:
            self._runner.run(self._custom_fields())
        self._runner.run(self._alerts())
        self._write_tombstones()
        self._site.pop(changes.STREAM, None)
        self._site |= {changes.STREAM: True} if self._reads_changes else {}

    # -- deleted incidents --------------------------------------------------------------------------------------

    def _audit_streams(self) -> Iterable[AuditStream]:
        """Incidents only: a deleted one takes its log entries with it."""
        return [
            AuditStream(
                "incidents",
                self._total,
                self._rows,
                self._restore,
                lambda record_id: self._is_deleted("incidents", record_id),
                sees_group=self._sees_service,
                grouped_by="service_id",
                widest=WIDEST_COUNT,
            )
        ]

    def _total(self, window: Window) -> int | None:
        params = [*range_of(window), _UTC, ("limit", 1), ("total", "true")]
        return get_page(self._client, "/incidents", "incidents", params).total

    def _rows(self, window: Window) -> list[bytes]:
        return read_whole(self._pages("/incidents", "incidents", [*range_of(window), _UTC, _SORTED]), ceiling=CEILING)

    def _is_deleted(self, stream: str, record_id: str) -> bool:
        return not self._client.exists(f"/incidents/{record_id}", [_UTC])

    def _sees_service(self, service_id: str) -> bool:
        """An incident of a service that this account may not see has status 404, as a deleted one has."""
        return self._client.sees(f"/services/{service_id}")

    def _restore(self, key: str, rows: list[bytes]) -> list[Task]:
        if not self._extract.has("incidents", key):
            self._extract.land("incidents", key, rows)
        ids = [record_id for row in rows if (record_id := row_id(row))]
        tasks = [task for record_id in ids for task in self._whole_log(record_id)]
        if self._reads_fields:
            tasks += self._fields_of_window(key)
        return tasks

    # -- whole lists --------------------------------------------------------------------------------------------

    def _listing(self, stream: str, key: str, path: str, params: Params) -> Iterator[Task]:
        """A list that is read as one window: reference data, the open incidents, the log of one incident."""
        if self._extract.has(stream, key):
            return
        end = iso(self._plan.until)

        def before_end(row: bytes) -> bool:
            if (_created_at(row) or "") < end:
                return True
            self._runner.count("open_after_until")  # the list has no range; the next pull reads what came later
            return False

        def work() -> list[Task]:
            keep = before_end if key == "open" else None
            try:
                self._runner.land_pages(stream, key, self._pages(path, stream, params), keep=keep, ceiling=CEILING)
            except TooManyRows as error:
                raise self._listing_too_long(path, CEILING) from error
            except HttpRefused as error:
                if error.status == 402 and stream in ("teams", "priorities"):
                    self._runner.count(f"{stream}_not_in_plan")
                elif error.status == 404 and key.startswith("incident "):
                    self._runner.report_missing("incidents", key.removeprefix("incident "))
                else:
                    raise
                self._extract.land(stream, key, ())
            return []

        yield Task(stream, work)

    # -- windows ------------------------------------------------------------------------------------------------

    def _windows(
        self, stream: str, kind: str, whole: Window, land: Callable[[Window, str], list[Task]]
    ) -> Iterator[Task]:
        return self._runner.window_tasks(stream, kind, whole, land, widest=WIDEST)

    def _land_incidents(self, window: Window, key: str) -> list[Task]:
        """Incidents by creation."""
        pages = self._pages("/incidents", "incidents", [*range_of(window), _UTC, _SORTED])
        self._runner.land_pages("incidents", key, pages, **limits(window))
        return []

    def _land_log_entries(self, window: Window, key: str) -> list[Task]:
        """Log entries by the time they were written."""
        pages = self._pages("/log_entries", "log_entries", [*range_of(window), _UTC, ("is_overview", "false")])
        self._runner.land_pages("log_entries", key, pages, **limits(window))
        return []

    def _land_feed(self, window: Window, key: str) -> list[Task]:
        """Log entries, and the current state of each incident that they mention."""
        params = [*range_of(window), _UTC, ("is_overview", "false"), ("include[]", "incidents")]
        snapshots = SeenRows()
        with (
            self._extract.writing("log_entries", key) as write_entry,
            self._extract.writing("incidents", key) as write_incident,
        ):

            def write(entries: Sequence[bytes]) -> None:
                write_entry.many(entries)
                embedded = [incident for entry in entries if (incident := _embedded_incident(entry)) is not None]
                write_incident.many(snapshots.new_of(embedded).rows)

            result = read_all(self._pages("/log_entries", "log_entries", params), write, **limits(window))
        self._runner.reconcile("log_entries", key, result)
        return []

    def _pages(self, path: str, name: str, params: Params) -> Callable[[int], Page]:
        return pages(self._client, path, name, params)

    def _change_events(self) -> Iterator[Task]:
        """Change events, where the settings say which of them are deploys."""
        if self._reads_changes:
            window = changes.window_of(self._plan, self._changed_since - self._lookback, changes.STREAM in self._site)
            yield from self._windows(changes.STREAM, "told", window, self._land_change_events)

    def _land_change_events(self, window: Window, key: str) -> list[Task]:
        asked = self._pages("/change_events", changes.STREAM, range_of(window))
        self._runner.land_pages(changes.STREAM, key, asked, **limits(window))
        return []

    # -- incidents that are older than the history ---------------------------------------------------------------

    def _older_logs(self) -> Iterator[Task]:
        """The whole log of each incident that changed now but was created before the history that we have read.

        The feed holds only its newest entries; its first acknowledgement is among the older ones.
        """
        covered = iso(self._plan.covered_since or self._plan.since)
        for key in sorted(k for k in self._extract.windows("incidents") if k.startswith("feed ")):
            older = [
                record_id
                for row in self._extract.read("incidents", key)
                if (created := _created_at(row)) and created < covered and (record_id := row_id(row))
            ]
            for record_id in dict.fromkeys(older):
                yield from self._whole_log(record_id)

    def _whole_log(self, incident_id: str) -> Iterator[Task]:
        params: Params = [_UTC, ("is_overview", "false")]
        return self._listing("log_entries", f"incident {incident_id}", f"/incidents/{incident_id}/log_entries", params)

    # -- custom fields ------------------------------------------------------------------------------------------

    def _custom_fields(self) -> Iterator[Task]:
        """Read custom fields: one request per incident, because no list includes them."""
        for key in sorted(self._extract.windows("incidents")):
            if self._plan.incremental and not key.startswith("feed "):
                continue  # a change of a field writes a log entry, so the feed holds every incident to read
            yield from self._fields_of_window(key)

    def _fields_of_window(self, key: str) -> Iterator[Task]:
        return self._one_by_one("incident_fields", key, self._fields_of, lambda row: True)

    def _fields_of(self, incident_id: str) -> Iterator[bytes]:
        params = [("include[]", "custom_fields"), ("include[]", "conference_bridge"), _UTC]
        found = self._client.get(f"/incidents/{incident_id}", params, parse=envelope.members)
        if "incident" in found:
            yield envelope.one_record(found["incident"])

    # -- alerts -------------------------------------------------------------------------------------------------

    def _alerts(self) -> Iterator[Task]:
        """Read the alerts of incidents without a key of their own: of those that changed, of all only when configured."""
        for key in sorted(self._extract.windows("incidents")):
            if key.startswith("feed ") or (self._reads_alerts and not self._plan.incremental):
                yield from self._one_by_one("incident_alerts", key, self._alerts_of, _has_no_key)

    def _alerts_of(self, incident_id: str) -> Iterator[bytes]:
        alerts = read_whole(self._pages(f"/incidents/{incident_id}/alerts", "alerts", [_UTC]), ceiling=CEILING)
        yield b'{"incidentId":%b,"alerts":[%b]}' % (msgspec.json.encode(incident_id), b",".join(alerts))

    # -- one by one ---------------------------------------------------------------------------------------------

    def _one_by_one(
        self,
        stream: str,
        key: str,
        read: Callable[[str], Iterator[bytes]],
        wanted: Callable[[bytes], bool],
    ) -> Iterator[Task]:
        """Tasks that read something of each wanted incident of a landed window by itself, some incidents per file."""
        rows = self._extract.read("incidents", key)
        ids = list(dict.fromkeys(record_id for row in rows if wanted(row) and (record_id := row_id(row))))
        for start in range(0, len(ids), INCIDENTS_PER_FILE):
            part = f"{key} {start}"
            if not self._extract.has(stream, part):
                yield self._reading(stream, part, ids[start : start + INCIDENTS_PER_FILE], read)

    def _reading(self, stream: str, key: str, ids: list[str], read: Callable[[str], Iterator[bytes]]) -> Task:
        def work() -> list[Task]:
            self._extract.land(stream, key, self._runner.read_each("incidents", ids, read))
            return []

        return Task(stream, work)


def _created_at(incident: bytes) -> str | None:
    """`created_at` as sent (in UTC, as every request asks for); None when it cannot be read."""
    found = envelope.decode_as(_INCIDENT, incident)
    return found.created_at if found else None


def _has_no_key(incident: bytes) -> bool:
    """Whether only the alerts of an incident tell its deduplication keys."""
    found = envelope.decode_as(_INCIDENT, incident)
    return found is not None and not found.incident_key


def _embedded_incident(entry: bytes) -> bytes | None:
    """The full incident in a log entry; None when the entry holds only a reference to it."""
    found = envelope.decode_as(_ENTRY, entry)
    if found is None:
        return None
    raw = bytes(found.incident)
    incident = envelope.decode_as(_INCIDENT, raw)
    return None if incident is None or incident.type.endswith("_reference") else raw
