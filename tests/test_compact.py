"""`mttr compact`: few files instead of many, and nothing else is different: not a byte, a hash, a reference or a row."""

from __future__ import annotations

import os
import shutil
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard
from support import open_warehouse

from mttr_pipeline.errors import ContractError
from mttr_pipeline.intake.undo import undo
from mttr_pipeline.landing.compaction import compact
from mttr_pipeline.landing.store import Landing

NOW = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    """Two sources over five months: overlapping records, a reject, an import, a failed pull, the newest extracts."""
    landing = Landing(tmp_path / "landing")
    for month in range(7, 12):
        for day in (3, 20):
            ended = datetime(2026, month, day, 2, tzinfo=UTC)
            extract = landing.begin("pagerduty", f"{ended:%Y%m%dT%H%M%S}000Z-0000", {"night": f"{ended:%m%d}"})
            teams = [b'{"id":"T%d","name":"n%d"}' % (number % 3, month) for number in range(day)]
            extract.land("teams", "w1", [*teams, b'{"name":"no id"}'])
            extract.land("teams", "w2", [b'{"id":"T%d"}' % month])
            extract.fail("x") if (month, day) == (8, 3) else extract.finish(ended)
    extract = landing.begin("custom", "20260901T000000000Z-0001", {"files": ["a.csv"]})
    extract.land(
        "records", "w", [b'{"file":"a.csv","line":1,"record":{"external_id":"A","detected_at":"2026-09-01T00:00:00Z"}}']
    )
    extract.finish()
    landing.begin("custom", "20261120T000000000Z-0001", {"files": []}).finish()
    return landing


def loaded(landing: Landing) -> dict[str, list[Any]]:
    """What a rebuild reads out of the landing zone, and that every file is what its manifest promises."""
    with landing.available(landing.manifests()) as root:
        for manifest in landing.manifests():
            landing.verify(manifest, root)
    (landing.root.parent / "warehouse").mkdir(exist_ok=True)
    warehouse = open_warehouse(landing.root.parent / "warehouse", after_nothing=True)
    warehouse.start_over()
    warehouse.load(landing)
    tables = ("raw.pagerduty_teams", "raw.custom_records", "ops.loads", "ops.quarantine", "ops.attempts")
    found = {table: sorted(map(repr, warehouse.con.execute(f"FROM {table}").fetchall())) for table in tables}
    warehouse.close()
    return found


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_past_months_become_one_file_each(landing: Landing) -> None:
    """November is not over, October ended 29 days ago, and the newest extract of a source may be resumed."""
    before, of_all, many = loaded(landing), landing.manifests(), files(landing.root)
    assert before["ops.quarantine"] and len(before["raw.pagerduty_teams"]) > 3
    done = compact(landing, NOW, 30)
    assert (done.extracts, done.archives) == (7, 4)
    assert [name for name in files(landing.root / "pagerduty") if "/" not in name] == [
        f"2026-{month}.{kind}" for month in ("07", "08", "09") for kind in ("json", "tar")
    ]
    assert len(files(landing.root)) == len(many) - done.files + 8
    assert landing.manifests() == of_all
    assert loaded(landing) == before
    assert compact(landing, NOW, 30).extracts == 0
    (landing.root / "pagerduty" / "2026-08.json").unlink()  # made anew from the archive
    assert landing.manifests() == of_all
    assert compact(landing, NOW, 29).extracts == 2
    assert landing.manifests() == of_all


def test_a_reference_names_a_member_of_the_archive(landing: Landing) -> None:
    """`raw_reference` leads to the record, before and after."""
    source, _, name = "pagerduty/20260720T020000000Z-0000/teams/00001.jsonl.zst".partition("/")
    assert (landing.root / source / name).exists()
    compact(landing, NOW, 30)
    with tarfile.open(landing.root / source / "2026-07.tar") as packed:
        content = packed.extractfile(name)
        assert content is not None
        assert b'{"name":"no id"}' in zstandard.ZstdDecompressor().stream_reader(content).read()


def test_an_archived_import_is_taken_back(landing: Landing) -> None:
    before = landing.manifests()
    compact(landing, NOW, 30)
    undo(landing, "20260901T000000000Z-0001")
    assert [m.status for m in landing.manifests("custom")] == ["undone", "complete"]
    assert len(landing.manifests()) == len(before)
    compact(landing, NOW, 30)  # again, under a name of its own
    assert [m.status for m in landing.manifests("custom")] == ["undone", "complete"]


def test_a_file_that_is_no_more_what_was_landed_is_not_archived(landing: Landing) -> None:
    path = next((landing.root / "pagerduty").glob("20260703*/teams/00001.jsonl.zst"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ContractError, match="is corrupt"):
        compact(landing, NOW, 30)
    assert path.exists()


def test_a_damaged_archive_is_told(landing: Landing) -> None:
    compact(landing, NOW, 30)
    archive = landing.root / "pagerduty" / "2026-07.tar"
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content[: len(content) // 3])
    with pytest.raises(ContractError, match=r"The archive .*2026-07\.tar cannot be read"):
        loaded(landing)


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.slow  # a copy of the landing zone for each of them
def test_killed_at_any_moment_nothing_is_lost(
    landing: Landing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every change that is made on disk may be the last one; what is there then is whole, and the next run goes on."""
    of_all = landing.manifests()
    steps = [(os, "replace"), (os, "rename"), (os, "unlink"), (os, "rmdir"), (os, "fsync")]
    real = {name: getattr(place, name) for place, name in steps}
    left = 0

    def limited(name: str) -> Any:
        def step(*given: Any, **more: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return real[name](*given, **more)

        return step

    ended = False
    moments = 0
    while not ended:
        copy = Landing(tmp_path / "copy" / "landing")
        shutil.rmtree(copy.root.parent, ignore_errors=True)
        shutil.copytree(landing.root, copy.root)
        left, moments = moments, moments + 1
        with monkeypatch.context() as patched:
            for place, name in steps:
                patched.setattr(place, name, limited(name))
            try:
                compact(copy, NOW, 30)
                ended = True
            except Killed:
                pass
        assert copy.manifests() == of_all
        with copy.available(of_all) as root:
            for manifest in of_all:
                copy.verify(manifest, root)
        compact(copy, NOW, 30)
        assert copy.manifests() == of_all
        assert not [name for name in files(copy.root) if "/." in name]
    assert moments > 40
