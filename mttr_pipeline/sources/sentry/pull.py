"""Sentry's API, and GlitchTip's: the releases of an organization, the deploys of those that have any, and commits; then its errors,
which `error_pull` reads.

The list of releases has no filter by time and begins with those that were released last. It is read until a page of releases older
than 30 days before the last pull. Sentry lists the last deploy only of each release, project and environment: it is read each night,
and what was read stays. A release whose number of deploys, or newest deploy, is another one than the last pull saw has a new deploy,
however old the release is: that is how an earlier one is brought out again. Releases without deploys are not landed. Deploys that
cannot be read are counted, and asked for again by the next pull. Sources: docs.sentry.io (API reference: releases; rate limits;
pagination), `release_deploys.py` of Sentry, and the OpenAPI descriptions of Sentry and GlitchTip.

Streams: releases; deploys, each with the version of its release; commits, one record per release.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec

from mttr_pipeline.config.names import normalize
from mttr_pipeline.config.vocabulary import production_environments
from mttr_pipeline.landing.store import Extract
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.commits import headline
from mttr_pipeline.sources.kit.failures import HttpRefused
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.order import NewestFirst
from mttr_pipeline.sources.kit.paging import row_id
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.pull import OVERLAP, Pull
from mttr_pipeline.sources.kit.ratelimit import Throttling
from mttr_pipeline.sources.kit.runner import Task
from mttr_pipeline.sources.kit.source import HttpSource, instance_title, variables_of
from mttr_pipeline.sources.kit.windows import iso
from mttr_pipeline.sources.sentry import NO_COMMITS, NO_DEPLOYS, SentryAccess, SentryOptions
from mttr_pipeline.sources.sentry.error_pull import ErrorsPull
from mttr_pipeline.sources.sentry.memory import Errors, Site
from mttr_pipeline.sources.sentry.pages import API, get_page, read_list, releases_path
from mttr_pipeline.sources.sentry.releases import Record, Seen, count_of, digest, landed, line_of, record_of
from mttr_pipeline.sources.sentry.server import NOT_SHOWN, NotListed, probe

AGAIN = timedelta(days=30)  # how old a release may be and be finalised, or brought out, since
BEYOND = 300  # older releases that are remembered: they may stand on the last page that is read
PER_FILE = 50  # releases whose deploys, or commits, are landed together
ONE = (("per_page", "1"),)
THROTTLING = Throttling(headers="x-sentry-rate-limit")


class _Deploy(msgspec.Struct):
    environment: Any = None


class _DeployLine(msgspec.Struct):
    release: str
    record: _Deploy


class _Commit(msgspec.Struct):
    id: Any = None
    message: Any = None
    dateCreated: Any = None


_DEPLOY_LINE = msgspec.json.Decoder(_DeployLine)
_COMMIT = msgspec.json.Decoder(_Commit)


class Sentry(HttpSource[SentryOptions]):
    """One organization. `variables` maps a suffix to the environment variable of this instance, for messages."""

    def __init__(
        self,
        name: str,
        access: SentryAccess,
        options: SentryOptions,
        *,
        variables: Callable[[str], str] | None = None,
        **client: Any,
    ) -> None:
        variable = variables or variables_of(name)
        token = access.token.get_secret_value()
        self._rights = f"give the token in {variable('AUTH_TOKEN')} the scopes org:read and project:releases"
        self._error_rights = f"give the token in {variable('AUTH_TOKEN')} the scope event:read"
        http = HttpClient(
            f"{access.url}{API}",
            instance_title("Sentry", "sentry", name),
            options,
            headers={"Authorization": f"Bearer {token}"},
            secrets=(token,),
            address_variable=variable("URL"),
            remedies={
                401: f"check {variable('AUTH_TOKEN')}: it is wrong or revoked, or belongs to another address than {variable('URL')}",
                403: self._rights,
                404: f"check {variable('ORG')} and {variable('URL')}: the organization must exist there, and {self._rights}",
            },
            throttling=THROTTLING,
            **client,
        )
        super().__init__(name, options, http)
        self._organization = access.organization

    @property
    def scope(self) -> dict[str, Any]:
        """The organization, and the environments whose commits are read: with others, the history is read again."""
        commits = {"production": sorted(production_environments(self.options))} if self.options.commits else {}
        return {"organization": self._organization, **commits}

    def check(self) -> str:
        """Ask for the newest release, for its deploys, and for errors: a token or a server may give the one and not the other."""
        said = self._check_releases()
        return f"{said}; {self._check_errors()}" if self.options.errors else said

    def _check_errors(self) -> str:
        try:
            server = probe(self._client, self._organization)
        except NotListed as error:
            remedy = f"this server does not list issues, or {self._error_rights}"
            return f"no errors (status {error.status}): {remedy}"
        said = "errors" if server.seen else "no errors yet"
        return f"{said}, but {', '.join(server.lacks())}" if server.seen and server.lacks() else said

    def _check_releases(self) -> str:
        page = get_page(self._client, releases_path(self._organization), params=ONE)
        release = record_of(page.rows[0]) if page.rows else None
        said = f"ok: {self.title} reachable at {self._client.host}, "
        if release is None:
            return f"{said}no releases of {self._organization}"
        try:
            get_page(self._client, releases_path(self._organization, release.version, "deploys"), params=ONE)
        except HttpRefused as error:
            if error.status not in NOT_SHOWN:
                raise
            return (
                f"{said}releases of {self._organization}, but not their deploys (status {error.status}): this server does not list "
                f"deploys, or {self._rights}"
            )
        return f"{said}releases of {self._organization} and their deploys"

    def _pull(self, plan: Plan, extract: Extract, progress: Progress) -> Pull:
        return _Pull(self._organization, self._client, self.options, plan, extract, progress)


class _Pull(Pull):
    """One extract under way."""

    def __init__(
        self,
        organization: str,
        client: HttpClient,
        options: SentryOptions,
        plan: Plan,
        extract: Extract,
        progress: Progress,
    ) -> None:
        super().__init__(client, options, plan, extract, progress)
        self._organization, self._options = organization, options
        self._production = production_environments(options) if options.commits else frozenset()
        self._oldest = min(plan.since, plan.until) - AGAIN
        self._lag = max(OVERLAP, timedelta(minutes=options.lag_minutes))
        self._before = Site.of(extract.facts, organization)
        self._known = self._before.releases if plan.incremental else {}
        #: Releases that were asked for in vain, also by an attempt that this one resumes.
        self._refused: dict[str, list[str]] = extract.facts.setdefault("not_readable", {})
        self._off: set[str] = set()
        self._is_resumed = extract.resumed is not None or extract.records > 0
        self._lock = threading.Lock()

    def run(self) -> None:
        """See Pull."""
        if not self._extract.has("releases", "list"):
            self._runner.run([Task("releases", self._list)])
        found = landed(self._extract.read("releases", "list"))
        changed = [version for version, (record, _) in found.items() if self._has_new_deploys(record)]
        waiting = [version for version, seen in self._known.items() if seen.is_open]
        self._runner.run(self._in_files("deploys", sorted({*changed, *waiting}), self._deploys_of))
        commits = self._wanted_commits(found)
        self._runner.run(self._in_files("commits", sorted(commits), self._commits_of))
        errors = self._errors({*self._before.releases, *found}) if self._options.errors else self._before.errors
        self._remember(found, commits, errors)

    def _errors(self, deployed: set[str]) -> Errors:
        """Land what is about errors; gives what the next pull is to know of it."""
        how = (self._organization, self._client, self._options, self._plan, self._extract, self._runner)
        return ErrorsPull(*how, self._before.errors, self._is_resumed).run(deployed)

    # -- releases -----------------------------------------------------------------------------------------------

    def _list(self) -> list[Task]:
        """Land the releases with deploys that are not as the last pull saw them."""
        oldest = self._oldest
        order = NewestFirst(oldest)

        def restart() -> None:
            nonlocal order
            order = NewestFirst(oldest)

        def is_past(rows: Sequence[bytes]) -> bool:
            records = map(record_of, rows)
            return order.is_past([record.listed_at if record else None for record in records])

        with self._extract.writing("releases", "list") as write:

            def land(rows: Sequence[bytes]) -> None:
                write.many([line for row in rows if (line := self._new_line(row)) is not None])

            read_list(self._client, releases_path(self._organization), land, is_past, restart)
        return []

    def _new_line(self, row: bytes) -> bytes | None:
        record = record_of(row)
        if record is None:
            return row  # the quarantine tells of it
        if not record.deploys:
            return None
        line = line_of(record)
        seen = self._known.get(record.version)
        if seen is None:
            at = record.active_at
            return line if at is None or at >= self._oldest else None
        return line if seen.digest != digest(line) else None

    def _has_new_deploys(self, record: Record) -> bool:
        """Sentry names the newest deploy; GlitchTip only counts them."""
        seen = self._known.get(record.version)
        return seen is None or (seen.deploys, seen.last) != (record.deploys, record.last_deploy)

    # -- what belongs to a release --------------------------------------------------------------------------------

    def _in_files(self, stream: str, versions: Sequence[str], read: Callable[[str], Sequence[bytes]]) -> Iterator[Task]:
        """Tasks that ask about one release after the other, some for each file."""

        def work(key: str, part: Sequence[str]) -> list[Task]:
            self._extract.land(stream, key, (line for version in part for line in self._asked(stream, version, read)))
            return []

        for start in range(0, len(versions), PER_FILE):
            key = f"{stream} {start}"
            if not self._extract.has(stream, key):
                yield Task(stream, partial(work, key, versions[start : start + PER_FILE]))

    def _asked(self, stream: str, version: str, read: Callable[[str], Sequence[bytes]]) -> Sequence[bytes]:
        """What `read` gives of a release; nothing where the server does not show it, which it is asked for once."""
        if stream not in self._off:
            try:
                return read(version)
            except HttpRefused as error:
                if error.status not in NOT_SHOWN:
                    raise
                if error.status == 404 and not self._is_there(version):
                    return ()  # deleted since it was listed
                self._off.add(stream)
        with self._lock:
            refused = self._refused.setdefault(stream, [])
            if version not in refused:
                refused.append(version)
        return ()

    def _is_there(self, version: str) -> bool:
        """Whether the server still knows a release."""
        try:
            self._client.get(releases_path(self._organization, version), parse=envelope.whole_object)
        except HttpRefused as error:
            if error.status != 404:
                raise
            return False
        return True

    def _rows(self, version: str, part: str) -> list[bytes]:
        rows: list[bytes] = []
        read_list(self._client, releases_path(self._organization, version, part), rows.extend)
        return rows

    def _deploys_of(self, version: str) -> Sequence[bytes]:
        """The deploys of a release that are listed now."""
        return [
            msgspec.json.encode({"id": row_id(row), "release": version, "record": msgspec.Raw(row)})
            for row in self._rows(version, "deploys")
        ]

    def _wanted_commits(self, found: dict[str, tuple[Record, str]]) -> set[str]:
        """Releases that this pull saw in production, and whose commits are not known."""
        if not self._production:
            return set()
        wanted = set()
        for key in sorted(self._extract.windows("deploys")):
            for row in self._extract.read("deploys", key):
                line = envelope.decode_as(_DEPLOY_LINE, row)
                if line is None or not isinstance(line.record.environment, str):
                    continue
                if normalize(line.record.environment) in self._production:
                    wanted.add(line.release)
        return {version for version in wanted if self._lacks_commits(version, found)}

    def _lacks_commits(self, version: str, found: dict[str, tuple[Record, str]]) -> bool:
        seen = self._known.get(version, Seen())
        if version not in found:  # its deploys could not be read when it was listed
            return not seen.commits
        return count_of(found[version][0].commitCount) > seen.commits

    def _commits_of(self, version: str) -> Sequence[bytes]:
        """Ids, titles and dates of the commits of a release. The people who made them are not landed."""
        found = [one for row in self._rows(version, "commits") if (one := envelope.decode_as(_COMMIT, row))]
        commits = [
            {
                "id": one.id,
                "title": headline(one.message) if isinstance(one.message, str) else None,
                "dateCreated": one.dateCreated,
            }
            for one in found
        ]
        return [msgspec.json.encode({"id": version, "commits": commits})]

    # -- the next pull ------------------------------------------------------------------------------------------

    def _remember(self, found: dict[str, tuple[Record, str]], commits: set[str], errors: Errors) -> None:
        """Keep what the next pull compares with: what may be on the pages that it reads."""
        for what, name in (("deploys", NO_DEPLOYS), ("commits", NO_COMMITS)):
            self._runner.count(name, len(self._refused.get(what, ())))  # not before: another attempt would again
        self._runner.save()
        del self._extract.facts["not_readable"]  # of this pull only
        unread = set(self._refused.get("deploys", ()))
        until = max(self._plan.until, self._before.read_until or self._plan.until)
        releases = dict(self._before.releases)
        for version, seen in releases.items():
            if seen.is_open and version not in unread and self._plan.incremental:
                releases[version] = msgspec.structs.replace(seen, is_open=False)
        for version, (record, landed_as) in found.items():
            at = iso(record.active_at) if record.active_at else ""
            seen = self._known.get(version, Seen())
            releases[version] = Seen(at, landed_as, record.deploys, record.last_deploy, seen.commits, version in unread)
        for version in commits - set(self._refused.get("commits", ())):
            if version in releases:
                count = count_of(found[version][0].commitCount) if version in found else 1
                releases[version] = msgspec.structs.replace(releases[version], commits=count)
        floor = iso(until - AGAIN - self._lag - OVERLAP)
        older = sorted((seen.at, version) for version, seen in releases.items() if seen.at < floor and not seen.is_open)
        kept = {version: releases[version] for version in releases.keys() - {name for _, name in older[:-BEYOND]}}
        site = Site(self._organization, until, dict(sorted(kept.items())), errors)
        self._extract.facts["site"] = msgspec.to_builtins(site)
