"""A PagerDuty account over HTTP: the read endpoints of REST API v2, with their limits and traps.

A client has to cope with the following, so it is simulated (PagerDuty REST docs: Authentication, Pagination, Rate Limits,
Errors; API reference: List incidents, List log entries):

* offset + limit above 10,000 is a 400; a limit above 100 counts as 100, without an error; `total` is null unless asked for;
* a naive since/until is read in the account's zone, the default window is one month, and a window of more than six
  months is empty, without an error, unless `date_range=all`;
* a resolved incident has no acknowledgements and no assignments: those are only in the log entries.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from mttr_pipeline.demo.kit.paging import Paging
from mttr_pipeline.demo.kit.snapshots import Snapshots
from mttr_pipeline.demo.kit.wire import Request, Response, answer, iso_seconds, page_number
from mttr_pipeline.demo.pagerduty.book import Book, Json, entries_between, entry_of, find, included, sort_places
from mttr_pipeline.demo.pagerduty.changes import changes_at, listed, mirrored
from mttr_pipeline.demo.pagerduty.records import Renderer, reference_lists
from mttr_pipeline.demo.pagerduty.refusals import PagerDutyError, invalid, not_found
from mttr_pipeline.demo.pagerduty.windows import in_zone, window_of

if TYPE_CHECKING:
    from mttr_pipeline.demo.world import World

CEILING = 10_000
MAX_LIMIT = 100
HALF_YEAR = timedelta(days=184)

#: The paths of one incident and of what belongs to it.
_SINGLE = re.compile(r"^/incidents/([^/]+)")
#: The types of log entry that the overview of a timeline leaves out.
_DETAILS = {"notify_log_entry", "assign_log_entry", "annotate_log_entry", "link_log_entry"}


class PagerDutyPaging(Paging):
    """Each page says whether there are more."""

    def announce_next(self, body: Any, token: str) -> bool:
        """See Paging."""
        if "more" not in body:
            return False
        body["more"] = True
        return True


class PagerDutySimulator:
    """One account, made from a world or from given records."""

    name = "pagerduty"
    paging: Paging = PagerDutyPaging()

    def __init__(
        self, book_at: Callable[[datetime], Book], *, token: str = "demo-token", account_zone: str = "Europe/Madrid"
    ) -> None:
        self._book_at = book_at
        self.token = token
        self.account_zone = account_zone

    @classmethod
    def from_world(cls, world: World, *, account_zone: str = "Europe/Madrid") -> PagerDutySimulator:
        """The account of the company's product teams."""
        renderer = Renderer(world.of("pagerduty"), account_zone)
        deploys = [*(deploy for deploy in world.deploys if deploy.tool == cls.name), *mirrored(world.deploys)]

        def book(now: datetime) -> Book:
            return replace(renderer.book(now), changes=changes_at(deploys, now))

        instants = [*world.instants("pagerduty"), *(deploy.finished for deploy in deploys if deploy.finished)]
        return cls(Snapshots(instants, book).at, account_zone=account_zone)

    @classmethod
    def from_records(
        cls,
        incidents: Iterable[Json],
        log_entries: Iterable[Json] = (),
        *,
        notes: Mapping[str, list[Json]] | None = None,
        services: list[Json] | None = None,
        teams: list[Json] | None = None,
        priorities: list[Json] | None = None,
        users: list[Json] | None = None,
        alerts: Mapping[str, list[Json]] | None = None,
        changes: Iterable[Json] = (),
        account_zone: str = "Europe/Madrid",
    ) -> PagerDutySimulator:
        """An account that holds exactly these objects, odd ones included, whatever the clock says.

        Notes and alerts go by the id of their incident. Reference lists that are not given are those of the demonstration company.
        """
        given = {"services": services, "teams": teams, "priorities": priorities, "users": users}
        lists = {**reference_lists(), **{name: rows for name, rows in given.items() if rows is not None}}
        entries = [entry_of(row) for row in log_entries]
        book = Book(
            list(incidents), entries, dict(notes or {}), alerts=dict(alerts or {}), changes=list(changes), **lists
        )
        return cls(lambda now: book, account_zone=account_zone)

    # -- what the server asks --------------------------------------------------------------------------------------

    def environment(self, url: str) -> dict[str, str]:
        """Where and with what key to read this account."""
        return {"PAGERDUTY_TOKEN": self.token, "PAGERDUTY_API_URL": url}

    def limit_headers(self, limit: int, remaining: int, reset: float, window: float) -> dict[str, str]:
        """The reset is in seconds from now (REST docs, Rate Limits)."""
        return {
            "ratelimit-limit": str(limit),
            "ratelimit-remaining": str(remaining),
            "ratelimit-reset": str(max(1, round(reset + 0.5))),
        }

    def error(self, status: int, message: str) -> bytes:
        """An error of the platform."""
        if status == 429:
            return PagerDutyError(429, 2020, "Rate Limit Exceeded").body()
        if status == 401:
            return PagerDutyError(401, 2006, "Authentication failed").body()
        code = {403: 2010, 404: 2100, 408: 2016}.get(status, 2000)
        return PagerDutyError(status, code, message).body()

    def record_in(self, path: str) -> str | None:
        """The id of the incident that a path asks about."""
        found = _SINGLE.search(path)
        return found[1] if found else None

    def handle(self, request: Request, now: datetime) -> Response:
        """Answer one request."""
        try:
            if request.headers.get("authorization") != f"Token token={self.token}":
                raise PagerDutyError(401, 2006, "Authentication failed")
            if request.method != "GET":
                raise not_found()
            return self._route(request, now)
        except PagerDutyError as error:
            return Response(error.status, error.body())

    def _route(self, request: Request, now: datetime) -> Response:
        book = self._book_at(now)
        match request.path.strip("/").split("/"):
            case ["incidents"]:
                return self._incidents(request, book, now)
            case ["incidents", identity]:
                place = find(book, identity)
                row = included(book, place, request.many("include[]"))
                return in_zone(request, answer({"incident": row}), None)
            case ["incidents", identity, "notes"]:
                incident = book.incidents[find(book, identity)]
                return answer({"notes": book.notes.get(incident["id"], [])})
            case ["incidents", identity, "alerts"]:
                return self._list(request, "alerts", book.alerts.get(book.incidents[find(book, identity)]["id"], []))
            case ["incidents", identity, "log_entries"]:
                wanted = book.incidents[find(book, identity)]["id"]
                return self._log_entries(request, book, now, wanted)
            case ["log_entries"]:
                return self._log_entries(request, book, now, None)
            case ["change_events"]:
                return self._list(request, "change_events", listed(request, book.changes, now))
            case ["services" | "teams" | "priorities" | "users" as kind]:
                return self._list(request, kind, getattr(book, kind))
            case ["services" | "teams" | "priorities" | "users" as kind, identity]:
                found = [row for row in getattr(book, kind) if row["id"] == identity]
                if not found:
                    raise not_found()
                return answer({kind[:-1] if kind != "priorities" else "priority": found[0]})
            case ["abilities"]:
                return answer({"abilities": ["teams", "priorities"]})
        raise not_found()

    # -- incidents -------------------------------------------------------------------------------------------------

    def _incidents(self, request: Request, book: Book, now: datetime) -> Response:
        offset, limit = _page(request)
        filters = re.sub(r"(^|&)(offset|limit|total)=[^&]*", "", request.query_string)
        key = ("incidents", filters, None if "date_range=all" in filters else iso_seconds(now))
        places = book.answers.get(key)
        if places is None:
            places = self._matching(request, book, now)
            if len(book.answers) > 64:
                book.answers.clear()
            book.answers[key] = places
        include = request.many("include[]")
        chosen = places[offset : offset + limit]
        if include:
            rows: list[Any] = [included(book, place, include) for place in chosen]
        else:
            rows = [msgspec.Raw(book.encoded[place]) for place in chosen]
        return in_zone(request, _paged("incidents", rows, request, offset, limit, len(places)), None)

    def _matching(self, request: Request, book: Book, now: datetime) -> list[int]:
        """Places of the matching incidents in the order asked for; the range filters on created_at."""
        places = range(len(book.incidents))
        if request.one("date_range") != "all":
            since, until = window_of(request, now, self.account_zone)
            if until - since > HALF_YEAR:
                return []
            first = bisect_left(book.created, iso_seconds(since))
            places = range(first, max(first, bisect_left(book.created, iso_seconds(until))))
        tests: list[Callable[[Json], bool]] = []
        for name, allowed in (
            ("statuses[]", {"triggered", "acknowledged", "resolved"}),
            ("urgencies[]", {"high", "low"}),
        ):
            if wanted := set(request.many(name)):
                if wanted - allowed:
                    raise invalid(f"{name} must be one of {', '.join(sorted(allowed))}")
                column = "status" if name == "statuses[]" else "urgency"
                tests.append(lambda row, column=column, wanted=wanted: row.get(column) in wanted)  # type: ignore[misc]
        if services := set(request.many("service_ids[]")):
            tests.append(lambda row: (row.get("service") or {}).get("id") in services)
        if teams := set(request.many("team_ids[]")):
            tests.append(lambda row: any(team["id"] in teams for team in row.get("teams") or ()))
        if users := set(request.many("user_ids[]")):
            # Only open incidents have an assignee.
            tests.append(lambda row: any(a["assignee"]["id"] in users for a in row.get("assignments") or ()))
        if key := request.one("incident_key"):
            tests.append(lambda row: row.get("incident_key") == key)
        chosen = [place for place in places if all(test(book.incidents[place]) for test in tests)]
        return sort_places(chosen, book, request.one("sort_by"))

    # -- log entries -----------------------------------------------------------------------------------------------

    def _log_entries(self, request: Request, book: Book, now: datetime, incident: str | None) -> Response:
        offset, limit = _page(request)
        if incident is not None:
            entries = [entry for entry in book.entries if entry.incident_id == incident]
            if request.one("since") or request.one("until"):
                since, until = window_of(request, now, self.account_zone)
                entries = [e for e in entries if iso_seconds(since) <= e.created_at < iso_seconds(until)]
        else:
            since, until = window_of(request, now, self.account_zone)
            entries = entries_between(book, iso_seconds(since), iso_seconds(until))
        if request.one("is_overview") == "true":
            entries = [entry for entry in entries if entry.type not in _DETAILS]
        if teams := set(request.many("team_ids[]")):
            entries = [entry for entry in entries if teams & set(entry.team_ids)]
        full = "incidents" in request.many("include[]")
        rows = []
        for entry in entries[offset : offset + limit]:
            place = book.index.get(entry.incident_id) if full else None
            rows.append(entry.render(book.encoded[place] if place is not None else None))
        page = _paged("log_entries", rows, request, offset, limit, len(entries))
        return in_zone(request, page, self.account_zone)

    # -- shared ----------------------------------------------------------------------------------------------------

    def _list(self, request: Request, name: str, rows: list[Json]) -> Response:
        offset, limit = _page(request)
        if query := request.one("query"):
            rows = [row for row in rows if query.lower() in (row.get("name") or "").lower()]
        return _paged(name, rows[offset : offset + limit], request, offset, limit, len(rows))


def _page(request: Request) -> tuple[int, int]:
    try:
        offset = page_number(request.one("offset"), 0)
        limit = min(page_number(request.one("limit"), 25) or 25, MAX_LIMIT)
    except ValueError:
        raise invalid("Limit and offset must be non-negative integers") from None
    if offset + limit > CEILING:
        text = f"Offset+limit exceeds maximum allowed value of {CEILING}. Please try to refine your search."
        raise PagerDutyError(400, 2002, "Arguments Caused Error", text)
    return offset, limit


def _paged(name: str, rows: list[Any], request: Request, offset: int, limit: int, total: int) -> Response:
    """Classic pagination (REST docs, Pagination)."""
    shown = total if request.one("total") == "true" else None
    more = offset + len(rows) < total
    return answer({name: rows, "limit": limit, "offset": offset, "total": shown, "more": more})
