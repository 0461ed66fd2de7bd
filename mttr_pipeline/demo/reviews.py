"""Post-mortems and follow-up actions: issues of a desk that are no incidents, and what they are about.

They stand beside the history of each tool: a world without them has the same records otherwise. A serious ticket that was resolved
gets a review some days later, in two of three cases before it is due; every fourth review is about the ticket before it too. Some
reviews stay open. A review names up to two actions; some are done, and some of those added a test. The link stands in the review.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from mttr_pipeline.demo.facts import Case, identifier
from mttr_pipeline.demo.registry import TOOLS

REVIEWED = 0.7  # share of the serious tickets
FIRST = 8_000  # number of the first review
TEST_LABEL = "test-added"
#: Names of link types: of a review with its incidents, and with its actions.
OF_INCIDENT, OF_ACTION = "Post-Incident Reviews", "Relates"
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be done after a review."""

    id: str
    created: datetime
    due: datetime | None = None
    completed: datetime | None = None
    is_test: bool = False


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """A post-mortem of tickets of one tool. `completed` is None while it is open."""

    tool: str
    id: str
    incidents: tuple[str, ...]
    created: datetime
    completed: datetime | None = None
    actions: tuple[Action, ...] = ()


def reviews_of(seed: int, cases: Sequence[Case], share: float) -> tuple[list[Case], list[Review]]:
    """The issues of all reviews and their actions, and what they say. `share` is that of the serious tickets that were resolved."""
    issues: list[Case] = []
    found: list[Review] = []
    for tool in dict.fromkeys(case.tool for case in cases if TOOLS[case.tool].is_desk):
        before: Case | None = None
        for case in cases:
            luck = random.Random(f"{seed}:review:{case.id}")
            if case.tool != tool or not _needs_one(case) or luck.random() >= share:
                continue
            about = (case, before) if before is not None and len(found) % 4 == 3 else (case,)
            made, review = _review(seed, luck, tool, FIRST + len(issues), about)
            issues += made
            found.append(review)
            before = case
    return issues, found


def _needs_one(case: Case) -> bool:
    return (
        case.issue_type == "incident"
        and case.severity in ("SEV1", "SEV2")
        and case.ends() is not None
        and case.last("deleted") is None
        and case.last("retyped") is None
    )


def _review(
    seed: int, luck: random.Random, tool: str, number: int, about: tuple[Case, ...]
) -> tuple[list[Case], Review]:
    end = about[0].ends()
    assert end is not None
    created = end.replace(microsecond=0) + luck.randint(1, 3) * DAY + luck.randint(0, 300) * MINUTE
    review = _issue(seed, tool, number, created, about[0], "post_mortem", f"Review: {about[0].title}")
    completed: datetime | None = created + (luck.randint(1, 3) if luck.random() < 0.67 else luck.randint(6, 12)) * DAY
    completed = None if luck.random() < 0.15 else completed
    if completed is not None:
        review.add(completed, "resolved", "ana", value="human")
    made, actions = [review], []
    for place in range(luck.choice((0, 1, 2))):
        at = created + (1 + place) * HOUR
        action = _issue(
            seed, tool, number + len(made), at, about[0], "action", f"Follow-up {place + 1} of {about[0].title}"
        )
        is_test, done = luck.random() < 0.4, at + luck.randint(2, 30) * DAY
        action.due = (at + 14 * DAY).date() if place == 0 else None
        if is_test:
            action.add(at + MINUTE, "labelled", value=TEST_LABEL)
        if luck.random() < 0.6:
            action.add(done, "resolved", "ana", value="human")
        made.append(action)
        due = datetime.combine(action.due + DAY, datetime.min.time(), at.tzinfo) if action.due else None
        actions.append(Action(id=action.id, created=at, due=due, completed=action.ends(), is_test=is_test))
    review.links = (*((OF_INCIDENT, case.id) for case in about), *((OF_ACTION, action.id) for action in actions))
    incidents = tuple(case.id for case in about)
    return made, Review(
        tool=tool, id=review.id, incidents=incidents, created=created, completed=completed, actions=tuple(actions)
    )


def _issue(seed: int, tool: str, number: int, created: datetime, like: Case, kind: str, title: str) -> Case:
    case = Case(
        tool=tool,
        id=TOOLS[tool].record_id(identifier(seed, "review", number), number, created),
        title=title,
        service=like.service,
        severity="SEV3",
        story="review",
        number=number,
        priority="P3",
        urgency="low",
        issue_type=kind,
    )
    case.add(created, "created")
    return case
