"""A Sentry over HTTP, or a GlitchTip: releases, deploys and commits, and errors (`error_answers`), with the refusals of the real
ones.

A client has to cope with the following, so it is simulated (docs.sentry.io: Pagination, Rate limits; the OpenAPI descriptions):

* the header Link names a next page even on the last one, and says with results="false" that it is empty;
* a version holds any character, and is one segment of the path;
* Sentry lists the last deploy only of each release and environment; GlitchTip lists all, and an older one none (404);
* the reset of the rate limit is in seconds since 1970, under names of its own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode

from mttr_pipeline.demo.kit.paging import Paging
from mttr_pipeline.demo.kit.snapshots import Snapshots
from mttr_pipeline.demo.kit.wire import Request, Response, answer, encode
from mttr_pipeline.demo.sentry.error_answers import SCOPES as ERROR_SCOPES
from mttr_pipeline.demo.sentry.error_answers import ErrorAnswers, Refused, Traits
from mttr_pipeline.demo.sentry.records import (
    Book,
    Flavour,
    Json,
    book_of,
    listed_commits,
    listed_deploys,
    listed_release,
    told,
)
from mttr_pipeline.demo.sentry.stories import errors_of
from mttr_pipeline.demo.sentry.truth import Errors

if TYPE_CHECKING:
    from mttr_pipeline.demo.world import World

MAX_PER_PAGE = 100
#: Any of these scopes opens the list of releases, or what belongs to one (docs.sentry.io, Permissions).
SCOPES = {
    "list": {"org:read", "project:read", "project:releases", "org:ci"},
    "release": {"project:releases", "project:read", "org:ci"},
}


class SentryPaging(Paging):
    """Lists are arrays, paged by a cursor in a header."""

    def rows(self, body: Any) -> list[Any] | None:
        """See Paging."""
        return body if isinstance(body, list) else None

    def token(self, request: Request) -> str | None:
        """See Paging."""
        return request.one("cursor")

    def with_token(self, request: Request, token: str) -> Request:
        """See Paging."""
        query = (
            request.query | {"cursor": [token]} if token else {k: v for k, v in request.query.items() if k != "cursor"}
        )
        return replace(request, query_string=urlencode(query, doseq=True))

    def shifted(self, request: Request, rows: int) -> Request | None:
        """A cursor is no offset that a fault could move."""
        return None


class SentrySimulator:
    """One organization, made from a world or from given records.

    `scopes` are those of its token. `lists_deploys` is False for a GlitchTip from before 2026. `traits` say how the server differs
    about errors.
    """

    name = "sentry"
    paging: Paging = SentryPaging()

    def __init__(
        self,
        book_at: Callable[[datetime], Book],
        *,
        flavour: Flavour = "sentry",
        organization: str = "acme",
        token: str = "sntrys_demonstration",
        scopes: tuple[str, ...] = ("org:read", "project:read", "project:releases", "event:read"),
        lists_deploys: bool = True,
        traits: Traits | None = None,
        is_offered: bool = True,
    ) -> None:
        self._book_at = book_at
        self.flavour: Flavour = flavour
        self.organization, self.token, self.scopes = organization, token, scopes
        self.lists_deploys = lists_deploys
        self.traits = traits or Traits()
        self._is_offered = is_offered

    @classmethod
    def from_world(cls, world: World) -> SentrySimulator:
        """The deploys that the company tells it of, and its errors; without any deploys, nothing is offered to be read."""
        deploys, errors = told(world.deploys), errors_of(world)
        instants = [one.finished for one in deploys if one.finished]
        return cls(Snapshots(instants, lambda now: book_of(deploys, now, errors)).at, is_offered=bool(deploys))

    @classmethod
    def from_records(
        cls,
        releases: Iterable[Json],
        *,
        deploys: Mapping[str, list[Json]] | None = None,
        commits: Mapping[str, list[Json]] | None = None,
        errors: Errors | None = None,
        **how: Any,
    ) -> SentrySimulator:
        """An organization that holds exactly these, odd ones included, whatever the clock says. `deploys` and `commits` are by
        version: the deploys as they were posted, the oldest first. `errors` happen by the clock. All may change between two
        requests."""
        book = Book(
            releases if isinstance(releases, list) else list(releases),
            {} if deploys is None else deploys,
            {} if commits is None else commits,
            errors or Errors(),
        )
        return cls(lambda now: book, **how)

    # -- what the server asks --------------------------------------------------------------------------------------

    def environment(self, url: str) -> dict[str, str]:
        """Where and with what token to read the organization; nothing where it has nothing."""
        if not self._is_offered:
            return {}
        return {"SENTRY_AUTH_TOKEN": self.token, "SENTRY_ORG": self.organization, "SENTRY_URL": url}

    def limit_headers(self, limit: int, remaining: int, reset: float, window: float) -> dict[str, str]:
        """GlitchTip reports none."""
        if self.flavour == "glitchtip":
            return {}
        return {
            "X-Sentry-Rate-Limit-Limit": str(limit),
            "X-Sentry-Rate-Limit-Remaining": str(remaining),
            "X-Sentry-Rate-Limit-Reset": str(math.ceil(time.time() + reset)),
            "X-Sentry-Rate-Limit-ConcurrentLimit": "25",
            "X-Sentry-Rate-Limit-ConcurrentRemaining": "24",
        }

    def error(self, status: int, message: str) -> bytes:
        """An error body."""
        return encode({"detail": "Invalid token" if status == 401 else message})

    def record_in(self, path: str) -> str | None:
        """The version of the one release, or the id of the one issue, that a path asks about."""
        parts = path.split("/")
        return unquote(parts[6]) if len(parts) == 8 and parts[5] in ("releases", "issues") else None

    def handle(self, request: Request, now: datetime) -> Response:
        """Answer one request."""
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return Response(401, self.error(401, ""))
        match request.path.split("/"):
            case ["", "api", "0", "organizations", self.organization, "releases", *rest] if request.method == "GET":
                if not SCOPES["release" if len(rest) > 1 else "list"] & set(self.scopes):
                    return self._refused(403, "You do not have permission to perform this action.")
                return self._releases(request, rest, self._book_at(now))
            case ["", "api", "0", *path] if request.method == "GET" and (found := self._errors(request, path, now)):
                return found
        return self._refused(404, "The requested resource does not exist")

    def _refused(self, status: int, message: str) -> Response:
        return Response(status, self.error(status, message))

    def _errors(self, request: Request, path: list[str], now: datetime) -> Response | None:
        """The answer to a request about errors; None for a path that is about something else."""
        what = "issues" if "issues" in path or "issues-stats" in path else path[2] if len(path) > 2 else ""
        if what in ERROR_SCOPES and not ERROR_SCOPES[what] & set(self.scopes):
            return self._refused(403, "You do not have permission to perform this action.")
        answers = ErrorAnswers(
            self._book_at(now), now, self.flavour, self.traits, self._page, self.organization, request.base_url
        )
        try:
            return answers.answer(request, path)
        except Refused as refusal:
            return self._refused(refusal.status, str(refusal))

    def _releases(self, request: Request, rest: list[str], book: Book) -> Response:
        if rest == [""]:
            rows = [listed_release(book, row, self.flavour) for row in book.releases]
            return self._page(request, sorted(rows, key=_listed_at, reverse=True))
        version = unquote(rest[0])
        row = next((one for one in book.releases if one.get("version") == version), None)
        if row is not None:
            match rest[1:]:
                case [""]:
                    return answer(listed_release(book, row, self.flavour))
                case ["deploys", ""] if self.lists_deploys:
                    return self._page(request, listed_deploys(book, version, self.flavour))
                case ["commits", ""]:
                    return self._page(request, listed_commits(book, version, self.flavour))
        return self._refused(404, "The requested resource does not exist")

    def _page(self, request: Request, rows: list[Json]) -> Response:
        """One page, with the ones before and after it in a header."""
        try:
            _, offset, _ = (int(part) for part in (request.one("cursor") or "0:0:0").split(":"))
            size = min(max(1, int(request.one("per_page") or request.one("limit") or MAX_PER_PAGE)), MAX_PER_PAGE)
        except ValueError:
            return self._refused(400, "Invalid cursor parameter.")
        links = []
        for rel, start, has_rows in (
            ("previous", max(0, offset - size), offset > 0),
            ("next", offset + size, offset + size < len(rows)),
        ):
            cursor = f"0:{start}:{int(rel == 'previous')}"
            query = urlencode(request.query | {"cursor": [cursor]}, doseq=True)
            links.append(
                f'<{request.base_url}{request.path}?{query}>; rel="{rel}"; results="{str(has_rows).lower()}"; cursor="{cursor}"'
            )
        return answer(rows[offset : offset + size], headers={"Link": ", ".join(links)})


def _listed_at(row: Json) -> str:
    return str(row.get("dateReleased") or row.get("dateCreated") or "")
