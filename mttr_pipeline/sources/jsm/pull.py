"""Jira Service Management Operations (Opsgenie's successor): alerts with their logs, notes and details; teams.

Alerts are read by creation at first. Late changes: where the account's search knows `updatedAt`, by that. Where it does
not, the interface allows no listing by change (the list sorts by createdAt, insertedAt, lastOccurredAt and priority only),
so a later run reads
  * everything created within the look-back (and since the mark),
  * every older alert, as long as `relist_requests` pages hold them all; else
  * every older alert that is open now: a late acknowledgement, note or change of priority,
  * one by one, those that were open when last seen and are not any more: a late close,
  * and of the rest as much as `relist_requests` pages hold, going round over the nights: what changes on an old alert
    after its close is seen when its turn comes.
So the requests depend on what is open, recent or changed, not on the history.

Facts from developer.atlassian.com (Jira Service Management Operations REST API, group Alerts: scopes, paging, the 20K
limit), its OpenAPI description, and answers of live sites where that is silent. JSM incidents are Jira issues: `jira`.

Streams: alerts, alert_details (if `details`), alert_logs, alert_notes, teams; tombstones of alerts that are gone. Logs and
notes are wrapped with the id of their alert, which they do not name.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from mttr_pipeline.landing.store import Extract
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.jsm import JsmAccess, JsmOptions
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.alert_pull import CHUNK, AlertPull, Kind, Reader
from mttr_pipeline.sources.kit.alert_search import ENCODINGS, RANGES, AlertSearch, Condition, stamp
from mttr_pipeline.sources.kit.audit import Audit
from mttr_pipeline.sources.kit.http import HttpClient, HttpRefused
from mttr_pipeline.sources.kit.paging import TARGET, Page, TooMany
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.runner import Task
from mttr_pipeline.sources.kit.windows import Window

PAGE = 100  # the largest `size` that is honoured; a smaller page is recognised by what it holds
CEILING = 19_999  # offset + size must stay below 20,000
ALERT_SCOPE = "read:ops-alert:jira-service-management"
ENDED = frozenset({"closed", "resolved"})
LIST = "/v1/alerts"


class _State(msgspec.Struct):
    id: str
    status: str = ""


_STATE = msgspec.json.Decoder(_State)


class Jsm:
    """The source `jsm`."""

    name = "jsm"

    def __init__(self, access: JsmAccess, options: JsmOptions, **client: Any) -> None:
        token = access.token.get_secret_value()
        self.options = options
        self._cloud_id = access.cloud_id
        self._client = HttpClient(
            f"{access.url}/jsm/ops/api/{quote(access.cloud_id, safe='')}",
            "JSM Operations",
            options,
            headers={"X-ExperimentalApi": "opt-in"},  # some of these endpoints are marked experimental
            auth=(access.email, token),
            secrets=(token, f"{access.email}:{token}"),
            address_from="JSM_API_URL",
            scope=ALERT_SCOPE,
            remedies={
                401: f"check JSM_EMAIL and JSM_API_TOKEN (its scopes must hold {ALERT_SCOPE}), and JSM_CLOUD_ID",
                402: "the site's plan lacks this",
                403: "the account of JSM_EMAIL needs an operations role that sees all alerts, best the global admin's",
                404: "check JSM_CLOUD_ID and JSM_API_URL",
            },
            **client,
        )

    @property
    def scope(self) -> dict[str, Any]:
        return {"details": self.options.details, "cloud_id": self._cloud_id}

    @property
    def requests(self) -> int:
        return self._client.requests

    def check(self) -> str:
        """The number of alerts: an authenticated request for one of them."""
        total = get_page(self._client, LIST, [("size", 1)]).total
        return f"ok: JSM Operations reachable at {self._client.host}, {'some' if total is None else total} alerts"

    def close(self) -> None:
        self._client.close()

    def extract(self, plan: Plan, extract: Extract, progress: Progress) -> None:
        _Pull(self._client, self.options, plan, extract, progress).run()

    def audit(self, audit: Audit, plan: Plan, extract: Extract, progress: Progress) -> None:
        _Pull(self._client, self.options, plan, extract, progress).audit(audit, ("alerts",))


class Search(AlertSearch):
    """Searching the list of alerts. `site` keeps what was found out about it."""

    vendor = "JSM Operations"
    ways = (*ENCODINGS, *RANGES)

    def __init__(self, client: HttpClient, site: dict[str, Any]) -> None:
        super().__init__(site.setdefault("alert_dates", {}))
        self._client = client
        self._site = site

    def page(self, condition: Condition | None, offset: int, *, sort: str = "createdAt", order: str = "asc") -> Page:
        params: list[tuple[str, Any]] = [
            ("size", min(PAGE, CEILING - offset)),
            ("offset", offset),
            ("sort", sort),
            ("order", order),
            *(condition or {}).items(),
        ]
        got = get_page(self._client, LIST, params)
        if got.total is None or (condition is not None and not self._site.get("count_is_of_the_search", True)):
            return got._replace(total=None)
        return got._replace(more=got.more or offset + len(got.rows) < got.total)

    def learn(self, near: Page) -> None:
        """`count` is documented as the total number of alerts: of the search, or of the account whatever is searched?"""
        if near.total is not None and "count_is_of_the_search" not in self._site:
            self._site["count_is_of_the_search"] = near.total <= len(near.rows) or len(near.rows) >= PAGE


class _Pull(AlertPull):
    """One extract under way."""

    vendor = "JSM Operations"

    def __init__(
        self, client: HttpClient, options: JsmOptions, plan: Plan, extract: Extract, progress: Progress
    ) -> None:
        super().__init__(client, options, plan, extract, progress)
        self._details = options.details
        self._site: dict[str, Any] = extract.facts.setdefault("site", {})
        self._alerts = Search(client, self._site)
        recent = min(self._changed_since, plan.until - timedelta(days=options.lookback_days))
        self._recent = Window(max(self._ever.since, min(recent, plan.until)), plan.until)
        self._older = Window(self._ever.since, self._recent.since)
        self._relist_requests = options.relist_requests
        # Where the round through the older alerts stands, as it was when this extract began
        self._again: dict[str, str] = dict(self._site.get("relisting", {}))
        self._again_next = self._again

    def run(self) -> None:
        self._runner.run([*self._teams(), Task("alerts", self._plan_alerts)])
        if self._alerts.encodings.get("updatedAt") is None:
            self._remember_what_is_open()
            self._site["relisting"] = self._again_next
        self._runner.bury(self._plan.as_of, self._is_gone)

    def _is_gone(self, stream: str, name: str) -> bool:
        try:
            self._single(name)
        except HttpRefused as error:
            if error.status != 404:
                raise
            return True
        return False

    def _search(self, stream: str) -> Search:
        return self._alerts

    @property
    def _ceiling(self) -> int:
        return CEILING

    @property
    def _target(self) -> int:
        return TARGET

    def _readers(self, stream: str) -> dict[str, Reader]:
        readers: dict[str, Reader] = {
            "alert_logs": lambda name: self._by_key(f"{_one(name)}/logs", name),
            "alert_notes": lambda name: self._by_key(f"{_one(name)}/notes", name),
        }
        return {**readers, "alert_details": lambda name: [self._single(name)]} if self._details else readers

    # -- teams --------------------------------------------------------------------------------------------------

    def _teams(self) -> Iterator[Task]:
        """All teams in one answer, `{"platformTeams": [...]}`. Their names are not worth failing for."""

        def work() -> list[Task]:
            rows: list[bytes] = []
            try:
                rows = self._client.get("/v1/teams", parse=lambda body: envelope.member_list(body, "platformTeams"))
            except HttpRefused as error:
                # without the scope read:ops-config a token that reads every alert gets 401 here
                if error.status not in (402, 403, 404) and "scope does not match" not in error.said.lower():
                    raise
                self._runner.note("teams_not_readable")
            self._extract.land("teams", "all", rows)
            return []

        if not self._extract.has("teams", "all"):
            yield Task("teams", work)

    # -- alerts -------------------------------------------------------------------------------------------------

    def _plan_alerts(self) -> Iterator[Task]:
        """Settle how the search is asked, then the windows that are not landed yet."""
        resumed = [self._resume("alerts", key) for key in self._extract.windows("alerts")]
        way = self._alerts.settle("createdAt")
        by_change = self._alerts.settle("updatedAt")
        if "createdAt" not in self._alerts.encodings:
            return  # not a single alert in the account
        if way is None:
            if not self._extract.has("alerts", "all"):  # no search at all: as long as everything fits into one list
                yield Task("alerts", lambda: self._whole_list("alerts", LIST))
        elif not self._plan.incremental:
            yield from self._windows("alerts", self._created, self._plan.window)
        elif by_change:
            yield from self._windows("alerts", self._changed, self._ever)
        else:
            yield from self._windows("alerts", Kind("recent"), self._recent)
            yield from self._older_alerts()
        yield from resumed

    def _older_alerts(self) -> Iterator[Task]:
        """All older alerts where that is cheap or nothing else is possible, else the open ones and a part of the rest."""
        total = self._alerts.page(self._alerts.condition(self._older), 0).total
        pages = None if total is None else -(-total // PAGE)
        clause = "" if pages is not None and pages <= self._relist_requests else self._search_open()
        if not clause:
            if pages is None or pages > self._relist_requests:  # slow, but complete
                self._runner.note("alerts_listed_again_in_full")
            self._again_next = {}
            yield from self._windows("alerts", Kind("older"), self._older)
            return
        yield from self._windows("alerts", Kind("open", also=clause), self._older)
        if pages and self._relist_requests:
            part = self._part_of_the_round(-(-pages // self._relist_requests))
            yield from self._windows("alerts", Kind("again"), part)

    def _part_of_the_round(self, nights: int) -> Window:
        """The part of the older alerts whose turn it is, when a round takes so many nights; moves the round on."""
        whole = Window(min(max(self._covered.since, self._older.since), self._older.until), self._older.until)
        began = self._changed_since.isoformat()
        state = {"next": whole.since.isoformat(), "began": began, "known_until": began, **self._again}
        since = max(whole.since, datetime.fromisoformat(state["next"]))
        if since >= whole.until:
            since = whole.since
        until = min(whole.until, since + timedelta(seconds=whole.seconds // nights + 1))
        self._again = state
        if until < whole.until:
            self._again_next = {**state, "next": until.isoformat()}
        else:  # what changed since this round began is found by the next one
            self._again_next = {"next": whole.since.isoformat(), "began": began, "known_until": state["began"]}
        return Window(since, until)

    def _last_read(self, key: str) -> datetime:
        known_until = self._again.get("known_until") if key.startswith(("again ", "older ")) else None
        return min(self._changed_since, datetime.fromisoformat(known_until)) if known_until else self._changed_since

    def _search_open(self) -> str:
        """How open alerts are searched; empty when the search does not understand it."""
        clause = "status:open"
        try:
            rows = self._alerts.page(self._alerts.condition(self._older, also=clause), 0).rows
        except HttpRefused as error:
            if error.status not in (400, 422):
                raise
            return ""
        return clause if all((state := _state(row)) is None or _is_open(state) for row in rows) else ""

    def _remember_what_is_open(self) -> None:
        """Keep the ids of the open alerts for the next run, after reading those singly that are open no more."""
        before = set(self._site.get("open_alerts", []))
        states = self._states(before)
        missing = before - states.keys()
        if self._plan.incremental:
            self._runner.run(self._gone_from_the_list(sorted(missing)))
            states, missing = self._states(before), set()  # what was not found singly is deleted
        self._site["open_alerts"] = sorted(missing.union(name for name, is_open in states.items() if is_open))

    def _gone_from_the_list(self, names: list[str]) -> Iterator[Task]:
        """Alerts that were open and are in no list of tonight: closed, in a state that is not `open`, or deleted."""

        def task(key: str, chunk: list[str]) -> Task:
            def rows() -> Iterator[bytes]:
                for name in chunk:
                    try:
                        yield self._single(name)
                    except HttpRefused as error:
                        if error.status != 404:
                            raise
                        self._runner.note("open_alerts_deleted")
                        self._runner.gone("alerts", name)

            def work() -> list[Task]:
                self._extract.land("alerts", key, rows())
                return self._children("alerts", key)

            return Task("alerts", work)

        taken = sum(key.startswith("known ") for key in self._extract.windows("alerts"))  # by an earlier attempt
        for number, start in enumerate(range(0, len(names), CHUNK), start=taken):
            yield task(f"known {number}", names[start : start + CHUNK])

    def _states(self, known: set[str]) -> dict[str, bool]:
        """Whether an alert landed in this extract is open, of the newer of two payloads; only those that are or were.

        Closed ones that nobody asks for are left out, so memory does not grow with the history.
        """
        newest: dict[str, tuple[float, bool]] = {}
        for key in self._extract.windows("alerts"):
            for row in self._extract.read("alerts", key):
                state = _state(row)
                if state is None or not (_is_open(state) or state.id in known or state.id in newest):
                    continue
                at = stamp(row, "updatedAt")
                seen = (at.timestamp() if at else 0.0, _is_open(state))
                if seen >= newest.get(state.id, (0.0, False)):
                    newest[state.id] = seen
        return {name: is_open for name, (_, is_open) in newest.items()}

    # -- child records ------------------------------------------------------------------------------------------

    def _single(self, name: str) -> bytes:
        """One alert; unlike in Opsgenie it is the whole body."""

        def parse(body: bytes) -> bytes:
            if "id" not in envelope.fields(body):
                raise envelope.InvalidBody("no member 'id'")
            return envelope.record(body)

        return self._client.get(_one(name), parse=parse)

    def _by_key(self, path: str, parent: str) -> list[bytes]:
        """Logs or notes. The key after which the next page starts stands in `links.next` (and, of notes, as their id)."""

        def page(token: str | None) -> tuple[list[bytes], str | None]:
            def parse(body: bytes) -> tuple[list[bytes], str | None, bool]:
                members = envelope.fields(body)
                link = next_link(members)
                return envelope.items(_values(members)), _after(link), bool(link)

            params: list[tuple[str, Any]] = [("size", PAGE), *([("after", token)] if token else [])]
            rows, following, more = self._client.get(path, params, parse=parse)
            if rows and more and following is None:
                raise self._no_place(path)
            return rows, following

        return self._chained(path, parent, page)


def get_page(client: HttpClient, path: str, params: list[tuple[str, Any]]) -> Page:
    """One page of `{"values": [...], "links": {"next"}, "count"}`.

    `links.next` is relative; it is never followed and only says that there is more.
    """

    def parse(body: bytes) -> Page:
        members = envelope.fields(body)
        rows = envelope.items(_values(members))
        total = envelope.scalar(members.get("count"))
        return Page(rows, bool(next_link(members)), total if isinstance(total, int) else None)

    try:
        return client.get(path, params, parse=parse)
    except HttpRefused as error:
        said = error.said.lower()
        if error.status in (400, 422) and ("offset" in said or "20k" in said or "20000" in said):
            raise TooMany(None) from error
        raise


def _state(row: bytes) -> _State | None:
    try:
        return _STATE.decode(row)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _is_open(state: _State) -> bool:
    return state.status.lower() not in ENDED


def next_link(members: dict[str, bytes]) -> str | None:
    links = envelope.scalar(members.get("links"))
    found = links.get("next") if isinstance(links, dict) else None
    return found if isinstance(found, str) and found else None


def _after(link: str | None) -> str | None:
    """The key in a link such as `/v1/alerts/{id}/logs?after=1492000072838_1492000072838234593`."""
    values = parse_qs(urlsplit(link).query).get("after") if link else None
    return values[-1] if values else None


def _values(members: dict[str, bytes]) -> bytes:
    if "values" not in members:
        raise envelope.InvalidBody("no member 'values'")
    return members["values"]


def _one(name: str) -> str:
    return f"{LIST}/{quote(name, safe='')}"
