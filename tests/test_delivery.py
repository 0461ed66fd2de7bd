"""Deploys and delivery figures against a plain reference, and the cases that definitions are made of.

Each test says what would go wrong without it. How vendors' answers become deploys is tested with the sources.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from correlation_cases import DAY, HOUR, MINUTE, Link, Rec, build
from delivery_cases import Dep, Real, causes, delivered, is_production, reals
from mart_cases import rows
from support import AS_OF_US

from mttr_pipeline.config.decisions import Decision

T0 = AS_OF_US - 40 * DAY


def drawn(seed: int, worlds: int) -> tuple[list[Rec], list[Dep]]:
    """Worlds side by side, each with services, commits and tickets of its own, so that one build is enough for many of them."""
    luck = random.Random(seed)
    parts = [_world(luck, number) for number in range(worlds)]
    return [rec for recs, _ in parts for rec in recs], [dep for _, deps in parts for dep in deps]


def _world(luck: random.Random, world: int) -> tuple[list[Rec], list[Dep]]:
    """Few services, commits and instants, so that everything meets everything."""
    span = luck.choice((2 * HOUR, 10 * HOUR, 20 * DAY))
    sources = ("custom", "pagerduty", "jira")[: luck.choice((1, 2, 3))]
    services = (f"Checkout {world}", f"Search {world}", None)[: luck.choice((1, 2, 3))]

    def instant() -> int:
        return T0 + luck.randrange(span // (2 * MINUTE)) * 2 * MINUTE

    def commit() -> str | None:
        return luck.choice(
            (None, *(f"{letter}{world:06d}{more}" for letter, more in ("a1", "b2", "c3", ("a", "1fff"))))
        )

    deps = []
    for number in range(luck.choice((0, 1, 6, 14))):
        finished = instant() if luck.random() < 0.9 else luck.choice((None, AS_OF_US + HOUR))
        deps.append(
            Dep(
                luck.choice(sources),
                f"w{world}d{number}",
                service=luck.choice(services),
                environment=luck.choice(("production", "production", "live", "prod-eu", "staging", None)),
                sha=commit(),
                version=luck.choice((None, f"{world}.1", f"{world}.2", f"{world}.3")),
                status=luck.choice(("success", "success", "success", "failure", "cancelled", "rolled_back", None)),
                finished_at=finished,
                finished_precision=luck.choice(("exact", "exact", "job", "interval", "commit")),
                first_commit_at=None
                if finished is None or luck.random() < 0.5
                else finished - luck.randrange(-2, 50) * HOUR,
                says_rollback=luck.choice((None, None, None, True)),
                rollback_of=f"w{world}d{luck.randrange(14)}" if luck.random() < 0.1 else None,
                caused=tuple(f"w{world}I{luck.randrange(6)}" for _ in range(luck.choice((0, 0, 0, 1, 2)))),
                title=luck.choice((None, "tidy", f"fix OPS{world}-1", f"fix OPS{world}-2 and OPS{world}-3")),
            )
        )
    recs = []
    for number in range(luck.choice((0, 2, 6))):
        at = {"detected": instant()}
        if luck.random() < 0.3:
            at["occurred"] = at["detected"] - luck.randrange(20) * MINUTE
        if luck.random() < 0.7:
            at["resolved"] = at["detected"] + luck.randrange(300) * MINUTE
            if luck.random() < 0.5:
                at["mitigated"] = at["detected"] + luck.randrange(100) * MINUTE
        source = luck.choice(("pagerduty", "jira"))
        recs.append(Rec(source, f"w{world}I{number}", at, service=luck.choice(services), key=f"OPS{world}-{number}"))
    return recs, deps


def median(values: list[float]) -> float | None:
    values = sorted(values)
    if not values:
        return None
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def kaplan_meier_median(observations: list[tuple[int, bool]]) -> float | None:
    """The first time at which the curve is at or below one half, in minutes."""
    curve = 1.0
    for time in sorted({time for time, is_event in observations if is_event}):
        at_risk = sum(other >= time for other, _ in observations)
        curve *= 1 - sum(other == time and is_event for other, is_event in observations) / at_risk
        if curve <= 0.5 + 1e-12:
            return time / 6e7
    return None


def figures(
    found: list[Real],
    recs: list[Rec],
    links: set[tuple[str, Any, str]],
    service: str | None = None,
    as_of: int = AS_OF_US,
) -> dict[str, Any]:
    """The row of a service, or of the scope all, over the whole history."""
    began = min((real.best.finished_at for real in found if real.counts), default=None)
    ran = [real for real in found if real.counts and service in (None, real.best.service or "unknown")]
    by_id = {rec.id: rec for rec in recs}
    introduced = {real.name: [by_id[rec] for rec, name, _ in links if name == real.name] for real in found}
    failed = [real for real in ran if introduced[real.name] or real.was_rolled_back]
    observed = []
    for real in ran:
        ends = [rec.at.get("mitigated", rec.at.get("resolved")) for rec in introduced[real.name]]
        if not ends or not real.is_exact:
            continue
        over = [as_of if end is None else end for end in ends]
        if min(over) >= real.best.finished_at:
            observed.append((max(over) - real.best.finished_at, None not in ends))
    rework = 0
    for real in ran:
        near = [
            rec
            for rec in recs
            if rec.service is not None and rec.service == real.best.service
            and 0 <= real.best.finished_at - rec.at["detected"] <= 7 * DAY
        ]  # fmt: skip
        titles = " ".join(dep.title or "" for dep in real.records).split()
        rework += bool(near) and (real.is_rollback or any(rec.key in titles for rec in near))
    leads = [
        (real.best.finished_at - first) / 6e7
        for real in ran
        if real.is_exact
        and (told := [dep.first_commit_at for dep in real.records if dep.first_commit_at is not None])
        and (first := min(told)) <= real.best.finished_at
    ]
    detected = [
        (by_id[rec].at["detected"] - real.best.finished_at) / 6e7
        for rec, name, _ in links
        for real in ran
        if real.name == name and real.is_exact
    ]
    counted = [
        rec
        for rec in recs
        if began is not None and rec.at["detected"] >= began and service in (None, rec.service or "unknown")
    ]
    linked = {rec for rec, _, _ in links} & {rec.id for rec in counted}
    tells = any(dep.version or dep.sha or dep.title for real in ran for dep in real.records) or any(
        r.is_rollback for r in ran
    )
    days = None if began is None else (as_of - began) / 8.64e10
    return {
        "deploys": len(ran),
        "failed_deploys": len(failed),
        "change_failure_pct": 100 * len(failed) / len(ran) if ran else None,
        "recovery_median_minutes": kaplan_meier_median(observed),
        "n_recovered": sum(is_event for _, is_event in observed),
        "n_recovery_open": sum(not is_event for _, is_event in observed),
        "rework_deploys": rework if tells else None,
        "deploys_per_day": None if days is None or days < 1 else len(ran) / days,
        "lead_time_median_minutes": median(leads),
        "n_lead_time": len(leads),
        "n_incidents": len(counted),
        "n_linked": len(linked),
        "link_pct": 100 * len(linked) / len(counted) if counted else None,
        "deploy_to_detect_median_minutes": median([minutes for minutes in detected if minutes >= 0]),
        "n_deploy_to_detect": sum(minutes >= 0 for minutes in detected),
        "n_detected_before_deploy": sum(minutes < 0 for minutes in detected),
    }


@pytest.mark.parametrize(
    ("seed", "worlds"), [(0, 1), (1, 60), *(pytest.param(seed, 150, marks=pytest.mark.slow) for seed in range(2, 6))]
)
def test_every_figure_is_that_of_the_reference(tmp_path: Path, seed: int, worlds: int) -> None:
    """Random deploys and incidents: which records are one, rollbacks, causes, and the figures of all and of every service."""
    recs, deps = drawn(seed, worlds)
    found = reals(deps, AS_OF_US)
    with delivered(tmp_path, recs, deps) as warehouse:
        told = rows(
            warehouse,
            "SELECT source, external_id, service, is_production, is_rollback, was_rolled_back, n_records FROM mart.deploys",
        )
        assert {tuple(row.values()) for row in told} == {
            (*real.name, is_production(real.best), real.is_rollback, real.was_rolled_back, len(real.records))
            for real in found
        }
        linked = rows(
            warehouse,
            """SELECT i.external_id AS rec, d.source, d.external_id, d.service, l.method FROM mart.incident_deploys AS l
            JOIN mart.incidents AS i USING (incident_id) JOIN mart.deploys AS d USING (deploy_id)""",
        )
        links = {(row["rec"], (row["source"], row["external_id"], row["service"]), row["method"]) for row in linked}
        expected = causes(found, recs)
        for rec in recs:
            one, all_of_them = ({pair for pair in pairs if pair[0] == rec.id} for pairs in (links, expected))
            # Of deploys that finished in the same instant, one is named.
            assert one == all_of_them or (
                len(one) == 1 and one < all_of_them and {method for *_, method in one} == {"window"}
            )
        delivery = {
            (row["scope"], row["scope_value"]): row
            for row in rows(warehouse, "FROM mart.delivery WHERE window_start IS NULL AND scope <> 'team'")
        }
        services = {real.best.service or "unknown" for real in found}
        assert delivery.keys() == ({("all", "all")} if found else set()) | {("service", name) for name in services}
        for (scope, name), row in delivery.items():
            for column, value in figures(found, recs, links, None if scope == "all" else name).items():
                assert row[column] == (value if value is None else pytest.approx(value, rel=1e-9)), (
                    scope,
                    name,
                    column,
                )


def linked(
    folder: Path,
    recs: list[Rec],
    deps: list[Dep],
    file: dict[str, Any] | None = None,
    links: Sequence[Link] = (),
    decisions: Sequence[Decision] = (),
) -> list[tuple[str, str, str]]:
    """Record, deploy and method of every link."""
    with delivered(folder, recs, deps, file, links, decisions) as warehouse:
        return [
            tuple(row.values())
            for row in rows(
                warehouse,
                """SELECT i.external_id AS rec, d.external_id AS deploy, l.method FROM mart.incident_deploys AS l
                JOIN mart.incidents AS i USING (incident_id) JOIN mart.deploys AS d USING (deploy_id) ORDER BY ALL""",
            )
        ]


def page(name: str, at: int, **told: Any) -> Rec:
    """An incident of Checkout that a pager detected."""
    return Rec("pagerduty", name, {"detected": at}, **{"service": "Checkout", **told})


#: What a deploy half an hour before an incident of its service is like otherwise, and whether it is linked.
WINDOW: tuple[tuple[dict[str, Any], bool], ...] = (
    ({}, True),
    ({"finished_at": T0 - HOUR}, True),  # the limit belongs to the window
    ({"finished_at": T0 - HOUR - 1}, False),
    ({"finished_at": T0 + 1}, False),  # after the impact began
    ({"finished_precision": "job"}, True),
    ({"finished_precision": "interval"}, False),  # known to a night only
    ({"finished_precision": "commit"}, False),
    ({"environment": "live"}, True),
    ({"environment": "staging"}, False),
    ({"environment": "prod-eu"}, False),  # nobody said that it is production
    ({"environment": None}, False),
    ({"status": "failure"}, False),
    ({"status": "rolled_back"}, False),  # only a successful one
    ({"status": None}, False),
    ({"says_rollback": True}, False),  # a fix, not a cause
    ({"service": "Elsewhere"}, False),
    ({"service": None}, False),
    ({"finished_at": None}, False),
)


def test_what_the_window_links(tmp_path: Path) -> None:
    """Each condition of the definition, at its limit: without it, deploys that broke nothing would be blamed."""
    recs = [page(f"I{n:02}", T0, service=f"S{n}") for n in range(len(WINDOW))]
    deps = [
        Dep("custom", f"d{n:02}", **{"service": f"S{n}", "finished_at": T0 - 30 * MINUTE, **told})
        for n, (told, _) in enumerate(WINDOW)
    ]
    expected = [(f"I{n:02}", f"d{n:02}", "window") for n, (_, is_linked) in enumerate(WINDOW) if is_linked]
    assert linked(tmp_path, recs, deps) == expected


def test_environments_and_the_window_are_configured(tmp_path: Path) -> None:
    """`prod-eu` is production where somebody says so, and a window of two hours reaches farther."""
    deps = [Dep("custom", "d", environment="prod-eu", finished_at=T0 - 90 * MINUTE)]
    file = {"deploys": {"window_minutes": 120}, "vocabulary": {"environment": {"Prod_EU": "production"}}}
    assert linked(tmp_path, [page("I", T0)], deps, file) == [("I", "d", "window")]


def test_production_can_be_taken_back(tmp_path: Path) -> None:
    """A company whose `live` is a demonstration system says so, and nothing there counts."""
    deps = [Dep("custom", "d", environment="live", finished_at=T0 - MINUTE)]
    file = {"sources": {"custom": {"environment": {"live": "other"}}}}
    assert linked(tmp_path, [page("I", T0)], deps, file) == []


def test_the_impact_counts_and_not_its_detection(tmp_path: Path) -> None:
    """A deploy between the impact and its detection cannot have caused it."""
    recs = [Rec("pagerduty", "I", {"occurred": T0, "detected": T0 + 40 * MINUTE}, service="Checkout")]
    deps = [Dep("custom", "before", finished_at=T0 - MINUTE), Dep("custom", "after", finished_at=T0 + MINUTE)]
    assert linked(tmp_path, recs, deps) == [("I", "before", "window")]


def test_what_somebody_says_goes_before_the_window(tmp_path: Path) -> None:
    """By id, key or address; also days before. The deploy that happened to come just before is not blamed as well."""
    recs = [page("I1", T0), page("I2", T0, key="OPS-2"), page("I3", T0), page("I4", T0)]
    deps = [
        Dep("custom", "near", finished_at=T0 - MINUTE),
        Dep("custom", "id", environment="staging", finished_at=T0 - 3 * DAY, caused=("I1",)),
        Dep("custom", "key", finished_at=T0 - 3 * DAY, caused=("ops-2",)),
        Dep("custom", "url", finished_at=None, caused=("https://pagerduty.example/r/I3",)),
    ]
    assert linked(tmp_path, recs, deps) == [
        ("I1", "id", "explicit"),
        ("I2", "key", "explicit"),
        ("I3", "url", "explicit"),
        ("I4", "near", "window"),
    ]


def test_a_field_names_the_deploy(tmp_path: Path) -> None:
    """By version or id of its service, by commit or address anywhere; of a re-run, the one that was over before the impact."""
    recs = [page(f"I{n}", T0) for n in range(6)]
    names = ("2.1", "bbbbbbb99", "https://ci.example/runs/7", "9.9", "1.0", "again")
    named = [Link("pagerduty", f"I{n}", "key", "deploy", name, place="mapped_field") for n, name in enumerate(names)]
    deps = [
        Dep("custom", "version", version="2.1", finished_at=T0 - 5 * DAY),
        Dep("custom", "commit", service="Search", sha="bbbbbbb9", finished_at=T0 - 5 * DAY),
        Dep("custom", "url", service=None, url="https://ci.example/runs/7", finished_at=None, status=None),
        Dep("custom", "elsewhere", service="Search", version="1.0", finished_at=T0 - MINUTE),  # another service's 1.0
        Dep("custom", "again", finished_at=T0 - 3 * DAY),
        Dep("jira", "again", finished_at=T0 + DAY),
    ]
    assert linked(tmp_path, recs, deps, links=named) == [
        ("I0", "version", "explicit"),
        ("I1", "commit", "explicit"),
        ("I2", "url", "explicit"),
        ("I5", "again", "explicit"),
    ]


def test_a_name_that_fits_no_deploy_or_several_is_no_link_and_told(tmp_path: Path) -> None:
    """A branch that many commits came from, a commit that two other services run, `7` as id and as version, a name nobody knows, a
    line of links.csv with a deploy of two other services: nothing is forced, and each is a finding. A deploy of the incident's own
    service goes before those of others."""
    recs = [page(f"I{n}", T0) for n in range(6)]
    names = ("main", "ccccccc", "7", "ddddddd", "nobody knows")
    named = [Link("pagerduty", f"I{n}", "key", "deploy", name, place="mapped_field") for n, name in enumerate(names)]
    decisions = [Decision("pagerduty", "I5", "custom", "both", "introduced", "ada", "seen", 2)]
    deps = [
        *(Dep("custom", f"m{n}", version="main", sha=f"{n:07x}", finished_at=T0 - n * DAY) for n in range(3, 5)),
        *(Dep("custom", name, name, sha="ccccccc", finished_at=T0 - 3 * DAY) for name in ("Search", "Payments")),
        Dep("custom", "7", version="6", finished_at=T0 - 3 * DAY),
        Dep("jira", "other", version="7", finished_at=T0 - 3 * DAY),
        *(Dep("custom", f"d{name}", name, sha="ddddddd", finished_at=T0 - 3 * DAY) for name in ("Search", "Checkout")),
        *(Dep("custom", "both", name, finished_at=T0 - 3 * DAY, is_shared=True) for name in ("Search", "Payments")),
    ]
    with delivered(tmp_path, recs, deps, links=named, decisions=decisions) as warehouse:
        build(warehouse, ("figures.findings_deploys", "figures.findings_links"))
        found = """SELECT dq_check, source, n, total, level, examples FROM (
            FROM figures.findings_deploys UNION ALL BY NAME FROM figures.findings_links)
            WHERE dq_check IN ('introduced_by_unknown', 'unusable_decision') ORDER BY ALL"""
        links = "SELECT external_id FROM mart.incident_deploys JOIN mart.incidents USING (incident_id)"
        assert [tuple(row.values()) for row in rows(warehouse, found)] == [
            ("introduced_by_unknown", "pagerduty", 4, 5, "warn", ["7", "ccccccc", "main", "nobody knows"]),
            ("unusable_decision", "configuration", 1, 1, "warn",
             ["line 2 names custom both, a deploy of several services, none of which is that of the incident."]),
        ]  # fmt: skip
        assert [row["external_id"] for row in rows(warehouse, links)] == ["I3"]
    quiet = tmp_path / "quiet"
    quiet.mkdir()
    with delivered(quiet, recs[:1], deps, links=[replace(named[0], target="d" * 7)]) as warehouse:
        build(warehouse, ("figures.findings_deploys",))
        of = "SELECT n, total FROM figures.findings_deploys WHERE dq_check = 'introduced_by_unknown'"
        assert [tuple(row.values()) for row in rows(warehouse, of)] == [(0, 1)]


def test_a_person_decides(tmp_path: Path) -> None:
    """A decision goes before the window, and refuses what the window or a deploy says; correlation may be off."""
    recs = [page(f"I{n}", T0) for n in range(3)]
    deps = [
        Dep("custom", "near", finished_at=T0 - MINUTE, caused=("I2",)),
        Dep("custom", "far", finished_at=T0 - 3 * DAY),
    ]
    decisions = [
        Decision("pagerduty", "I0", "custom", "far", "introduced", "ada", "seen", 2),
        Decision("pagerduty", "I1", "custom", "near", "not introduced", "ada", "no", 3),
        Decision("pagerduty", "I2", "custom", "near", "not introduced", "ada", "no", 4),
    ]
    for number, file in enumerate(({}, {"correlation": {"enabled": False}})):
        (tmp_path / str(number)).mkdir()
        assert linked(tmp_path / str(number), recs, deps, file, decisions=decisions) == [("I0", "far", "explicit")]


def test_a_name_that_fits_several_incidents_is_no_link(tmp_path: Path) -> None:
    """`7` is an id in two tools: nothing is forced. One of the deploy's own tool is meant."""
    recs = [Rec(source, "7", {"detected": T0}) for source in ("pagerduty", "jira")]
    assert linked(tmp_path, recs, [Dep("custom", "d", finished_at=T0 - DAY, caused=("7",))]) == []
    (tmp_path / "own").mkdir()
    assert len(linked(tmp_path / "own", recs, [Dep("jira", "d", finished_at=T0 - DAY, caused=("7",))])) == 1


#: Deploys of one service to production, an hour apart, what differs from the usual ones; which are rollbacks, which were taken back.
HISTORIES: tuple[tuple[list[dict[str, Any]], list[int], list[int]], ...] = (
    ([{"sha": "aaaaaaa"}, {"sha": "bbbbbbb"}, {"sha": "aaaaaaa"}], [2], [1]),
    ([{"sha": "aaaaaaa"}, {"sha": "bbbbbbb"}, {"sha": "bbbbbbb"}], [], []),  # a re-run
    (
        [{"sha": "aaaaaaa"}, {"sha": "bbbbbbb"}, {"sha": "aaaaaaa"}, {"sha": "bbbbbbb"}],
        [2],
        [1],
    ),  # rolled forward again
    ([{"sha": "aaaaaaa"}, {"sha": "bbbbbbb"}, {"sha": "ccccccc"}, {"sha": "aaaaaaa"}], [3], [2]),
    ([{"sha": "aaaaaaa"}, {"sha": "bbbbbbb"}, {"sha": "aaaaaaa", "environment": "staging"}], [], []),
    ([{"sha": "aaaaaaa"}, {"sha": "bbbbbbb"}, {"sha": "aaaaaaa", "status": "failure"}], [], []),
    ([{"sha": "aaaaaaa"}, {"sha": "bbbbbbb"}, {"says_rollback": True}], [2], [1]),
    ([{"sha": "aaaaaaa"}, {"sha": "bbbbbbb"}, {"rollback_of": 0}], [2], [0]),
    ([{"version": "1"}, {"version": "2", "status": "rolled_back"}, {"version": "1"}], [2], [1]),
    ([{"sha": "aaaaaaa"}, {}, {"sha": "aaaaaaa"}], [], []),  # what ran in between is not known
    ([{"sha": "aaaaaaa1111"}, {"sha": "bbbbbbb"}, {"sha": "AAAAAAA"}], [2], [1]),  # shortened
)


def test_what_a_rollback_is(tmp_path: Path) -> None:
    """It brings back what ran before the current version. A re-run, a roll-forward, another service and a failed try are none."""
    deps = []
    for number, (history, _, _) in enumerate(HISTORIES):
        for place, told in enumerate(history):
            if "rollback_of" in told:
                told = {"rollback_of": f"{number}-{told['rollback_of']}"}
            deps.append(
                Dep(
                    "custom", f"{number}-{place}", **{"service": f"S{number}", "finished_at": T0 + place * HOUR, **told}
                )
            )
    with delivered(tmp_path, [], deps) as warehouse:
        told_of = rows(warehouse, "SELECT external_id AS id, is_rollback, was_rolled_back FROM mart.deploys")
    for mark, which in (("is_rollback", 1), ("was_rolled_back", 2)):
        expected = {f"{number}-{place}" for number, case in enumerate(HISTORIES) for place in case[which]}
        assert {row["id"] for row in told_of if row[mark]} == expected, mark


def test_a_version_with_a_package_is_no_e_mail_address(tmp_path: Path) -> None:
    """What looks like one is masked in texts; a version that nobody can read is no evidence. Others are shown as they are."""
    versions = {"package": "shop-web@1.2.3", "slash": "a/b@1+2", "commit": "5f5724f", "two": "@acme/shop@2.0.1"}
    deps = [Dep("custom", name, version=version, finished_at=T0) for name, version in versions.items()]
    with delivered(tmp_path, [], deps) as warehouse:
        shown = {
            row["id"]: row["version"] for row in rows(warehouse, "SELECT external_id AS id, version FROM mart.deploys")
        }
    assert shown == {"package": "1.2.3", "slash": "a/b@1+2", "commit": "5f5724f", "two": "2.0.1"}


def test_no_deploys_give_no_figures(tmp_path: Path) -> None:
    """No row, rather than a change failure rate of 0 % for a company whose deploys nobody reads."""
    with delivered(tmp_path, [page("I", T0)], []) as warehouse:
        assert rows(warehouse, "FROM mart.delivery") == []


def test_deploys_without_anything_else_are_no_zeros(tmp_path: Path) -> None:
    """Without commits there is no lead time, without a failure no recovery, without texts no rework: NULL, beside an n of 0."""
    with delivered(tmp_path, [], [Dep("custom", "d", finished_at=T0)]) as warehouse:
        (row,) = rows(warehouse, "FROM mart.delivery WHERE scope = 'all' AND window_start IS NULL")
    nothing = (
        "lead_time_median_minutes",
        "recovery_median_minutes",
        "recovery_text",
        "rework_pct",
        "link_pct",
        "deploy_to_detect_median_minutes",
    )
    assert {row[name] for name in nothing} == {None}
    assert (row["deploys"], row["change_failure_pct"], row["n_lead_time"], row["n_recovered"], row["n_incidents"]) == (
        1,
        0.0,
        0,
        0,
        0,
    )
    assert row["change_failure_high_pct"] > 79  # one deploy shows next to nothing


def test_what_is_not_over_yet_counts_later(tmp_path: Path) -> None:
    """A report about the past knows no later deploy, and one that ends later was running: a clock ahead of ours does no harm."""
    deps = [
        Dep("custom", "later", requested_at=AS_OF_US + 1, finished_at=AS_OF_US + 2),
        Dep("custom", "running", started_at=AS_OF_US - HOUR, finished_at=AS_OF_US + 1),
        Dep("custom", "over", finished_at=AS_OF_US),
    ]
    with delivered(tmp_path, [], deps) as warehouse:
        told = rows(warehouse, "SELECT external_id AS id, status FROM mart.deploys ORDER BY ALL")
        (row,) = rows(warehouse, "SELECT deploys FROM mart.delivery WHERE scope = 'all' AND window_start IS NULL")
    assert told == [{"id": "over", "status": "success"}, {"id": "running", "status": None}] and row == {"deploys": 1}
