"""What is one incident: links and their guards, groups, and what an incident that several tools tell says."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from correlation_cases import (
    DAY,
    Link,
    Node,
    Rec,
    build,
    correlated,
    fill,
    reference,
    world,
)
from support import AS_OF_US, rows

from mttr_pipeline.config.decisions import Decision
from mttr_pipeline.warehouse.database import Warehouse

T0 = AS_OF_US - 60 * DAY


def groups(warehouse: Warehouse) -> set[frozenset[Node]]:
    """The records of each incident that has several."""
    found: dict[str, set[Node]] = {}
    for row in rows(warehouse.con, "FROM mart.incident_sources"):
        found.setdefault(row["incident_id"], set()).add((row["source"], row["external_id"], row["episode"]))
    return {frozenset(group) for group in found.values() if len(group) > 1}


def worlds(seeds: Sequence[int]) -> tuple[list[Rec], list[Link], list[Decision]]:
    drawn = [world(seed) for seed in seeds]
    return [r for w in drawn for r in w[0]], [n for w in drawn for n in w[1]], [d for w in drawn for d in w[2]]


def compare(folder: Path, seeds: Sequence[int]) -> None:
    """The groups of many worlds against the reference, in two orders of arrival."""
    recs, links, decisions = worlds(seeds)
    expected: set[frozenset[Node]] = set()
    seen = {"joined": 0, "refused": 0, "large": 0}
    for seed in seeds:
        own = world(seed)
        found, edges = reference(*own)
        expected |= {frozenset(group) for group in found}
        seen["joined"] += len(found)
        seen["refused"] += any(d.decision == "different" for d in own[2]) and len(edges) > 1
        seen["large"] += len(own[0]) > 20 and not any(len(group) > 20 for group in found)
    assert all(seen.values()), seen  # the worlds do reach what they are drawn for
    with correlated(folder, recs, links, decisions) as warehouse:
        found = groups(warehouse)
        assert {g for g in found if g not in expected} == {g for g in expected if g not in found} == set()
        names = {d.pair for d in decisions if d.decision == "different"}
        for group in found:
            inside = sorted({node[:2] for node in group})
            assert not any((a, b) in names for a in inside for b in inside), "a refusal does not hold"
        (told,) = rows(warehouse.con, "FROM mart.correlation WHERE scope = 'all'")
        assert told["records"] == len(recs)
        assert told["incidents"] == len(recs) - sum(len(group) - 1 for group in expected)
        before = {
            name: warehouse.con.execute(f"FROM mart.{name} ORDER BY ALL").fetchall()
            for name in ("incidents", "records", "links")
        }
        luck = random.Random(1)
        fill(warehouse, luck.sample(recs, len(recs)), luck.sample(links, len(links)))
        build(warehouse)
        after = {name: warehouse.con.execute(f"FROM mart.{name} ORDER BY ALL").fetchall() for name in before}
        assert before == after


def test_groups_are_those_of_the_reference_in_any_order(tmp_path: Path) -> None:
    """Links, guards, episodes, refusals and limits at once; and nothing depends on what arrived first."""
    compare(tmp_path, range(120))


@pytest.mark.slow
def test_groups_are_those_of_the_reference_in_many_worlds(tmp_path: Path) -> None:
    compare(tmp_path, range(1_000, 4_000))
