"""What one pull reads of the repositories: deployments, their statuses, what each of them brings out, and releases.

The list of deployments has no filter by time and no documented order. It is read until a page holds only deployments that were asked
for 30 days before the last pull, which is how long one may wait for an approval. A deployment that is not over is looked at again
in every pull, however old it is. `updated_at` moves with each status, so a deployment with an old one is as it was. Entity tags make
what did not change free: a status 304 does not count against the rate limit. Sources: the OpenAPI description that the vendor
publishes (rest-api-description) and its documentation (Rate limits, Best practices, Pagination).

Streams: repositories (under the names by which they are configured), deployments (under the id of their repository),
deployment_statuses (one record per deployment), comparisons, releases.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import quote

import msgspec

from mttr_pipeline.config.vocabulary import production_environments
from mttr_pipeline.errors import PermanentError
from mttr_pipeline.landing.store import Extract, wrap_child
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.github import GitHubOptions
from mttr_pipeline.sources.github.comparisons import compare
from mttr_pipeline.sources.github.listing import instant, read_listing
from mttr_pipeline.sources.github.memory import Known, Memory, Repository, Site, Waiting, read_since
from mttr_pipeline.sources.github.outcomes import (
    Deployment,
    Status,
    Success,
    kept,
    outcome,
    production_environment,
    steps,
)
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.failures import HttpRefused
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.paging import row_id
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.pull import OVERLAP, Pull
from mttr_pipeline.sources.kit.runner import Task
from mttr_pipeline.sources.kit.windows import iso

APPROVAL = timedelta(days=30)  # how long a deployment may wait for an approval
PER_FILE = 50  # deployments whose statuses, or comparisons, are landed together
#: The repository does not exist, or the token may not see it: of a private one, the answer is the same.
NOT_READABLE = frozenset({403, 404, 410, 451})


class _Landed(msgspec.Struct):
    record: Deployment


class _Statuses(msgspec.Struct):
    deploymentId: int
    statuses: list[Status]


class _Named(msgspec.Struct):
    id: int
    full_name: str


class _Dates(msgspec.Struct):
    created_at: str | None = None
    updated_at: str | None = None
    published_at: str | None = None
    draft: bool | None = None


_LANDED = msgspec.json.Decoder(_Landed)
_STATUSES = msgspec.json.Decoder(_Statuses)
_NAMED = msgspec.json.Decoder(_Named)
_DATES = msgspec.json.Decoder(_Dates)


class Reading(Pull):
    """One extract under way."""

    def __init__(
        self,
        names: Sequence[str],
        not_readable: Callable[[Mapping[str, HttpRefused]], PermanentError],
        client: HttpClient,
        options: GitHubOptions,
        plan: Plan,
        extract: Extract,
        progress: Progress,
    ) -> None:
        super().__init__(client, options, plan, extract, progress)
        self._names, self._not_readable, self._options = names, not_readable, options
        self._overlap = max(OVERLAP, timedelta(minutes=options.lag_minutes))
        self._site = Site.of(extract.facts)
        self._production = production_environments(options)
        self._found: dict[str, tuple[Known, bytes | None]] = {}
        self._refused: dict[str, HttpRefused] = {}
        self._no_commits: set[str] = set()
        self._lock = threading.Lock()

    def run(self) -> None:
        """See Pull."""
        self._runner.run(Task("repositories", partial(self._find, name)) for name in self._names)
        repositories = self._land_repositories()
        self._runner.run(Task("deployments", partial(self._list, repository)) for repository in repositories)
        readable = [repository for repository in repositories if not self._is_refused(repository)]
        if not readable:
            raise self._not_readable(self._refused)
        self._runner.run(task for repository in readable for task in self._statuses(repository))
        for repository in readable:
            successes, waiting = self._outcomes(repository)
            if self._options.commits:
                self._runner.run(self._comparisons(repository, successes))
            self._remember(repository, successes, waiting)
        # Not before: another attempt would count them again.
        self._runner.count("repositories_not_readable", len(self._refused))
        names = [name for name in self._names if name in self._found]
        self._runner.count("repositories_named_twice", len(names) - len(repositories))
        self._runner.save()
        self._site.keep(self._extract.facts)

    # -- repositories -------------------------------------------------------------------------------------------

    def _find(self, name: str) -> list[Task]:
        """The repository of a configured name, which may have another one now."""
        known = self._site.names.get(name)

        def parse(body: bytes) -> bytes:
            return envelope.one_record(envelope.whole_object(body))

        try:
            etag = known.etag if known and self._plan.incremental else None
            row, headers = self._client.fetch(f"/repos/{quote(name)}", parse=parse, etag=etag)
        except HttpRefused as error:
            self._refuse(name, error)
            return []
        if row is not None:
            described = envelope.decode_as(_NAMED, row)
            if described is None:
                raise PermanentError(f"{self._client.title}: /repos/{name} describes no repository; check its address.")
            known = Known(str(described.id), described.full_name, headers.get("etag", ""))
        assert known is not None  # nothing is unchanged that was never seen
        with self._lock:
            self._found[name] = (known, row)
        return []

    def _refuse(self, name: str, error: HttpRefused) -> None:
        """Go on without a repository that cannot be read. Raises the error when it is about something else."""
        if error.status not in NOT_READABLE:
            raise error
        with self._lock:
            self._refused[name] = error

    def _is_refused(self, repository: Repository) -> bool:
        return any(self._found[name][0].id == repository.id for name in self._refused if name in self._found)

    def _land_repositories(self) -> list[Repository]:
        """What was found, each repository once."""
        names: dict[str, list[str]] = {}
        rows: dict[str, bytes] = {}
        for name in self._names:
            if name in self._found:
                known, row = self._found[name]
                names.setdefault(known.id, []).append(name)
                self._site.names[name] = known
                if row is not None:
                    rows[known.id] = row
        for identity, row in rows.items():  # each by itself: another attempt may have found others
            if not self._extract.has("repositories", identity):
                line = b'{"named":%b,"record":%b}' % (msgspec.json.encode(names[identity]), row)
                self._extract.land("repositories", identity, [line])
        repositories = []
        for identity, found in names.items():
            memory = self._site.repositories.get(identity)
            since = read_since(self._plan, memory, self._overlap)
            repositories.append(Repository(identity, self._found[found[0]][0].name, memory, since))
        return repositories

    def _path(self, repository: Repository, rest: str) -> str:
        return f"/repos/{quote(repository.name)}/{rest}"

    # -- lists --------------------------------------------------------------------------------------------------

    def _list(self, repository: Repository) -> list[Task]:
        """The deployments that changed; of a repository without any, the releases."""
        memory = repository.memory if self._plan.incremental else None
        key = repository.key
        try:
            if not self._extract.has("deployments", key):
                with self._extract.writing("deployments", key) as write:

                    def land(rows: Sequence[bytes]) -> None:
                        repository.listed.update(name for row in rows if (name := row_id(row)))
                        changed = [row for row in rows if self._is_changed(row, repository.since)]
                        write.many([wrap_child(repository.id, row) for row in changed])

                    path = self._path(repository, "deployments")
                    etags, oldest = memory.pages if memory else (), repository.since - APPROVAL
                    repository.pages = read_listing(self._client, path, land, etags=etags, oldest=oldest)
            has_deployments = repository.listed or self._extract_has_deployments(repository)
            has_deployments = has_deployments or (repository.memory is not None and repository.memory.deploys)
            if not has_deployments and self._options.releases:
                self._list_releases(repository, memory.releases if memory else ())
        except HttpRefused as error:
            self._refuse(next(name for name in self._names if self._is_name_of(name, repository)), error)
        return []

    def _is_name_of(self, name: str, repository: Repository) -> bool:
        return name in self._found and self._found[name][0].id == repository.id

    def _extract_has_deployments(self, repository: Repository) -> bool:
        return any(True for _ in self._extract.read("deployments", repository.key))

    def _is_changed(self, row: bytes, since: datetime) -> bool:
        """Whether a deployment or release changed since then, and was there at the end of the plan. What has no dates counts as
        changed: the quarantine tells of it."""
        dates = envelope.decode_as(_DATES, row)
        if dates is None:
            return True
        created = instant(dates.created_at)
        if created is not None and created >= self._plan.until:
            return False
        found = [at for text in (dates.updated_at, dates.published_at, dates.created_at) if (at := instant(text))]
        return not found or max(found) >= since

    def _list_releases(self, repository: Repository, etags: Sequence[str]) -> None:
        """All published ones: a draft keeps its place in the list when it is published."""
        key = repository.key
        if self._extract.has("releases", key):
            return
        environment = msgspec.json.encode(self._options.release_environment)
        opening = b'{"repositoryId":%b,"environment":%b,"record":' % (msgspec.json.encode(repository.id), environment)

        def is_wanted(row: bytes) -> bool:
            dates = envelope.decode_as(_DATES, row)
            return (dates is None or not dates.draft) and self._is_changed(row, repository.since)

        with self._extract.writing("releases", key) as write:

            def land(rows: Sequence[bytes]) -> None:
                write.many([opening + row + b"}" for row in rows if is_wanted(row)])

            path = self._path(repository, "releases")
            repository.releases = read_listing(self._client, path, land, etags=etags)

    # -- statuses -----------------------------------------------------------------------------------------------

    def _statuses(self, repository: Repository) -> Iterator[Task]:
        """Of the deployments that changed, and of those that were not over and were not listed."""
        changed = [str(one.id) for one in self._deployments(repository)]
        waiting = sorted(repository.waiting().keys() - set(changed))
        for kind, ids, tags in (("", changed, {}), ("waiting ", waiting, repository.waiting())):
            for start in range(0, len(ids), PER_FILE):
                chunk = ids[start : start + PER_FILE]
                # Named by what it begins with: another attempt may have listed others.
                key = f"{kind}{repository.key} {chunk[0]}"
                if not self._extract.has("deployment_statuses", key):
                    wanted = [name for name in chunk if not (kind and name in repository.listed)]
                    yield Task("deployment_statuses", partial(self._land_statuses, repository, key, wanted, tags))

    def _land_statuses(
        self, repository: Repository, key: str, ids: Sequence[str], tags: Mapping[str, Waiting]
    ) -> list[Task]:
        def read(deployment_id: str) -> Iterable[bytes]:
            found: list[bytes] = []
            known = tags.get(deployment_id)
            etags = [known.etag] if known and known.etag else []
            path = self._path(repository, f"deployments/{quote(deployment_id, safe='')}/statuses")
            try:
                new = read_listing(self._client, path, found.extend, etags=etags)
            except HttpRefused as error:
                if error.status == 404:
                    repository.gone.add(deployment_id)
                raise
            repository.etags[deployment_id] = new[0]
            if etags and new == etags:
                return ()
            return (b'{"deploymentId":%b,"statuses":[%b]}' % (deployment_id.encode(), b",".join(found)),)

        rows = self._runner.read_each("deployments", ids, read)
        self._extract.land("deployment_statuses", key, rows)
        return []

    # -- what became of them ------------------------------------------------------------------------------------

    def _deployments(self, repository: Repository) -> Iterator[Deployment]:
        for row in self._extract.read("deployments", repository.key):
            if found := envelope.decode_as(_LANDED, row):
                yield found.record

    def _outcomes(self, repository: Repository) -> tuple[dict[str, list[Success]], dict[str, Waiting]]:
        """The successful production deployments that this pull saw, by environment; and those that are not over."""
        seen = {one.id: one for one in self._deployments(repository)}
        before = repository.waiting()
        waiting = {
            name: Waiting(known.sha, known.production, repository.etags.get(name, known.etag))
            for name, known in before.items()
            if int(name) not in seen and name not in repository.gone
        }
        successes: dict[str, list[Success]] = {}
        prefixes = (f"{repository.key} ", f"waiting {repository.key} ")
        for key in sorted(self._extract.windows("deployment_statuses")):
            for row in self._extract.read("deployment_statuses", key) if key.startswith(prefixes) else ():
                found = envelope.decode_as(_STATUSES, row)
                if found is None:
                    continue
                name, deployment = str(found.deploymentId), seen.get(found.deploymentId)
                known = before.get(name)
                said = outcome(found.statuses, deployment.environment if deployment else None)
                if deployment is not None:
                    production = production_environment(deployment, said.environment, self._production)
                    sha = deployment.sha
                elif known is not None:
                    sha, production = known.sha, known.production
                else:
                    continue
                if not said.is_over:
                    waiting[name] = Waiting(sha, production, repository.etags.get(name, ""))
                    continue
                waiting.pop(name, None)
                if said.succeeded_at and production:
                    at = iso(said.succeeded_at.astimezone(UTC))
                    successes.setdefault(production, []).append(Success(at, found.deploymentId, sha))
        return successes, waiting

    def _comparisons(self, repository: Repository, successes: dict[str, list[Success]]) -> Iterator[Task]:
        """Of the deployments that have another one before them than the last pull knew."""
        memory = repository.memory if self._plan.incremental else None
        new: list[tuple[Success, Success]] = []
        for environment, found in sorted(successes.items()):
            live = memory.live.get(environment, []) if memory else []
            known = set(steps(live))
            new += [step for step in steps({*live, *found}) if step not in known]
        for start in range(0, len(new), PER_FILE):
            key = f"{repository.key} {start}"
            if not self._extract.has("comparisons", key):
                work = partial(self._land_comparisons, repository, key, new[start : start + PER_FILE])
                yield Task("comparisons", work)

    def _land_comparisons(
        self, repository: Repository, key: str, chunk: Sequence[tuple[Success, Success]]
    ) -> list[Task]:
        def rows() -> Iterator[bytes]:
            for base, head in chunk:
                if repository.id in self._no_commits:
                    return
                try:
                    found = compare(self._client, repository.name, base.sha, head.sha)
                except HttpRefused as error:
                    if error.status != 403:
                        raise
                    with self._lock:
                        self._runner.count("commits_not_readable", repository.id not in self._no_commits)
                        self._no_commits.add(repository.id)
                    return
                if found is None:
                    self._runner.count("deployments_not_comparable")
                    continue
                members, is_cut = found
                self._runner.count("comparisons_cut", is_cut)
                yield msgspec.json.encode({"deploymentId": head.id, "base": base.sha, "head": head.sha, **members})

        self._extract.land("comparisons", key, rows())
        return []

    # -- the next pull ------------------------------------------------------------------------------------------

    def _remember(
        self, repository: Repository, successes: dict[str, list[Success]], waiting: dict[str, Waiting]
    ) -> None:
        """Keep what the next pull goes on from. A pull of the past moves nothing but what is not over."""
        old, until = repository.memory, self._plan.until
        deploys = bool(repository.listed or waiting or (old and old.deploys)) or self._extract_has_deployments(
            repository
        )
        if old and not (repository.since <= old.read_until <= until):
            old.waiting, old.deploys = waiting, deploys
            return
        live = {name: list(found) for name, found in old.live.items()} if old else {}
        for environment, found in successes.items():
            live[environment] = list({*live.get(environment, []), *found})
        since = iso(until - self._overlap)
        self._site.repositories[repository.id] = Memory(
            until,
            pages=repository.pages,
            releases=repository.releases,
            waiting=waiting,
            live={name: kept(found, since) for name, found in live.items()},
            deploys=deploys,
        )
