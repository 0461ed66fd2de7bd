"""Bottlenecks, opportunities and recommendations against the plain-Python reference, and on the very edge of each level."""

import re
from fractions import Fraction
from typing import Any

import pytest
from mart_cases import AS_OF_US, NOTHING_USEFUL, alone, built, many, rows, same, window
from reference_targets import (
    DEFAULTS,
    LEVELS,
    MINUTE,
    PHASES,
    Configured,
    Incident,
    bottlenecks,
    grouped,
    opportunity,
    phase_values,
    recommend,
    us,
    within,
)

from mttr_pipeline.warehouse.database import Warehouse

TABLES = ("mart.bottlenecks", "mart.bottlenecks_current", "mart.opportunities", "mart.recommendations")
WINDOWS = {"mart.bottlenecks": None, "mart.bottlenecks_current": window(30)}
FILE = {
    "thresholds": {
        "phases": {"investigation": {"warning": 20, "critical": 61.5}},
        "severities": {"SEV1": {"mitigation": {"warning": 1, "critical": 2}}},
        "services": {"Service 3": {"acknowledgment": {"warning": 90, "critical": 90}}, "alias of 4": {}},
    },
    "targets": {"phases": {"mitigation": 40, "closure": 60}},
    "variants": {"hands_on": {"start": "acknowledged_at", "end": "resolved_at"}},
    "services": {"service 3": {"aliases": ["Service 3"]}},
}
SET = Configured(
    levels={
        ("all", "all", "investigation"): (20, 61.5),
        ("severity", "SEV1", "mitigation"): (1, 2),
        ("service", "service 3", "acknowledgment"): (90, 90),
    },
    targets={},
    phases={"mitigation": 40, "closure": 60},
    variants=DEFAULTS.variants | {"hands_on": (2, 6)},
)


def _compare(warehouse: Warehouse, incidents: list[Incident], model: str, configured: Configured) -> None:
    for table, span in WINDOWS.items():
        found = rows(warehouse, f"FROM {table}")
        expected = bottlenecks(incidents, model, span, configured)
        assert {(row["scope"], row["scope_value"], row["phase"]) for row in found} == set(expected), table
        for row in found:
            key = row["scope"], row["scope_value"], row["phase"]
            same(row, expected[key] | {"phase_model": model}, (table, key))
            assert row["recommendation"]
        order = [(row["level"] != "critical", -row["current_value"]) for row in found]
        assert order == sorted(order), "critical first, then the highest value"
    _compare_opportunities(warehouse, incidents, model, configured)
    _compare_recommendations(warehouse, incidents, model, configured)


def _compare_opportunities(warehouse: Warehouse, incidents: list[Incident], model: str, configured: Configured) -> None:
    found = {
        (row["calculation_type"], row["scope"], row["scope_value"], row["window_start"]): row
        for row in rows(warehouse, "FROM mart.opportunities")
    }
    expected = {}
    for span in (None, window(30)):
        members: dict[tuple[str, str], list[Incident]] = {key: [] for key in grouped(incidents)}
        groups = {("all", "all"): []} | members | grouped(filter(within(span), incidents))
        for (scope, member), group in groups.items():
            for variant in configured.variants:
                start = None if span is None else span[0]
                expected[variant, scope, member, start] = opportunity(group, model, variant, scope, member, configured)
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        assert found[key]["low_n"] == (row is None or (row["n"] or 0) < 5)
        if row is None:  # no incident of the variant is analysed
            assert found[key]["phase"] is None and found[key]["unmeasured_pct"] is None, key
        else:
            same(found[key], row, key)


def _compare_recommendations(
    warehouse: Warehouse, incidents: list[Incident], model: str, configured: Configured
) -> None:
    catalogue = rows(warehouse, "FROM mart.strategies")
    found: dict[Any, list[dict[str, Any]]] = {}
    for row in rows(warehouse, "FROM mart.recommendations ORDER BY place"):
        found.setdefault((row["window_start"], row["scope"], row["scope_value"], row["phase"]), []).append(row)
    expected = {}
    for span in (None, window(30)):
        groups = grouped(filter(within(span), incidents))
        for (scope, member, phase), row in bottlenecks(incidents, model, span, configured).items():
            values = phase_values(groups[scope, member], configured.variants["basic"], model, phase)
            if (phase, model) == ("mitigation", "coarse") or (phase == "acknowledgment" and row["median_minutes"] == 0):
                continue  # service is back already, or the typical acknowledgement takes no time
            levels = configured.levels_of(scope, member, phase)
            assert levels is not None
            target = configured.phases.get(phase, levels[0])
            ids = recommend(
                [(s["strategy_id"], s["impact"], s["effort"]) for s in catalogue if s["phase"] == phase],
                Fraction(sum(values), len(values)),
                Fraction(us(target)),
            )
            if ids:
                expected[None if span is None else span[0], scope, member, phase] = (ids, row, target)
    assert {key: [row["strategy_id"] for row in got] for key, got in found.items()} == {
        key: ids for key, (ids, _, _) in expected.items()
    }
    for key, (_, row, target) in expected.items():
        for got in found[key]:
            triggered = {name: row[name] for name in ("level", "current_value", "threshold", "n", "affected_incidents")}
            same(got, triggered | {"target_minutes": float(target)}, key)
            assert got["target_source"] == ("target" if key[3] in configured.phases else "warning level")


@pytest.mark.parametrize("model", list(PHASES))
def test_drawn_incidents(model: str) -> None:
    """Every scope, window and variant at once, in both phase models, with the levels as they come."""
    incidents = many()
    with built(TABLES, incidents, {"phase_model": model}) as warehouse:
        _compare(warehouse, incidents, model, DEFAULTS)


def test_configured_levels_targets_and_variants() -> None:
    """The most specific level counts; an alias names the service; a configured variant has opportunities too."""
    incidents = many()
    with built(TABLES, incidents, FILE | {"phase_model": "coarse"}) as warehouse:
        _compare(warehouse, incidents, "coarse", SET)


@pytest.mark.parametrize("kind", NOTHING_USEFUL)
def test_nothing_useful(kind: str) -> None:
    """No data is no row; the whole still says that there is no opportunity, instead of saying nothing."""
    with built(TABLES, NOTHING_USEFUL[kind], {"phase_model": "coarse"}) as warehouse:
        _compare(warehouse, NOTHING_USEFUL[kind], "coarse", DEFAULTS)
        if kind != "only invalid":
            assert rows(warehouse, "FROM mart.bottlenecks") == []
        whole = rows(warehouse, "FROM mart.opportunities WHERE scope = 'all' AND calculation_type = 'basic'")
        assert len(whole) == 2
        assert {row["phase"] for row in whole} == {None}


def test_a_mean_exactly_at_the_level() -> None:
    """One microsecond spread over many incidents decides: a rounded mean would not see it."""
    incidents, expected = [], {}
    for phase, levels in LEVELS.items():
        start, end = PHASES["coarse"][phase]
        for place, limit in enumerate(levels):
            for off in (0, -1):
                service = f"{phase} {limit} {off}"
                expected[service] = ("warning", "critical")[place] if off == 0 else (None, "warning")[place]
                for number in range(200):
                    stamps: list[int | None] = [None] * 8
                    stamps[1] = AS_OF_US - 1000 * MINUTE
                    stamps[start] = stamps[1] - (us(limit) if start == 0 else 0)
                    stamps[end] = (stamps[start] or 0) + us(limit)
                    if number == 0:
                        last = max(start, end)
                        stamps[last] = (stamps[last] or 0) + off
                    incidents.append(Incident(f"{service} {number}", tuple(stamps), service=service))
    with built(("mart.bottlenecks",), incidents, {"phase_model": "coarse"}) as warehouse:
        query = "SELECT scope_value, phase, level FROM mart.bottlenecks WHERE scope = 'service'"
        found = {
            row["scope_value"]: row["level"]
            for row in rows(warehouse, query)
            if row["scope_value"].startswith(row["phase"])
        }
        assert found == {service: level for service, level in expected.items() if level}


def test_few_incidents_and_a_long_tail_are_marked() -> None:
    """Four quick ones and a slow one: the mean calls, the median does not; and with one fewer, chance may be all."""
    quick = [alone(None, 60, 59, number=number) for number in range(4)]
    slow = alone(None, 200, 100, number=9)
    with built(("mart.bottlenecks",), [*quick, slow]) as warehouse:
        (row,) = rows(warehouse, "FROM mart.bottlenecks WHERE scope = 'all'")
        assert (row["level"], row["tail_driven"], row["level_by_median"], row["low_n"]) == (
            "critical",
            True,
            "ok",
            False,
        )
        assert (row["n"], row["affected_incidents"], row["affected_pct"]) == (5, 1, 20.0)
    with built(("mart.bottlenecks",), [*quick[1:], slow]) as warehouse:
        assert rows(warehouse, "SELECT low_n FROM mart.bottlenecks WHERE scope = 'all'") == [{"low_n": True}]


def test_recommendations_only_above_the_target() -> None:
    """A phase at a level but within its own target asks for nothing."""
    file = {"targets": {"phases": {"acknowledgment": 60}}}
    with built(TABLES, [alone(None, 60, 30)], file) as warehouse:
        assert rows(warehouse, "SELECT level FROM mart.bottlenecks WHERE scope = 'all'") == [{"level": "critical"}]
        assert rows(warehouse, "FROM mart.recommendations") == []


def test_the_catalogue_flags_what_only_moves_the_number() -> None:
    with built(("mart.strategies",), []) as warehouse:
        found = rows(warehouse, "SELECT strategy_id FROM mart.strategies WHERE caution IS NOT NULL")
        assert found == [{"strategy_id": "S-ACK-3"}]


PAGES = re.compile(r"\b(pages?|paging|paged|drill page)\b", re.IGNORECASE)


def _acknowledged(source: str, minutes: float, number: int, service: str) -> Incident:
    """An incident that a source acknowledged after so many minutes."""
    stamps = alone(None, 600, 600 - minutes, *[None] * 3, 10).stamps
    return Incident(f"{service} {source} {number}", stamps, service=service, source=source)


def test_advice_speaks_of_pages_only_where_pagers_acknowledge() -> None:
    """Tickets have assignees and no pages; a pager that is always quick is not the reason for slow tickets beside it."""
    minutes = {
        "pager": [("pagerduty", 9)] * 6,
        "pager, critical": [("opsgenie_incident", 30)] * 3 + [("jsm", 30)] * 3,
        "ticket": [("jira", 9)] * 6,
        "ticket, critical": [("custom", 45)] * 6,
        "alert": [("alertmanager", 9)] * 6,
        "mostly pager": [("pagerduty", 30)] * 4 + [("jira", 20)] * 2,
        "slow tickets": [("pagerduty", 1)] * 7 + [("jira", 120)] * 3,
        "instant": [("pagerduty", 0)] * 4 + [("pagerduty", 90)] * 3,
        "instant tickets": [("jira", 0)] * 4 + [("jira", 90)] * 3,
    }
    incidents = [
        _acknowledged(source, took, number, service)
        for service, taken in minutes.items()
        for number, (source, took) in enumerate(taken)
    ]
    with built(TABLES, incidents) as warehouse:
        query = "FROM mart.bottlenecks WHERE scope = 'service' AND phase = 'acknowledgment'"
        found = {row["scope_value"]: row for row in rows(warehouse, query)}
        assert found.keys() == minutes.keys()
        paged = {"pager", "pager, critical", "mostly pager"}
        assert {name for name, row in found.items() if row["is_paged"]} == paged
        assert {name for name, row in found.items() if PAGES.search(row["recommendation"])} == paged
        assert {name for name, row in found.items() if "the moment they are detected" in row["recommendation"]} == {
            "instant",
            "instant tickets",
        }
        advised = rows(warehouse, "SELECT DISTINCT scope_value FROM mart.recommendations WHERE scope = 'service'")
        assert {row["scope_value"] for row in advised} == minutes.keys() - {"instant", "instant tickets"}
        told = rows(warehouse, "SELECT strategy FROM mart.strategies WHERE phase <> 'mitigation'")
        assert [row["strategy"] for row in told if PAGES.search(row["strategy"])] == []


def test_the_role_of_a_source_can_be_configured() -> None:
    """Records imported from a pager of one's own are pages."""
    incidents = [_acknowledged("custom", 30, number, "shop") for number in range(6)]
    for file, paged in (({}, False), ({"sources": {"custom": {"role": "pager"}}}, True)):
        with built(("mart.bottlenecks",), incidents, file) as warehouse:
            query = "SELECT DISTINCT is_paged FROM mart.bottlenecks WHERE phase = 'acknowledgment'"
            assert rows(warehouse, query) == [{"is_paged": paged}]


@pytest.mark.parametrize("model", list(PHASES))
def test_advice_about_restoring_service_ends_when_service_is_back(model: str) -> None:
    """Mitigation in the coarse model begins with the mitigation: a rollback would not shorten it."""
    incidents = [alone(None, 500, 499, None, 498, 200, 60, number=number) for number in range(6)]
    with built(TABLES, incidents, {"phase_model": model}) as warehouse:
        query = "SELECT recommendation_id, recommendation FROM mart.bottlenecks WHERE scope = 'all' AND phase = 'mitigation'"
        (row,) = rows(warehouse, query)
        assert row["recommendation_id"] == "R-MIT-C"
        assert ("Automate rollbacks" in row["recommendation"]) is (model == "lifecycle")
        assert ("Service is back" in row["recommendation"]) is (model == "coarse")
        strategies = rows(warehouse, "FROM mart.recommendations WHERE scope = 'all' AND phase = 'mitigation'")
        assert bool(strategies) is (model == "lifecycle")


def test_an_opportunity_is_a_share_of_all_minutes() -> None:
    """Two of ten incidents say what they spent; the other eight are in the whole, and in no phase. Open ones are in neither."""
    incidents = [alone(None, 500, 490, None, None, 440, 400, number=number) for number in range(2)]
    incidents += [alone(None, 500, None, None, None, None, 400, number=number) for number in range(2, 10)]
    incidents += [alone(None, 5000, 100, number=10)]
    # acknowledged long after it was resolved: more minutes than the incident has
    incidents += [alone(None, 500, 10, None, None, None, 400, number=11)]
    with built(TABLES, incidents, {"phase_model": "coarse"}) as warehouse:
        (row,) = rows(
            warehouse,
            """FROM mart.opportunities WHERE calculation_type = 'basic' AND scope = 'all' AND window_start IS NULL""",
        )
        assert (row["phase"], row["n"], row["total_minutes"]) == ("investigation", 2, 100.0)
        assert (row["incidents_analyzed"], row["variant_minutes"]) == (11, 1100.0)
        assert row["share_pct"] == pytest.approx(100 * 100 / 1100)
        assert row["unmeasured_pct"] == pytest.approx(100 * 900 / 1100)
