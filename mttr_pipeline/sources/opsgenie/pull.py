"""Opsgenie: alerts with their logs, notes and details; incidents with their timelines and notes; services; teams.

Alerts are read by creation at first and by change (`updatedAt`) later, where the account's search knows that field;
child records only for what changed. Facts from docs.opsgenie.com (Alert API, Incident API, rate limiting) and the
OpenAPI description at github.com/opsgenie/opsgenie-oas. The interface ends on 2027-04-05.

Streams: alerts, alert_details (if `details`), alert_logs, alert_notes, incidents, incident_timelines, incident_notes,
services, teams; tombstones of alerts and incidents that are gone. Logs, notes and timeline entries are wrapped with the
id of their parent, which they do not name.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

from mttr_pipeline.errors import PermanentError
from mttr_pipeline.landing.store import Extract, wrap_child
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.alert_pull import AlertPull, Kind, Reader
from mttr_pipeline.sources.kit.alert_search import stamp
from mttr_pipeline.sources.kit.audit import Audit
from mttr_pipeline.sources.kit.http import HttpClient, HttpRefused
from mttr_pipeline.sources.kit.paging import TARGET, Page, Repeats, TokenLoop, TooMany, read_all
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.runner import Task
from mttr_pipeline.sources.kit.windows import Window
from mttr_pipeline.sources.opsgenie import OpsgenieAccess, OpsgenieOptions
from mttr_pipeline.sources.opsgenie.search import CEILING, PAGE, Search, get_page


class Opsgenie:
    """The source `opsgenie`."""

    name = "opsgenie"

    def __init__(self, access: OpsgenieAccess, options: OpsgenieOptions, **client: Any) -> None:
        key = access.key.get_secret_value()
        self.options = options
        self._client = HttpClient(
            access.url,
            "Opsgenie",
            options,
            headers={"Authorization": f"GenieKey {key}"},
            secrets=(key,),
            address_from="OPSGENIE_API_URL",
            remedies={
                401: "check OPSGENIE_API_KEY, and OPSGENIE_API_URL (accounts in the EU use https://api.eu.opsgenie.com)",
                402: "the account's plan lacks this",
                403: "the integration behind OPSGENIE_API_KEY needs read access to the account, not to a team",
                404: "check OPSGENIE_API_URL",
            },
            **client,
        )

    @property
    def scope(self) -> dict[str, Any]:
        return {"details": self.options.details}

    @property
    def requests(self) -> int:
        return self._client.requests

    def check(self) -> str:
        """The number of alerts: an authenticated request that costs the vendor little."""
        return f"ok: Opsgenie reachable at {self._client.host}, {count(self._client, '')} alerts"

    def close(self) -> None:
        self._client.close()

    def extract(self, plan: Plan, extract: Extract, progress: Progress) -> None:
        _Pull(self._client, self.options, plan, extract, progress).run()

    def audit(self, audit: Audit, plan: Plan, extract: Extract, progress: Progress) -> None:
        _Pull(self._client, self.options, plan, extract, progress).audit(audit, ("alerts", "incidents"))


class _Pull(AlertPull):
    """One extract under way."""

    vendor = "Opsgenie"

    def __init__(
        self, client: HttpClient, options: OpsgenieOptions, plan: Plan, extract: Extract, progress: Progress
    ) -> None:
        super().__init__(client, options, plan, extract, progress)
        self._details = options.details
        site = extract.facts.setdefault("site", {})
        self._alerts = Search(client, "/v2/alerts", site.setdefault("alert_dates", {}))
        self._incidents = Search(client, "/v1/incidents", site.setdefault("incident_dates", {}))

    def run(self) -> None:
        self._runner.run(
            [
                *self._listing("services", "/v1/services"),
                *self._listing("teams", "/v2/teams"),
                Task("alerts", self._plan_alerts),
                Task("incidents", self._plan_incidents),
            ]
        )
        self._runner.bury(self._plan.as_of, self._is_gone)

    def _search(self, stream: str) -> Search:
        return self._alerts if stream == "alerts" else self._incidents

    @property
    def _ceiling(self) -> int:
        return CEILING

    @property
    def _target(self) -> int:
        return TARGET

    def _readers(self, stream: str) -> dict[str, Reader]:
        if stream == "incidents":
            return {
                "incident_timelines": self._timeline,
                "incident_notes": lambda name: self._by_token(f"/v1/incidents/{name}/notes", name),
            }
        readers: dict[str, Reader] = {
            "alert_logs": lambda name: self._by_token(f"/v2/alerts/{name}/logs", name),
            "alert_notes": lambda name: self._by_token(f"/v2/alerts/{name}/notes", name),
        }
        return {**readers, "alert_details": self._detail} if self._details else readers

    def _is_gone(self, stream: str, name: str) -> bool:
        path = "/v2/alerts" if stream == "alerts" else "/v1/incidents"
        try:
            self._client.get(f"{path}/{quote(name, safe='')}", [("identifierType", "id")], parse=envelope.fields)
        except HttpRefused as error:
            if error.status != 404:
                raise
            return True
        return False

    # -- whole lists --------------------------------------------------------------------------------------------

    def _listing(self, stream: str, path: str) -> Iterator[Task]:
        if self._extract.has(stream, "all"):
            return

        def page(offset: int) -> Page:
            # teams are not paged: asking with an offset would give the same rows again, which read_all drops
            return get_page(self._client, path, [("limit", PAGE), ("offset", offset)])

        def work() -> list[Task]:
            try:
                with self._extract.writing(stream, "all") as write:
                    counted = read_all(page, write, ceiling=CEILING)
            except HttpRefused as error:
                if error.status != 402:
                    raise
                self._runner.note(f"{stream}_not_in_plan")
                self._extract.land(stream, "all", ())
            except TooMany as error:
                raise self._too_many(path) from error
            else:
                self._runner.reconcile(stream, "all", counted)
            return []

        yield Task(stream, work)

    # -- alerts -------------------------------------------------------------------------------------------------

    def _plan_alerts(self) -> Iterator[Task]:
        """Settle how dates are searched, then the windows that are not landed yet."""
        resumed = [self._resume("alerts", key) for key in self._extract.windows("alerts")]
        encoding = self._alerts.settle("createdAt")
        if "createdAt" not in self._alerts.encodings:
            return  # not a single alert in the account
        if encoding is None:
            raise PermanentError(
                "Opsgenie: the alert search understands none of the known ways to write a date, so alerts cannot be "
                "read completely; report this with the region of the account."
            )
        if not self._plan.incremental:
            yield from self._windows("alerts", self._created, self._plan.window)
        elif self._alerts.settle("updatedAt"):
            yield from self._windows("alerts", self._changed, self._ever)
        elif not self._extract.has("alerts", "walk"):
            yield Task("alerts", self._walk)
        yield from resumed

    def _plan_incidents(self) -> Iterator[Task]:
        """Incidents by change where the search knows that, else all of them: they are few and their list is thin."""
        resumed = [self._resume("incidents", key) for key in self._extract.windows("incidents")]
        try:
            encoding = self._incidents.settle("createdAt")
            if "createdAt" not in self._incidents.encodings:
                return
            if encoding is None:
                if not self._extract.has("incidents", "all"):
                    yield Task("incidents", lambda: self._whole_list("incidents", "/v1/incidents"))
            elif not self._plan.incremental:
                yield from self._windows("incidents", self._created, self._plan.window)
            elif self._incidents.settle("updatedAt"):
                yield from self._windows("incidents", self._changed, self._ever)
            else:
                yield from self._windows("incidents", self._created, self._covered)
        except HttpRefused as error:
            if error.status not in (402, 403):
                raise
            self._runner.note("incidents_not_in_plan")  # the Incident API belongs to the larger plans
            return
        yield from resumed

    def _count(self, stream: str, window: Window, kind: Kind) -> int | None:
        """Only the list of alerts has no total of its own: they are counted first."""
        if stream != "alerts":
            return None
        query = str(self._alerts.condition(window, kind.changed_since, kind.also)["query"])
        return count(self._client, query)

    def _walk(self) -> list[Task]:
        """Alerts by change where only sorting by it is offered: from the newest change back to the mark.

        Beyond the ceiling, or when the order does not hold, the whole history is listed again: slow, but complete.
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
                        raise TooMany(None)
                    last = at
                    reached = reached or at < self._changed_since
            return got._replace(more=got.more and not reached)

        try:
            with self._extract.writing("alerts", "walk") as write:
                read_all(page, write, ceiling=CEILING)
        except TooMany:
            self._runner.note("alerts_listed_again_in_full")
            return list(self._windows("alerts", self._created, self._covered))
        return self._children("alerts", "walk")

    def _detail(self, name: str) -> Iterator[bytes]:
        def parse(body: bytes) -> bytes:
            members = envelope.fields(body)
            if "data" not in members:
                raise envelope.InvalidBody("no member 'data'")
            return envelope.record(members["data"])

        yield self._client.get(f"/v2/alerts/{quote(name, safe='')}", [("identifierType", "id")], parse=parse)

    def _by_token(self, path: str, parent: str) -> list[bytes]:
        """Logs or notes, oldest first; the next page starts after the `offset` of the last record."""

        def page(token: str | None) -> tuple[list[bytes], str | None]:
            params: list[tuple[str, Any]] = [("limit", PAGE), ("order", "asc"), ("direction", "next")]
            if token:
                params.append(("offset", token))
            got = get_page(self._client, path, params)
            if got.more and not got.rows:
                raise TokenLoop("an empty page says that there is more")
            following = place(got.rows[-1]) if got.more else None
            if got.rows and got.more and following is None:
                raise self._no_place(path)
            return got.rows, following

        return self._chained(path, parent, page)

    def _timeline(self, name: str) -> list[bytes]:
        """All groups of an incident's timeline. Whether it is paged is not documented: it is read until nothing new
        comes."""
        path = f"/v2/incident-timelines/{quote(name, safe='')}/entries"
        found: list[bytes] = []
        repeats = Repeats()
        offset = 0
        while True:
            rows, more = self._client.get(path, [("limit", PAGE), ("offset", offset)], parse=_entries)
            new = [row for row in rows if repeats.is_new(row)]
            found += (wrap_child(name, row) for row in new)
            if not new or (not more and len(rows) < PAGE):
                return found
            offset += len(set(rows))


def count(client: HttpClient, query: str) -> int:
    """How many alerts a search finds (`GET /v2/alerts/count`)."""

    def parse(body: bytes) -> int:
        data = envelope.scalar(envelope.fields(body).get("data"))
        found = data.get("count") if isinstance(data, dict) else None
        if not isinstance(found, int):
            raise envelope.InvalidBody("no member 'data.count'")
        return found

    return client.get("/v2/alerts/count", [("query", query)] if query else None, parse=parse)


def place(row: bytes) -> str | None:
    """The opaque `offset` of a log entry or note."""
    content = envelope.scalar(row)
    found = content.get("offset") if isinstance(content, dict) else None
    return found if isinstance(found, str) and found else None


def _entries(body: bytes) -> tuple[list[bytes], bool]:
    members = envelope.fields(envelope.fields(body).get("data", b""))
    if "entries" not in members:
        raise envelope.InvalidBody("no member 'data.entries'")
    return envelope.items(members["entries"]), envelope.scalar(members.get("nextOffset")) not in (None, "")
