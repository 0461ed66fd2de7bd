"""A site of JSM Operations over HTTP: alerts and teams, with the limits of the real one.

A client has to cope with the following, so it is simulated (Jira Service Management Operations REST API, group Alerts; answers
of live sites):

* `size` is the page size, 20 by default and never above 100; `limit` has no effect;
* offset + size must stay below 20,000;
* links to the next page are relative to the API, not to the host, and `count` is the number of all alerts found;
* logs and notes are paged by `after`: an `offset` is ignored and gives the first page again;
* the sort fields are createdAt, insertedAt, lastOccurredAt and priority, so no list is in order of change;
* a token without the right scope gets 401, not 403, and says so.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from mttr_pipeline.demo.jsm.records import DETAIL_FIELDS, Book, Json, Renderer, teams
from mttr_pipeline.demo.kit.alert_query import millis, parse
from mttr_pipeline.demo.kit.paging import Paging
from mttr_pipeline.demo.kit.query import QueryError
from mttr_pipeline.demo.kit.snapshots import Snapshots
from mttr_pipeline.demo.kit.wire import Request, Response, answer, encode, page_number

if TYPE_CHECKING:
    from mttr_pipeline.demo.world import World

CEILING = 20_000
MAX_SIZE = 100
CLOUD_ID = "6ac9f1f4-2c59-4a43-8d3e-6f6ee4a3b7d1"
_SORTS = {
    "createdAt": "createdAt",
    "insertedAt": "createdAt",
    "lastOccurredAt": "lastOccuredAt",
    "priority": "priority",
}
#: The paths of one alert and of what belongs to it.
_SINGLE = re.compile(r"/v1/alerts/([^/]+)")
#: Names in the search language -> fields of the alert, where they differ.
_COLUMNS = {"lastOccurredAt": "lastOccuredAt", "isSeen": "seen"}


class JsmError(Exception):
    """A refusal: `{"code", "message"}`, or a list of errors with titles."""

    def __init__(self, status: int, message: str, *, listed: bool = True) -> None:
        super().__init__(message)
        self.status, self.message, self.listed = status, message, listed


class JsmPaging(Paging):
    """Lists link to the next page while there is one."""

    def announce_next(self, body: Any, token: str) -> bool:
        """See Paging."""
        return bool((body.get("links") or {}).get("next"))


class JsmSimulator:
    """The alerts of one site, made from a world or from given records.

    updated_searchable  whether the search accepts `updatedAt`, which no document says
    ranges              whether `from` and `to`, in milliseconds, limit the list
    """

    name = "jsm"
    paging: Paging = JsmPaging()

    def __init__(
        self,
        book_at: Callable[[datetime], Book],
        *,
        email: str = "demo@example.com",
        token: str = "demo-jsm-token",
        scopes: Iterable[str] = ("read:ops-alert", "read:ops-config"),
        updated_searchable: bool = False,
        ranges: bool = True,
    ) -> None:
        self._book_at = book_at
        self.email, self.token, self.scopes = email, token, set(scopes)
        self.updated_searchable, self.ranges = updated_searchable, ranges

    @classmethod
    def from_world(cls, world: World, **options: Any) -> JsmSimulator:
        """The site of the company's warehouses."""
        return cls(Snapshots(world.instants("jsm"), Renderer(world.of("jsm")).book).at, **options)

    @classmethod
    def from_records(
        cls,
        alerts: Iterable[Json] = (),
        *,
        logs: Mapping[str, list[Json]] | None = None,
        notes: Mapping[str, list[Json]] | None = None,
        team_rows: list[Json] | None = None,
        **options: Any,
    ) -> JsmSimulator:
        """A site that holds exactly these objects, odd ones included, whatever the clock says. Logs and notes go by the
        id of their alert, oldest first."""

        def keyed(rows: Mapping[str, list[Json]] | None) -> dict[str, list[tuple[str, Json]]]:
            return {
                name: [(f"{10**12 + place}_{place}", row) for place, row in enumerate(found)]
                for name, found in (rows or {}).items()
            }

        book = Book(list(alerts), keyed(logs), keyed(notes), teams() if team_rows is None else team_rows)
        return cls(lambda now: book, **options)

    # -- what the server asks --------------------------------------------------------------------------------------

    def environment(self, url: str) -> dict[str, str]:
        """Where and with which credentials to read this site."""
        return {
            "JSM_CLOUD_ID": CLOUD_ID,
            "JSM_EMAIL": self.email,
            "JSM_API_TOKEN": self.token,
            "JSM_API_URL": url,
        }

    def limit_headers(self, limit: int, remaining: int, reset: float, window: float) -> dict[str, str]:
        """Only a refusal reports the limit."""
        return {} if remaining else {"Retry-After": str(max(1, round(reset + 0.5)))}

    def error(self, status: int, message: str) -> bytes:
        """An error body of the gateway."""
        return encode({"code": status, "message": message})

    def record_in(self, path: str) -> str | None:
        """The id of the alert that a path asks about."""
        found = _SINGLE.search(path)
        return found[1] if found else None

    def handle(self, request: Request, now: datetime) -> Response:
        """Answer one request."""
        try:
            pair = base64.b64encode(f"{self.email}:{self.token}".encode()).decode()
            if request.headers.get("authorization") != f"Basic {pair}":
                raise JsmError(401, "Unauthorized", listed=False)
            prefix = f"/jsm/ops/api/{CLOUD_ID}/v1/"
            if not request.path.startswith(prefix):
                raise JsmError(404, "Not Found", listed=False)
            if request.method != "GET":
                raise JsmError(405, f"Request method '{request.method}' is not supported", listed=False)
            return self._route(request, request.path[len(prefix) :].split("/"), self._book_at(now))
        except JsmError as error:
            if not error.listed:
                return Response(error.status, self.error(error.status, error.message))
            code = {400: "VALIDATION_ERROR", 404: "NOT_FOUND"}.get(error.status, "ERROR")
            return Response(error.status, encode({"errors": [{"title": error.message, "code": code}]}))

    def _route(self, request: Request, parts: list[str], book: Book) -> Response:
        scope = "read:ops-config" if parts == ["teams"] else "read:ops-alert"
        if scope not in self.scopes:
            raise JsmError(401, "Unauthorized; scope does not match", listed=False)
        match parts:
            case ["teams"]:
                return answer({"platformTeams": book.teams})
            case ["alerts"]:
                return self._list(request, book)
            case ["alerts", "alias"]:
                return answer(_alert(book, "alias", request.one("alias") or ""))
            case ["alerts", identity]:
                return answer(_alert(book, "id", identity))
            case ["alerts", identity, ("logs" | "notes") as kind]:
                _alert(book, "id", identity)
                rows = (book.logs if kind == "logs" else book.notes).get(identity, [])
                return self._keyed(request, f"/v1/alerts/{identity}/{kind}", rows)
        raise JsmError(404, "Not Found", listed=False)

    # -- searching and paging --------------------------------------------------------------------------------------

    def _list(self, request: Request, book: Book) -> Response:
        sort, order = request.one("sort") or "insertedAt", request.one("order") or "desc"
        if sort not in _SORTS or order not in ("asc", "desc"):
            raise JsmError(400, f"Invalid sort or order: {sort} {order}")
        offset, size = _number(request, "offset", 0), min(_number(request, "size", 20) or 20, MAX_SIZE)
        if offset + size >= CEILING:
            raise JsmError(400, "Sum of offset and size should be lower than 20000")
        rows = self._found(request, book, sort, order)
        page = rows[offset : offset + size]
        body: Json = {"values": [{k: v for k, v in row.items() if k not in DETAIL_FIELDS} for row in page]}
        if offset + size < len(rows):
            given = {name: values[-1] for name, values in request.query.items() if name not in ("offset", "size")}
            link = urlencode({"offset": offset + size, "size": size, "sort": sort, "order": order, **given})
            body["links"] = {"next": f"/v1/alerts?{link}"}
        else:
            body["links"] = {}
        return answer({**body, "count": len(rows)})

    def _found(self, request: Request, book: Book, sort: str, order: str) -> list[Json]:
        query = request.one("query") or ""
        since = _number(request, "from", 0) if self.ranges else 0
        until = _number(request, "to", 0) if self.ranges else 0
        key = (query, since, until, sort, order)
        found: list[Json] | None = book.answers.get(key)
        if found is not None:
            return found
        try:
            test = parse(query, columns=_COLUMNS, unknown=() if self.updated_searchable else ("updatedAt",))
        except QueryError as error:
            raise JsmError(400, f"Query is not valid: {error}") from None

        def inside(row: Json) -> bool:
            at = millis(row.get("createdAt"))
            return (not since or at >= since) and (not until or at < until) and test(row)

        column = _SORTS[sort]
        rows = [row for row in book.alerts if row and inside(row)]
        rows.sort(key=lambda row: row.get(column) or "" if column == "priority" else millis(row.get(column)))
        if order == "desc":
            rows.reverse()
        if len(book.answers) > 64:
            book.answers.clear()
        book.answers[key] = rows
        return rows

    def _keyed(self, request: Request, path: str, rows: list[tuple[str, Json]]) -> Response:
        """One page after the record with the key given."""
        size = min(_number(request, "size", 20) or 20, MAX_SIZE)
        start = 0
        if after := request.one("after"):
            places = [place for place, (key, _) in enumerate(rows) if key == after]
            if not places:
                raise JsmError(400, "after is not valid")
            start = places[0] + 1
        page = rows[start : start + size]
        links = {"next": f"{path}?after={page[-1][0]}&size={size}"} if start + size < len(rows) else {}
        return answer({"values": [row for _, row in page], "links": links})


def _number(request: Request, name: str, default: int) -> int:
    try:
        return page_number(request.one(name), default)
    except ValueError:
        raise JsmError(400, f"{name} must be a non-negative integer") from None


def _alert(book: Book, field: str, wanted: str) -> Json:
    """The newest alert with that id or alias."""
    for alert in reversed(book.alerts):
        if str(alert.get(field)) == wanted:
            return alert
    raise JsmError(404, "Alert does not exist")
