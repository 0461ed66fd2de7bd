"""Sentences of the page and of its findings that no other test shows: each where it is true, and not elsewhere."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mart_cases import alone, built
from report_cases import Reader, ago, incident, rendered
from support import AS_OF, build_all, door, land_custom, open_warehouse, rows
from test_change_sentences import CHANGE, card, plain

from mttr_pipeline import reports
from mttr_pipeline.config.terms import LINK_REASONS
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.metrics.survival import curves
from mttr_pipeline.reports.members import MemberDetails
from mttr_pipeline.reports.page import changes, charts, names, verdict

# -- findings ----------------------------------------------------------------------------------------------------------


def _pager(name: str, **more: Any) -> dict[str, Any]:
    """A PagerDuty incident that began ten days ago and took an hour."""
    given = {"id": name, "incident_number": 1, "status": "resolved", "urgency": "low", "priority": {"summary": "SEV1"}}
    return {**given, "created_at": ago(days=10), "resolved_at": ago(days=10, hours=-1), **more}


def _entry(number: int, kind: str, of: str, **before: float) -> dict[str, Any]:
    agent = {"type": "user_reference", "summary": "ana"}
    return {
        "id": f"E{number}",
        "type": f"{kind}_log_entry",
        "created_at": ago(**before),
        "incident": {"id": of},
        "agent": agent,
    }


def _record(name: str, **more: Any) -> dict[str, Any]:
    return incident(name, days=5, minutes=30, **{"team": "crew", "acknowledged_at": ago(days=5, minutes=-5), **more})


CLEAN = (
    [_record("fine")],
    {"incidents": [_pager("P")], "log_entries": [_entry(1, "trigger", "P", days=10)]},
    {},
)
TROUBLE = (
    [
        _record("root"),
        _record("twin", duplicate_of="root"),
        _record("lost", duplicate_of="nobody"),
        _record("round", duplicate_of="about"),
        _record("about", duplicate_of="round"),
        _record("drill", kind="test"),
        _record("closed", resolved_at=None, closed_at=ago(days=4)),
        _record("late", acknowledged_at=ago(days=4)),
        _record("nobody's", service=None, team=None),
        _record("flicker", acknowledged_at=None, resolution_kind="integration"),
        _record("no severity", severity=None),
    ],
    {
        "incidents": [
            _pager("P"),
            _pager("urgent", priority=None, urgency="high"),
            _pager(
                "open there", status="acknowledged", resolved_at=None, last_status_change_at=ago(days=10, minutes=-1)
            ),
            _pager("touched"),
        ],
        "log_entries": [
            _entry(1, "trigger", "P", days=10),
            _entry(2, "conjure", "P", days=10),
            _entry(3, "trigger", "older than the history", days=900),
            _entry(4, "resolve", "open there", days=9),
            _entry(5, "resolve", "touched", days=10, hours=-1),
            _entry(6, "trigger", "touched", days=8),
        ],
    },
    {
        "deleted_between_list_and_detail": 2,
        "audit_answers_not_believed": 3,
        "incidents_missed_before": 4,
        "teams_not_in_plan": 1,
        "teams_not_readable": 1,
        "pulls_by_a_clock_ahead": 1,
        "records_removed_for_their_age": 7,
        "alerts_left_out_by_alertmanager": 5,
        "projects_not_readable": 2,
        "deployments_not_compared": 3,
        "deployments_without_an_hour_of_finish": 4,
        "cdevents_that_are_no_deploys": 8,
        "repositories_not_readable": 2,
        "repositories_named_twice": 1,
        "commits_not_readable": 1,
        "deployments_not_comparable": 6,
        "comparisons_cut": 2,
        "release_deploys_not_readable": 5,
        "releases_without_readable_commits": 3,
        "linked_alerts_not_readable": 1,
        "issues_without_linked_alerts": 3,
        "linked_alerts_postponed": 9,
        "something_new": 6,
    },
)
#: Finding and source -> n, in the history with trouble. In the clean one there is no such row, or it counts nothing.
COUNTED = {
    ("merged_duplicates", "custom"): 1,
    ("duplicate_of_unknown", "custom"): 1,
    ("duplicate_in_circle", "custom"): 2,
    ("non_incident", "custom"): 1,
    ("imputed_resolve", "custom"): 1,
    ("acknowledged_after_resolve", "custom"): 1,
    ("without_service", "custom"): 1,
    ("without_team", "custom"): 1,
    ("auto_resolved", "custom"): 1,
    ("noise", "custom"): 1,
    ("severity_by_default", "custom"): 1,
    ("severity_by_urgency", "pagerduty"): 1,
    ("unknown_event_type", "pagerduty"): 1,
    ("event_without_record", "pagerduty"): 1,
    ("open_at_source", "pagerduty"): 1,
    ("contradicted_by_source", "pagerduty"): 1,
    ("deleted_between_list_and_detail", "pagerduty"): 2,
    ("audit_answers_not_believed", "pagerduty"): 3,
    ("incidents_missed_before", "pagerduty"): 4,
    ("teams_not_in_plan", "pagerduty"): 1,
    ("teams_not_readable", "pagerduty"): 1,
    ("pulls_by_a_clock_ahead", "pagerduty"): 1,
    ("records_removed_for_their_age", "pagerduty"): 7,
    ("alerts_left_out_by_alertmanager", "pagerduty"): 5,
    ("projects_not_readable", "pagerduty"): 2,
    ("deployments_not_compared", "pagerduty"): 3,
    ("deployments_without_an_hour_of_finish", "pagerduty"): 4,
    ("cdevents_that_are_no_deploys", "pagerduty"): 8,
    ("repositories_not_readable", "pagerduty"): 2,
    ("repositories_named_twice", "pagerduty"): 1,
    ("commits_not_readable", "pagerduty"): 1,
    ("deployments_not_comparable", "pagerduty"): 6,
    ("comparisons_cut", "pagerduty"): 2,
    ("release_deploys_not_readable", "pagerduty"): 5,
    ("releases_without_readable_commits", "pagerduty"): 3,
    ("linked_alerts_not_readable", "pagerduty"): 1,
    ("issues_without_linked_alerts", "pagerduty"): 3,
    ("linked_alerts_postponed", "pagerduty"): 9,
    ("something_new", "pagerduty"): 6,
    ("audit_windows_postponed", "pagerduty"): 2,
}
OF_THE_NEWEST_PULL = {
    *(
        "audit_answers_not_believed",
        "teams_not_in_plan",
        "teams_not_readable",
        "projects_not_readable",
        "repositories_not_readable",
        "repositories_named_twice",
        "commits_not_readable",
        "release_deploys_not_readable",
        "linked_alerts_not_readable",
        "issues_without_linked_alerts",
        "linked_alerts_postponed",
        "audit_windows_postponed",
    ),
}


def _checks(folder: Path, history: Any, pulls: int = 1) -> dict[tuple[str, str], dict[str, Any]]:
    """The findings after so many pulls, of which only the first has something to report."""
    custom, pagerduty, facts = history
    landing = Landing(folder / "landing")
    land_custom(landing, custom)
    for number in range(pulls):
        extract = landing.begin("pagerduty", f"pull-{number}", {"number": number})
        for stream, payloads in pagerduty.items() if number == 0 else ():
            extract.land(stream, "all", (json.dumps(payload).encode() for payload in payloads))
        if number == 0 and facts:
            extract.facts |= {"counts": facts, "audit": {"postponed": {"incidents": ["a", "b"]}}}
        extract.finish(AS_OF)
    warehouse = open_warehouse(folder, after_nothing=True)
    try:
        warehouse.load(landing)
        build_all(warehouse, ["mart.data_quality"])
        return {(row["dq_check"], row["source"]): row for row in rows(warehouse.con, "FROM mart.data_quality")}
    finally:
        warehouse.close()


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[tuple[str, str], dict[str, Any]]]:
    return {
        "trouble": _checks(tmp_path_factory.mktemp("trouble"), TROUBLE),
        "clean": _checks(tmp_path_factory.mktemp("clean"), CLEAN),
        "next night": _checks(tmp_path_factory.mktemp("night"), TROUBLE, pulls=2),
    }


@pytest.mark.parametrize("key", COUNTED, ids=lambda key: key[0])
def test_a_finding_counts_its_cause_and_nothing_without_it(checks: Any, key: tuple[str, str]) -> None:
    """A finding that nothing causes would be a false alarm; one that misses its cause, a false calm."""
    assert checks["trouble"][key]["n"] == COUNTED[key]
    assert checks["trouble"][key]["status"] in ("info", "warn")
    assert checks["clean"].get(key, {"n": 0})["n"] == 0
    assert (key in checks["next night"]) is (key[0] not in OF_THE_NEWEST_PULL), "what holds for one pull ends with it"


def test_each_report_of_a_pull_has_its_own_words(checks: Any) -> None:
    """A number that nobody explains has at least a name."""
    said = {name: row["meaning"] for (name, _), row in checks["trouble"].items()}
    assert said["something_new"] == "reported by the pulls"
    assert "Alertmanager cut" in said["alerts_left_out_by_alertmanager"]
    assert "scope read_api" in said["projects_not_readable"]
    assert "no lead time" in said["deployments_not_compared"]
    assert "to the hour" in said["deployments_without_an_hour_of_finish"]
    assert "they are no deploys" in said["cdevents_that_are_no_deploys"]
    assert "`mttr doctor` names them" in said["repositories_not_readable"]
    assert "each is read once" in said["repositories_named_twice"]
    assert "Contents (read)" in said["commits_not_readable"]
    assert "the branch was rewritten" in said["deployments_not_comparable"]
    assert "more commits than are read" in said["comparisons_cut"]
    assert "scope project:releases" in said["release_deploys_not_readable"]
    assert "no lead time" in said["releases_without_readable_commits"]
    assert "may count twice" in said["linked_alerts_not_readable"]
    assert "no incidents of Jira Service Management" in said["issues_without_linked_alerts"]
    assert "the next runs read them" in said["linked_alerts_postponed"]
    assert "the vendor's plan" in said["teams_not_in_plan"]
    assert "only the audit found" in said["incidents_missed_before"]


# -- change and shift --------------------------------------------------------------------------------------------------

UNDECIDED = {"verdict": "no detectable change", "q": 0.4}


@pytest.mark.parametrize(
    ("finding", "said", "silent"),
    [
        (
            {"verdict": "not enough data", "n": 5, "q": None},
            ["n = 5, and 50 in the previous 30 days.", "Each period needs at least 6."],
            ["None of these", "Log-rank", "duration of incidents"],
        ),
        (
            {"verdict": "not enough data", "n": 6, "q": None},
            ["n = 6, and 50 in the previous 30 days.", "None of these is known to have recovered."],
            ["Each period", "Log-rank", "duration of incidents"],
        ),
        (
            {**UNDECIDED, "smallest_detectable_ratio": 1.8},
            ["likely to be detected only if the recovery rate rises or falls by a factor of at least 1.80."],
            ["opposite directions", "Typical recovery:", "Each period"],
        ),
        (
            {**UNDECIDED, "smallest_detectable_ratio": None},
            ["Log-rank test of all durations: q = 0.40 (n = 40, and 50 in the previous 30 days)."],
            ["likely to be detected", "Typical recovery:"],
        ),
        (
            {"is_mixed": True},
            ["Most incidents and the longest ones changed in opposite directions."],
            ["Shorter and longer", "Typical recovery:", "likely to be detected"],
        ),
        (
            {"is_mixed": True, "previous_km_median": 21.0, "previous_km_median_low": 16.0, "km_median_high": 27.0},
            ["Shorter and longer incidents changed in opposite directions."],
            ["Most incidents and", "Typical recovery:", "likely to be detected"],
        ),
        (
            {},
            ["Typical recovery: 20 min, and 1 h in the previous 30 days.", "times that of the previous 30 days"],
            ["opposite directions", "likely to be detected", "Each period", "None of these"],
        ),
    ],
)
def test_the_card_of_the_change_gives_the_reason_of_its_verdict(
    finding: dict[str, Any], said: list[str], silent: list[str]
) -> None:
    """Each reason belongs to one verdict, and to no other."""
    text, _ = card({**CHANGE, **finding}, "faster")
    assert [sentence for sentence in said if sentence not in text] == []
    assert [sentence for sentence in silent if sentence in text] == []


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("faster", "recovery is faster"),
        ("slower", "recovery is slower"),
        ("no detectable change", "there is no detectable change"),
        ("not enough data", "there is not enough data"),
    ],
)
def test_the_other_verdict_is_named_where_it_hangs_on_abandoned_incidents(verdict: str, said: str) -> None:
    """And only there."""
    change = {**CHANGE, "n_abandoned": 2, "verdict_without_abandoned": verdict}
    text = plain(changes.sentence({**change, "hangs_on_abandoned": True}))
    assert f"(2 of the last 30 days and 0 of the 30 days before). Without them {said}." in text
    assert "Without them" not in plain(changes.sentence(change))


SHIFT = {
    "shift": "faster",
    "shift_at": "2026-05-01T00:00:00Z",
    "shift_q": 0.01,
    "n": 90,
    "n_events": 80,
    "before_median_minutes": 60.0,
    "after_median_minutes": 20.0,
}
SINCE = [
    ({}, "Typical recovery is 20 min, and was 1 h before."),
    (
        {"after_median_minutes": 60.0},
        "Typical recovery is 1 h, and was 1 h before: this figure alone does not show it, all durations together do.",
    ),
    (
        {"before_median_minutes": None, "after_median_minutes": None},
        "Typical recovery is not reached on either side of that date.",
    ),
    (
        {"before_median_minutes": None},
        "From it, typical recovery is 20 min; before it, fewer than half of the incidents are known to have recovered.",
    ),
    (
        {"after_median_minutes": None},
        "Before it, typical recovery is 1 h; from it, fewer than half of the incidents are known to have recovered.",
    ),
]


@pytest.mark.parametrize(("finding", "sentence"), SINCE)
def test_a_date_stands_beside_the_typical_recovery_of_both_sides(finding: dict[str, Any], sentence: str) -> None:
    """One sentence of the five, after the date with its q and n."""
    text = plain(changes.since({**SHIFT, **finding}))
    assert text == f"Since about 1 May 2026, recovery is faster (q = 0.010, n = 90, of which 80 recovered). {sentence}"


# -- the top of the page -----------------------------------------------------------------------------------------------

NOW: dict[str, Any] = {
    "incidents_matched": 30,
    "n_events": 25,
    "n_open": 5,
    "n_before_history": 0,
    "low_n": False,
    "km_median": 20.0,
    "km_median_low": 10.0,
    "km_median_high": 40.0,
    "km_p90": 90.0,
    "km_p90_low": 60.0,
    "km_p90_high": None,
    "longest_minutes": 500.0,
}
FEW = {"low_n": True, "n_events": 0, "n_open": 0}
TOO_FEW = "Too few incidents of the last 30 days have recovered to state a typical recovery time: "
LEADS = [
    ({}, "Half of the incidents of the last 30 days were resolved within 20 min, and nine in ten within 1 h 30 min. "),
    ({"km_p90": None}, "Half of the incidents of the last 30 days were resolved within 20 min. "),
    ({"n_events": 9}, "Half of the incidents of the last 30 days were resolved within 20 min. "),
    (
        {"km_median": None, "km_p90": None},
        "Fewer than half of the incidents of the last 30 days are known to have recovered. "
        "Typical recovery takes more than 8 h 20 min.",
    ),
    ({"low_n": True, "n_events": 4, "incidents_matched": 9}, f"{TOO_FEW}4 recovered, 5 still open or timed out."),
    (
        {"low_n": True, "n_events": 4, "incidents_matched": 12},
        f"{TOO_FEW}4 recovered, 5 still open or timed out, 3 without a usable duration.",
    ),
    (
        {"low_n": True, "n_events": 4, "incidents_matched": 11, "n_before_history": 2},
        f"{TOO_FEW}4 recovered, 5 still open or timed out, 2 from before the complete history left out.",
    ),
    (FEW, f"{TOO_FEW}30 incidents, none with a usable duration."),
    (
        {**FEW, "n_before_history": 30},
        f"{TOO_FEW}30 incidents, 30 left out because they began before the complete history of their source.",
    ),
    ({"incidents_matched": 0}, "No incidents started in the last 30 days."),
    ({"whole": 0, "incidents_matched": 0}, "There are no incidents to report."),
]


@pytest.mark.parametrize(("finding", "sentence"), LEADS)
def test_the_first_sentence_is_the_one_that_is_true(finding: dict[str, Any], sentence: str) -> None:
    """The whole of it: nothing else is said about the recovery."""
    now = {**NOW, **finding}
    whole = {"incidents_matched": finding.get("whole", 99)}
    change = {**CHANGE, "verdict": "no detectable change"}
    said = plain(verdict.lead({"recovery": {"current": now, "whole": whole}, "change": change}))
    followed = "There is no detectable change from the previous 30 days." if sentence.startswith("Half") else ""
    assert said == sentence + followed


@pytest.mark.parametrize(
    ("low", "high", "longest", "said"),
    [
        (10.0, 40.0, 500.0, "10 min to 40 min"),
        (10.0, None, 500.0, "from 10 min"),
        (None, 40.0, 500.0, "up to 40 min"),
        (None, None, 500.0, "none (too few incidents)"),
        (None, None, 20.0, "none (most durations are equal)"),
    ],
)
def test_limits_that_do_not_exist_say_why(low: float | None, high: float | None, longest: float, said: str) -> None:
    row = {**NOW, "km_median_low": low, "km_median_high": high, "longest_minutes": longest}
    assert plain(verdict.limits(row, "km_median")) == said


CARDS = [
    (
        {},
        ["20 min", "95 % limits: 10 min to 40 min", "25 recovered, 5 still open or timed out"],
        ["1 h 30 min", "from 1 h"],
    ),
    (
        {"low_n": True, "n_events": 4},
        ["not enough data (n = 4)", "4 recovered, 5 still open or timed out"],
        ["not enough data (n = 4)", "Shown when at least 10 incidents have recovered."],
    ),
    (
        {"km_median": None, "km_p90": None},
        ["> 8 h 20 min", "Fewer than half are known to have recovered."],
        ["not reached", "Fewer than nine in ten are known to have recovered."],
    ),
]


@pytest.mark.parametrize(("finding", "typical", "bad_day"), CARDS)
def test_the_cards_of_recovery_show_what_there_is(
    documents: dict[str, Any], finding: dict[str, Any], typical: list[str], bad_day: list[str]
) -> None:
    """A figure, or the reason why there is none, and what belongs to the others does not stand there."""
    summary = copy.deepcopy(documents["summary"])
    summary["recovery"]["current"] |= {**NOW, **finding}
    shown = verdict.cards({**documents, "summary": summary})
    reasons = {said for _, *pair in CARDS for texts in pair for said in texts if said.endswith(".")}
    for card_, said, title in zip(shown, (typical, bad_day), ("Typical recovery", "Bad day"), strict=False):
        text = " ".join([plain(card_.figure), *map(plain, card_.texts)]).replace("&gt;", ">")
        assert card_.title.startswith(title)
        assert [each for each in said if each not in text] == []
        assert [each for each in reasons - set(said) if each in text] == []


def _week(day: int, **more: Any) -> dict[str, Any]:
    start = f"2026-10-{day:02d}T00:00:00Z"
    return {**NOW, "window_start": start, "incident_count": 30, "immature": False, "is_partial": False, **more}


def test_the_marks_of_the_trend_are_what_its_caption_says() -> None:
    """A dot for a typical recovery, a line for its limits, an arrow where they go on or nothing is known, nothing for few."""
    weeks = [
        _week(5),
        _week(6, km_median_high=None, immature=True),
        _week(7, km_median=None, km_median_low=30.0, km_median_high=None, is_partial=True),
        _week(8, low_n=True),
        _week(9, km_median_high=9000.0, incident_count=33),
    ]
    drawn = json.dumps(charts.trend(weeks)(900).to_dict(validate=False))
    start = drawn.index('[{"week"')
    marks = json.loads(drawn[start : drawn.index("}]", start) + 2])
    assert [("recovery" in mark, "beyond" in mark, "low" in mark) for mark in marks] == [
        (True, False, True),
        (True, True, True),
        (False, True, True),
        (False, False, False),
        (True, True, True),
    ]
    assert [mark["immature"] for mark in marks] == [False, True, False, False, False]
    assert [mark["is_partial"] for mark in marks] == [False, False, True, False, False]
    assert [mark.get("not in typical recovery") for mark in marks] == [0, 0, 0, 0, 3]
    few = json.dumps(charts.trend(weeks[:4])(900).to_dict(validate=False))
    assert ['"not in typical recovery"]' in each for each in (drawn, few)] == [True, False], "in the legend"
    assert "datum.immature" in drawn and "datum.is_partial" in drawn


# -- the page ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Forty incidents of two hours with every phase, of three services; one of the services had none in the last 30 days."""
    history = [
        incident(
            f"i{number}",
            days=(number if number < 24 else 31 + number) + 1,
            minutes=120,
            service="old" if number >= 24 else f"service {number % 2}",
            acknowledged_at=ago(days=(number if number < 24 else 31 + number) + 1, minutes=-20),
            mitigated_at=ago(days=(number if number < 24 else 31 + number) + 1, minutes=-110),
        )
        for number in range(40)
    ]
    with door(tmp_path_factory.mktemp("page"), history) as warehouse:
        return reports.documents(warehouse.con)


def text_of(page: str) -> str:
    """Text and labels of charts; a figure and the sign after it stand together."""
    reader = Reader(page)
    text = " ".join([reader.text, *(svg["aria-label"] or "" for svg in reader.all("svg"))])
    return re.sub(r" ([.,;:)])", r"\1", text).replace("( ", "(")


def _nothing(found: dict[str, Any]) -> None:
    """No level is reached, no source is pulled, nothing is to do, nothing has a target or an outcome, no week has an incident."""
    found["bottlenecks"]["last_30_days"] = []
    found["bottlenecks"]["opportunities"] = []
    found["data_quality"]["sources"] = []
    for row in found["data_quality"]["findings"]:
        row["status"] = "ok"
    for row in found["compliance"]["targets"]:
        row |= {"incidents_count": 0, "within_target": 0, "compliance_pct": None}
    found["compliance"]["phases"] = []
    for row in found["trend"]["windows"]:
        row |= {"incident_count": 0, "n_events": 0, "n_open": 0, "low_n": True}
    for name in ("severity", "service", "team"):
        for row in found["comparisons"][name]:
            row |= {"incidents_matched": 0} if row["window_start"] else {}
    for row in found["comparisons"]["downtime"]:
        row["n"] = 1
    found["summary"]["change"] |= {"verdict": "not enough data", "q": None}


def _something(found: dict[str, Any]) -> None:
    """The opposite; and one bottleneck of few incidents, one with a long tail, more abandoned incidents than are listed."""
    rows_of = found["bottlenecks"]["last_30_days"]
    whole = [row for row in rows_of if row["scope"] == "all"]
    assert {row["phase"] for row in whole} >= {"acknowledgment", "investigation"}
    for row in whole:
        row |= {"low_n": True, "n": 4} if row["phase"] == "acknowledgment" else {"tail_driven": True}
    (best,) = (row for row in found["bottlenecks"]["opportunities"] if row["scope"] == "all" and row["window_start"])
    best |= {"avoidable_minutes": 100.0, "warning_minutes": 15.0}
    found["data_quality"]["sources"] = [
        {"source": "pager", "status": "complete", "error": None, "data_as_of": found["summary"]["as_of"]}
    ]
    found["data_quality"]["findings"][0] |= {"status": "warn", "examples": ["a", "b"]}
    found["compliance"]["phases"] = [
        {**row, "phase": "acknowledgment", "severity": None}
        for row in found["compliance"]["targets"]
        if row["service"] is None
    ]
    found["comparisons"] |= {
        "abandoned_count": 25,
        "abandoned_incidents": [
            {
                **dict.fromkeys(("title", "key", "external_id", "service"), "x"),
                "url": None,
                "severity": "SEV2",
                "age_days": 9.0,
                "quiet_days": 9.0,
                "last_event_at": found["summary"]["as_of"],
                "records": [],
            }
        ]
        * 20,
    }
    found["summary"]["change"] |= {**CHANGE}
    both = {"source": "pager", "other_source": "tickets", "records": 40, "incidents": 20, "joined": 20}
    found["data_quality"]["correlation"] = [
        {**both, "scope": "all", "source": "all", "other_source": None, "records": 60},
        {**both, "scope": "pair"},
    ]
    named = dict.fromkeys(
        ("title", "key", "external_id", "other_title", "other_key", "other_external_id", "service"), "x"
    )
    named |= {"source": "pager", "other_source": "tickets", "url": None, "other_url": None, "minutes_apart": 30.0}
    found["data_quality"]["suggested_links"] = [
        {**named, "detected_at": found["summary"]["as_of"], "similarity": None, "reason": "large_group"}
    ]
    stamps = {"chosen_source": "pager", **dict.fromkeys(("chosen_at", "other_at"), found["summary"]["as_of"])}
    found["data_quality"]["conflicts"] = [{**named, **stamps, "stamp": "root_cause_found_at"}]
    record = {"source": "tickets", "external_id": "x", "key": "OPS-1", "title": None, "url": None, "role": "member"}
    for row in found["comparisons"]["abandoned_incidents"]:
        row["records"] = [{**record, "link_reason": reason} for reason in (None, *LINK_REASONS, "chosen")]


OPPOSITES = [
    ("No phase reaches its warning level.", "The mean is 1 h 30 min and the median is 1 h 30 min (n = 24)."),
    (None, "The median is below the warning level: a few long incidents drive the mean."),
    (None, "Not enough data (n = 4). The mean of 20 min reaches the critical level of 10 min."),
    (None, "Review these incidents one by one before you change anything."),
    (None, "What helps most with investigation"),
    (None, "If it had never taken longer than 15 min, 1 h 40 min would have been saved."),
    ("No source is pulled. Incidents are only imported or received.", "All sources are fresh: data as of"),
    ("There are no findings to act on.", "Findings to act on"),
    ("No data: no incident of the last 90 days has both a target and an outcome.", "Incidents within their target"),
    ("No incident has both a target and an outcome.", "Within target: SEV2 40 of 40."),
    (None, "Chart of the share of incidents within target. SEV2: "),
    (None, "Phases within their target, last 90 days"),
    ("No incidents started in the last 90 days.", "Last 90 days by week"),
    (None, "Chart of 13 weeks with 40 incidents. Typical recovery in the week of"),
    (None, "Weeks with open incidents: 0."),
    (
        "No incidents started in the last 30 days.",
        "1 other service had no incident in the last 30 days and is not listed.",
    ),
    (None, "1 other service had no incident in this time and is not listed."),
    (None, "25 open incidents have had neither an event nor an update at the vendor for 7 days."),
    (None, "These 20 have been quiet for the longest time; the table abandoned_incidents lists all."),
    (None, "How this was tested"),
    (None, "60 records make 20 incidents, because records that are linked count once."),
    (None, "An episode of a record counts as a record."),
    (None, "Incidents that two sources have records of sources records incidents pager and tickets 40 20"),
    (None, "Two linked incidents stay two where the link may stand in a list or a template, or would make"),
    (None, "a link to many"),
    (None, "Timestamps that differ between sources"),
    (None, "Timestamps on which two sources disagree"),
    (None, "Two sources of one incident of the last 90 days disagree by more than 15 minutes."),
    (None, "Figures use what stands in the column \u201cused\u201d."),
    (None, "root cause found pager, "),
    (
        None,
        "Records: tickets OPS-1, tickets OPS-1 (tool's own link), tickets OPS-1 (by address), tickets OPS-1 (by key)",
    ),
    (None, "OPS-1 (by a note), tickets OPS-1 (same alert), tickets OPS-1 (by decision)"),
]


def test_the_page_says_what_is_there_and_nothing_of_what_is_not(documents: dict[str, Any]) -> None:
    """One page of much and one of nothing: of each pair the one sentence on the one, the other on the other."""
    texts = []
    for change in (_nothing, _something):
        found = copy.deepcopy(documents)
        change(found)
        texts.append(text_of(reports.render(found)))
    empty, full = texts
    assert [said for _, said in OPPOSITES if said not in full] == []
    assert [said for _, said in OPPOSITES if said in empty] == []
    assert [said for said, _ in OPPOSITES if said and said not in empty] == []
    assert [said for said, _ in OPPOSITES if said and said in full] == []


@pytest.mark.parametrize("has_outliers", [True, False])
def test_the_reason_for_no_shift_and_no_direction_is_the_one_that_holds(has_outliers: bool, tmp_path: Path) -> None:
    """Of twenty incidents with few recoveries the recoveries are missing, of nineteen the incidents; of neither both."""
    recovered = 9 if has_outliers else 19
    history = [
        incident(f"i{n}", days=n + 1, minutes=30 if n < recovered else None) for n in range(20 if has_outliers else 19)
    ]
    with door(tmp_path, history, only=["mart.directions"]) as warehouse:
        (row,) = rows(
            warehouse.con,
            "FROM mart.directions WHERE scope = 'all' AND calculation_type = 'basic' AND window_start IS NULL",
        )
    assert row["shift_reason"] == (
        "9 incidents have recovered; 10 are needed" if has_outliers else "19 incidents; 20 are needed"
    )
    assert row["direction_reason"].endswith("full weeks have 6 incidents and a median; 8 are needed")


@pytest.mark.parametrize(("model", "minutes"), [("coarse", 60), ("lifecycle", 60), ("coarse", 40), ("lifecycle", 40)])
def test_advice_for_investigation_ends_where_the_phase_ends(model: str, minutes: int) -> None:
    """In the coarse model it ends with the mitigation: nobody knows how much of it went into finding the cause."""
    incidents = [alone(None, 500, 499, None, 499 - minutes, 499 - minutes, 60, number=number) for number in range(6)]
    with built(["mart.bottlenecks"], incidents, {"phase_model": model}) as warehouse:
        query = "SELECT level, recommendation FROM mart.bottlenecks WHERE scope = 'all' AND phase = 'investigation'"
        (found, *_) = warehouse.con.execute(query).fetchall()
    cause = "Finding the cause" if model == "lifecycle" else "Finding the cause and restoring service"
    long = "takes very long. Invest in" if minutes == 60 else "takes long. Write runbooks"
    assert found[0] == ("critical" if minutes == 60 else "warning")
    assert found[1].startswith(f"{cause} {long}")


# -- the pages beside the main one -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def company() -> tuple[dict[str, Any], str]:
    """A company with many services: documents and main page."""
    documents, page, _ = rendered("many")
    return documents, page


def test_the_main_page_names_the_list_where_there_is_one(company: tuple[Any, str]) -> None:
    """Nothing leads to a page that was not made."""
    text = text_of(company[1])
    assert "The page All services lists every one." in text and "The page All teams" not in text
    assert "The page All" not in text_of(rendered("only old")[1])


@pytest.mark.parametrize(("services", "said"), [(names.MOST_PAGES, False), (names.MOST_PAGES + 1, True)])
def test_the_list_says_where_some_have_no_page(company: tuple[Any, str], services: int, said: bool) -> None:
    """Nobody looks for a page that is not there, and nobody is told of a limit that is not reached."""
    documents = copy.deepcopy(company[0])
    examples = [row for row in documents["comparisons"]["service"] if row["scope_value"] == "Shop!"]
    documents["comparisons"]["service"] = [
        {**row, "scope_value": f"service {number}"} for number in range(services) for row in examples
    ]
    path, page = next(iter(reports.pages(documents, {"service": {}, "team": {}})))
    text = text_of(page)
    assert path == "report/services.html"
    assert "Every service with an incident in the history, listed by name." in text
    assert ("The 5,000 with the most incidents have a page of their own." in text) is said


def test_a_member_page_has_what_its_dimension_has(company: tuple[Any, str]) -> None:
    """Targets and downtime are those of services, and a team has services. Downtime is weighted like on the main page."""
    documents = copy.deepcopy(company[0])
    teams = documents["comparisons"]["team"]
    documents["comparisons"]["team"] = teams + [
        {**row, "scope_value": f"{row['scope_value']} {n}"} for n in range(20) for row in teams
    ]
    for row in documents["comparisons"]["downtime"]:
        row |= {"downtime_minutes": 1000.0, "weighted_downtime_minutes": 300.0, "availability_pct": 99.9999}
    extra = {
        "service": {"Shop!": MemberDetails(related=["team 0"])},
        "team": {"team 0": MemberDetails(related=["Shop!"])},
    }
    pages = {path: text_of(page) for path, page in reports.pages(documents, extra)}
    shop, team = (
        next(text for path, text in pages.items() if f"{kind} {name} As of" in text)
        for kind, name in (("Service", "Shop!"), ("Team", "team 0"))
    )
    own = ["Incidents of this service within their target", "Downtime of this service", "Team: team 0"]
    assert [said for said in own if said not in shop] == [] and [said for said in own if said in team] == []
    assert "Services of this team" in team and "Services of this team" not in shop
    assert "5 h 99.9999 %" in shop and "16 h 40 min" not in shop
    assert "Change from the previous 30 days" in shop and "in the previous 30 days)" in shop


# -- definitions -------------------------------------------------------------------------------------------------------


def test_the_mean_of_twenty_often_moves_by_a_fifth() -> None:
    """With durations as they are spread in real histories (log-normal, sigma about 1), and nothing changed."""
    means = np.random.default_rng(1).lognormal(3, 1, (2, 2000, 20)).mean(axis=2)
    assert 0.5 < np.mean(np.abs(means[1] / means[0] - 1) > 0.2) < 0.8


@pytest.mark.parametrize("n", [15, 60])
def test_limits_contain_the_true_value_in_95_of_100_reports(n: int) -> None:
    """Of drawn incidents, a fifth of which are still open, with a known median."""
    draws, rng = 4000, np.random.default_rng(n)
    time, censored = rng.exponential(1 / np.log(2), (2, draws, n)) * np.array([1.0, 4.0])[:, None, None]
    observed, event = np.minimum(time, censored), time <= censored
    order = np.lexsort((~event, observed), axis=1)
    found = curves(
        np.arange(draws + 1, dtype=np.int64) * n,
        (np.take_along_axis(observed, order, 1) * 3.6e9).astype(np.int64).ravel(),
        np.take_along_axis(event, order, 1).ravel(),
    )
    low, high = np.nan_to_num(found.low_us[0.5], nan=0), np.nan_to_num(found.high_us[0.5], nan=np.inf)
    assert 0.93 < np.mean((low <= 3.6e9) & (high >= 3.6e9)) < 0.985


def test_few_incidents_give_a_wide_range() -> None:
    """And too few recoveries no upper limit."""
    even = [np.arange(1, n + 1) * 60_000_000 * 100 // n for n in (8, 80)]
    found = curves(np.array([0, 8, 88]), np.concatenate(even), np.ones(88, dtype=np.bool_))
    few, many = found.high_us[0.5] - found.low_us[0.5]
    assert few > 2 * many
    open_ = curves(np.array([0, 8]), even[0], np.arange(8) < 4)
    assert not np.isnan(open_.quantile_us[0.5][0]) and np.isnan(open_.high_us[0.5][0])
