"""Drawn issues of error trackers with their histories, counts and deploys. Each has a service and a short id of its own, so that one
build is enough for many of them. Few instants, so that everything meets everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from delivery_cases import Dep
from error_cases import Count, Issue, Told, World
from error_reference import DAY, HOUR, MINUTE
from hypothesis import strategies as st
from support import AS_OF_US

STEP = 10 * MINUTE
VERSIONS = ("1.0", "web/shop@1.1", "1.2", "a1b2c3d4e5")


@st.composite
def issues(draw: st.DrawFn) -> World:
    """One issue, called `x`, and all that is told of it."""
    start = draw(st.sampled_from([AS_OF_US - 2 * HOUR, AS_OF_US - 26 * HOUR, AS_OF_US - 12 * DAY]))
    instants = st.integers(0, 14).map(lambda step: start + step * STEP)
    versions = st.sampled_from([None, *VERSIONS, "9.9"])
    deploys = [
        Dep(
            "custom",
            f"d{number}",
            service="x",
            environment=draw(st.sampled_from(["production", "production", "production", "staging"])),
            version=draw(versions),
            sha=draw(st.sampled_from([None, None, "a1b2c3d", "ffffff1"])),
            status=draw(st.sampled_from(["success", "success", "success", "failure", "rolled_back"])),
            finished_at=draw(instants),
            finished_precision=draw(st.sampled_from(["exact", "exact", "job", "commit"])),
            title=draw(st.sampled_from([None, "tidy", "Fixes KEY-x", "KEY-xy and KEY-z"])),
        )
        for number in range(draw(st.sampled_from([0, 1, 2, 4])))
    ]
    told = [
        Told(
            "x",
            draw(st.sampled_from(["resolved", "resolved", "regression", "reopened", "archived", "note"])),
            at := draw(instants),
            not_before=draw(st.sampled_from([None, None, at - STEP, at - 3 * DAY])),
            release=draw(versions),
            actor_kind=draw(st.sampled_from([None, "human", "timeout"])),
        )
        for _ in range(draw(st.sampled_from([0, 1, 2, 3, 6])))
    ]
    issue = Issue(
        "x",
        key="KEY-x",
        service=draw(st.sampled_from(["x", "x", "x", None])),
        status=draw(st.sampled_from(["unresolved", "unresolved", "resolved", "resolved", "archived", None])),
        substatus=draw(st.sampled_from([None, None, "regressed", "ongoing"])),
        users=draw(st.sampled_from([None, 0, 1, 7])),
        tags=draw(st.sampled_from([None, (), ("page:pay",), ("page:pay", "page:home")])),
        first_seen_at=draw(st.one_of(st.none(), instants, st.sampled_from([AS_OF_US - DAY, AS_OF_US - DAY + 1]))),
        last_seen_at=draw(st.one_of(st.none(), instants)),
        first_release=draw(versions),
        last_release=draw(versions),
        resolved_in_release=draw(versions),
        updated_at=draw(st.sampled_from([None, AS_OF_US, AS_OF_US, AS_OF_US - HOUR, AS_OF_US + HOUR])),
    )
    # A tracker counts a period of an issue and a version once.
    counts = {(each.began_at, each.minutes, each.release): each for each in [*draw(_periods(start)), *draw(_week())]}
    return World([issue], told, list(counts.values()), deploys=deploys)


@st.composite
def _periods(draw: st.DrawFn, start: int) -> list[Count]:
    """Hours and days from an instant on, whole or in part, per version or not."""
    made = {}
    for minutes, most in ((60, 4), (1440, 2)):
        for number in range(draw(st.integers(0, most))):
            if draw(st.integers(0, 5)) == 0:
                continue
            began = start + number * minutes * MINUTE
            read = draw(st.sampled_from([AS_OF_US, AS_OF_US, began + 20 * MINUTE]))
            versions = draw(st.lists(st.sampled_from([None, *VERSIONS]), min_size=1, max_size=3, unique=True))
            for version in versions:
                made[began, minutes, version] = Count(
                    "x", began, draw(st.sampled_from([0, 0, 3])), minutes, version, read
                )
    return list(made.values())


@st.composite
def _week(draw: st.DrawFn) -> list[Count]:
    """Days and an hour around the limits of a spike: a mean of 5, and ten times as many."""
    if draw(st.booleans()):
        return []
    made = [Count("x", AS_OF_US - DAY, draw(st.sampled_from([39, 40, 49, 50, 51])))]
    made += [Count("x", AS_OF_US - DAY - 1, 1000), Count("x", AS_OF_US, 1000)][: draw(st.integers(0, 2))]
    for number in range(draw(st.sampled_from([0, 1, 2, 7, 9]))):
        began = AS_OF_US - (number + 2) * DAY - draw(st.sampled_from([0, 0, 0, 1])) * HOUR
        made.append(
            Count(
                "x",
                began,
                draw(st.sampled_from([5, 5, 5, 4, 6])),
                1440,
                None,
                draw(st.sampled_from([AS_OF_US, AS_OF_US, began + HOUR])),
            )
        )
    return list({(count.began_at, count.minutes): count for count in made}.values())


def side_by_side(worlds: Sequence[World]) -> World:
    """All of them as one: each gets names of its own."""
    found = World([], [], [], [], [], [])
    for number, world in enumerate(worlds):
        name = f"{number:04}"
        found = replace(
            found,
            issues=[
                *found.issues,
                *(
                    replace(each, external_id=name, key=f"KEY-{name}", service=each.service and f"S{name}")
                    for each in world.issues
                ),
            ],
            told=[*found.told, *(replace(each, external_id=name) for each in world.told)],
            counts=[*found.counts, *(replace(each, external_id=name) for each in world.counts)],
            deploys=[
                *found.deploys,
                *(
                    replace(
                        each,
                        external_id=f"{name}{each.external_id}",
                        service=f"S{name}",
                        title=each.title and each.title.replace("KEY-x", f"KEY-{name}"),
                    )
                    for each in world.deploys
                ),
            ],
        )
    return found
