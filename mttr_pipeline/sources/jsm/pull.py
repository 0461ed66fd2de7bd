"""Jira Service Management Operations: alerts with their logs, notes and details; teams.

The first pull reads alerts by creation. Later pulls read them by change where the site's search knows `updatedAt`. Other
sites cannot list alerts by change (the list sorts by createdAt, insertedAt, lastOccurredAt and priority only). There a
later pull reads:
  * every alert created within the look-back and since the high-water mark;
  * every older alert, as long as `relist_requests` pages hold them all; else
  * every older alert that is open now, for a late acknowledgement, note or change of priority;
  * one by one, the alerts that were open when last read and are not listed as open any more, for a late close;
  * of the others as many as `relist_requests` pages hold, in turns, for a change after the close.
So the requests depend on what is open, recent or changed, not on the history.

Sources: developer.atlassian.com (Jira Service Management Operations REST API, group Alerts: scopes, paging, the limit of
20,000), its OpenAPI description, and responses of live sites where that says nothing. Incidents of this product are
issues, which another source reads.

An alert does not name the issue that it is linked to: the source that reads issues asks for the alerts of each.

Streams: alerts, alert_details (if `details`), alert_logs, alert_notes, teams; tombstones of deleted alerts. Logs and notes
do not name their alert, so each is wrapped with its id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from mttr_pipeline.landing.store import Extract
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.jsm import JsmAccess, JsmOptions
from mttr_pipeline.sources.jsm.rotation import Rotation
from mttr_pipeline.sources.jsm.search import LIST, Search, get_page, next_key, next_link
from mttr_pipeline.sources.jsm.states import may_be_open, open_states
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.alert_pull import PARENTS_PER_FILE, AlertPull, ChildReader, Selection
from mttr_pipeline.sources.kit.alert_search import BAD_QUERY
from mttr_pipeline.sources.kit.failures import HttpRefused, Refusal
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.pull import Pull
from mttr_pipeline.sources.kit.runner import Task
from mttr_pipeline.sources.kit.source import HttpSource, instance_title, variables_of
from mttr_pipeline.sources.kit.windows import Window

ALERT_SCOPE = "read:ops-alert:jira-service-management"


class Jsm(HttpSource[JsmOptions]):
    """The Operations of one site. `variables` maps a suffix to the environment variable of this instance, for messages."""

    def __init__(
        self,
        name: str,
        access: JsmAccess,
        options: JsmOptions,
        *,
        variables: Callable[[str], str] | None = None,
        **client: Any,
    ) -> None:
        variable = variables or variables_of(name)
        email, key, cloud_id = variable("EMAIL"), variable("API_TOKEN"), variable("CLOUD_ID")
        token = access.token.get_secret_value()
        http = HttpClient(
            f"{access.url}/jsm/ops/api/{quote(access.cloud_id, safe='')}",
            instance_title("JSM Operations", "jsm", name),
            options,
            headers={"X-ExperimentalApi": "opt-in"},  # some of these endpoints are marked experimental
            auth=(access.email, token),
            secrets=(token,),
            address_variable=variable("API_URL"),
            remedies={
                401: f"check {email} and {key} (its scopes must include {ALERT_SCOPE}), and {cloud_id}",
                402: "the site's plan does not include this",
                403: f"the account of {email} needs an operations role that sees all alerts, e.g. the global admin's",
                404: f"check {cloud_id} and {variable('API_URL')}",
            },
            remedy_for=_remedy_for,
            **client,
        )
        super().__init__(name, options, http)
        self._cloud_id = access.cloud_id

    @property
    def scope(self) -> dict[str, Any]:
        """The site, and whether each alert is read by itself too."""
        return {"details": self.options.details, "cloud_id": self._cloud_id}

    def check(self) -> str:
        """Ask for one alert, with the total."""
        total = get_page(self._client, LIST, [("size", 1)]).total
        return f"ok: {self.title} reachable at {self._client.host}, {'some' if total is None else total} alerts"

    def _pull(self, plan: Plan, extract: Extract, progress: Progress) -> Pull:
        return _Pull(self._client, self.options, plan, extract, progress)


def _remedy_for(refusal: Refusal) -> str | None:
    if _lacks_scope(refusal.reason):
        return f"the API token lacks a scope: create one with {ALERT_SCOPE}"
    return None


def _lacks_scope(reason: str) -> bool:
    return "scope does not match" in reason.lower()


class _Pull(AlertPull):
    """One extract under way."""

    audited_streams = ("alerts",)

    def __init__(
        self, client: HttpClient, options: JsmOptions, plan: Plan, extract: Extract, progress: Progress
    ) -> None:
        super().__init__(client, options, plan, extract, progress)
        self._details = options.details
        self._relist_requests = options.relist_requests
        self._site: dict[str, Any] = extract.facts.setdefault("site", {})
        self._alerts = Search(client, self._site)
        recent = min(self._changed_since, plan.until - timedelta(days=options.lookback_days))
        self._recent = Window(max(self._all_time.since, min(recent, plan.until)), plan.until)
        self._older = Window(self._all_time.since, self._recent.since)
        covered = Window(min(max(self._covered.since, self._older.since), self._older.until), self._older.until)
        self._rotation = Rotation(self._site.get("relisting", {}), covered, self._changed_since)

    def run(self) -> None:
        self._runner.run([*self._teams(), Task("alerts", self._plan_alerts)])
        if self._alerts.date_formats.get("updatedAt") is None:
            self._save_open_alerts()
            self._site["relisting"] = self._rotation.next_state
        self._write_tombstones()

    def _is_deleted(self, stream: str, record_id: str) -> bool:
        return not self._client.exists(_path(record_id), parse=_single_alert)

    def _search(self, stream: str) -> Search:
        return self._alerts

    def _child_readers(self, stream: str) -> dict[str, ChildReader]:
        readers: dict[str, ChildReader] = {
            "alert_logs": lambda alert_id: self._by_key(f"{_path(alert_id)}/logs", alert_id),
            "alert_notes": lambda alert_id: self._by_key(f"{_path(alert_id)}/notes", alert_id),
        }
        return {**readers, "alert_details": self._single} if self._details else readers

    # -- teams --------------------------------------------------------------------------------------------------

    def _teams(self) -> Iterator[Task]:
        """All teams in one response. A pull without their names is better than a failed one."""

        def work() -> list[Task]:
            rows: list[bytes] = []
            try:
                rows = self._client.get("/v1/teams", parse=lambda body: envelope.member_list(body, "platformTeams"))
            except HttpRefused as error:
                # a token without the scope read:ops-config reads every alert but gets status 401 here
                if error.status not in (402, 403, 404) and not _lacks_scope(error.reason):
                    raise
                self._runner.count("teams_not_readable")
            self._extract.land("teams", "all", rows)
            return []

        if not self._extract.has("teams", "all"):
            yield Task("teams", work)

    # -- alerts -------------------------------------------------------------------------------------------------

    def _plan_alerts(self) -> Iterator[Task]:
        """Detect the date formats, then read the windows that are not landed yet."""
        resumed = self._resume("alerts")
        created = self._alerts.detect_format("createdAt")
        by_change = self._alerts.detect_format("updatedAt")
        if "createdAt" not in self._alerts.date_formats:
            return  # the site has no alert
        if created is None:
            if not self._extract.has("alerts", "all"):  # without a search, everything must fit into one list
                yield Task("alerts", lambda: self._full_list("alerts", LIST))
        elif not self._plan.incremental:
            yield from self._windows("alerts", self._created, self._plan.window)
        elif by_change:
            yield from self._windows("alerts", self._changed, self._all_time)
        else:
            yield from self._windows("alerts", Selection("recent"), self._recent)
            yield from self._older_alerts()
        yield from resumed

    def _older_alerts(self) -> Iterator[Task]:
        """All older alerts if that is cheap or the search cannot find open ones; else the open ones and a part of all."""
        total = self._alerts.page(self._alerts.condition(self._older), 0).total
        pages = None if total is None else -(-total // Search.page_size)
        cheap = pages is not None and pages <= self._relist_requests
        is_open = "" if cheap else self._open_condition()
        if not is_open:
            if not cheap:
                self._runner.count("alerts_listed_again_in_full")
            self._rotation.skip()
            yield from self._windows("alerts", Selection("older"), self._older)
            return
        yield from self._windows("alerts", Selection("open", also=is_open), self._older)
        if pages and self._relist_requests:
            part = self._rotation.next_part(-(-pages // self._relist_requests))
            yield from self._windows("alerts", Selection("again"), part)

    def _children_read_until(self, key: str) -> datetime:
        read_until = self._rotation.read_until if key.startswith(("again ", "older ")) else None
        return min(self._changed_since, read_until) if read_until else self._changed_since

    def _open_condition(self) -> str:
        """The search for open alerts; empty when the site does not support it."""
        condition = "status:open"
        try:
            rows = self._alerts.page(self._alerts.condition(self._older, also=condition), 0).rows
        except HttpRefused as error:
            if error.status not in BAD_QUERY:
                raise
            return ""
        return condition if all(map(may_be_open, rows)) else ""

    def _save_open_alerts(self) -> None:
        """Keep the ids of the open alerts for the next pull, after reading those that are not listed any more."""
        before = set(self._site.get("open_alerts", []))
        states = open_states(self._extract, before)
        missing = before - states.keys()
        if self._plan.incremental:
            self._runner.run(self._read_unlisted(sorted(missing)))
            states, missing = open_states(self._extract, before), set()  # what still has no state is deleted
        self._site["open_alerts"] = sorted(missing.union(name for name, is_open in states.items() if is_open))

    def _read_unlisted(self, alert_ids: list[str]) -> Iterator[Task]:
        """Read alerts that were open and are in no list of this pull: closed, in another state, or deleted."""

        def read(alert_id: str) -> list[bytes]:
            try:
                return self._single(alert_id)
            except HttpRefused as error:
                if error.status == 404:
                    self._runner.count("open_alerts_deleted")
                raise

        def task(key: str, chunk: list[str]) -> Task:
            def work() -> list[Task]:
                self._extract.land("alerts", key, self._runner.read_each("alerts", chunk, read))
                return self._children("alerts", key)

            return Task("alerts", work)

        # windows of this kind are named `known <number>` in every landing zone; an earlier attempt may have landed some
        taken = sum(key.startswith("known ") for key in self._extract.windows("alerts"))
        for number, start in enumerate(range(0, len(alert_ids), PARENTS_PER_FILE), start=taken):
            yield task(f"known {number}", alert_ids[start : start + PARENTS_PER_FILE])

    # -- child records ------------------------------------------------------------------------------------------

    def _single(self, alert_id: str) -> list[bytes]:
        return [self._client.get(_path(alert_id), parse=_single_alert)]

    def _by_key(self, path: str, parent: str) -> list[bytes]:
        """Logs or notes. `links.next` holds the key after which the next page starts."""

        def page(key: str | None) -> tuple[list[bytes], str | None]:
            def parse(body: bytes) -> tuple[list[bytes], str | None, bool]:
                rows, found = envelope.listing(body, "values", "links")
                link = next_link(found)
                return rows, next_key(link), bool(link)

            params: list[tuple[str, Any]] = [("size", Search.page_size), *([("after", key)] if key else [])]
            rows, following, more = self._client.get(path, params, parse=parse)
            if rows and more and following is None:
                raise self._no_next_page(path)
            return rows, following

        return self._chained(path, parent, page)


def _single_alert(body: bytes) -> bytes:
    """The body of a single read is the alert itself."""
    envelope.required(envelope.members(body), "id")
    return envelope.one_record(envelope.whole_object(body))


def _path(alert_id: str) -> str:
    return f"{LIST}/{quote(alert_id, safe='')}"
