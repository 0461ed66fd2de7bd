"""What the demonstration company deploys, and which incident a deploy broke.

A deploy breaks a service, somebody is paged, and a rollback or a fix ends it; its title names the ticket where there is one.
The rest are ordinary weeks: first staging, then production, at times a re-run, a failed or cancelled try, one that waits hours
for an approval, one whose job never says that it is over, a second region that no map knows, and a release for two services.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from mttr_pipeline.demo import company
from mttr_pipeline.demo.deploys import Deploy
from mttr_pipeline.demo.facts import Case
from mttr_pipeline.demo.registry import DEPLOYED, TOOLS

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
#: Deploys of a service per week, when the company deploys at all.
WEEKLY = 1.5
#: The share of the incidents of a deployed service that a deploy broke.
BROKEN = 0.3
#: How a production deploy that breaks nothing goes; "plain" takes the rest.
_STORIES = {"rerun": 0.06, "fails": 0.05, "cancelled": 0.03, "waits": 0.08, "unfinished": 0.03}
_WORK = (
    "Faster queries",
    "New payment form",
    "Upgrade libraries",
    "Tidy the settings",
    "Smaller images",
    "Clearer texts",
)


class _Step(msgspec.Struct, kw_only=True):
    """A deploy before it has a version: when it is over, or would be, and what it is for."""

    at: datetime
    story: str
    environment: str
    title: str
    incident: tuple[str, str] | None = None


def deploys_of(
    seed: int,
    cases: Sequence[Case],
    together: Mapping[tuple[str, str], Sequence[Case]],
    weekly: float,
    start: datetime,
    end: datetime,
) -> list[Deploy]:
    """The deploys of every service that is deployed by a tool, in the order in which they were asked for.

    `together` has all records of an incident by its first; `weekly` are the ordinary deploys of a service in a week.
    """
    found: list[Deploy] = []
    for tool, services in DEPLOYED.items():
        mine: list[Deploy] = []
        for service in services:
            luck = random.Random(f"{seed}:{tool}:{service}:deploys")
            services_of = (service, *company.TOGETHER.get(service, ()))
            broken = [case for case in cases if case.service in services_of and _can_be_broken(case)]
            chosen = luck.sample(broken, round(BROKEN * len(broken)))
            mine += _played(luck, tool, service, chosen, together, weekly, start, end)
        mine.sort(key=lambda deploy: (deploy.requested, deploy.service, deploy.environment))
        places = {deploy.number: number for number, deploy in enumerate(mine, start=1)}
        found += [
            msgspec.structs.replace(
                deploy,
                number=places[deploy.number],
                takes_back=None if deploy.takes_back is None else places[deploy.takes_back],
            )
            for deploy in mine
        ]
    return found


def _can_be_broken(case: Case) -> bool:
    """Whether the story of a case tells of one plain outage of its service from its begin to its end."""
    moves = any(fact.kind == "service" for fact in case.facts)
    return (
        case.issue_type == "incident" and case.story.split("+")[0] == "plain" and case.ends() is not None and not moves
    )


def _played(
    luck: random.Random,
    tool: str,
    service: str,
    broken: Sequence[Case],
    together: Mapping[tuple[str, str], Sequence[Case]],
    weekly: float,
    start: datetime,
    end: datetime,
) -> list[Deploy]:
    """All deploys of one service. Their numbers are unique, and made dense later."""
    production = company.ENVIRONMENTS.get(service, "production")
    steps: list[_Step] = []
    taken: list[tuple[datetime, datetime]] = []
    for case in sorted(broken, key=lambda case: case.created):
        records = together.get((case.tool, case.id), (case,))
        began = min(case.impact_start or case.created for case in records)
        over = max(records[0].ends() or began, began)
        before, after = began - luck.randint(3, 45) * MINUTE, over + 2 * HOUR
        if before < start or any(before - 2 * HOUR < last and first < after for first, last in taken):
            continue
        taken.append((before - 2 * HOUR, after))
        name = (case.tool, case.id)
        ticket = next((key for record in records[1:] if (key := ticket_of(record))), "")
        steps.append(_Step(at=before, story="breaks", environment=production, title=luck.choice(_WORK), incident=name))
        mitigated = next((fact.at for fact in records[0].facts if fact.kind == "mitigated"), over)
        if luck.random() < 0.5:
            steps.append(
                _Step(at=max(began + MINUTE, mitigated - MINUTE), story="rollback", environment=production,
                      title="Roll back", incident=name)
            )  # fmt: skip
        else:
            repair = f"Fix: {case.title.splitlines()[0][:60]}" + (f" ({ticket})" if ticket else "")
            steps.append(
                _Step(
                    at=over + luck.randint(5, 90) * MINUTE,
                    story="fix",
                    environment=production,
                    title=repair,
                    incident=name,
                )
            )
    steps += _ordinary(luck, service, production, weekly, start, end, taken)
    steps.sort(key=lambda step: (step.at, step.environment))
    return _versions(luck, tool, service, steps)


def _ordinary(
    luck: random.Random,
    service: str,
    production: str,
    weekly: float,
    start: datetime,
    end: datetime,
    taken: Iterable[tuple[datetime, datetime]],
) -> list[_Step]:
    """What is deployed anyway: to staging, and half a day later to production, but not while an outage lasts."""
    steps: list[_Step] = []
    for _ in range(round(weekly * (end - start) / (7 * DAY))):
        at = start + (end - start) * luck.random()
        story = luck.choices([*_STORIES, "plain"], [*_STORIES.values(), 1 - sum(_STORIES.values())])[0]
        title = luck.choice(_WORK)
        steps.append(_Step(at=at - luck.randint(2, 20) * HOUR, story="plain", environment="staging", title=title))
        if any(first < at < last for first, last in taken):
            continue
        steps.append(_Step(at=at, story=story, environment=production, title=title))
        if service in company.SECOND_REGION:
            steps.append(
                _Step(at=at + 20 * MINUTE, story="plain", environment=company.SECOND_REGION[service], title=title)
            )
    return [step for step in steps if step.at > start]


def _versions(luck: random.Random, tool: str, service: str, steps: Sequence[_Step]) -> list[Deploy]:
    """The steps with their versions: a rollback brings the one before, a re-run the same, and all others a new one."""
    live: dict[str, list[Deploy]] = {}  # environment -> the successful deploys so far
    broke: dict[tuple[str, str], Deploy] = {}
    found: list[Deploy] = []
    for place, step in enumerate(steps):
        here = live.setdefault(step.environment, [])
        version, sha, takes_back = f"{place // 40 + 1}.{place % 40}.0", _sha(tool, service, place), None
        story = step.story
        if story == "rollback":
            bad = broke.get(step.incident) if step.incident else None
            earlier = [one for one in here if bad and one.sha != bad.sha]
            if bad is None or not earlier:
                continue
            version, sha, takes_back = earlier[-1].version, earlier[-1].sha, bad.number
        elif story == "rerun" and here:
            version, sha = here[-1].version, here[-1].sha
        elif story == "rerun":
            story = "plain"
        elif step.environment in company.SECOND_REGION.values() and found and found[-1].outcome == "success":
            version, sha = found[-1].version, found[-1].sha
        deploy = _deploy(luck, tool, service, place, step, story, version, sha, takes_back)
        found.append(deploy)
        if deploy.outcome == "success":
            here.append(deploy)
        if story == "breaks" and step.incident:
            broke[step.incident] = deploy
    return found


def _deploy(
    luck: random.Random,
    tool: str,
    service: str,
    place: int,
    step: _Step,
    story: str,
    version: str,
    sha: str,
    takes_back: int | None,
) -> Deploy:
    finished = step.at.replace(microsecond=0)
    started = finished - luck.randint(60, 900) * timedelta(seconds=1)
    requested = started - (
        luck.randint(2, 30) * HOUR if story == "waits" else luck.randint(5, 90) * timedelta(seconds=1)
    )
    outcome = {"fails": "failure", "cancelled": "cancelled", "unfinished": ""}.get(story, "success")
    return Deploy(
        tool=tool,
        number=int(hashlib.sha256(f"{service}:{place}".encode()).hexdigest()[:12], 16),
        service=service,
        environment=step.environment,
        story=story,
        version=version,
        sha=sha,
        title=step.title,
        author=luck.choice(company.TEAMS[company.SERVICES_BY_NAME[service].team]),
        committed=requested - luck.randint(30, 6_000) * MINUTE,
        requested=requested,
        started=started,
        finished=None if story == "unfinished" else finished,
        outcome=outcome,
        takes_back=takes_back,
        incident=step.incident,
        also=company.TOGETHER.get(service, ()),
    )


def ticket_of(case: Case) -> str:
    """The key of a ticket, by which texts name it; empty for other records."""
    tool = TOOLS[case.tool]
    return tool.page(case).rsplit("/", 1)[-1] if tool.is_desk and tool.page else ""


def _sha(*parts: object) -> str:
    return hashlib.sha1(":".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()
