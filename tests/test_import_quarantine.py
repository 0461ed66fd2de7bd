"""What was mended is gone: quarantine after a corrected file, the same file again, and an import that is taken back.

Only the load is looked at; no table is built.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import build_all, open_warehouse, rows, settings_for
from test_received import alert, drop, group
from test_received import take as take_inbox

from mttr_pipeline.errors import ConfigError
from mttr_pipeline.intake.importer import import_files
from mttr_pipeline.intake.undo import undo
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.warehouse.database import Warehouse

HEAD = "external_id,title,detected_at\n"
GOOD = "A1,x,2026-10-01T08:00:00Z\n"


class Nights:
    """A landing zone and a warehouse into which every import is loaded at once, as nightly runs do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.landing = Landing(folder / "landing")
        self.warehouse: Warehouse = open_warehouse(folder, after_nothing=True)
        self.number = 0

    def take(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        self.number += 1
        extract = f"run-{self.number}"
        accounts = settings_for(self.folder).accounts
        import_files([path], self.landing, extract, accounts=accounts)
        self.warehouse.load(self.landing)
        return extract

    def quarantined(self) -> list[str]:
        """The files and lines, as the nights left them; a rebuild must say the same."""
        found = self._quarantined()
        self.warehouse.start_over()
        self.warehouse.load(self.landing)
        assert self._quarantined() == found
        return found

    def _quarantined(self) -> list[str]:
        listed = rows(self.warehouse.con, "SELECT raw_reference FROM ops.quarantine")
        return sorted(row["raw_reference"].rpartition("/")[2].rstrip(")") for row in listed)

    def records(self) -> dict[str, str]:
        found = rows(self.warehouse.con, "SELECT external_id, title FROM raw.custom_records")
        return {row["external_id"]: row["title"] for row in found}


@pytest.fixture
def nights(tmp_path: Path) -> Iterator[Nights]:
    nights = Nights(tmp_path)
    yield nights
    nights.warehouse.close()


def test_the_same_bad_line_counts_once_and_goes_with_its_correction(nights: Nights) -> None:
    """A cron that imports the same file every night made the light red for ever."""
    bad = HEAD + "A1,x\n" + "A2,y,2026-10-01T08:00:00Z\n"
    for _ in range(3):
        nights.take("night.csv", bad)
    assert nights.quarantined() == ["night.csv:2"]
    nights.take("fixed.csv", HEAD + GOOD)  # another file: the row names its record
    assert nights.quarantined() == []


def test_the_file_as_it_is_now_counts(nights: Nights) -> None:
    """A line without any id cannot be followed by it; the file can. Lines of other files stay."""
    nights.take("a.csv", HEAD + GOOD + ',x,2026-10-01T08:00:00Z\n,"x"y,\n')
    nights.take("b.csv", HEAD + GOOD + ",other,2026-10-01T08:00:00Z\n")
    assert nights.quarantined() == ["a.csv:3", "a.csv:4", "b.csv:3"]
    nights.take("a.csv", HEAD + GOOD)
    assert nights.quarantined() == ["b.csv:3"]


def test_the_same_bad_line_under_another_name_counts_once(nights: Nights) -> None:
    """Exports that carry the day in their name bring the same line every night. Another bad line is another one."""
    for day in (1, 2, 3):
        nights.take(
            f"export-{day}.jsonl",
            json.dumps({"external_id": f"N{day}", "detected_at": "2026-10-01T08:00:00Z"}) + "\n{cut\n",
        )
    assert nights.quarantined() == ["export-3.jsonl:2"]
    nights.take("export-4.jsonl", '{"external_id": "N4", "detected_at": "2026-10-01T08:00:00Z"}\n{cut off\n')
    assert nights.quarantined() == ["export-3.jsonl:2", "export-4.jsonl:2"]


def test_two_equal_bad_lines_of_one_file_are_two(nights: Nights) -> None:
    nights.take("a.csv", HEAD + GOOD + ",x,2026-10-01T08:00:00Z\n" * 2)
    assert nights.quarantined() == ["a.csv:3", "a.csv:4"]


def test_a_delivery_under_the_same_name_is_another_one(nights: Nights) -> None:
    """A receiver that always writes body.json: what a later delivery says does not mend the one that was lost."""
    lost = group({**alert("firing", "2026-10-01T08:00:00Z"), "fingerprint": None})
    drop(nights.folder, "body.json", lost)
    take_inbox(nights.folder, "run-a")
    drop(nights.folder, "body.json", group(alert("firing", "2026-10-01T08:00:00Z")))
    take_inbox(nights.folder, "run-b")
    nights.warehouse.load(nights.landing)
    assert nights.quarantined() == ["body.json:1"]


def test_files_that_are_refused_stay_listed_one_by_one(nights: Nights) -> None:
    """None of them has a text, so all would look alike. One that comes again in order is gone."""
    for night, name in enumerate(("a.json", "b.json")):
        drop(nights.folder, name, {"foo": 1})
        take_inbox(nights.folder, f"run-{night}")
        nights.warehouse.load(nights.landing)
    assert nights.quarantined() == ["a.json:1", "b.json:1"]
    drop(nights.folder, "a.json", {"external_id": "1", "detected_at": "2026-10-01T08:00:00Z"})
    take_inbox(nights.folder, "run-3")
    nights.warehouse.load(nights.landing)
    assert nights.quarantined() == ["b.json:1"]


def test_replaced_characters_are_a_finding_until_the_record_is_mended(nights: Nights) -> None:
    """A finding clears when its cause is gone: the record came again without the character."""
    finding = "SELECT dq_check, source, n, total FROM figures.findings_texts WHERE dq_check = 'characters_replaced'"

    def found() -> list[tuple[object, ...]]:
        build_all(nights.warehouse, ("figures.findings_texts",))
        return [tuple(row.values()) for row in rows(nights.warehouse.con, finding)]

    assert found() == [], "nothing was imported"
    record = '{"external_id": "%s", "title": "%s", "detected_at": "2026-10-01T08:00:00Z"}\n'
    nights.take("a.jsonl", record % ("1", r"half \ud83d") + record % ("2", "whole"))
    assert found() == [("characters_replaced", "custom", 1, 2)]
    nights.take("b.jsonl", record % ("1", "mended"))
    assert found() == [("characters_replaced", "custom", 0, 3)]


def test_an_import_is_taken_back(nights: Nights) -> None:
    """What it replaced is back, what it brought is gone, its bad lines too; the files stay. In the next run and in a rebuild."""
    nights.take("first.csv", HEAD + "A1,old,2026-10-01T08:00:00Z\nA2,kept,2026-10-01T08:00:00Z\n")
    wrong = nights.take("wrong.csv", HEAD + "A1,wrong,2026-10-01T08:00:00Z\nB1,alien,2026-10-01T08:00:00Z\n,x,\n")
    assert nights.records() == {"A1": "wrong", "A2": "kept", "B1": "alien"} and nights.quarantined() == ["wrong.csv:4"]
    (manifest,) = undo(nights.landing, wrong)
    assert manifest.status == "undone" and nights.landing.folder(manifest).is_dir()
    nights.landing.verify(manifest)
    nights.warehouse.load(nights.landing)
    assert nights.records() == {"A1": "old", "A2": "kept"} and nights.quarantined() == []
    assert nights.records() == {"A1": "old", "A2": "kept"}
    nights.take("later.csv", HEAD + "A1,new,2026-10-01T08:00:00Z\n")
    assert nights.records() == {"A1": "new", "A2": "kept"}
    ended = "SELECT extract_id, status, fetched FROM ops.attempts ORDER BY extract_id"
    assert [tuple(row.values()) for row in rows(nights.warehouse.con, ended)] == [
        ("run-1", "complete", 2),
        ("run-2", "undone", 0),
        ("run-3", "complete", 1),
    ]


def test_bodies_and_records_of_one_import_go_together(nights: Nights) -> None:
    body = json.dumps(group(alert("firing", "2026-10-01T08:00:00Z")))
    mixed = nights.take("mixed.jsonl", f'{{"external_id": "1", "detected_at": "2026-10-01T08:00:00Z"}}\n{body}\n')
    assert {manifest.source for manifest in undo(nights.landing, mixed)} == {"custom", "inbox"}
    nights.warehouse.load(nights.landing)
    assert nights.records() == {} and rows(nights.warehouse.con, "SELECT * FROM raw.alertmanager_inbox") == []


def test_what_cannot_be_taken_back_is_a_sentence(nights: Nights) -> None:
    nights.take("a.csv", HEAD + GOOD)
    pull = nights.landing.begin("pagerduty", "run-9", {"since": None})
    pull.finish()
    with pytest.raises(ConfigError, match=r"There is no import 'run-7' that can be taken back; the newest are run-1\."):
        undo(nights.landing, "run-7")
    with pytest.raises(ConfigError, match="run-9 is a pull of pagerduty, and only imports can be taken back"):
        undo(nights.landing, "run-9")
    undo(nights.landing, "run-1")
    with pytest.raises(ConfigError, match="run-1 is taken back already"):
        undo(nights.landing, "run-1")
    with pytest.raises(ConfigError, match="there are none"):
        undo(nights.landing, "run-7")
