"""What a Sentry or a GlitchTip answers about errors, with the traps of the real ones.

A client has to cope with the following, so it is simulated (docs.sentry.io: issues, release health; the sources of both products):

* Sentry lists what has an event in the window, which ends 90 days ago whatever is asked for: an older one is empty, without a word;
* its numbers at the top of an issue hold for that window, and `isUnhandled` for the latest event;
* it takes `sort=date` and `statsPeriod`; GlitchTip refuses the one with 422, ignores the other, and filters `start` by the first
event; * a key that GlitchTip does not know is a tag, so that nothing is found;
* a page may be empty while the header promises another one, and the number of hits is capped;
* GlitchTip shows one issue at a path without the organization, knows no history, and counts events at an address of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from mttr_pipeline.demo.kit.wire import Request, Response, answer, iso_millis, iso_seconds
from mttr_pipeline.demo.sentry.issues import (
    Json,
    Window,
    event_times,
    history,
    in_glitchtip,
    in_sentry,
    points,
    release_of,
    state_of,
)
from mttr_pipeline.demo.sentry.records import Book, Flavour
from mttr_pipeline.demo.sentry.sessions import Refused, sessions_of
from mttr_pipeline.demo.sentry.truth import DAY, HOUR, ErrorIssue

KEPT = 90 * DAY
MAX_HITS = 1_000
MAX_STATS = 200
SORTS = {
    "sentry": {"date", "freq", "inbox", "new", "recommended", "trends", "user"},
    "glitchtip": {sign + name for name in ("last_seen", "first_seen", "count", "priority") for sign in ("", "-")},
}
#: Any of these scopes opens a list.
SCOPES = {
    "issues": {"event:read", "event:admin", "event:write"},
    "projects": {"org:read", "project:read"},
    "sessions": {"org:read"},
}
#: Members of an issue in a list that no reader here looks at.
UNREAD: Json = {
    "derivedData": {
        "blocker": "none",
        "progress": "none",
        "status": "none",
        "viewCount": 0,
        "hasOpenFixPr": False,
        "isAssigned": False,
        "hasRootCause": False,
        "lastCompletedAutofixStep": "none",
        "lastProgressedAt": None,
    },
    "inbox": {"reason": 0, "reason_details": None, "date_added": "2026-09-01T00:00:00Z"},
    "owners": {"type": "suspectCommit", "owner": "user:7", "date_added": "2026-09-01T00:00:00Z"},
    "latestEventHasAttachments": False,
    "matchingEventId": None,
    "matchingEventEnvironment": None,
    "sessionCount": 0,
}
_PERIOD = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": HOUR, "d": DAY, "w": 7 * DAY}


@dataclass(slots=True)
class Traits:
    """How a server with this API differs from the two products; tests change them while it runs.

    lists_issues  whether it lists issues at all
    lifetime, activity, sessions  whether it has them
    ignores       parameters of the list that it does not look at
    knows         whether it knows the key issue.category; one that does not finds nothing
    is_log        whether histories come from the newer store
    empty_pages   whether every second page of issues has no rows
    """

    lists_issues: bool = True
    lifetime: bool = True
    activity: bool = True
    sessions: bool = True
    ignores: set[str] = field(default_factory=set)
    knows: bool = True
    is_log: bool = False
    empty_pages: bool = False


Page = Callable[[Request, list[Json]], Response]


@dataclass
class ErrorAnswers:
    """The errors of a book at one instant."""

    book: Book
    now: datetime
    flavour: Flavour
    traits: Traits
    page: Page
    organization: str
    base_url: str

    def answer(self, request: Request, path: list[str]) -> Response | None:
        """The answer to a path below the interface's root; None for a path that is not there. Raises Refused."""
        match path:
            case ["organizations", self.organization, "issues", ""] if self.traits.lists_issues:
                return self._listed(request)
            case ["organizations", self.organization, "issues", id, *rest] if self.flavour == "sentry":
                return self._one(request, id, rest)
            case ["organizations", self.organization, "issues", _, ""]:
                raise Refused(405, "Method not allowed")
            case ["issues", id, *rest] if self.flavour == "glitchtip":
                return self._one(request, id, rest)
            case ["organizations", self.organization, "issues-stats", ""] if self.flavour == "glitchtip":
                return self._stats(request)
            case ["organizations", self.organization, "projects", ""]:
                return self.page(request, self._projects())
            case ["organizations", self.organization, "sessions", ""] if self._has_sessions():
                ids = {slug: self._project_id(slug) for slug in self.book.errors.projects()}
                return sessions_of(request, self.book.errors, self.now, self._window(request), ids)
        return None

    def _has_sessions(self) -> bool:
        return self.flavour == "sentry" and self.traits.sessions

    # -- lists --------------------------------------------------------------------------------------------------

    def _there(self) -> list[ErrorIssue]:
        return [one for one in self.book.errors.issues if one.is_there(self.now) and not one.is_merged(self.now)]

    def _listed(self, request: Request) -> Response:
        sort = request.one("sort")
        if sort is not None and "sort" not in self.traits.ignores and sort not in SORTS[self.flavour]:
            status, message = (
                (422, "Input should be '-last_seen'") if self.flavour == "glitchtip" else (400, "Invalid sort")
            )
            raise Refused(status, message)
        window = self._window(request)
        found = [one for one in self._there() if self._is_wanted(one, request, window)]
        key, descending = self._order(sort, window)
        found.sort(key=lambda one: (key(one), one.number), reverse=descending)
        rows = [self._row(one, request, window) for one in found]
        response = self._pages(request, rows)
        response.headers |= {"X-Hits": str(min(len(found), MAX_HITS)), "X-Max-Hits": str(MAX_HITS)}
        return response

    def _pages(self, request: Request, rows: list[Json]) -> Response:
        """A page; where the server shortens pages after it has searched, every second one is empty."""
        if not self.traits.empty_pages:
            return self.page(request, rows)
        size = max(1, min(int(request.one("limit") or 100), 100))
        spread: list[Json] = []
        for start in range(0, len(rows), size):
            spread += [{}] * size + rows[start : start + size]
        response = self.page(request, spread)
        if response.body.startswith(b"[{}"):
            response.body = b"[]"
        return response

    def _window(self, request: Request) -> Window:
        """Which events count. Sentry moves a beginning before its 90 days, and gives nothing before them."""
        environments = () if "environment" in self.traits.ignores else tuple(request.many("environment"))
        if self.flavour == "glitchtip":
            return Window(datetime(2000, 1, 1, tzinfo=UTC), self.now, environments)
        start, end, period = request.one("start"), request.one("end"), request.one("statsPeriod")
        if bool(start) != bool(end) and not period:
            raise Refused(400, "start and end are both required")
        since, until = self.now - KEPT, self.now
        if period:
            match = re.fullmatch(r"(\d+)([smhdw])", period)
            if match is None:
                raise Refused(400, "Invalid statsPeriod")
            since = self.now - int(match[1]) * _PERIOD[match[2]]
        elif start and end:
            since, until = (datetime.fromisoformat(text).astimezone(UTC) for text in (start, end))
        return Window(max(since, self.now - KEPT), until, environments)

    def _order(self, sort: str | None, window: Window) -> tuple[Callable[[ErrorIssue], Any], bool]:
        name = (sort or "date").lstrip("-")
        descending = self.flavour == "sentry" or sort is None or sort.startswith("-")
        if "sort" in self.traits.ignores:
            return (lambda one: one.number), False
        if name in ("new", "first_seen"):
            return (lambda one: one.first_seen), descending
        if name in ("freq", "count"):
            return (lambda one: sum(one.events.values())), descending

        def latest(one: ErrorIssue) -> datetime:
            times = event_times(one, self.now)
            return max((at for at, _ in times if window.holds(at)), default=times[-1][0])

        return latest, descending

    def _is_wanted(self, issue: ErrorIssue, request: Request, window: Window) -> bool:
        ids = request.many("project")
        slugs = {issue.project, str(self._project_id(issue.project))}
        if self.flavour == "glitchtip":
            slugs = {str(self._project_id(issue.project))}
        if ids and "project" not in self.traits.ignores and "-1" not in ids and not slugs & set(ids):
            return False
        if window.environments and issue.environment not in window.environments:
            return False
        if self.flavour == "glitchtip":
            start = request.one("start")
            if start and issue.first_seen < datetime.fromisoformat(start):
                return False
        elif not any(window.holds(at) for at, _ in event_times(issue, self.now)):
            return False
        query = request.one("query")
        if query is None and self.flavour == "sentry":
            query = "is:unresolved"
        if "query" in self.traits.ignores:
            return True
        return all(self._fits(issue, term) for term in (query or "").split())

    def _fits(self, issue: ErrorIssue, term: str) -> bool:
        key, _, value = term.partition(":")
        if key == "is":
            status, _, _ = state_of(issue, self.now)
            known = {"resolved": "resolved", "ignored": "ignored", "archived": "ignored", "unresolved": "unresolved"}
            if value not in known:
                raise Refused(400, "Invalid value for is")
            return status == known[value]
        if key == "level":
            return issue.level == value
        if key == "issue.category" and self.flavour == "sentry":
            return self.traits.knows and issue.category == value
        if value and (self.flavour == "glitchtip" or key in issue.tags):
            return issue.tags.get(key) == value
        return term.lower() in issue.title.lower()

    def _row(self, issue: ErrorIssue, request: Request, window: Window) -> Json:
        project = self._project_id(issue.project)
        if self.flavour == "glitchtip":
            return in_glitchtip(issue, self.now, project)
        row = in_sentry(issue, self.now, window, project, url=self.base_url, has_lifetime=self.traits.lifetime)
        period = request.one("groupStatsPeriod", "24h")
        if period not in ("", "24h", "14d", "auto"):
            raise Refused(400, "Invalid stats_period")
        if period:
            row["stats"] = {period: self._series(issue, period)}
        expand = request.many("expand")
        if "integrationIssues" in expand:
            row["integrationIssues"] = [
                {
                    "id": "1",
                    "key": key,
                    "title": "Ticket",
                    "displayName": key,
                    "integrationKey": "tickets",
                    "integrationName": "Tickets",
                }
                for key in issue.tickets
            ]
        if "sentryAppIssues" in expand:
            row["sentryAppIssues"] = []
        return {**row, **UNREAD}

    def _series(self, issue: ErrorIssue, period: str) -> list[list[int]]:
        step, n = {"14d": (DAY, 14), "30d": (DAY, 30)}.get(period, (HOUR, 24))
        return points(issue, self.now, step, n)

    # -- one issue ----------------------------------------------------------------------------------------------

    def _one(self, request: Request, id: str, rest: list[str]) -> Response | None:
        issue = next((one for one in self.book.errors.issues if one.id == id), None)
        if issue is None or not issue.is_there(self.now):
            raise Refused(404, "The requested resource does not exist")
        if issue.is_merged(self.now):  # the answer is the issue that it became part of
            return self._one(request, str(issue.merged_into), rest)
        match rest:
            case [""] if self.flavour == "glitchtip":
                row = in_glitchtip(issue, self.now, self._project_id(issue.project))
                return answer({**row, "userReportCount": 0})
            case [""]:
                return answer(self._detail(issue))
            case ["comments", ""] if self.flavour == "glitchtip":
                notes = [act for act in issue.acts if act.type == "note" and act.at <= self.now]
                rows = [
                    {
                        "id": place,
                        "type": "note",
                        "data": dict(act.data),
                        "dateCreated": iso_millis(act.at),
                        "user": {
                            "id": str(sum((act.by or "").encode())),
                            "email": "somebody@example.com",
                        },
                    }
                    for place, act in enumerate(notes, 1)
                ]
                return self.page(request, rows)
            case ["tags", ""] if self.flavour == "glitchtip":
                keys = request.many("key") or list(issue.tags)
                return answer([self._tag(issue, key) for key in keys if key in issue.tags])
            case ["tags", key, ""] if self.flavour == "sentry":
                if key not in issue.tags:
                    raise Refused(404, "The requested resource does not exist")
                return answer(self._tag(issue, key))
        return None

    def _detail(self, issue: ErrorIssue) -> Json:
        whole = Window(datetime(2000, 1, 1, tzinfo=UTC), self.now)
        row = in_sentry(issue, self.now, whole, self._project_id(issue.project), url=self.base_url, has_lifetime=False)
        children = [
            one for one in self.book.errors.issues if one.merged_into == issue.number and one.is_merged(self.now)
        ]
        entries = history(issue, self.now, children, is_log=self.traits.is_log)
        more = {
            "firstRelease": release_of(issue.first_release),
            "lastRelease": release_of(issue.last_release),
            "tags": [{"key": key, "name": key.title(), "totalValues": 10} for key in issue.tags],
            "stats": {"24h": self._series(issue, "24h"), "30d": self._series(issue, "30d")},
            "seenBy": [],
            "participants": [],
            "userReportCount": 0,
            "activity": entries,
        }
        if not self.traits.activity:
            del more["activity"]
        return {**row, **more}

    def _tag(self, issue: ErrorIssue, key: str) -> Json:
        seen = iso_seconds(self.now)
        value = issue.tags[key]
        return {
            "key": key,
            "name": key.title(),
            "totalValues": 10,
            "uniqueValues": 1,
            "topValues": [
                {"key": key, "name": value, "value": value, "count": 10, "firstSeen": seen, "lastSeen": seen}
            ],
        }

    def _stats(self, request: Request) -> Response:
        """Counts of some issues. Periods without events are left out, and the number of users is that of events."""
        groups = request.many("groups")
        period = request.one("statsPeriod", "24h") or "24h"
        if len(groups) > MAX_STATS:
            raise Refused(400, f"No more than {MAX_STATS} groups")
        if period not in ("24h", "14d"):
            raise Refused(422, "Input should be '24h' or '14d'")
        rows = []
        for issue in self._there():
            if issue.id in groups:
                row = in_glitchtip(issue, self.now, 0)
                rows.append(
                    {
                        "id": issue.id,
                        "count": row["count"],
                        "userCount": int(row["count"]),
                        "firstSeen": row["firstSeen"],
                        "lastSeen": row["lastSeen"],
                        "isUnhandled": False,
                        "stats": {period: [point for point in self._series(issue, period) if point[1]]},
                    }
                )
        return answer(rows)

    # -- projects -----------------------------------------------------------------------------------------------

    def _project_id(self, slug: str) -> int:
        return 4500 + self.book.errors.projects().index(slug)

    def _projects(self) -> list[Json]:
        return [
            {
                "id": str(self._project_id(slug)),
                "slug": slug,
                "name": slug.title(),
                "platform": "python",
                "dateCreated": "2026-01-01T00:00:00Z",
                "teams": [
                    {"id": "1", "slug": team.lower(), "name": team} for team in self.book.errors.teams.get(slug, ())
                ],
            }
            for slug in self.book.errors.projects()
        ]
