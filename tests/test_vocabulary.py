"""One vocabulary: how words are compared, which line of it applies, and that nothing is lost in silence.

A word that no map contains, and a line of mttr.toml that meets no word, would both bend figures without a trace. Every kind of
word goes through the landed payloads of each source that has it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import duckdb
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from report_cases import Reader
from support import (
    AS_OF,
    build_all,
    copy_database,
    discard,
    drawn,
    empty,
    examples,
    land,
    open_warehouse,
    rows,
    settings_for,
)
from support_e2e import mttr

from mttr_pipeline import reports
from mttr_pipeline.config.names import normalize
from mttr_pipeline.config.options import DeployOptions
from mttr_pipeline.config.vocabulary import HOUSE, production_environments, vocabulary
from mttr_pipeline.demo import VendorServer
from mttr_pipeline.demo.jira import Flavour, JiraSimulator
from mttr_pipeline.errors import ConfigError, PermanentError
from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.landing.store import Landing, new_run_id
from mttr_pipeline.sources.pulling import build_source, pull
from mttr_pipeline.sources.registry import load_settings, registry
from mttr_pipeline.warehouse.database import Warehouse
from mttr_pipeline.warehouse.models import load_macros

AT = "2026-10-01T10:00:00Z"
Streams = dict[str, list[dict[str, Any]]]


# -- payloads ----------------------------------------------------------------------------------------------------------


def page(name: str, priority: str | None, urgency: str | None = "high", **more: Any) -> dict[str, Any]:
    """A PagerDuty incident."""
    given = {"id": f"id of {priority}", "name": priority} if priority else None
    base = {"id": name, "status": "triggered", "created_at": AT, "updated_at": AT, "urgency": urgency}
    return {**base, "priority": given, **more}


def page_fields(name: str, **fields: str) -> dict[str, Any]:
    """The custom fields of a PagerDuty incident, as its single read gives them."""
    values = [{"name": field, "display_name": field.title(), "value": value} for field, value in fields.items()]
    return {"id": name, "updated_at": AT, "custom_fields": values}


def alert(name: str, priority: str) -> dict[str, Any]:
    """An alert of Opsgenie or JSM Operations, or an Opsgenie incident."""
    return {"id": name, "priority": priority, "status": "open", "createdAt": AT, "updatedAt": AT}


def issue(number: int, *, moves: tuple[str, ...] = (), project: str = "OPS", **fields: Any) -> dict[str, Any]:
    """A Jira issue that went through these statuses."""
    shown = {name: {"name": value} for name, value in fields.items() if isinstance(value, str)}
    custom = {name: value for name, value in fields.items() if not isinstance(value, str)}
    histories = [
        {
            "id": f"{number}{step}",
            "created": AT,
            "items": [{"field": "status", "from": old, "fromString": old, "to": new, "toString": new}],
        }
        for step, (old, new) in enumerate(pairwise(moves))
    ]
    about = {"created": AT, "updated": AT, "project": {"key": project}, "issuetype": {"name": "Incident"}}
    if moves:
        about["status"] = {"id": moves[-1], "name": moves[-1]}
    found = {"id": str(number), "key": f"{project}-{number}", "fields": {**about, **shown, **custom}}
    return {**found, "changelog": {"histories": histories}}


def event(number: int, issue_type: str, at: str = AT) -> dict[str, Any]:
    """A received Jira event, as the intake lands it."""
    moment = round(datetime.fromisoformat(at).timestamp() * 1000)
    body = {"webhookEvent": "jira:issue_updated", "timestamp": moment, "issue": issue(number, issuetype=issue_type)}
    return {"file": "inbox/issue.json", "line": number, "body": body}


def firing(name: str, severity: str) -> dict[str, Any]:
    """A received alert of Alertmanager, as the intake lands it."""
    body = {"fingerprint": name, "status": "firing", "startsAt": AT, "labels": {"severity": severity}}
    return {"file": "inbox/alerts.json", "line": 1, "body": body}


def record(name: str, severity: str) -> dict[str, Any]:
    """A custom record, as the import lands it."""
    return {"file": "a.jsonl", "line": 1, "record": {"external_id": name, "severity": severity, "detected_at": AT}}


# -- the door ----------------------------------------------------------------------------------------------------------

#: All findings about words; that every finding reaches `mart.data_quality` and the page is shown at the end.
TABLES = ("core.vendor_records", "core.words", "figures.findings_words")


@contextmanager
def built(
    folder: Path,
    payloads: dict[str, Streams],
    configured: dict[str, Any] | None = None,
    tables: tuple[str, ...] = TABLES,
    run_id: str = "run-1",
) -> Iterator[Warehouse]:
    """The tables made of these payloads (source -> stream -> lines) and of what the folder has landed before."""
    folder.mkdir(exist_ok=True)
    landing = Landing(folder / "landing")
    for source, streams in payloads.items():
        land(landing, source, streams, run_id)
    copy_database(empty(), folder)
    warehouse = open_warehouse(folder, configured)
    try:
        warehouse.load(landing)
        build_all(warehouse, tables)
        yield warehouse
    finally:
        discard(warehouse)


def severities(warehouse: Warehouse) -> dict[str, tuple[str, str]]:
    """Source -> severity and where it came from, of sources with one record."""
    found = rows(warehouse.con, "SELECT source, severity, severity_source FROM core.vendor_records")
    return {row["source"]: (row["severity"], row["severity_source"]) for row in found}


#: As `mart.data_quality` has it.
STATUS = "CASE WHEN n = 0 THEN 'ok' ELSE level END"


def finding(warehouse: Warehouse, check: str, source: str) -> tuple[int, int, str, list[str] | None] | None:
    """n, total, status and examples of a finding; None when it is not reported."""
    query = f"SELECT n, total, {STATUS}, examples FROM figures.findings_words WHERE dq_check = ? AND source = ?"
    found = warehouse.con.execute(query, [check, source]).fetchall()
    return found[0] if found else None


# -- the rule ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as found:
        found.create_function("normalize_unicode", normalize, ["VARCHAR"], "VARCHAR")
        found.execute(load_macros("internal"))
        yield found


BLANKS = "".join(chr(code) for code in range(1, 0x3001) if chr(code).isspace())
#: What people type and vendors send: letters whose case or form differs, ligatures, full-width text, combining marks.
ODD = "SEVsev019-_*İıßẞſΐΰΣςﬁǅ①Ⅳ½㎏ＳＥＶ－＿　é\u0301\u0308\u0345\u200b\u2011\u00a0\u0130a\u030a\U0001f525"
texts = st.one_of(
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    st.text(st.sampled_from(ODD + BLANKS + "-_"), max_size=12),
    st.text(st.sampled_from("-_ \t\x0b\x1c\x1f"), max_size=300),
)


@given(st.lists(texts, min_size=1))
@examples(150)
def test_sql_and_python_compare_words_alike(con: duckdb.DuckDBPyConnection, words: list[str]) -> None:
    """Python writes the vocabulary, SQL joins it: where the two differ, a line of mttr.toml silently maps nothing."""
    found = con.execute("SELECT list_transform(?::VARCHAR[], lambda w: normalized(w))", [words]).fetchall()[0][0]
    assert found == [normalize(word) for word in words]


@given(texts)
@examples(150)
def test_a_compared_word_stays_as_it_is(word: str) -> None:
    """What is compared twice, or copied from a finding into mttr.toml in capitals, must not become another word."""
    compared = normalize(word)
    assert normalize(compared) == compared == normalize(f" {word} ")
    if "ı" not in compared:  # the capital of the Turkish dotless i is the I of all other languages
        assert normalize(word.upper()) == compared


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SEV-1", "sev 1"),
        ("Sev_1", "ＳＥＶ　１"),
        ("waiting for customer", "Waiting\tfor\x0bCustomer"),
        ("In-Progress", "in\u00a0progress"),
        ("Straße", "STRASSE"),
        ("Ka\u0308se", "Käse"),
        ("Ϊ\u0301", "ΐ"),
        ("eﬃzient", "Effizient"),
    ],
)
def test_spellings_that_are_one_word(con: duckdb.DuckDBPyConnection, one: str, other: str) -> None:
    assert normalize(one) == normalize(other) != ""
    assert con.execute("SELECT normalized(?) = normalized(?)", [one, other]).fetchall() == [(True,)]


# -- which line applies ------------------------------------------------------------------------------------------------

STATUSES = ("core.words", "staging.jira_statuses")
#: Kept short, so that lines of several levels meet. Statuses of the site, and lines for them.
NAMES = ("Wait", "Waiting for parts", "waiting-for PARTS now", "Pending", "Limbo")
LINES = ("Wait*", "Waiting for *", "waiting for parts", "Pending", "Pend *", "Limbo")
EVENTS = ("detected", "acknowledged", "investigating", "mitigated", "resolved", "closed")
maps = st.dictionaries(st.sampled_from(LINES), st.sampled_from(EVENTS), max_size=4)
configurations = st.fixed_dictionaries({"source": maps, "vocabulary": maps, "project": maps})


def meaning_of(name: str, project: str, given: dict[str, dict[str, str]]) -> str | None:
    """The reference: a line for the project goes first, then a whole name, then the longest beginning. For one word,
    `[sources.jira]` goes before `[vocabulary]` and that before the defaults."""
    defaults = registry().sources["jira"].words["status"]
    for levels in ([given["project"]] if project == "OPS" else [], [given["source"], given["vocabulary"], defaults]):
        lines: dict[str, str] = {}
        for words in reversed(levels):
            lines |= {normalize(word): event for word, event in words.items()}
        compared = normalize(name)
        beginnings = [line for line in lines if line.endswith("*") and compared.startswith(line[:-1])]
        if line := compared if compared in lines else max(beginnings, key=len, default=""):
            return lines[line]
    return None


@pytest.mark.parametrize("given", drawn(configurations, 6))
def test_the_line_that_applies_to_a_status(given: dict[str, dict[str, str]], tmp_path: Path) -> None:
    """Durations and findings must follow one rule: the events of an issue and the list of words each ask the vocabulary."""
    configured = {
        "sources": {"jira": {"status": given["source"], "projects": {"ops": {"status": given["project"]}}}},
        "vocabulary": {"status": given["vocabulary"]},
    }
    issues = [issue(n, project=p, moves=("Open", *NAMES)) for n, p in enumerate(("OPS", "WEB"), 1)]
    with built(tmp_path, {"jira": {"issues": issues}}, configured, STATUSES) as warehouse:
        words = rows(warehouse.con, "SELECT scope, word, meaning FROM core.words WHERE kind = 'status'")
        found = {(row["scope"], row["word"]): row["meaning"] for row in words}
        judged = rows(warehouse.con, "SELECT project_key, name, event_type FROM staging.jira_statuses")
    expected = {key: meaning_of(key[1], key[0], given) for key in product(("OPS", "WEB"), ("Open", *NAMES))}
    assert found == expected
    assert {(row["project_key"], row["name"]): row["event_type"] for row in judged} == {
        key: meaning or "other" for key, meaning in expected.items()
    }


def test_the_line_that_applies_to_a_severity() -> None:
    """The same word at every level: the house, the source's declaration, `[vocabulary]`, `[sources.<name>]`."""

    def meaning(source: str, word: str, configured: dict[str, Any]) -> list[tuple[str, str | None]]:
        lines = vocabulary(settings_for(Path(), configured))
        return [
            (line.meaning, line.setting)
            for line in lines
            if (line.source, line.kind, line.word) == (source, "severity", normalize(word))
        ]

    assert HOUSE["severity"]["P1"] == "SEV1"
    common = {"vocabulary": {"severity": {"p-1": "SEV3", "Critical": "SEV4"}}}
    own = {
        **common,
        "sources": {"alertmanager": {"severity": {"P 1": "SEV4"}}, "jira": {"severity": {"critical": "SEV3"}}},
    }
    assert meaning("alertmanager", "P1", {}) == [("SEV1", None)]
    assert meaning("alertmanager", "critical", {}) == [("SEV1", None)]
    assert meaning("jira", "critical", {}) == [("SEV2", None)]
    assert meaning("alertmanager", "P1", common) == [("SEV3", "vocabulary.severity: p-1")]
    assert meaning("jira", "critical", common) == [("SEV4", "vocabulary.severity: Critical")]
    assert meaning("alertmanager", "P1", own) == [("SEV4", "sources.alertmanager.severity: P 1")]
    assert meaning("alertmanager", "critical", own) == [("SEV4", "vocabulary.severity: Critical")]
    assert meaning("jira", "critical", own) == [("SEV3", "sources.jira.severity: critical")]


# -- severities of every source ----------------------------------------------------------------------------------------


def one_record_each(word: str) -> dict[str, Streams]:
    """A record of every source whose severity is this word."""
    return {
        "pagerduty": {"incidents": [page("P", word)]},
        "opsgenie": {"alerts": [alert("A", word)], "incidents": [alert("I", word)]},
        "jsm": {"alerts": [alert("J", word)]},
        "jira": {"issues": [issue(1, priority=word)]},
        "inbox": {"alertmanager": [firing("F", word)]},
        "custom": {"records": [record("C", word)]},
    }


def test_a_severity_that_no_map_contains(tmp_path: Path) -> None:
    """Each source counts it with the word itself, and no urgency decides in its place. A custom record is not taken at all."""
    with built(tmp_path, one_record_each("Sev-Zero")) as warehouse:
        found = severities(warehouse)
        kinds = {name: source for name, source in registry().sources.items() if "records" in source.yields}
        kinds.pop("slack")  # its severities are SEVn in a text: there is no other word
        assert set(found) == {s for name, source in kinds.items() for s in source.record_sources(name)} - {"custom"}
        for source, severity in found.items():
            assert severity == ("SEV3", "default"), source
            assert finding(warehouse, "unmapped_severity", source) == (1, 1, "warn", ["Sev-Zero"])
        (rejected,) = rows(warehouse.con, "SELECT source, reason FROM ops.quarantine")
        assert rejected["source"] == "custom" and "Sev-Zero" in rejected["reason"]


@pytest.mark.parametrize("level", ["source", "vocabulary"])
def test_a_severity_that_mttr_toml_maps(level: str, tmp_path: Path) -> None:
    """In another spelling, for each source by itself or for all at once; nothing is left to report."""
    words = {"severity": {"sev zero": "SEV4"}}
    configured: dict[str, Any] = {"vocabulary": words}
    if level == "source":
        configured = {"sources": dict.fromkeys(registry().sources, words)}
    with built(tmp_path, one_record_each("Sev-Zero"), configured) as warehouse:
        found = severities(warehouse)
        assert {severity for severity, _ in found.values()} == {"SEV4"} and "custom" in found
        for source in found:
            assert finding(warehouse, "unmapped_severity", source) == (0, 1, "ok", None)
        unmet = "SELECT source, n, total FROM figures.findings_words WHERE dq_check = 'setting_matches_nothing' ORDER BY source"
        kinds = [name for name, source in registry().sources.items() if "records" in source.yields and name != "slack"]
        where = ["configuration"] if level == "vocabulary" else sorted(kinds)
        assert rows(warehouse.con, unmet) == [{"source": source, "n": 0, "total": 1} for source in where]


def test_a_record_with_several_unknown_severities_counts_once(tmp_path: Path) -> None:
    """n of total is a share of records: a priority and a severity field that are both unknown are one record to mend. A known
    word beside an unknown one hides nothing."""
    configured = {"sources": {name: {"fields": {"impact": "severity"}} for name in ("pagerduty", "jira")}}
    pages = {
        "incidents": [page("A", "Major Outage"), page("B", "Major Outage"), page("C", "P2"), page("D", None)],
        "incident_fields": [
            page_fields("A", impact="Bad"),
            page_fields("B", impact="SEV2"),
            page_fields("C", impact="Bad"),
        ],
    }
    issues = [
        issue(1, priority="Urgent", impact="Bad"),
        issue(2, priority="urgent", impact="SEV1"),
        issue(3, priority="High"),
        issue(4, priority="Urgent", impact="Urgent"),
    ]
    with built(tmp_path, {"pagerduty": pages, "jira": {"issues": issues}}, configured) as warehouse:
        assert finding(warehouse, "unmapped_severity", "pagerduty") == (3, 4, "warn", ["Bad", "Major Outage"])
        assert finding(warehouse, "unmapped_severity", "jira") == (3, 4, "warn", ["Urgent", "Bad"])
        by_id = rows(
            warehouse.con, "SELECT external_id, severity FROM core.vendor_records WHERE source = 'pagerduty' ORDER BY 1"
        )
        assert [row["severity"] for row in by_id] == ["SEV3", "SEV2", "SEV2", "SEV1"], (
            "urgency only for the one without a word"
        )


def test_the_house_knows_sev_words_at_every_source(tmp_path: Path) -> None:
    """A priority called SEV-2 was not known to PagerDuty's map, and the urgency made it SEV1."""
    incidents = [page("A", "SEV-2"), page("B", "Major Outage", "low")]
    with built(tmp_path, {"pagerduty": {"incidents": incidents}}) as warehouse:
        found = rows(warehouse.con, "SELECT severity, severity_source FROM core.vendor_records ORDER BY external_id")
        assert [tuple(row.values()) for row in found] == [("SEV2", "priority"), ("SEV3", "default")]
        assert finding(warehouse, "unmapped_severity", "pagerduty") == (1, 2, "warn", ["Major Outage"])


# -- resolutions -------------------------------------------------------------------------------------------------------

FALSE_ALARMS = (
    "Won't do",
    "Won’t Fix",
    "Cancelled",
    "Declined",
    "Cannot Reproduce",
    "Not a Bug",
    "Invalid",
    "INCOMPLETE",
)
LINKED = [{"type": {"name": "Duplicate"}, "outwardIssue": {"id": "1"}}]


def test_what_a_resolution_makes_of_an_issue(tmp_path: Path) -> None:
    """The words of the metric definitions, a duplicate with and without its original, and a word that nobody mapped."""
    issues = [issue(1, resolution="Done"), issue(2, resolution="Duplicate", issuelinks=LINKED)]
    issues += [issue(3, resolution="duplicate"), issue(4, resolution="Duplikat", issuelinks=LINKED), issue(5)]
    issues += [issue(10 + n, resolution=word) for n, word in enumerate(FALSE_ALARMS)]
    with built(tmp_path, {"jira": {"issues": issues}}) as warehouse:
        found = kinds(warehouse)
        assert {n: found[n] for n in (1, 2, 3, 4, 5)} == {
            1: ("incident", None),
            2: ("incident", "1"),
            3: ("false_alarm", None),
            4: ("incident", None),
            5: ("incident", None),
        }
        assert {found[10 + n] for n in range(len(FALSE_ALARMS))} == {("false_alarm", None)}
        assert finding(warehouse, "unmapped_resolution", "jira") == (1, len(issues) - 1, "warn", ["Duplikat"])


@pytest.mark.parametrize("table", ["sources", "vocabulary"])
def test_a_resolution_that_mttr_toml_maps(table: str, tmp_path: Path) -> None:
    """A German site: the duplicate is counted under its original, and a word of the defaults can be given another meaning."""
    words = {"resolution": {"duplikat": "duplicate", "Invalid": "incident"}}
    configured = {"vocabulary": words} if table == "vocabulary" else {"sources": {"jira": words}}
    issues = [issue(1), issue(2, resolution="Duplikat", issuelinks=LINKED), issue(3, resolution="Invalid")]
    with built(tmp_path, {"jira": {"issues": issues}}, configured) as warehouse:
        assert kinds(warehouse) == {1: ("incident", None), 2: ("incident", "1"), 3: ("incident", None)}
        assert finding(warehouse, "unmapped_resolution", "jira") == (0, 2, "ok", None)


def kinds(warehouse: Warehouse) -> dict[int, tuple[str, str | None]]:
    """Issue -> kind and the record that it repeats."""
    found = rows(
        warehouse.con, "SELECT external_id, kind, duplicate_of_id FROM core.vendor_records WHERE source = 'jira'"
    )
    return {int(row["external_id"]): (row["kind"], row["duplicate_of_id"]) for row in found}


# -- types -------------------------------------------------------------------------------------------------------------


def test_a_received_issue_of_an_unknown_type_is_counted(tmp_path: Path) -> None:
    """It is not taken, and it is neither in quarantine nor in any other table: without the finding it would be lost in silence."""
    events = [event(1, "Störung"), event(1, "Störung", "2026-10-02T10:00:00Z"), event(2, "Bug"), event(3, "Störung")]
    with built(tmp_path, {"inbox": {"jira": events}}) as warehouse:
        assert kinds(warehouse) == {}
        assert finding(warehouse, "unmapped_type", "jira") == (3, 3, "warn", ["Störung", "Bug"])


@pytest.mark.parametrize("table", ["sources", "vocabulary"])
def test_a_received_issue_of_a_mapped_type(table: str, tmp_path: Path) -> None:
    """Mapped to incident it counts, mapped to other it does not, and neither is reported."""
    words = {"type": {"STÖRUNG": "incident", "Bug": "other", "Incident": "other"}}
    configured = {"vocabulary": words} if table == "vocabulary" else {"sources": {"jira": words}}
    events = [event(1, "Sto\u0308rung"), event(2, "Bug"), event(3, "Incident"), event(4, "[System] Incident")]
    with built(tmp_path, {"inbox": {"jira": events}}, configured) as warehouse:
        assert set(kinds(warehouse)) == {1, 4}
        assert finding(warehouse, "unmapped_type", "jira") == (0, 4, "ok", None)
        assert finding(warehouse, "setting_matches_nothing", "jira" if table == "sources" else "configuration") == (
            *(0, 3, "ok"),
            None,
        )


def test_an_unknown_type_that_a_pull_has_read_is_no_finding(tmp_path: Path) -> None:
    """The query of the pull chose it, so it counts; the finding is gone, and a line that maps its type has met it."""
    events = {"inbox": {"jira": [event(1, "Bug")]}}
    with built(tmp_path, events) as warehouse:
        assert finding(warehouse, "unmapped_type", "jira") == (1, 1, "warn", ["Bug"])
    pulled = {"jira": {"issues": [issue(1, issuetype="Bug")]}}
    with built(tmp_path, pulled, {"sources": {"jira": {"type": {"bug": "incident"}}}}, run_id="run-2") as warehouse:
        assert set(kinds(warehouse)) == {1}
        assert finding(warehouse, "unmapped_type", "jira") == (0, 1, "ok", None)
        assert finding(warehouse, "setting_matches_nothing", "jira") == (0, 1, "ok", None)
    with built(tmp_path, {}, run_id="run-3") as warehouse:
        assert finding(warehouse, "unmapped_type", "jira") == (0, 1, "ok", None)


# -- fields ------------------------------------------------------------------------------------------------------------


def test_fields_are_mapped_by_name_and_id(tmp_path: Path) -> None:
    """In any spelling, at both sources that have custom fields."""
    fields = {"Customer-Team": "team", "CUSTOMFIELD_7": "root_cause_category"}
    configured = {"sources": {"jira": {"fields": fields}, "pagerduty": {"fields": {"impact team": "team"}}}}
    jira = {
        "fields": [{"id": "customfield_6", "name": "Customer team"}, {"id": "customfield_7", "name": "Cause"}],
        "issues": [issue(1, customfield_6={"value": "Payments"}, customfield_7={"value": "Deploy"})],
    }
    pages = {"incidents": [page("A", "P1")], "incident_fields": [page_fields("A", impact_team="Search")]}
    with built(tmp_path, {"jira": jira, "pagerduty": pages}, configured) as warehouse:
        found = rows(warehouse.con, "SELECT source, team, root_cause_category FROM core.vendor_records ORDER BY source")
        assert [tuple(row.values()) for row in found] == [("jira", "Payments", "Deploy"), ("pagerduty", "Search", None)]
        for source, n in (("jira", 2), ("pagerduty", 1)):
            assert finding(warehouse, "setting_matches_nothing", source) == (0, n, "ok", None)


# -- lines that meet nothing -------------------------------------------------------------------------------------------

EVERY_KIND: dict[str, Any] = {
    "severity": {"Sev-Zreo": "SEV1", "Sev-Zero": "SEV1"},
    "status": {"Closd": "closed", "Parked": "paused", "On ice *": "paused"},
    "resolution": {"Duplikat": "duplicate"},
    "type": {"Störung": "incident"},
}


def test_lines_of_mttr_toml_that_meet_no_word(tmp_path: Path) -> None:
    """Misspelt here or renamed at the vendor, a line has no effect, and the figures look as if it had never been written."""
    configured = {
        "sources": {
            "jira": {
                **EVERY_KIND,
                "fields": {"Old name": "team", "New name": "team"},
                "projects": {"OPS": {"status": {"Parked": "resolved"}}, "OSP": {"status": {"Parked": "resolved"}}},
            },
            "pagerduty": {"fields": {"Nobody has this": "team"}, "severity": {"Sev-Zero": "SEV1"}},
        },
        "vocabulary": {
            "severity": {"Sev-Zreo": "SEV1"},
            "status": {"Parkde": "closed"},
            "resolution": {"Fine": "incident"},
        },
    }
    jira = {
        "fields": [{"id": "customfield_1", "name": "New name"}],
        "issues": [issue(1, moves=("Open", "Parked", "Closed"), priority="Sev-Zero", resolution="Fine")],
    }
    with built(tmp_path, {"jira": jira, "pagerduty": {"incidents": [page("A", None)]}}, configured) as warehouse:
        query = """SELECT setting FROM config.words AS w WHERE source = 'jira' AND starts_with(setting, 'sources.')
            AND NOT EXISTS (FROM core.words AS c WHERE c.setting = w.setting) ORDER BY setting"""
        unmet = [row["setting"] for row in rows(warehouse.con, query)]
        assert unmet == [
            "sources.jira.fields: Old name",
            "sources.jira.projects.OSP.status: Parked",
            "sources.jira.resolution: Duplikat",
            "sources.jira.severity: Sev-Zreo",
            "sources.jira.status: Closd",
            "sources.jira.status: On ice *",
            "sources.jira.status: Parked",  # the line for the project goes first, and no other project has the status
            "sources.jira.type: Störung",
        ]
        assert finding(warehouse, "setting_matches_nothing", "jira") == (8, 11, "warn", unmet[:5])
        assert finding(warehouse, "setting_matches_nothing", "pagerduty") == (
            *(2, 2, "warn"),
            ["sources.pagerduty.fields: Nobody has this", "sources.pagerduty.severity: Sev-Zero"],
        )
        assert finding(warehouse, "setting_matches_nothing", "configuration") == (
            *(2, 3, "warn"),
            ["vocabulary.severity: Sev-Zreo", "vocabulary.status: Parkde"],
        )


def test_sources_without_records_are_not_reported(tmp_path: Path) -> None:
    """A file of settings that serves several companies, or a source before its first pull: nothing is wrong with its lines. Nor
    with a line of `[vocabulary]` for a kind of word that no source with records has."""
    configured = {
        "sources": {"jira": EVERY_KIND, "opsgenie": {"severity": {"P9": "SEV4"}}},
        "vocabulary": {"type": {"Störung": "incident"}},
    }
    jira = {"fields": [{"id": "customfield_1", "name": "Some name"}], "statuses": [{"id": "1", "name": "Some status"}]}
    with built(tmp_path, {"jira": jira, "pagerduty": {"incidents": [page("A", "P1")]}}, configured) as warehouse:
        about_words = "dq_check LIKE 'unmapped_%' OR dq_check = 'setting_matches_nothing'"
        found = rows(
            warehouse.con,
            f"SELECT dq_check, source, n FROM figures.findings_words WHERE {about_words} ORDER BY dq_check",
        )
        assert found == [
            {"dq_check": name, "source": "pagerduty", "n": 0} for name in ("unmapped_severity", "unmapped_status")
        ]


def test_a_line_for_an_earlier_severity_has_met_something(tmp_path: Path) -> None:
    """It decides how severe the incident once was. The record has another priority now, so an unmapped one is no finding."""
    entry = {
        "id": "L1",
        "type": "priority_change_log_entry",
        "created_at": AT,
        "incident": {"id": "A"},
        "channel": {"type": "web", "old_priority": {"name": "Old word"}, "new_priority": {"name": "P2"}},
    }
    change = {"field": "priority", "from": "9", "fromString": "Old word", "to": "3", "toString": "High"}
    moved = issue(1, priority="High")
    moved["changelog"]["histories"] = [{"id": "1", "created": AT, "items": [change]}]
    payloads = {
        "pagerduty": {"incidents": [page("A", "P2")], "log_entries": [entry]},
        "jira": {"issues": [moved]},
    }
    words = {"severity": {"Old word": "SEV1"}}
    configured = {"sources": {"pagerduty": words, "jira": words}}
    for folder, mapped in (("plain", None), ("mapped", configured)):
        with built(tmp_path / folder, payloads, mapped) as warehouse:
            for source in ("pagerduty", "jira"):
                assert finding(warehouse, "unmapped_severity", source) == (0, 1, "ok", None)
                assert finding(warehouse, "setting_matches_nothing", source) == ((0, 1, "ok", None) if mapped else None)


# -- findings that clear -----------------------------------------------------------------------------------------------


def test_a_finding_is_gone_with_its_cause(tmp_path: Path) -> None:
    """Mapped, mended at the vendor, or deleted there: an amber light that stays is one that nobody looks at."""
    sources = {
        "pagerduty": ("incidents", page("A", "Odd")),
        "jsm": ("alerts", alert("A", "Odd")),
        "opsgenie": ("alerts", alert("A", "Odd")),
        "jira": ("issues", issue(1, priority="Odd", resolution="Odd", moves=("Open", "Odd"))),
    }
    first = {name: {stream: [payload]} for name, (stream, payload) in sources.items()}
    with built(tmp_path, first) as warehouse:
        for name in sources:
            assert finding(warehouse, "unmapped_severity", name) == (1, 1, "warn", ["Odd"])
        for kind, total in (("status", 2), ("resolution", 1)):
            assert finding(warehouse, f"unmapped_{kind}", "jira") == (1, total, "warn", ["Odd"])
    gone = {
        name: {"tombstones": [{"id": payload["id"], "stream": stream, "seen_missing_at": AS_OF.isoformat()}]}
        for name, (stream, payload) in sources.items()
    }
    with built(tmp_path, gone, run_id="run-2") as warehouse:
        left = "SELECT dq_check, source FROM figures.findings_words WHERE dq_check LIKE 'unmapped_%' AND n > 0"
        assert rows(warehouse.con, left) == []


def test_a_severity_that_is_mended_at_the_vendor(tmp_path: Path) -> None:
    with built(tmp_path, {"pagerduty": {"incidents": [page("A", "Odd")]}}) as warehouse:
        assert finding(warehouse, "unmapped_severity", "pagerduty") == (1, 1, "warn", ["Odd"])
    mended = {"incidents": [page("A", "P1", updated_at="2026-10-02T10:00:00Z")]}
    with built(tmp_path, {"pagerduty": mended}, run_id="run-2") as warehouse:
        assert finding(warehouse, "unmapped_severity", "pagerduty") == (0, 1, "ok", None)


# -- where findings are shown ------------------------------------------------------------------------------------------


def test_examples_are_in_the_document_and_on_the_page(tmp_path: Path) -> None:
    """A count alone does not say what to map. Words are a stranger's text: the page escapes them and cuts long ones."""
    odd, long = "<script>alert(1)</script> & {{ 7 * 7 }}", "Checkout is down for customers of the region " * 3
    incidents = [page("A", odd), page("B", long), page("C", odd)]
    with built(tmp_path, {"pagerduty": {"incidents": incidents}}, tables=()) as warehouse:
        documents = reports.documents(warehouse.con)
    by_name = {row["dq_check"]: row for row in documents["data_quality"]["findings"] if row["source"] == "pagerduty"}
    assert by_name["unmapped_severity"]["examples"] == [odd, long.strip()]
    assert by_name["ack_rate"]["examples"] is None
    html = reports.render(documents)
    read = Reader(html)
    cut = "Checkout is down for customers of the region Checkout is dow\N{HORIZONTAL ELLIPSIS}"
    assert read.text.count(f"For example: {odd} , {cut}") == 2, "in the findings to act on, and in all checks"
    assert "<script>alert" not in html and long[:70] not in html


# -- which issues Jira is asked for ------------------------------------------------------------------------------------

NOW = datetime(2026, 10, 1, 6, tzinfo=UTC)


def typed(number: int, name: str) -> dict[str, Any]:
    """An issue of a simulated site."""
    at = (NOW - timedelta(days=number)).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    fields = {
        "created": at,
        "updated": at,
        "issuetype": {"id": name, "name": name},
        "project": {"id": "1", "key": "OPS"},
    }
    fields |= {"summary": name, "status": {"id": "1", "name": "Open"}}
    return {"id": str(number), "key": f"OPS-{number}", "fields": fields, "changelog": {"histories": []}}


SITE = [typed(1, "Incident"), typed(2, "Störung"), typed(3, "Problem"), typed(4, '"Odd" type')]


def pulled(
    folder: Path, configured: dict[str, Any], flavour: Flavour = "cloud", *, hours: int = 0, **variables: str
) -> Manifest:
    """One pull of the site with these settings, so many hours later."""
    with VendorServer([JiraSimulator.from_issues(SITE, flavour)], clock=NOW, limits=None) as server:
        env = {**server.env(next(iter(server.simulators))), **variables}
        settings = settings_for(folder, configured, env)
        source = build_source("jira", settings)
        try:
            return pull(source, settings, Landing(folder / "landing"), new_run_id(), as_of=NOW + timedelta(hours=hours))
        finally:
            source.close()


def types_of(folder: Path, configured: dict[str, Any], flavour: Flavour = "cloud", **variables: str) -> set[str]:
    """The types of the issues that such a pull lands."""
    manifest = pulled(folder, configured, flavour, **variables)
    with Landing(folder / "landing").available([manifest]) as root:
        extract = root / manifest.source / manifest.extract_id
        landed = [(extract / file.file).read_bytes() for file in manifest.files if file.stream == "issues"]
    lines = b"".join(zstandard.ZstdDecompressor().stream_reader(data).read() for data in landed).splitlines()
    return {json.loads(line)["fields"]["issuetype"]["name"] for line in lines}


@pytest.mark.parametrize("flavour", ["cloud", "dc"])
@pytest.mark.parametrize(
    ("own", "common", "expected"),
    [
        ({}, {}, {"Incident"}),
        ({"störung": "incident"}, {}, {"Incident", "Störung"}),
        ({}, {"STO\u0308RUNG": "incident", '"odd"-type': "incident"}, {"Incident", "Störung", '"Odd" type'}),
        ({"Incident": "other"}, {"Störung": "incident"}, {"Störung"}),
        ({"Störung": "other"}, {"Störung": "incident", "Problem": "other"}, {"Incident"}),
    ],
)
def test_the_default_query_follows_the_vocabulary(
    own: dict[str, str], common: dict[str, str], expected: set[str], flavour: Flavour, tmp_path: Path
) -> None:
    """A mapped type that only webhooks know would be taken between two pulls, and never with its history."""
    configured = {"sources": {"jira": {"type": own}}, "vocabulary": {"type": common}}
    assert types_of(tmp_path, configured, flavour) == expected


def test_a_query_of_ones_own_is_not_changed(tmp_path: Path) -> None:
    configured = {"sources": {"jira": {"type": {"Störung": "incident"}}}}
    assert types_of(tmp_path, configured, JIRA_JQL="issuetype = Problem") == {"Problem"}
    manifest = pulled(tmp_path / "again", configured, JIRA_JQL="issuetype = Problem")
    assert manifest.plan["scope"] == {"jql": "issuetype = Problem", "cloud": True}


def test_a_newly_mapped_type_is_read_from_the_beginning(tmp_path: Path) -> None:
    """Its old issues did not change since the last pull: an incremental pull would never see them. Without such a line the scope
    is what it was before there were any, so that an existing data directory is not read again."""
    first = pulled(tmp_path, {})
    assert first.plan["scope"] == {"jql": "", "cloud": True}
    default = {"sources": {"jira": {"type": {"Incident": "incident"}}}}
    assert pulled(tmp_path, default, hours=1).plan["mode"] == "incremental"
    configured = {"sources": {"jira": {"type": {"Störung": "incident"}}}}
    again = pulled(tmp_path, configured, hours=2)
    assert (again.plan["mode"], sum(file.records for file in again.files if file.stream == "issues")) == ("backfill", 2)
    assert pulled(tmp_path, configured, hours=3).plan["mode"] == "incremental"


def test_a_site_without_any_incident_type(tmp_path: Path) -> None:
    """The sentence names the types that were looked for and both remedies."""
    types = {"Incident": "other", "[System] Incident": "other", "Ausfall": "incident"}
    with pytest.raises(PermanentError) as error:
        pulled(tmp_path, {"sources": {"jira": {"type": types}}})
    assert str(error.value).endswith(
        "has no issue type that is mapped to incident (mapped: Ausfall); map one in [sources.jira.type], or set JIRA_JQL "
        "to a query for the incidents."
    )


# -- bad input ---------------------------------------------------------------------------------------------------------

WRONG = [
    (
        '[sources.jira.resolution]\n"Won\'t fix" = "false_alarm"\n"wont-fix" = "incident"\n"WON\'T  FIX" = "duplicate"\n',
        "'sources.jira.resolution': \"Won't fix\" and \"WON'T  FIX\" are one name; keep one of them.",
    ),
    (
        '[vocabulary.severity]\n"ＳＥＶ０" = "SEV1"\n"sev-0" = "SEV1"\n',
        "'vocabulary.severity': 'ＳＥＶ０' and 'sev-0' are one name; keep one of them.",
    ),
    (
        '[vocabulary.status]\n"Waiting for *" = "paused"\n"waiting for*" = "closed"\n',
        "'vocabulary.status': 'Waiting for *' and 'waiting for*' are one name; keep one of them.",
    ),
    (
        '[sources.jira.projects.OPS.status]\nParked = "parked"\n',
        "'sources.jira.projects.OPS.status.Parked': must be 'occurred', 'detected', ",
    ),
    (
        '[vocabulary.severity]\nUrgent = "SEV9"\n',
        "'vocabulary.severity.Urgent': must be 'SEV1', 'SEV2', 'SEV3' or 'SEV4' ",
    ),
    (
        '[vocabulary.resolution]\nDuplikat = "dup"\n',
        "'vocabulary.resolution.Duplikat': must be 'incident', 'false_alarm' or 'duplicate' (found 'dup').",
    ),
    (
        '[sources.jira.type]\nBug = "bug"\n',
        "'sources.jira.type.Bug': must be 'incident', 'post_mortem' or 'other' (found 'bug').",
    ),
    (
        '[vocabulary.type]\n" \\t" = "other"\n',
        "'vocabulary.type': a name in this table is blank; write one or take it out.",
    ),
    (
        '[vocabulary.status]\n" *" = "closed"\n',
        "'vocabulary.status': ' *' stands for every name; write how the names begin, like 'Waiting for *'.",
    ),
    ('[sources.opsgenie.resolution]\nDone = "incident"\n', "unknown key 'sources.opsgenie.resolution'; known there: "),
    ('[vocabulary]\nfields = { x = "team" }\n', "unknown key 'vocabulary.fields'; known there: "),
]


@pytest.mark.parametrize(("content", "said"), WRONG)
def test_a_wrong_word_is_refused_in_one_sentence(content: str, said: str, tmp_path: Path) -> None:
    """Two spellings of one word would both join, and which one counts would be chance; a meaning that is none would be lost."""
    path = tmp_path / "mttr.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_settings({}, config=path)
    assert str(error.value).startswith(f"{path}: {said}")


@pytest.mark.parametrize("content", [WRONG[1][0], WRONG[4][0], WRONG[7][0]])
def test_the_command_ends_with_exit_code_2(content: str, tmp_path: Path) -> None:
    """Before anything is pulled or written."""
    path, data_dir = tmp_path / "mttr.toml", tmp_path / "data"
    path.write_text(content, encoding="utf-8")
    run = mttr("--data-dir", data_dir, "--config", path, "run", env={"PAGERDUTY_TOKEN": "x"}).ended(2)
    assert "'vocabulary." in run.err and not data_dir.exists()


def test_production_is_the_same_for_pulls_and_tables() -> None:
    """A pull reads the commits of what the tables count: in any spelling, and not of a `live` that is a demonstration system."""
    options = DeployOptions(environment={"Prod EU": "production", "LIVE": "other"})
    assert production_environments(options) == {"prod", "production", "prodeu"}
