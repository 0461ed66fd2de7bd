"""Incidents that live in several tools at once, and records that only look as if they did.

Both stand beside the history of each tool: a world without them has the same records otherwise. A monitor's alerts page somebody
under the key of their group, mostly at once; some fire long before. An integration writes the ticket of a linked incident seconds
after the pager, so the ticket's stamps are copies; in some, people fill in when the impact began and what it cost, and close them
days later. A few links are made only in the day after the present. What only looks linked are a post-mortem, a review and a repeat
that name older incidents, a key that comes back after months, with a page and without one, and a title with UTF-8 in it.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from mttr_pipeline.demo.facts import Case, identifier
from mttr_pipeline.demo.kit.vendor import Tool
from mttr_pipeline.demo.registry import TOOLS

#: The tool and id of the records that are one incident.
Group = tuple[tuple[str, str], ...]

LINKED = 0.36  # share of the serious incidents; with the links that come late, a third of those of the present
FIRST = 5_000  # number of the first record that stands beside a history
SERIOUS = ("SEV1", "SEV2")
DAY, HOUR, MINUTE, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)

# Facts that a ticket can copy; of other stories, such as one that was merged, it would tell something else.
_SIMPLE = {"created", "acknowledged", "note", "investigating", "root_cause", "mitigated", "resolved", "closed"}


class Linked:
    """What stands beside the histories: `cases` are new records, `groups` say which records are one incident, the pager's first;
    `since` says from when on something links a record to the first of its group."""

    def __init__(
        self, seed: int, cases: Sequence[Case], share: float, until: datetime, tools: Collection[str] = ()
    ) -> None:
        """`share` is that of all serious cases; `tools` are those of the company, those without a history included."""
        self.cases: list[Case] = []
        self.groups: list[Group] = []
        self.since: dict[tuple[str, str], datetime] = {}
        self._until = until
        self._seed, self._rng = seed, random.Random(f"{seed}:linked:{until.isoformat()}")
        self._monitor = next((TOOLS[name] for name in tools if TOOLS[name].group_key), None)
        self._again: dict[tuple[str, str], list[Case]] = {}
        for case in cases:
            if case.flap_of:
                self._again.setdefault((case.tool, case.flap_of), []).append(case)
        desks = [TOOLS[name] for name in dict.fromkeys(case.tool for case in cases) if TOOLS[name].is_desk]
        paged = [case for case in cases if is_paged(case)]
        if not desks or not paged:
            return
        self._desk = desks[0]
        serious = [case for case in paged if case.severity in SERIOUS]
        wanted = round(share * sum(case.severity in SERIOUS and case.issue_type == "incident" for case in cases))
        for place, case in enumerate(self._rng.sample(serious, min(len(serious), wanted))):
            self._link(case, place)
        self._traps(paged, until)

    def _link(self, pager: Case, place: int) -> None:
        """A ticket for an incident, and its alerts where the tool has some. The link stands in one of three places by turns."""
        actor = next((fact.actor for fact in pager.facts if fact.actor), "ana")
        tool, desk = TOOLS[pager.tool], self._desk
        address = _page(pager)
        text = f"Opened for {address}." if place % 3 == 0 else ""
        ticket = self._case(desk, pager.created + self._rng.randint(5, 40) * SECOND, pager.title, pager, text)
        at, linked = ticket.created, ticket.created
        if place % 3 == 1:
            is_late = place % 18 == 4 and at < self._until
            linked = self._until + 2 * HOUR if is_late else at + SECOND
            ticket.add(linked, "linked", actor if is_late else "", value=address)
        for fact in pager.facts:
            copied = {"acknowledged": "investigating", "resolved": "resolved"}.get(fact.kind)
            if copied:
                at = max(at + 2 * SECOND, fact.at + self._rng.randint(2, 9) * SECOND)
                ticket.add(at, copied, value="integration" if copied == "resolved" else "")
        if place % 3 == 2:
            linked = ticket.created + 20 * SECOND
            pager.add(linked, "note", actor, text=f"Ticket: {_page(ticket)}")
            pager.facts.sort(key=lambda fact: fact.at)
        if place % 2:
            self._fill_in(ticket, actor, at + 2 * DAY)
        ticket.facts.sort(key=lambda fact: fact.at)
        alerts = self._alerts(pager, TOOLS[tool.raises], actor) if tool.raises else []
        alerts += self._firing(pager, alerts[0] if alerts else pager, place) if self._monitor else []
        self.groups.append(tuple((case.tool, case.id) for case in (pager, ticket, *alerts)))
        self.since |= {(case.tool, case.id): case.created for case in alerts} | {(ticket.tool, ticket.id): linked}

    def _fill_in(self, ticket: Case, actor: str, closed: datetime) -> None:
        """What people write into the ticket, and what no pager has."""
        ticket.impact_start = ticket.created - self._rng.randint(120, 2_400) * SECOND
        ticket.users = self._rng.randint(50, 5_000)
        ticket.revenue = float(ticket.users * self._rng.randint(1, 9))
        ticket.add(closed, "closed", actor)

    def _alerts(self, incident: Case, tool: Tool, actor: str) -> list[Case]:
        """The alert that an incident was opened for, and the one that pages people for it."""
        end = incident.ends()
        assert end is not None
        cause = self._case(tool, incident.created - 90 * SECOND, incident.title, incident)
        cause.add(end, "resolved", value="integration")
        page = self._case(tool, incident.created + 5 * SECOND, f"Incident {incident.number} needs you", incident)
        page.add(page.created + 60 * SECOND, "acknowledged", actor)
        page.add(max(end, page.facts[-1].at + SECOND), "resolved", actor, value="human")
        incident.alerts, incident.pages = (cause.id,), (page.id,)
        return [cause, page]

    def _firing(self, incident: Case, page: Case, place: int) -> list[Case]:
        """The monitor's alerts that `page` was made of, which pages for the incident or is it; at times two of one group. One in
        seven groups fires a while before anybody is paged, as one does that was silenced."""
        assert self._monitor and self._monitor.group_key and self._monitor.page_key
        luck = random.Random(f"{page.id}:firing")
        end, group = page.ends(), self._monitor.group_key(incident)
        assert end is not None
        page.key = self._monitor.page_key(group)
        for again in self._again.get((page.tool, page.id), ()):
            again.key = page.key
        early = luck.randint(16, 40) * MINUTE if place % 7 == 3 else luck.randint(20, 45) * SECOND
        alerts = []
        for number in range(2 if place % 5 == 1 else 1):
            alert = self._case(self._monitor, page.created - early + number * 10 * SECOND, incident.title, incident)
            alert.key = group
            alert.add(
                max(page.created + 2 * SECOND, end - luck.randint(0, 90) * SECOND), "resolved", value="integration"
            )
            alerts.append(alert)
        return alerts

    def _traps(self, paged: Sequence[Case], until: datetime) -> None:
        """Records that name others and are none of them."""
        now = until - 9 * DAY
        old = [case for case in paged if (end := case.ends()) and end < now - 2 * DAY]
        named = [_page(case) for case in old][-10:]
        # The review comes soon after the last of its incidents: its list alone tells that it is none of them.
        over = sorted((end, _page(case)) for case in paged if (end := case.ends()) and end < now)
        week = [page for _, page in over][-10:]
        review = over[-1][0] + 2 * HOUR if over else now
        for title, at, pages in (
            ("Post-mortem", now, named[:2]),
            ("Weekly review", review, week),
            ("Again, as last time", now, named[-1:]),
        ):
            if pages:
                ticket = self._case(self._desk, at, title, paged[-1], f"See {', '.join(pages)}.")
                ticket.add(ticket.created + DAY, "resolved", "ana", value="human")
        if old:
            self._comes_back(old, now + DAY)
            letters = self._case(
                TOOLS[old[0].tool], now + 2 * DAY, f"{old[0].service}: UTF-8 names are refused", old[0]
            )
            letters.add(letters.created + 600 * SECOND, "resolved", value="integration")

    def _comes_back(self, old: Sequence[Case], at: datetime) -> None:
        """The key of an old incident again: of a page with the alert behind it, and hours later of an alert that pages nobody."""
        by_name = {(case.tool, case.id): case for case in self.cases}
        keyed = {case.key: case for case in old}
        alerts = [
            case for group in self.groups for name in group if (case := by_name.get(name)) and self._is_firing(case)
        ]
        alerts = [case for case in alerts if self._page_key(case) in keyed]
        first = keyed[self._page_key(alerts[0])] if alerts else old[0]
        again = self._case(TOOLS[first.tool], at, first.title, first)
        again.key = first.key
        again.add(again.created + 600 * SECOND, "resolved", value="integration")
        for start in (again.created - 30 * SECOND, again.created + 6 * HOUR) if alerts else ():
            assert self._monitor
            alert = self._case(self._monitor, start, first.title, first, identity=alerts[0].id)
            alert.key = alerts[0].key
            alert.add(start + 620 * SECOND, "resolved", value="integration")
            if start < again.created:
                self.groups.append(((again.tool, again.id), (alert.tool, alert.id)))
                self.since[alert.tool, alert.id] = alert.created

    def _is_firing(self, case: Case) -> bool:
        return self._monitor is not None and case.tool == self._monitor.name

    def _page_key(self, alert: Case) -> str:
        assert self._monitor and self._monitor.page_key
        return self._monitor.page_key(alert.key)

    def _case(self, tool: Tool, created: datetime, title: str, like: Case, text: str = "", identity: str = "") -> Case:
        """A new record. `identity` is what its id is made of, where it is not another one's."""
        number = FIRST + len(self.cases)
        identity = identity or identifier(self._seed, "linked", number)
        created = created.replace(microsecond=0)
        case = Case(
            tool=tool.name,
            id=tool.record_id(identity, number, created),
            title=title,
            service=like.service,
            severity=like.severity,
            story="linked",
            key=f"linked/{identity[:8]}",
            number=number,
            priority=like.priority,
            urgency=like.urgency,
            text=text,
        )
        case.add(created, "created")
        self.cases.append(case)
        return case


def _page(case: Case) -> str:
    """The address of a record's page."""
    page = TOOLS[case.tool].page
    assert page is not None
    return page(case)


def is_paged(case: Case) -> bool:
    """Whether a ticket can copy what happens to a pager's record; at its priority, which it must have."""
    tool = TOOLS[case.tool]
    return (
        not tool.is_desk
        and tool.page is not None
        and bool(case.priority)
        and not case.flap_of
        and case.ends() is not None
        and {fact.kind for fact in case.facts} <= _SIMPLE
    )
