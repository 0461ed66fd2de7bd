"""What the pipeline must find of the errors of the demonstration company, from the facts that its story tells.

Nothing here reads a rendered payload or shares code with the pipeline.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mttr_pipeline.demo import World
from mttr_pipeline.demo.company import SERVICES
from mttr_pipeline.demo.deploys import Deploy
from mttr_pipeline.demo.sentry.records import slug_of, told, version_of
from mttr_pipeline.demo.sentry.stories import errors_of
from mttr_pipeline.demo.sentry.truth import ErrorIssue, Errors

SERVICE = {slug_of(service.name): service.name for service in SERVICES}
#: The vendor writes down that an issue came back so long after the event.
NOTICED = timedelta(seconds=4)


@dataclass(frozen=True)
class Told:
    """An episode: its begin, end and fix. `introduced` and `fixed_by` are commits."""

    issue: str
    episode: int
    began_by: str
    began_at: datetime
    introduced: str | None
    not_before: datetime | None = None
    resolved_at: datetime | None = None
    provenance: str | None = None
    resolved_by: str | None = None
    fix_method: str | None = None
    fixed_by: str | None = None
    fix_state: str | None = None
    confirmed_at: datetime | None = None


def issues_of(world: World, now: datetime) -> list[ErrorIssue]:
    """The issues that are there."""
    return [one for one in _errors(world).issues if one.is_there(now)]


@functools.cache
def _errors(world: World) -> Errors:
    return errors_of(world)


def deploy_of(world: World, release: str | None, now: datetime) -> Deploy | None:
    """The deploy that brought a release out to users first."""
    slug, _, version = (release or "").partition("@")
    found = [
        one
        for one in world.deploys
        if slug_of(one.service) == slug and version in (one.version, one.sha) and one.outcome == "success"
        and one.environment != "staging" and one.ends_by(now)
    ]  # fmt: skip
    return min(found, key=lambda one: (one.finished or now, one.number), default=None)


def named_by(world: World, issue: ErrorIssue, now: datetime) -> tuple[str, str] | None:
    """The record of an incident that an issue names by page or ticket."""
    bad = deploy_of(world, issue.first_release, now)
    return bad.incident if bad and (issue.pages or issue.tickets) else None


def short(release: str | None) -> str | None:
    return release.partition("@")[2] if release else None


def episodes(world: World, issue: ErrorIssue, nights: Sequence[datetime]) -> list[Told]:
    """The episodes of an issue after pulls on these nights."""
    now, found = nights[-1], []
    begun = [one for one in issue.episodes if one.began <= now]
    for place, one in enumerate(begun):
        release = issue.last_release if place else issue.first_release
        cause = deploy_of(world, release, now)
        row = {
            "issue": issue.id,
            "episode": place + 1,
            "began_by": "regression" if place else "first seen",
            "began_at": one.began + NOTICED if place else one.began,
            "introduced": cause.sha if cause else None,
        }
        resolved, fixed_by, at = one.resolved, None, one.resolved
        if one.how == "commit" and resolved and resolved <= now:  # nobody saw when
            seen = [night for night in nights if issue.first_seen <= night < resolved]
            row |= {"not_before": seen[-1] if seen else issue.first_seen, "provenance": "derived"}
            resolved = at = next(night for night in nights if night >= resolved)
        elif one.how == "in_release" and resolved:
            fix = deploy_of(world, one.release, now)
            assert fix and fix.finished
            live = [
                other.finished
                for other in told(world.deploys)
                if version_of(other) == one.release and other.sha == fix.sha
            ]
            resolved, fixed_by, at = min(each for each in live if each), fix.sha, fix.finished
            row |= {"provenance": "derived", "resolved_by": "human"}
        elif resolved:
            row |= {"provenance": "api", "resolved_by": "human"}
        if resolved is None or at is None or resolved > now:
            keep = {"issue", "episode", "began_by", "began_at", "introduced"}
            row = {name: value for name, value in row.items() if name in keep}
        else:
            comes_again = place + 1 < len(begun)  # with a release that is not older than the fix, in every story
            state = "ineffective" if comes_again else "pending" if now < at + timedelta(minutes=30) else "confirmed"
            row |= {
                "resolved_at": resolved,
                "fix_method": "release" if fixed_by else "resolve",
                "fixed_by": fixed_by,
                "fix_state": state,
                "confirmed_at": at + timedelta(minutes=30) if state == "confirmed" else None,
            }
        found.append(Told(**row))  # type: ignore[arg-type]
    return found


def class_of(world: World, issue: ErrorIssue, nights: Sequence[datetime]) -> tuple[str, str | None]:
    """Status and class."""
    now = nights[-1]
    if any(one.at <= now for one in issue.archived):
        status = "archived"
    else:
        status = "unresolved" if episodes(world, issue, nights)[-1].resolved_at is None else "resolved"
    if status == "resolved":
        return status, None
    if now - issue.first_seen < timedelta(days=1):
        return status, "new"
    if len([one for one in issue.episodes if one.began <= now]) > 1:
        return status, "regression"
    return status, "spike" if spikes(issue, now) else "ongoing"


def spikes(issue: ErrorIssue, now: datetime) -> bool:
    """Whether the last day has ten times the mean of the seven whole days before it, which is at least 5."""
    day = timedelta(days=1)
    last = sum(n for hour, n in issue.events.items() if now - day <= hour < now)
    end = (now - day).replace(hour=0, minute=0, second=0, microsecond=0)
    begins = [end - day * (place + 1) for place in range(7)]
    days = [
        sum(n for hour, n in issue.events.items() if begin <= hour < begin + day)
        for begin in begins
        if begin >= issue.first_seen
    ]
    return bool(days) and sum(days) >= 5 * len(days) and last * len(days) >= 10 * sum(days)


@dataclass(frozen=True)
class Health:
    """A release with the sessions that production had of it, and the release before it."""

    service: str
    version: str
    released_at: datetime
    sessions: int
    crashed: int
    before: Health | None = None


def health_of(world: World, now: datetime, ran: Mapping[tuple[str, str], datetime]) -> list[Health]:
    """Every release with sessions by `now`, each after the one that production ran before it. `ran` is when production ran a version
    of a service first, as far as anybody knows."""
    totals: dict[tuple[str, str], tuple[int, int]] = {}
    days: dict[tuple[str, str], datetime] = {}
    for one in _errors(world).sessions:
        if one.day <= now and one.environment == "production":
            name = (one.project, one.release)
            sessions, crashed = totals.get(name, (0, 0))
            totals[name] = sessions + one.sessions, crashed + one.crashed
            days[name] = min(one.day, days.get(name, one.day))
    found: list[Health] = []
    for (project, release), (sessions, crashed) in totals.items():
        name = SERVICE[project], release.partition("@")[2]
        found.append(Health(*name, ran.get(name, days[project, release]), sessions, crashed))
    found.sort(key=lambda one: (one.service, one.released_at, one.version))
    return [
        replace(one, before=before if before and before.service == one.service else None)
        for before, one in zip([None, *found], found, strict=False)
    ]
