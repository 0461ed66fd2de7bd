"""A GitLab over HTTP: projects, deployments and comparisons, with the refusals of the real one.

A client has to cope with the following, so it is simulated (GitLab REST API: pagination, rate limits; Deployments API; the
finder of deployments in GitLab's source):

* a filter by a change or a finish without the same order is a 400, and so is one by a finish without the status success;
* the totals of a list are missing above 10,000 rows;
* the reset of the rate limit is a number of seconds since 1970;
* the old name of a project redirects to its id; a project that the token may not see is a 404.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode

from mttr_pipeline.demo.gitlab.records import Book, Json, Renderer
from mttr_pipeline.demo.kit.paging import Paging
from mttr_pipeline.demo.kit.snapshots import Snapshots
from mttr_pipeline.demo.kit.wire import Request, Response, answer, encode, page_number

if TYPE_CHECKING:
    from mttr_pipeline.demo.world import World

PER_PAGE, MAX_PER_PAGE = 20, 100
COUNTED = 10_000
_ORDERS = ("id", "iid", "created_at", "updated_at", "finished_at", "ref")
_STATUSES = ("created", "running", "success", "failed", "canceled", "skipped", "blocked")
_SHIFT = "shifted_by"  # of a page that a fault moves


class GitLabError(Exception):
    """A refusal with a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class GitLabPaging(Paging):
    """Lists are arrays, and headers tell the next page."""

    def rows(self, body: Any) -> list[Any] | None:
        """See Paging."""
        return body if isinstance(body, list) else None

    def shifted(self, request: Request, rows: int) -> Request | None:
        """See Paging."""
        if (request.one("page") or "1") == "1":
            return None
        return replace(request, query_string=urlencode(request.query | {_SHIFT: [str(rows)]}, doseq=True))


class GitLabSimulator:
    """One GitLab, made from a world or from given records. `scopes` are those of its token."""

    name = "gitlab"
    paging: Paging = GitLabPaging()

    def __init__(
        self,
        book_at: Callable[[datetime], Book],
        projects: Iterable[str],
        *,
        token: str = "glpat-demonstration",
        scopes: tuple[str, ...] = ("read_api",),
    ) -> None:
        self._book_at = book_at
        self._projects = tuple(projects)
        self.token = token
        self.scopes = scopes

    @classmethod
    def from_world(cls, world: World) -> GitLabSimulator:
        """The projects that the company deploys from here; without any, nothing is offered to be read."""
        renderer = Renderer(deploy for deploy in world.deploys if deploy.tool == cls.name)
        projects = [project["path_with_namespace"] for project in renderer.projects]
        return cls(Snapshots(renderer.instants(), renderer.book).at, projects)

    @classmethod
    def from_records(
        cls,
        deployments: Mapping[str, Iterable[Json]],
        *,
        commits: Mapping[str, Iterable[Json]] | None = None,
        finishes: Mapping[int, str] | None = None,
        moved: Mapping[str, str] | None = None,
        **how: Any,
    ) -> GitLabSimulator:
        """Projects (by full name) that hold exactly these deployments, odd ones included, whatever the clock says.

        `commits` are those of a project, the oldest first. `finishes` are those of deployments without a job. `moved` names the
        present name of a project by an earlier one.
        """
        ids = {name: place for place, name in enumerate(deployments, start=11)}
        book = Book(
            [{"id": number, "path_with_namespace": name} for name, number in ids.items()],
            {ids[name]: list(rows) for name, rows in deployments.items()},
            {ids[name]: list(rows) for name, rows in (commits or {}).items()},
            dict(finishes or {}),
            {old: ids[new] for old, new in (moved or {}).items()},
        )
        return cls(lambda now: book, how.pop("projects", ids), **how)

    # -- what the server asks --------------------------------------------------------------------------------------

    def environment(self, url: str) -> dict[str, str]:
        """Where and with what token to read these projects; nothing where there are none."""
        if not self._projects:
            return {}
        return {"GITLAB_TOKEN": self.token, "GITLAB_URL": url, "GITLAB_PROJECTS": ",".join(self._projects)}

    def limit_headers(self, limit: int, remaining: int, reset: float, window: float) -> dict[str, str]:
        """The reset is an instant; a refusal says how long to wait (GitLab, Rate limits: response headers)."""
        at = math.ceil(time.time() + reset)
        headers = {
            "RateLimit-Limit": str(limit),
            "RateLimit-Observed": str(limit - remaining),
            "RateLimit-Remaining": str(remaining),
            "RateLimit-Reset": str(at),
            "RateLimit-ResetTime": format_datetime(datetime.fromtimestamp(at, UTC), usegmt=True),
            "RateLimit-Name": "throttle_authenticated_api",
        }
        return headers if remaining else headers | {"Retry-After": str(max(1, math.ceil(reset)))}

    def error(self, status: int, message: str) -> bytes:
        """An error body."""
        return encode({"message": "401 Unauthorized" if status == 401 else f"{status} {message}"})

    def record_in(self, path: str) -> str | None:
        """No request is about one deployment."""
        return None

    def handle(self, request: Request, now: datetime) -> Response:
        """Answer one request."""
        if request.headers.get("private-token") != self.token:
            return Response(401, self.error(401, ""))
        if not {"read_api", "api"} & set(self.scopes):
            return answer(
                {
                    "error": "insufficient_scope",
                    "error_description": "The request requires higher privileges than provided by the access token.",
                    "scope": "api read_api",
                },
                403,
            )
        try:
            return self._route(request, self._book_at(now))
        except GitLabError as error:
            return Response(error.status, self.error(error.status, error.message))

    def _route(self, request: Request, book: Book) -> Response:
        match request.path.split("/"):
            case ["", "api", "v4", "projects", name, *rest] if request.method == "GET":
                name = unquote(name)
                if name in book.moved:
                    where = "/".join(["", "api", "v4", "projects", str(book.moved[name]), *rest])
                    query = f"?{request.query_string}" if request.query_string else ""
                    return Response(301, b'{"message":"Moved"}', {"Location": f"{request.base_url}{where}{query}"})
                project = next((p for p in book.projects if name in (str(p["id"]), p["path_with_namespace"])), None)
                if project is None:
                    raise GitLabError(404, "Project Not Found")
                match rest:
                    case []:
                        return answer(project)
                    case ["deployments"]:
                        return self._page(request, self._deployments(request, book, project["id"]))
                    case ["repository", "compare"]:
                        return answer(_comparison(request, book.commits.get(project["id"], [])))
        raise GitLabError(404, "Not Found")

    def _deployments(self, request: Request, book: Book, project: int) -> list[Json]:
        order, direction = request.one("order_by", "id") or "id", request.one("sort", "asc")
        status, environment = request.one("status"), request.one("environment")
        if order not in _ORDERS:
            raise GitLabError(400, "Bad request - order_by does not have a valid value")
        if status is not None and status not in _STATUSES:
            raise GitLabError(400, f"Bad request - The deployment status {status} is invalid")
        filtered = {
            name: [request.one(f"{name}_{end}") for end in ("after", "before")] for name in ("updated", "finished")
        }
        if all(any(ends) for ends in filtered.values()):
            raise GitLabError(
                400, "Bad request - Both `updated_at` filter and `finished_at` filter can not be specified"
            )
        for name, ends in filtered.items():
            if any(ends) != (order == f"{name}_at"):
                raise GitLabError(400, f"Bad request - `{name}_at` filter and `{name}_at` sorting must be paired")
        if any(filtered["finished"]) and status != "success":
            raise GitLabError(400, "Bad request - `finished_at` filter must be combined with `success` status filter.")

        keys: dict[str, Callable[[Json], Any]] = {
            "updated": lambda row: _at(row.get("updated_at")),
            "finished": lambda row: _at(book.finishes.get(row["id"])),
        }
        rows = sorted(book.deployments[project], key=lambda row: row["id"], reverse=True)
        for name, (after, before) in filtered.items():
            if after:
                rows = [row for row in rows if keys[name](row) >= _at(after)]
            if before:
                rows = [row for row in rows if keys[name](row) <= _at(before)]
        if status:
            rows = [row for row in rows if row.get("status") == status]
        if environment:
            rows = [row for row in rows if (row.get("environment") or {}).get("name") == environment]
        key = keys.get(order.removesuffix("_at")) or (lambda row: row["ref"] if order == "ref" else row["id"])
        return sorted(rows, key=key, reverse=direction == "desc")

    def _page(self, request: Request, rows: list[Json]) -> Response:
        """One page, with the next one in headers."""
        try:
            page = max(1, page_number(request.one("page"), 1))
            size = min(max(1, page_number(request.one("per_page"), PER_PAGE)), MAX_PER_PAGE)
        except ValueError:
            raise GitLabError(400, "Bad request - page is invalid") from None
        start = max(0, (page - 1) * size + int(request.one(_SHIFT) or 0))
        pages = max(1, math.ceil(len(rows) / size))
        following = str(page + 1) if page < pages else ""
        numbers = {"prev": page - 1 if page > 1 else None, "next": page + 1 if following else None, "first": 1}
        headers = {"X-Page": str(page), "X-Per-Page": str(size), "X-Next-Page": following}
        headers["X-Prev-Page"] = str(page - 1) if page > 1 else ""
        if len(rows) <= COUNTED:
            headers |= {"X-Total": str(len(rows)), "X-Total-Pages": str(pages)}
            numbers["last"] = pages
        query = {name: values for name, values in request.query.items() if name != _SHIFT}
        links = [
            f'<{request.base_url}{request.path}?{urlencode(query | {"page": [str(number)]}, doseq=True)}>; rel="{rel}"'
            for rel, number in numbers.items()
            if number
        ]
        return answer(rows[start : start + size], headers=headers | {"Link": ", ".join(links)})


def _at(text: Any) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return datetime(1, 1, 1, tzinfo=UTC)


def _comparison(request: Request, commits: list[Json]) -> Json:
    """What `to` has and `from` has not; nothing where `from` came later."""
    places = {commit["id"]: place for place, commit in enumerate(commits)}
    base, head = request.one("from") or "", request.one("to") or ""
    if base not in places or head not in places:
        raise GitLabError(404, f"{'to' if base in places else 'from'} Not Found")
    found = commits[places[base] + 1 : places[head] + 1]
    return {
        "commit": found[-1] if found else None,
        "commits": found,
        "diffs": [{"old_path": "shop.py", "new_path": "shop.py", "diff": "@@ -1 +1 @@\n-old\n+new\n"} for _ in found],
        "compare_timeout": False,
        "compare_same_ref": base == head,
    }
