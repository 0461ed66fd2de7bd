"""The generated history: repeatable, believable, and alive when the clock moves."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from statistics import mean, median

import pytest
import requests

from mttr_pipeline.demo import Truth, VendorServer, World
from mttr_pipeline.demo.registry import TOOLS

UNTIL = datetime(2026, 10, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)
STAMPS = ("detected_at", "acknowledged_at", "root_cause_found_at", "mitigated_at", "resolved_at", "closed_at")


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=7, until=UNTIL)


def minutes(rows: list[Truth]) -> list[float]:
    return [(row.resolved_at - row.detected_at).total_seconds() / 60 for row in rows if row.resolved_at]


def test_same_seed_same_history(world: World) -> None:
    assert World(seed=7, until=UNTIL).cases == world.cases
    assert World(seed=8, until=UNTIL).cases != world.cases
    with pytest.raises(ValueError, match="time zone"):
        World(until=datetime(2026, 10, 1))  # noqa: DTZ001


@pytest.mark.parametrize("seed", range(6))
def test_every_story_is_told(seed: int) -> None:
    world = World(seed=seed, until=UNTIL)
    told = Counter((case.tool, case.story.removesuffix("+partner")) for case in world.cases)
    for name, tool in TOOLS.items():
        assert {story for where, story in told if where == name} == ({"plain", *tool.stories} if tool.volume else set())
    assert all(case.facts for case in world.cases)
    assert len({(case.tool, case.id) for case in world.cases}) == len(world.cases)
    for case in world.cases:
        assert case.facts == sorted(case.facts, key=lambda fact: fact.at)


@pytest.mark.parametrize("seed", range(6))
def test_truth_is_in_order(seed: int) -> None:
    world = World(seed=seed, until=UNTIL)
    for row in world.truth(UNTIL + 3 * DAY):
        stamps = [at for name in STAMPS if (at := getattr(row, name)) is not None]
        first, last = row.detected_at, row.resolved_at
        assert all(at >= first for at in stamps), row
        if last and not row.closed_at:
            assert all(at <= last for at in stamps), row
        assert row.counted_detected_at <= first
        assert row.source in ("pagerduty", "opsgenie", "opsgenie_incident", "jsm", "jira")


def test_durations_are_believable(world: World) -> None:
    rows = [row for row in world.truth() if row.tool == "pagerduty" and not row.duplicate_of and not row.deleted]
    usual = {severity: median(minutes([r for r in rows if r.severity == severity])) for severity in ("SEV1", "SEV3")}
    assert 25 < usual["SEV1"] < 120 < usual["SEV3"] < 300
    assert max(minutes(rows)) > 2 * 1440, "at least one monster"
    early = [row for row in rows if row.detected_at < world.start + 60 * DAY and row.acknowledged_at]
    late = [row for row in rows if row.detected_at > world.until - 60 * DAY and row.acknowledged_at]

    def to_ack(sample: list[Truth]) -> float:
        return mean((row.acknowledged_at - row.detected_at).total_seconds() for row in sample if row.acknowledged_at)

    assert to_ack(late) < to_ack(early), "the response has got better"
    by_hour = Counter(case.created.hour for case in world.of("pagerduty"))
    assert sum(by_hour[hour] for hour in range(9, 17)) > 2 * sum(by_hour[hour] for hour in range(6))


def test_merged_records_count_under_their_target(world: World) -> None:
    rows = {(row.tool, row.external_id): row for row in world.truth() if row.episode == 1}
    merged = [row for row in rows.values() if row.duplicate_of]
    assert {row.tool for row in merged} >= {"pagerduty", "jira"}
    for row in merged:
        target = rows[row.tool, row.duplicate_of or ""]
        assert target.counted_detected_at <= row.detected_at
    assert any(row.counted_detected_at < row.detected_at for row in rows.values())
    flaps = [row for row in rows.values() if row.flap_of]
    for row in flaps:
        first = rows[row.tool, row.flap_of or ""]
        assert first.resolved_at and timedelta() < row.detected_at - first.resolved_at < timedelta(minutes=10)


def test_late_reopens_are_episodes(world: World) -> None:
    rows = world.truth()
    second = [row for row in rows if row.episode == 2]
    soon = [row for row in rows if row.reopen_count]
    assert second and soon
    for row in second:
        first = next(r for r in rows if (r.tool, r.external_id, r.episode) == (row.tool, row.external_id, 1))
        assert first.resolved_at and row.detected_at - first.resolved_at > timedelta(hours=24)
        assert first.reopen_count == 0
    for row in soon:
        assert row.first_resolved_at and row.resolved_at and row.first_resolved_at < row.resolved_at


@pytest.mark.parametrize("seed", range(4))
def test_the_next_day_brings_every_late_change(seed: int) -> None:
    world = World(seed=seed, until=UNTIL)
    known = {(case.tool, case.id) for case in world.cases if case.created <= UNTIL}
    news: Counter[str] = Counter()
    tools: dict[str, set[str]] = {}
    for case in world.cases:
        for fact in case.facts:
            if (case.tool, case.id) in known and UNTIL < fact.at <= UNTIL + DAY:
                news[fact.kind] += 1
                tools.setdefault(fact.kind, set()).add(case.tool)
    wanted = {"acknowledged", "resolved", "reopened", "merged", "priority", "service", "deleted", "closed"}
    assert wanted <= news.keys()
    assert {"pagerduty", "jira"} <= tools["reopened"] and "opsgenie_incident" in tools["closed"]
    assert "opsgenie" in tools["acknowledged"] and {"pagerduty", "opsgenie", "jsm"} <= tools["deleted"]
    assert any(case.created > UNTIL for case in world.cases)


def test_moving_the_clock_changes_the_answers(world: World) -> None:
    with VendorServer(world, limits=None) as server:
        session = requests.Session()
        session.headers["Authorization"] = "Token token=demo-token"

        def incident(identity: str) -> requests.Response:
            return session.get(f"{server.url('pagerduty')}/incidents/{identity}", timeout=10)

        def case_with(kind: str) -> str:
            return next(
                case.id
                for case in world.of("pagerduty")
                if case.created < UNTIL and any(f.kind == kind and UNTIL < f.at < UNTIL + DAY for f in case.facts)
            )

        deleted, moved, reopened = case_with("deleted"), case_with("service"), case_with("reopened")
        before = {name: incident(name).json()["incident"] for name in (deleted, moved, reopened)}
        server.now += 2 * DAY
        assert incident(deleted).status_code == 404
        after = {name: incident(name).json()["incident"] for name in (moved, reopened)}
        assert after[moved]["service"] != before[moved]["service"]
        assert after[reopened]["resolved_at"] > before[reopened]["resolved_at"]
        server.now -= 2 * DAY
        assert incident(deleted).json()["incident"] == before[deleted]


def test_a_day_of_any_size() -> None:
    """Enough incidents in one day to need windows of less than a day."""
    world = World(seed=3, until=UNTIL, days=1, volumes={"pagerduty": 12_000}, future=timedelta(hours=2))
    assert 11_000 < sum(case.created <= UNTIL for case in world.cases) < 13_500
