"""What is said about the data: every finding counted, and a light that nobody has to interpret."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from mart_cases import AS_OF, NOTHING_USEFUL, alone, built, many, needed, rows
from reference_targets import Incident, quality
from rich.console import Console
from support import build_all, open_warehouse

from mttr_pipeline.cli.terminal import quality_line
from mttr_pipeline.intake.importer import import_files
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.reports import data_quality
from mttr_pipeline.reports.document import instant_text
from mttr_pipeline.warehouse.catalog import default_catalog
from mttr_pipeline.warehouse.database import Warehouse

TABLES = ("mart.data_quality", "mart.data_quality_status")
STORED = ("core.incidents", "core.incident_sources", "mart.incident_events", "mart.source_runs")


def _checks(warehouse: Warehouse) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["dq_check"], row["source"]): row for row in rows(warehouse, "FROM mart.data_quality")}


def _lights(warehouse: Warehouse) -> dict[str, str]:
    return {row["source"]: row["light"] for row in rows(warehouse, "FROM mart.data_quality_status")}


def test_what_incidents_decide() -> None:
    """Coverage, ownership, noise and decreasing stamps of drawn incidents of two sources, against plain counting."""
    incidents = [replace(one, source=("jira", "pagerduty")[number % 2]) for number, one in enumerate(many())]
    with built(TABLES, incidents) as warehouse:
        found = _checks(warehouse)
        for key, (n, total) in quality(incidents).items():
            row = found[key]
            assert (row["n"], row["total"]) == (n, total), key
            assert row["pct"] == pytest.approx(100 * n / total, rel=1e-9)
            shares = key[0].startswith(("coverage_", "owned_", "ack_rate"))
            level = "warn" if key[0] == "negative_duration" else "info"
            assert row["status"] == ("info" if shares else level if n else "ok"), key


@pytest.mark.parametrize("kind", [*NOTHING_USEFUL, "clean"])
def test_the_light_of_small_histories(kind: str) -> None:
    """Without incidents there is no data and no promise; one decreasing pair in one incident is red, nothing amiss green."""
    incidents = NOTHING_USEFUL.get(kind, [alone(10, 9, 8, 7, 6, 5, 4, 3)])
    with built(TABLES, incidents) as warehouse:
        light = {"none": "no_data", "only open": "green", "only invalid": "red", "clean": "green"}[kind]
        assert _lights(warehouse)["all"] == light
        (row,) = rows(warehouse, "FROM mart.data_quality_status WHERE source = 'all'")
        assert row["incidents"] == len(incidents)
        assert row["headline"].endswith(".")


def test_a_tenth_makes_it_red() -> None:
    """Of a hundred incidents: one that is wrong is a reservation, ten are a reason not to rely on the figures."""
    lights = {0: "green", 1: "amber", 9: "amber", 10: "red"}
    incidents = [
        Incident(f"{bad} {n}", alone(60, 59, 58, 57, 56, 55, 70 if n < bad else 54).stamps, source=f"{bad} are wrong")
        for bad in lights
        for n in range(100)
    ]
    with built(TABLES, incidents) as warehouse:
        found = {row["source"]: row for row in rows(warehouse, "FROM mart.data_quality_status")}
        for bad, light in lights.items():
            row = found[f"{bad} are wrong"]
            assert row["light"] == light, bad
            assert row["findings"] == ([f"negative_duration: {bad} of 100"] if bad else [])
        assert found["all"]["light"] == "amber"  # 20 of 400
        assert "1 are wrong negative_duration: 1 of 100" in found["all"]["findings"]


def test_a_missing_severity_changes_no_overall_figure() -> None:
    """All severities missing: the figures per severity say nothing, the overall ones are as right as before. Gone with its cause."""
    with built(TABLES, [alone(60, 59, 58, 57, 56, 55, 54, number=number) for number in range(8)]) as warehouse:
        for source, light in (("default", "amber"), ("field", "green")):
            warehouse.con.execute("UPDATE mart.incidents SET severity_source = ?", [source])
            for model in needed(TABLES):
                warehouse.build(model)
            assert _lights(warehouse) == {"all": light, "custom": light}
        (row,) = rows(warehouse, "FROM mart.data_quality_status WHERE source = 'all'")
        assert row["findings"] == []


def test_a_small_source_does_not_make_a_large_history_red() -> None:
    """Two of three tickets have their stamps out of order: their own figures are not reliable, those of all two hundred are."""
    pager = [Incident(f"p{n}", alone(60, 59, 58, 57, 56, 55, 54).stamps, source="pagerduty") for n in range(200)]
    ticket = [Incident(f"t{n}", alone(60, 59, 58, 57, 56, 55, 70).stamps, source="jira") for n in range(2)]
    ticket += [Incident("t2", alone(60, 59, 58, 57, 56, 55, 54).stamps, source="jira")]
    with built(TABLES, pager + ticket) as warehouse:
        assert _lights(warehouse) == {"all": "amber", "pagerduty": "green", "jira": "red"}
        (row,) = rows(warehouse, "FROM mart.data_quality_status WHERE source = 'all'")
        assert row["headline"].startswith("Usable, with 1 warning: jira, 2 of 3: ")


def _lasting(*days: float) -> list[Incident]:
    return [Incident(f"d{n}", alone(None, 60 * 1440, *[None] * 4, (60 - d) * 1440).stamps) for n, d in enumerate(days)]


HIDDEN = [
    ([1] * 9, 0, "ok", None),
    ([1] * 19 + [8], 1, "info", "29.6 %"),  # 5 % of the durations, 30 % of the minutes
    ([2] * 9 + [8], 1, "info", "30.8 %"),  # a tenth of the durations is not more than a tenth
    ([2] * 8 + [8], 1, "warn", "33.3 %"),  # more than a tenth
    ([1] * 19 + [19], 1, "info", "50.0 %"),  # half of the minutes is not more than half
    ([1] * 19 + [19.5], 1, "warn", "50.6 %"),  # more than half of the minutes
    ([30] * 6 + [1], 6, "warn", "99.4 %"),
    ([30] * 6 + [0.01], 6, "warn", "99.9 %"),  # not all
    ([30] * 6, 6, "warn", "100.0 %"),
]


def test_what_the_outlier_rule_hides() -> None:
    """The rule takes incidents out of every mean: more than a tenth of them, or most of the time, is a reservation."""
    incidents = [
        replace(one, id=f"{source}-{one.id}", source=f"source {source}")
        for source, (days, *_) in enumerate(HIDDEN)
        for one in _lasting(*days)
    ]
    with built(TABLES, incidents) as warehouse:
        checks, lights = _checks(warehouse), _lights(warehouse)
    for source, (days, n, status, share) in enumerate(HIDDEN):
        row = checks["outliers_left_out", f"source {source}"]
        assert (row["n"], row["total"], row["status"]) == (n, len(days), status), days
        assert (f"with {share} of all minutes" in row["meaning"]) if share else ("minutes" not in row["meaning"])
        assert ("[outliers]" in row["meaning"]) is (status == "warn")
        assert lights[f"source {source}"] == ("amber" if status == "warn" else "green"), days


def test_without_an_outlier_rule_nothing_is_hidden() -> None:
    """Whoever follows the advice, and switches the rule off or raises it, has no finding any more."""
    with built(TABLES, _lasting(30, 30, 1), {"outliers": {"enabled": False}}) as warehouse:
        assert not [key for key in _checks(warehouse) if key[0] == "outliers_left_out"]
    with built(TABLES, _lasting(30, 30, 1), {"outliers": {"hours": 1000}}) as warehouse:
        assert _checks(warehouse)["outliers_left_out", "custom"]["status"] == "ok"


def test_a_name_that_no_incident_has() -> None:
    """A target for a misspelt service is never applied: it is said, instead of being silently ignored."""
    file = {"targets": {"services": {"api": {"SEV1": 5}, "Chekcout": {"SEV1": 5}}}}
    with built(TABLES, [alone(None, 10, 9)], file) as warehouse:
        row = _checks(warehouse)["unknown_service_in_configuration", "configuration"]
        assert (row["n"], row["total"], row["status"]) == (1, 2, "warn")
        assert _lights(warehouse)["all"] == "amber"


def test_a_phase_target_that_the_model_in_force_has_no_phase_for() -> None:
    """Which model `auto` settles on is known only here: a target without effect must not look as if it were met."""
    with built(TABLES, [alone(None, 10, 9)], {"targets": {"phases": {"resolution": 10, "closure": 5}}}) as warehouse:
        row = _checks(warehouse)["phase_target_without_effect", "configuration"]
        assert (row["n"], row["total"], row["status"]) == (1, 2, "warn")


def test_what_no_figure_counts_needs_no_severity() -> None:
    """A false alarm without a severity makes no figure wrong: without any incident there is no data, and no red light."""
    with built(TABLES, [alone(None, 10, 9)]) as warehouse:
        warehouse.con.execute(
            "UPDATE mart.incidents SET kind = 'false_alarm', is_counted = false, severity_source = 'default'"
        )
        for model in default_catalog():
            if model.table in ("facts.matched", *TABLES):
                warehouse.build(model)
        assert _checks(warehouse).get(("severity_by_default", "custom")) is None
        assert _lights(warehouse)["all"] == "no_data"


_INVALID = "incidents with a stamp before one that it should follow; the duration between the two is not used."
SAID = {
    "none": " data quality  no data: There are no incidents.",
    "only open": " data quality  \N{BLACK CIRCLE} green: No data quality issues.",
    "only invalid": f" data quality  \N{BLACK DIAMOND} red: Not reliable, with 1 warning: custom, 1 of 1: {_INVALID}",
    "misspelt": " data quality  \N{BLACK UP-POINTING TRIANGLE} amber: Usable, with 1 warning: "
    "configuration, 1 of 2: services that have targets, thresholds or weights but that no incident names, perhaps misspelt.",
    "both": " data quality  \N{BLACK DIAMOND} red: "
    f"Not reliable, with 2 warnings; the most important: custom, 1 of 1: {_INVALID}",
}


@pytest.mark.parametrize("kind", SAID)
def test_the_light_in_a_terminal(kind: str) -> None:
    """Whoever starts a run sees in words whether its figures can be relied on; coloured only where there are colours."""
    misspelt = {"targets": {"services": {"api": {"SEV1": 5}, "Chekcout": {"SEV1": 5}}}}
    incidents = NOTHING_USEFUL.get(kind, NOTHING_USEFUL["only invalid"] if kind == "both" else [alone(None, 10, 9)])
    with built(TABLES, incidents, misspelt if kind in ("misspelt", "both") else None) as warehouse:
        line = quality_line(warehouse.con, plain=False)
        assert quality_line(warehouse.con, plain=True).plain == SAID[kind].encode("ascii", "ignore").decode().replace(
            "   ", "  "
        )
    assert line.plain == SAID[kind]
    for terminal in (False, True):
        console = Console(
            file=StringIO(), force_terminal=terminal, color_system="standard" if terminal else None, width=40
        )
        console.print(line, soft_wrap=True)
        shown = console.file.getvalue()
        assert ("\x1b[31m" in shown) == (terminal and "red" in line.plain)
        assert terminal or shown == SAID[kind] + "\n"


def _record(number: int, **more: Any) -> bytes:
    at = (AS_OF - timedelta(days=number)).isoformat()
    record = {"external_id": f"R-{number}", "severity": "SEV2", "detected_at": at} | more
    return json.dumps({"file": "a.jsonl", "line": number, "record": record}).encode()


@contextmanager
def _loaded(landing: Landing, folder: Path, clock: datetime = AS_OF) -> Iterator[Warehouse]:
    warehouse = open_warehouse(folder, as_of=clock, after_nothing=True)
    try:
        warehouse.load(landing)
        build_all(warehouse, (*TABLES, *STORED))
        yield warehouse
    finally:
        warehouse.close()


def test_differences_to_the_vendor_s_own_count(tmp_path: Path) -> None:
    """They are remembered until a full pull settles them, and they warn."""
    landing = Landing(tmp_path / "landing")
    for number, (mode, differences) in enumerate(
        [
            ("backfill", [{"stream": "records", "window": "all", "expected": 90, "received": 70}]),
            ("backfill", [{"stream": "records", "window": "all", "expected": 5, "received": 4}]),
            ("incremental", [{"stream": "records", "window": "all", "expected": 9, "received": 7}]),
        ]
    ):
        extract = landing.begin("custom", f"run-{number}", {"mode": mode, "number": number})
        extract.land("records", "all", [_record(10 * number + n) for n in range(1, 10)])
        extract.facts["count_differences"] = differences
        extract.finish(AS_OF)
    with _loaded(landing, tmp_path) as warehouse:
        row = _checks(warehouse)["vendor_count_difference", "custom"]
        assert (row["n"], row["total"], row["status"]) == (3, 27, "warn")
        assert _lights(warehouse)["custom"] == "red"


def test_a_failed_pull_is_red(tmp_path: Path) -> None:
    """Its figures are those of an earlier day, which nothing in them shows."""
    landing = Landing(tmp_path / "landing")
    extract = landing.begin("custom", "run-1", {"number": 1})
    extract.land("records", "all", [_record(n) for n in range(1, 10)])
    extract.finish(AS_OF - timedelta(days=1))
    landing.begin("custom", "run-2", {"number": 2}).fail("the door was shut")
    with _loaded(landing, tmp_path) as warehouse:
        assert _checks(warehouse)["last_pull_failed", "custom"]["status"] == "warn"
        assert _lights(warehouse)["all"] == "red"


def test_records_of_every_kind_of_trouble(tmp_path: Path) -> None:
    """Future stamps, unknown severities, repeats and quarantined records, counted once each."""
    later, old = "2090-01-01T00:00:00Z", "1999-12-31T00:00:00Z"
    lines: list[dict[str, Any]] = [
        {"external_id": "ok", "severity": "SEV1", "detected_at": (AS_OF - timedelta(days=1)).isoformat()},
        {"external_id": "no severity", "detected_at": (AS_OF - timedelta(days=1)).isoformat()},
        {"external_id": "future", "severity": "SEV1", "detected_at": later},
        {"external_id": "past", "severity": "SEV1", "detected_at": old},
        {"external_id": "bad", "severity": "SEV9", "detected_at": old},
        {"external_id": "ok", "severity": "SEV1", "detected_at": (AS_OF - timedelta(days=1)).isoformat()},
    ]
    source = tmp_path / "records.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    landing = Landing(tmp_path / "landing")
    import_files([source], landing, "run")
    with _loaded(landing, tmp_path) as warehouse:
        found = _checks(warehouse)
        assert {
            check: found[check, "custom"]["n"]
            for check in (
                "quarantined",
                "duplicates_dropped",
                "severity_by_default",
                "future_stamp",
                "stamp_before_2000",
            )
        } == {
            "quarantined": 1,
            "duplicates_dropped": 1,
            "severity_by_default": 1,
            "future_stamp": 1,
            "stamp_before_2000": 1,
        }
        assert found["record_without_stamp", "custom"]["n"] == 2
        (row,) = rows(warehouse, "FROM mart.data_quality_status WHERE source = 'custom'")
        assert row["light"] == "red" and row["warnings"] == 5


@contextmanager
def _past(folder: Path, clock: datetime) -> Iterator[Warehouse]:
    """A report with `clock` as its clock on data landed now: nine incidents, a record a day, from nine days ago until yesterday.

    The last one is resolved in 2090. A pull that goes until now follows; the newest pull failed.
    """
    now = datetime.now(UTC)
    landing = Landing(folder / "landing")

    def record(n: int, **more: Any) -> bytes:
        at = now - timedelta(days=n)
        stamps = {"detected_at": at.isoformat(), "resolved_at": (at + timedelta(hours=30)).isoformat()}
        return json.dumps(
            {"file": "a", "line": n, "record": {"external_id": f"R-{n}", "severity": "SEV2", **stamps, **more}}
        ).encode()

    lines = [record(n) for n in range(2, 10)] + [record(1, resolved_at="2090-01-01T00:00:00Z")]
    lines.append(record(10, external_id="D", duplicate_of="R-3"))
    extract = landing.begin("custom", "run-1", {"number": 1})
    extract.land("records", "all", lines)
    extract.finish(now)
    for number, source in enumerate(("jira", "opsgenie")):
        landing.begin(source, "run-2", {"number": number}).finish(now)
    landing.begin("opsgenie", "run-3", {"number": 3}).fail("the door was shut")
    with _loaded(landing, folder, clock) as warehouse:
        yield warehouse


def test_a_report_about_the_past_is_not_red_for_what_happened_later(tmp_path: Path) -> None:
    """Whoever asks for `--as-of` last week asks to set later events aside: they are counted, and no finding warns of them.

    A stamp that lies after the newest landed data is wrong in every report.
    """
    clock = datetime.now(UTC) - timedelta(days=5, hours=12)
    with _past(tmp_path, clock) as warehouse:
        found = _checks(warehouse)
        assert found["event_after_as_of", "custom"]["status"] == "info"
        assert (
            found["event_after_as_of", "custom"]["n"] == 5 + 5 + 1 - 1
        )  # of the five later ones, and a resolve before them
        assert (found["record_after_as_of", "custom"]["n"], found["record_after_as_of", "custom"]["total"]) == (5, 10)
        assert (found["future_stamp", "custom"]["n"], found["future_stamp", "custom"]["status"]) == (1, "warn")
        assert [found[check, "custom"]["n"] for check in ("record_without_stamp", "duplicate_of_unknown")] == [0, 0]
        assert rows(warehouse, "SELECT count(*) AS n FROM mart.incidents WHERE duplicate_of IS NULL") == [{"n": 5}]
        assert rows(warehouse, "SELECT max(e.at) <= ? AS past FROM mart.incident_events AS e", [clock]) == [
            {"past": True}
        ]


def test_a_report_about_the_past_is_as_fresh_as_its_clock(tmp_path: Path) -> None:
    """It uses no data after its clock, so it must not call itself fresh up to a later date. A pull that failed later
    takes nothing from it."""
    clock = (datetime.now(UTC) - timedelta(days=5)).replace(microsecond=0)
    with _past(tmp_path, clock) as warehouse:
        pulls = {row["source"]: row for row in data_quality.sources(warehouse.con)}
        assert {row["data_as_of"] for row in pulls.values()} == {instant_text(clock)}
        assert {row["status"] for row in pulls.values()} == {"complete"}
        assert rows(warehouse, "SELECT max(data_as_of) <= ? AS past FROM mart.source_runs", [clock]) == [{"past": True}]
        assert _checks(warehouse)["last_pull_failed", "opsgenie"]["n"] == 0


def test_a_report_about_now_knows_no_later_events(tmp_path: Path) -> None:
    """Here the same records have no later events, the failed pull is a finding, and the stamp in 2090 still is one."""
    with _past(tmp_path, datetime.now(UTC) + timedelta(minutes=1)) as warehouse:
        found = _checks(warehouse)
        assert not [key for key in found if key[0].endswith("_after_as_of")]
        assert found["future_stamp", "custom"]["n"] == 1
        assert found["last_pull_failed", "opsgenie"]["n"] == 1
        assert {row["status"] for row in data_quality.sources(warehouse.con)} == {"complete", "failed"}
        assert _lights(warehouse)["opsgenie"] == "red"


def test_a_merge_target_that_is_deleted(tmp_path: Path) -> None:
    """With its target gone nothing would count the merged record any more; back at the vendor, the target counts it again."""
    at = AS_OF - timedelta(days=1)
    incidents = [
        {
            "id": name,
            "status": "resolved",
            "created_at": at.isoformat(),
            "resolved_at": (at + timedelta(hours=1)).isoformat(),
            "service": {"id": "S", "summary": "api"},
            "resolve_reason": {"type": "merge_resolve_reason", "incident": {"id": "T"}} if name == "M" else None,
        }
        for name in ("T", "M")
    ]
    gone = {"id": "T", "stream": "incidents", "seen_missing_at": AS_OF.isoformat()}
    landing = Landing(tmp_path / "landing")
    for night, (stream, payloads) in enumerate(
        [("incidents", incidents), ("tombstones", [gone]), ("incidents", incidents[:1])]
    ):
        extract = landing.begin("pagerduty", f"run-{night}", {"night": night})
        extract.land(stream, "all", (json.dumps(payload).encode() for payload in payloads))
        extract.finish(AS_OF)
        with _loaded(landing, tmp_path) as warehouse:
            counted = "SELECT external_id FROM mart.mttr_population() ORDER BY external_id"
            assert rows(warehouse, counted) == [{"external_id": "M" if night == 1 else "T"}]
            row = _checks(warehouse)["duplicate_of_unknown", "pagerduty"]
            assert (row["n"], row["total"], row["status"]) == ((1, 1, "warn") if night == 1 else (0, 1, "ok"))
            (source,) = rows(warehouse, "SELECT link_reason FROM mart.incident_sources WHERE external_id = 'M'")
            assert source["link_reason"] == (None if night == 1 else "vendor")


def _issue(number: int, status: str, *moves: str) -> bytes:
    """A Jira issue that went through these statuses, a step an hour."""
    steps = [*moves, status]
    histories = [
        {
            "id": f"{number}0{place}",
            "author": {"name": "ana"},
            "created": f"2026-10-01T0{place + 1}:00:00.000+0000",
            "items": [{"field": "status", "from": old, "fromString": old, "to": new, "toString": new}],
        }
        for place, (old, new) in enumerate(pairwise(steps))
    ]
    fields = {
        "created": "2026-10-01T00:00:00.000+0000",
        "status": {"id": status, "name": status},
        "project": {"key": "OPS"},
    }
    return json.dumps(
        {"id": str(number), "key": f"OPS-{number}", "fields": fields, "changelog": {"histories": histories}}
    ).encode()


def test_statuses_that_no_mapping_knows(tmp_path: Path) -> None:
    """Wherever a history used them: a status that issues only pass through bends durations like one they end in. Names that
    the category explains are found too; going from one done status to another is nothing unknown."""
    landing = Landing(tmp_path / "landing")
    extract = landing.begin("jira", "run-1", {})
    extract.land("statuses", "all", [b'{"id": "Zombie", "name": "Zombie", "statusCategory": {"key": "indeterminate"}}'])
    issues = [
        _issue(1, "Done", "Open", "Limbo", "Resolved"),
        _issue(2, "Closed", "Open", "zombie", "Zombie ", "Waiting for parts"),
        _issue(3, "Open"),
    ]
    extract.land("issues", "all", issues)
    extract.finish(AS_OF)
    with _loaded(landing, tmp_path) as warehouse:
        found = _checks(warehouse)
        row = found["unmapped_status", "jira"]
        assert (row["n"], row["total"], row["status"]) == (2, 7, "warn")
        still = "SELECT count(*) AS n FROM core.events WHERE event_type = 'still_done'"
        assert rows(warehouse, still) == [{"n": 1}]
        assert found["unknown_event_type", "jira"]["n"] == 1


@pytest.mark.parametrize(
    ("macro", "routine", "unknown"),
    [
        (
            "pagerduty_is_routine",
            ("trigger", "exhaust_escalation_path", "service_change", "custom_field_value_change"),
            ("conjure", ""),
        ),
        (
            "alert_log_is_routine",
            (
                "Alert created via web",
                "Note added: Acknowledged?",
                "Notification sent to the on-call user",
                "Added tags [a]",
            ),
            ("Alert levitated", "Something else"),
        ),
        (
            "alert_log_is_routine",
            ("Alert escalated", "Responder added", "Viewed on mobile"),
            ("Alert levitated", "acknowledgedly"),
        ),
        (
            "opsgenie_incident_is_routine",
            ("IncidentOpened", "ResponderAlertAcked", "StatusPageAdded", "CustomEntryAdded"),
            ("IncidentLevitated", "Opened"),
        ),
    ],
)
def test_routine_entries_are_not_counted_as_unknown(macro: str, routine: Any, unknown: Any) -> None:
    """Most of a vendor's history says who was notified of what. If that were counted, a new kind of entry would not be seen."""
    with built((), []) as warehouse:
        for expected, words in ((True, routine), (False, unknown)):
            for word in words:
                assert rows(warehouse, f"SELECT {macro}(?) AS k", [word]) == [{"k": expected}], word
