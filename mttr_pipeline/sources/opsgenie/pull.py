"""Opsgenie: alerts with their logs, notes and details; incidents with their timelines and notes; services; teams.

The first pull reads alerts by creation. Later pulls read them by change (`updatedAt`) where the account's search knows
that field, and child records only of what changed. Sources: docs.opsgenie.com (Alert API, Incident API, rate limiting) and
the OpenAPI description opsgenie/opsgenie-oas. The vendor switches the API off on 2027-04-05.

Streams: alerts, alert_details (if `details`), alert_logs, alert_notes, incidents, incident_timelines, incident_notes,
incident_alerts (a record per incident with the ids of its alerts), services, teams; tombstones of deleted alerts and
incidents. Logs, notes and timeline entries do not name their parent, so each is wrapped with its id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from mttr_pipeline.errors import PermanentError
from mttr_pipeline.landing.store import Extract, wrap_child
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.alert_pull import AlertPull, ChildReader, Selection
from mttr_pipeline.sources.kit.alert_search import stamp
from mttr_pipeline.sources.kit.failures import HttpRefused, Refusal
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.paging import Page, TokenLoop, TooManyRows, read_all, read_whole
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.pull import Pull
from mttr_pipeline.sources.kit.runner import Task
from mttr_pipeline.sources.kit.source import HttpSource, instance_title, variables_of
from mttr_pipeline.sources.kit.windows import Window
from mttr_pipeline.sources.opsgenie import OpsgenieAccess, OpsgenieOptions
from mttr_pipeline.sources.opsgenie.search import Search, count, get_page, ids

PATHS = {"alerts": "/v2/alerts", "incidents": "/v1/incidents"}


class Opsgenie(HttpSource[OpsgenieOptions]):
    """One Opsgenie account. `variables` maps a suffix to the environment variable of this instance, for messages."""

    def __init__(
        self,
        name: str,
        access: OpsgenieAccess,
        options: OpsgenieOptions,
        *,
        variables: Callable[[str], str] | None = None,
        **client: Any,
    ) -> None:
        variable = variables or variables_of(name)
        key = access.key.get_secret_value()
        http = HttpClient(
            access.url,
            instance_title("Opsgenie", "opsgenie", name),
            options,
            headers={"Authorization": f"GenieKey {key}"},
            secrets=(key,),
            address_variable=variable("API_URL"),
            remedies={
                401: f"check {variable('API_KEY')}, and {variable('API_URL')} (accounts in the EU use "
                "https://api.eu.opsgenie.com)",
                403: f"the integration behind {variable('API_KEY')} needs read access to the account, not to a team",
            },
            remedy_for=lambda refusal: _remedy_for(refusal, variable("API_KEY")),
            **client,
        )
        super().__init__(name, options, http)

    @property
    def scope(self) -> dict[str, Any]:
        """Whether each alert is read by itself too."""
        return {"details": self.options.details}

    def check(self) -> str:
        """Ask for the number of alerts."""
        return f"ok: {self.title} reachable at {self._client.host}, {count(self._client)} alerts"

    def _pull(self, plan: Plan, extract: Extract, progress: Progress) -> Pull:
        return _Pull(self._client, self.options, plan, extract, progress)


def _remedy_for(refusal: Refusal, key: str) -> str | None:
    """What the user can do about a key of the wrong kind (40301), which the status alone does not tell from a lack of rights."""
    if "api integration" in refusal.reason.lower():
        return f"{key} is the key of another kind of integration: set the key of an API integration with read access"
    return None


class _Pull(AlertPull):
    """One extract under way."""

    audited_streams = ("alerts", "incidents")

    def __init__(
        self, client: HttpClient, options: OpsgenieOptions, plan: Plan, extract: Extract, progress: Progress
    ) -> None:
        super().__init__(client, options, plan, extract, progress)
        self._details = options.details
        site = extract.facts.setdefault("site", {})
        self._alerts = Search(client, PATHS["alerts"], site.setdefault("alert_dates", {}))
        self._incidents = Search(client, PATHS["incidents"], site.setdefault("incident_dates", {}))

    def run(self) -> None:
        self._runner.run(
            [
                *self._listing("services", "/v1/services"),
                *self._listing("teams", "/v2/teams"),
                Task("alerts", self._plan_alerts),
                Task("incidents", self._plan_incidents),
            ]
        )
        self._write_tombstones()

    def _search(self, stream: str) -> Search:
        return self._alerts if stream == "alerts" else self._incidents

    def _child_readers(self, stream: str) -> dict[str, ChildReader]:
        if stream == "incidents":
            return {
                "incident_timelines": self._timeline,
                "incident_notes": lambda record_id: self._by_position(f"/v1/incidents/{record_id}/notes", record_id),
                "incident_alerts": self._alerts_of,
            }
        readers: dict[str, ChildReader] = {
            "alert_logs": lambda record_id: self._by_position(f"/v2/alerts/{record_id}/logs", record_id),
            "alert_notes": lambda record_id: self._by_position(f"/v2/alerts/{record_id}/notes", record_id),
        }
        return {**readers, "alert_details": self._detail} if self._details else readers

    def _is_deleted(self, stream: str, record_id: str) -> bool:
        path = f"{PATHS[stream]}/{quote(record_id, safe='')}"
        return not self._client.exists(path, [("identifierType", "id")])

    # -- whole lists --------------------------------------------------------------------------------------------

    def _listing(self, stream: str, path: str) -> Iterator[Task]:
        if self._extract.has(stream, "all"):
            return

        def page(offset: int) -> Page:
            # teams are not paged: any offset returns the same rows again, which are dropped as duplicates
            return get_page(self._client, path, [("limit", Search.page_size), ("offset", offset)])

        def work() -> list[Task]:
            try:
                self._runner.land_pages(stream, "all", page, ceiling=Search.ceiling)
            except HttpRefused as error:
                if error.status != 402:
                    raise
                self._runner.count(f"{stream}_not_in_plan")
                self._extract.land(stream, "all", ())
            except TooManyRows as error:
                raise self._listing_too_long(path, Search.ceiling) from error
            return []

        yield Task(stream, work)

    # -- alerts and incidents -----------------------------------------------------------------------------------

    def _plan_alerts(self) -> Iterator[Task]:
        """Detect the date format, then read the windows that are not landed yet."""
        resumed = self._resume("alerts")
        created = self._alerts.detect_format("createdAt")
        if "createdAt" not in self._alerts.date_formats:
            return  # the account has no alert
        if created is None:
            raise PermanentError(
                f"{self._client.title}: the alert search accepts none of the supported date formats, so alerts cannot be "
                "read completely; report this with the region of the account."
            )
        if not self._plan.incremental:
            yield from self._windows("alerts", self._created, self._plan.window)
        elif self._alerts.detect_format("updatedAt"):
            yield from self._windows("alerts", self._changed, self._all_time)
        elif not self._extract.has("alerts", "walk"):
            yield Task("alerts", self._walk_back)
        yield from resumed

    def _plan_incidents(self) -> Iterator[Task]:
        """Incidents by change where the search knows it, else all of them: they are few and their list is short."""
        resumed = self._resume("incidents")
        try:
            created = self._incidents.detect_format("createdAt")
            if "createdAt" not in self._incidents.date_formats:
                return
            if created is None:
                if not self._extract.has("incidents", "all"):
                    yield Task("incidents", lambda: self._full_list("incidents", PATHS["incidents"]))
            elif not self._plan.incremental:
                yield from self._windows("incidents", self._created, self._plan.window)
            elif self._incidents.detect_format("updatedAt"):
                yield from self._windows("incidents", self._changed, self._all_time)
            else:
                yield from self._windows("incidents", self._created, self._covered)
        except HttpRefused as error:
            if error.status not in (402, 403):
                raise
            self._runner.count("incidents_not_in_plan")  # only the larger plans include the Incident API
            return
        yield from resumed

    def _count(self, stream: str, window: Window, selection: Selection) -> int | None:
        """The list of alerts gives no total, so they are counted first."""
        if stream != "alerts":
            return None
        query = str(self._alerts.condition(window, selection.changed_since, selection.also)["query"])
        return count(self._client, query)

    def _walk_back(self) -> list[Task]:
        """Alerts by change where the list can only be sorted by it: from the newest change back to the mark.

        Above the ceiling, or when the order does not hold, the whole history is listed again, which is slow.
        """
        last: datetime | None = None
        reached = False

        def page(offset: int) -> Page:
            nonlocal last, reached
            got = self._alerts.page(None, offset, sort="updatedAt", order="desc")
            for row in got.rows:
                at = stamp(row, "updatedAt")
                if at is not None:
                    if last is not None and at > last and offset == 0:
                        raise TooManyRows(None)
                    last = at
                    reached = reached or at < self._changed_since
            return got._replace(more=got.more and not reached, total=None)  # the walk ends before the total

        try:
            self._runner.land_pages("alerts", "walk", page, ceiling=Search.ceiling)
        except TooManyRows:
            self._runner.count("alerts_listed_again_in_full")
            return list(self._windows("alerts", self._created, self._covered))
        return self._children("alerts", "walk")

    # -- child records ------------------------------------------------------------------------------------------

    def _detail(self, alert_id: str) -> Iterator[bytes]:
        def parse(body: bytes) -> bytes:
            return envelope.one_record(envelope.required(envelope.members(body), "data"))

        yield self._client.get(f"/v2/alerts/{quote(alert_id, safe='')}", [("identifierType", "id")], parse=parse)

    def _by_position(self, path: str, parent: str) -> list[bytes]:
        """Logs or notes, oldest first. The next page starts after the position in the `offset` of the last row."""

        def page(position: str | None) -> tuple[list[bytes], str | None]:
            params: list[tuple[str, Any]] = [("limit", Search.page_size), ("order", "asc"), ("direction", "next")]
            if position:
                params.append(("offset", position))
            got = get_page(self._client, path, params)
            if got.more and not got.rows:
                raise TokenLoop("an empty page announces another page")
            following = _position(got.rows[-1]) if got.more else None
            if got.rows and got.more and following is None:
                raise self._no_next_page(path)
            return got.rows, following

        return self._chained(path, parent, page)

    def _alerts_of(self, incident_id: str) -> Iterator[bytes]:
        """The ids of the alerts that belong to an incident and of those that page for it, as one record.

        The vendor's libraries send these requests, its reference does not list them: an account that refuses them is read
        without. That an incident is deleted is found by its other child records.
        """
        lists: list[bytes] = []
        for name in ("associated-alert-ids", "responder-alert-ids"):
            path = f"/v1/incidents/{quote(incident_id, safe='')}/{name}"
            try:
                lists.append(b",".join(self._all_ids(path)))
            except HttpRefused as error:
                if error.status not in (402, 403, 404, 405, 422):
                    raise
                self._runner.count("incident_alerts_not_readable")
                return
        yield b'{"incidentId":%b,"associated":[%b],"responders":[%b]}' % (msgspec.json.encode(incident_id), *lists)

    def _all_ids(self, path: str) -> list[bytes]:
        def page(offset: int) -> Page:
            params = [("limit", Search.page_size), ("offset", offset), ("direction", "next"), ("order", "asc")]
            return get_page(self._client, path, params, ids)

        return read_whole(page, ceiling=Search.ceiling)

    def _timeline(self, incident_id: str) -> list[bytes]:
        """An incident's timeline. Whether it is paged is not documented, so it is read until a page brings nothing new."""
        path = f"/v2/incident-timelines/{quote(incident_id, safe='')}/entries"
        found: list[bytes] = []

        def page(offset: int) -> Page:
            rows, more = self._client.get(path, [("limit", Search.page_size), ("offset", offset)], parse=_entries)
            return Page(rows, more or len(rows) >= Search.page_size)

        read_all(page, found.extend, repeats_end=True)
        return [wrap_child(incident_id, row) for row in found]


def _position(row: bytes) -> str | None:
    """The opaque `offset` of a log entry or note."""
    content = envelope.decode(row)
    found = content.get("offset") if isinstance(content, dict) else None
    return found if isinstance(found, str) and found else None


def _entries(body: bytes) -> tuple[list[bytes], bool]:
    """The entries of a timeline page, and whether there are more."""
    found = envelope.members(envelope.members(body).get("data", b""))
    entries = envelope.items(envelope.required(found, "entries"))
    return entries, envelope.decode(found.get("nextOffset")) not in (None, "")
