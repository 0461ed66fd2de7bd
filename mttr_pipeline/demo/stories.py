"""The stories of an incident: what happens to it, and how long each step takes.

A story adds facts to a case, forward in time from its creation. Durations are log-normal around the usual minutes of the
severity, and longer at night and at weekends. They drift over the months: response gets faster everywhere, while Search
gets slower in the last quarter, so that the trends show a change.
"""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta

import msgspec

from mttr_pipeline.demo import company
from mttr_pipeline.demo.facts import Case, Fact
from mttr_pipeline.demo.kit.vendor import Tool


def assign_stories(rng: random.Random, tool: Tool, total: int) -> list[str]:
    """A story for each of `total` cases, shuffled, in the shares of the tool; each story occurs where there is room."""
    names: list[str] = []
    for story, share in tool.stories.items():
        names += [story] * max(1, round(share * total))
    names = names[: max(0, total - 1)]
    names += ["plain"] * (total - len(names))
    rng.shuffle(names)
    return names


class Story:
    """Writes the facts of one case: keeps the time reached, who responds, and how fast.

    `age` is how far the case is into the history, from 0 to 1.
    """

    def __init__(self, rng: random.Random, case: Case, tool: Tool, age: float) -> None:
        self.rng, self.case, self.tool = rng, case, tool
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
        if tool.is_desk:
            self.ack_pace *= 4
            self.pace *= 1.5

    def pause(self, mean_minutes: float, sigma: float = 0.75) -> None:
        """Let a log-normal time pass, at least one tick of the tool's clock."""
        tick = self.tool.tick
        minutes = self.rng.lognormvariate(math.log(mean_minutes) - sigma * sigma / 2, sigma)
        self.at += max(tick, round(timedelta(minutes=minutes) / tick) * tick)

    def write(self, kind: str, actor: str = "", text: str = "", value: str = "") -> None:
        """Add a fact at the time reached."""
        self.case.add(self.at, kind, actor, text, value)

    def chance(self, share: float) -> bool:
        """True for about that share of the calls."""
        return self.rng.random() < share

    def acknowledge(self) -> None:
        """The first responder acknowledges."""
        self.pause(company.PHASE_MINUTES[self.case.severity][0] * self.ack_pace)
        self.write("acknowledged", self.actor)

    def work(self, stretch: float = 1.0) -> None:
        """Investigate and mitigate; responders write down only a share of what they find."""
        _, investigation, mitigation, _ = company.PHASE_MINUTES[self.case.severity]
        self.pause(1.5, 0.5)
        self.write("investigating", self.actor)
        if self.chance(0.15):
            self.write("note", self.second, self.rng.choice(company.CHATTER))
        self.pause(investigation * self.pace * stretch)
        if self.chance(self.tool.written_share):
            prefix = self.rng.choice(("Root cause found: ", "Root cause found: ", "root cause found: "))
            self.write("root_cause", self.actor, prefix + self.rng.choice(company.CAUSES))
        if self.chance(0.06):
            self.write("note", self.second, self.rng.choice(company.CHATTER))
        self.pause(mitigation * self.pace * stretch)
        if self.chance(self.tool.written_share):
            self.write("mitigated", self.actor, "Mitigated: " + self.rng.choice(company.REMEDIES))

    def resolve(self, by: str = "human", minutes: float | None = None) -> None:
        """Resolve, after `minutes` on average (default: the usual minutes of the severity)."""
        mean = company.PHASE_MINUTES[self.case.severity][3] * self.pace if minutes is None else minutes
        self.pause(mean)
        self.write("resolved", self.actor if by == "human" else "", value=by)

    def close(self) -> None:
        """Close the record two days later on average, where closing is a step of its own."""
        if self.tool.has_close and self.chance(0.9):
            self.pause(2 * 1440, 0.4)
            self.write("closed", self.actor)


def play(story: Story) -> None:
    """Add the facts of the story that the case was assigned."""
    kind = story.case.story
    if kind in ("merged", "duplicate", "flap"):
        return  # needs a partner first
    if kind in _WITHOUT_WORK:
        _WITHOUT_WORK[kind](story)
        return
    story.acknowledge()
    if kind == "reprioritised":
        story.pause(4)
        story.write("priority", story.actor, value=_other_priority(story))
    if kind == "moved":
        story.pause(6)
        story.write("service", story.actor, value=story.rng.choice(_other_services(story.case)))
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


def _other_services(case: Case) -> list[str]:
    """The other services that the same tool watches."""
    tool = company.SERVICES_BY_NAME[case.service].tool
    return [service.name for service in company.SERVICES if service.tool == tool and service.name != case.service]


def _false_alarm(story: Story) -> Fact:
    """The resolve, with the reason why it was no incident."""
    reason = story.rng.choice(("Won't Do", "Cannot Reproduce", "Declined"))
    return msgspec.structs.replace(story.case.facts[-1], text=reason)


def _auto(story: Story) -> None:
    """The monitor resolves the incident before a person looks at it."""
    story.resolve("integration", minutes=9)


def _timeout(story: Story) -> None:
    """Nobody looks at it; the auto-resolve timer ends it after four hours."""
    story.at += timedelta(hours=4)
    story.write("resolved", value="timeout")


def _no_ack(story: Story) -> None:
    """A person resolves it without an acknowledgement."""
    story.resolve(minutes=25)
    story.close()


def _open(story: Story) -> None:
    """Nobody has finished this one."""
    if story.chance(0.6):
        story.acknowledge()
        story.pause(2)
        story.write("investigating", story.actor)


_WITHOUT_WORK = {"auto": _auto, "timeout": _timeout, "no_ack": _no_ack, "open": _open}
