"""One record that no reader takes costs nothing but itself: a bad character is replaced, a line that is too long is set aside."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from support import AS_OF, land, open_warehouse, rows

from mttr_pipeline.intake import inbox, received
from mttr_pipeline.intake.importer import import_files
from mttr_pipeline.landing import characters
from mttr_pipeline.landing.readers import Readable, Unreadable, readable
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.sources.alertmanager import SOURCE as ALERTMANAGER
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.registry import load_settings
from mttr_pipeline.warehouse.conformance import NO_RECORDS, ODD_MEMBERS
from mttr_pipeline.warehouse.mending import LIMITS, identity_of

BAD = {
    "half a pair, escaped": b"a\\ud83db",
    "the other half": b"a\\uDE00b",
    "NUL, escaped": b"a\\u0000b",
    "NUL": b"a\x00b",
    "no UTF-8": b"a\xffb",
}
GOOD = [b'{"a":"\\ud83d\\ude00 \\\\ud800 \\n"}', '{"ä":\n"😀"}'.encode(), b'{\t"a": [1.50, "x/y"]}', b"[]"]


def incident(number: int, title: bytes = b"x") -> bytes:
    """A PagerDuty incident as it is landed."""
    return (
        b'{"id":"Q%d","title":"%s","status":"resolved","urgency":"high","created_at":"2026-10-01T10:00:00Z",'
        b'"resolved_at":"2026-10-01T11:00:00Z","updated_at":"2026-10-01T11:00:00Z"}' % (number, title)
    )


def extract_of(landing: Landing, lines: list[bytes], run_id: str) -> Path:
    """Land the lines as a finished extract; gives its folder."""
    extract = landing.begin("pagerduty", run_id, {"extract": run_id})
    extract.land("incidents", "all", lines)
    extract.finish(AS_OF)
    return extract.folder


def state(folder: Path, landing: Landing) -> dict[str, list[dict[str, Any]]]:
    """Load what is landed; the records, the ledger, the quarantine and the records with a replaced character."""
    warehouse = open_warehouse(folder, as_of=AS_OF, after_nothing=True)
    try:
        warehouse.load(landing)
        queries = {
            "records": "SELECT external_id, title, created_at IS NOT NULL AS is_stamped FROM raw.pagerduty_incidents ORDER BY 1",
            "ledger": "SELECT fetched, normalised, duplicates, quarantined FROM ops.loads ORDER BY extract_id",
            "quarantine": "SELECT stream, external_id, reason, raw_reference FROM ops.quarantine",
            "marked": "SELECT external_id FROM ops.marked ORDER BY 1",
        }
        return {name: rows(warehouse.con, query) for name, query in queries.items()}
    finally:
        warehouse.close()


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_bad_character_is_replaced_and_nothing_else(text: bytes) -> None:
    """Strict readers take what comes out, and the text around the character is as sent."""
    found = characters.repaired(b'{"id": 7 , "title":"' + text + b'"}')
    assert msgspec.json.decode(found) == {"id": 7, "title": "a\ufffdb"}
    assert found.startswith(b'{"id": 7 , ') and characters.has_mark(found)


@pytest.mark.parametrize("text", GOOD)
def test_good_text_stays_byte_for_byte(text: bytes) -> None:
    """Whole pairs, escaped backslashes and white space between values are no bad characters."""
    assert characters.repaired(text) is text and not characters.has_mark(text)


def test_a_control_character_in_a_string_is_kept_escaped() -> None:
    """It breaks strict readers, but it is a character; only its spelling is wrong."""
    assert msgspec.json.decode(characters.repaired(b'{\n"a":"x\n\x02"\n}')) == {"a": "x\n\x02"}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_page_keeps_every_id(text: bytes) -> None:
    """The client looks for ids in the rows of a page: to read their children, and to see repeats."""
    page = envelope.member_list(b'{"incidents":[' + incident(1) + b"," + incident(2, text) + b"]}", "incidents")
    assert [json.loads(row)["id"] for row in page] == ["Q1", "Q2"] and page[0] == incident(1)


def test_the_record_its_id_and_its_stamps_stay_and_it_is_counted(tmp_path: Path) -> None:
    """The landing zone keeps what it is given, the loader replaces it. A later delivery without such a character clears the note."""
    landing = Landing(tmp_path / "landing")
    extract_of(landing, [incident(0), *(incident(n, text) for n, text in enumerate(BAD.values(), 1))], "run-1")
    found = state(tmp_path, landing)
    ids = [f"Q{n}" for n in range(1, len(BAD) + 1)]
    assert [row["title"] for row in found["records"]] == ["x", *["a\ufffdb"] * len(BAD)]
    assert all(row["is_stamped"] for row in found["records"]) and found["quarantine"] == []
    assert [row["external_id"] for row in found["marked"]] == ids
    extract_of(landing, [incident(1, b"mended").replace(b"T11:00:00Z", b"T12:00:00Z")], "run-2")
    assert [row["external_id"] for row in state(tmp_path, landing)["marked"]] == ids[1:]


def test_what_an_older_release_has_landed_is_mended_when_it_is_loaded(tmp_path: Path) -> None:
    """It landed such lines as they came, or as a text under `unreadable`; both were rejected as records without an id."""
    landing = Landing(tmp_path / "landing")
    folder = extract_of(landing, [incident(0), incident(1), incident(2)], "run-1")
    old = [incident(0), incident(1, b"a\\ud800b"), envelope.unreadable_record(incident(2, b"a\xffb"))]
    (path,) = folder.glob("incidents/*.zst")
    path.write_bytes(zstandard.compress(b"\n".join(old) + b"\n"))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][0] |= {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
    del manifest["files"][0]["marked"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    found = state(tmp_path, landing)
    assert [row["title"] for row in found["records"]] == ["x", "a\ufffdb", "a\ufffdb"] and found["quarantine"] == []
    assert [row["external_id"] for row in found["marked"]] == ["Q1", "Q2"]


def test_a_line_that_is_too_long_is_set_aside_and_everything_else_is_loaded(tmp_path: Path) -> None:
    """Before, it failed the load of every source, on every later night and in every rebuild."""
    landing = Landing(tmp_path / "landing")
    extract_of(landing, [incident(0), incident(1, b"x" * (LIMITS[0] + 6_000_000)), incident(2)], "run-1")
    land(landing, "opsgenie", {"alerts": [{"id": "A", "createdAt": "2026-10-01T10:00:00Z", "message": "m"}]})
    found = state(tmp_path, landing)
    assert [row["external_id"] for row in found["records"]] == ["Q0", "Q2"]
    (row,) = found["quarantine"]
    assert (row["stream"], row["external_id"]) == ("incidents", "Q1")
    assert row["reason"] == "the record has 70.0 MB, more than the 64 MB that can be loaded"
    assert row["raw_reference"] == "pagerduty/run-1/incidents/00001.jsonl.zst"
    assert {"fetched": 3, "normalised": 2, "duplicates": 0, "quarantined": 1} in found["ledger"] and len(
        found["ledger"]
    ) == 2
    extract_of(landing, [incident(1)], "run-2")
    later = state(tmp_path, landing)
    assert later["quarantine"] == [] and [row["external_id"] for row in later["records"]] == ["Q0", "Q1", "Q2"]


@pytest.mark.parametrize(
    ("line", "identity"),
    [
        (b'{"expand":"x","id":"10","fields":{"a":[', "10"),
        (b'{"issueId": 7, "changeHistories":[{"id":"1"}', "7"),
        (b'{"fields":{"id":"inner', None),
        (b'{"parent_id":"A","record":{"id":"B"}}', "A"),
        (b"[]", None),
    ],
)
def test_the_id_of_a_line_that_ends_early(line: bytes, identity: str | None) -> None:
    """Only the start of a long line is kept; an `id` inside another member is not the record's."""
    assert identity_of(line) == identity


def test_a_window_counts_its_marked_records(tmp_path: Path) -> None:
    """The loader opens only files with such records again."""
    extract = Landing(tmp_path).begin("pagerduty", "run", {})
    extract.land("incidents", "a", [incident(1), incident(2, b"a\\ud800")])
    extract.land("incidents", "b", [incident(3)])
    files = extract.finish().files
    assert [file.marked for file in files] == [1, 0]
    plain = zstandard.ZstdDecompressor().stream_reader(io.BytesIO((extract.folder / files[1].file).read_bytes()))
    assert plain.read() == incident(3) + b"\n"


# -- every source ------------------------------------------------------------------------------------------------------

#: What no reader takes for JSON; the other odd things at the end of a record are read all the same.
UNREADABLE = {"a thousand lists", "a hundred thousand objects", "NaN", "Infinity", "a comma too many", "a word"}
ODD = {what: (odd, what not in UNREADABLE) for what, odd in ODD_MEMBERS.items() if what != "five megabytes"} | {
    "numbers where objects belong": (
        b'"priority":5,"service":7,"teams":8,"fields":9,"responders":10,"tags":11,"integration":12,"timeline":13',
        True,
    ),
}
STAMP = b'"2026-10-01T10:00:00Z"'
#: source -> the stream of its records, what a record begins with, and what names it in the stream's table.
RECORDS = {
    "pagerduty": ("incidents", b'{"id":"%s","title":"t","status":"resolved","created_at":' + STAMP),
    "opsgenie": ("alerts", b'{"id":"%s","message":"t","status":"closed","createdAt":' + STAMP),
    "jsm": ("alerts", b'{"id":"%s","message":"t","status":"closed","createdAt":' + STAMP),
    "jira": ("issues", b'{"id":"%s","key":"OPS-1","fields":{"summary":"t","created":"2026-10-01T10:00:00.000+0000"}'),
}


def test_an_odd_record_costs_itself_and_not_its_page(tmp_path: Path) -> None:
    """Each kind in each source at once: the others arrive, what cannot be read is in quarantine by its id, nothing is lost.

    A page of a vendor is cut by the functions that all of them use; files come in by import, an array and single lines, and bodies
    by the inbox.
    """
    landing = Landing(tmp_path / "landing")
    numbered = {b"%d" % number: odd for number, odd in enumerate(ODD.values(), 100)}
    for source, (stream, start) in RECORDS.items():
        records = [start % b"1" + b"}", *(start % name + b"," + odd + b"}" for name, (odd, _) in numbered.items())]
        page = b'{"before":1,"rows":[' + b",".join([*records, *NO_RECORDS, start % b"2" + b"}"]) + b'],"more":false}'
        rows_of_page = envelope.member_list(page, "rows")
        assert len(rows_of_page) == len(records) + len(NO_RECORDS) + 1
        extract = landing.begin(source, "run-1", {})
        extract.land(stream, "all", rows_of_page)
        extract.finish(AS_OF)
    start = b'{"external_id":"%s","detected_at":' + STAMP
    records = [start % b"1" + b"}", *(start % n + b"," + odd + b"}" for n, (odd, _) in numbered.items()), *NO_RECORDS]
    (tmp_path / "array.json").write_bytes(b"[" + b",".join([*records, start % b"2" + b"}"]) + b"]")
    (tmp_path / "lines.jsonl").write_bytes(b"\n".join([*records, start % b"3" + b"}"]))
    import_files([tmp_path / "array.json", tmp_path / "lines.jsonl"], landing, "run-2")
    alert = b'{"status":"firing","labels":{"alertname":"a"},"startsAt":"2026-10-01T10:00:00Z","fingerprint":"%s"'
    alerts = [alert % n + b"," + odd + b"}" for n, (odd, _) in numbered.items()]
    body = (
        b'{"version":"4","alerts":['
        + b",".join([alert % b"1" + b"}", *alerts, *NO_RECORDS, alert % b"2" + b"}"])
        + b"]}"
    )
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "array.json").write_bytes(body)
    inbox.take(tmp_path / "inbox", landing, "run-3", load_settings({}, data_dir=tmp_path).accounts)

    warehouse = open_warehouse(tmp_path, as_of=AS_OF, after_nothing=True)
    try:
        warehouse.load(landing)
        read = {name.decode() for name, (_, is_read) in numbered.items() if is_read}
        spoilt = {name.decode() for name in numbered} - read
        for source, (stream, _) in {**RECORDS, "custom": ("records", b"")}.items():
            there = {
                row["external_id"] for row in rows(warehouse.con, f"SELECT external_id FROM raw.{source}_{stream}")
            }
            listed = rows(warehouse.con, f"SELECT external_id, reason FROM ops.quarantine WHERE source = '{source}'")
            own = {"2", "3"} if source == "custom" else {"2"}
            no_timeline = {"113"} if source == "custom" else set()  # its timeline is a number, and told as that
            assert there == {"1", *own, *read} - no_timeline, source
            assert {row["external_id"] for row in listed} == {*spoilt, *no_timeline, None}, source
            nameless = {row["reason"] for row in listed if row["external_id"] is None}
            assert len(nameless) == len(NO_RECORDS) and all(": " in reason for reason in nameless), nameless
            assert "no id" not in {row["reason"] for row in listed}
        there = {row["id"] for row in rows(warehouse.con, "SELECT fingerprint AS id FROM raw.alertmanager_inbox")}
        assert there == {"1", "2", *(read - {"107"})}, "alerts of one body"
        reasons = [
            row["reason"] for row in rows(warehouse.con, "SELECT reason FROM ops.quarantine WHERE source = 'inbox'")
        ]
        (twice,) = (reason for reason in reasons if "is no JSON object" not in reason)
        assert twice.startswith("Alertmanager alert 9: the name x stands there 2 times: ")
        assert len(reasons) == len(spoilt) + 1 + len(NO_RECORDS)
        ledger = rows(warehouse.con, "SELECT * FROM ops.loads")
        assert all(row["fetched"] == row["normalised"] + row["duplicates"] + row["quarantined"] for row in ledger)
    finally:
        warehouse.close()


ALERT = b'{"status":"firing","labels":{"alertname":"a"},"startsAt":"2026-10-01T10:00:00Z","fingerprint":"%s"}'
SPOILT = ALERT.replace(b'"alertname":"a"', b'"alertname":"a","job":"b","job":"c"') % b"2"
A, B = ALERT % b"1", ALERT % b"3"
NO_LIST = b'"alerts":7,"alerts":[%b]' % A
NINE = b'"x":1,' * 9 + b'"alerts":[%b]' % A
#: What stands in a body -> the alerts that are taken of it, and what is told with which text.
TWICE: dict[str, tuple[bytes, list[str], list[tuple[str, bytes]]]] = {
    "in an alert": (
        b'"alerts":[%b,%b,%b]' % (A, SPOILT, B),
        ["1", "3"],
        [("Alertmanager alert 2: the name job stands 2 times in $.labels", SPOILT)],
    ),
    "where nothing is read": (
        b'"alerts":[%b,%b],"receiver":"x","receiver":"y","commonLabels":{"a":1,"a":2}' % (A, B),
        ["1", "3"],
        [],
    ),
    "two lists": (
        b'"alerts":[%b],"alerts":[%b,%b]' % (A, A, B),
        ["1"],
        [("the name alerts stands there 2 times", B)],
    ),
    "two keys of the group": (
        b'"alerts":[%b],"groupKey":"x","groupKey":"y"' % A,
        ["1"],
        [("the name groupKey stands there 2 times", b'{"group":"y","body":%b}' % A)],
    ),
    "no list and a list": (NO_LIST, ["1"], [("the name alerts stands there 2 times", b'{"version":"4",%b}' % NO_LIST)]),
    "nine times": (NINE, [], [("the name x stands there 9 times", b'{"version":"4",%b}' % NINE)]),
}


@pytest.mark.parametrize(("members", "taken", "told"), TWICE.values(), ids=TWICE)
def test_a_name_twice_costs_the_alert_it_stands_in(
    members: bytes, taken: list[str], told: list[tuple[str, bytes]]
) -> None:
    """The other alerts of the body are taken. What is not has the place in its reason, and all of its text."""
    assert ALERTMANAGER.webhook is not None
    body = readable(b'{"version":"4",%b}' % members)
    assert isinstance(body, Readable)
    parts = list(received.landed_parts(ALERTMANAGER.webhook, body.content, body.fields, {}))
    lines = [json.loads(b"{" + part[1:] + b"}") for part in parts if isinstance(part, bytes)]
    assert [line["body"]["fingerprint"] for line in lines] == taken
    assert [(part.reason, part.text.encode()) for part in parts if isinstance(part, Unreadable)] == told


def test_a_name_twice_is_kept_with_all_of_the_record(tmp_path: Path) -> None:
    """Nobody has the text of a body but the landing zone: what is set aside for a name is landed whole, not only its start."""
    record = b'{"external_id":"A","title":"' + b"x" * 5000 + b'","detected_at":%b,"title":"y"}' % STAMP
    (tmp_path / "one.jsonl").write_bytes(record + b'\n{"external_id":"B","detected_at":%b}' % STAMP)
    landing = Landing(tmp_path / "landing")
    report = import_files([tmp_path / "one.jsonl"], landing, "run-1")
    assert (report.records, report.unreadable) == (1, 1)
    (manifest,) = landing.manifests("custom")
    plain = zstandard.ZstdDecompressor().stream_reader(landing.read(manifest, manifest.files[0].file) or b"").read()
    line = json.loads(plain.splitlines()[0])
    assert line["unreadable"].encode() == record and line["id"] == "A"
    assert line["reason"] == "the name title stands there 2 times"


def test_an_issue_with_a_field_twice_says_so(tmp_path: Path) -> None:
    """Its fields are read as one map, which no name may stand in twice; "created is missing" is not what is wrong with it."""
    issue = b'{"id":"%d","key":"O-%d","fields":{"created":"2026-10-01T10:00:00.000+0000","a":"x"%b}}'
    landing = Landing(tmp_path / "landing")
    extract = landing.begin("jira", "run-1", {})
    extract.land("issues", "all", [issue % (1, 1, b""), issue % (2, 2, b',"a":"y"')])
    extract.finish(AS_OF)
    warehouse = open_warehouse(tmp_path, as_of=AS_OF)
    try:
        warehouse.load(landing)
        assert rows(warehouse.con, "SELECT external_id FROM raw.jira_issues") == [{"external_id": "1"}]
        (listed,) = rows(warehouse.con, "SELECT external_id, reason FROM ops.quarantine")
        assert listed == {"external_id": "2", "reason": "a name stands twice in fields"}
    finally:
        warehouse.close()


@pytest.mark.slow
def test_a_text_of_sixty_megabytes_in_a_broken_page(tmp_path: Path) -> None:
    """The slow road, on which a page is cut by its brackets, must not need many times its size."""
    huge = incident(1, b"x\\n" * 20_000_000)
    page = envelope.member_list(b'{"incidents":[' + huge + b',{"id":"Q2","x":NaN},' + incident(3) + b"]}", "incidents")
    assert page[0] == huge and page[2] == incident(3)
    landing = Landing(tmp_path / "landing")
    extract_of(landing, page, "run-1")
    found = state(tmp_path, landing)
    assert [row["external_id"] for row in found["records"]][-1] == "Q3"
    assert {row["external_id"] for row in found["records"] + found["quarantine"]} == {"Q1", "Q2", "Q3"}


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"a":', b'{"a":[1,2}', b'{"a":"x', b"<html>", b'{"a":[{"b":NaN}', b"{5:NaN}", b"[1,,NaN]"]
)
def test_a_body_that_ends_early_is_no_page(body: bytes) -> None:
    """It is asked for again: half a page must not pass for a whole one."""
    with pytest.raises(envelope.InvalidBody):
        envelope.items(envelope.required(envelope.members(body), "a"))
