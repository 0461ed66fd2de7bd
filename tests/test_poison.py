"""Payloads no vendor should send: wrong types, nulls, absurd stamps, odd characters, broken text, huge descriptions.

Real payloads of every source (as the simulators serve them) are copied under ids of their own, spoilt, and brought in by
the same road as the others: cut out of a page, landed, loaded, staged, folded. Nothing may crash, the records that were
not touched must come out as if the spoilt ones were not there, and every record must be accounted for.
"""

from __future__ import annotations

import json
import random
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from support import FAR, build_all, open_warehouse, rows
from support_e2e import UNTIL, scratch

from mttr_pipeline.landing.store import Landing

sys.path.insert(0, str(Path(__file__).parents[1] / "promises"))

from fuzz import STREAMS, incidents, land, own_copy, payloads, poisoned

pytestmark = pytest.mark.slow  # whole runs on spoilt records


@cache
def unspoilt() -> dict[tuple[str, str], list[dict[str, Any]]]:
    folder = scratch()
    land(folder, {name: {} for name in STREAMS}, random.Random(0))
    warehouse = open_warehouse(folder, as_of=UNTIL, after_nothing=True)
    warehouse.load(Landing(folder / "landing"))
    build_all(warehouse)
    try:
        return incidents(warehouse.con)
    finally:
        warehouse.close()


@pytest.mark.parametrize("seed", [1, *(pytest.param(number, marks=pytest.mark.slow) for number in range(2, 8 * FAR))])
def test_spoilt_records_harm_nobody_and_are_all_accounted_for(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    lines, spoilt = poisoned(chance, rounds=3)
    counts = land(tmp_path, lines, chance)
    warehouse = open_warehouse(tmp_path, as_of=UNTIL, after_nothing=True)
    try:
        warehouse.load(Landing(tmp_path / "landing"))
        build_all(warehouse)
        con = warehouse.con
        ledger = rows(con, "SELECT * FROM ops.loads")
        assert {(row["source"], row["stream"]): row["fetched"] for row in ledger} == counts
        assert all(row["fetched"] == row["normalised"] + row["duplicates"] + row["quarantined"] for row in ledger)
        assert sum(row["quarantined"] for row in ledger) > 10, "nothing was bad enough to prove anything"
        in_quarantine = sum(row["n"] for row in rows(con, "SELECT count(*) AS n FROM ops.quarantine"))
        assert in_quarantine == sum(row["quarantined"] for row in ledger)
        assert rows(con, "SELECT * FROM ops.quarantine WHERE reason IS NULL OR raw_reference IS NULL") == []

        found = incidents(con)
        changed = {key: (rows_, found.get(key)) for key, rows_ in unspoilt().items() if found.get(key) != rows_}
        assert changed == {}, "records that were not touched"
        known = {
            (row["source"], row["external_id"])
            for row in rows(con, "SELECT source, external_id FROM core.vendor_records")
        }
        quarantine = rows(con, "SELECT source, stream, external_id FROM ops.quarantine")
        for source, streams in spoilt.items():
            for stream, names in streams.items():
                public = "opsgenie_incident" if (source, stream) == ("opsgenie", "incidents") else source
                # broken bytes in front of an id stay visible in it, as a mark
                ids = tuple(external_id for of, external_id in known if of == public)
                taken = {name for name in names if any(external_id.endswith(name) for external_id in ids)}
                refused = sum((row["source"], row["stream"]) == (source, stream) for row in quarantine)
                # an unreadable record is refused without an id, so numbers are compared and not names
                assert len(taken) + refused >= len(names), (source, stream)
    finally:
        warehouse.close()


def test_a_description_of_five_megabytes_is_a_record_like_any_other(tmp_path: Path) -> None:
    """On every text of every kind of record."""
    lines: dict[str, dict[str, list[bytes]]] = {name: defaultdict(list) for name in STREAMS}
    huge = "ä🔥\n" * 700_000
    ids = set()
    for source, stream in (("pagerduty", "incidents"), ("opsgenie", "alerts"), ("jsm", "alerts"), ("jira", "issues")):
        line = payloads()[source][stream][0]
        original = str(json.loads(line)["id"])
        mine = f"{original}00"
        record = own_copy(line, {original: mine}, "huge")
        (record.get("fields") or record)["description"] = huge
        lines[source][stream].append(json.dumps(record, ensure_ascii=False).encode())
        ids.add((source, mine))
    land(tmp_path, lines, random.Random(1))
    warehouse = open_warehouse(tmp_path, as_of=UNTIL, after_nothing=True)
    try:
        warehouse.load(Landing(tmp_path / "landing"))
        build_all(warehouse)
        assert rows(warehouse.con, "SELECT * FROM ops.quarantine") == []
        known = {
            (row["source"], row["external_id"]) for row in rows(warehouse.con, "SELECT * FROM core.vendor_records")
        }
        assert ids <= known
    finally:
        warehouse.close()


VERSIONS = {
    ("pagerduty", "incidents"): ("updated_at", "title", lambda day: f"2025-09-{day:02d}T00:00:00Z"),
    ("opsgenie", "alerts"): ("updatedAt", "message", lambda day: f"2025-09-{day:02d}T00:00:00.5Z"),
    ("jsm", "alerts"): ("updatedAt", "message", lambda day: f"2025-09-{day:02d}T00:00:00.5Z"),
    ("jira", "issues"): ("updated", "summary", lambda day: f"2025-09-{day:02d}T00:00:00.000+0000"),
}


@pytest.mark.parametrize(("source", "stream"), list(VERSIONS))
def test_the_newest_of_several_versions_wins_in_whatever_order_they_come(
    tmp_path: Path, source: str, stream: str
) -> None:
    """One id, several update times, over several extracts, one version without any time: never the older over the newer."""
    updated, title, write = VERSIONS[source, stream]
    chance = random.Random(source)
    landing = Landing(tmp_path / "landing")
    line = payloads()[source][stream][0]
    days = list(range(1, 13))
    chance.shuffle(days)
    for night, chunk in enumerate((days[:4], days[4:8], days[8:])):
        versions = []
        for day in chunk:
            record = json.loads(line)
            holder = record.get("fields") or record
            holder |= {updated: write(day), title: f"version {day}"}
            versions.append(json.dumps(record).encode())
        extract = landing.begin(source, f"run-{night}", {"night": night})
        extract.land(stream, "all", versions)
        extract.finish(UNTIL)
    warehouse = open_warehouse(tmp_path, as_of=UNTIL, after_nothing=True)
    try:
        warehouse.load(landing)
        assert rows(warehouse.con, f"SELECT title FROM raw.{source}_{stream}") == [{"title": "version 12"}]
        ledger = rows(
            warehouse.con, "SELECT sum(fetched) AS f, sum(normalised + duplicates + quarantined) AS n FROM ops.loads"
        )
        assert ledger == [{"f": 12, "n": 12}]
    finally:
        warehouse.close()
