"""Compliance with targets: every incident against its own, on the microsecond; and the same for phases."""

import json
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from mart_cases import AS_OF, AS_OF_US, NOTHING_USEFUL, alone, built, many, needed, rows, same, sets_of, window
from reference_targets import (
    ACKNOWLEDGED,
    CLOSED,
    DEFAULTS,
    DETECTED,
    MINUTE,
    PHASES,
    RESOLVED,
    TARGETS,
    Configured,
    Incident,
    compliance,
    is_too_late,
    judged,
    minutes,
    outcome,
    us,
    wilson,
    within,
)
from scipy import stats
from support import settings_for

from mttr_pipeline.intake.importer import import_files
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.metrics.targets import missed
from mttr_pipeline.warehouse.catalog import default_catalog
from mttr_pipeline.warehouse.database import Warehouse

TABLES = ("mart.target_compliance", "mart.target_breaches", "mart.phase_compliance")
SPANS = {None: None, 30: window(30), 90: window(90)}
FILE = {
    "targets": {
        "severities": {"SEV1": 15.5},
        "services": {"Service 3": {"SEV1": 60, "SEV2": 0.5}, "nobody's": {"SEV4": 10}},
        "phases": {"acknowledgment": 5, "investigation": 30, "closure": 1440},
        "at_risk_pct": 33.3,
    },
    "services": {"service 3": {"aliases": ["Service 3"]}},
}
SET = Configured(
    levels={},
    targets={("SEV1", None): 15.5, ("SEV1", "service 3"): 60, ("SEV2", "service 3"): 0.5, ("SEV4", "nobody's"): 10},
    phases={"acknowledgment": 5, "investigation": 30, "closure": 1440},
    variants=DEFAULTS.variants,
    at_risk=Fraction("33.3"),
)


def _durations(incidents: list[Incident], span: tuple[int, int]) -> list[int]:
    pairs = [(incident.stamps[span[0]], incident.stamps[span[1]]) for incident in incidents]
    return [end - start for start, end in pairs if start is not None and end is not None and end >= start]


def _compare(warehouse: Warehouse, incidents: list[Incident], configured: Configured) -> None:
    found = {
        (row["window_start"], row["severity"], row["service"]): row
        for row in rows(warehouse, "FROM mart.target_compliance")
    }
    severities = set(TARGETS) | {incident.severity for incident in incidents}
    pairs = {(incident.severity, incident.service or "unknown") for incident in incidents} | {
        key for key in configured.targets if key[1] is not None
    }
    members = [(severity, None) for severity in severities] + sorted(pairs, key=str)
    assert len(found) == 3 * len(members)
    for span in SPANS.values():
        inside = [incident for incident in incidents if within(span)(incident)]
        for severity, service in members:
            group = [
                incident
                for incident in inside
                if incident.severity == severity and (service is None or (incident.service or "unknown") == service)
            ]
            target = configured.target(severity, service)
            outcomes = [judged(incident, AS_OF_US, configured)[0] for incident in group]
            expected = compliance(outcomes, _durations(group, (DETECTED, RESOLVED)), target)
            expected["target_minutes"] = None if target is None else float(target)
            expected["not_measured"] = outcomes.count("invalid") + outcomes.count("not_measured")
            key = None if span is None else span[0], severity, service
            same(found[key], expected, key)
    _compare_breaches(warehouse, incidents, configured)


def _compare_breaches(warehouse: Warehouse, incidents: list[Incident], configured: Configured) -> None:
    found = rows(warehouse, "FROM mart.target_breaches")
    expected = {}
    for incident in incidents:
        result, target = judged(incident, AS_OF_US, configured)
        if result in ("late", "open_breached") and target is not None:
            start, end = incident.stamps[DETECTED], incident.stamps[RESOLVED]
            assert start is not None
            actual = (AS_OF_US if end is None else end) - start
            expected[incident.id] = {
                "severity": incident.severity,
                "service": incident.service or "unknown",
                "target_minutes": minutes(target),
                "actual_minutes": minutes(actual),
                "over_minutes": minutes(actual - target),
                "is_open": end is None,
                "started_at": incident.started,
                "resolved_at": end,
                "title": f"title of {incident.id}",
            }
    assert {row["incident_id"] for row in found} == set(expected)
    for row in found:
        same(row, expected[row["incident_id"]], row["incident_id"])
    assert [row["over_minutes"] for row in found] == sorted((row["over_minutes"] for row in found), reverse=True)


def _compare_phases(warehouse: Warehouse, incidents: list[Incident], configured: Configured, model: str) -> None:
    found = {
        (row["window_start"], row["phase"], row["severity"]): row
        for row in rows(warehouse, "FROM mart.phase_compliance")
    }
    told = [any(incident.stamps[place] is not None for incident in incidents) for place in range(8)]
    severities = [None, *sorted({incident.severity for incident in incidents})]
    phases = [phase for phase in configured.phases if phase in PHASES[model]]
    assert len(found) == 3 * len(severities) * len(phases)
    for span in SPANS.values():
        for phase in phases:
            first, last = PHASES[model][phase]
            for severity in severities:
                group = [
                    incident
                    for incident in incidents
                    if within(span)(incident)
                    and severity in (None, incident.severity)
                    and incident.stamps[first] is not None
                ]
                outcomes = [
                    "invalid"
                    if is_too_late(incident, phase) and incident.stamps[first] is not None
                    else outcome(
                        incident.stamps[first],
                        incident.stamps[last],
                        not told[last] or any(at is not None for at in incident.stamps[last:]),
                        us(configured.phases[phase]),
                        configured.at_risk,
                        AS_OF_US,
                    )
                    for incident in group
                ]
                key = None if span is None else span[0], phase, severity
                in_time = [incident for incident in group if not is_too_late(incident, phase)]
                expected = compliance(outcomes, _durations(in_time, (first, last)), configured.phases[phase])
                expected["invalid"] = outcomes.count("invalid")
                expected["not_measured"] = outcomes.count("not_measured")
                same(found[key], expected, key)


def test_drawn_incidents() -> None:
    """All severities and services, three windows, the default targets."""
    incidents = many()
    with built(TABLES, incidents) as warehouse:
        _compare(warehouse, incidents, DEFAULTS)
        assert rows(warehouse, "FROM mart.phase_compliance") == [], "no phase has a target unless one is configured"


@pytest.mark.parametrize("model", list(PHASES))
def test_configured_targets(model: str) -> None:
    """Targets per severity, service and phase; an alias names the service; a share at risk that is no whole number."""
    incidents = many()
    with built(TABLES, incidents, FILE | {"phase_model": model}) as warehouse:
        _compare(warehouse, incidents, SET)
        _compare_phases(warehouse, incidents, SET, model)


@pytest.mark.parametrize("kind", NOTHING_USEFUL)
def test_nothing_useful(kind: str) -> None:
    """Every severity has its rows; without anything measured they say no_data, never 0 and never 100 percent."""
    incidents = NOTHING_USEFUL[kind]
    with built(TABLES, incidents, FILE | {"phase_model": "coarse"}) as warehouse:
        _compare(warehouse, incidents, SET)
        _compare_phases(warehouse, incidents, SET, "coarse")
        statuses = rows(warehouse, "SELECT DISTINCT status FROM mart.target_compliance WHERE severity <> 'SEV3'")
        assert statuses == [{"status": "no_data"}]


def test_on_the_microsecond() -> None:
    """At the target is within it, at 80 % is not at risk; an open incident exactly as old as its target is pending."""
    target = us(30)
    ends = {
        "within": target * 8 // 10,
        "at_risk": target * 8 // 10 + 1,
        "at_risk too": target,
        "late": target + 1,
    }
    incidents = [
        Incident(name, (None, AS_OF_US - 500 * MINUTE, *[None] * 4, AS_OF_US - 500 * MINUTE + took, None), "SEV1", name)
        for name, took in ends.items()
    ]
    for name, age in {"pending": target, "open_breached": target + 1, "pending too": -4 * MINUTE}.items():
        incidents.append(Incident(name, (None, AS_OF_US - age, *[None] * 6), "SEV1", name))
    with built(TABLES, incidents) as warehouse:
        named = "FROM figures.target_outcomes JOIN core.scope_members ON member_id = service_id"
        found = {row["scope_value"]: row for row in rows(warehouse, named)}
        assert {name: row["outcome"] for name, row in found.items()} == {
            name: name.removesuffix(" too") for name in [*ends, "pending", "open_breached", "pending too"]
        }
        whole = rows(warehouse, "FROM mart.target_compliance WHERE severity = 'SEV1' AND service IS NULL")[0]
        counts = ("incidents_count", "within_target", "at_risk", "breached", "open_breached", "pending")
        assert [whole[name] for name in counts] == [5, 3, 2, 2, 1, 2]


def test_status_at_its_limits() -> None:
    """95 of 100 is healthy and 80 of 100 a warning, compared in whole numbers."""
    expected = {(19, 20): "healthy", (18, 19): "warning", (4, 5): "warning", (3, 4): "critical", (1, 1): "healthy"}
    incidents = [
        replace(
            alone(None, 60, *[None] * 4, 59 if number < k else 10, severity="SEV1", service=f"{k}/{n}"),
            id=f"{k}/{n} {number}",
        )
        for k, n in expected
        for number in range(n)
    ]
    with built(TABLES, incidents) as warehouse:
        found = rows(warehouse, "SELECT DISTINCT service, status FROM mart.target_compliance WHERE service IS NOT NULL")
        assert {row["service"]: row["status"] for row in found} == {
            f"{k}/{n}": status for (k, n), status in expected.items()
        }


def test_a_miss_is_an_exact_binomial_test() -> None:
    """p against scipy's own test; q against scipy's Benjamini-Hochberg in each family; no q below 6 incidents."""
    counts = sets_of(st.integers(0, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), 80)
    counts += [(1, 2), (2, 2), (5, 5), (0, 6), (2, 6), (3, 6), (60, 1000), (50_400, 1_000_000), (1_000_000, 1_000_000)]
    misses, n = (np.array(column, dtype=np.float64) for column in zip(*counts, strict=True))
    family = np.arange(len(counts)) % 3
    p, q = missed(misses, n, family)
    for row, (k, size) in enumerate(counts):
        if size == 0:
            assert np.isnan(p[row])
            continue
        assert p[row] == pytest.approx(
            stats.binomtest(k, size, 0.05, alternative="greater").pvalue, rel=1e-6, abs=1e-300
        )
    for name in range(3):
        tested = (family == name) & (n >= 6)
        assert q[tested] == pytest.approx(stats.false_discovery_control(p[tested]), rel=1e-9, abs=1e-300)
        assert np.isnan(q[(family == name) & (n < 6)]).all()


def test_a_target_is_missed_only_where_chance_is_unlikely() -> None:
    """1 of 2, 4 of 5 and 1 of 6 late may be chance, 4 of 8 are not; a service is judged among services, not among severities."""
    expected = {"SEV1": (1, 2), "SEV2": (4, 5), "SEV3": (1, 6), "SEV4": (4, 8)}
    late_after = {"SEV1": 50, "SEV2": 200, "SEV3": 500, "SEV4": 1500}
    incidents = [
        replace(
            alone(None, 3000, *[None] * 4, 3000 - (late_after[severity] if place < k else 5), severity=severity),
            id=f"{severity} {place}",
        )
        for severity, (k, size) in expected.items()
        for place in range(size)
    ]
    with built(TABLES, incidents) as warehouse:
        found = rows(warehouse, "FROM mart.target_compliance WHERE window_start IS NULL ORDER BY severity")
        whole = {row["severity"]: row for row in found if row["service"] is None}
        assert {name: (row["breached"], row["incidents_count"]) for name, row in whole.items()} == expected
        assert [row["status"] for row in whole.values()] == ["critical", "critical", "warning", "critical"]
        assert [row["low_n"] for row in whole.values()] == [True, True, False, False]
        assert [row["miss_q"] is None for row in whole.values()] == [True, True, False, False]
        assert [row["is_missed"] for row in whole.values()] == [False, False, False, True]
        p = stats.binomtest(4, 8, 0.05, alternative="greater").pvalue
        assert whole["SEV4"]["miss_q"] == pytest.approx(2 * p), "two severities have enough incidents"


def test_outliers_are_never_excluded() -> None:
    """An incident of three weeks is no data for a mean without outliers, but it did miss its target."""
    incidents = [alone(None, 21 * 1440, *[None] * 4, 5, severity="SEV4")]
    with built((*TABLES, "facts.population"), incidents) as warehouse:
        assert rows(warehouse, "SELECT DISTINCT population FROM facts.population WHERE calculation_type = 'basic'") == [
            {"population": "outlier"}
        ]
        row = rows(warehouse, "FROM mart.target_compliance WHERE severity = 'SEV4' AND window_start IS NULL")[0]
        assert (row["breached"], row["compliance_pct"]) == (1, 0.0)


def test_a_stamp_that_a_source_never_tells_is_no_breach() -> None:
    """A pager does not close records: none of its incidents waits for the end of the closure phase."""
    pager = [Incident("p", alone(None, 9000, 8000, None, None, None, 7000).stamps, source="pagerduty")]
    ticket = [
        Incident("t", alone(None, 9000, 8000, None, None, None, 7000).stamps, source="jira"),
        Incident("u", alone(None, 9000, 8000, None, None, None, 7000, 6999).stamps, source="jira"),
    ]
    file = {"targets": {"phases": {"closure": 60}}}
    with built(("mart.phase_compliance",), pager + ticket, file) as warehouse:
        (row,) = rows(warehouse, "FROM mart.phase_compliance WHERE severity IS NULL AND window_start IS NULL")
        assert (row["within_target"], row["open_breached"], row["not_measured"]) == (1, 1, 1)
    assert (ACKNOWLEDGED, CLOSED) == (2, 7)


def test_a_record_that_is_over_waits_for_no_close() -> None:
    """Resolved and never closed: its closure has no end, as full_recovery says of the same incident."""
    file = {"targets": {"phases": {"closure": 60}}}
    tickets = [
        Incident("resolved lately", alone(None, 90, 80, None, None, None, 30).stamps, source="jira"),
        Incident("resolved long ago", alone(None, 9000, 8000, None, None, None, 7000).stamps, source="jira"),
        Incident("closed", alone(None, 9000, 8000, None, None, None, 7000, 6999).stamps, source="jira"),
    ]
    with built((), tickets, file) as warehouse:
        warehouse.con.execute("UPDATE mart.incidents SET status = 'resolved' WHERE closed_at IS NULL")
        for model in needed(("mart.phase_compliance",)):
            warehouse.build(model)
        (row,) = rows(warehouse, "FROM mart.phase_compliance WHERE severity IS NULL AND window_start IS NULL")
        assert [row[name] for name in ("within_target", "pending", "open_breached", "not_measured")] == [1, 0, 0, 2]


def test_wilson_limits() -> None:
    """The macros and the reference against scipy."""
    counts = sets_of(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), 60)
    counts += [(0, 1), (1, 1), (0, 1_000_000), (999_999, 1_000_000), (1_000_000, 1_000_000)]
    with built(("core.targets",), []) as warehouse:
        for k, n in counts:
            oracle = stats.binomtest(k, n).proportion_ci(confidence_level=0.95, method="wilson")
            (row,) = rows(
                warehouse, "SELECT 100 * wilson_low(?, ?) AS low, 100 * wilson_high(?, ?) AS high", [k, n, k, n]
            )
            assert (row["low"], row["high"]) == pytest.approx(
                (100 * oracle.low, 100 * oracle.high), rel=1e-9, abs=1e-12
            )
            assert wilson(k, n) == pytest.approx((row["low"], row["high"]), rel=1e-9, abs=1e-12)
        assert rows(warehouse, "SELECT wilson_low(0, 0) AS low, wilson_high(0, 0) AS high") == [
            {"low": None, "high": None}
        ]


def test_from_records_to_tables(tmp_path: Path) -> None:
    """Through the real door: imported records, a configuration with everything in it, and every promise of every table."""
    lines: list[dict[str, Any]] = [
        {
            "external_id": f"R-{number}",
            "title": f"record {number}",
            "url": f"https://status.example.test/{number}",
            "severity": f"SEV{number % 4 + 1}",
            "service": ("checkout", "Checkout API", None)[number % 3],
            "detected_at": (AS_OF - timedelta(days=number)).isoformat(),
            "acknowledged_at": (AS_OF - timedelta(days=number) + timedelta(minutes=7)).isoformat(),
            **(
                {"resolved_at": (AS_OF - timedelta(days=number) + timedelta(minutes=90)).isoformat()}
                if number % 5
                else {}
            ),
        }
        for number in range(1, 40)
    ]
    source = tmp_path / "records.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    file = {
        "services": {"checkout": {"aliases": ["Checkout API"], "team": "Payments"}},
        "targets": {"services": {"Checkout API": {"SEV1": 100}}, "phases": {"acknowledgment": 7}},
        "variants": {"taken": {"start": "detected_at", "end": "acknowledged_at"}},
    }
    settings = settings_for(tmp_path, file)
    landing = Landing(tmp_path / "landing")
    import_files([source], landing, "run")
    warehouse = Warehouse(tmp_path / "work.duckdb", settings, AS_OF, "run")
    try:
        warehouse.load(landing)
        for model in default_catalog():
            warehouse.build(model)
            assert [check for check in warehouse.check(model) if not check.passed] == [], model.table
        row = rows(
            warehouse,
            "FROM mart.target_compliance WHERE severity = 'SEV1' AND service = 'checkout' AND window_start IS NULL",
        )[0]
        assert (row["target_minutes"], row["team"], row["within_target"]) == (100.0, "Payments", row["resolved_count"])
        taken = rows(
            warehouse, "SELECT DISTINCT mttr FROM mart.trend WHERE calculation_type = 'taken' AND analyzed_count > 0"
        )
        assert taken == [{"mttr": 7.0}]
        acks = rows(
            warehouse,
            "SELECT DISTINCT within_target = incidents_count AS ok, at_risk > 0 AS close FROM mart.phase_compliance",
        )
        assert acks == [{"ok": True, "close": True}]
        links = rows(
            warehouse, "SELECT count(*) AS n FROM mart.target_breaches WHERE url LIKE 'https://status.example.test/%'"
        )
        assert links[0]["n"] > 0
    finally:
        warehouse.close()
