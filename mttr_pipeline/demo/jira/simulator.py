"""A Jira site over HTTP: Cloud (REST API v3) or Data Center (REST API v2), with what sets them apart.

A client has to cope with the following, so it is simulated (Jira Cloud platform REST API v3: Issue search, Issues; changelog
note CHANGE-2046; Jira Data Center REST API: search):

* Cloud: the old search is gone (410); the new one pages by token only, refuses an unbounded query, gives ids only
  unless fields are named, and embeds at most the newest 40 changelog entries; bulk changelogs split one issue's
  history over pages and write some instants as epoch integers;
* Data Center: search by startAt with a page size that the server caps and echoes, the whole changelog embedded, a personal
  access token, users by name;
* both: a project, type or status that does not exist fails the whole query.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from mttr_pipeline.demo.jira.book import Book, book_of
from mttr_pipeline.demo.jira.changelogs import bulk_changelog, changelog_page
from mttr_pipeline.demo.jira.incidents import CLOUD_ID, PREFIX, SCOPE, linked_alerts
from mttr_pipeline.demo.jira.parameters import JiraError, names_of, size_of
from mttr_pipeline.demo.jira.records import Renderer
from mttr_pipeline.demo.jira.search import find, page_by_offset, page_by_token, shown
from mttr_pipeline.demo.jira.site import PROJECTS, SITES, VERSION, Flavour, Json, account_id, iso_jira
from mttr_pipeline.demo.kit.paging import Paging
from mttr_pipeline.demo.kit.snapshots import Snapshots
from mttr_pipeline.demo.kit.wire import Request, Response, answer, encode

if TYPE_CHECKING:
    from mttr_pipeline.demo.world import World

BULK_ISSUES = 100
REMOVED = (
    "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. "
    "A full migration guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)


class JiraPaging(Paging):
    """Offsets are called startAt; a Cloud search has tokens in its body, and says on each page whether it is the last; linked alerts
    have a startKey."""

    offset = "startAt"

    def rows(self, body: Any) -> list[Any] | None:
        """See Paging."""
        return super().rows(body["values"] if isinstance(body, dict) and "startKey" in body else body)

    def token(self, request: Request) -> str | None:
        """See Paging."""
        if b'"nextPageToken"' not in request.body:
            return request.one("startKey")
        return str(request.json()["nextPageToken"])

    def with_token(self, request: Request, token: str) -> Request:
        """See Paging."""
        if request.one("startKey"):
            return replace(request, query_string=f"startKey={token}" if token else "")
        body = {name: value for name, value in request.json().items() if name != "nextPageToken"}
        return replace(request, body=encode(body | ({"nextPageToken": token} if token else {})))

    def announce_next(self, body: Any, token: str) -> bool:
        """See Paging."""
        if "startKey" in body:
            body |= {"startKey": token}
            return True
        if "isLast" in body:
            body |= {"isLast": False, "nextPageToken": token}
            return True
        return "total" in body


class JiraSimulator:
    """One site, made from a world or from given issues."""

    paging: Paging = JiraPaging()

    def __init__(
        self,
        book_at: Callable[[datetime], Book],
        flavour: Flavour = "cloud",
        *,
        email: str = "demo@example.com",
        token: str = "demo-jira-token",
        user_zone: str = "America/New_York",
        page_cap: int | None = None,
        scopes: Iterable[str] = (SCOPE,),
    ) -> None:
        self._book_at = book_at
        self.scopes = set(scopes)  # of the token, as far as linked alerts are concerned
        self.flavour = flavour
        self.name = "jira" if flavour == "cloud" else "jira-dc"
        self.email, self.token, self.user_zone = email, token, user_zone
        #: The largest page the site gives: many fields make Cloud pages small, Data Center has a configured maximum.
        self.page_cap = page_cap or (100 if flavour == "cloud" else 1000)

    @classmethod
    def from_world(cls, world: World, flavour: Flavour = "cloud") -> JiraSimulator:
        """The service desk of the company that runs on this flavour."""
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
        cloud = {"JIRA_URL": url, "JIRA_EMAIL": self.email, "JIRA_API_TOKEN": self.token}
        return {**cloud, "JIRA_INCIDENTS_URL": url}

    def limit_headers(self, limit: int, remaining: int, reset: float, window: float) -> dict[str, str]:
        """Cloud gives the minute of the reset, Data Center the refill of its token bucket."""
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

    def record_in(self, path: str) -> str | None:
        """None: issues are read by search and in bulk. Only the links of an issue are asked for by its id."""
        return None

    def handle(self, request: Request, now: datetime) -> Response:
        """Answer one request."""
        try:
            if self.flavour == "cloud" and request.path == "/_edge/tenant_info":
                return answer({"cloudId": CLOUD_ID})
            self._authenticate(request)
            if self.flavour == "cloud" and request.path.startswith(PREFIX):
                if SCOPE not in self.scopes:
                    raise JiraError(401, "Unauthorized; scope does not match")
                return linked_alerts(request, self._book_at(now))
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
            wanted = f"Bearer {self.token}"
        else:
            wanted = "Basic " + base64.b64encode(f"{self.email}:{self.token}".encode()).decode()
        if given != wanted:
            raise JiraError(401, "Client must be authenticated to access this resource.")

    def _route(self, request: Request, parts: list[str], book: Book, now: datetime) -> Response:
        cloud, method = self.flavour == "cloud", request.method
        match [method, *parts]:
            case ["GET" | "POST", "search"] if cloud:
                raise JiraError(410, REMOVED)
            case ["GET" | "POST", "search"]:
                return page_by_offset(request, book, now, self.user_zone, self.page_cap)
            case ["GET" | "POST", "search", "jql"] if cloud:
                return page_by_token(request, book, now, self.user_zone, self.page_cap)
            case ["POST", "search", "approximate-count"] if cloud:
                jql = str(request.json().get("jql") or "")
                return answer({"count": len(find(jql, book, now, self.flavour, self.user_zone))})
            case ["POST", "changelog", "bulkfetch"] if cloud:
                return bulk_changelog(request.json(), book)
            case ["POST", "issue", "bulkfetch"] if cloud:
                return self._bulk_issues(request.json(), book)
            case ["GET", "issue", name]:
                wanted = names_of(request.many("fields")) or ["*all"]
                return answer(shown(_issue(book, name), wanted, names_of(request.many("expand")), self.flavour))
            case ["GET", "issue", name, "remotelink"]:
                return answer(_issue(book, name).get("remoteLinks") or [])
            case ["GET", "issue", name, "changelog"] if cloud:
                return changelog_page(request, _issue(book, name))
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
            case ["GET", "project", name]:
                return self._project(book, name)
        raise JiraError(404, "Not found")

    def _bulk_issues(self, body: Json, book: Book) -> Response:
        names = [str(name) for name in body.get("issueIdsOrKeys") or []]
        if not 1 <= len(names) <= BULK_ISSUES:
            raise JiraError(400, f"The number of issue ids or keys must be between 1 and {BULK_ISSUES}.")
        fields, expand = names_of(body.get("fields")) or ["*navigable"], names_of(body.get("expand"))
        found = {name: book.by_name.get(name.upper()) for name in names}
        issues = {issue["id"]: shown(issue, fields, expand, self.flavour) for issue in found.values() if issue}
        errors = [{"id": name, "errorMessage": "Issue not found."} for name, issue in found.items() if not issue]
        return answer({"issues": list(issues.values()), "issueErrors": errors})

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
        start, size = size_of(request.one("startAt"), 0), min(size_of(request.one("maxResults"), 50), 100)
        page = {"self": f"{request.base_url}{request.path}", "startAt": start, "maxResults": size}
        rows = book.projects[start : start + size]
        last = start + size >= len(book.projects)
        return answer({**page, "total": len(book.projects), "isLast": last, "values": rows})

    @staticmethod
    def _project(book: Book, name: str) -> Response:
        found = next((row for row in book.projects if name in (row["id"], row["key"])), None)
        if found is None:
            raise JiraError(404, f"No project could be found with key '{name}'.")
        return answer(found)


def _issue(book: Book, name: str) -> Json:
    issue = book.by_name.get(name.upper())
    if issue is None:
        raise JiraError(404, "Issue does not exist or you do not have permission to see it.")
    return issue
