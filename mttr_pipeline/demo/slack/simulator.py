"""Slack's Web API over HTTP, with the refusals of the real one.

A client has to cope with the following, so it is simulated (docs.slack.dev: Web API, pagination, rate limits, conversations.*):

* an error comes with status 200 and `ok: false`; a scope that is missing is named;
* a page may hold fewer rows than asked for, or none, although a cursor follows; a cursor is known for a while only;
* a bot reads the messages of channels that it is a member of, and lists all public ones;
* a history has the parents of threads alone: a late reply is behind `conversations.replies`, and changes its parent's count;
* each method has a limit of its own, told by 429 with Retry-After; an app that is distributed and not approved gets 15 messages a
  request, and one request a minute for histories and one for replies.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from mttr_pipeline.demo.kit.limits import Budget, Limit
from mttr_pipeline.demo.kit.paging import Paging
from mttr_pipeline.demo.kit.snapshots import Snapshots
from mttr_pipeline.demo.kit.wire import Request, Response, answer, encode
from mttr_pipeline.demo.slack.records import Json, Room, Workspace, newest_first
from mttr_pipeline.demo.slack.stories import channels_of, instants_of, workspace_of

if TYPE_CHECKING:
    from mttr_pipeline.demo.world import World

SCOPES = (
    *("channels:read", "groups:read", "channels:history", "groups:history"),
    *("pins:read", "bookmarks:read", "users:read"),
)
RESTRICTED_ROWS = 15
RESTRICTION = Limit(1, 60.0)
#: Methods and their limits for each minute (docs.slack.dev, rate limits).
TIERS = {
    "conversations.list": Limit(20, 60.0),
    "conversations.history": Limit(50, 60.0),
    "conversations.replies": Limit(50, 60.0),
    "pins.list": Limit(20, 60.0),
    "bookmarks.list": Limit(50, 60.0),
    "users.info": Limit(100, 60.0),
}


class SlackPaging(Paging):
    """Lists are members of an object, paged by a cursor in `response_metadata`."""

    def rows(self, body: Any) -> list[Any] | None:
        """See Paging."""
        names = ("messages", "channels")
        return (
            next((body[name] for name in names if isinstance(body.get(name), list)), None)
            if isinstance(body, dict)
            else None
        )

    def token(self, request: Request) -> str | None:
        """See Paging."""
        return request.one("cursor")

    def with_token(self, request: Request, token: str) -> Request:
        """See Paging."""
        query = {name: value for name, value in request.query.items() if name != "cursor"} | (
            {"cursor": [token]} if token else {}
        )
        return replace(request, query_string=urlencode(query, doseq=True))

    def announce_next(self, body: Any, token: str) -> bool:
        """See Paging."""
        if self.rows(body) is None:
            return False
        body["response_metadata"] = {"next_cursor": token}
        return True

    def shifted(self, request: Request, rows: int) -> Request | None:
        """A cursor is no offset that a fault could move."""
        return None


class _Refused(Exception):
    """An answer that says `ok: false`."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.body = {"ok": False, "error": error, **more}


class SlackSimulator:
    """One workspace. `scopes` are those of the token; with `user_token` it is that of a person, who reads all public channels.
    `tiers` are the limits of methods. `restricted` is an app that Slack restricts; `restriction` is then the limit of histories, and
    of replies. `page_rows` makes pages shorter than asked for."""

    name = "slack"
    paging: Paging = SlackPaging()

    def __init__(
        self,
        workspace: Workspace,
        *,
        token: str = "xoxb-demonstration-token",
        scopes: Iterable[str] = SCOPES,
        user_token: bool = False,
        tiers: Mapping[str, Limit] | None = None,
        restricted: bool = False,
        restriction: Limit = RESTRICTION,
        page_rows: int | None = None,
        is_offered: bool = True,
    ) -> None:
        self.workspace = workspace
        self.token, self.scopes, self.user_token = token, tuple(scopes), user_token
        self.restricted, self.page_rows = restricted, page_rows
        self._is_offered = is_offered
        limits = dict(tiers or {})
        if restricted:
            limits |= {"conversations.history": restriction, "conversations.replies": restriction}
        self._budgets = {method: Budget(limit) for method, limit in limits.items()}
        #: Of a workspace that changes with the clock alone.
        self._workspace_at: Callable[[datetime], Workspace] | None = None

    @classmethod
    def from_world(cls, world: World) -> SlackSimulator:
        """The channels of the company; one that has none talks elsewhere, and nothing is offered to be read."""
        channels = channels_of(world)
        if not channels:
            return cls(Workspace(), is_offered=False)
        simulator = cls(Workspace())
        snapshots = Snapshots(instants_of(channels, world), lambda now: workspace_of(channels, world, now))
        simulator._workspace_at = snapshots.at
        return simulator

    # -- what the server asks --------------------------------------------------------------------------------------

    def environment(self, url: str) -> dict[str, str]:
        """Where and with what token to read the workspace; nothing where it has nothing."""
        return {"SLACK_TOKEN": self.token, "SLACK_API_URL": f"{url}/api"} if self._is_offered else {}

    def limit_headers(self, limit: int, remaining: int, reset: float, window: float) -> dict[str, str]:
        """Slack says how long to wait, and nothing before."""
        return {} if remaining else {"Retry-After": str(math.ceil(reset))}

    def error(self, status: int, message: str) -> bytes:
        """An error body."""
        return encode({"ok": False, "error": "ratelimited" if status == 429 else "internal_error"})

    def record_in(self, path: str) -> str | None:
        """No path asks about one record: its id is a parameter."""
        return None

    def handle(self, request: Request, now: datetime) -> Response:
        """Answer one request."""
        if self._workspace_at is not None:
            self.workspace = self._workspace_at(now)
        method = request.path.removeprefix("/api/")
        headers = {"X-OAuth-Scopes": ",".join(self.scopes)}
        try:
            if request.headers.get("authorization") != f"Bearer {self.token}":
                raise _Refused("invalid_auth")
            budget = self._budgets.get(method)
            verdict = budget.take() if budget else None
            if verdict and not verdict.allowed:
                return Response(429, self.error(429, ""), {"Retry-After": str(math.ceil(verdict.reset))})
            return answer({"ok": True, **self._answer(method, request, now)}, headers=headers)
        except _Refused as refused:
            return answer(refused.body, headers=headers)

    def _answer(self, method: str, request: Request, now: datetime) -> Json:
        match method:
            case "auth.test":
                return {
                    "url": f"https://{self.workspace.domain}.slack.com/",
                    "team": self.workspace.domain.title(),
                    "user": "mttr",
                    "team_id": "T01",
                    "user_id": "U99",
                    "bot_id": "B99",
                }
            case "conversations.list":
                return self._channels(request, now)
            case "conversations.history":
                return self._history(request, now)
            case "conversations.replies":
                return self._replies(request, now)
            case "pins.list":
                return self._pins(request, now)
            case "bookmarks.list":
                self._need("bookmarks:read")
                return {"bookmarks": self._room(request.one("channel_id"), now).bookmarks}
            case "users.info":
                self._need("users:read")
                user = self.workspace.users.get(request.one("user") or "")
                if user is None:
                    raise _Refused("user_not_found")
                return {"user": user}
        raise _Refused("unknown_method", req_method=method)

    # -- methods -----------------------------------------------------------------------------------------------------

    def _need(self, scope: str) -> None:
        if scope not in self.scopes:
            raise _Refused("missing_scope", needed=scope, provided=",".join(self.scopes))

    def _channels(self, request: Request, now: datetime) -> Json:
        types = (request.one("types") or "public_channel").split(",")
        if "public_channel" in types:
            self._need("channels:read")
        if "private_channel" in types:
            self._need("groups:read")
        rows = [
            room.listed()
            for room in self.workspace.rooms
            if room.created <= now
            and ("private_channel" in types and room.member if room.is_private else "public_channel" in types)
            and not (request.one("exclude_archived") == "true" and room.is_archived)
        ]
        page, following = self._page(rows, request, 999)
        return {"channels": page, "response_metadata": {"next_cursor": following}}

    def _history(self, request: Request, now: datetime) -> Json:
        room = self._readable(request, now)
        rows = [row for row in room.shown(now) if not _is_reply(row)]
        return self._messages(newest_first(_between(rows, request)), request)

    def _replies(self, request: Request, now: datetime) -> Json:
        room = self._readable(request, now)
        parent = request.one("ts")
        rows = [row for row in room.shown(now) if parent in (row["ts"], row.get("thread_ts"))]
        if not rows:
            raise _Refused("thread_not_found")
        return self._messages([row for row in rows if row["ts"] == parent or _between([row], request)], request)

    def _pins(self, request: Request, now: datetime) -> Json:
        self._need("pins:read")
        room = self._readable(request, now)
        rows = {row["ts"]: row for row in room.shown(now)}
        return {
            "items": [{**pin, "channel": room.id, "message": rows[pin["ts"]]} for pin in room.pins if pin["ts"] in rows]
        }

    def _room(self, number: str | None, now: datetime) -> Room:
        found = next((room for room in self.workspace.rooms if room.id == number and room.created <= now), None)
        if found is None or (found.is_private and not found.member):
            raise _Refused("channel_not_found")
        return found

    def _readable(self, request: Request, now: datetime) -> Room:
        """A channel whose messages the token may read."""
        room = self._room(request.one("channel"), now)
        if "conversations" in request.path:
            self._need("groups:history" if room.is_private else "channels:history")
        if not room.member and not self.user_token:
            raise _Refused("not_in_channel")
        return room

    def _messages(self, rows: list[Json], request: Request) -> Json:
        page, following = self._page(rows, request, RESTRICTED_ROWS if self.restricted else 999)
        found: Json = {"messages": page, "has_more": bool(following), "response_metadata": {"next_cursor": following}}
        return found if following else {name: value for name, value in found.items() if name != "response_metadata"}

    def _page(self, rows: list[Json], request: Request, most: int) -> tuple[list[Json], str]:
        """One page of rows, and the cursor of the next one; empty at the end."""
        asked = request.one("limit") or "100"
        size = min(int(asked) if asked.isdigit() and int(asked) else 100, most, self.page_rows or most)
        start = 0
        if cursor := request.one("cursor"):
            try:
                start = int(base64.b64decode(cursor).decode().removeprefix("next:"))
            except ValueError:
                raise _Refused("invalid_cursor") from None
        end = start + size
        return rows[start:end], base64.b64encode(f"next:{end}".encode()).decode() if end < len(rows) else ""


def _is_reply(row: Json) -> bool:
    """Whether a history leaves it out; what was sent to the channel too stands in both."""
    return row.get("thread_ts", row["ts"]) != row["ts"] and row.get("subtype") != "thread_broadcast"


def _between(rows: list[Json], request: Request) -> list[Json]:
    oldest, latest = request.one("oldest") or "0", request.one("latest") or "9999999999"
    inclusive = request.one("inclusive") in ("true", "1")
    return [row for row in rows if oldest < row["ts"] < latest or (inclusive and row["ts"] in (oldest, latest))]
