"""GitHub's REST API over HTTP: the read endpoints of deployments, with their limits and traps.

A client has to cope with the following, so it is simulated (REST API documentation: Best practices, Rate limits, Pagination,
Troubleshooting):

* lists are arrays, paged by number, and the `Link` header says whether there is a next page;
* an entity tag that fits answers 304; a repository that was renamed answers 301 with an address by its id;
* a rate limit is refused with 403 or 429, with `Retry-After`, with a reset in seconds since 1970, or with nothing;
* a repository that does not exist and one that the token may not see answer the same 404;
* a comparison without a page holds 250 commits at most.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from time import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode

from mttr_pipeline.demo.github.records import API, REPLACED, WEB, Book, Json, Repository, deployments, described
from mttr_pipeline.demo.kit.paging import Paging
from mttr_pipeline.demo.kit.snapshots import Snapshots
from mttr_pipeline.demo.kit.wire import Request, Response, answer, encode

if TYPE_CHECKING:
    from mttr_pipeline.demo.world import World

MAX_PAGE, DEFAULT_PAGE, UNPAGED_COMMITS = 100, 30, 250
_SINGLE = re.compile(r"/deployments/(\d+)")


class GitHubPaging(Paging):
    """A list is the whole answer, and its pages have numbers."""

    offset = "page"

    def rows(self, body: Any) -> list[Any] | None:
        """See Paging."""
        return body if isinstance(body, list) else None

    def shifted(self, request: Request, rows: int) -> Request | None:
        """Pages by number cannot be shifted by rows."""
        return None


class GitHubSimulator:
    """What one token sees, made from a world or from given records.

    `refusals` are answers in the place of the next requests, oldest first.
    """

    name = "github"
    paging: Paging = GitHubPaging()

    def __init__(
        self, book_at: Callable[[datetime], Book], *, token: str = "demo-token", names: Sequence[str] = ()
    ) -> None:
        self._book_at = book_at
        self.token = token
        self._names = names
        self.refusals: list[Response] = []
        self.conditional = 0  # requests that were answered with 304

    @classmethod
    def from_world(cls, world: World) -> GitHubSimulator:
        """The repositories of the company."""
        deploys = [deploy for deploy in world.deploys if deploy.tool == "github"]
        told = [at for d in deploys for at in (d.requested, d.started, d.finished) if at]
        instants = [*told, *(d.finished + REPLACED for d in deploys if d.finished)]
        names = [one.full_name for one in deployments(deploys, world.end).repositories]
        return cls(Snapshots(instants, lambda now: deployments(deploys, now)).at, names=names)

    @classmethod
    def from_records(cls, repositories: Iterable[Repository], **more: Any) -> GitHubSimulator:
        """Exactly these repositories, odd records included, whatever the clock says. They may change between two requests."""
        book = Book(list(repositories))
        return cls(lambda now: book, names=[one.full_name for one in book.repositories], **more)

    # -- what the server asks --------------------------------------------------------------------------------------

    def environment(self, url: str) -> dict[str, str]:
        """Where and with what token to read which repositories."""
        return {"GITHUB_TOKEN": self.token, "GITHUB_API_URL": url, "GITHUB_REPOS": ",".join(self._names)}

    def limit_headers(self, limit: int, remaining: int, reset: float, window: float) -> dict[str, str]:
        """The reset is in seconds since 1970."""
        return {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(remaining),
            "x-ratelimit-used": str(limit - remaining),
            "x-ratelimit-reset": str(int(time() + reset) + 1),
            "x-ratelimit-resource": "core",
        }

    def error(self, status: int, message: str) -> bytes:
        """An error of the platform."""
        return encode({"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status)})

    def record_in(self, path: str) -> str | None:
        """The id of the deployment that a path asks about."""
        found = _SINGLE.search(path)
        return found[1] if found else None

    def handle(self, request: Request, now: datetime) -> Response:
        """Answer one request."""
        if self.refusals:
            return self.refusals.pop(0)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return self._refused(401, "Bad credentials")
        if request.method != "GET":
            return self._refused(404, "Not Found")
        response = self._route(request, self._book_at(now))
        if response.status != 200:
            return response
        response.headers["ETag"] = f'W/"{hashlib.sha256(response.body).hexdigest()}"'
        if request.headers.get("if-none-match") == response.headers["ETag"]:
            self.conditional += 1
            return Response(304, b"", {"ETag": response.headers["ETag"]})
        return response

    def _refused(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
        return Response(status, self.error(status, message), dict(headers or {}))

    def _route(self, request: Request, book: Book) -> Response:
        parts = [unquote(part) for part in request.path.strip("/").split("/")]
        match parts:
            case ["repos", owner, name, *rest]:
                found = book.find(f"{owner}/{name}")
                if found is None:
                    return self._refused(404, "Not Found")
                repository, is_former = found
                if is_former:
                    query = f"?{request.query_string}" if request.query_string else ""
                    tail = "".join(f"/{part}" for part in rest)
                    return self._moved(f"{request.base_url}/repositories/{repository.id}{tail}{query}")
            case ["repositories", identity, *rest]:
                known = [one for one in book.repositories if str(one.id) == identity]
                if not known:
                    return self._refused(404, "Not Found")
                repository = known[0]
            case _:
                return self._refused(404, "Not Found")
        return self._of_repository(request, repository, rest)

    def _moved(self, location: str) -> Response:
        body = {"message": "Moved Permanently", "url": location, "documentation_url": "https://docs.github.com/rest"}
        return Response(301, encode(body), {"Location": location})

    def _of_repository(self, request: Request, repository: Repository, rest: Sequence[str]) -> Response:
        by_id = {one.get("id"): one for one in repository.deployments}
        match list(rest):
            case []:
                return answer(described(repository))
            case ["deployments"]:
                return self._page(request, repository, rest, repository.deployments)
            case ["deployments", text] if text.isdigit() and int(text) in by_id:
                return answer(by_id[int(text)])
            case ["deployments", text, "statuses"] if text.isdigit() and int(text) in by_id:
                return self._page(request, repository, rest, repository.statuses.get(int(text), []))
            case ["releases"]:
                return self._page(request, repository, rest, repository.releases)
            case ["compare", pair]:
                return self._comparison(request, repository, pair)
        return self._refused(404, "Not Found")

    # -- lists -----------------------------------------------------------------------------------------------------

    def _page(self, request: Request, repository: Repository, rest: Sequence[str], rows: Sequence[Json]) -> Response:
        page, size = _number(request.one("page"), 1), min(_number(request.one("per_page"), DEFAULT_PAGE), MAX_PAGE)
        last = max(1, -(-len(rows) // size))
        path = f"{request.base_url}/repositories/{repository.id}/{'/'.join(rest)}"
        others = {"next": page + 1, "last": last} if page < last else {}
        others |= {"prev": min(page - 1, last), "first": 1} if page > 1 else {}
        links = [f'<{path}?{urlencode({"per_page": size, "page": n})}>; rel="{rel}"' for rel, n in others.items()]
        headers = {"Link": ", ".join(links)} if links else {}
        return answer(rows[(page - 1) * size : page * size], headers=headers)

    # -- comparisons -----------------------------------------------------------------------------------------------

    def _comparison(self, request: Request, repository: Repository, pair: str) -> Response:
        """Of two commits in the line of all commits."""
        base, separator, head = pair.partition("...")
        order = {sha: place for place, (sha, _, _) in enumerate(repository.commits)}
        if not separator or base not in order or head not in order:
            return self._refused(404, "Not Found")
        new = repository.commits[order[base] + 1 : order[head] + 1]
        old = repository.commits[order[head] + 1 : order[base] + 1]
        status = "ahead" if new else "behind" if old else "identical"
        shown = new[:UNPAGED_COMMITS]
        if "page" in request.query:
            size = min(_number(request.one("per_page"), DEFAULT_PAGE), MAX_PAGE)
            start = (_number(request.one("page"), 1) - 1) * size
            shown = new[start : start + size]
        name = repository.full_name
        html, api = f"{WEB}/{name}/compare/{pair}", f"{API}/repos/{name}/compare/{pair}"
        meeting = base if order[base] <= order[head] else head
        return answer(
            {
                "url": api,
                "html_url": html,
                "permalink_url": html,
                "diff_url": f"{html}.diff",
                "patch_url": f"{html}.patch",
                "base_commit": _commit(repository, base),
                "merge_base_commit": _commit(repository, meeting),
                "status": status,
                "ahead_by": len(new),
                "behind_by": len(old),
                "total_commits": len(new),
                "commits": [_commit(repository, sha) for sha, _, _ in shown],
                "files": [],
            }
        )


def _number(text: str | None, default: int) -> int:
    """A page or its size; what is none counts as the default, without an error."""
    return max(1, int(text)) if text and text.isdigit() else default


def _commit(repository: Repository, wanted: str) -> Json:
    place = next(place for place, (sha, _, _) in enumerate(repository.commits) if sha == wanted)
    sha, date, message = repository.commits[place]
    api = f"{API}/repos/{repository.full_name}"
    person = {"name": "Somebody", "email": "somebody@example.com", "date": date}
    parents = [repository.commits[place - 1][0]] if place else []
    return {
        "sha": sha,
        "node_id": f"C_{sha[:12]}",
        "url": f"{api}/commits/{sha}",
        "html_url": f"{WEB}/{repository.full_name}/commit/{sha}",
        "comments_url": f"{api}/commits/{sha}/comments",
        "commit": {
            "url": f"{api}/git/commits/{sha}",
            "author": person,
            "committer": person,
            "message": message,
            "comment_count": 0,
            "tree": {"sha": sha, "url": f"{api}/git/trees/{sha}"},
        },
        "author": None,
        "committer": None,
        "parents": [{"sha": one, "url": f"{api}/commits/{one}"} for one in parents],
    }


def throttled(status: int, headers: Mapping[str, str] | None = None, *, secondary: bool = True) -> Response:
    """The answer to a client that asks too often (Rate limits for the REST API)."""
    message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    if not secondary:
        message = "API rate limit exceeded for user ID 1."
    return Response(
        status, encode({"message": message, "documentation_url": "https://docs.github.com/rest"}), dict(headers or {})
    )
