"""A PagerDuty account over HTTP: the read endpoints of REST API v2, with its limits and its surprises.

What a client must cope with and therefore finds here (PagerDuty REST docs: Authentication, Pagination, Rate Limits,
Errors; API reference: List incidents, List log entries):

* offset + limit above 10,000 is a 400; a limit above 100 is quietly 100; `total` is null unless asked for;
* a naive since/until is read in the account's zone, the default window is one month, and a window of more than six
  months is empty without a word unless `date_range=all`;
* a resolved incident has no acknowledgements and no assignments: those are only in the log entries.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from mttr_pipeline.demo.pagerduty_records import Book, Entry, Json, Renderer, reference_lists
from mttr_pipeline.demo.wire import Request, Response, Snapshots, answer, encode, iso_seconds, page_number
from mttr_pipeline.demo.world import World

CEILING = 10_000
MAX_LIMIT = 100
MONTH = timedelta(days=31)
HALF_YEAR = timedelta(days=184)

#: What the overview of a timeline leaves out.
_DETAILS = {"notify_log_entry", "assign_log_entry", "annotate_log_entry", "link_log_entry"}
_STAMP = re.compile(rb'"(\w*at)":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"')
_SORTABLE = {"incident_number", "created_at", "resolved_at", "urgency"}


class PagerDutyError(Exception):
    """A refusal with PagerDuty's own error code."""

    def __init__(self, status: int, code: int, message: str, *errors: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.errors = status, code, message, list(errors)

    def body(self) -> bytes:
        """`{"error": {...}}`."""
        error: Json = {"message": self.message, "code": self.code}
        if self.errors:
            error["errors"] = self.errors
        return encode({"error": error})


def _invalid(*errors: str) -> PagerDutyError:
    return PagerDutyError(400, 2001, "Invalid Input Provided", *errors)


def _not_found() -> PagerDutyError:
    return PagerDutyError(404, 2100, "Not Found")


class PagerDutySimulator:
    """One account. Build it from a world, or from records of your own."""

    name = "pagerduty"

    def __init__(
        self, book_at: Callable[[datetime], Book], *, token: str = "demo-token", account_zone: str = "Europe/Madrid"
    ) -> None:
        self._book_at = book_at
        self.token = token
        self.account_zone = account_zone

    @classmethod
    def from_world(cls, world: World, *, account_zone: str = "Europe/Madrid") -> PagerDutySimulator:
        """The account of the world's company."""
        renderer = Renderer(world.of("pagerduty"), account_zone)
        return cls(Snapshots(world.instants("pagerduty"), renderer.book).at, account_zone=account_zone)

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
        account_zone: str = "Europe/Madrid",
    ) -> PagerDutySimulator:
        """An account that holds exactly these objects, odd ones included, whatever the clock says.

        Reference lists that are not given are those of the demonstration company.
        """
        given = {"services": services, "teams": teams, "priorities": priorities, "users": users}
        lists = {**reference_lists(), **{name: rows for name, rows in given.items() if rows is not None}}
        book = Book(list(incidents), [entry_of(row) for row in log_entries], dict(notes or {}), **lists)
        return cls(lambda now: book, account_zone=account_zone)

    # -- what the server asks --------------------------------------------------------------------------------------

    def environment(self, url: str) -> dict[str, str]:
        """Where and with what key to read this account."""
        return {"PAGERDUTY_TOKEN": self.token, "PAGERDUTY_API_URL": url}

    def limit_headers(self, limit: int, remaining: int, reset: float, window: float) -> dict[str, str]:
        """REST docs, Rate Limits: the reset is in seconds from now."""
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

    def handle(self, request: Request, now: datetime) -> Response:
        """Answer one request."""
        try:
            if request.headers.get("authorization") != f"Token token={self.token}":
                raise PagerDutyError(401, 2006, "Authentication failed")
            if request.method != "GET":
                raise _not_found()
            return self._route(request, now)
        except PagerDutyError as error:
            return Response(error.status, error.body())

    def _route(self, request: Request, now: datetime) -> Response:
        book = self._book_at(now)
        match request.path.strip("/").split("/"):
            case ["incidents"]:
                return self._incidents(request, book, now)
            case ["incidents", identity]:
                place = _find(book, identity)
                row = _included(book, place, request.many("include[]"))
                return self._zoned(request, answer({"incident": row}), None)
            case ["incidents", identity, "notes"]:
                incident = book.incidents[_find(book, identity)]
                return answer({"notes": book.notes.get(incident["id"], [])})
            case ["incidents", identity, "log_entries"]:
                wanted = book.incidents[_find(book, identity)]["id"]
                return self._log_entries(request, book, now, wanted)
            case ["log_entries"]:
                return self._log_entries(request, book, now, None)
            case ["services" | "teams" | "priorities" | "users" as kind]:
                return self._list(request, kind, getattr(book, kind))
            case ["services" | "teams" | "priorities" | "users" as kind, identity]:
                found = [row for row in getattr(book, kind) if row["id"] == identity]
                if not found:
                    raise _not_found()
                return answer({kind[:-1] if kind != "priorities" else "priority": found[0]})
            case ["abilities"]:
                return answer({"abilities": ["teams", "priorities"]})
        raise _not_found()

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
            rows: list[Any] = [_included(book, place, include) for place in chosen]
        else:
            rows = [msgspec.Raw(book.encoded[place]) for place in chosen]
        return self._zoned(request, _paged("incidents", rows, request, offset, limit, len(places)), None)

    def _matching(self, request: Request, book: Book, now: datetime) -> list[int]:
        """Places of the matching incidents in the order asked for; the range filters on created_at."""
        places = range(len(book.incidents))
        if request.one("date_range") != "all":
            since, until = self._window(request, now)
            if until - since > HALF_YEAR:
                return []
            first = bisect_left(book.created, iso_seconds(since))
            places = range(first, max(first, bisect_left(book.created, iso_seconds(until))))
        tests: list[Callable[[Json], bool]] = []
        for name, known in (
            ("statuses[]", {"triggered", "acknowledged", "resolved"}),
            ("urgencies[]", {"high", "low"}),
        ):
            if wanted := set(request.many(name)):
                if wanted - known:
                    raise _invalid(f"{name} must be one of {', '.join(sorted(known))}")
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
        return _sorted(chosen, book, request.one("sort_by"))

    # -- log entries -----------------------------------------------------------------------------------------------

    def _log_entries(self, request: Request, book: Book, now: datetime, incident: str | None) -> Response:
        offset, limit = _page(request)
        if incident is not None:
            entries = [entry for entry in book.entries if entry.incident_id == incident]
            if request.one("since") or request.one("until"):
                since, until = self._window(request, now)
                entries = [e for e in entries if iso_seconds(since) <= e.created_at < iso_seconds(until)]
        else:
            since, until = self._window(request, now)
            # Newest first: search on the negated order.
            low = bisect_right(book.entries, _Reverse(iso_seconds(until)), key=lambda e: _Reverse(e.created_at))
            high = bisect_right(book.entries, _Reverse(iso_seconds(since)), key=lambda e: _Reverse(e.created_at))
            entries = book.entries[low:high]
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
        return self._zoned(request, page, self.account_zone)

    # -- shared ----------------------------------------------------------------------------------------------------

    def _list(self, request: Request, name: str, rows: list[Json]) -> Response:
        offset, limit = _page(request)
        if query := request.one("query"):
            rows = [row for row in rows if query.lower() in (row.get("name") or "").lower()]
        return _paged(name, rows[offset : offset + limit], request, offset, limit, len(rows))

    def _window(self, request: Request, now: datetime) -> tuple[datetime, datetime]:
        """since and until; one that is missing lies a month from the other or now."""
        zone = _zone(request.one("time_zone") or self.account_zone)
        until = _instant("until", request.one("until"), zone)
        since = _instant("since", request.one("since"), zone)
        until = until or (min(since + MONTH, now) if since else now) + timedelta(seconds=1)
        since = since or until - MONTH
        # Stamps have whole seconds and the end is exclusive: half a second past one still includes it.
        return since, until + timedelta(seconds=1 if until.microsecond else 0)

    def _zoned(self, request: Request, response: Response, default: str | None) -> Response:
        """Show stamps in the zone asked for; UTC is `Z`."""
        name = request.one("time_zone") or default
        if name in (None, "UTC", "Etc/UTC"):
            return response
        zone = _zone(name or "UTC")

        def shift(match: re.Match[bytes]) -> bytes:
            local = datetime.fromisoformat(match[2].decode()).astimezone(zone)
            return b'"%s":"%s"' % (match[1], local.isoformat(timespec="seconds").encode())

        response.body = _STAMP.sub(shift, response.body)
        return response


class _Reverse:
    """Orders text downwards, for bisect on a descending list."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __lt__(self, other: _Reverse) -> bool:
        return self.text > other.text


def entry_of(row: Json) -> Entry:
    """A log entry given as a whole object."""
    rest = {name: value for name, value in row.items() if name != "incident"}
    incident = row.get("incident") or {}
    head = encode(rest)[:-1]
    teams = tuple(team["id"] for team in row.get("teams") or () if team.get("id"))
    return Entry(
        row.get("created_at") or "", incident.get("id", ""), row.get("type", ""), head, encode(incident), teams
    )


def _page(request: Request) -> tuple[int, int]:
    try:
        offset = page_number(request.one("offset"), 0)
        limit = min(page_number(request.one("limit"), 25) or 25, MAX_LIMIT)
    except ValueError:
        raise _invalid("Limit and offset must be non-negative integers") from None
    if offset + limit > CEILING:
        text = f"Offset+limit exceeds maximum allowed value of {CEILING}. Please try to refine your search."
        raise PagerDutyError(400, 2002, "Arguments Caused Error", text)
    return offset, limit


def _paged(name: str, rows: list[Any], request: Request, offset: int, limit: int, total: int) -> Response:
    """Classic pagination (REST docs, Pagination)."""
    shown = total if request.one("total") == "true" else None
    more = offset + len(rows) < total
    return answer({name: rows, "limit": limit, "offset": offset, "total": shown, "more": more})


def _find(book: Book, identity: str) -> int:
    """An incident by id or by number."""
    place = book.index.get(identity)
    if place is None and identity.isdigit():
        numbers = {row["incident_number"]: place for place, row in enumerate(book.incidents)}
        place = numbers.get(int(identity))
    if place is None:
        raise _not_found()
    return place


def _included(book: Book, place: int, include: list[str]) -> Json:
    """The incident with the objects named in include[] in full instead of as references."""
    row = dict(book.incidents[place])

    def full(kind: str, ref: Json | None) -> Json | None:
        found = [item for item in getattr(book, kind) if ref and item["id"] == ref.get("id")]
        return found[0] if found else ref

    if "services" in include:
        row["service"] = full("services", row.get("service"))
    if "priorities" in include:
        row["priority"] = full("priorities", row.get("priority"))
    if "teams" in include:
        row["teams"] = [full("teams", team) for team in row.get("teams") or ()]
    if "assignees" in include:
        row["assignments"] = [{**a, "assignee": full("users", a["assignee"])} for a in row.get("assignments") or ()]
    if "acknowledgers" in include:
        acks = row.get("acknowledgements") or ()
        row["acknowledgements"] = [{**a, "acknowledger": full("users", a["acknowledger"])} for a in acks]
    if "first_trigger_log_entries" in include:
        ref = row.get("first_trigger_log_entry") or {}
        for entry in book.entries:
            if entry.incident_id == row["id"] and entry.type == "trigger_log_entry":
                row["first_trigger_log_entry"] = entry.render(None)
                break
        else:
            row["first_trigger_log_entry"] = ref
    if "body" in include:
        row["body"] = {"type": "incident_body", "details": row.get("title")}
    if "custom_fields" in include:
        row.setdefault("custom_fields", [])
    return row


def _sorted(places: list[int], book: Book, sort_by: str | None) -> list[int]:
    """One or two `field[:asc|desc]`; the listing is by creation unless told otherwise."""
    terms = [term for term in (sort_by or "created_at:asc").split(",") if term]
    if len(terms) > 2:
        raise _invalid("sort_by takes at most two fields")
    for term in reversed(terms):
        field, _, direction = term.partition(":")
        if field not in _SORTABLE or direction not in ("", "asc", "desc"):
            raise _invalid(f"sort_by {term} is not supported")
        if field == "created_at" and direction != "desc" and len(terms) == 1:
            continue
        places = sorted(
            places,
            key=lambda place: (book.incidents[place].get(field) is None, book.incidents[place].get(field) or 0),
            reverse=direction == "desc",
        )
    return places


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise _invalid(f"Time zone {name} is not known") from None


def _instant(name: str, text: str | None, zone: ZoneInfo) -> datetime | None:
    """A since/until value; without an offset it is local time."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise _invalid(f"{name.capitalize()} is not a valid date") from None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
