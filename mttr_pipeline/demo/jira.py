"""A Jira site over HTTP: Cloud (REST API v3) or Data Center (REST API v2), with what sets them apart.

What a client must cope with and therefore finds here (Jira Cloud platform REST API v3: Issue search, Issues; changelog
note CHANGE-2046; Jira Data Center REST API: search):

* Cloud: the old search is gone (410); the new one pages by token only, refuses an unbounded query, gives ids only
  unless fields are named, and embeds at most the newest 40 changelog entries; bulk changelogs split one issue's
  history over pages and write some instants as epoch integers;
* Data Center: search by startAt with a page size the server caps and echoes, the whole changelog embedded, a personal
  access token, users by name;
* both: a project, type or status that does not exist fails the whole query.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from mttr_pipeline.demo.facts import identifier
from mttr_pipeline.demo.jira_records import PROJECTS, SITES, VERSION, Book, Json, Renderer, account_id, book_of
from mttr_pipeline.demo.jql import Search, Site, millis, parse
from mttr_pipeline.demo.query import QueryError
from mttr_pipeline.demo.wire import Request, Response, Snapshots, answer, encode, iso_jira
from mttr_pipeline.demo.world import World

Flavour = Literal["cloud", "dc"]

EMBEDDED_CHANGES = 40
BULK_ISSUES, BULK_CHANGES = 100, 10_000
REMOVED = (
    "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. "
    "A full migration guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)


class JiraError(Exception):
    """A refusal with Jira's list of messages."""

    def __init__(self, status: int, *messages: str) -> None:
        super().__init__(*messages)
        self.status, self.messages = status, list(messages)


class JiraSimulator:
    """One site. Build it from a world, or from issues of your own."""

    def __init__(
        self,
        book_at: Callable[[datetime], Book],
        flavour: Flavour = "cloud",
        *,
        email: str = "demo@example.com",
        token: str = "demo-jira-token",
        user_zone: str = "America/New_York",
        page_cap: int | None = None,
    ) -> None:
        self._book_at = book_at
        self.flavour = flavour
        self.name = "jira" if flavour == "cloud" else "jira-dc"
        self.email, self.token, self.user_zone = email, token, user_zone
        #: The largest page the site gives: many fields make Cloud pages small, Data Center has a configured maximum.
        self.page_cap = page_cap or (100 if flavour == "cloud" else 1000)

    @classmethod
    def from_world(cls, world: World, flavour: Flavour = "cloud") -> JiraSimulator:
        """The service desk of the world's company that runs on this flavour."""
        tool = "jira" if flavour == "cloud" else "jira-dc"
        return cls(Snapshots(world.instants(tool), Renderer(world.of(tool), flavour).book).at, flavour)

    @classmethod
    def from_issues(
        cls,
        issues: Iterable[Json],
        flavour: Flavour = "cloud",
        *,
        fields: list[Json] | None = None,
        page_cap: int | None = None,
    ) -> JiraSimulator:
        """A site that holds exactly these issues, each with its whole `changelog`, whatever the clock says."""
        book = book_of(issues, flavour, fields)
        return cls(lambda now: book, flavour, page_cap=page_cap)

    # -- what the server asks --------------------------------------------------------------------------------------

    def environment(self, url: str) -> dict[str, str]:
        """Where and with which credentials to read this site."""
        if self.flavour == "dc":
            return {"JIRA_URL": url, "JIRA_PERSONAL_TOKEN": self.token}
        return {"JIRA_URL": url, "JIRA_EMAIL": self.email, "JIRA_API_TOKEN": self.token}

    def limit_headers(self, limit: int, remaining: int, reset: float, window: float) -> dict[str, str]:
        """Cloud tells the minute of the reset, Data Center the refill of its token bucket."""
        headers = {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(remaining)}
        if self.flavour == "dc":
            headers |= {"X-RateLimit-Interval-Seconds": str(max(1, round(window))), "X-RateLimit-FillRate": str(limit)}
        else:
            headers["X-RateLimit-Reset"] = datetime.fromtimestamp(datetime.now(UTC).timestamp() + reset, UTC).strftime(
                "%Y-%m-%dT%H:%MZ"
            )
        if not remaining:
            headers["Retry-After"] = str(max(1, round(reset + 0.5)))
        return headers

    def error(self, status: int, message: str) -> bytes:
        """An error body."""
        if status == 401:
            message = "Client must be authenticated to access this resource."
        return encode({"errorMessages": [message], "errors": {}})

    def handle(self, request: Request, now: datetime) -> Response:
        """Answer one request."""
        try:
            self._authenticate(request)
            prefix = f"/rest/api/{VERSION[self.flavour]}/"
            path = request.path.replace("/rest/api/latest/", prefix)
            if self.flavour == "cloud":
                path = path.replace("/rest/api/2/", prefix)
            if not path.startswith(prefix):
                raise JiraError(404, "Not found")
            parts = path[len(prefix) :].strip("/").split("/")
            return self._route(request, parts, self._book_at(now), now)
        except JiraError as error:
            return Response(error.status, encode({"errorMessages": error.messages, "errors": {}}))
        except msgspec.DecodeError:
            return Response(400, self.error(400, "There was an error parsing JSON."))

    def _authenticate(self, request: Request) -> None:
        given = request.headers.get("authorization") or ""
        if self.flavour == "dc":
            wanted = {f"Bearer {self.token}"}
        else:
            pair = f"{self.email}:{self.token}".encode()
            wanted = {"Basic " + base64.b64encode(pair).decode()}
        if given not in wanted:
            raise JiraError(401, "Client must be authenticated to access this resource.")

    def _route(self, request: Request, parts: list[str], book: Book, now: datetime) -> Response:
        cloud, method = self.flavour == "cloud", request.method
        match [method, *parts]:
            case ["GET" | "POST", "search"] if cloud:
                raise JiraError(410, REMOVED)
            case ["GET" | "POST", "search"]:
                return self._search_pages(request, book, now)
            case ["GET" | "POST", "search", "jql"] if cloud:
                return self._search_tokens(request, book, now)
            case ["POST", "search", "approximate-count"] if cloud:
                found = self._find(str(request.json().get("jql") or ""), book, now)
                return answer({"count": len(found)})
            case ["POST", "changelog", "bulkfetch"] if cloud:
                return self._bulk_changelog(request.json(), book)
            case ["POST", "issue", "bulkfetch"] if cloud:
                return self._bulk_issues(request.json(), book)
            case ["GET", "issue", name]:
                wanted = _names(request.many("fields")) or ["*all"]
                return answer(self._shown(_issue(book, name), wanted, _names(request.many("expand"))))
            case ["GET", "issue", name, "changelog"] if cloud:
                return self._changelog(request, _issue(book, name))
            case ["GET", "field"]:
                return answer(book.fields)
            case ["GET", "status"]:
                return answer(book.statuses)
            case ["GET", "issuetype"]:
                return answer(book.issue_types)
            case ["GET", "myself"]:
                return answer(self._myself(request.base_url))
            case ["GET", "serverInfo"]:
                return answer(self._server_info(request.base_url, now))
            case ["GET", "project", "search"] if cloud:
                return self._projects(request, book)
            case ["GET", "project"]:
                return answer(book.projects)
        raise JiraError(404, "Not found")

    # -- search ----------------------------------------------------------------------------------------------------

    def _find(self, jql: str, book: Book, now: datetime) -> list[Json]:
        """The issues a query selects, in its order."""
        key = ("search", jql, now if "now" in jql or '"-' in jql or " -" in jql else None)
        known: list[Json] | None = book.answers.get(key)
        if known is not None:
            return known
        site = Site(
            {str(project[name]) for project in book.projects for name in ("id", "key", "name") if project.get(name)},
            {str(kind[name]) for kind in book.issue_types for name in ("id", "name") if kind.get(name)},
            {str(status[name]) for status in book.statuses for name in ("id", "name") if status.get(name)},
            self.user_zone,
            now,
        )
        try:
            search: Search = parse(jql, site)
        except QueryError as error:
            raise JiraError(400, str(error)) from None
        if self.flavour == "cloud" and not search.bounded:
            text = "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
            raise JiraError(400, text)
        found = search.order([issue for issue in book.issues if search.test(issue)])
        if len(book.answers) > 64:
            book.answers.clear()
        book.answers[key] = found
        return found

    def _search_tokens(self, request: Request, book: Book, now: datetime) -> Response:
        body = _parameters(request)
        jql, fields, expand = str(body.get("jql") or ""), _names(body.get("fields")), _names(body.get("expand"))
        found = self._find(jql, book, now)
        start = _read_token(body.get("nextPageToken"), jql)
        wanted = _size(body.get("maxResults"), 50)
        bare = not expand and set(fields) <= {"id", "key"}
        size = min(wanted, 5000 if bare else self.page_cap) or 50
        page = found[start : start + size]
        last = start + size >= len(found)
        payload: Json = {"issues": [self._shown(issue, fields, expand) for issue in page], "isLast": last}
        if not last:
            payload["nextPageToken"] = _write_token(start + size, jql)
        return answer(payload)

    def _search_pages(self, request: Request, book: Book, now: datetime) -> Response:
        body = _parameters(request)
        found = self._find(str(body.get("jql") or ""), book, now)
        start, size = _size(body.get("startAt"), 0), min(_size(body.get("maxResults"), 50), self.page_cap)
        fields, expand = _names(body.get("fields")) or ["*navigable"], _names(body.get("expand"))
        issues = [self._shown(issue, fields, expand) for issue in found[start : start + size]]
        page = {"expand": "schema,names", "startAt": start, "maxResults": size, "total": len(found), "issues": issues}
        return answer(page)

    def _shown(self, issue: Json, fields: list[str], expand: list[str]) -> Json:
        """An issue with the fields asked for; none asked for means the id alone."""
        if not fields:
            shown: Json = {"id": issue["id"]}
        else:
            values = issue.get("fields") or {}
            excluded = {name[1:] for name in fields if name.startswith("-")}
            everything = {"*all", "*navigable"} & set(fields) or excluded == {name[1:] for name in fields}
            names = values.keys() if everything else [name for name in fields if name in values]
            shown = {name: issue[name] for name in ("expand", "id", "self", "key") if name in issue}
            shown["fields"] = {name: values[name] for name in names if name not in excluded}
            if set(fields) <= {"id", "key"}:
                del shown["fields"]
        if "changelog" in expand:
            shown["changelog"] = self._embedded(issue)
        return shown

    def _embedded(self, issue: Json) -> Json:
        """Cloud shows the newest entries first and not all of them; Data Center shows everything."""
        histories = _histories(issue)
        total = len(histories)
        if self.flavour == "cloud":
            histories = histories[::-1][:EMBEDDED_CHANGES]
        return {"startAt": 0, "maxResults": len(histories), "total": total, "histories": histories}

    # -- changelogs and bulk reads ---------------------------------------------------------------------------------

    def _changelog(self, request: Request, issue: Json) -> Response:
        histories = _histories(issue)
        start = _size(request.one("startAt"), 0)
        size = min(_size(request.one("maxResults"), 100), 100)
        base = f"{request.base_url}{request.path}"
        page: Json = {"self": f"{base}?maxResults={size}&startAt={start}", "startAt": start, "maxResults": size}
        page |= {"total": len(histories), "isLast": start + size >= len(histories)}
        if not page["isLast"]:
            page["nextPage"] = f"{base}?maxResults={size}&startAt={start + size}"
        return answer({**page, "values": histories[start : start + size]})

    def _bulk_changelog(self, body: Json, book: Book) -> Response:
        """Changes of many issues by date, then issue: one issue's history may go on on the next page."""
        names, wanted = body.get("issueIdsOrKeys") or [], set(body.get("fieldIds") or ())
        if not 1 <= len(names) <= 1000:
            raise JiraError(400, "The number of issue ids or keys must be between 1 and 1000.")
        if len(wanted) > 10:
            raise JiraError(400, "The number of field ids must not exceed 10.")
        # Issues that do not exist or are not visible are left out without a word.
        issues = {issue["id"]: issue for name in names if (issue := book.by_name.get(str(name).upper()))}
        changes: list[tuple[int, int, Json]] = []
        for identity, issue in issues.items():
            for history in _histories(issue):
                items = history.get("items") or []
                if wanted:
                    items = [item for item in items if {item.get("fieldId"), item.get("field")} & wanted]
                if items:
                    at = millis(history.get("created")) or 0
                    shown = {**history, "items": items}
                    if int(history["id"]) % 3 == 0:  # some instants come as epoch milliseconds
                        shown["created"] = at
                    changes.append((at, int(identity), shown))
        changes.sort(key=lambda change: change[:2])
        token_of = ",".join(map(str, names))
        start = _read_token(body.get("nextPageToken"), token_of)
        size = min(_size(body.get("maxResults"), 1000) or 1000, BULK_CHANGES)
        grouped: dict[int, list[Json]] = {}
        for _, identity, history in changes[start : start + size]:
            grouped.setdefault(identity, []).append(history)
        logs = [{"issueId": str(identity), "changeHistories": rows} for identity, rows in grouped.items()]
        payload: Json = {"issueChangeLogs": logs}
        if start + size < len(changes):
            payload["nextPageToken"] = _write_token(start + size, token_of)
        return answer(payload)

    def _bulk_issues(self, body: Json, book: Book) -> Response:
        names = [str(name) for name in body.get("issueIdsOrKeys") or []]
        if not 1 <= len(names) <= BULK_ISSUES:
            raise JiraError(400, f"The number of issue ids or keys must be between 1 and {BULK_ISSUES}.")
        fields, expand = _names(body.get("fields")) or ["*navigable"], _names(body.get("expand"))
        found = {name: book.by_name.get(name.upper()) for name in names}
        shown = {issue["id"]: self._shown(issue, fields, expand) for issue in found.values() if issue}
        errors = [{"id": name, "errorMessage": "Issue not found."} for name, issue in found.items() if not issue]
        return answer({"issues": list(shown.values()), "issueErrors": errors})

    # -- the site --------------------------------------------------------------------------------------------------

    def _myself(self, base: str) -> Json:
        if self.flavour == "dc":
            user = {"self": f"{base}/rest/api/2/user?username=demo", "key": "demo", "name": "demo"}
        else:
            user = {"accountId": account_id("demo"), "accountType": "atlassian", "locale": "en_GB"}
            user["self"] = f"{base}/rest/api/3/user?accountId={user['accountId']}"
        return user | {"displayName": "Demo", "active": True, "timeZone": self.user_zone, "emailAddress": self.email}

    def _server_info(self, base: str, now: datetime) -> Json:
        cloud = self.flavour == "cloud"
        return {
            "baseUrl": SITES[self.flavour] if cloud else base,
            "version": "1001.0.0-SNAPSHOT" if cloud else "9.12.15",
            "versionNumbers": [1001, 0, 0] if cloud else [9, 12, 15],
            "deploymentType": "Cloud" if cloud else "Server",
            "buildNumber": 100_287 if cloud else 912_015,
            "buildDate": "2026-09-01T00:00:00.000+0000",
            "serverTime": iso_jira(now),
            "scmInfo": "0",
            "serverTitle": PROJECTS[self.flavour][2],
        }

    def _projects(self, request: Request, book: Book) -> Response:
        start, size = _size(request.one("startAt"), 0), min(_size(request.one("maxResults"), 50), 100)
        page = {"self": f"{request.base_url}{request.path}", "startAt": start, "maxResults": size}
        rows = book.projects[start : start + size]
        last = start + size >= len(book.projects)
        return answer({**page, "total": len(book.projects), "isLast": last, "values": rows})


def _histories(issue: Json) -> list[Json]:
    """The whole changelog, oldest first."""
    rows = (issue.get("changelog") or {}).get("histories") or []
    return sorted(rows, key=lambda history: (millis(history.get("created")) or 0, int(history.get("id") or 0)))


def _issue(book: Book, name: str) -> Json:
    issue = book.by_name.get(name.upper())
    if issue is None:
        raise JiraError(404, "Issue does not exist or you do not have permission to see it.")
    return issue


def _parameters(request: Request) -> Json:
    """The parameters of a search, from the query or the body."""
    if request.method == "POST":
        body = request.json()
        if not isinstance(body, dict):
            raise JiraError(400, "Invalid request payload. Refer to the REST API documentation and try again.")
        return body
    repeated = {"fields", "expand"}
    return {name: values if name in repeated else values[-1] for name, values in request.query.items()}


def _names(value: Any) -> list[str]:
    """A list of names, given as a list, comma separated, or both."""
    texts = [value] if isinstance(value, str) else value or []
    return [name.strip() for text in texts for name in str(text).split(",") if name.strip()]


def _size(value: Any, default: int) -> int:
    if value is None or value == "":
        return default
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise JiraError(400, f"'{value}' is not a number.") from None
    if number < 0:
        raise JiraError(400, "Paging parameters must not be negative.")
    return number


def _write_token(start: int, query: str) -> str:
    """An opaque page token, good for one query only."""
    return base64.urlsafe_b64encode(encode([start, hash_of(query)])).decode()


def _read_token(token: Any, query: str) -> int:
    if not token:
        return 0
    try:
        start, owner = msgspec.json.decode(base64.urlsafe_b64decode(str(token)))
    except (ValueError, TypeError, msgspec.DecodeError):
        raise JiraError(400, "The provided next page token is invalid.") from None
    if owner != hash_of(query):
        raise JiraError(400, "The provided next page token is invalid.")
    return int(start)


def hash_of(text: str) -> str:
    """A short fingerprint."""
    return identifier(text)[:12]
