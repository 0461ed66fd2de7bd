"""Deploys rendered as GitLab's deployments: a project for each service, a job for each deployment but those that the API made.

What belongs here: the shape of GitLab's objects (Deployments API, Jobs API, Repositories API). What does not: requests.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from mttr_pipeline.demo.deploys import Deploy
from mttr_pipeline.demo.facts import identifier
from mttr_pipeline.demo.kit.wire import iso_millis

Json = dict[str, Any]

GROUP = "acme/shops"
WEB = "https://gitlab.example.com"
OUTCOMES = {"success": "success", "failure": "failed", "cancelled": "canceled"}


@dataclass(slots=True)
class Book:
    """Everything this GitLab holds at one instant.

    deployments  by the id of their project
    commits      of each project, the oldest first, each with its sha as `id`
    finishes     when deployments were over, by their id: GitLab knows that of all, and shows it of none
    moved        earlier full names of projects: name -> id
    """

    projects: list[Json]
    deployments: dict[int, list[Json]]
    commits: dict[int, list[Json]] = field(default_factory=dict)
    finishes: dict[int, str] = field(default_factory=dict)
    moved: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for row in (row for rows in self.deployments.values() for row in rows):
            job = row.get("deployable") or {}
            if row.get("status") == "success" and job.get("finished_at"):
                self.finishes.setdefault(row["id"], job["finished_at"])


def made_by_api(deploy: Deploy) -> bool:
    """Whether no job made it, so that GitLab shows no finish."""
    return deploy.number % 10 == 7


def deployment_id(deploy: Deploy) -> int:
    """The id of a deploy here."""
    return 4000 + deploy.number


def slug(service: str) -> str:
    """The last part of the name of a service's project."""
    return "-".join(service.lower().split())


def project_of(service: str, place: int) -> Json:
    """A project."""
    path = f"{GROUP}/{slug(service)}"
    return {
        "id": 700 + place,
        "name": service,
        "path": slug(service),
        "path_with_namespace": path,
        "default_branch": "main",
        "web_url": f"{WEB}/{path}",
        "namespace": {"id": 12, "name": "Shops", "path": "shops", "kind": "group", "full_path": GROUP},
    }


class Renderer:
    """The deploys of one tool as of any instant."""

    def __init__(self, deploys: Iterable[Deploy]) -> None:
        self._deploys = sorted(deploys, key=lambda deploy: (deploy.requested, deploy.number))
        services = sorted({deploy.service for deploy in self._deploys})
        self.projects = [project_of(service, place) for place, service in enumerate(services)]
        self._ids = {service: 700 + place for place, service in enumerate(services)}

    def instants(self) -> list[datetime]:
        """When anything happens."""
        found = [(one.requested, one.started, one.finished) for one in self._deploys]
        return [at for instants in found for at in instants if at]

    def book(self, now: datetime) -> Book:
        """What GitLab holds at `now`."""
        book = Book(self.projects, {number: [] for number in self._ids.values()})
        for iid, deploy in enumerate(self._deploys, start=1):
            if deploy.requested <= now:
                project = self._ids[deploy.service]
                book.deployments[project].append(self._deployment(deploy, iid, now))
                if deploy.finished and deploy.finished <= now and deploy.outcome == "success":
                    book.finishes[deployment_id(deploy)] = iso_millis(deploy.finished)
        book.commits = {number: self._commits(service) for service, number in self._ids.items()}
        return book

    def _commits(self, service: str) -> list[Json]:
        first: dict[str, Deploy] = {}
        for deploy in self._deploys:
            if deploy.service == service:
                first.setdefault(deploy.sha, deploy)
        ordered = sorted(first.values(), key=lambda deploy: (deploy.committed, deploy.number))
        return [commit_of(deploy) for deploy in ordered]

    def _deployment(self, deploy: Deploy, iid: int, now: datetime) -> Json:
        started = deploy.started if deploy.started and deploy.started <= now else None
        finished = deploy.finished if deploy.finished and deploy.finished <= now else None
        waiting = "blocked" if deploy.story == "waits" else "created"
        status = OUTCOMES[deploy.outcome] if finished else "running" if started else waiting
        # A change after the finish, such as a stopped environment: it is no finish.
        changed = (finished + timedelta(seconds=2)) if finished else started or deploy.requested
        job = None
        if not made_by_api(deploy):
            job = {
                "id": 90_000 + deploy.number,
                "name": "deploy",
                "stage": "deploy",
                "status": {"blocked": "manual"}.get(status, status),
                "ref": "main",
                "tag": False,
                "coverage": None,
                "created_at": iso_millis(deploy.requested),
                "started_at": iso_millis(started) if started else None,
                "finished_at": iso_millis(finished) if finished else None,
                "web_url": f"{WEB}/{GROUP}/{slug(deploy.service)}/-/jobs/{90_000 + deploy.number}",
                "user": _person(deploy.author),
                "commit": {**commit_of(deploy), "message": f"{deploy.title}\n"},
                "pipeline": {"id": 50_000 + deploy.number, "ref": "main", "sha": deploy.sha, "status": status},
                "runner": None,
            }
        return {
            "id": deployment_id(deploy),
            "iid": iid,
            "ref": "main",
            "sha": deploy.sha,
            "created_at": iso_millis(deploy.requested),
            "updated_at": iso_millis(changed),
            "status": status,
            "user": _person(deploy.author),
            "environment": {
                "id": int(identifier(deploy.service, deploy.environment)[:6], 16),
                "name": deploy.environment,
                "external_url": None,
            },
            "deployable": job,
        }


def commit_of(deploy: Deploy) -> Json:
    """The commit that a deploy brings out."""
    address = f"{deploy.author}@example.com"
    return {
        "id": deploy.sha,
        "short_id": deploy.sha[:8],
        "title": deploy.title,
        "message": deploy.title,
        "author_name": deploy.author,
        "author_email": address,
        "authored_date": iso_millis(deploy.committed),
        "committer_name": deploy.author,
        "committer_email": address,
        "committed_date": iso_millis(deploy.committed),
        "created_at": iso_millis(deploy.committed),
        "parent_ids": [],
    }


def _person(handle: str) -> Json:
    number = int(identifier("person", handle)[:5], 16)
    return {"id": number, "username": handle, "name": handle.title(), "state": "active", "web_url": f"{WEB}/{handle}"}
