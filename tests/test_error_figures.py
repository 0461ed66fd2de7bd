"""Figures over many issues of error trackers and over sessions of releases: release health, coverage, findings of data quality."""

from __future__ import annotations

from pathlib import Path

import error_reference as reference
import pytest
from correlation_cases import DAY, HOUR, Link, Rec, build
from delivery_cases import Dep
from error_cases import Issue, Sessions, Told, World, tracked
from mart_cases import rows
from scipy import stats
from support import AS_OF_US

T0 = AS_OF_US - 20 * DAY

#: Sessions and crashes of a release and of the one before it.
HEALTH = (
    *((100, 40, 100, 10), (99, 40, 100, 10), (100, 40, 99, 10), (1000, 10, 1000, 12)),
    *((1000, 2, 1000, 60), (500, 0, 500, 0), (500, 9, 500, 0)),
)


def test_release_health_is_what_scipy_says(tmp_path: Path) -> None:
    """Wilson's limits, an exact test of each release against the one before it, adjusted for all; no verdict on 99 sessions."""
    sessions, deploys = [], []
    for n, (now, crashed, before, crashed_before) in enumerate(HEALTH):
        sessions += [
            Sessions("app@2", now - 40, crashed, f"S{n}", "production", AS_OF_US - DAY),
            Sessions("app@2", 40, 0, f"S{n}", None, AS_OF_US - 2 * DAY),
            Sessions("app@2", 900, 900, f"S{n}", "staging", AS_OF_US - DAY),
            Sessions("app@2", 5, 6, f"S{n}", None, AS_OF_US - DAY),  # cannot be
            Sessions("10", before, crashed_before, f"S{n}", None, AS_OF_US - DAY),
        ]
        # By their names and days, 10 would come after 2.
        for days, version in enumerate(("10", "2")):
            deploys.append(
                Dep("custom", f"{version}-{n}", service=f"S{n}", version=version, finished_at=T0 + days * DAY)
            )
    with tracked(tmp_path, World(sessions=sessions, deploys=deploys)) as warehouse:
        found = {row["service"]: row for row in rows(warehouse, "FROM mart.release_health WHERE version = '2'")}
        first = rows(
            warehouse, "SELECT DISTINCT version_before, p, verdict FROM mart.release_health WHERE version = '10'"
        )
    assert first == [{"version_before": None, "p": None, "verdict": None}]
    tested = {}
    for n, (now, crashed, before, crashed_before) in enumerate(HEALTH):
        row = found[f"S{n}"]
        assert (row["sessions"], row["crashed"], row["version_before"], row["sessions_before"]) == (
            now,
            crashed,
            "10",
            before,
        )
        limits = stats.binomtest(now - crashed, now).proportion_ci(method="wilson")
        assert [row["crash_free_pct"], row["crash_free_low_pct"], row["crash_free_high_pct"]] == pytest.approx(
            [100 * (now - crashed) / now, 100 * limits.low, 100 * limits.high]
        )
        if min(now, before) >= 100:
            tested[f"S{n}"] = reference.p_of_equal_shares(crashed, now, crashed_before, before)
            assert row["p"] == pytest.approx(tested[f"S{n}"])
        else:
            assert (row["p"], row["q"], row["verdict"]) == (None, None, None)
    adjusted = dict(zip(tested, stats.false_discovery_control(list(tested.values())), strict=True))
    for name, q in adjusted.items():
        row = found[name]
        assert row["q"] == pytest.approx(q)
        worse = row["crash_free_pct"] < row["crash_free_before_pct"]
        assert row["verdict"] == ("no clear change" if q >= 0.05 else "worse" if worse else "better"), name
    assert {found[name]["verdict"] for name in adjusted} == {"worse", "better", "no clear change"}


def test_what_the_data_quality_tells(tmp_path: Path) -> None:
    """Each finding counts what it is about and nothing else, at its limit; a source without issues has none."""
    release = {"first_release": "1.0"}
    world = World(
        issues=[
            Issue("0", key="E-0", first_seen_at=T0 - HOUR, **release),  # an hour before is the clock of a sender
            Issue("1", key="E-1", first_seen_at=T0 - HOUR - 1, **release),
            Issue("2", key="E-2", first_seen_at=None, environment="prod"),
            Issue("3", key="E-3", first_seen_at=None, status="resolved", environment="prod-eu"),
            Issue("4", key="E-4", first_seen_at=T0, status="resolved", environment="staging"),
            Issue("5", key="E-5", first_seen_at=T0),
            Issue("6", key="E-6", first_seen_at=1),  # 1970
            Issue("7", key="E-7", first_seen_at=T0, status="resolved"),
        ],
        told=[Told("4", "resolved", T0), Told("5", "resolved", T0)],
        sessions=[Sessions("1", 5, 6), Sessions("2", 5, 5, environment="emea")],
        deploys=[Dep("custom", "d", version="1.0", finished_at=T0)],
    )
    with tracked(tmp_path, world) as warehouse:
        build(warehouse, ("figures.findings_errors",))
        found = rows(warehouse, "SELECT dq_check, source, n, total, examples FROM figures.findings_errors")
    assert {row["dq_check"]: (row["n"], row["total"], row["examples"]) for row in found} == {
        "error_before_its_release": (1, 2, ["E-1"]),
        "error_resolved_without_time": (2, 3, ["E-3", "E-7"]),
        "error_open_after_its_resolve": (1, 5, ["E-5"]),
        "error_without_begin": (3, 8, ["E-2", "E-3", "E-6"]),
        "error_environment_unmapped": (2, 4, ["emea", "prod-eu"]),
        "error_sessions_impossible": (1, 2, ["1"]),
    }
    assert {row["source"] for row in found} == {"sentry"}


def test_shares_of_what_is_known(tmp_path: Path) -> None:
    """Of all issues and of those of each source. Who does not tell of suspect commits has no share of them, which is not 0 %."""
    world = World(
        issues=[
            Issue("0", team="red", suspect_commits=("abc",), first_release="1.0", first_seen_at=T0),
            Issue("1", service=None, team="red"),
            Issue("2", service=None, suspect_commits=()),
            Issue("3", source="custom", key="E-3", first_seen_at=T0),
        ],
        deploys=[Dep("custom", "d", version="1.0", finished_at=T0)],
        records=[Rec("pagerduty", "I", {"detected": T0})],
        links=[Link("pagerduty", "I", "dedup", "dedup", "E-3", place="alert_key")],
    )
    with tracked(tmp_path, world) as warehouse:
        found = rows(warehouse, "FROM mart.error_coverage")
    counts = [[value for name, value in row.items() if not name.endswith("_pct")] for row in found]
    assert counts == [
        ["all", 4, 2, 2, 1, 2, 1, 1, 1],
        ["custom", 1, 1, 0, 0, 0, None, 0, 1],
        ["sentry", 3, 1, 2, 1, 2, 1, 1, 0],
    ]
    assert [row["with_suspect_commit_pct"] for row in found] == [50.0, None, 50.0]
    shares = ["with_service_pct", "with_incident_pct", "with_both_pct"]
    assert [found[0][name] for name in shares] == [50.0, 25.0, 25.0]


def test_versions_are_compared_as_people_mean_them() -> None:
    """The reference knows what the SQL must: a package is no part of a version, a commit may be shortened, a date is no commit."""
    assert reference.version("shop@2.4.1") == reference.version("2.4.1")
    assert reference.version("A1B2C3D4E5") == reference.version("a1b2c3d")
    assert reference.version("20261001") != reference.version("20261002")
