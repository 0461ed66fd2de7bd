"""Payloads no vendor should send: wrong types, nulls, absurd stamps, odd characters, broken text, huge descriptions.

Real payloads of every source (as the simulators serve them) are copied under ids of their own, spoilt, and brought in by
the same road as the others: cut out of a page, landed, loaded, staged, folded. Nothing may crash, the records that were
not touched must come out as if the spoilt ones were not there, and every record must be accounted for.
"""

from __future__ import annotations

import copy
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import strategies as st
from support import FAR, build_all, drawn, open_warehouse, rows
from support_e2e import UNTIL, scratch

from mttr_pipeline.demo import VendorServer, World
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.pulling import build_source, pull
from mttr_pipeline.sources.registry import load_settings

pytestmark = pytest.mark.slow  # whole runs on spoilt records

#: source -> stream -> the name under which a child tells its parent; None for the records themselves.
STREAMS: dict[str, dict[str, str | None]] = {
    "pagerduty": {"incidents": None, "log_entries": "incident"},
    "opsgenie": {
        "alerts": None,
        "alert_details": "id",
        "alert_logs": "parent_id",
        "alert_notes": "parent_id",
        "incidents": None,
        "incident_timelines": "parent_id",
        "incident_notes": "parent_id",
    },
    "jsm": {"alerts": None, "alert_details": "id", "alert_logs": "parent_id", "alert_notes": "parent_id"},
    "jira": {"issues": None, "changelogs": "issueId"},
}
#: Names whose value identifies a record or joins it with others: copies get their own, and links are cut.
OWN = ("incident_key", "alias", "key")
CUT: dict[str, Any] = {"resolve_reason": None, "issuelinks": []}

Record = dict[str, Any]

STAMPS = [
    *(
        "",
        " ",
        "never",
        "0001-01-01T00:00:00Z",
        "51502-03-01T00:00:00.000+0000",
        "9999-12-31T23:59:59Z",
        "2026-02-30T25:61:61Z",
    ),
    *(
        "1970-01-01T00:00:00Z",
        "2026-10-01",
        "2026-10-01T02:14:05",
        "2026-10-01T02:14:05+99:99",
        "12/31/2026",
        "-1",
        "1e400",
    ),
    *(0, -1, 1492070429, 1492070429000, 9223372036854775807, -9223372036854775808, 1e308, True, None, [], {}, ["2026"]),
]
TEXTS = [
    *(
        "",
        "🔥" * 300,
        "القائمة فارغة",
        "\u202edesrever",
        "\x00",
        "\x01\x1f\x7f",
        "a\r\nb\u2028c",
        "<b>&amp;'\"",
        "%s{}$(x)",
    ),
    "x" * 100_000,
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@cache
def payloads() -> dict[str, dict[str, list[bytes]]]:
    """Every record of a small company as it is landed."""
    volumes = {"pagerduty": 24, "opsgenie": 16, "opsgenie_incident": 6, "jsm": 16, "jira": 16, "jira-dc": 0}
    world = World(4, UNTIL, days=30, volumes=volumes)
    folder = scratch()
    landing = Landing(folder / "landing")
    with VendorServer(world, limits=None) as server:
        settings = load_settings(server.env(*STREAMS), data_dir=folder)
        for name in STREAMS:
            source = build_source(name, settings)
            manifest = pull(source, settings, landing, "run", as_of=UNTIL)
            source.close()
            assert manifest.records
    found: dict[str, dict[str, list[bytes]]] = {name: defaultdict(list) for name in STREAMS}
    for name in STREAMS:
        for path in sorted((folder / "landing" / name).glob("*/*/*.zst")):
            plain = zstandard.ZstdDecompressor().stream_reader(path.read_bytes(), read_across_frames=True).read()
            found[name][path.parent.name] += plain.splitlines()
    return found


def spoil(value: Any, chance: random.Random, strange: list[Any]) -> Any:
    """A copy of a payload with something wrong in one to three places below its id."""
    spoilt = copy.deepcopy(value)
    for _ in range(chance.randint(1, 3)):
        places = list(_places(spoilt))
        if not places:
            break
        holder, name = chance.choice(places)
        old = holder[name]
        match chance.randrange(6):
            case 0:
                del holder[name]
            case 1:
                holder[name] = None
            case 2:
                holder[name] = chance.choice(STAMPS)
            case 3:
                holder[name] = chance.choice(TEXTS)
            case 4:
                holder[name] = chance.choice(strange)
            case _:
                holder[name] = [old] if not isinstance(old, list) else (old[0] if old else "")
    return spoilt


def _places(value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Every place inside a payload that can be changed, but the ids of the payload and of its parent."""
    names = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for name in names:
        if depth == 0 and name in ("id", "parent_id", "issueId"):
            continue
        yield value, name
        yield from _places(value[name], depth + 1)


def own_copy(line: bytes, ids: dict[str, str], mark: str) -> Record:
    """The payload under other ids, so that nothing in it names the record that it was copied from."""
    text = line.decode()
    for old, new in ids.items():
        text = text.replace(json.dumps(old)[:-1], json.dumps(new)[:-1]).replace(f"/{old}", f"/{new}")
    record: Record = json.loads(text)
    for holder in (record, record.get("fields") or {}):
        for name in OWN:
            if isinstance(holder.get(name), str):
                holder[name] += mark
        holder |= {name: value for name, value in CUT.items() if name in holder}
    return record


def parent_of(stream: str, record: Record, name: str) -> str:
    value = record.get(name)
    return str(value.get("id") if isinstance(value, dict) else value)


def poisoned(
    chance: random.Random, rounds: int
) -> tuple[dict[str, dict[str, list[bytes]]], dict[str, dict[str, set[str]]]]:
    """source -> stream -> lines to land beside the good ones, and the ids of the spoilt records."""
    strange = drawn(json_values, 200)
    lines: dict[str, dict[str, list[bytes]]] = {name: defaultdict(list) for name in STREAMS}
    names: dict[str, dict[str, set[str]]] = {name: defaultdict(set) for name in STREAMS}
    for source, streams in STREAMS.items():
        for number in range(rounds):
            mark = f"p{number}"
            for stream in [name for name, told in streams.items() if told is None]:
                family = {"alerts": "alert_", "incidents": "incident_"}.get(stream, "")
                for line in payloads()[source][stream]:
                    original = str(json.loads(line)["id"])
                    mine = f"{original}{number:02d}" if source == "jira" else f"{original}{mark}"
                    names[source][stream].add(mine)
                    record = own_copy(line, {original: mine}, mark)
                    lines[source][stream].append(encode(spoil(record, chance, strange), chance))
                    for child, told in streams.items():
                        if told is None or (source in ("opsgenie", "jsm") and not child.startswith(family)):
                            continue
                        for found in children(source, child, told).get(original, []):
                            entry = own_copy(found, {original: mine}, mark)
                            if source == "pagerduty":
                                entry["id"] += mark
                            if chance.random() < 0.4:
                                entry = spoil(entry, chance, strange)
                            lines[source][child].append(encode(entry, chance))
    return lines, names


@cache
def children(source: str, stream: str, told: str) -> dict[str, list[bytes]]:
    found = defaultdict(list)
    for line in payloads()[source].get(stream, []):
        found[parent_of(stream, json.loads(line), told)].append(line)
    return found


def encode(record: Record, chance: random.Random) -> bytes:
    """JSON as servers write it: escaped, plain, with a lone surrogate, with a raw control character, with broken UTF-8."""
    plain = json.dumps(record, ensure_ascii=chance.random() < 0.5)
    data = plain.encode("utf-8", "surrogatepass")
    match chance.randrange(20):
        case 0:
            return data.replace(b'"title":', b'"title\\ud800":', 1).replace(b'"message": "', b'"message": "\\udfff', 1)
        case 1:
            return data.replace(b'": "', b'": "\x02', 1)
        case 2:
            return data.replace(b'": "', b'": "\xff\xfe', 1)
    return data


def land(folder: Path, lines: dict[str, dict[str, list[bytes]]], chance: random.Random) -> dict[tuple[str, str], int]:
    """Good and spoilt records, mixed, cut out of pages as they are out of answers; gives how many were landed."""
    landing = Landing(folder / "landing")
    counts = {}
    for source, streams in payloads().items():
        extract = landing.begin(source, "run-1", {"of": "poison"})
        for stream, good in streams.items():
            mixed = [*good, *lines[source].get(stream, [])]
            chance.shuffle(mixed)
            page = envelope.items(b"[" + b",".join(mixed) + b"]")
            assert len(page) == len(mixed), "a record was lost in cutting up the page"
            counts[source, stream] = extract.land(stream, "all", page)
        extract.finish(UNTIL)
    return counts


def incidents(con: Any) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """(source, external_id) -> the rows of `incidents`, without what names runs and files."""
    found = defaultdict(list)
    for row in rows(con, "SELECT * FROM mart.incidents ORDER BY source, external_id, episode"):
        found[row["source"], row["external_id"]].append(
            {k: v for k, v in row.items() if "landed" not in k and "run" not in k}
        )
    return found


@cache
def unspoilt() -> dict[tuple[str, str], list[dict[str, Any]]]:
    folder = scratch()
    land(folder, {name: {} for name in STREAMS}, random.Random(0))
    warehouse = open_warehouse(folder, as_of=UNTIL)
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
    warehouse = open_warehouse(tmp_path, as_of=UNTIL)
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
    warehouse = open_warehouse(tmp_path, as_of=UNTIL)
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
    warehouse = open_warehouse(tmp_path, as_of=UNTIL)
    try:
        warehouse.load(landing)
        assert rows(warehouse.con, f"SELECT title FROM raw.{source}_{stream}") == [{"title": "version 12"}]
        ledger = rows(
            warehouse.con, "SELECT sum(fetched) AS f, sum(normalised + duplicates + quarantined) AS n FROM ops.loads"
        )
        assert ledger == [{"f": 12, "n": 12}]
    finally:
        warehouse.close()
