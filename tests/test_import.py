"""`mttr import`: which lines reach the landing zone, what is refused before anything is written, and the two examples.

What becomes of a value is no matter of the importer; here only its lines are looked at, as the pipeline reads them.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from mttr_pipeline.errors import ConfigError
from mttr_pipeline.intake import inbox
from mttr_pipeline.intake.importer import KNOWN_FIELDS, MAX_RECORD_BYTES, MAX_TEXT, ImportReport, import_files
from mttr_pipeline.landing.store import Landing, new_run_id

REPOSITORY = Path(__file__).parents[1]
FIXTURES = REPOSITORY / "tests" / "fixtures" / "custom"
SHARED = REPOSITORY.parent / "shared" / "data"  # real data sets that are no part of the repository


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


def do_import(landing: Landing, *paths: Path | str) -> ImportReport:
    return import_files(paths, landing, new_run_id())


def landed(landing: Landing) -> list[dict[str, Any]]:
    """The lines of all complete extracts, read as the pipeline reads them: with DuckDB, into typed columns."""
    rows: list[dict[str, Any]] = []
    for manifest in landing.manifests("custom"):
        landing.verify(manifest)
        for file in manifest.files if manifest.status == "complete" else ():
            found = duckdb.execute(
                "SELECT file, line, record::VARCHAR, unreadable, reason "
                "FROM read_json(?, format = 'newline_delimited', columns = {file: 'VARCHAR', line: 'BIGINT', "
                "record: 'JSON', unreadable: 'VARCHAR', reason: 'VARCHAR'})",
                [str(landing.folder(manifest) / file.file)],
            ).fetchall()
            assert len(found) == file.records
            names = ("file", "line", "record", "unreadable", "reason")
            rows += [dict(zip(names, row, strict=True)) for row in found]
    return rows


def raw_lines(landing: Landing) -> list[bytes]:
    (manifest,) = landing.manifests("custom")
    data = b"".join((landing.folder(manifest) / file.file).read_bytes() for file in manifest.files)
    return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read().splitlines()


def records(landing: Landing) -> dict[int, Any]:
    return {row["line"]: json.loads(row["record"]) for row in landed(landing) if row["record"] is not None}


def unreadable(landing: Landing) -> dict[int, str]:
    return {row["line"]: row["reason"] for row in landed(landing) if row["unreadable"] is not None}


# --- JSON Lines -------------------------------------------------------------------------------------------------------


def test_json_lines_are_landed_byte_for_byte_with_file_and_line(landing: Landing) -> None:
    path = FIXTURES / "records.jsonl"
    report = do_import(landing, path)

    assert (report.records, report.unreadable, report.replaced) == (5, 3, 1)
    lines = path.read_bytes().splitlines()
    prefix = b'{"file":' + json.dumps(str(path)).encode()
    assert raw_lines(landing)[:3] == [prefix + b',"line":%d,"record":%b}' % (n, lines[n - 1]) for n in (1, 3, 4)]
    assert set(records(landing)) == {1, 3, 4, 7, 9}
    assert records(landing)[9] == {"external_id": "A-8", "title": "external_id"}  # a name as a value is no second name


def test_lines_that_are_no_object_are_landed_as_text_with_the_reason(landing: Landing) -> None:
    do_import(landing, FIXTURES / "records.jsonl")
    assert set(unreadable(landing)) == {5, 6, 8}
    assert unreadable(landing)[5] == "not a JSON object"
    assert unreadable(landing)[8] == "the name external_id stands there 2 times"
    assert next(row["unreadable"] for row in landed(landing) if row["line"] == 5) == '["not", "an", "object"]'


def test_unknown_fields_are_counted_and_kept(landing: Landing) -> None:
    report = do_import(landing, FIXTURES / "records.jsonl")
    assert report.unknown_fields == {"pager": 1, "zone": 2}
    assert records(landing)[4]["pager"] == 7
    (manifest,) = landing.manifests("custom")
    assert manifest.facts == {"unreadable": 3, "unknown_fields": {"pager": 1, "zone": 2}}
    assert manifest.high_water is None and landing.latest("custom") is None
    assert "zone (2), pager (1)" in str(report) and "3 lines are" in str(report)


@pytest.mark.parametrize(
    "line",
    [
        b'{"a": 01}',
        b'{"a": NaN}',
        b'{"a": 1}{"b": 2}',
        b'{"a": 1,}',
        b'{"external_id": "a", "external\\u005fid": "b"}',  # the same name, once spelt with an escape
        b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"a": "' + b"x" * MAX_RECORD_BYTES + b'"}',
        b'"text"',
        b"\x00\x00",
    ],
    ids=lambda line: line[:24].decode("ascii", "replace"),
)
def test_a_line_that_would_spoil_the_load_of_all_is_kept_as_text(landing: Landing, tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "some.jsonl"
    path.write_bytes(b'{"external_id": "1"}\n' + line + b'\n{"external_id": "2"}')
    report = do_import(landing, path)
    assert (report.records, report.unreadable) == (2, 1)
    assert set(records(landing)) == {1, 3} and set(unreadable(landing)) == {2}
    assert all(len(row["unreadable"] or "") <= MAX_TEXT for row in landed(landing))


@given(lines=st.lists(st.binary(max_size=40) | st.text(max_size=40).map(lambda t: json.dumps({t: t}).encode())))
def test_whatever_a_line_holds_it_is_landed_once_and_duckdb_reads_it(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    content = b'{"external_id": "first"}\n' + b"\n".join(lines)
    (folder / "any.jsonl").write_bytes(content)
    expected = [n for n, line in enumerate(content.split(b"\n"), 1) if line.strip(b" \t\r")]
    report = do_import(Landing(folder / "landing"), folder / "any.jsonl")
    rows = landed(Landing(folder / "landing"))
    assert [row["line"] for row in rows] == expected
    assert report.records + report.unreadable == len(expected)


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [
        (".ndjson", bytes),
        (".jsonl.gz", gzip.compress),
        (".JSONL.ZST", zstandard.ZstdCompressor().compress),
        (".ndjson.zst", lambda data: b"".join(map(zstandard.ZstdCompressor().compress, (data[:50], data[50:])))),
    ],
)
def test_compressed_files_give_the_same_records(landing: Landing, tmp_path: Path, suffix: str, compress: Any) -> None:
    path = tmp_path / f"records{suffix}"
    path.write_bytes(compress((FIXTURES / "records.jsonl").read_bytes()))
    do_import(landing, path)
    assert set(records(landing)) == {1, 3, 4, 7, 9} and set(unreadable(landing)) == {5, 6, 8}


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(landing: Landing, tmp_path: Path) -> None:
    path = tmp_path / "windows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"external_id": "1"}\r\n{"external_id": "2"}\r\n')
    assert do_import(landing, path).unreadable == 0
    assert set(records(landing)) == {1, 2}


# --- JSON array, CSV, Parquet -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_an_array_gives_its_elements_in_order(landing: Landing, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"all{suffix}"
    content = json.dumps([{"external_id": "1", "tags": ["ä"]}, 7, {"external_id": "2"}], indent=2).encode("utf-8-sig")
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    do_import(landing, path)
    assert records(landing) == {1: {"external_id": "1", "tags": ["ä"]}, 3: {"external_id": "2"}}
    assert unreadable(landing) == {2: "not a JSON object"}


def test_csv_cells_become_fields(landing: Landing) -> None:
    report = do_import(landing, FIXTURES / "records.csv")
    assert records(landing) == {
        2: {
            "external_id": "A-1",
            "severity": "SEV1",
            "tags": ["eu", "payments"],
            "detected_at": "2026-03-01T10:00:00Z",
            "resolved_at": "2026-03-01T10:42:00Z",
        },
        3: {
            "external_id": "A-2",
            "severity": "SEV2",
            "detected_at": "2026-03-02T08:00:00Z",
            "zone": "b",
            "timeline": [{"event_type": "resolved", "at": "2026-03-02T09:00:00Z", "notes": "two lines"}],
        },
        # no JSON: stays text and goes to quarantine, like the day without a time; both are no matter of the importer
        6: {"external_id": "A-3", "severity": "SEV3", "detected_at": "2026-03-02", "timeline": "[no JSON"},
        # a byte that is no UTF-8 costs one character, not the record
        9: {"external_id": "A-6", "severity": "SEV3", "detected_at": "2026-03-03T08:00:00Z", "tags": ["caf\ufffd"]},
        10: {"external_id": "A-7", "severity": "SEV3", "detected_at": "2026-03-04T08:00:00Z"},
    }
    assert report.unknown_fields == {"zone": 1}


def test_csv_rows_that_cannot_be_read_are_named_by_line(landing: Landing) -> None:
    do_import(landing, FIXTURES / "records.csv")
    reasons = unreadable(landing)
    assert set(reasons) == {7, 8}
    assert reasons[7] == "2 cells where the header has 7"
    assert reasons[8].startswith("not valid CSV, line 8")


def test_parquet_values_become_json(landing: Landing, tmp_path: Path) -> None:
    at = datetime(2026, 3, 1, 10, 0, 0, 250_000, tzinfo=UTC)
    table = pl.DataFrame(
        {
            "external_id": ["A-1", "A-2", None],
            "detected_at": [at, None, None],
            "resolved_at": [at.replace(tzinfo=None), None, None],
            "tags": [["eu", "b"], [], None],
            "timeline": [[{"event_type": "mitigated", "at": at}], None, []],
            "affected_users": [12.0, float("nan"), None],
            "count": [3, None, None],
        }
    ).with_columns(updated_at=pl.col("detected_at").dt.convert_time_zone("Europe/Berlin"))
    path = tmp_path / "odd [name]*.parquet"
    table.write_parquet(path)
    report = do_import(landing, path)
    assert records(landing)[1] == {
        "external_id": "A-1",
        "detected_at": "2026-03-01T10:00:00.250000Z",
        "resolved_at": "2026-03-01T10:00:00.250000",  # naive stays naive: the configured zone decides
        "tags": ["eu", "b"],
        "timeline": [{"event_type": "mitigated", "at": "2026-03-01T10:00:00.250000Z"}],
        "affected_users": 12.0,
        "count": 3,
        "updated_at": "2026-03-01T10:00:00.250000Z",
    }
    assert records(landing)[2] == {"external_id": "A-2", "tags": []}  # NaN is how pandas writes a gap
    assert records(landing)[3] == {"timeline": []}
    assert report.unknown_fields == {"count": 1}


def test_parquet_text_columns_follow_the_rules_of_csv_and_far_years_stay_readable(
    landing: Landing, tmp_path: Path
) -> None:
    path = tmp_path / "text.parquet"
    far = pl.Series([1_564_876_512_345_678_901], dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
    pl.DataFrame(
        {"external_id": ["1"], "tags": ["a, b"], "timeline": ['[{"at": "x"}]'], "closed_at": far}
    ).write_parquet(path)
    do_import(landing, path)
    assert records(landing) == {
        1: {
            "external_id": "1",
            "tags": ["a", "b"],
            "timeline": [{"at": "x"}],
            "closed_at": "51558-12-18T16:05:45.678901Z",
        }
    }


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "remedy"),
    [
        ("none.jsonl", None, "does not exist; correct the file name"),
        ("folder.jsonl", "folder", "is a folder"),
        ("empty.jsonl", b"", "is empty; export it again"),
        ("blank.jsonl", b"\n \n", "holds no record"),
        ("notes.txt", b"{}", "name it .jsonl"),
        ("noextension", b"{}", "name it .jsonl"),
        ("some.parquet.gz", b"{}", "name it .jsonl"),
        ("pretty.jsonl", b'[\n {"external_id": "1"}\n]', "name an array .json"),
        ("object.json", b'{"external_id": "1"', "is not a JSON array of objects"),
        ("broken.json", b'[{"external_id": "1"}', "is not a JSON array of objects"),
        ("empty.json", b"[]", "holds no record"),
        ("header.csv", b"external_id,title\n", "holds no record"),
        ("semicolon.csv", b"external_id;title\n1;a\n", "seem to be separated by semicolons"),
        ("doubled.csv", b"external_id,title,title\n1,a,b\n", "has 2 columns 'title'"),
        ("utf16.csv", "external_id\n1\n".encode("utf-16-le"), "seems to be UTF-16 without a byte order mark"),
        ("text.parquet", b"external_id", "cannot be read as Parquet"),
        ("text.jsonl.gz", b'{"external_id": "1"}', "is damaged or not compressed"),
        ("text.jsonl.zst", b'{"external_id": "1"}', "is damaged or not compressed"),
        ("cut.jsonl.zst", zstandard.ZstdCompressor().compress(b'{"external_id": "1"}\n' * 99)[:-5], "it ends early"),
    ],
)
def test_a_bad_file_is_one_sentence_and_nothing_is_landed(
    landing: Landing, tmp_path: Path, name: str, content: Any, remedy: str
) -> None:
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        do_import(landing, FIXTURES / "records.jsonl", path)
    assert str(caught.value).startswith(str(path)) and remedy in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not landing.root.exists()


def test_a_parquet_file_without_external_id_is_refused(landing: Landing, tmp_path: Path) -> None:
    pl.DataFrame({"id": [1]}).write_parquet(tmp_path / "other.parquet")
    with pytest.raises(ConfigError, match=r"no column external_id \(found: id\)"):
        do_import(landing, tmp_path / "other.parquet")


def test_no_file_at_all_is_refused(landing: Landing) -> None:
    with pytest.raises(ConfigError, match="No file was named"):
        do_import(landing)


def _blank_lines(path: Path) -> None:
    path.write_bytes(zstandard.ZstdCompressor(level=1).compress(b'{"external_id": "1"}' + b" " * (80 << 20)))


def _one_long_array(path: Path) -> None:
    path.write_bytes(gzip.compress(b'[{"external_id": "1"}' + b" " * (2 << 20) + b"]"))


def _long_name_of_a_column(path: Path) -> None:
    path.write_text("external_id," + "x" * 10_000 + "\n" + "".join(f"{n},1\n" for n in range(2_000)), encoding="utf-8")


def _one_value_in_every_row(path: Path) -> None:
    query = "SELECT 'a' || range AS external_id, repeat('x', 1000) AS title FROM range(20000)"
    duckdb.sql(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")


@pytest.mark.parametrize(
    ("name", "write", "told"),
    [
        ("bomb.jsonl.zst", _blank_lines, r"decompresses to more than 200 times its size, .* give the plain file\.$"),
        ("bomb.json.gz", _one_long_array, "decompresses to more than 200 times its size"),
        ("bomb.csv", _long_name_of_a_column, "holds records of more than 200 times its size"),
        ("bomb.parquet", _one_value_in_every_row, "holds records of more than 200 times its size"),
    ],
)
def test_a_small_file_that_becomes_a_huge_one_is_refused(
    landing: Landing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, write: Any, told: str
) -> None:
    """156 KB filled a disk with 5 GB. Nothing of it is taken, by the import and by the inbox, which moves it out of the way."""
    if not name.endswith(".zst"):
        monkeypatch.setattr("mttr_pipeline.landing.encodings.MANY_BYTES", 1 << 20)  # so that a small bomb does
    write(tmp_path / name)
    with pytest.raises(ConfigError, match=told):
        do_import(landing, tmp_path / name)
    assert landed(landing) == []
    (tmp_path / "inbox").mkdir()
    (tmp_path / name).rename(tmp_path / "inbox" / name)
    taken = inbox.take(tmp_path / "inbox", landing, new_run_id(), ())
    assert len(taken.refused) == 1 and "times its size" in taken.refused[0]
    assert len(list((tmp_path / "inbox" / "refused").glob(f"*/{name}"))) == 1


def test_a_table_that_needs_more_memory_than_a_table_may_is_refused(landing: Landing, tmp_path: Path) -> None:
    """Two thousand texts of a few megabytes, all the same, are a file of 3 KB."""
    query = "SELECT range AS external_id, repeat('x', 1_500_000) AS title FROM range(2_000)"
    duckdb.sql(f"COPY ({query}) TO '{tmp_path / 'wide.parquet'}' (FORMAT parquet, COMPRESSION zstd)")
    with pytest.raises(
        ConfigError, match=r"wide\.parquet (cannot be read as Parquet \(Out of Memory|holds records of more)"
    ):
        do_import(landing, tmp_path / "wide.parquet")


def test_a_file_damaged_further_in_leaves_no_complete_extract_and_none_to_take_up(
    landing: Landing, tmp_path: Path
) -> None:
    path = tmp_path / "cut.jsonl.gz"
    noise = "".join(json.dumps({"external_id": str(n), "title": f"{n * n * 7919:x}"}) + "\n" for n in range(50_000))
    whole = gzip.compress(noise.encode())
    path.write_bytes(whole[:-20])
    with pytest.raises(ConfigError, match=r"cut\.jsonl\.gz is damaged"):
        do_import(landing, FIXTURES / "records.jsonl", path)
    (failed,) = landing.manifests("custom")
    assert failed.status == "failed" and landed(landing) == []

    path.write_bytes(whole)
    report = do_import(landing, path)  # a fresh extract of its own
    assert report.extract_id != failed.extract_id and len(landed(landing)) == report.records == 50_000


def test_several_files_are_one_extract_and_a_file_named_twice_counts_once(landing: Landing, tmp_path: Path) -> None:
    more = tmp_path / "more.jsonl"
    more.write_bytes(b'{"external_id": "1"}\n')
    report = do_import(landing, more, FIXTURES / "records.jsonl", more)
    assert report.files == [str(more), str(FIXTURES / "records.jsonl")] and report.records == 6
    (manifest,) = landing.manifests("custom")
    assert {file.stream for file in manifest.files} == {"records"}
    do_import(landing, more)
    assert len(landing.manifests("custom")) == 2  # the same file again is a new, later extract


def test_progress_is_told(landing: Landing) -> None:
    calls: list[tuple[Any, ...]] = []

    class Told:
        def start(self, source: str) -> None:
            calls.append(("start", source))

        def update(self, source: str, stream: str, done_windows: int, total_windows: int, records: int) -> None:
            calls.append((source, stream, done_windows, total_windows, records))

        def finish(self, source: str) -> None:
            calls.append(("finish", source))

    import_files([FIXTURES / "records.jsonl"], landing, new_run_id(), progress=Told())
    assert calls == [("start", "custom"), ("custom", "records", 1, 1, 5), ("finish", "custom")]


def test_every_field_is_documented() -> None:
    page = (REPOSITORY / "docs" / "custom-records.md").read_text(encoding="utf-8")
    assert [name for name in KNOWN_FIELDS if f"`{name}`" not in page] == []


@pytest.mark.parametrize(("kind", "count"), [("jsonl", 3), ("csv", 2)])
def test_the_examples_of_the_page_can_be_imported(landing: Landing, tmp_path: Path, kind: str, count: int) -> None:
    page = (REPOSITORY / "docs" / "custom-records.md").read_text(encoding="utf-8")
    (tmp_path / f"page.{kind}").write_text(page.split(f"```{kind}\n")[1].split("```")[0], encoding="utf-8")
    report = do_import(landing, tmp_path / f"page.{kind}")
    assert (report.records, report.unreadable, report.unknown_fields) == (count, 0, {})
    assert all("timeline" not in r or isinstance(r["timeline"], list) for r in records(landing).values())


# --- the examples -----------------------------------------------------------------------------------------------------


def example(script: str, source: Path, output: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REPOSITORY / "examples" / script), str(source), str(output)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def produced(script: str, source: Path, tmp_path: Path) -> dict[str, dict[str, Any]]:
    """The records that an example makes, by external_id; each must import without a complaint."""
    output = tmp_path / "records.jsonl"
    done = example(script, source, output)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    report = do_import(Landing(tmp_path / "landing"), output)
    assert (report.records, report.unreadable, report.unknown_fields) == (len(lines), 0, {})
    return {line["external_id"]: line for line in lines}


def told(record: dict[str, Any]) -> list[tuple[str, str]]:
    return [(entry["event_type"], entry["at"][5:16]) for entry in record["timeline"] if entry["event_type"] != "note"]


def assert_timeline_agrees(record: dict[str, Any]) -> None:
    """Folded by time, the timeline ends resolved at resolved_at, or never is; and no reopen starts a new episode."""
    ends = sorted(entry["at"] for entry in record["timeline"] if entry["event_type"] == "resolved")
    back = sorted(entry["at"] for entry in record["timeline"] if entry["event_type"] == "reopened")
    assert len(back) == max(len(ends) - 1, 0)
    for resolved, reopened, again in zip(ends, back, ends[1:], strict=False):
        gap = datetime.fromisoformat(reopened) - datetime.fromisoformat(resolved)
        assert 0 <= gap.total_seconds() < 86_400 and reopened < again, record
    assert (ends[-1] if ends else None) == record.get("resolved_at"), record
    assert all(entry["event_type"] != "closed" for entry in record["timeline"]) and "closed_at" not in record


def test_servicenow_fixture(tmp_path: Path) -> None:
    found = produced("servicenow_event_log.py", FIXTURES / "servicenow.csv", tmp_path)
    assert list(found) == ["INC1", "INC2", "INC3", "INC4", "INC5", "INC6"]
    first = found["INC1"]
    assert {
        name: first[name] for name in ("severity", "team", "service", "detected_at", "resolved_at", "updated_at")
    } == {
        "severity": "SEV1",  # the priority it ended with
        "team": "Group 2",  # the last known group
        "service": "Category 1",
        "detected_at": "2024-04-01T08:00:00Z",
        "resolved_at": "2024-04-01T10:30:00Z",
        "updated_at": "2024-04-06T10:30:00Z",
    }
    assert told(first) == [
        ("investigating", "04-01T08:20"),
        ("paused", "04-01T08:40"),
        ("investigating", "04-01T09:40"),
        ("resolved", "04-01T10:30"),
    ]
    assert told(found["INC2"]) == [
        ("investigating", "04-01T09:10"),
        ("resolved", "04-01T10:00"),
        ("reopened", "04-01T18:00"),
        ("resolved", "04-02T09:00"),
    ]
    assert found["INC2"]["tags"] == ["Phone", "reopened"]
    # reopened three days later: as events that would be two incidents
    assert told(found["INC3"]) == [("investigating", "04-04T10:00"), ("resolved", "04-05T09:00")]
    assert first["status"] == "Closed"
    assert told(found["INC4"]) == [] and "resolved_at" not in found["INC4"] and "service" not in found["INC4"]
    assert told(found["INC5"]) == [] and "tags" not in found["INC5"]
    # resolved, reopened and resolved within one minute: the order of the events could not be told
    assert [kind for kind, _ in told(found["INC6"])].count("reopened") == 0
    for record in found.values():
        assert_timeline_agrees(record)


def test_github_fixture(tmp_path: Path) -> None:
    found = produced("github_status.py", FIXTURES / "github_status.jsonl", tmp_path)
    first = found["901"]
    assert (first["severity"], first["service"], first["tags"]) == ("SEV1", "Builds", ["Builds", "Runners"])
    assert (first["occurred_at"], first["detected_at"]) == ("2024-05-01T09:40:00Z", "2024-05-01T10:00:00Z")
    assert told(first) == [
        ("investigating", "05-01T10:00"),
        ("root_cause_found", "05-01T10:20"),
        ("mitigated", "05-01T11:00"),
        ("resolved", "05-01T11:30"),
    ]
    assert first["timeline"][-1]["event_type"] == "note"
    assert (found["902"]["kind"], told(found["902"])) == ("maintenance", [("resolved", "05-02T12:00")])
    assert (found["903"]["severity"], told(found["903"])) == ("SEV4", [("investigating", "05-03T08:00")])
    for record in found.values():
        assert_timeline_agrees(record)


@pytest.mark.parametrize("script", ["servicenow_event_log.py", "github_status.py"])
def test_an_example_explains_what_is_wrong_and_leaves_no_file(tmp_path: Path, script: str) -> None:
    output = tmp_path / "out.jsonl"
    other = tmp_path / "other.csv"
    other.write_text("number,incident_state\n1,New\n")
    cut = tmp_path / "cut.csv.zst"
    cut.write_bytes(zstandard.ZstdCompressor().compress(b"x" * 100_000)[:-3])
    for source in (tmp_path / "missing.csv", other, cut):
        done = example(script, source, output)
        assert done.returncode == 1 and done.stderr.startswith(str(source)) and done.stderr.count("\n") == 1
        assert "Nothing was written" in done.stderr
    assert sorted(tmp_path.iterdir()) == [cut, other]
    helped = subprocess.run(
        [sys.executable, str(REPOSITORY / "examples" / script), "--help"], capture_output=True, text=True, check=False
    )
    assert helped.returncode == 0 and "custom incident records" in helped.stdout


def shared(*parts: str) -> Path:
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the data set {'/'.join(parts)} is not beside this repository (folder shared/data); see examples/")
    return path


def figures(found: dict[str, dict[str, Any]], severity: str | None = None) -> tuple[int, float, float, float]:
    """n, mean, median and p95 in minutes of resolved_at - detected_at over real incidents, computed with Polars."""
    rows = pl.DataFrame(
        [
            {"detected_at": record["detected_at"], "resolved_at": record["resolved_at"]}
            for record in found.values()
            if record["kind"] == "incident" and "resolved_at" in record and severity in (None, record["severity"])
        ]
    ).select(pl.all().str.to_datetime("%Y-%m-%dT%H:%M:%SZ"))
    minutes = (rows["resolved_at"] - rows["detected_at"]).dt.total_seconds() / 60
    statistics = (minutes.mean(), minutes.median(), minutes.quantile(0.95, "linear"))
    return rows.height, *(round(float(value), 4) for value in statistics)  # type: ignore[arg-type,return-value]


@pytest.mark.slow
def test_real_servicenow_log(tmp_path: Path) -> None:
    source = shared("uci_servicenow", "incident_event_log.csv.zst")
    expected = json.loads(shared("uci_servicenow", "reference_facts.json").read_text())
    found = produced("servicenow_event_log.py", source, tmp_path)
    assert len(found) == 24_918
    assert sum("resolved_at" not in record for record in found.values()) == expected["incident_resolved_null"] == 1556
    assert figures(found) == (23_362, 10_690.2949, 1_326.0, 42_631.05)
    for priority, facts in expected["ttr_by_priority_nonneg"].items():
        assert figures(found, f"SEV{priority[0]}") == tuple(facts[name] for name in ("n", "mean", "median", "p95"))
    for record in found.values():
        assert_timeline_agrees(record)


def test_real_github_status(tmp_path: Path) -> None:
    source = shared("github_status", "incidents.jsonl")
    expected = json.loads(shared("github_status", "reference_facts.json").read_text())["ttr_by_impact"]
    found = produced("github_status.py", source, tmp_path)
    assert len(found) == 819 and sum(record["kind"] == "maintenance" for record in found.values()) == 18
    assert figures(found) == (801, 125.8527, 65.0, 404.0)
    for severity, impact in {"SEV1": "critical", "SEV2": "major", "SEV3": "minor", "SEV4": "none"}.items():
        facts = expected[impact]
        assert figures(found, severity) == tuple(facts[name] for name in ("n", "mean", "median", "p95"))
    for record in found.values():
        assert_timeline_agrees(record)
