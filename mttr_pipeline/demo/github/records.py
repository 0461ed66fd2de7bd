"""Renders deploys as GitHub's objects: repositories, deployments, statuses, commits.

A service of the company is a repository of its own. What is demonstrated: the creation of a deployment is the request, its
`updated_at` moves with each status, a good one is `inactive` when another one takes its place, a text about it stands here or there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from mttr_pipeline.demo.company import SERVICES, SERVICES_BY_NAME
from mttr_pipeline.demo.deploys import Deploy
from mttr_pipeline.demo.facts import identifier
from mttr_pipeline.demo.kit.wire import iso_seconds

Json = dict[str, Any]
API, WEB = "https://api.github.com", "https://github.com"
OWNER = "larkspur"
PRODUCT_TEAMS = ("Storefront", "Payments", "Platform")
REPLACED = timedelta(seconds=1)  # from the success of a deployment to the end of the one before it
_FIRST_ID = 4_000_000


@dataclass
class Repository:
    """One repository. Lists are newest first, as GitHub has been seen to answer; commits are oldest first.

    formerly       earlier names, which lead here
    deployments    as listed
    statuses       by the id of the deployment
    commits        sha, author date and message of each commit, each with the one before it as its parent
    releases       as listed
    """

    id: int
    full_name: str
    formerly: tuple[str, ...] = ()
    deployments: list[Json] = field(default_factory=list)
    statuses: dict[int, list[Json]] = field(default_factory=dict)
    commits: list[tuple[str, str, str]] = field(default_factory=list)
    releases: list[Json] = field(default_factory=list)


@dataclass
class Book:
    """Everything that a token may see."""

    repositories: list[Repository]

    def find(self, name: str) -> tuple[Repository, bool] | None:
        """The repository of a name, whatever its case, and whether that name is an earlier one."""
        wanted = name.lower()
        for one in self.repositories:
            if one.full_name.lower() == wanted:
                return one, False
        former = (one for one in self.repositories if wanted in map(str.lower, one.formerly))
        return next(((one, True) for one in former), None)


def deployments(deploys: Iterable[Deploy], now: datetime) -> Book:
    """The company's repositories with what happened by `now`. Those of the product teams are there without a deploy too."""
    ordered = sorted((d for d in deploys if d.requested <= now), key=lambda d: (d.requested, d.number))
    services = [service.name for service in SERVICES if service.team in PRODUCT_TEAMS]
    services += [name for name in dict.fromkeys(d.service for d in ordered) if name not in services]
    return Book([_repository(name, [d for d in ordered if d.service == name], now) for name in services])


def _repository(service: str, deploys: Sequence[Deploy], now: datetime) -> Repository:
    slug = SERVICES_BY_NAME[service].slug if service in SERVICES_BY_NAME else service.lower().replace(" ", "-")
    name = f"{OWNER}/{slug}"
    found = Repository(int(identifier("repository", service)[:7], 16), name)
    for deploy in deploys:
        same = (other for other in deploys if other.environment == deploy.environment and other.outcome == "success")
        successors = [at for other in same if (at := other.finished) and deploy.finished and at > deploy.finished]
        statuses = _statuses(name, deploy, now, min(successors, default=None))
        found.statuses[_FIRST_ID + deploy.number] = statuses
        found.deployments.insert(0, _deployment(name, deploy, statuses))
    # What failed or only came to staging is on a branch of its own: it is no part of what later deploys bring out. The others were
    # merged in the order in which they came out first.
    line = [d for d in deploys if d.outcome == "success" and d.ends_by(now) and "staging" not in d.environment]
    for deploy in sorted(line, key=lambda d: (d.finished or now, d.number)):
        if deploy.sha not in {sha for sha, _, _ in found.commits}:
            if deploy.committed < deploy.requested:
                first = identifier("commit", service, deploy.sha)[:32] + "00000000"
                found.commits.append((first, iso_seconds(deploy.committed), f"Prepare: {deploy.title}"))
            authored = max(deploy.committed, deploy.requested - timedelta(minutes=10))
            found.commits.append((deploy.sha, iso_seconds(authored), f"{deploy.title}\n\nReviewed by the team."))
    return found


def _statuses(name: str, deploy: Deploy, now: datetime, replaced: datetime | None) -> list[Json]:
    """Newest first."""
    found = [("queued", deploy.requested, "")]
    if deploy.started:
        found.append(("in_progress", deploy.started, ""))
    if deploy.finished and deploy.outcome:
        state = {"success": "success", "failure": "failure"}.get(deploy.outcome, "error")
        found.append((state, deploy.finished, "The deployment was cancelled." if state == "error" else ""))
        # Automatic for environments that are not production; now and then somebody's script does it there too.
        if replaced and state == "success" and (deploy.environment != "production" or deploy.number % 3 == 0):
            found.append(("inactive", replaced + REPLACED, ""))
    shown = [one for one in found if one[1] <= now]
    return [_status(name, deploy, place, *one) for place, one in reversed(list(enumerate(shown)))]


def _status(name: str, deploy: Deploy, place: int, state: str, at: datetime, description: str) -> Json:
    deployment = f"{API}/repos/{name}/deployments/{_FIRST_ID + deploy.number}"
    identity = (_FIRST_ID + deploy.number) * 10 + place
    log = (
        f"{WEB}/{name}/actions/runs/{_FIRST_ID + deploy.number}"
        if state in ("in_progress", "success", "failure")
        else ""
    )
    return {
        "id": identity,
        "node_id": f"DES_{identity}",
        "url": f"{deployment}/statuses/{identity}",
        "state": state,
        "description": description,
        "environment": deploy.environment,
        "environment_url": "",
        "target_url": log,
        "log_url": log,
        "creator": user("deploy-bot[bot]"),
        "created_at": iso_seconds(at),
        "updated_at": iso_seconds(at),
        "deployment_url": deployment,
        "repository_url": f"{API}/repos/{name}",
    }


def _deployment(name: str, deploy: Deploy, statuses: Sequence[Json]) -> Json:
    identity = _FIRST_ID + deploy.number
    texts = [({"title": deploy.title}, None), (deploy.title, None), ({}, deploy.title), ("", deploy.title)]
    payload, description = texts[deploy.number % len(texts)]
    return {
        "id": identity,
        "node_id": f"DE_{identity}",
        "url": f"{API}/repos/{name}/deployments/{identity}",
        "sha": deploy.sha,
        "ref": deploy.version or deploy.sha,
        "task": "deploy",
        "payload": payload,
        "environment": deploy.environment,
        "original_environment": deploy.environment,
        "description": description,
        "creator": user(deploy.author),
        "created_at": iso_seconds(deploy.requested),
        "updated_at": max([iso_seconds(deploy.requested), *(status["updated_at"] for status in statuses)]),
        "statuses_url": f"{API}/repos/{name}/deployments/{identity}/statuses",
        "repository_url": f"{API}/repos/{name}",
        "transient_environment": False,
        "production_environment": deploy.environment == "production",
    }


def user(login: str) -> Json:
    """A person or a machine, as every object names its author."""
    identity = int(identifier("user", login)[:6], 16)
    api, rest = f"{API}/users/{login}", ("followers", "subscriptions", "organizations", "repos", "received_events")
    urls: Json = {f"{part}_url": f"{api}/{part}" for part in rest}
    return urls | {
        "login": login,
        "id": identity,
        "node_id": f"U_{identity}",
        "avatar_url": f"{WEB}/{login}.png",
        "gravatar_id": "",
        "url": api,
        "html_url": f"{WEB}/{login}",
        "following_url": f"{api}/following{{/other_user}}",
        "gists_url": f"{api}/gists{{/gist_id}}",
        "starred_url": f"{api}/starred{{/owner}}{{/repo}}",
        "events_url": f"{api}/events{{/privacy}}",
        "type": "Bot" if login.endswith("[bot]") else "User",
        "site_admin": False,
    }


def described(repository: Repository) -> Json:
    """A repository as `GET /repos/{owner}/{repo}` gives it."""
    owner, _, name = repository.full_name.partition("/")
    api = f"{API}/repos/{repository.full_name}"
    parts = (
        *("archive", "assignees", "blobs", "branches", "collaborators", "comments", "commits", "compare", "contents"),
        *(
            "contributors",
            "deployments",
            "downloads",
            "events",
            "forks",
            "git_commits",
            "git_refs",
            "git_tags",
            "hooks",
        ),
        *("issue_comment", "issue_events", "issues", "keys", "labels", "languages", "merges", "milestones"),
        *(
            "notifications",
            "pulls",
            "releases",
            "stargazers",
            "statuses",
            "subscribers",
            "subscription",
            "tags",
            "teams",
            "trees",
        ),
    )
    return {
        "id": repository.id,
        "node_id": f"R_{repository.id}",
        "name": name,
        "full_name": repository.full_name,
        "owner": user(owner),
        "private": True,
        "html_url": f"{WEB}/{repository.full_name}",
        "description": None,
        "fork": False,
        "url": api,
        **{f"{part}_url": f"{api}/{part}" for part in parts},
    }


def release(
    number: int, repository: str, tag: str, committed: datetime, published: datetime | None, **more: Any
) -> Json:
    """A release, a draft without an instant of publication."""
    api, page = f"{API}/repos/{repository}/releases/{number}", f"{WEB}/{repository}/releases"
    return {
        "id": number,
        "node_id": f"RE_{number}",
        "url": api,
        "assets_url": f"{api}/assets",
        "upload_url": f"{api}/assets{{?name,label}}",
        "html_url": f"{page}/tag/{tag}",
        "tarball_url": f"{api}/tarball/{tag}",
        "zipball_url": f"{api}/zipball/{tag}",
        "tag_name": tag,
        "target_commitish": "main",
        "name": tag,
        "body": "",
        "draft": published is None,
        "prerelease": False,
        "author": user("octo"),
        "assets": [],
        "created_at": iso_seconds(committed.astimezone(UTC)),
        "published_at": None if published is None else iso_seconds(published.astimezone(UTC)),
        **more,
    }
