"""Reads what is published while generations are published and deleted: no error, and never two generations in one read.

    python promises/readers.py --reads 10000             # by four processes, while `mttr rebuild` runs in a loop
    python promises/readers.py --reads 10000 --seed 2    # the next piece; the counts add up

Each rebuild has a clock of its own, so every generation says which one it is, in the database, in JSON and in its manifest. A
generation goes as soon as two newer ones are there (`keep` of [publish]). The readers do what docs/bi.md says:

    database    open mttr.duckdb through `latest`, and ask several tables
    connection  keep a database open, also after its generation was deleted, and ask it again
    parquet     resolve `latest` once, and read two tables of that folder
    json        resolve `latest` once, and read two documents and the manifest of that folder
    pointer     read latest.json, and open the folder that it names

Where a folder is deleted between two steps, the reader resolves `latest` again; only a reader that rests there for two whole runs
sees that. Such reads are counted as `again`, and none may need it twice. One line per process; the exit code is 1 after any error or
mixture.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import ground
from ground import NOW, Process, mttr

DATABASE, JSON = "mttr.duckdb", ("json/summary.json", "json/trend.json")
CONFIG = "[publish]\nkeep = {nights = 1, weeks = 1, months = 1}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reads", type=int, default=10_000)
    parser.add_argument("--readers", type=int, default=4, help="processes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=18, help="stop reading then, however many there are")
    options = parser.parse_args()
    ground.warm()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "keep.toml").write_text(CONFIG, encoding="utf-8")
        data = folder / "data"
        data.mkdir()
        (folder / "own.jsonl").write_text(ground.custom_lines(0, 300), encoding="utf-8")
        mttr(data, "import", folder / "own.jsonl").end().require()
        generations = 2
        for number in range(generations):  # so that every further one deletes one
            rebuild(data, number).end().require()
        until = time.monotonic() + options.minutes * 60
        share = -(-options.reads // options.readers)
        readers = [
            Process(lambda seed=(options.seed, number): read(data, share, f"{seed}", until), data)
            for number in range(options.readers)
        ]
        failed = []
        while not all(reader.is_over() for reader in readers):
            ended = rebuild(data, generations).end()
            if ended.code:
                failed.append(f"a rebuild ended with {ended.code}: {ended.err}")
                break
            generations += 1
        total: Counter[str] = Counter()
        for number, reader in enumerate(readers):
            ended = reader.end(1200)
            counts = Counter(json.loads(ended.out)) if ended.code == 0 else Counter()
            total += counts
            if ended.code:
                failed.append(ended.err)
            print(f"reader {number}: " + (", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())) or "failed"))
    reads = sum(n for kind, n in total.items() if kind in KINDS)
    print(
        f"{reads} reads, {total['generations']} changes of the generation seen, {generations} published, {total['again']} again"
    )
    for sentence in failed:
        print(f"BROKEN: {sentence}")
    sys.exit(1 if failed or not reads else 0)


def rebuild(data: Path, number: int) -> Process:
    """Publish the next generation: its clock is an hour after that of the one before."""
    clock = NOW + timedelta(hours=number)
    return mttr(data, "--config", data.parent / "keep.toml", "rebuild", "--as-of", clock.isoformat())


# -- readers -----------------------------------------------------------------------------------------------------------


def read(data: Path, reads: int, seed: str, until: float) -> None:
    """Read that many times, but not longer than `until`, and print the counts.

    Raises AssertionError for a mixture, and whatever a reader would see.
    """
    chance, counts, root = random.Random(seed), Counter[str](), data / "published"
    open_one: dict[str, Any] = {}
    seen = ""
    for _ in range(reads):
        if time.monotonic() > until:
            break
        kind = chance.choice(list(KINDS))
        try:
            clocks = KINDS[kind](root, open_one, chance)
        except OSError as error:
            assert kind in ("parquet", "json", "pointer"), f"{kind}: {error}"
            missing = Path(str(error.filename))
            assert isinstance(error, FileNotFoundError) and "latest" not in missing.name, f"{kind}: {error}"
            counts["again"] += 1
            clocks = KINDS[kind](root, open_one, chance)
        assert len(clocks) == 1, f"{kind}: one read, but {clocks}"
        counts[kind] += 1
        (clock,) = clocks
        if kind != "connection" and clock != seen:
            assert clock > seen, f"{kind}: {clock} after {seen}"
            counts["generations"] += 1
            seen = clock
    print(json.dumps(counts))


def clocks_of(con: Any) -> set[str]:
    """What several tables of one database say about its clock."""
    return {
        str(value)
        for (value,) in con.execute(
            """SELECT DISTINCT strftime(as_of, '%Y-%m-%dT%H') FROM mttr_stats
            UNION SELECT DISTINCT strftime(as_of, '%Y-%m-%dT%H') FROM period_summary"""
        ).fetchall()
    }


def opened(path: Path) -> Any:
    import duckdb

    con = duckdb.connect(str(path), read_only=True)
    con.execute("SET TimeZone = 'UTC'")
    return con


def database(root: Path, _open: dict[str, Any], _chance: random.Random) -> set[str]:
    with opened(root / "latest" / DATABASE) as con:
        return clocks_of(con)


def connection(root: Path, kept: dict[str, Any], chance: random.Random) -> set[str]:
    """An open one is closed now and then, by chance, and always says what it said at first."""
    if "con" not in kept:
        kept["con"] = opened(root / "latest" / DATABASE)
        kept["said"] = clocks_of(kept["con"])
    clocks: set[str] = clocks_of(kept["con"]) | kept["said"]
    assert kept["con"].execute("SELECT count(*) FROM incidents WHERE title IS NOT NULL").fetchall()[0][0] > 0
    if chance.random() < 0.01:
        kept.pop("con").close()
    return clocks


def parquet(root: Path, _open: dict[str, Any], chance: random.Random) -> set[str]:
    import polars as pl

    folder = (root / "latest").resolve(strict=True)
    found: set[str] = set()
    for table in chance.sample(["mttr_stats", "period_summary"], 2):
        clocks = pl.read_parquet(folder / "parquet" / f"{table}.parquet", columns=["as_of"])["as_of"]
        found |= set(clocks.dt.strftime("%Y-%m-%dT%H").unique())
    return found


def documents(root: Path, _open: dict[str, Any], _chance: random.Random) -> set[str]:
    folder = (root / "latest").resolve(strict=True)
    return {clock_of(folder / name) for name in (*JSON, "manifest.json")}


def pointer(root: Path, _open: dict[str, Any], _chance: random.Random) -> set[str]:
    told = json.loads((root / "latest.json").read_text(encoding="utf-8"))
    return {told["as_of"][:13], clock_of(root / told["path"] / "manifest.json")}


def clock_of(path: Path) -> str:
    return str(json.loads(path.read_text(encoding="utf-8"))["as_of"])[:13]


KINDS: dict[str, Callable[[Path, dict[str, Any], random.Random], set[str]]] = {
    "database": database,
    "connection": connection,
    "parquet": parquet,
    "json": documents,
    "pointer": pointer,
}

if __name__ == "__main__":
    main()
