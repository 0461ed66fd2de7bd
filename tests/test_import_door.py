"""The door for files: whatever the format, the same file is refused with the same sentence, and the sentence fits the cause.

And what comes in: every encoding that is known or named, words that say nothing, characters that are none.
"""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import settings_for
from test_import import FIXTURES, do_import, landed, raw_lines, records, unreadable

from mttr_pipeline.config.imports import ImportPreset
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.intake.importer import ImportReport, import_files
from mttr_pipeline.intake.presets import house_presets, own_preset
from mttr_pipeline.intake.strangers import strangers, whose
from mttr_pipeline.landing.formats import NULL_WORDS
from mttr_pipeline.landing.lines import Readable, readable
from mttr_pipeline.landing.store import Landing, new_run_id

FORMATS = (".csv", ".parquet", ".json", ".jsonl")


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """The same records in the format that the name asks for."""
    if path.suffix == ".csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        path.write_text(text.getvalue(), encoding="utf-8")
    elif path.suffix == ".parquet":
        pl.DataFrame(rows).write_parquet(path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows), encoding="utf-8")
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def refused(landing: Landing, path: Path, **more: Any) -> str:
    """The sentence a file is refused with, after a look that nothing was written."""
    good = [] if "preset" in more else [FIXTURES / "records.jsonl"]
    with pytest.raises(ConfigError) as caught:
        import_files([*good, path], landing, new_run_id(), **more)
    assert not landing.root.exists() and str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)
    assert str(caught.value).count(". ") == 0, "one sentence"
    return str(caught.value)


# --- refused, and why -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_without_any_id_is_refused_whatever_its_format(landing: Landing, tmp_path: Path, suffix: str) -> None:
    """JSON used to come in record by record and stay in quarantine for ever, where CSV was refused."""
    rows = [{"Ticket": "T-1", "title": "x", "detected_at": "2026-05-01T08:00:00Z"}]
    said = refused(landing, write(tmp_path / f"some{suffix}", rows))
    assert "rename the" in said and "(Ticket?) to external_id, see docs/custom-records.md" in said
    assert "comma" not in said and "header" not in said, "a remedy for another cause"


@pytest.mark.parametrize("suffix", FORMATS)
def test_capital_letters_are_named(landing: Landing, tmp_path: Path, suffix: str) -> None:
    """`External_ID` is the likeliest slip of all; the sentence must not send anybody looking for another column."""
    said = refused(landing, write(tmp_path / f"some{suffix}", [{"External ID": "1", "Detected_At": "x", "note": "y"}]))
    assert "External ID is written external_id, Detected_At is written detected_at" in said and "rename" not in said


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_id_that_says_nothing_is_none(landing: Landing, tmp_path: Path, suffix: str) -> None:
    """A column of that name without a value in any row is no better than none."""
    said = refused(landing, write(tmp_path / f"some{suffix}", [{"external_id": "NULL", "title": "x"}] * 2))
    assert "it is empty in all of them" in said
    path = write(tmp_path / f"good{suffix}", [{"external_id": "", "title": "x"}, {"external_id": "7", "title": "y"}])
    assert do_import(landing, path).records == 2  # one good record lets the file in; the other goes to quarantine


@pytest.mark.parametrize(("mark", "called"), [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")])
def test_another_separator_is_named(landing: Landing, tmp_path: Path, mark: str, called: str) -> None:
    path = tmp_path / "some.csv"
    path.write_text(f"external_id{mark}title\n1{mark}a\n")
    assert f"its columns seem to be separated by {called}" in refused(landing, path)
    # with a separator of its own in a quoted name, the comma still separates
    path.write_text('external_id,"a;b"\n1,2\n')
    assert do_import(landing, path).records == 1


def test_repeated_columns_are_named_and_not_merged(landing: Landing, tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text("external_id,resolved_at,resolved_at\n1,a,b\n")
    assert "has 2 columns 'resolved_at'" in refused(landing, path)
    path.write_text("external_id,title,,\n1,a,,\n")  # a spreadsheet leaves columns without a name
    assert do_import(landing, path).records == 1 and records(landing) == {2: {"external_id": "1", "title": "a"}}


def test_a_list_inside_an_object_is_named_with_its_number(landing: Landing, tmp_path: Path) -> None:
    """An answer of an API counted as one record without an id."""
    path = tmp_path / "page.json"
    path.write_text(
        json.dumps({"total": 3, "tickets": [{"ticket_id": n, "opened": "x"} for n in range(3)], "page": {}})
    )
    said = refused(landing, path)
    assert 'the records seem to stand under "tickets" (3)' in said and "give an array of them" in said
    assert "(ticket_id?)" in said
    path.write_text(json.dumps({"items": [{"external_id": "1"}]}))
    assert "write them as an array of their own" in refused(landing, path)
    # a record that has lists of its own is no page
    path.write_text(json.dumps([{"id": 1, "title": "x", "updates": [{"at": 1}, {"at": 2}]}]))
    assert "seem to stand" not in refused(landing, path)


@pytest.mark.parametrize("name", ["pagerduty-csv", "jira-csv", "servicenow-csv", "opsgenie-csv"])
def test_a_table_that_a_preset_fits_says_which(landing: Landing, tmp_path: Path, name: str) -> None:
    path = FIXTURES.parent / "imports" / f"{name.removesuffix('-csv')}.csv"
    copy = tmp_path / "export.csv"
    copy.write_bytes(path.read_bytes())
    if name == "jira-csv":  # the repeated columns of that export are what is seen first
        copy.write_text("Summary,Issue key,Created\nx,OPS-1,01/Oct/26 8:05 AM\n")
    assert f"use `--as {name}`" in refused(landing, copy)


@pytest.mark.parametrize("name", ["pagerduty-incidents", "opsgenie-alerts", "jira-search", "statuspage"])
def test_a_list_answer_says_which_preset_fits(landing: Landing, name: str) -> None:
    said = refused(landing, FIXTURES.parent / "imports" / f"{name}.json")
    assert f"`--as {name if name != 'statuspage' else 'statuspage-json'}`" in said and "seem to stand under" in said


STRANGERS = {
    "Datadog": {"alert_type": "error", "event_type": "triggered", "last_updated": "1"},
    "GitHub": {"action": "opened", "repository": {"full_name": "a/b"}, "sender": {"login": "x"}},
    "GitLab": {"object_kind": "issue", "project": {}},
    "New Relic": {"issueUrl": "x", "totalIncidents": 1},
    "Sentry": {"action": "created", "installation": {}, "data": {}},
    "Grafana OnCall": {"alert_group": {}, "event": {}, "integration": {}},
    "Grafana legacy": {"ruleId": 1, "ruleName": "x", "state": "ok"},
    "Zabbix": {"event_source": "0", "event_id": "1", "trigger_id": "2"},
    "Statuspage": {"meta": {}, "page": {"id": "1"}, "incident": {}},
    "ServiceNow": {"sys_id": "1", "number": "INC1", "short_description": "x"},
    "incident.io": {"event_type": "x", "public_incident.incident_created_v2": {}},
    "FireHydrant": {"event": {"operation": "CREATED", "resource_type": "incident"}, "data": {}},
    "VictorOps": {"incidentNumber": "1", "currentPhase": "RESOLVED"},
    "Amazon SNS": {"Type": "Notification", "MessageId": "1", "TopicArn": "x"},
    "Azure Monitor": {"schemaId": "x", "data": {"essentials": {}}},
    "version 2": {"messages": [{"event": "incident.trigger", "incident": {}}]},
}


@pytest.mark.parametrize("name", STRANGERS)
def test_the_body_of_a_stranger_says_whose_it_is(landing: Landing, tmp_path: Path, name: str) -> None:
    path = tmp_path / "body.json"
    path.write_text(json.dumps(STRANGERS[name]))
    said = refused(landing, path, accounts=settings_for(tmp_path).accounts)
    assert "it looks like a" in said and name in said


def test_a_stranger_among_records_is_named_line_by_line(landing: Landing, tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    path.write_text('{"external_id": "1"}\n' + json.dumps(STRANGERS["Sentry"]) + "\n")
    assert do_import(landing, path).unreadable == 1
    assert unreadable(landing) == {2: "looks like a Sentry webhook, which is not read"}


def test_no_custom_record_is_taken_for_a_stranger() -> None:
    """The shapes must not claim what is ours, or a record with a few words in common."""
    every = dict.fromkeys(("external_id", "title", "severity", "status", "service", "team", "detected_at"), "x")
    assert whose(json.dumps({**every, "timeline": [{"event_type": "note", "at": "x"}]}).encode()) is None
    assert whose(b'{"id": 1, "title": "x", "state": "open", "data": {}, "event": "x"}') is None
    assert len({s.name for s in strangers()}) == len(strangers()) >= 12


# --- encodings and characters -----------------------------------------------------------------------------------------

TEXT = 'external_id,title,detected_at\n1,"Stö€rung, größer",2026-05-01T08:00:00Z\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_encoding_that_says_its_name_is_read(landing: Landing, tmp_path: Path, encoding: str) -> None:
    for suffix, text in ((".csv", TEXT), (".json", '[{"external_id": "1", "title": "Stö€rung, größer"}]')):
        path = tmp_path / f"some{suffix}"
        path.write_bytes(text.encode(encoding))
        report = do_import(Landing(tmp_path / suffix), path)
        assert (report.records, report.replaced) == (1, 0)
        assert [r["title"] for r in records(Landing(tmp_path / suffix)).values()] == ["Stö€rung, größer"]


def own(**settings: Any) -> Any:
    """A preset of one's own for this project's own names."""
    columns = {name: name for name in ("external_id", "title", "detected_at")}
    return own_preset("mine", ImportPreset.model_validate({"columns": columns, **settings}))


def take(landing: Landing, path: Path, preset: Any) -> ImportReport:
    return import_files([path], landing, new_run_id(), preset=preset)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le", "utf-16-be", "latin9"])
def test_another_encoding_is_named_in_a_preset(landing: Landing, tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "some.csv"
    path.write_bytes(TEXT.encode(encoding))
    assert take(landing, path, own(encoding=encoding)).replaced == 0
    assert [record["title"] for record in records(landing).values()] == ["Stö€rung, größer"]


@pytest.mark.parametrize(
    ("encoding", "named", "sentence"),
    [
        ("utf-16", "cp1252", "begins with the byte order mark of UTF-16"),
        ("utf-8-sig", "utf-16", "begins with the byte order mark of UTF-8"),
        ("utf-8", "utf-16", "is not in utf-16"),
    ],
)
def test_a_wrong_encoding_is_a_sentence(
    landing: Landing, tmp_path: Path, encoding: str, named: str, sentence: str
) -> None:
    path = tmp_path / "some.csv"
    path.write_bytes(TEXT.encode(encoding))
    assert sentence in refused(landing, path, preset=own(encoding=named))


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl"])
def test_a_bad_byte_costs_a_character_and_not_the_record(landing: Landing, tmp_path: Path, suffix: str) -> None:
    """The id and the stamps stay, the report counts, and says what to do."""
    rows = [{"external_id": "1", "title": "St#rung#", "detected_at": "2026-05-01T08:00:00Z"}, {"external_id": "2"}]
    rows = [{"title": "", "detected_at": "", **row} for row in rows]
    path = write(tmp_path / f"some{suffix}", rows)
    path.write_bytes(path.read_bytes().replace(b"#", b"\xf6", 1).replace(b"#", b"\xff", 1))
    report = do_import(landing, path)
    assert (report.records, report.unreadable, report.replaced) == (2, 0, 2)
    assert "2 characters are not valid" in str(report) and "name its encoding" in str(report)
    first = next(record for record in records(landing).values() if record["external_id"] == "1")
    assert (first["title"], first["detected_at"]) == ("St\ufffdrung\ufffd", "2026-05-01T08:00:00Z")


@pytest.mark.parametrize(
    ("text", "title", "replaced"),
    [
        (rb'{"external_id": "1", "title": "a\ud800b"}', "a\ufffdb", 1),
        (rb'{"external_id": "1", "title": "\udc00\ud83d"}', "\ufffd\ufffd", 2),
        (rb'{"external_id": "1", "title": "\ud83d\ude00 \ud83d"}', "\U0001f600 \ufffd", 1),
        (rb'{"external_id": "1", "title": "nul \u0000"}', "nul \ufffd", 1),
        (rb'{"external_id": "1", "title": "no nul \\u0000"}', r"no nul \u0000", 0),
        (b'{"external_id": "1", "title": "a\0\tb"}', "a\ufffd\tb", 1),
        (b'{"external_id": "1", "title": "\xed\xa0\x80"}', "\ufffd\ufffd\ufffd", 3),
    ],
)
def test_half_characters_and_zeros_are_replaced(
    landing: Landing, tmp_path: Path, text: bytes, title: str, replaced: int
) -> None:
    """DuckDB refuses a whole file for one of them, so they cannot stay; the record can."""
    path = tmp_path / "some.jsonl"
    path.write_bytes(text + b"\n")
    report = do_import(landing, path)
    assert (report.records, report.unreadable, report.replaced) == (1, 0, replaced)
    assert records(landing) == {1: {"external_id": "1", "title": title}}
    assert ("replaced by" in str(report)) == (replaced > 0)


@given(st.binary(max_size=60), st.text(max_size=20))
def test_any_bytes_in_a_text_leave_a_record(junk: bytes, more: str) -> None:
    """Whatever stands between the quotation marks of a text, apart from quotation marks and backslashes."""
    junk = re.sub(rb'["\\]', b"", junk)
    found = readable(b'{"external_id": "1", "title": "' + junk + b'", "more": ' + json.dumps(more).encode() + b"}")
    assert isinstance(found, Readable)
    assert json.loads(found.content)["external_id"] == "1"
    found.content.decode()


def test_an_unreadable_row_keeps_the_id_that_it_names(landing: Landing, tmp_path: Path) -> None:
    """So that the corrected row, from whatever file, takes it out of quarantine; never `no id` where there is one."""
    path = tmp_path / "some.csv"
    path.write_text("title,external_id\nx,A-1\ny,A-2,more\n")
    do_import(landing, path)
    (row,) = [json.loads(line) for line in raw_lines(landing) if b'"unreadable":' in line]
    assert row["id"] == "A-2"


def test_misspelt_fields_are_named_in_the_report(landing: Landing, tmp_path: Path) -> None:
    path = write(tmp_path / "some.csv", [{"external_id": "1", "Detected_At": "x", "note": "y"}])
    said = str(do_import(landing, path))
    assert "Field names are written in lower case: Detected_At is written detected_at." in said
    path = write(tmp_path / "other.csv", [{"external_id": "1", "detected_at": "x", "note": "y"}])
    assert "lower case" not in str(do_import(landing, path))


def test_words_that_say_nothing_are_the_same_in_python_and_sql(tmp_path: Path) -> None:
    """Cells of tables are compared in Python, texts of JSON in SQL."""
    sql = (Path(__file__).parents[1] / "sql" / "macros" / "internal.sql").read_text(encoding="utf-8")
    (listed,) = re.findall(r"MACRO given_text\(value\) AS.*?regexp_full_match\(trim\(value\), '(.*?)'\)", sql, re.S)
    assert {re.sub(r"\\(.)", r"\1", word) for word in listed.split("|")} == NULL_WORDS
    assert max(len(word.encode()) for word in NULL_WORDS) <= 4  # longer texts are not compared
    assert {"", "NA", "NULL", r"\N", "?"} <= NULL_WORDS


def test_words_that_say_nothing_leave_no_cell(landing: Landing, tmp_path: Path) -> None:
    rows = [{"external_id": "1", "team": word, "tags": word, "timeline": word} for word in sorted(NULL_WORDS)]
    for suffix in (".csv", ".parquet"):
        place = Landing(tmp_path / suffix)
        do_import(place, write(tmp_path / f"some{suffix}", rows))
        assert [json.loads(row["record"]) for row in landed(place)] == [{"external_id": "1"}] * len(rows)


def test_every_preset_of_the_house_is_documented() -> None:
    page = (Path(__file__).parents[1] / "docs" / "custom-records.md").read_text(encoding="utf-8")
    assert [name for name in house_presets() if f"`{name}`" not in page] == []
