"""The generated history of one small company, as timed facts.

The history is a pure function of (seed, until, days, volumes, future, linked, weekly, reviews). It goes on for a few days after
`until`, so that late changes appear when the clock moves forward. Each tool has a random stream of its own: one more tool changes no
other.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from mttr_pipeline.demo import company
from mttr_pipeline.demo.deploy_stories import deploys_of, ticket_of
from mttr_pipeline.demo.deploys import Deploy
from mttr_pipeline.demo.facts import Case, identifier
from mttr_pipeline.demo.kit.vendor import Tool
from mttr_pipeline.demo.late_changes import add_late_changes
from mttr_pipeline.demo.linked import SERIOUS, Group, Linked, is_paged
from mttr_pipeline.demo.registry import TOOLS, VOLUMES
from mttr_pipeline.demo.reviews import Review, reviews_of
from mttr_pipeline.demo.stories import Story, assign_stories, play
from mttr_pipeline.demo.true_incidents import Incident, incidents_of
from mttr_pipeline.demo.truth import Truth, truth_of


class World:
    """A company history. `until` is its present: an instant with a time zone.

    volumes  how many records each tool holds at `until`, roughly; the history continues at the same rate afterwards.
             For many records in little time, make `days` and `future` short and the volume large.
    linked   share of the serious incidents that have a ticket, and alerts of a monitor, beside the pager's record; see `linked`
    reviews  share of the serious tickets that have a post-mortem; see `reviews`
    weekly   ordinary deploys of a service in a week, with those that break it beside them; see `deploy_stories`. Vendors that track
             errors, or have channels, tell of the incidents of such a company only

    Raises ValueError when `until` has no time zone, or a volume is that of no tool.
    """

    def __init__(
        self,
        seed: int = 1,
        until: datetime | None = None,
        *,
        days: float = 243,
        volumes: Mapping[str, int] = VOLUMES,
        future: timedelta = timedelta(days=4),
        linked: float = 0,
        weekly: float = 0,
        reviews: float = 0,
    ) -> None:
        until = until or datetime(2026, 10, 1, 6, 0, tzinfo=UTC)
        if until.tzinfo is None:
            raise ValueError("until needs a time zone: the history follows the UTC calendar")
        if unknown := volumes.keys() - TOOLS.keys():
            raise ValueError(f"no simulated tool is called {', '.join(sorted(unknown))}; there are {', '.join(TOOLS)}")
        self.seed = seed
        self.until = until.astimezone(UTC).replace(microsecond=0)
        self.start = self.until - timedelta(days=days)
        self.end = self.until + future
        self.volumes = dict(volumes)
        self.cases: list[Case] = []
        for tool, volume in self.volumes.items():
            self.cases.extend(_history(self, TOOLS[tool], volume))
        beside = Linked(seed, self.cases, linked, self.until, self.volumes) if linked else None
        #: Tool and id of the records that are one incident; those of all others are incidents of their own.
        self.groups: list[Group] = beside.groups if beside else []
        self._since = beside.since if beside else {}
        if beside:
            places = list(volumes)
            self.cases += beside.cases
            self.cases.sort(key=lambda case: (places.index(case.tool), case.created, case.id))
        self.by_id: dict[tuple[str, str], Case] = {(case.tool, case.id): case for case in self.cases}
        together = {group[0]: [self.by_id[record] for record in group] for group in self.groups}
        #: What was brought out, by every tool.
        self.deploys: list[Deploy] = (
            deploys_of(seed, self.cases, together, weekly, self.start, self.end) if weekly else []
        )

        #: Post-mortems and what they are about.
        self.reviews: list[Review] = []
        if reviews:
            issues, self.reviews = reviews_of(seed, self.cases, reviews)
            self.cases = self.cases + issues

    def of(self, tool: str) -> list[Case]:
        """The cases of one tool, in order of creation; reviews come last."""
        return [case for case in self.cases if case.tool == tool]

    def instants(self, *tools: str) -> list[datetime]:
        """When anything happens in these tools."""
        return [fact.at for case in self.cases if case.tool in tools for fact in case.facts]

    def named(self, incident: tuple[str, str]) -> tuple[str, str]:
        """What other tools call an incident: the address of its first record's page and the key of its ticket, each empty without
        one."""
        page = TOOLS[incident[0]].page
        group = next((group for group in self.groups if group[0] == incident), (incident,))
        tickets = (ticket_of(self.by_id[record]) for record in group[1:])
        return page(self.by_id[incident]) if page else "", next(filter(None, tickets), "")

    def serious(self) -> list[Case]:
        """The plain serious incidents of pagers, in the order in which they began."""
        again = {(case.tool, case.flap_of) for case in self.cases}
        found = [
            case
            for case in self.cases
            if case.severity in SERIOUS
            and is_paged(case)
            and case.story == "plain"
            and (case.tool, case.id) not in again
        ]
        return sorted(found, key=lambda case: (case.created, case.id))

    def truth(self, now: datetime | None = None) -> list[Truth]:
        """What the pipeline must find at `now` (default `until`): one row per record and episode."""
        return [row for case in self.cases for row in truth_of(case, now or self.until, self.by_id)]

    def groups_at(self, now: datetime) -> list[Group]:
        """The groups as far as something links their records to the first by `now`."""
        linked = ((group[0], *(record for record in group[1:] if self._since[record] <= now)) for group in self.groups)
        return [group for group in linked if len(group) > 1]

    def incidents(self, now: datetime | None = None, tools: Collection[str] | None = None) -> list[Incident]:
        """What the pipeline must count at `now` (default `until`) of these tools (default all): each real incident once, however
        many records tell of it."""
        rows = [row for row in self.truth(now) if tools is None or row.tool in tools]
        return incidents_of(rows, self.groups_at(now or self.until), self.by_id)


def _history(world: World, tool: Tool, volume: int) -> list[Case]:
    """All cases of one tool: the ordinary ones, the pairs that need a partner, and the late changes."""
    rng = random.Random(f"{world.seed}:{tool.name}:{world.until.isoformat()}:{volume}")
    span = world.until - world.start
    total = volume + math.ceil(volume * ((world.end - world.until) / span)) if volume else 0
    arrivals = _arrivals(rng, world, total, tool.tick)
    cases = [
        _case(rng, world, tool, serial, created, story)
        for serial, (created, story) in enumerate(zip(arrivals, assign_stories(rng, tool, total), strict=True))
    ]
    for case in cases:
        play(Story(rng, case, tool, min(1.0, (case.created - world.start) / span)))
    _pair_up(rng, cases, tool.tick)
    add_late_changes(rng, tool, cases, world.until)
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


def _case(rng: random.Random, world: World, tool: Tool, serial: int, created: datetime, story: str) -> Case:
    services = [service for service in company.SERVICES if service.tool == tool.watches]
    service = rng.choices(services, [service.weight for service in services])[0]
    severities = list(company.SEVERITY_WEIGHTS)
    severity = rng.choices(severities, list(company.SEVERITY_WEIGHTS.values()))[0]
    trouble = rng.choice(service.troubles)
    pattern = rng.choice(company.ODD_TITLES) if rng.random() < 0.03 else "{service}: {trouble}"
    identity = identifier(world.seed, tool.name, serial)
    case = Case(
        tool=tool.name,
        id=tool.record_id(identity, serial, created),
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
        # Only the urgency is set: the pipeline reads high as SEV1 and low as SEV3.
        case.priority, case.urgency = "", "high" if severity == "SEV1" else "low"
    if tool.impact_start_share and rng.random() < tool.impact_start_share:
        late = timedelta(milliseconds=int(rng.lognormvariate(math.log(6), 0.8) * 60_000))
        case.impact_start = created - late
    case.major = tool.declares_major and severity == "SEV1"
    own = random.Random(identity)  # what it cost changes nothing of the history
    if severity != "SEV4" and own.random() < tool.cost_share:
        case.users = round(own.lognormvariate(math.log(60 * 8 ** (3 - int(severity[-1]))), 0.7))
        case.revenue = float(case.users * own.randint(1, 9)) if severity != "SEV3" else None
    case.add(created, "created")
    return case


def _priority(rng: random.Random, severity: str) -> str:
    """P1 to P5; the least severe incidents share the last two."""
    return f"P{severity[-1]}" if severity != "SEV4" or rng.random() < 0.7 else "P5"


def _pair_up(rng: random.Random, cases: list[Case], tick: timedelta) -> None:
    """Give merged, duplicate and flapping cases a partner, and move their creation next to it."""
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
    """Take the next case in time that lasted long enough out of those without a partner; None when there is none."""
    place = bisect_left(free, case.created, key=lambda other: other.created)
    for index in (*range(place, len(free)), *range(place - 1, -1, -1)):
        end = free[index].ends()
        if end is not None and end - free[index].created > lasting:
            return free.pop(index)
    return None
