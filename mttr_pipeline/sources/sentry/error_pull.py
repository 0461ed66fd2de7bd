"""All about errors in one pull: what the server can do, projects, issues, the releases that resolve them, sessions of releases.

A token or a server that shows no errors costs the errors, and nothing else. What does not belong here: how issues are read
(`errors`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec

from mttr_pipeline.landing.store import Extract
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.failures import HttpRefused
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.pull import OVERLAP
from mttr_pipeline.sources.kit.runner import Runner, Task
from mttr_pipeline.sources.sentry import (
    ERRORS_NOT_READABLE,
    NO_SESSIONS,
    PROJECTS_NOT_READABLE,
    SentryOptions,
)
from mttr_pipeline.sources.sentry.errors import IssuesPull
from mttr_pipeline.sources.sentry.memory import WEEK, Errors
from mttr_pipeline.sources.sentry.pages import releases_path
from mttr_pipeline.sources.sentry.projects import Projects
from mttr_pipeline.sources.sentry.releases import line_of, record_of
from mttr_pipeline.sources.sentry.server import DAYS, NotListed, Server, probe
from mttr_pipeline.sources.sentry.sessions import SessionsPull, start_of_sessions

AGAIN = timedelta(days=30)  # how long a release may have no date


class _Details(msgspec.Struct):
    inRelease: object = None


class _Record(msgspec.Struct):
    statusDetails: _Details | None = None


class _Issue(msgspec.Struct):
    record: _Record


class _Data(msgspec.Struct):
    version: object = None


class _Activity(msgspec.Struct):
    type: object
    data: _Data


_ISSUE = msgspec.json.Decoder(_Issue)
_ACTIVITY = msgspec.json.Decoder(_Activity)


class ErrorsPull:
    """The errors of one extract."""

    def __init__(
        self,
        organization: str,
        client: HttpClient,
        options: SentryOptions,
        plan: Plan,
        extract: Extract,
        runner: Runner,
        before: Errors,
        is_resumed: bool,
    ) -> None:
        """`is_resumed`: whether an earlier attempt began the extract."""
        self._organization, self._client, self._options = organization, client, options
        self._plan, self._extract, self._runner, self._before = plan, extract, runner, before
        # A state is of the time at which it is read. That is the clock of the run, unless an earlier one began this extract.
        self._read_at = datetime.now(UTC).replace(microsecond=0) if is_resumed else plan.as_of
        names = ("error_projects", "error_environments", "service_tag", "team_tag")
        scope = {name: getattr(options, name) for name in names}
        self._scope = {
            name: list(value) if isinstance(value, tuple) else value for name, value in scope.items() if value
        }

    def run(self, deployed: Set[str]) -> Errors:
        """Land what is new; gives what the next pull is to know. `deployed` are releases whose deploys are known. Raises
        MttrError."""
        try:
            server, probed_at = self._server()
        except NotListed:
            self._runner.count(ERRORS_NOT_READABLE)
            return self._before
        projects = Projects(self._options.error_projects)
        seen: list[str] = []
        read = partial(projects.read, self._client, self._organization, self._extract, self._before.projects)

        def work() -> list[Task]:
            seen.append(read())
            return []

        self._runner.run([Task("projects", work)])
        before = self._before
        is_known = self._plan.incremental and before.read_at is not None and before.scope == self._scope
        lag = max(OVERLAP, timedelta(minutes=self._options.lag_minutes))
        since = min(before.read_at, self._read_at) - lag if is_known and before.read_at else None
        issues = IssuesPull(
            *(self._organization, self._client, self._options, self._plan, self._extract, self._runner),
            *(server, before, projects, since, self._read_at),
        )
        issues.run()
        versions = self._dated(deployed)
        sessions_until = self._sessions(server, projects) if server.sessions else before.sessions_until
        self._runner.count(PROJECTS_NOT_READABLE, len(projects.missing))
        self._runner.count(NO_SESSIONS, 0 if server.sessions else 1)
        for name, n in issues.counted.items():
            self._runner.count(name, n)
        return Errors(
            scope=self._scope,
            read_at=self._read_at,
            walked_at=issues.walked_at,
            server=server,
            probed_at=probed_at,
            issues=dict(sorted(issues.known.items())),
            versions=versions,
            sessions_until=sessions_until,
            projects=seen[0],
        )

    def _server(self) -> tuple[Server, datetime]:
        """What the server can do; it is asked once a week, and until it had an issue to look at."""
        server, at = self._before.server, self._before.probed_at
        if server is not None and at is not None and server.seen and self._read_at - at < WEEK:
            return server, at
        found: list[Server] = []
        refused: list[NotListed] = []

        def work() -> list[Task]:
            try:
                found.append(probe(self._client, self._organization))
            except NotListed as error:
                refused.append(error)
            return []

        self._runner.run([Task("issues", work)])
        if refused:
            raise refused[0]
        return found[0], self._read_at

    # -- releases that resolve --------------------------------------------------------------------------------------

    def _dated(self, deployed: Set[str]) -> dict[str, int]:
        """Ask for the releases that are said to resolve an issue and have no deploy; gives when each was asked for.

        Their dates stand for the time of the resolve. One without a date is asked for again, once a week.
        """
        now = int(self._read_at.timestamp())
        last = int(self._before.read_at.timestamp()) if self._before.read_at else now
        asked = {version: at for version, at in self._before.versions.items() if at > now - AGAIN.total_seconds()}
        week = int(WEEK.total_seconds())
        waiting = {version for version, at in asked.items() if (now - at) // week > (last - at) // week}
        wanted = sorted(((set(self._named()) - asked.keys()) | waiting) - deployed)
        key = f"named {len(self._extract.windows('releases'))}"

        def lines() -> Iterator[bytes]:
            for version in wanted:
                record = record_of(self._release(version))
                if record is not None:
                    yield line_of(record)
                if record is None or record.dateReleased is not None:
                    asked.pop(version, None)
                else:
                    asked.setdefault(version, now)

        def work() -> list[Task]:
            self._extract.land("releases", key, lines())
            return []

        if wanted:
            self._runner.run([Task("releases", work)])
        return dict(sorted(asked.items()))

    def _release(self, version: str) -> bytes:
        """A release as sent; nothing where it is not there."""
        try:
            return self._client.get(releases_path(self._organization, version), parse=envelope.whole_object)
        except HttpRefused as error:
            if error.status not in (403, 404):
                raise
            return b"{}"

    def _named(self) -> Iterator[str]:
        """The releases that the landed issues and histories name as what resolves."""

        def rows(stream: str) -> Iterable[bytes]:
            for key in self._extract.windows(stream):
                yield from self._extract.read(stream, key)

        for line in rows("issues"):
            issue = envelope.decode_as(_ISSUE, line)
            details = issue.record.statusDetails if issue else None
            if details and isinstance(details.inRelease, str) and details.inRelease:
                yield details.inRelease
        for line in rows("issue_activities"):
            entry = envelope.decode_as(_ACTIVITY, line)
            if entry and entry.type == "set_resolved_in_release" and isinstance(entry.data.version, str):
                yield from [entry.data.version] if entry.data.version else []

    # -- sessions -----------------------------------------------------------------------------------------------

    def _sessions(self, server: Server, projects: Projects) -> datetime:
        narrowed = (
            *projects.params(server.dialect),
            *(("environment", name) for name in self._options.error_environments),
        )
        pull = SessionsPull(self._organization, self._client, self._extract, self._runner, narrowed, self._read_at)
        is_known = self._before.scope == self._scope and self._plan.incremental
        until = self._before.sessions_until if is_known else None
        given = self._read_at - timedelta(days=DAYS)
        oldest = max(self._plan.requested_since or given, given)
        return pull.run(start_of_sessions(until, min(oldest, self._read_at)))
