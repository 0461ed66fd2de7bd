"""Repositories for the tests of the source github: deployments with statuses in the vendor's shape, and pulls of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from support import landed_rows, settings_for

from mttr_pipeline.demo import VendorServer
from mttr_pipeline.demo.github import GitHubSimulator, Repository
from mttr_pipeline.demo.github.records import API, user
from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.landing.store import Landing, new_run_id
from mttr_pipeline.sources.pulling import build_source, pull

NOW = datetime(2026, 10, 1, 6, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sha(number: int) -> str:
    return f"{number:040x}"


class Place(Repository):
    """A repository that is told what happens in it."""

    def deploy(
        self, number: int, at: datetime, *states: tuple[str, datetime], commit: int = 0, **more: Any
    ) -> dict[str, Any]:
        """A deployment that is asked for at `at`; the newest one is listed first."""
        row = {
            "id": number,
            "node_id": f"DE_{number}",
            "url": f"{API}/repos/{self.full_name}/deployments/{number}",
            "sha": sha(commit or number),
            "ref": "main",
            "task": "deploy",
            "payload": {},
            "environment": "production",
            "original_environment": "production",
            "description": None,
            "creator": user("octo"),
            "created_at": iso(at),
            "updated_at": iso(at),
            "statuses_url": f"{API}/repos/{self.full_name}/deployments/{number}/statuses",
            "repository_url": f"{API}/repos/{self.full_name}",
            "transient_environment": False,
            "production_environment": True,
            **more,
        }
        self.deployments.insert(0, row)
        self.deployments.sort(key=lambda one: one["created_at"], reverse=True)
        for state, when in states:
            self.set(number, state, when)
        return row

    def set(self, number: int, state: str, at: datetime, **more: Any) -> None:
        """A status, which moves `updated_at` of its deployment too."""
        (row,) = [one for one in self.deployments if one["id"] == number]
        found = self.statuses.setdefault(number, [])
        found.insert(
            0, {"id": number * 100 + len(found), "state": state, "environment": row["environment"], "log_url": ""}
        )
        found[0] |= {"created_at": iso(at), "updated_at": iso(at), **more}
        row["updated_at"] = max(row["updated_at"], iso(at))

    def commit(self, number: int, at: datetime, message: str = "A change") -> None:
        self.commits.append((sha(number), iso(at), message))


class Site:
    """A server with repositories, and pulls of them into one landing zone."""

    def __init__(self, server: VendorServer, folder: Path, names: str | None, **options: Any) -> None:
        self.server = server
        self.simulator: Any = server.simulators["github"]
        self.landing = Landing(folder / "landing")
        self.folder, self.options = folder, options
        self.env = server.env("github")
        self.read(names or self.env["GITHUB_REPOS"])

    def read(self, names: str) -> None:
        """Configure other repositories."""
        self.env["GITHUB_REPOS"] = names
        configured = {"sources": {"github": {"max_wait_minutes": 1, "requests_per_minute": 100_000, **self.options}}}
        self.settings = settings_for(self.folder, configured, self.env)

    def source(self) -> Any:
        return build_source("github", self.settings)

    def pull(self, as_of: datetime = NOW, **asked: Any) -> Manifest:
        self.server.clear_log()
        source = self.source()
        try:
            return pull(source, self.settings, self.landing, new_run_id(), as_of=as_of, **asked)
        finally:
            source.close()

    def asked(self, part: str = "") -> list[str]:
        """Paths of the requests since the last pull began."""
        return [line.path for line in self.server.requests("github") if part in line.path]

    def counts(self, manifest: Manifest) -> dict[str, int]:
        found: dict[str, int] = manifest.facts.get("counts", {})
        return found

    def rows(self, manifest: Manifest, stream: str) -> list[Any]:
        return landed_rows(self.landing, manifest, stream)

    def ids(self, manifest: Manifest, stream: str = "deployments") -> list[int]:
        if stream == "deployments":
            return sorted(row["record"]["id"] for row in self.rows(manifest, stream))
        return sorted(row["deploymentId"] for row in self.rows(manifest, stream))


@contextmanager
def site(
    folder: Path, *places: Repository, names: str | None = None, faults: Any = "none", **options: Any
) -> Iterator[Site]:
    simulator = GitHubSimulator.from_records(places)
    with VendorServer([simulator], clock=NOW, limits=None, faults=faults) as server:
        yield Site(server, folder, names, **options)


def done(at: datetime, minutes: int = 10) -> tuple[tuple[str, datetime], ...]:
    """The statuses of a good deployment that ended then."""
    return ("queued", at - minutes * MINUTE), ("in_progress", at - minutes * MINUTE / 2), ("success", at)
