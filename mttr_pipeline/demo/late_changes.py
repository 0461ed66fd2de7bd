"""What happens in the day after the present to records that already exist: every kind of late change, once or twice.

The pipeline must find them: late acknowledgements, resolves and closes, reopens, merges, changes of priority, service,
project or issue type, and deletions.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from mttr_pipeline.demo import company
from mttr_pipeline.demo.facts import Case
from mttr_pipeline.demo.kit.vendor import Tool

HOUR = timedelta(hours=1)


def add_late_changes(rng: random.Random, tool: Tool, cases: list[Case], until: datetime) -> None:
    """Add facts after `until` to some cases of one tool, as far as the tool has such changes. No case gets two."""
    late = tool.late_changes
    existing = [case for case in cases if case.created < until - 3 * HOUR and "partner" not in case.story]
    ended = [case for case in existing if (end := case.ends()) and end < until and case.story == "plain"]
    unresolved = [case for case in existing if case.ends() is None and case.story == "open"]
    old = [case for case in ended if case.created < until - timedelta(days=20)]

    def pick(pool: list[Case]) -> Iterator[tuple[Case, datetime, str]]:
        """One case that has no late change yet, an instant tomorrow, and who acts; nothing when the pool is empty."""
        if pool:
            case = pool[rng.randrange(len(pool))]
            for group in (ended, unresolved, old):
                group[:] = [other for other in group if other is not case]
            yield case, until + rng.randint(60, 1200) * timedelta(minutes=1), _responder(rng, case)

    for case, at, actor in pick(unresolved):
        case.add(at, "acknowledged", actor)
        case.add(at + HOUR, "resolved", actor, value="human")
        if "closed" in late:
            case.add(at + 2 * HOUR, "closed", actor)
    if "closed" in late:
        for case in existing:
            if case.ends() and not case.last("closed"):
                case.add(until + 5 * HOUR, "closed", _responder(rng, case))
                break
    if "reopened" in late:
        for case, at, actor in pick(old):  # an episode of its own, weeks later
            case.add(at, "reopened", actor)
            case.add(at + 5 * timedelta(minutes=1), "acknowledged", actor)
            case.add(at + 2 * HOUR, "resolved", actor, value="human")
        fresh = [case for case in ended if (end := case.ends()) and end > until - 20 * HOUR]
        for case, _, actor in pick(fresh):  # the same episode, within a day of its resolve
            end = case.ends()
            assert end is not None
            at = max(end, until) + HOUR
            case.facts = [fact for fact in case.facts if fact.kind != "closed"]
            case.add(at, "reopened", actor)
            case.add(at + 2 * HOUR, "resolved", actor, value="human")
    for case, at, actor in pick(old):
        case.add(at, "priority", actor, value="P1" if case.priority != "P1" else "P2")
    if "merged" in late:
        for case, at, actor in pick(unresolved):
            target = max((other for other in existing if other is not case), key=lambda other: other.ends() or at)
            if (end := target.ends()) is None or end > at:
                case.add(at, "merged", actor, value=target.id)
                target.add(at, "absorbed", actor, value=case.id)
    if "service" in late:
        for case, at, actor in pick(old):
            case.add(at, "service", actor, value=_other(late["service"], case.service))
    for case, at, _ in pick(old):
        case.add(at, "deleted")
    if "moved" in late:
        for case, at, actor in pick(old):  # into another project: the id stays, the key changes
            case.add(at, "moved", actor, value=late["moved"][0])
    if "retyped" in late:
        for case, at, actor in pick(old):  # it was no incident after all
            case.add(at, "retyped", actor, value=_other(late["retyped"], case.issue_type))


def _other(values: tuple[str, ...], current: str) -> str:
    """The first value that differs from the current one."""
    return next(value for value in values if value != current)


def _responder(rng: random.Random, case: Case) -> str:
    return rng.choice(company.TEAMS[company.SERVICES_BY_NAME[case.service].team])
