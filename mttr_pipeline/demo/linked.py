"""Incidents that live in several tools at once, and records that only look as if they did.

Both stand beside the history of each tool: a world without them has the same records otherwise. An integration writes the ticket
of a linked incident seconds after the pager, so the ticket's stamps are copies; in some, people fill in when the impact began and
what it cost, and close them days later. A few links are made only in the day after the present. What only looks linked are a
post-mortem, a review and a repeat that name older incidents, a deduplication key that comes back after weeks, and a title with UTF-8
in it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from mttr_pipeline.demo.facts import Case, identifier
from mttr_pipeline.demo.kit.vendor import Tool
from mttr_pipeline.demo.registry import TOOLS

#: The tool and id of the records that are one incident.
Group = tuple[tuple[str, str], ...]

LINKED = 1 / 3  # the demonstration's share of serious incidents that live in several tools
FIRST = 5_000  # number of the first record that stands beside a history
SERIOUS = ("SEV1", "SEV2")
DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)

# Facts that a ticket can copy; of other stories, such as one that was merged, it would tell something else.
_SIMPLE = {"created", "acknowledged", "note", "investigating", "root_cause", "mitigated", "resolved", "closed"}


class Linked:
    """What stands beside the histories: `cases` are new records, `groups` say which records are one incident, the pager's first;
    `since` says from when on something links a record to the first of its group."""

    def __init__(self, seed: int, cases: Sequence[Case], share: float, until: datetime) -> None:
        self.cases: list[Case] = []
        self.groups: list[Group] = []
        self.since: dict[tuple[str, str], datetime] = {}
        self._until = until
        self._seed, self._rng = seed, random.Random(f"{seed}:linked:{until.isoformat()}")
        desks = [TOOLS[name] for name in dict.fromkeys(case.tool for case in cases) if TOOLS[name].is_desk]
        paged = [case for case in cases if _is_paged(case)]
        if not desks or not paged:
            return
        self._desk = desks[0]
        serious = [case for case in paged if case.severity in SERIOUS]
        for place, case in enumerate(self._rng.sample(serious, round(share * len(serious)))):
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
            is_late = place % 6 == 4 and at < self._until
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
        self.groups.append(tuple((case.tool, case.id) for case in (pager, ticket, *alerts)))
        self.since |= {(case.tool, case.id): case.created for case in alerts} | {(ticket.tool, ticket.id): linked}

    def _fill_in(self, ticket: Case, actor: str, closed: datetime) -> None:
        """What people write into the ticket, and what no pager has."""
        ticket.impact_start = ticket.created - self._rng.randint(120, 900) * SECOND
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
            again = self._case(TOOLS[old[0].tool], now + DAY, old[0].title, old[0])
            again.key = old[0].key
            again.add(again.created + 600 * SECOND, "resolved", value="integration")
            letters = self._case(
                TOOLS[old[0].tool], now + 2 * DAY, f"{old[0].service}: UTF-8 names are refused", old[0]
            )
            letters.add(letters.created + 600 * SECOND, "resolved", value="integration")

    def _case(self, tool: Tool, created: datetime, title: str, like: Case, text: str = "") -> Case:
        number = FIRST + len(self.cases)
        identity = identifier(self._seed, "linked", number)
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


def _is_paged(case: Case) -> bool:
    """Whether a ticket can copy what happens to a pager's record; at its priority, which it must have."""
    tool = TOOLS[case.tool]
    return (
        not tool.is_desk
        and tool.page is not None
        and bool(case.priority)
        and case.ends() is not None
        and {fact.kind for fact in case.facts} <= _SIMPLE
    )
