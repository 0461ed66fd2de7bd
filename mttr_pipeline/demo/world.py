"""The generated history of one small company, as timed facts.

The history is a pure function of (seed, until, days, volumes, future); it runs on for a few days after `until`, so that
moving the clock forward makes late acknowledgements, resolves, reopens, merges, changes of priority or service, and
deletions appear.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from mttr_pipeline.demo import company
from mttr_pipeline.demo.facts import Case, identifier, record_id
from mttr_pipeline.demo.stories import Story, deck, tell
from mttr_pipeline.demo.truth import Truth, fold

#: How many records each tool holds at `until` (roughly: the history continues at the same rate afterwards).
VOLUMES: dict[str, int] = {
    "pagerduty": 350,
    "opsgenie": 200,
    "opsgenie_incident": 25,
    "jira": 85,
    "jira-dc": 35,
    "jsm": 60,
}


class World:
    """A company history. `until` is the present of the story: a timezone-aware instant.

    For a flood, make `days` and `future` short and the volume large.
    """

    def __init__(
        self,
        seed: int = 1,
        until: datetime | None = None,
        *,
        days: float = 243,
        volumes: Mapping[str, int] = VOLUMES,
        future: timedelta = timedelta(days=4),
    ) -> None:
        until = until or datetime(2026, 10, 1, 6, 0, tzinfo=UTC)
        if until.tzinfo is None:
            raise ValueError("until needs a time zone: the history is laid out on the UTC calendar")
        self.seed = seed
        self.until = until.astimezone(UTC).replace(microsecond=0)
        self.start = self.until - timedelta(days=days)
        self.end = self.until + future
        self.volumes = dict(volumes)
        self.cases: list[Case] = []
        for tool, volume in self.volumes.items():
            self.cases.extend(_history(self, tool, volume))
        self.by_id: dict[tuple[str, str], Case] = {(case.tool, case.id): case for case in self.cases}

    def of(self, tool: str) -> list[Case]:
        """The cases of one tool, in order of creation."""
        return [case for case in self.cases if case.tool == tool]

    def instants(self, *tools: str) -> list[datetime]:
        """When anything happens in these tools."""
        return [fact.at for case in self.cases if case.tool in tools for fact in case.facts]

    def truth(self, now: datetime | None = None) -> list[Truth]:
        """What the pipeline must find at `now` (default `until`): one row per record and episode."""
        return [row for case in self.cases for row in fold(case, now or self.until, self.by_id)]


def _history(world: World, tool: str, volume: int) -> list[Case]:
    """All cases of one tool: the ordinary ones, then the pairs that need a partner, then tomorrow's surprises."""
    rng = random.Random(f"{world.seed}:{tool}:{world.until.isoformat()}:{volume}")
    span = world.until - world.start
    total = volume + math.ceil(volume * ((world.end - world.until) / span)) if volume else 0
    tick = timedelta(seconds=1) if tool == "pagerduty" else timedelta(milliseconds=1)
    arrivals = _arrivals(rng, world, total, tick)
    cases = [
        _case(rng, world, tool, serial, created, story)
        for serial, (created, story) in enumerate(zip(arrivals, deck(rng, tool, total), strict=True))
    ]
    for case in cases:
        tell(Story(rng, case, min(1.0, (case.created - world.start) / span), tick))
    _pair_up(rng, cases, tick)
    _surprises(rng, world, tool, cases)
    for case in cases:
        case.facts.sort(key=lambda fact: fact.at)
    cases.sort(key=lambda case: (case.created, case.id))
    for number, case in enumerate(cases, start=101):
        case.number = number
    return cases


def _arrivals(rng: random.Random, world: World, total: int, tick: timedelta) -> list[datetime]:
    """Creation times over the whole span, by the hour and the weekday."""
    seconds = (world.end - world.start).total_seconds()
    ceiling = max(company.HOUR_WEIGHTS) * max(company.WEEKDAY_WEIGHTS)
    found: list[datetime] = []
    while len(found) < total:
        at = world.start + timedelta(seconds=rng.random() * seconds)
        weight = company.HOUR_WEIGHTS[at.hour] * company.WEEKDAY_WEIGHTS[at.weekday()]
        if rng.random() * ceiling < weight:
            found.append(at.replace(microsecond=at.microsecond // 1000 * 1000 if tick.microseconds else 0))
    return sorted(found)


def _case(rng: random.Random, world: World, tool: str, serial: int, created: datetime, story: str) -> Case:
    watched = "opsgenie" if tool == "opsgenie_incident" else tool
    services = [service for service in company.SERVICES if service.tool == watched]
    service = rng.choices(services, [service.weight for service in services])[0]
    severities = list(company.SEVERITY_WEIGHTS)
    severity = rng.choices(severities, list(company.SEVERITY_WEIGHTS.values()))[0]
    trouble = rng.choice(service.troubles)
    pattern = rng.choice(company.ODD_TITLES) if rng.random() < 0.03 else "{service}: {trouble}"
    identity = identifier(world.seed, tool, serial)
    case = Case(
        tool=tool,
        id=record_id(tool, identity, serial, created),
        title=pattern.format(service=service.name, trouble=trouble),
        service=service.name,
        severity=severity,
        story=story,
        key=f"{service.slug}/{trouble.split()[0].lower()}/{identity[:6]}",
        priority=_priority(rng, severity),
        urgency="high" if severity in ("SEV1", "SEV2") else "low",
        issue_type="request" if story == "request" else "incident",
    )
    if story == "no_priority":
        # The urgency is all there is: high is read as SEV1 and low as SEV3.
        case.priority, case.urgency = "", "high" if severity == "SEV1" else "low"
    if tool in ("opsgenie_incident", "jira") and rng.random() < 0.8:
        late = timedelta(milliseconds=int(rng.lognormvariate(math.log(6), 0.8) * 60_000))
        case.impact_start = created - late
    if tool == "jira" and severity == "SEV1":
        case.major = True
    case.add(created, "created")
    return case


def _priority(rng: random.Random, severity: str) -> str:
    """P1 to P5; the least severe incidents share the last two."""
    return f"P{severity[-1]}" if severity != "SEV4" or rng.random() < 0.7 else "P5"


def _pair_up(rng: random.Random, cases: list[Case], tick: timedelta) -> None:
    """Give merged, duplicate and flapping cases their partner, and move their creation to where it makes sense."""
    minute = timedelta(minutes=1)
    free = sorted((case for case in cases if case.story in ("plain", "auto")), key=lambda case: case.created)
    for case in cases:
        if case.story not in ("merged", "duplicate", "flap"):
            continue
        partner = _partner(case, free, timedelta() if case.story == "flap" else 40 * minute)
        if partner is None:
            continue
        partner.story += "+partner"
        end = partner.ends()
        assert end is not None
        case.service, case.facts = partner.service, []
        case.title = f"{partner.service}: " + company.SERVICES_BY_NAME[partner.service].troubles[-1]
        actor = next((fact.actor for fact in partner.facts if fact.actor), "ana")
        if case.story == "flap":
            again = end + rng.randint(2, 9) * minute
            case.title, case.key, case.flap_of = partner.title, partner.key, partner.id
            case.severity, case.priority, case.urgency = partner.severity, partner.priority, partner.urgency
            case.add(again, "created")
            case.add(again + rng.randint(3, 20) * minute, "resolved", value="integration")
            continue
        case.add(partner.created + rng.randint(-4, 10) * minute + rng.randint(1, 50) * tick, "created")
        if rng.random() < 0.5:
            case.add(case.created + rng.randint(60, 200) * timedelta(seconds=1), "acknowledged", actor)
        joined = max(case.facts[-1].at, partner.created) + rng.randint(5, 18) * minute
        case.add(joined, case.story, actor, value=partner.id)
        partner.add(joined, "absorbed", actor, value=case.id)


def _partner(case: Case, free: list[Case], lasting: timedelta) -> Case | None:
    """The next case in time that lasted long enough, out of those nobody is paired with; takes it."""
    place = bisect_left(free, case.created, key=lambda other: other.created)
    for index in (*range(place, len(free)), *range(place - 1, -1, -1)):
        end = free[index].ends()
        if end is not None and end - free[index].created > lasting:
            return free.pop(index)
    return None


def _surprises(rng: random.Random, world: World, tool: str, cases: list[Case]) -> None:
    """What happens in the day after `until` to records that already exist: every kind of late change, once or twice."""
    hour = timedelta(hours=1)
    existing = [case for case in cases if case.created < world.until - 3 * hour and "partner" not in case.story]
    ended = [case for case in existing if (end := case.ends()) and end < world.until and case.story == "plain"]
    unresolved = [case for case in existing if case.ends() is None and case.story == "open"]
    old = [case for case in ended if case.created < world.until - timedelta(days=20)]

    def pick(pool: list[Case]) -> Iterator[tuple[Case, datetime, str]]:
        """One case of the pool that no other surprise has taken, an instant tomorrow, somebody to do it."""
        if pool:
            case = pool[rng.randrange(len(pool))]
            for group in (ended, unresolved, old):
                group[:] = [other for other in group if other is not case]
            yield case, world.until + rng.randint(60, 1200) * timedelta(minutes=1), _responder(rng, case)

    for case, at, actor in pick(unresolved):
        case.add(at, "acknowledged", actor)
        case.add(at + hour, "resolved", actor, value="human")
        if tool == "opsgenie_incident":
            case.add(at + 2 * hour, "closed", actor)
    if tool == "opsgenie_incident":
        for case in existing:
            if case.ends() and not case.last("closed"):
                case.add(world.until + 5 * hour, "closed", _responder(rng, case))
                break
    if tool in ("pagerduty", "jira", "jira-dc"):
        for case, at, actor in pick(old):  # an episode of its own, weeks later
            case.add(at, "reopened", actor)
            case.add(at + 5 * timedelta(minutes=1), "acknowledged", actor)
            case.add(at + 2 * hour, "resolved", actor, value="human")
        fresh = [case for case in ended if (end := case.ends()) and end > world.until - 20 * hour]
        for case, _, actor in pick(fresh):  # the same episode, within a day of its resolve
            end = case.ends()
            assert end is not None
            at = max(end, world.until) + hour
            case.facts = [fact for fact in case.facts if fact.kind != "closed"]
            case.add(at, "reopened", actor)
            case.add(at + 2 * hour, "resolved", actor, value="human")
    for case, at, actor in pick(old):
        case.add(at, "priority", actor, value="P1" if case.priority != "P1" else "P2")
    if tool == "pagerduty":
        for case, at, actor in pick(unresolved):
            target = max((other for other in existing if other is not case), key=lambda other: other.ends() or at)
            if (end := target.ends()) is None or end > at:
                case.add(at, "merged", actor, value=target.id)
                target.add(at, "absorbed", actor, value=case.id)
        for case, at, actor in pick(old):
            case.add(at, "service", actor, value="Accounts" if case.service != "Accounts" else "Checkout")
    for case, at, _ in pick(old):
        case.add(at, "deleted")
    if tool in ("jira", "jira-dc"):
        for case, at, actor in pick(old):  # into another project: it keeps its id, its key is another one
            case.add(at, "moved", actor, value="HELP")
        for case, at, actor in pick(old):  # it was no incident after all: nobody looks at its history any more
            case.add(at, "retyped", actor, value="request")


def _responder(rng: random.Random, case: Case) -> str:
    return rng.choice(company.TEAMS[company.SERVICES_BY_NAME[case.service].team])
