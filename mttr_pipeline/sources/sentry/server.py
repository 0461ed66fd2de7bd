"""What a server with this API can tell of errors: found out by asking it, because versions and products differ.

Sentry lists issues by words of its own (`date`, `statsPeriod`). GlitchTip refuses these with 422, has no history of an issue, and
shows one at a path without the organization. Other servers know less. What does not belong here: reading issues.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.failures import HttpRefused
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.sentry.issues import issue_of
from mttr_pipeline.sources.sentry.pages import Params, get_page, issues_path

#: What a server answers that does not have a list, or does not show it to this token.
NOT_SHOWN = frozenset({403, 404, 405, 501})
#: What a server answers that does not know a parameter, or a value of one.
NOT_UNDERSTOOD = frozenset({400, 422})
DAYS = 90  # how long Sentry keeps events, and the longest window that it searches

_SESSIONS: Params = (("field", "sum(session)"), ("statsPeriod", "24h"), ("interval", "1d"))


class Server(msgspec.Struct, frozen=True):
    """What the server of an organization can do.

    dialect      whose words its list takes: those of Sentry, or of GlitchTip
    scoped       whether one issue is shown below the organization
    lifetime     whether an issue says what holds for its whole life, not only for the window that was asked for
    activity     whether an issue has a history, with the times at which it was resolved
    substatus    whether it says more than the status, such as regressed
    issues_stats whether counts have a list of their own
    sessions     whether it counts sessions of releases
    category     whether the list can be asked for errors only
    seen         whether there was an issue to look at
    """

    dialect: Literal["sentry", "glitchtip"] = "sentry"
    scoped: bool = True
    lifetime: bool = True
    activity: bool = True
    substatus: bool = True
    issues_stats: bool = False
    sessions: bool = True
    category: bool = True
    seen: bool = False

    def query(self, status: str = "") -> Params:
        """The parameters that list the errors of a status, the one that had an event last first. All of them without a status."""
        if self.dialect == "glitchtip":
            return (("query", f"is:{status}" if status else ""), ("sort", "-last_seen"), ("limit", "100"))
        wanted = (f"is:{status}" if status else "", "issue.category:error" if self.category else "")
        query = " ".join(part for part in wanted if part)
        return (("query", query), ("sort", "date"), ("statsPeriod", f"{DAYS}d"), ("limit", "100"))

    def whole_list(self, status: str = "") -> Params:
        """The same, the newest issue first: that order does not change while the list is read."""
        sort = "-first_seen" if self.dialect == "glitchtip" else "new"
        return tuple((name, sort if name == "sort" else value) for name, value in self.query(status))

    def issue_path(self, organization: str, issue: str, part: str = "") -> str:
        """The path of one issue, or of a list of it."""
        whole = issues_path(organization, issue, part)
        return whole if self.scoped else whole.replace(f"/organizations/{organization}", "", 1)

    def lacks(self) -> list[str]:
        """Sentences for people about what this server does not tell."""
        said = [
            (self.activity, "no history of an issue, so a resolve is known to the time between two runs only"),
            (self.lifetime or self.dialect == "glitchtip", "no numbers of the whole life of an issue in its list"),
            (self.substatus, "no word on whether an issue is new, regressed or escalating"),
            (self.sessions, "no sessions, so there is no health of releases"),
        ]
        return [sentence for has, sentence in said if not has]


class NotListed(Exception):
    """The server does not list issues, or not for this token. `status` is its answer."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


def probe(client: HttpClient, organization: str) -> Server:
    """Find out what the server can do, with a handful of requests. Raises NotListed, and what `HttpClient.get` raises."""
    server = Server()
    rows = _first(client, organization, server)
    if rows is None:
        server = Server(dialect="glitchtip", substatus=False, lifetime=False)
        rows = _first(client, organization, server)
        if rows is None:
            raise NotListed(422)
    elif not rows:  # a server that does not know the category gives nothing
        other = msgspec.structs.replace(server, category=False)
        rows = _first(client, organization, other, most=100) or []
        if any((found := issue_of(row)) and found.is_error for row in rows):
            server = other
        else:
            rows = []
    sessions = answers(client, f"/organizations/{organization}/sessions/", _SESSIONS)
    is_sentry = server.dialect == "sentry"
    unseen = msgspec.structs.replace(server, sessions=sessions, scoped=is_sentry, activity=is_sentry)
    issue = next((found for row in rows if (found := issue_of(row)) and found.is_error), None)
    if issue is None:
        return unseen
    detail = None
    for scoped in (True, False):
        server = msgspec.structs.replace(server, scoped=scoped)
        try:
            detail = client.get(server.issue_path(organization, issue.name), parse=envelope.whole_object)
            break
        except HttpRefused as error:
            if error.status not in NOT_SHOWN:
                raise
    if detail is None:  # deleted meanwhile
        return unseen
    shown = issue_of(detail)
    has_stats = bool(issue.points("24h"))
    stats = f"/organizations/{organization}/issues-stats/"
    return msgspec.structs.replace(
        server,
        lifetime=isinstance(issue.lifetime, dict),
        activity=shown is not None and isinstance(shown.activity, list),
        substatus=any(b'"substatus"' in row for row in rows),
        issues_stats=not has_stats and answers(client, stats, (("groups", issue.name), ("statsPeriod", "24h"))),
        sessions=sessions,
        seen=True,
    )


def answers(client: HttpClient, path: str, params: Params) -> bool:
    """Whether a path is there and takes these parameters. Raises what `HttpClient.get` raises otherwise."""
    try:
        client.get(path, params, parse=lambda body: body)
    except HttpRefused as error:
        if error.status not in NOT_SHOWN | NOT_UNDERSTOOD:
            raise
        return False
    return True


def _first(client: HttpClient, organization: str, server: Server, most: int = 1) -> list[bytes] | None:
    """A few issues; None where the server does not understand the words of this dialect."""
    params = [*(pair for pair in server.query() if pair[0] != "limit"), ("limit", str(most))]
    if server.dialect == "sentry":
        params.append(("groupStatsPeriod", "24h"))
    try:
        return get_page(client, issues_path(organization), params=params).rows
    except HttpRefused as error:
        if error.status in NOT_SHOWN:
            raise NotListed(error.status) from error
        if error.status not in NOT_UNDERSTOOD:
            raise
        return None
