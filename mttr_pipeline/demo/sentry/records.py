"""Deploys rendered as releases of Sentry, or of GlitchTip, with their deploys and commits.

What belongs here: the shape of the objects (the OpenAPI descriptions of both). What does not: requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from zlib import crc32

import msgspec

from mttr_pipeline.demo.deploys import Deploy, told_again
from mttr_pipeline.demo.kit.wire import iso_millis
from mttr_pipeline.demo.sentry.truth import Errors

Json = dict[str, Any]
#: Services of whose deploys the organization is told beside the tool that makes them.
MIRRORED = ("Catalogue",)
Flavour = Literal["sentry", "glitchtip"]


@dataclass(slots=True)
class Book:
    """Everything an organization holds. Deploys are all that were ever posted, the oldest first; commits begin with the newest."""

    releases: list[Json]
    deploys: Mapping[str, list[Json]] = field(default_factory=dict)
    commits: Mapping[str, list[Json]] = field(default_factory=dict)
    errors: Errors = field(default_factory=Errors)


def release(version: str, created: datetime, projects: Sequence[str] = ("checkout",), **more: Any) -> Json:
    """A release, before the server adds what it counts."""
    return {
        "version": version,
        "dateCreated": iso_millis(created),
        "dateReleased": None,
        "ref": None,
        "url": None,
        "projects": [{"id": crc32(slug.encode()), "slug": slug, "name": slug.title()} for slug in projects],
        **more,
    }


def deploy(number: int, posted: datetime, environment: str = "production", **more: Any) -> Json:
    """A call that tells of a deploy: `dateStarted` and `dateFinished` are the caller's, and usually missing."""
    return {
        "id": number,
        "environment": environment,
        "dateCreated": iso_millis(posted),
        "dateStarted": None,
        "dateFinished": None,
        "name": None,
        "url": None,
        **more,
    }


def commit(sha: str, at: datetime, message: str) -> Json:
    """A commit of a release."""
    return {"id": sha, "message": message, "dateCreated": iso_millis(at)}


def listed_deploys(book: Book, version: str, flavour: Flavour) -> list[Json]:
    """What the server lists, newest first: Sentry the last one of each environment, GlitchTip all."""
    rows = list(reversed(book.deploys.get(version, [])))
    if flavour == "glitchtip":
        return [{name: value for name, value in row.items() if name != "name"} for row in rows]
    last: dict[str, Json] = {}
    for row in rows:
        last.setdefault(row["environment"], row)
    return [
        {
            **{name: value for name, value in row.items() if name != "dateCreated"},
            "id": str(row["id"]) if isinstance(row["id"], int) else row["id"],
            "dateFinished": row["dateFinished"] or row["dateCreated"],
        }
        for row in last.values()
    ]


def listed_commits(book: Book, version: str, flavour: Flavour) -> list[Json]:
    """The commits of a release; GlitchTip knows no dates."""
    rows = book.commits.get(version, [])
    if flavour == "glitchtip":
        people = {"authorName": "Somebody", "authorEmail": "somebody@example.com"}
        return [{**row, "dateCreated": None, **people} for row in rows]
    author = {"name": "Somebody", "email": "somebody@example.com"}
    return [{**row, "author": author, "pullRequest": None, "suspectCommitType": "", "releases": []} for row in rows]


def listed_release(book: Book, row: Json, flavour: Flavour) -> Json:
    """A release with what the server adds. A row that is no release is left as it is."""
    version = row.get("version")
    if not isinstance(version, str):
        return row
    deploys, commits = book.deploys.get(version, []), book.commits.get(version, [])
    counts = {"shortVersion": version, "data": {}, "commitCount": len(commits), "deployCount": len(deploys)}
    if flavour == "glitchtip":
        return {**counts, "repository": None, **row, "dateReleased": row["dateReleased"] or row["dateCreated"]}
    last = None
    if deploys:
        newest = listed_deploys(book, version, flavour)[0]
        last = {**newest, "name": newest["name"] or ""}
    projects = [
        {
            "id": place,
            "newGroups": 0,
            "platform": "python",
            "platforms": ["python"],
            "hasHealthData": False,
            **one,
        }
        for place, one in enumerate(row["projects"], start=1)
    ]
    return {
        "id": sum(version.encode()),
        "status": "open",
        "versionInfo": None,
        "newGroups": 0,
        "owner": None,
        "authors": [{"name": "Somebody", "email": "somebody@example.com"}],
        "lastCommit": commits[0] if commits else None,
        "lastDeploy": last,
        "firstEvent": None,
        "lastEvent": None,
        **counts,
        **row,
        "projects": projects,
    }


def slug_of(service: str) -> str:
    """The project of a service."""
    return "-".join(service.lower().split())


def version_of(deploy: Deploy) -> str:
    """The release that a deploy brings out, named after the first of its services."""
    return f"{slug_of(deploy.service)}@{deploy.version}"


def told(deploys: Iterable[Deploy]) -> list[Deploy]:
    """The deploys that the organization is told of: its own, and, with numbers of their own, those that other tools make."""
    own = [one for one in deploys if one.tool == "sentry"]
    others = told_again((one for one in deploys if one.tool != "sentry"), MIRRORED, timedelta(seconds=40))
    return [*own, *(msgspec.structs.replace(one, number=500_000 + one.number) for one in others)] if own else []


def book_of(deploys: Iterable[Deploy], now: datetime, errors: Errors) -> Book:
    """What was posted by `now`: a release of each version of a service, made with its first deploy that went well. `errors` happen
    by the clock."""
    done = [one for one in deploys if one.outcome == "success" and one.ends_by(now)]
    releases: dict[str, Json] = {}
    posted: dict[str, list[Json]] = {}
    commits: dict[str, list[Json]] = {}
    for one in sorted(done, key=lambda deploy: (deploy.finished or now, deploy.number)):
        version, slugs = version_of(one), [slug_of(service) for service in (one.service, *one.also)]
        at = one.finished or now
        releases.setdefault(version, release(version, at, slugs))
        commits.setdefault(version, [commit(one.sha, one.committed, one.title)])
        started = iso_millis(one.started) if one.started else None
        row = deploy(one.number, at, one.environment, dateStarted=started, dateFinished=iso_millis(at))
        posted.setdefault(version, []).append(row)
    return Book(list(releases.values()), posted, commits, errors)
