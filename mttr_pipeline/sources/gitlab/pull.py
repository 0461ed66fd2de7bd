"""GitLab REST API v4: deployments of projects, the hour of finish of those that no job made, and commits.

A deployment is listed by its last change (`updated_after` with `order_by=updated_at`: the one is refused without the other), so one
that waited weeks for an approval is read again when it is over. A project is asked for by its name and then by its id, which a
rename leaves as it is. A project that cannot be read is left out and counted; once it can, its history is read.

Streams: projects; deployments; finishes and commits (see these modules). Deployments do not name their project, so each is wrapped
with its id. Releases are no deploys: a release says what exists, not where it runs. A deployment that is deleted at GitLab stays
here. Sources: docs.gitlab.com (Deployments API, Repositories API: compare, REST API: pagination, rate limits) and
`app/finders/deployments_finder.rb` of GitLab.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from mttr_pipeline.config.names import normalize
from mttr_pipeline.config.vocabulary import production_environments
from mttr_pipeline.errors import PermanentError
from mttr_pipeline.landing.store import Extract
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.gitlab import UNASKED, UNCOMPARED, UNREADABLE, GitLabAccess, GitLabOptions
from mttr_pipeline.sources.gitlab.commits import Comparison, Live, comparisons, read_comparison
from mttr_pipeline.sources.gitlab.finishes import hour_of_finish, is_wide, line_of
from mttr_pipeline.sources.gitlab.pages import API, get_page, get_project, project_path, read_list
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.failures import HttpRefused, HttpUnavailable
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.paging import row_id
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.pull import OVERLAP, Pull
from mttr_pipeline.sources.kit.runner import Task
from mttr_pipeline.sources.kit.source import HttpSource, instance_title, variables_of
from mttr_pipeline.sources.kit.windows import Window, iso

WIDEST = timedelta(days=60)  # of a window of changes: what is landed stays when a pull ends early
PER_FILE = 50  # deployments asked about one by one and landed together


class _Named(msgspec.Struct):
    name: str | None = None


class _Job(msgspec.Struct):
    finished_at: str | None = None


class _Deployment(msgspec.Struct):
    id: int | str
    status: str | None = None
    sha: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    environment: _Named | None = None
    deployable: _Job | None = None


class _Line(msgspec.Struct):
    project_id: str
    record: _Deployment


class _Project(msgspec.Struct):
    id: int | str


_LINE = msgspec.json.Decoder(_Line)
_PROJECT = msgspec.json.Decoder(_Project)


class GitLab(HttpSource[GitLabOptions]):
    """One GitLab with some of its projects. `variables` maps a suffix to the environment variable of this instance, for messages."""

    def __init__(
        self,
        name: str,
        access: GitLabAccess,
        options: GitLabOptions,
        *,
        variables: Callable[[str], str] | None = None,
        **client: Any,
    ) -> None:
        variable = variables or variables_of(name)
        token = access.token.get_secret_value()
        rights = f"the token in {variable('TOKEN')} needs the scope read_api and a role in the project that may read deployments"
        http = HttpClient(
            f"{access.url}{API}",
            instance_title("GitLab", "gitlab", name),
            options,
            headers={"PRIVATE-TOKEN": token},
            secrets=(token,),
            address_variable=variable("URL"),
            remedies={
                401: f"check {variable('TOKEN')}: it may have expired, or belong to another GitLab",
                403: rights,
                404: f"check {variable('PROJECTS')}: the project must exist, and {rights}",
            },
            **client,
        )
        super().__init__(name, options, http)
        self._projects = access.projects

    @property
    def scope(self) -> dict[str, Any]:
        """The environments whose commits are read: with others, the history is read again. A new project is read by itself."""
        return {"production": sorted(production_environments(self.options))} if self.options.commits else {}

    def check(self) -> str:
        """Ask for one deployment of the first project."""
        project = self._projects[0]
        page = get_page(self._client, f"{project_path(project)}/deployments", [], per_page=1)
        deployments = "some" if page.total is None else f"{page.total:,}"
        others = f" and {len(self._projects) - 1} more projects" if len(self._projects) > 1 else ""
        return f"ok: {self.title} reachable at {self._client.host}, {deployments} deployments of {project}{others}"

    def _pull(self, plan: Plan, extract: Extract, progress: Progress) -> Pull:
        return _Pull(self._client, self.options, self._projects, plan, extract, progress)


class _Pull(Pull):
    """One extract under way."""

    def __init__(
        self,
        client: HttpClient,
        options: GitLabOptions,
        projects: Sequence[str],
        plan: Plan,
        extract: Extract,
        progress: Progress,
    ) -> None:
        super().__init__(client, options, plan, extract, progress)
        self._projects = projects
        self._production = production_environments(options) if options.commits else frozenset()
        #: What the next pull has to know: the projects whose history is read, and what ran last in each environment.
        self._site: dict[str, Any] = extract.facts.setdefault("site", {})
        self._read_before = dict(self._site.get("projects", {}))
        self._kept_for = max(OVERLAP, timedelta(minutes=options.lag_minutes)) + OVERLAP
        self._lock = threading.Lock()
        self._ids: dict[str, str] = {}
        self._unreadable: dict[str, str] = {}
        self._cannot_ask = threading.Event()

    def run(self) -> None:
        self._runner.run([Task("projects", lambda name=name: self._project(name)) for name in self._projects])  # type: ignore[misc]
        self._report_unreadable()
        deployments = list(self._deployments())
        self._runner.run(self._in_files("finishes", self._wide(deployments), self._finish))
        live = dict(self._site.get("live", {}))
        wanted = self._comparisons(deployments, live) if self._production else []
        self._runner.run(self._in_files("commits", wanted, self._compare))
        self._site |= {"projects": self._ids, "live": live}

    # -- projects -----------------------------------------------------------------------------------------------

    def _project(self, name: str) -> list[Task]:
        """Land a project, and give the tasks that read its deployments."""
        key = f"project {name}"
        try:
            if not self._extract.has("projects", key):
                project = get_project(self._client, name)
                self._extract.land("projects", key, [_wrapped(project, "asked", name)])
        except HttpRefused as error:
            self._cannot_read(name, error)
            return []
        lines = self._extract.read("projects", key)
        found = next((line for line in lines), b"")
        number = row_id(found)
        if number is None:
            self._cannot_read(name, PermanentError(f"{self._client.title}: the answer about {name} has no project id."))
            return []
        with self._lock:
            if number in self._ids.values():  # named twice, by its old name and its new one
                return []
            self._ids[name] = number
        return list(self._changes(name, number))

    def _changes(self, name: str, number: str) -> Iterator[Task]:
        """The windows of changes to read: everything for a project that no pull has read."""
        since = self._plan.window.since
        if self._plan.incremental:
            is_known = self._read_before.get(name) == number
            since = self._changed_since if is_known else self._plan.covered_since or since
        window = Window(min(since, self._plan.until), self._plan.until)

        def land(part: Window, key: str) -> list[Task]:
            params = [("order_by", "updated_at"), ("sort", "asc")]
            params += [("updated_after", iso(part.since)), ("updated_before", iso(part.until))]
            try:
                with self._extract.writing("deployments", key) as write:
                    result = read_list(
                        self._client,
                        f"{project_path(number)}/deployments",
                        params,
                        lambda rows: write.many([_wrapped(row, "project_id", number) for row in rows]),
                    )
            except HttpRefused as error:
                self._cannot_read(name, error)
                return []
            self._runner.reconcile("deployments", key, result)
            return []

        yield from self._runner.window_tasks("deployments", f"updated {number}", window, land, widest=WIDEST)

    def _cannot_read(self, name: str, error: PermanentError) -> None:
        """Leave a project out. Raises the error where it is not about this project alone."""
        if isinstance(error, HttpRefused) and error.status not in (301, 302, 307, 308, 403, 404):
            raise error
        with self._lock:
            self._unreadable[name] = str(error)
            self._ids.pop(name, None)

    def _report_unreadable(self) -> None:
        """Count the projects that cannot be read; the manifest names them. Raises PermanentError when none can be."""
        if self._unreadable and not self._ids:
            raise PermanentError(
                f"{self._client.title}: none of the {len(self._projects)} projects can be read. "
                f"{next(iter(self._unreadable.values()))}"
            )
        counted = len(self._extract.facts.get("unreadable_projects", {}))  # by an attempt that this one resumes
        self._extract.facts["unreadable_projects"] = dict(sorted(self._unreadable.items()))
        self._runner.count(UNREADABLE, len(self._unreadable) - counted)

    # -- what a deployment does not tell ------------------------------------------------------------------------

    def _deployments(self) -> Iterator[_Line]:
        """The deployments that this pull landed, the newest version of each."""
        found: dict[str, _Line] = {}
        for key in sorted(self._extract.windows("deployments")):
            for row in self._extract.read("deployments", key):
                line = envelope.decode_as(_LINE, row)
                if line is not None:
                    before = found.get(str(line.record.id))
                    if before is None or (line.record.updated_at or "") >= (before.record.updated_at or ""):
                        found[str(line.record.id)] = line
        yield from found.values()

    def _in_files(self, stream: str, wanted: Sequence[Any], read: Callable[[Any], bytes | None]) -> Iterator[Task]:
        """Tasks that ask about one thing after the other, some for each file."""

        def task(key: str, part: Sequence[Any]) -> Task:
            def work() -> list[Task]:
                self._extract.land(stream, key, (line for one in part if (line := read(one)) is not None))
                return []

            return Task(stream, work)

        for start in range(0, len(wanted), PER_FILE):
            if not self._extract.has(stream, f"{stream} {start}"):
                yield task(f"{stream} {start}", wanted[start : start + PER_FILE])

    def _wide(self, deployments: Sequence[_Line]) -> list[_Line]:
        """Successful deployments that no job made, and that may have finished in more than an hour."""
        return [
            line
            for line in deployments
            if line.record.status == "success" and not _finished(line.record) and (ends := _ends(line.record))
            if is_wide(*ends)
        ]

    def _finish(self, line: _Line) -> bytes | None:
        deployment = line.record
        environment, ends = _environment(deployment), _ends(deployment)
        if self._cannot_ask.is_set() or ends is None:
            self._runner.count(UNASKED)
            return None
        try:
            hour = hour_of_finish(self._client, line.project_id, str(deployment.id), environment, *ends)
        except HttpRefused as error:
            if error.status != 400:
                raise
            self._cannot_ask.set()  # a GitLab that does not know these filters yet
            hour = None
        if hour is None:
            self._runner.count(UNASKED)
            return None
        return line_of(str(deployment.id), hour)

    def _comparisons(self, deployments: Sequence[_Line], live: dict[str, Any]) -> list[Comparison]:
        """What to compare; `live` then says what ran last in each production environment, for the next pull."""
        found: dict[tuple[str, str], list[Live]] = {}
        for line in deployments:
            name = _environment(line.record)
            if line.record.status == "success" and line.record.sha and normalize(name) in self._production:
                over = _finished(line.record) or _instant(line.record.updated_at)
                if over is not None:
                    one = Live(_sortable(over), str(line.record.id), line.record.sha)
                    found.setdefault((line.project_id, name), []).append(one)
        wanted: list[Comparison] = []
        kept_since = _sortable(self._plan.until - self._kept_for)
        for (project, name), ones in sorted(found.items()):
            known = [Live(*one) for one in live.get(project, {}).get(name, [])] if self._plan.incremental else []
            more, ordered = comparisons(project, known, ones)
            wanted += more
            recent = [one for one in ordered if one.over_at >= kept_since] or ordered[-1:]
            before = ordered[-len(recent) - 1 : -len(recent)]
            live[project] = {**live.get(project, {}), name: [list(one) for one in [*before, *recent]]}
        return wanted

    def _compare(self, comparison: Comparison) -> bytes | None:
        """A comparison, or None where GitLab cannot make it: a commit that is gone, or changes that are too many."""
        try:
            return read_comparison(self._client, comparison)
        except HttpUnavailable as error:
            if error.status not in (200, 500):
                raise
        except PermanentError as error:
            if isinstance(error, HttpRefused) and error.status not in (400, 403, 404, 413, 422):
                raise
        self._runner.count(UNCOMPARED)
        return None


def _wrapped(row: bytes, name: str, value: str) -> bytes:
    """The line of a record that does not say what it belongs to, or was asked for by."""
    head = msgspec.json.encode({"id": row_id(row), name: value})
    return head[:-1] + b',"record":' + row + b"}"


def _environment(deployment: _Deployment) -> str:
    return (deployment.environment.name if deployment.environment else None) or ""


def _instant(text: str | None) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return instant.astimezone(UTC) if instant and instant.tzinfo else None


def _finished(deployment: _Deployment) -> datetime | None:
    """The end of its job."""
    return _instant(deployment.deployable.finished_at) if deployment.deployable else None


def _ends(deployment: _Deployment) -> tuple[datetime, datetime] | None:
    """When it was made, and when it changed last."""
    created, updated = _instant(deployment.created_at), _instant(deployment.updated_at)
    return (created, updated) if created and updated else None


def _sortable(instant: datetime) -> str:
    return instant.isoformat(timespec="microseconds")
