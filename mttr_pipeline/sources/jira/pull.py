"""Jira Cloud and Jira Data Center: the issues of a JQL with their whole changelog, fields and statuses.

Windows are laid over `created`, which never changes: at first over the asked range, later over everything with
`updated` since the mark, so no issue can slip from one window to another while it is read. Cloud: `POST
/rest/api/3/search/jql` (page tokens) and `POST /rest/api/3/changelog/bulkfetch`, because the changelog embedded in an
issue is cut there. Data Center: `GET /rest/api/2/search` with `expand=changelog`, and single reads where that is cut
all the same. Facts from developer.atlassian.com (Jira Cloud REST API v3, search and reconcile, rate limiting).

An issue that is deleted leaves no trace; one that is moved or retyped so that the JQL selects it no more is treated the
same, and one that is moved but still selected keeps its id. Both are found by comparing ids.

Streams: issues; changelogs (`{"issueId", "changeHistories": [...]}`, several lines an issue); fields; statuses;
tombstones of issues that are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from mttr_pipeline.errors import PermanentError
from mttr_pipeline.landing.store import Extract
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.jira import JiraAccess, JiraOptions
from mttr_pipeline.sources.jira.jql import combined, created_in, quoted
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.audit import Audit, Side
from mttr_pipeline.sources.kit.http import HttpClient, HttpRefused
from mttr_pipeline.sources.kit.paging import Page, TokenExpired, TokenLoop, TooMany, read_all, read_by_token, row_id
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.runner import Runner, Task, pieces_for
from mttr_pipeline.sources.kit.windows import Window, epoch_ms, gaps

CLOUD_PAGE = 100  # with all fields the site may give fewer
SERVER_PAGE = 50  # the embedded changelogs make a page heavy for the server
TARGET = 1_000  # issues per window
IDS_PAGE = 5_000  # the largest page of the search when only ids are asked for
READ_AT_ONCE = 100  # issues per issue/bulkfetch
BATCH = 500  # issues per changelog/bulkfetch, of at most 1,000
HISTORIES = 1_000  # change histories per page of it
OVERLAP = timedelta(hours=1)  # the search index learns changes late (search and reconcile)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
INCIDENT_TYPES = ("incident", "[system] incident")


class _Changelog(msgspec.Struct):
    total: int | None = None
    histories: list[msgspec.Raw] | None = None


class _Issue(msgspec.Struct):
    id: str | int
    changelog: _Changelog | None = None


class _Named(msgspec.Struct):
    name: str = ""


_ISSUE = msgspec.json.Decoder(_Issue)
_NAMED = msgspec.json.Decoder(_Named)


class Jira:
    """The source `jira`."""

    name = "jira"

    def __init__(self, access: JiraAccess, options: JiraOptions, **client: Any) -> None:
        token = access.token.get_secret_value()
        self.options = options
        self._access = access
        self._jql = access.jql
        key = "JIRA_API_TOKEN" if access.is_cloud else "JIRA_PERSONAL_TOKEN"
        names = f"JIRA_EMAIL and {key}" if access.is_cloud else key
        self._client = HttpClient(
            access.url,
            "Jira",
            options,
            headers=None if access.is_cloud else {"Authorization": f"Bearer {token}"},
            auth=(access.email, token) if access.email else None,
            secrets=(token, f"{access.email}:{token}"),
            address_from="JIRA_URL",
            remedies={
                400: "check JIRA_JQL: a project, field or value in it may not exist or not be visible to this account",
                401: f"check {names}",
                402: "the site's plan lacks this",
                403: f"the account behind {names} may not read this; give it access to the projects",
                404: "check JIRA_URL: the address of the site, with the context path of a Data Center",
                410: "the site has removed this interface; check JIRA_URL and which kind of token is set",
            },
            **client,
        )

    @property
    def scope(self) -> dict[str, Any]:
        return {"jql": self._access.jql or "", "cloud": self._access.is_cloud}

    @property
    def requests(self) -> int:
        return self._client.requests

    def check(self) -> str:
        """Who we are: the one request that an anonymous user is refused on every site."""
        name = whoami(self._client, self._api)
        return f"ok: Jira reachable at {self._client.host} as {name}"

    def close(self) -> None:
        self._client.close()

    def extract(self, plan: Plan, extract: Extract, progress: Progress) -> None:
        whoami(self._client, self._api)  # some sites answer a search with wrong credentials as anonymous: no issues
        self._jql = self._access.jql or self._default_jql()
        self._pull(plan, extract, progress).run()

    def audit(self, audit: Audit, plan: Plan, extract: Extract, progress: Progress) -> None:
        self._pull(plan, extract, progress).audit(audit)

    def _pull(self, plan: Plan, extract: Extract, progress: Progress) -> _Pull:
        kind = _CloudPull if self._access.is_cloud else _ServerPull
        return kind(self._client, self.options, self._jql or self._default_jql(), plan, extract, progress)

    @property
    def _api(self) -> str:
        return "/rest/api/3" if self._access.is_cloud else "/rest/api/2"

    def _default_jql(self) -> str:
        """The issue types named Incident or [System] Incident, those that the site has."""
        rows = self._client.get(f"{self._api}/issuetype", parse=envelope.items)
        names = dict.fromkeys(name for row in rows if (name := _name(row)).lower() in INCIDENT_TYPES)
        if not names:
            raise PermanentError(
                f"Jira: {self._client.host} has no issue type named Incident or [System] Incident; "
                "set JIRA_JQL to a query for the issues that are incidents."
            )
        return f"issuetype in ({', '.join(map(quoted, names))})"


def whoami(client: HttpClient, api: str) -> str:
    """The display name of the account. Raises HttpRefused for wrong credentials."""
    me = client.get(f"{api}/myself", parse=envelope.fields)
    return str(envelope.scalar(me.get("displayName")) or envelope.scalar(me.get("name")) or "an unnamed account")


class _Pull:
    """One extract under way; what Cloud and Data Center have in common."""

    api = ""

    def __init__(
        self,
        client: HttpClient,
        options: JiraOptions,
        jql: str,
        plan: Plan,
        extract: Extract,
        progress: Progress,
    ) -> None:
        self._client = client
        self._jql = jql
        self._plan = plan
        self._extract = extract
        self._runner = Runner(extract, client, options.connections, progress)
        since = plan.since - max(timedelta(0), OVERLAP - timedelta(minutes=options.lag_minutes))
        self._kind = "changed" if plan.incremental else "created"
        self._whole = Window(EPOCH, max(EPOCH, plan.until)) if plan.incremental else plan.window
        self._updated = [f"updated >= {epoch_ms(since)}"] if plan.incremental else []

    def run(self) -> None:
        tasks = [*self._list("fields", "/field"), *self._list("statuses", "/status")]
        prefix = f"{self._kind} "
        keys = self._extract.windows("issues")
        tasks += [self._resume(key) for key in keys]
        done = [Window.parse(key.removeprefix(prefix)) for key in keys if key.startswith(prefix)]
        tasks += [self._window(gap) for gap in gaps(self._whole, done)]
        self._runner.run(tasks)
        self._runner.bury(self._plan.as_of, lambda stream, name: self._is_gone(name))

    # -- what was deleted ---------------------------------------------------------------------------------------

    def audit(self, audit: Audit) -> None:
        """Compare issues by creation."""
        audit.run(self._runner, lambda: self._client.requests, self._plan.as_of, [self._side()])
        self._runner.bury(self._plan.as_of, lambda stream, name: self._is_gone(name))

    def _side(self) -> Side:
        raise NotImplementedError

    def _selected(self, window: Window) -> str:
        """The JQL for everything created in a window, whenever it changed."""
        return combined(self._jql, [created_in(window)])

    def _is_gone(self, name: str) -> bool:
        try:
            self._client.get(f"{self.api}/issue/{name}", [("fields", "created")], parse=_whole_body)
        except HttpRefused as error:
            if error.status != 404:
                raise
            return True
        return False

    def _list(self, stream: str, path: str) -> Iterator[Task]:
        def work() -> list[Task]:
            self._extract.land(stream, "all", self._client.get(self.api + path, parse=envelope.items))
            return []

        if not self._extract.has(stream, "all"):
            yield Task(stream, work)

    def _window(self, window: Window) -> Task:
        key = f"{self._kind} {window.key}"

        def work() -> list[Task]:
            try:
                self._land(window, key)
            except TooMany as error:
                return [self._window(piece) for piece in pieces_for(window, error, TARGET)]
            except TokenLoop as error:
                raise PermanentError(
                    f"Jira: the paging of the search does not end ({error}); start again, and report this if it stays."
                ) from error
            return self._changelogs(key)

        return Task("issues", work)

    def _query(self, window: Window, *, ordered: bool = True) -> str:
        first = self._plan.incremental and window.since == self._whole.since  # nothing was created before it
        return combined(self._jql, [*self._updated, created_in(window, no_start=first)], ordered=ordered)

    def _resume(self, key: str) -> Task:
        """A window that an earlier attempt landed, maybe without all of its changelogs."""
        return Task("changelogs", lambda: self._changelogs(key))

    def _land(self, window: Window, key: str) -> None:
        """Land the issues of a window. Raises TooMany when it should be cut up."""
        raise NotImplementedError

    def _changelogs(self, key: str) -> list[Task]:
        """Tasks for the changelogs of a landed window that are not landed yet."""
        raise NotImplementedError


class _CloudPull(_Pull):
    api = "/rest/api/3"

    def _land(self, window: Window, key: str) -> None:
        if window.seconds > 1:
            estimate = self._estimate(window)
            if estimate > TARGET:
                raise TooMany(estimate)

        def page(token: str | None) -> tuple[list[bytes], str | None]:
            body: dict[str, Any] = {"jql": self._query(window), "maxResults": CLOUD_PAGE, "fields": ["*all"]}
            if token:
                body["nextPageToken"] = token
            return self._post(f"{self.api}/search/jql", body, _search_page)

        with self._extract.writing("issues", key) as write:
            counted = read_by_token(page, write)
        self._runner.reconcile("issues", key, counted)

    def _post(
        self, path: str, body: dict[str, Any], parse: Callable[[bytes], tuple[list[bytes], str | None]]
    ) -> tuple[list[bytes], str | None]:
        """One page. A token lives for seven days, but sites have refused younger ones: the listing starts anew then."""
        try:
            return self._client.post(path, body, parse=parse)
        except HttpRefused as error:
            if error.status == 400 and "nextPageToken" in body:
                raise TokenExpired(f"status 400 for a page token: {error.said}") from error
            raise

    def _side(self) -> Side:
        # The count that Cloud gives is an estimate: ids are compared, which costs one request for 5,000
        return Side("issues", lambda window: None, self._ids, self._restore, at_once=IDS_PAGE)

    def _ids(self, window: Window) -> list[bytes]:
        def page(token: str | None) -> tuple[list[bytes], str | None]:
            body: dict[str, Any] = {"jql": self._selected(window), "maxResults": IDS_PAGE, "fields": ["id"]}
            if token:
                body["nextPageToken"] = token
            return self._post(f"{self.api}/search/jql", body, _search_page)

        found: list[bytes] = []
        read_by_token(page, found.append)
        return found

    def _restore(self, key: str, rows: list[bytes]) -> list[Task]:
        def issues() -> Iterator[bytes]:
            ids = [name for row in rows if (name := row_id(row))]
            for start in range(0, len(ids), READ_AT_ONCE):
                body = {"issueIdsOrKeys": ids[start : start + READ_AT_ONCE], "fields": ["*all"]}
                yield from self._client.post(f"{self.api}/issue/bulkfetch", body, parse=_found)

        if not self._extract.has("issues", key):
            self._extract.land("issues", key, issues())
        return self._changelogs(key)

    def _estimate(self, window: Window) -> int:
        """An estimate is all that Cloud gives; it only decides how many threads share the work."""

        def parse(body: bytes) -> int:
            found = envelope.scalar(envelope.fields(body).get("count"))
            return found if isinstance(found, int) else 0

        return self._client.post(
            f"{self.api}/search/approximate-count", {"jql": self._query(window, ordered=False)}, parse=parse
        )

    def _changelogs(self, key: str) -> list[Task]:
        ids = list(dict.fromkeys(name for row in self._extract.read("issues", key) if (name := row_id(row))))
        return [
            self._batch(ids[start : start + BATCH], f"{key} {start}")
            for start in range(0, len(ids), BATCH)
            if not self._extract.has("changelogs", f"{key} {start}")
        ]

    def _batch(self, ids: list[str], key: str) -> Task:
        def work() -> list[Task]:
            with self._extract.writing("changelogs", key) as write:
                self._bulk(ids, write)
            return []

        return Task("changelogs", work)

    def _bulk(self, ids: list[str], write: Any) -> None:
        def page(token: str | None) -> tuple[list[bytes], str | None]:
            body: dict[str, Any] = {"issueIdsOrKeys": ids, "maxResults": HISTORIES}
            if token:
                body["nextPageToken"] = token
            return self._post(f"{self.api}/changelog/bulkfetch", body, _changelog_page)

        try:
            read_by_token(page, write)
        except TokenLoop as error:
            raise PermanentError(f"Jira: the paging of changelog/bulkfetch does not end ({error}).") from error
        except HttpRefused as error:
            if error.status not in (400, 404):
                raise
            if len(ids) > 1:  # one issue that is gone or hidden by now can spoil a batch: find it
                self._bulk(ids[: len(ids) // 2], write)
                self._bulk(ids[len(ids) // 2 :], write)
            elif error.status == 404:
                self._runner.gone("issues", ids[0])
            else:
                raise


class _ServerPull(_Pull):
    api = "/rest/api/2"

    def _side(self) -> Side:
        return Side("issues", self._total, self._ids, self._restore)

    def _total(self, window: Window) -> int | None:
        return self._found(window, 0, 1).total

    def _ids(self, window: Window) -> list[bytes]:
        found: list[bytes] = []
        read_all(lambda offset: self._found(window, offset, TARGET), found.append)
        return found

    def _found(self, window: Window, offset: int, size: int) -> Page:
        """One page of nothing but ids; the server may make it smaller."""
        params = [("jql", self._selected(window)), ("startAt", offset), ("maxResults", size), ("fields", "id")]
        return self._client.get(f"{self.api}/search", params, parse=lambda body: _offset_page(body, offset))

    def _restore(self, key: str, rows: list[bytes]) -> list[Task]:
        def issues() -> Iterator[bytes]:
            for name in [name for row in rows if (name := row_id(row))]:
                try:
                    params = [("fields", "*all"), ("expand", "changelog")]
                    yield self._client.get(f"{self.api}/issue/{name}", params, parse=_whole_body)
                except HttpRefused as error:
                    if error.status != 404:
                        raise
                    self._runner.gone("issues", name)

        if not self._extract.has("issues", key):
            self._extract.land("issues", key, issues())
        return self._changelogs(key)

    def _land(self, window: Window, key: str) -> None:
        def page(offset: int) -> Page:
            params = [
                ("jql", self._query(window)),
                ("startAt", offset),
                ("maxResults", SERVER_PAGE),
                ("fields", "*all"),
                ("expand", "changelog"),
            ]

            return self._client.get(f"{self.api}/search", params, parse=lambda body: _offset_page(body, offset))

        divisible = window.seconds > 1
        with self._extract.writing("issues", key) as write:
            counted = read_all(page, write, fits=TARGET if divisible else None, divisible=divisible)
        self._runner.reconcile("issues", key, counted)

    def _changelogs(self, key: str) -> list[Task]:
        """Only for issues whose embedded changelog is shorter than its own total."""
        if self._extract.has("changelogs", key):
            return []
        cut = [str(issue.id) for row in self._extract.read("issues", key) if (issue := _issue(row)) and _is_cut(issue)]
        if not cut:
            return []

        def work() -> list[Task]:
            self._extract.land("changelogs", key, self._whole_changelogs(cut))
            return []

        return [Task("changelogs", work)]

    def _whole_changelogs(self, ids: list[str]) -> Iterator[bytes]:
        for name in ids:
            try:
                histories = self._histories(name)
            except HttpRefused as error:
                if error.status != 404:
                    raise
                self._runner.gone("issues", name)
                continue
            yield b'{"issueId":' + msgspec.json.encode(name) + b',"changeHistories":[' + b",".join(histories) + b"]}"

    def _histories(self, name: str) -> list[bytes]:
        """The whole changelog of one issue: by the single read, else page by page where the server has that."""
        path = f"{self.api}/issue/{name}"
        row = self._client.get(path, [("fields", "created"), ("expand", "changelog")], parse=_whole_body)
        issue = _issue(row)
        if issue and issue.changelog and issue.changelog.histories is not None and not _is_cut(issue):
            return [bytes(history) for history in issue.changelog.histories]
        found: list[bytes] = []

        def page(offset: int) -> Page:
            def parse(body: bytes) -> Page:
                members = envelope.fields(body)
                rows = envelope.items(_needed(members, "values"))
                total = envelope.scalar(members.get("total"))
                total = total if isinstance(total, int) else None
                return Page(rows, total is not None and offset + len(rows) < total, total)

            return self._client.get(f"{path}/changelog", [("startAt", offset), ("maxResults", 100)], parse=parse)

        try:
            counted = read_all(page, found.append)
        except HttpRefused as error:
            if error.status != 404:
                raise
            raise self._incomplete(name) from error
        if counted.expected is not None and counted.rows < counted.expected:
            raise self._incomplete(name)
        return found

    def _incomplete(self, name: str) -> PermanentError:
        return PermanentError(
            f"Jira: the changelog of the issue {name} is cut by {self._client.host} and cannot be read in full; "
            "raise the limit in the site's configuration or leave the issue out with JIRA_JQL."
        )


def _offset_page(body: bytes, offset: int) -> Page:
    members = envelope.fields(body)
    rows = envelope.items(_needed(members, "issues"))
    total = envelope.scalar(members.get("total"))
    if not isinstance(total, int):
        raise envelope.InvalidBody("no member 'total'")
    return Page(rows, offset + len(rows) < total, total)


def _found(body: bytes) -> list[bytes]:
    """The issues of a bulk read; those that are gone by now are named under `issueErrors`."""
    return envelope.items(_needed(envelope.fields(body), "issues"))


def _search_page(body: bytes) -> tuple[list[bytes], str | None]:
    members = envelope.fields(body)
    return envelope.items(_needed(members, "issues")), _token(members)


def _changelog_page(body: bytes) -> tuple[list[bytes], str | None]:
    members = envelope.fields(body)
    return envelope.items(_needed(members, "issueChangeLogs")), _token(members)


def _token(members: dict[str, bytes]) -> str | None:
    if envelope.scalar(members.get("isLast")) is True:
        return None
    token = envelope.scalar(members.get("nextPageToken"))
    return token if isinstance(token, str) and token else None


def _needed(members: dict[str, bytes], name: str) -> bytes:
    if name not in members:
        raise envelope.InvalidBody(f"no member {name!r}")
    return members[name]


def _whole_body(body: bytes) -> bytes:
    envelope.fields(body)
    return body


def _issue(row: bytes) -> _Issue | None:
    try:
        return _ISSUE.decode(row)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _is_cut(issue: _Issue) -> bool:
    log = issue.changelog
    return log is None or log.histories is None or (log.total is not None and log.total > len(log.histories))


def _name(row: bytes) -> str:
    try:
        return _NAMED.decode(row).name.strip()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
