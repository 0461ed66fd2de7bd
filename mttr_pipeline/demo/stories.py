"""What can happen to an incident: a handful of stories, and how often each is told.

A story adds facts to a case, moving forward in time from its creation. Durations are log-normal around the usual
minutes of the severity, longer at night and at weekends, and drift over the months: response gets better everywhere,
while Search gets worse in the last quarter, so that trends have something to show.
"""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta

import msgspec

from mttr_pipeline.demo import company
from mttr_pipeline.demo.facts import Case, Fact

#: Shares of each story by tool; "plain" takes the rest. Every story is told at least once where there is room.
SHARES: dict[str, dict[str, float]] = {
    "pagerduty": {
        "auto": 0.10,
        "timeout": 0.02,
        "no_ack": 0.03,
        "reack": 0.04,
        "reopened": 0.03,
        "recurred": 0.012,
        "merged": 0.04,
        "flap": 0.02,
        "moved": 0.015,
        "reprioritised": 0.03,
        "no_priority": 0.06,
        "monster": 0.012,
        "open": 0.012,
        "deleted": 0.006,
    },
    "opsgenie": {
        "auto": 0.15,
        "timeout": 0.02,
        "no_ack": 0.05,
        "reack": 0.04,
        "flap": 0.02,
        "reprioritised": 0.03,
        "monster": 0.01,
        "open": 0.02,
        "deleted": 0.01,
    },
    "jsm": {
        "auto": 0.12,
        "timeout": 0.02,
        "no_ack": 0.05,
        "reack": 0.05,
        "flap": 0.03,
        "reprioritised": 0.03,
        "monster": 0.02,
        "open": 0.05,
        "deleted": 0.02,
    },
    "opsgenie_incident": {"no_ack": 0.08, "open": 0.08, "monster": 0.04},
    "jira": {
        "reopened": 0.05,
        "recurred": 0.03,
        "duplicate": 0.05,
        "false_alarm": 0.05,
        "reprioritised": 0.04,
        "chatty": 0.03,
        "monster": 0.03,
        "open": 0.04,
        "request": 0.12,
        "deleted": 0.01,
    },
    "jira-dc": {
        "reopened": 0.06,
        "recurred": 0.03,
        "duplicate": 0.06,
        "false_alarm": 0.06,
        "reprioritised": 0.03,
        "monster": 0.03,
        "open": 0.06,
    },
}


def deck(rng: random.Random, tool: str, total: int) -> list[str]:
    """A shuffled story for each of `total` cases, in the shares above."""
    cards: list[str] = []
    for story, share in SHARES[tool].items():
        cards += [story] * max(1, round(share * total))
    cards = cards[: max(0, total - 1)]
    cards += ["plain"] * (total - len(cards))
    rng.shuffle(cards)
    return cards


class Story:
    """A pen: remembers the case, the time reached, and how slow things are there and then.

    `age` is how far the case is into the history, from 0 to 1.
    """

    def __init__(self, rng: random.Random, case: Case, age: float, tick: timedelta) -> None:
        self.rng, self.case, self.tick = rng, case, tick
        self.at: datetime = case.created
        on_call = company.TEAMS[company.SERVICES_BY_NAME[case.service].team]
        self.actor = rng.choice(on_call)
        self.second = rng.choice([handle for handle in on_call if handle != self.actor])
        self.pace = 1.3 - 0.55 * age
        self.ack_pace = 1.5 - 0.8 * age
        if case.service == "Search" and age > 0.75:
            self.pace *= 2.2
        if case.created.hour < 6 or case.created.hour >= 22 or case.created.weekday() >= 5:
            self.ack_pace *= 1.8 if case.severity in ("SEV3", "SEV4") else 1.3
        if case.tool in ("jira", "jira-dc"):  # a desk with office hours, not a pager
            self.ack_pace *= 4
            self.pace *= 1.5

    def pause(self, mean_minutes: float, sigma: float = 0.75) -> None:
        """Let a log-normal while pass, at least one tick."""
        minutes = self.rng.lognormvariate(math.log(mean_minutes) - sigma * sigma / 2, sigma)
        self.at += max(self.tick, round(timedelta(minutes=minutes) / self.tick) * self.tick)

    def write(self, kind: str, actor: str = "", text: str = "", value: str = "") -> None:
        """Something happens now."""
        self.case.add(self.at, kind, actor, text, value)

    def chance(self, share: float) -> bool:
        """True for about that share of the calls."""
        return self.rng.random() < share

    def acknowledge(self) -> None:
        """Somebody takes it."""
        self.pause(company.PHASE_MINUTES[self.case.severity][0] * self.ack_pace)
        self.write("acknowledged", self.actor)

    def work(self, stretch: float = 1.0) -> None:
        """Investigate and mitigate; people write down about two thirds of what they find."""
        _, investigation, mitigation, _ = company.PHASE_MINUTES[self.case.severity]
        written = 0.95 if self.case.tool in ("jira", "jira-dc", "opsgenie_incident") else 0.68
        self.pause(1.5, 0.5)
        self.write("investigating", self.actor)
        if self.chance(0.15):
            self.write("note", self.second, self.rng.choice(company.CHATTER))
        self.pause(investigation * self.pace * stretch)
        if self.chance(written):
            prefix = self.rng.choice(("Root cause found: ", "Root cause found: ", "root cause found: "))
            self.write("root_cause", self.actor, prefix + self.rng.choice(company.CAUSES))
        if self.chance(0.06):
            self.write("note", self.second, self.rng.choice(company.CHATTER))
        self.pause(mitigation * self.pace * stretch)
        if self.chance(written):
            self.write("mitigated", self.actor, "Mitigated: " + self.rng.choice(company.REMEDIES))

    def resolve(self, by: str = "human", minutes: float | None = None) -> None:
        """It is over; the desk and Opsgenie incidents are closed some days later."""
        mean = company.PHASE_MINUTES[self.case.severity][3] * self.pace if minutes is None else minutes
        self.pause(mean)
        self.write("resolved", self.actor if by == "human" else "", value=by)

    def close(self) -> None:
        """Follow-up is done, two days later on average."""
        if self.case.tool in ("opsgenie_incident", "jira", "jira-dc") and self.chance(0.9):
            self.pause(2 * 1440, 0.4)
            self.write("closed", self.actor)


def tell(story: Story) -> None:
    """Play the story that the case was dealt."""
    kind = story.case.story
    if kind in ("merged", "duplicate", "flap"):
        return  # needs a partner first
    if kind in _SPECIAL:
        _SPECIAL[kind](story)
        return
    story.acknowledge()
    if kind == "reprioritised":
        story.pause(4)
        story.write("priority", story.actor, value=_other_priority(story))
    if kind == "moved":
        story.pause(6)
        others = [s.name for s in company.SERVICES if s.tool == "pagerduty" and s.name != story.case.service]
        story.write("service", story.actor, value=story.rng.choice(others))
    if kind == "reack":
        story.pause(30, 0.2)
        story.write("unacknowledged")
        story.pause(8)
        story.write("acknowledged", story.second)
    story.work(stretch=60 if kind == "monster" else 1)
    if kind == "chatty":
        for _ in range(45):  # more history than an embedded changelog holds
            story.pause(3)
            story.write("labelled", value=story.rng.choice(("vip", "waiting", "hardware", "vendor")))
    if kind == "false_alarm":
        story.resolve()
        story.case.facts[-1] = _false_alarm(story)
        story.close()
        return
    story.resolve()
    if kind == "reopened":
        story.pause(180, 0.5)
        story.write("reopened", story.actor)
        story.work(0.5)
        story.resolve()
    if kind == "recurred":
        story.pause(6 * 1440, 0.4)
        story.write("reopened", story.second)
        story.pause(10)
        story.write("acknowledged", story.second)
        story.work()
        story.resolve()
    story.close()
    if kind == "deleted":
        story.pause(3 * 1440)
        story.write("deleted")


def _other_priority(story: Story) -> str:
    return story.rng.choice([p for p in ("P1", "P2", "P3", "P4") if p != story.case.priority])


def _false_alarm(story: Story) -> Fact:
    """The resolve, with the reason why it was no incident."""
    reason = story.rng.choice(("Won't Do", "Cannot Reproduce", "Declined"))
    return msgspec.structs.replace(story.case.facts[-1], text=reason)


def _auto(story: Story) -> None:
    """The monitor sees the problem go away by itself before anybody looks."""
    story.resolve("integration", minutes=9)


def _timeout(story: Story) -> None:
    """Nobody ever looked; the service's auto-resolve timer closed it after four hours."""
    story.at += timedelta(hours=4)
    story.write("resolved", value="timeout")


def _no_ack(story: Story) -> None:
    """Resolved by hand without the button ever being pressed."""
    story.resolve(minutes=25)
    story.close()


def _open(story: Story) -> None:
    """Nobody has finished this one."""
    if story.chance(0.6):
        story.acknowledge()
        story.pause(2)
        story.write("investigating", story.actor)


_SPECIAL = {"auto": _auto, "timeout": _timeout, "no_ack": _no_ack, "open": _open}
