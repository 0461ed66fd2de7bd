"""The landing zone: bytes as they came, whole windows or none, resumable, and nothing ever overwritten."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mttr_pipeline.errors import ContractError
from mttr_pipeline.landing.store import Extract, Landing, new_run_id, wrap_child

PLAN = {"as_of": "2026-01-01", "since": "2025-01-01", "until": "2026-01-01T00:00:00+00:00", "mode": "backfill"}


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


def test_records_come_back_byte_for_byte(landing: Landing) -> None:
    records = [b'{"a" : 1.50, "b":"\\u00e9"}', '{"t":"🔥 שלום"}'.encode(), b'{"big":"' + b"x" * 5_000_000 + b'"}']
    extract = landing.begin("acme", new_run_id(), PLAN)
    assert extract.land("things", "w", iter(records)) == 3
    assert list(extract.read("things", "w")) == records
    assert extract.landed("things") == 3


def test_line_breaks_between_members_do_not_break_the_line(landing: Landing) -> None:
    extract = landing.begin("acme", new_run_id(), PLAN)
    extract.land("things", "w", [b'{\n "a": "x\\ny",\r\n "b": 1\n}'])
    assert list(extract.read("things", "w")) == [b'{  "a": "x\\ny",   "b": 1 }']


@settings(max_examples=25)
@given(st.lists(st.binary(max_size=200).map(lambda b: b.replace(b"\n", b" ").replace(b"\r", b" ")), max_size=20))
def test_any_bytes_survive(tmp_path_factory: pytest.TempPathFactory, records: list[bytes]) -> None:
    extract = Landing(tmp_path_factory.mktemp("any")).begin("acme", new_run_id(), PLAN)
    extract.land("things", "w", records)
    assert list(extract.read("things", "w")) == records


def test_a_window_that_fails_half_way_leaves_nothing(landing: Landing) -> None:
    extract = landing.begin("acme", new_run_id(), PLAN)

    def broken() -> object:
        yield b"{}"
        raise RuntimeError("line cut")

    with pytest.raises(RuntimeError):
        extract.land("things", "w", broken())  # type: ignore[arg-type]
    assert not extract.has("things", "w")
    assert not list(extract.folder.glob("things/*"))


def test_a_resumed_extract_never_overwrites_a_landed_file(landing: Landing) -> None:
    """The number of a window that failed stays unused; counting the files would hand out a number twice."""
    extract = landing.begin("acme", "run-1", PLAN)
    extract.land("things", "one", [b'{"n":1}'])
    with pytest.raises(ZeroDivisionError), extract.writing("things", "two"):
        raise ZeroDivisionError
    extract.land("things", "three", [b'{"n":3}'])

    again = landing.begin("acme", "run-2", {**PLAN, "until": "2026-01-02T00:00:00+00:00"})
    assert again.folder == extract.folder and again.plan == PLAN
    again.land("things", "two", [b'{"n":2}'])
    assert {w: list(again.read("things", w)) for w in again.windows("things")} == {
        "one": [b'{"n":1}'],
        "two": [b'{"n":2}'],
        "three": [b'{"n":3}'],
    }
    manifest = again.finish(datetime(2026, 1, 1, tzinfo=UTC))
    landing.verify(manifest)
    assert manifest.records == 3


def test_a_window_landed_twice_counts_once(landing: Landing) -> None:
    extract = landing.begin("acme", "run-1", PLAN)
    extract.land("things", "w", [b"{}", b"{}"])
    extract.land("things", "w", [b"{}"])
    assert extract.landed("things") == 1
    again = landing.begin("acme", "run-2", PLAN)
    assert again.landed("things") == 1 and again.finish().records == 1


def test_a_journal_cut_short_by_a_kill_loses_only_its_last_line(landing: Landing) -> None:
    extract = landing.begin("acme", "run-1", PLAN)
    extract.land("things", "one", [b"{}"])
    extract.land("things", "two", [b"{}"])
    journal = extract.folder / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-10])
    again = landing.begin("acme", "run-2", PLAN)
    assert again.windows("things") == ["one"]
    again.land("things", "two", [b'{"again":1}'])
    assert list(again.read("things", "two")) == [b'{"again":1}']


def test_killed_runs_stand_in_the_manifest_of_the_one_that_ends(landing: Landing) -> None:
    """Nobody watches the nightly run, so the next run must report that one was killed."""
    for run in ("run-1", "run-2"):
        landing.begin("acme", run, PLAN).land("things", run, [b"{}"])
    failed = landing.begin("acme", "run-3", PLAN).fail("the vendor was down")
    assert [(a.run_id, a.status) for a in failed.attempts] == [
        ("run-1", "interrupted"),
        ("run-2", "interrupted"),
        ("run-3", "failed"),
    ]
    ended = landing.begin("acme", "run-4", PLAN).finish()
    assert [a.status for a in ended.attempts] == ["interrupted", "interrupted", "failed", "complete"]
    assert all(a.started_at <= a.finished_at <= b.started_at for a, b in pairwise(ended.attempts))


def test_a_journalled_file_that_is_gone_is_fetched_again(landing: Landing) -> None:
    extract = landing.begin("acme", "run-1", PLAN)
    extract.land("things", "one", [b"{}"])
    extract.land("things", "two", [b"{}"])
    next(extract.folder.glob("things/00001*")).unlink()
    assert landing.begin("acme", "run-2", PLAN).windows("things") == ["two"]


def test_a_finished_extract_is_never_written_to_again(landing: Landing) -> None:
    first = landing.begin("acme", "run-1", PLAN)
    first.land("things", "w", [b'{"n":1}'])
    first.finish(datetime(2026, 1, 1, tzinfo=UTC))
    second = landing.begin("acme", "run-1", PLAN)
    assert second.folder != first.folder
    second.land("things", "w", [b'{"n":2}'])
    second.finish()
    assert [m.extract_id for m in landing.manifests("acme")] == ["run-1", "run-1.0002"]
    assert list(first.read("things", "w")) == [b'{"n":1}']


def test_a_failed_extract_is_taken_up_again_only_for_the_same_question(landing: Landing) -> None:
    failed = landing.begin("acme", "run-1", PLAN)
    failed.land("things", "one", [b"{}"])
    failed.fail("the vendor was down")
    assert landing.latest("acme") is None
    other = landing.begin("acme", "run-2", {**PLAN, "mode": "full"})
    assert other.folder != failed.folder
    shutil.rmtree(other.folder)
    same = landing.begin("acme", "run-3", PLAN)
    assert same.windows("things") == ["one"]
    manifest = same.finish(datetime(2026, 1, 1, tzinfo=UTC))
    assert [a.status for a in manifest.attempts] == ["failed", "complete"]
    assert manifest.attempts[0].error == "the vendor was down"


def test_a_corrupt_file_is_named(landing: Landing) -> None:
    extract: Extract = landing.begin("acme", "run-1", PLAN)
    extract.land("things", "w", [b"{}"])
    manifest = extract.finish()
    path = extract.folder / manifest.files[0].file
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    with pytest.raises(ContractError, match=r"00001\.jsonl\.zst is corrupt.*--full-refresh"):
        landing.verify(manifest)


def test_a_child_names_its_parent() -> None:
    assert wrap_child('a"b', b'{"x": 1.0}') == b'{"parent_id":"a\\"b","record":{"x": 1.0}}'


def test_an_extract_of_more_files_than_five_digits_overwrites_none(tmp_path: Path) -> None:
    """A pull of years, taken up by a second run: the number behind 99,999 has six digits."""
    landing = Landing(tmp_path / "landing")
    extract = landing.begin("acme", "run-1", {})
    extract._next = 99_998
    for n in range(3):
        extract.land("things", f"window-{n}", [b'{"n": %d}' % n])
    again = landing.begin("acme", "run-2", {})
    again.land("things", "window-3", [b'{"n": 3}'])
    names = sorted(path.name.partition(".")[0] for path in again.folder.glob("things/*.jsonl.zst"))
    assert again.folder == extract.folder and names == ["100000", "100001", "100002", "99999"]
