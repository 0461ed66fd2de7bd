"""An Opsgenie account over HTTP: alerts, incidents, services and teams, with the limits of the real one.

A client has to cope with the following, so it is simulated (Opsgenie API reference; API Rate Limiting):

* offset + limit above 20,000 is a 422, for alerts, incidents and services alike;
* the list of alerts is thinner than the single alert, and `report` holds durations, not instants;
* logs and notes are paged by an opaque offset, and pages link to each other by absolute addresses that repeat the
  query and, as in the oldest examples of the documentation, an `apiKey`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from mttr_pipeline.demo.facts import identifier, uuid
from mttr_pipeline.demo.kit.alert_query import TIMES, millis, parse
from mttr_pipeline.demo.kit.paging import Paging
from mttr_pipeline.demo.kit.query import QueryError
from mttr_pipeline.demo.kit.snapshots import Snapshots
from mttr_pipeline.demo.kit.wire import Request, Response, answer, encode, page_number
from mttr_pipeline.demo.opsgenie.records import DETAIL_FIELDS, Book, Json, Renderer, reference_lists

if TYPE_CHECKING:
    from mttr_pipeline.demo.world import World

CEILING = 20_000
MAX_LIMIT = 100
#: The paths of one alert or incident and of what belongs to it.
_SINGLE = re.compile(r"/(?:v2/alerts|v1/incidents|incident-timelines)/(?!count\b)([^/]+)")
_SORTS = {"createdAt", "updatedAt", "tinyId", "alias", "message", "status", "acknowledged", "isSeen", "snoozed"}
_SORTS |= {"count", "lastOccurredAt", "source", "owner"}
_INCIDENT_SORTS = {"createdAt", "tinyId", "message", "status", "isSeen", "owner"}


class OpsgenieError(Exception):
    """A refusal; the body is a sentence and a request id."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class OpsgeniePaging(Paging):
    """Lists link to the next page while there is one."""

    def announce_next(self, body: Any, token: str) -> bool:
        """See Paging."""
        return bool((body.get("paging") or {}).get("next"))


class OpsgenieSimulator:
    """One account, made from a world or from given records."""

    name = "opsgenie"
    paging: Paging = OpsgeniePaging()

    def __init__(
        self, book_at: Callable[[datetime], Book], *, key: str = "demo-genie-key", echo_key: bool = True
    ) -> None:
        self._book_at = book_at
        self.key = key
        #: Whether paging links repeat the key, as the oldest documentation shows.
        self.echo_key = echo_key

    @classmethod
    def from_world(cls, world: World) -> OpsgenieSimulator:
        """The account of the company's courier."""
        renderer = Renderer(world.of("opsgenie"), world.of("opsgenie_incident"))
        return cls(Snapshots(world.instants("opsgenie", "opsgenie_incident"), renderer.book).at)

    @classmethod
    def from_records(
        cls,
        alerts: Iterable[Json] = (),
        incidents: Iterable[Json] = (),
        *,
        logs: Mapping[str, list[Json]] | None = None,
        notes: Mapping[str, list[Json]] | None = None,
        timelines: Mapping[str, list[Json]] | None = None,
        alerts_of: Mapping[str, Mapping[str, list[str]]] | None = None,
        services: list[Json] | None = None,
        teams: list[Json] | None = None,
    ) -> OpsgenieSimulator:
        """An account that holds exactly these objects, odd ones included, whatever the clock says.

        Logs (oldest first), notes, timelines and ids of alerts (`associated-alert-ids`, `responder-alert-ids`) go by the id
        of their alert or incident. Services and teams that are
        not given are those of the demonstration company.
        """
        given = {"services": services, "teams": teams}
        lists = {**reference_lists(), **{name: rows for name, rows in given.items() if rows is not None}}
        stories = (dict(logs or {}), dict(notes or {}), dict(timelines or {}))
        book = Book(list(alerts), list(incidents), *stories, alerts_of=dict(alerts_of or {}), **lists)
        return cls(lambda now: book)

    # -- what the server asks --------------------------------------------------------------------------------------

    def environment(self, url: str) -> dict[str, str]:
        """Where and with what key to read this account."""
        return {"OPSGENIE_API_KEY": self.key, "OPSGENIE_API_URL": url}

    def limit_headers(self, limit: int, remaining: int, reset: float, window: float) -> dict[str, str]:
        """A state and a period, but no count (API Rate Limiting)."""
        return {
            "X-RateLimit-State": "OK" if remaining else "THROTTLED",
            "X-RateLimit-Reason": "ACCOUNT",
            "X-RateLimit-Period-In-Sec": str(max(1, round(window))),
        }

    def error(self, status: int, message: str) -> bytes:
        """An error body."""
        if status == 429:
            message = "You are making too many requests! To avoid errors, we recommend you limit requests."
        if status == 401:
            message = "Could not authenticate"
        return encode({"message": message, "took": 0.002, "requestId": uuid(identifier("error", message))})

    def record_in(self, path: str) -> str | None:
        """The id of the alert or incident that a path asks about."""
        found = _SINGLE.search(path)
        return found[1] if found else None

    def handle(self, request: Request, now: datetime) -> Response:
        """Answer one request."""
        request_id = uuid(identifier(request.method, request.path, request.query_string))
        try:
            if request.headers.get("authorization") != f"GenieKey {self.key}":
                raise OpsgenieError(401, "Could not authenticate")
            if request.method != "GET":
                raise OpsgenieError(405, "Method not allowed")
            response = self._route(request, self._book_at(now), request_id)
        except OpsgenieError as error:
            response = Response(error.status, self.error(error.status, error.message))
        response.headers |= {"X-Request-ID": request_id, "X-Response-Time": "0.011"}
        return response

    def _route(self, request: Request, book: Book, request_id: str) -> Response:
        def done(data: Any, **more: Any) -> Response:
            response = answer({"data": data, **more, "took": 0.011, "requestId": request_id})
            for name, link in more.get("paging", {}).items():
                response.headers[f"X-Paging-{name.title()}"] = link
            return response

        match request.path.strip("/").split("/"):
            case ["v2", "alerts"]:
                rows = self._search(request, book, "alerts", _SORTS)
                page, paging = self._page(request, rows)
                return done([{k: v for k, v in row.items() if k not in DETAIL_FIELDS} for row in page], paging=paging)
            case ["v2", "alerts", "count"]:
                return done({"count": len(self._search(request, book, "alerts", _SORTS))})
            case ["v2", "alerts", identity]:
                return done(_alert(book, request, identity))
            case ["v2", "alerts", identity, "logs"]:
                rows = book.logs.get(_alert(book, request, identity)["id"], [])
                page, paging = self._keyset(request, rows)
                return done(page, paging=paging)
            case ["v2", "alerts", identity, "notes"]:
                rows = book.notes.get(_alert(book, request, identity)["id"], [])
                page, paging = self._keyset(request, rows)
                return done(page, paging=paging)
            case ["v1", "incidents"]:
                rows = self._search(request, book, "incidents", _INCIDENT_SORTS)
                page, paging = self._page(request, rows)
                return done(page, paging=paging, totalCount=len(rows))
            case ["v1", "incidents", identity]:
                return done(_incident(book, request, identity))
            case ["v1", "incidents", identity, "notes"]:
                rows = book.notes.get(_incident(book, request, identity)["id"], [])
                page, paging = self._keyset(request, rows)
                return done(page, paging=paging)
            case ["v1", "incidents", identity, "associated-alert-ids" | "responder-alert-ids" as kind]:
                found = book.alerts_of.get(_incident(book, request, identity)["id"], {}).get(kind, [])
                page, paging = self._page(request, found)
                return done(page, paging=paging)
            case ["v2", "incident-timelines", identity, "entries"]:
                return self._timeline(request, book, identity, done)
            case ["v1", "services"]:
                page, paging = self._page(request, book.services)
                return done(page, paging=paging, totalCount=len(book.services))
            case ["v1", "services", identity]:
                return done(_by_id(book.services, identity, "Service"))
            case ["v2", "teams"]:
                return done(book.teams, expandable=["member"])
            case ["v2", "teams", identity]:
                return done(_by_id(book.teams, identity, "Team"))
        raise OpsgenieError(404, "The resource does not exist")

    # -- searching and paging --------------------------------------------------------------------------------------

    def _search(self, request: Request, book: Book, kind: str, sorts: set[str]) -> list[Json]:
        sort, order = request.one("sort", "createdAt") or "createdAt", request.one("order", "desc") or "desc"
        query = request.one("query") or ""
        if sort not in sorts:
            raise OpsgenieError(422, f"Sort field [{sort}] is not supported")
        if order not in ("asc", "desc"):
            raise OpsgenieError(422, "Order must be asc or desc")
        key = (kind, query, sort, order)
        found: list[Json] | None = book.answers.get(key)
        if found is None:
            rows = [row for row in getattr(book, kind) if row]
            try:
                test = parse(query)
            except QueryError as error:
                raise OpsgenieError(422, f"Query is not valid: {error}") from None
            if len(book.answers) > 64:
                book.answers.clear()
            found = sorted(filter(test, rows), key=lambda row: _sort_key(row, sort), reverse=order == "desc")
            book.answers[key] = found
        return found

    def _page(self, request: Request, rows: list[Any]) -> tuple[list[Any], dict[str, str]]:
        """One page by offset, with absolute links to its neighbours."""
        try:
            offset = page_number(request.one("offset"), 0)
            limit = page_number(request.one("limit"), 20) or 20
        except ValueError:
            raise OpsgenieError(422, "Offset and limit must be non-negative integers") from None
        if limit > MAX_LIMIT:
            raise OpsgenieError(422, f"Limit should not be more than {MAX_LIMIT}")
        if offset + limit > CEILING:
            raise OpsgenieError(422, f"Sum of offset and limit should be lower than {CEILING}")
        last = max(0, (len(rows) - 1) // limit * limit)
        links = {"first": 0, "last": last}
        if offset + limit < len(rows):
            links["next"] = offset + limit
        if offset:
            links["prev"] = max(0, offset - limit)
        return rows[offset : offset + limit], {
            name: self._link(request, {"offset": place, "limit": limit}) for name, place in links.items()
        }

    def _keyset(self, request: Request, rows: list[Json]) -> tuple[list[Json], dict[str, str]]:
        """One page after (or before) the record with the opaque offset given."""
        order, direction = request.one("order", "desc"), request.one("direction", "next")
        ordered = rows if order == "asc" else rows[::-1]
        try:
            limit = min(page_number(request.one("limit"), 100) or 100, MAX_LIMIT)
        except ValueError:
            raise OpsgenieError(422, "Limit must be a non-negative integer") from None
        start = 0
        if offset := request.one("offset"):
            places = [place for place, row in enumerate(ordered) if row.get("offset") == offset]
            if not places:
                raise OpsgenieError(422, "Offset is not valid")
            start = max(0, places[0] - limit) if direction == "prev" else places[0] + 1
        page = ordered[start : start + limit]
        paging = {"first": self._link(request, {"limit": limit, "order": order})}
        if page and start + limit < len(ordered):
            more = {"offset": page[-1]["offset"], "limit": limit, "order": order, "direction": "next"}
            paging["next"] = self._link(request, more)
        return page, paging

    def _timeline(self, request: Request, book: Book, identity: str, done: Callable[..., Response]) -> Response:
        incident = _incident(book, request, identity)
        entries = book.timelines.get(incident["id"], [])
        if groups := request.one("group"):
            wanted = set(groups.split(","))
            entries = [entry for entry in entries if entry.get("group") in wanted]
        try:
            offset, limit = page_number(request.one("offset"), 0), page_number(request.one("limit"), 20) or 20
        except ValueError:
            raise OpsgenieError(422, "Offset and limit must be non-negative integers") from None
        limit = min(limit, MAX_LIMIT)
        data: Json = {"entries": entries[offset : offset + limit]}
        if offset + limit < len(entries):
            data["nextOffset"] = str(offset + limit)
        return done(data)

    def _link(self, request: Request, parameters: Mapping[str, object]) -> str:
        repeated = {name: values[-1] for name, values in request.query.items()}
        query = {**repeated, **parameters} | ({"apiKey": self.key} if self.echo_key else {})
        return f"{request.base_url}{request.path}?{urlencode({k: str(v) for k, v in query.items()})}"


def _alert(book: Book, request: Request, identity: str) -> Json:
    """An alert by id, tiny id or alias, as identifierType says."""
    field = {"tiny": "tinyId", "alias": "alias"}.get(request.one("identifierType", "id") or "id", "id")
    # Aliases are unique only among open alerts, and tiny ids are used again: take the newest.
    for alert in reversed(book.alerts):
        if str(alert.get(field)) == identity:
            return alert
    raise OpsgenieError(404, "Alert does not exist")


def _incident(book: Book, request: Request, identity: str) -> Json:
    field = "tinyId" if request.one("identifierType") == "tiny" else "id"
    for incident in book.incidents:
        if str(incident.get(field)) == identity:
            return incident
    raise OpsgenieError(404, "Incident does not exist")


def _by_id(rows: list[Json], identity: str, kind: str) -> Json:
    for row in rows:
        if row["id"] == identity:
            return row
    raise OpsgenieError(404, f"{kind} does not exist")


def _sort_key(row: Json, sort: str) -> tuple[bool, Any]:
    value = row.get(sort)
    if sort in TIMES.values():
        return (value is None, millis(value))
    if sort == "tinyId":
        return (value is None, int(value or 0))
    return (value is None, str(value))
