"""Spoilt payloads of every source harm nobody else, and all are accounted for.

    python promises/fuzz.py --cases 10             # ten builds of about ten thousand spoilt payloads each
    python promises/fuzz.py --from 11 --cases 10   # the next ten; the counts of the pieces add up

Records as the simulators serve them, files of records, webhook bodies and the files of all import presets are copied under ids of
their own and spoilt: wrong types, nulls, nesting, absurd stamps and sizes, control characters, broken text, and for files bytes
anywhere. They come in by the road of the others, mixed with sound ones: pages are cut up, landed, loaded, staged and folded. Nothing
may crash; for every stream, fetched = normalised + duplicates + quarantined, and fetched is what was landed; and the sound records
give the incidents that they give alone. One line per case; the exit code is 1 when one is broken.

Every tenth case makes all tables, the others those up to the incidents. `tests/test_poison.py` uses the same payloads.
"""

from __future__ import annotations

import argparse
import copy
import csv
import io
import json
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import zstandard

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support import build_all, open_warehouse, rows
from support_e2e import UNTIL, scratch

from mttr_pipeline.demo import VendorServer, World
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.intake.importer import import_files
from mttr_pipeline.intake.inbox import take
from mttr_pipeline.intake.presets import preset
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.pulling import build_source, pull
from mttr_pipeline.sources.registry import load_settings

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


def strange_values(chance: random.Random, count: int) -> list[Any]:
    """JSON values of any type: numbers beyond 64 bits, texts of any script, lists and objects in each other."""
    found: list[Any] = [None, True, False, 2**70, -(2**70), 1e308, -0.0, 5e-324, "", {}, []]
    deep: Any = "end"
    for _ in range(60):
        deep = [deep] if chance.random() < 0.5 else {"in": deep}
    found.append(deep)
    while len(found) < count:
        match chance.randrange(5):
            case 0:
                value: Any = chance.randint(-(2**66), 2**66)
            case 1:
                value = chance.uniform(-1e20, 1e20)
            case 2:
                points = [
                    chance.choice((0x20, 0x7F, 0x300, 0x2028, 0x1F600, 0x5D0)) + chance.randrange(90) for _ in range(9)
                ]
                value = "".join(map(chr, points))
            case 3:
                value = [chance.choice(found) for _ in range(chance.randrange(4))]
            case _:
                value = {chance.choice(("id", "name", "type", "é", "")): chance.choice(found) for _ in range(3)}
        if len(str(value)) < 2000:
            found.append(value)
    return found


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
                holder[name] = copy.deepcopy(chance.choice(STAMPS))
            case 3:
                holder[name] = chance.choice(TEXTS)
            case 4:
                holder[name] = copy.deepcopy(chance.choice(strange))  # it may be spoilt further
            case _:
                holder[name] = [old] if not isinstance(old, list) else (old[0] if old else "")
    return spoilt


def _places(value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Every place inside a payload that can be changed, but the ids of the payload and of its parent."""
    names = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for name in names:
        if depth == 0 and name in ("id", "parent_id", "issueId", "external_id"):
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
    strange = strange_values(chance, 200)
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


def land(
    folder: Path, lines: dict[str, dict[str, list[bytes]]], chance: random.Random, run_id: str = "run-1"
) -> dict[tuple[str, str], int]:
    """Good and spoilt records, mixed, cut out of pages as they are out of answers; gives how many were landed."""
    landing = Landing(folder / "landing")
    counts = {}
    for source, streams in payloads().items():
        extract = landing.begin(source, run_id, {"of": "poison"})
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


# -- files, webhook bodies and presets ---------------------------------------------------------------------------------

FIXTURES = Path(__file__).parents[1] / "tests" / "fixtures"
BODIES = ("pagerduty_history.jsonl", "opsgenie.jsonl", "jira.jsonl", "alertmanager.json", "pagerduty_triggered.json")
PRESETS = {
    "pagerduty-csv": "pagerduty.csv",
    "jira-csv": "jira.csv",
    "servicenow-csv": "servicenow.csv",
    "opsgenie-csv": "opsgenie.csv",
    "statuspage-json": "statuspage.json",
    "grafana-webhook": "grafana.json",
    "pagerduty-incidents": "pagerduty-incidents.json",
    "opsgenie-alerts": "opsgenie-alerts.json",
    "jira-search": "jira-search.json",
}
#: What tells records of these files apart.
IDENTITIES = (
    "external_id",
    "id",
    "alertId",
    "incident_key",
    "key",
    "fingerprint",
    "alias",
    "Alert ID",
    "Issue key",
    "Issue id",
    "number",
)
SOUND, SPOILT = "20251001T000000000Z-aaaa", "20251001T000000001Z-bbbb"  # run ids


def custom_records(n: int) -> list[Record]:
    """Sound records of an import."""
    return [
        {
            "external_id": f"own-{number}",
            "title": "Search is slow",
            "severity": f"SEV{number % 4 + 1}",
            "service": "search",
            "detected_at": f"2025-09-{number % 28 + 1:02}T08:00:00Z",
            "resolved_at": f"2025-09-{number % 28 + 1:02}T09:{number % 60:02}:00Z",
            "tags": ["eu"],
            "timeline": [
                {"event_type": "note", "at": "2025-09-10T08:30:00Z", "actor": "Ada", "notes": "Mitigated: yes"}
            ],
        }
        for number in range(n)
    ]


@cache
def documents() -> dict[str, list[Any]]:
    """File of received bodies -> the bodies in it."""
    found = {}
    for name in BODIES:
        text = (FIXTURES / "received" / name).read_text(encoding="utf-8")
        found[name] = [json.loads(line) for line in text.splitlines()] if name.endswith("l") else [json.loads(text)]
    return found


def identities(value: Any) -> set[str]:
    """Every text in it that identifies something."""
    if isinstance(value, list):
        return set().union(*map(identities, value))
    if not isinstance(value, dict):
        return set()
    own = {text for name, text in value.items() if name in IDENTITIES and isinstance(text, str) and len(text) > 2}
    return own.union(*map(identities, value.values()))


def damaged(line: bytes, chance: random.Random) -> bytes:
    """One byte in a line is another one, or missing, or too many; never a line break, so that the neighbours are not touched."""
    if not line or chance.random() < 0.7:
        return line
    at = chance.randrange(len(line))
    byte = bytes([chance.choice([n for n in range(256) if n not in (10, 13)])])
    return line[:at] + chance.choice((byte, b"", byte + line[at : at + 1])) + line[at + 1 :]


def lines_of(values: Iterable[Any], chance: random.Random) -> bytes:
    return b"\n".join(
        damaged(encode(value, chance).replace(b"\n", b" ").replace(b"\r", b" "), chance) for value in values
    )


def spoilt_copies(values: list[Any], marks: Iterable[str], chance: random.Random, strange: list[Any]) -> Iterator[Any]:
    for mark in marks:
        for value in values:
            record = json.loads(renamed(json.dumps(value), value, mark))
            yield spoil(record, chance, strange)


def renamed(text: str, value: Any, mark: str) -> str:
    for old in identities(value):
        text = text.replace(json.dumps(old), json.dumps(old + mark))
    return text


def spoilt_csv(text: str, marks: Iterable[str], chance: random.Random) -> tuple[str, int]:
    """Rows of a CSV file, each some times with cells that are not as they should be."""
    header, *body = [row for row in csv.reader(io.StringIO(text)) if row]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    n = 0
    for mark in marks:
        for row in body:
            cells = [cell + mark if name in IDENTITIES else cell for name, cell in zip(header, row, strict=False)]
            for _ in range(chance.randint(1, 3)):
                at = chance.randrange(len(cells))
                odd = chance.choice(
                    (chance.choice(STAMPS), chance.choice(TEXTS[:-1]), cells[at] * 3, "-", "NULL", "1e999")
                )
                if header[at] not in IDENTITIES:
                    cells[at] = str(odd).replace("\0", "")
            if chance.random() < 0.05:
                cells = cells[: chance.randrange(len(cells))]
            writer.writerow(cells + ["one more"] * (chance.random() < 0.05))
            n += 1
    return out.getvalue(), n


def land_given(folder: Path, chance: random.Random, n: int) -> tuple[int, int]:
    """Sound files, bodies and preset files, then about `n` spoilt ones of each kind; gives how many, and the files refused."""
    settings = load_settings({}, data_dir=folder)
    landing, strange = Landing(folder / "landing"), strange_values(chance, 200)
    given, refused = 0, 0

    def imported(name: str, content: bytes, run_id: str, of: str | None = None) -> int:
        path = folder / name
        path.write_bytes(content)
        try:
            found = preset(of, settings) if of else None
            import_files([path], landing, run_id, accounts=settings.accounts, preset=found, zone="UTC")
        except ConfigError as error:
            assert "\n" not in str(error) and run_id != SOUND, error
            return 1
        return 0

    inbox = folder / "inbox"
    inbox.mkdir(parents=True)
    imported("own.jsonl", "\n".join(map(json.dumps, custom_records(40))).encode(), SOUND)
    for name, file in PRESETS.items():
        imported(file, (FIXTURES / "imports" / file).read_bytes(), SOUND, name)
    for name, bodies in documents().items():
        (inbox / f"{name}l").write_text("\n".join(map(json.dumps, bodies)), encoding="utf-8")
    take(inbox, landing, SOUND, settings.accounts)
    if not n:
        return 0, 0
    values = list(spoilt_copies(custom_records(40), [f"-spoilt-{i}-" for i in range(n // 40)], chance, strange))
    refused += imported("spoilt.jsonl", lines_of(values, chance), SPOILT)
    given += len(values)
    for name, file in PRESETS.items():
        text = (FIXTURES / "imports" / file).read_text(encoding="utf-8")
        marks = [f"-spoilt-{i}-" for i in range(n // 30)]
        if file.endswith("csv"):
            content, count = spoilt_csv(text, marks, chance)
            refused += imported(f"spoilt-{file}", content.encode("utf-8", "surrogatepass"), SPOILT, name)
        else:
            values = list(spoilt_copies([json.loads(text)], marks, chance, strange))
            count = len(values)
            for number, value in enumerate(values):  # a file is a page: each of them may be refused
                if number >= 10:
                    count = 10
                    break
                refused += imported(f"spoilt-{number}-{file}", encode(value, chance), SPOILT, name)
        given += count
    for name, bodies in documents().items():
        values = list(spoilt_copies(bodies, [f"-spoilt-{i}-" for i in range(n // 5 // len(bodies))], chance, strange))
        (inbox / f"spoilt-{name}l").write_bytes(lines_of(values, chance))
        given += len(values)
    refused += len(take(inbox, landing, SPOILT, settings.accounts).refused)
    return given, refused


# -- cases -------------------------------------------------------------------------------------------------------------

ENOUGH = ("core.incidents",)


def built(folder: Path, everything: bool) -> dict[str, Any]:
    """Load and build what is landed; gives what is compared."""
    warehouse = open_warehouse(folder, as_of=UNTIL)
    try:
        warehouse.load(Landing(folder / "landing"))
        build_all(warehouse, () if everything else ENOUGH)
        ledger = rows(
            warehouse.con, "SELECT source, stream, fetched, normalised, duplicates, quarantined FROM ops.loads"
        )
        return {"incidents": incidents(warehouse.con), "ledger": ledger}
    finally:
        warehouse.close()


@cache
def sound_alone() -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The incidents of the sound records without the spoilt ones."""
    with tempfile.TemporaryDirectory() as name:
        land(Path(name), {source: {} for source in STREAMS}, random.Random(0), SOUND)
        land_given(Path(name), random.Random(0), 0)
        found: dict[tuple[str, str], list[dict[str, Any]]] = built(Path(name), False)["incidents"]
        return found


def difference(expected: list[dict[str, Any]], found: list[dict[str, Any]]) -> str:
    """The columns that differ, expected and found."""
    if len(expected) != len(found):
        return f"{len(found)} rows instead of {len(expected)}"
    pairs = [(one, other) for one, other in zip(expected, found, strict=True) if one != other]
    return str(
        {name: (value, pairs[0][1].get(name)) for name, value in pairs[0][0].items() if value != pairs[0][1].get(name)}
    )


def played(seed: int, size: int) -> tuple[int, str]:
    """One build; gives the number of spoilt payloads, and what came of them. Raises AssertionError with what is broken."""
    expected = sound_alone()
    chance = random.Random(seed)
    each = sum(len(lines) for streams in payloads().values() for lines in streams.values())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines, _ = poisoned(chance, max(size * 7 // 10 // each, 1))
        land(folder, lines, chance, SOUND)
        given, refused = land_given(folder, chance, size // 8)
        found = built(folder, seed % 10 == 1)
        landed: dict[tuple[str, str], int] = defaultdict(int)
        for manifest in Landing(folder / "landing").manifests():
            for file in manifest.files if manifest.status == "complete" else ():
                landed[manifest.source, file.stream] += file.records
    loaded: dict[tuple[str, str], int] = defaultdict(int)
    for row in found["ledger"]:
        loaded[row["source"], row["stream"]] += row["fetched"]
        assert row["fetched"] == row["normalised"] + row["duplicates"] + row["quarantined"], f"does not add up: {row}"
    assert loaded == landed, f"landed and not loaded: {dict(landed)}, {dict(loaded)}"
    changed = [key for key, told in expected.items() if found["incidents"].get(key) != told]
    assert not changed, f"{len(changed)} sound records give something else, such as {changed[0]}: " + difference(
        expected[changed[0]], found["incidents"].get(changed[0], [])
    )
    bad = sum(row["quarantined"] for row in found["ledger"])
    assert bad, "nothing was bad enough to prove anything"
    n = given + sum(len(lines) for streams in lines.values() for lines in streams.values())
    return (
        n,
        f"{n} spoilt payloads, {bad} quarantined, {refused} files refused, {len(expected)} sound incidents unchanged",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="first", type=int, default=1, help="the first case; it is also its seed")
    parser.add_argument("--cases", type=int, default=10)
    parser.add_argument("--size", type=int, default=10_000, help="payloads of a case, roughly")
    options = parser.parse_args()
    total = broken = 0
    for seed in range(options.first, options.first + options.cases):
        began = time.process_time()
        try:
            n, verdict = played(seed, options.size)
        except Exception as error:
            n, verdict = 0, f"BROKEN: {type(error).__name__}: {error}"
            broken += 1
        total += n
        print(f"{seed}: {verdict} ({time.process_time() - began:.0f} CPU s)", flush=True)
    print(f"{total} spoilt payloads in {options.cases - broken} builds; {broken} broken")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
