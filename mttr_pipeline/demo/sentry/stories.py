"""The errors of the demonstration company.

Two of three deploys that break a service bring an error to light: it spikes after the deploy and stops with the rollback or the fix.
Somebody resolves it, or says which release does. One comes back with a later release; one is said to be resolved by a release that
has it still; one is resolved between two nights, and no entry tells. Some name the page or the ticket of their incident. Beside
them are errors without an incident: steady ones, one that was archived, one that is new and one that spikes. Sessions tell how
healthy each release is.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mttr_pipeline.demo import company
from mttr_pipeline.demo.deploys import Deploy
from mttr_pipeline.demo.sentry.records import slug_of, told, version_of
from mttr_pipeline.demo.sentry.truth import DAY, HOUR, Archived, Episode, ErrorIssue, Errors, How, Sessions, per_hour

if TYPE_CHECKING:
    from mttr_pipeline.demo.world import World

MINUTE = timedelta(minutes=1)
#: How far back the company keeps errors: a little less than what the vendor lists.
KEPT = 85 * DAY
FIRST = 7_000  # number of the first issue
_TITLES = (
    "TimeoutError: no answer from upstream",
    "KeyError: 'price'",
    "TypeError: cannot read properties of undefined (reading 'id')",
    "IntegrityError: duplicate key value",
    "ConnectionRefusedError: [Errno 111]",
    "ValueError: not a number — '1,50 €'",
)


def errors_of(world: World) -> Errors:
    """Everything about errors that the company has; nothing where it deploys nothing."""
    errors = Errors()
    known = {(one.tool, one.number) for one in world.deploys if one.tool == "sentry"}
    known |= {(one.tool, one.number) for one in world.deploys if one.service in _mirrored(world.deploys)}
    spikes, by_release = [*_broken(world)], 0
    for place, (bad, repair) in enumerate(spikes):
        left = len(spikes) - 1 - place
        names_release = (repair.tool, repair.number) in known and repair.story == "fix" and left > 1
        if place % 3 != 2 or names_release or left < 2:
            spike = _Spike(world, FIRST + place, bad, repair, known)
            how = (
                ("silent", "late")[left]
                if left < 2
                else ("holds", "holds not")[by_release % 2]
                if names_release
                else ""
            )
            errors.issues.append(spike.issue(how))
            by_release += names_release
    if world.deploys:
        errors.issues += _noise(world, FIRST + len(spikes))
        errors.sessions += _sessions(world)
    return errors


def _mirrored(deploys: Iterable[Deploy]) -> set[str]:
    return {one.service for one in told(deploys) if one.tool != "sentry"}


def _broken(world: World) -> Iterator[tuple[Deploy, Deploy]]:
    """The deploys that broke a service long enough ago to be repaired, each with what repaired it, in order of time."""
    repairs = {one.incident: one for one in world.deploys if one.story in ("rollback", "fix")}
    broken = [one for one in world.deploys if one.story == "breaks" and one.incident in repairs]
    for bad in sorted(broken, key=lambda one: (one.finished or world.end, one.sha)):
        repair = repairs[bad.incident]
        if (
            bad.finished
            and repair.finished
            and world.until - KEPT < bad.finished
            and repair.finished < world.until - 6 * DAY
        ):
            yield bad, repair


class _Spike:
    """An error that a deploy brought to light. `known` are the deploys whose releases the organization was told of."""

    def __init__(self, world: World, number: int, bad: Deploy, repair: Deploy, known: set[tuple[str, int]]) -> None:
        assert bad.incident and bad.finished and repair.finished
        self._world, self._number, self._known = world, number, known
        self._bad, self._repair = bad, repair
        self._incident = world.by_id[bad.incident]
        self._luck = random.Random(f"{world.seed}:errors:{bad.sha}")
        self._began, self._over = bad.finished + self._luck.randint(20, 160) * timedelta(seconds=1), repair.finished

    def issue(self, how: str) -> ErrorIssue:
        """The issue, with everything that happens to it. `how` it ends: holds, or holds not, where somebody names the release that
        resolves it; silent or late after the present, without an entry or by hand; else by hand."""
        luck, service = self._luck, self._incident.service
        person = company.PEOPLE_BY_HANDLE[luck.choice(company.TEAMS[company.SERVICES_BY_NAME[service].team])].name
        tickets, pages = self._named()
        issue = ErrorIssue(
            number=self._number,
            project=slug_of(service),
            title=luck.choice(_TITLES),
            first_seen=self._began,
            level="fatal" if self._incident.severity == "SEV1" else "error",
            events=per_hour(self._began, self._over, luck.randint(40, 400)),
            users=luck.randint(3, 900),
            unhandled=luck.random() < 0.5,
            priority="high",
            first_release=self._release(self._bad),
            last_release=self._release(self._bad),
            tickets=tickets,
            pages=pages,
        )
        if how in ("silent", "late"):
            ways: dict[str, How] = {"silent": "commit", "late": "hand"}
            issue.episodes = [Episode(self._began, self._world.until + 10 * HOUR, how=ways[how], by=person)]
        elif how:
            self._by_release(issue, person, holds=how == "holds")
        else:
            resolved = self._over + luck.randint(10, 120) * MINUTE
            issue.episodes = [Episode(self._began, resolved, by=person)]
            if self._number % 4 == 1:
                self._comes_back(issue, resolved, person)
        return issue

    def _release(self, deploy: Deploy) -> str:
        """The release of a deploy: as the organization was told, else its commit."""
        if (deploy.tool, deploy.number) in self._known:
            return version_of(deploy)
        return f"{slug_of(deploy.service)}@{deploy.sha}"

    def _named(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What it names of its incident, by turns: the page, the ticket where there is one, or nothing."""
        assert self._bad.incident
        page, ticket = self._world.named(self._bad.incident)
        if self._number % 3 == 2 and ticket:
            return (ticket,), ()
        return ((), (page,)) if self._number % 3 and page else ((), ())

    def _by_release(self, issue: ErrorIssue, person: str, *, holds: bool) -> None:
        """Somebody says which release resolves it; that release may have it still."""
        over, release = self._over, version_of(self._repair)
        issue.episodes = [
            Episode(self._began, over, how="in_release", by=person, release=release, claimed=over - 2 * MINUTE)
        ]
        if not holds:
            again = over + 50 * MINUTE
            issue.episodes.append(Episode(again, again + 20 * HOUR, by=person))
            issue.events |= per_hour(again, again + 19 * HOUR, 30)
            issue.last_release = release

    def _comes_back(self, issue: ErrorIssue, resolved: datetime, person: str) -> None:
        """A later release brings it back; the first one that is brought out two days later or more."""
        later = [
            one
            for one in self._world.deploys
            if one.service == self._bad.service and one.environment == self._bad.environment and one.outcome == "success"
            and one.story == "plain" and one.finished and one.finished > resolved + 2 * DAY
        ]  # fmt: skip
        if later:
            deploy = min(later, key=lambda one: (one.finished or self._world.end, one.number))
            assert deploy.finished
            again = deploy.finished + 7 * MINUTE
            issue.episodes.append(Episode(again, again + 5 * HOUR, by=person))
            issue.events |= per_hour(again, again + 4 * HOUR, 25)
            issue.last_release = self._release(deploy)


def _noise(world: World, number: int) -> list[ErrorIssue]:
    """Errors that no deploy and no incident explains."""
    until, begin = world.until, max(world.start, world.until - KEPT) + 2 * DAY
    steady, new = _every(begin, world.end, timedelta(hours=3), 1), until - 10 * HOUR

    def noise(
        place: int, service: str, title: str, first: datetime, events: dict[datetime, int], level: str
    ) -> ErrorIssue:
        return ErrorIssue(
            number=number + place, project=slug_of(service), title=title, first_seen=first, level=level,
            episodes=[Episode(first)], events=events, users=2, priority="low",
        )  # fmt: skip

    issues = [
        noise(0, "Search", "Slow answer from the index", begin, steady, "warning"),
        noise(1, "Payments", "DeprecationWarning: old currency table", begin + HOUR, dict(steady), "warning"),
        noise(2, "Driver App", "NetworkError: offline", begin, dict(steady), "error"),
        noise(3, "Accounts", "ReferenceError: flag is not defined", new, per_hour(new, until, 3), "error"),
    ]  # fmt: skip
    issues[1].archived.append(Archived(begin + 3 * DAY, by="Wei Chen"))
    for burst, n in ((until - 12 * HOUR, 200), (until + 14 * HOUR, 900)):
        issues[2].events |= per_hour(burst, burst + 5 * HOUR, n)
    return issues


def _every(begin: datetime, end: datetime, step: timedelta, n: int) -> dict[datetime, int]:
    hour = begin.replace(minute=0, second=0, microsecond=0)
    return {hour + step * place: n for place in range(int((end - hour) / step))}


def _sessions(world: World) -> list[Sessions]:
    """The sessions of each release in production on each day until the next one. Those of a release that breaks its service crash
    more often."""
    found: list[Sessions] = []
    live: dict[str, list[Deploy]] = {}
    for one in told(world.deploys):
        if one.outcome == "success" and one.environment == "production" and one.finished:
            live.setdefault(one.service, []).append(one)
    for service, deploys in live.items():
        deploys.sort(key=lambda one: (one.finished or world.end, one.number))
        luck = random.Random(f"{world.seed}:sessions:{service}")
        ends = [*(one.finished or world.end for one in deploys[1:]), world.end]
        seen: set[tuple[str, datetime]] = set()
        for one, end in zip(deploys, ends, strict=True):
            assert one.finished
            day = one.finished.replace(hour=0, minute=0, second=0, microsecond=0)
            while day < end:
                sessions = luck.randint(150, 600)
                crashed = round(sessions * (0.06 if one.story == "breaks" else 0.006) * (0.5 + luck.random()))
                if day > world.until - KEPT and (version_of(one), day) not in seen:
                    found.append(Sessions(version_of(one), slug_of(service), day, sessions, crashed))
                seen.add((version_of(one), day))
                day += DAY
    return found
