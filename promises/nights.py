"""A thousand simulated nights on a few records: a quiet night must not get dearer, and the disk must not fill up.

    python promises/nights.py                                 # a thousand nights at once
    python promises/nights.py --nights 250 --folder /tmp/n    # a piece: again, it goes on where the folder ends; four times
    python promises/nights.py --nights 20                     # the short form

Every night lands a small pull and loads it; every tenth night also builds all tables and publishes them; on the first of a month,
`mttr compact` runs. The table has a line for night 10, for the end of a piece, and for each tenth part of the nights (with a
folder: for every 50): CPU seconds of a night, median since the line before, and what is on disk. Whatever grows says so in
`growth`: the last line against that after three tenths of the nights, because archives and generations begin with the first months.

A folder keeps what every night took in `nights.jsonl`, and each piece judges all nights so far. A piece that is killed goes on with
the night after the last one that is in there.

Exit code 1 when a limit is passed: a night may take one and a half times as long at the end, and nothing but the files below
`landing` may grow by more than the records do. Those files grow by two a month and source.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from mttr_pipeline.config.settings import Settings
from mttr_pipeline.landing.compaction import compact
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.publish import publish
from mttr_pipeline.sources.registry import load_settings
from mttr_pipeline.warehouse.database import Warehouse

FIRST = datetime(2023, 12, 15, 2, tzinfo=UTC)
PUBLISH_EVERY = 10
EVERY = 50  # nights between two lines of a folder's table
DONE = "nights.jsonl"
COLUMNS = (
    "nights",
    "load CPU s",
    "publish CPU s",
    "landing files",
    "landing KiB",
    "work KiB",
    "generations",
    "generation KiB",
)
SLOWER = 1.5  # times
SLACK = 0.3  # seconds that a night may take longer whatever the ratio: what the clock of a busy machine cannot tell


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=1000, help="of this piece")
    parser.add_argument(
        "--folder", type=Path, help="where the nights before are, and these stay; default: a temporary one"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        data = (options.folder or Path(temporary)).absolute()
        data.mkdir(parents=True, exist_ok=True)
        play(data, options.nights, EVERY if options.folder else max(options.nights // 10, 1))
        lines = list(lines_of(data / DONE))
    print(" | ".join(COLUMNS))
    for line in lines:
        print(" | ".join(shown(name, value) for name, value in zip(COLUMNS, line, strict=True)))
    broken = list(judged(lines))
    for sentence in broken:
        print(f"BROKEN: {sentence}")
    sys.exit(1 if broken else 0)


def play(data: Path, nights: int, step: int) -> None:
    """So many more nights; each leaves a line in the folder's list, every `step` of them one with the sizes on disk."""
    settings = load_settings({"PAGERDUTY_TOKEN": "promise"}, data_dir=data)
    before = sum(1 for _ in (data / DONE).open()) if (data / DONE).exists() else 0
    for number in range(before + 1, before + nights + 1):
        now = FIRST + timedelta(days=number)
        land(Landing(data / "landing"), number, now)
        if now.day == 1:
            compact(Landing(data / "landing"), now, 30)
        load_seconds, publish_seconds = night(settings, data, now, number % PUBLISH_EVERY == 0)
        done: dict[str, object] = {"night": number, "load": load_seconds, "publish": publish_seconds}
        if number % step == 0 or number in (PUBLISH_EVERY, before + nights):
            done["sizes"] = list(disk(data))
        with (data / DONE).open("a") as out:
            out.write(json.dumps(done) + "\n")


def lines_of(path: Path) -> Iterator[list[float]]:
    """The lines of the table, from what every night took."""
    loads: list[float] = []
    publishes: list[float] = []
    for text in path.read_text().splitlines():
        done = json.loads(text)
        loads.append(done["load"])
        if done["night"] % PUBLISH_EVERY == 0:
            publishes.append(done["publish"])
        if "sizes" in done:
            yield [done["night"], median(loads), median(publishes or [0.0]), *done["sizes"]]
            loads, publishes = [], []


def land(landing: Landing, number: int, now: datetime) -> None:
    """A quiet night's pull: two incidents, one of them old with something new, six log entries, the lists."""
    run = f"{now:%Y%m%dT%H%M%S}000Z-0000"
    plan = {"mode": "incremental" if number > 1 else "backfill", "since": (now - timedelta(days=1)).isoformat()}
    extract = landing.begin("pagerduty", run, {**plan, "until": now.isoformat(), "scope": {}})
    incidents, entries = [], []
    for name, ago in ((f"P{number}", 5), (f"P{max(number - 3, 1)}", 5 + 72)):
        times = [(now - timedelta(hours=ago, minutes=-minutes)).isoformat() for minutes in (0, 4, 50)]
        service = {"id": "PS1", "summary": "Checkout"}
        incidents.append(
            {"id": name, "title": "Checkout is slow", "status": "resolved", "urgency": "high", "service": service}
            | {"created_at": times[0], "resolved_at": times[2], "updated_at": now.isoformat()}
        )
        for kind, at in zip(("trigger", "acknowledge", "resolve"), times, strict=True):
            entry = {"id": f"{name}-{kind}", "type": f"{kind}_log_entry", "created_at": at, "incident": {"id": name}}
            entries.append(entry | {"agent": {"type": "user_reference", "summary": "Ada"}})
    lists = {
        "services": [{"id": "PS1", "name": "Checkout"}],
        "teams": [{"id": "PT1", "name": "Payments"}],
        "priorities": [],
    }
    for stream, records in {"incidents": incidents, "log_entries": entries, **lists}.items():
        extract.land(stream, "all", [json.dumps(record).encode() for record in records])
    extract.finish(now)


def night(settings: Settings, data: Path, now: datetime, is_published: bool) -> tuple[float, float]:
    """Load, and perhaps build, check and publish; gives the CPU seconds of both parts."""
    began = time.process_time()
    run = f"{now:%Y%m%dT%H%M%S}000Z-0000"
    warehouse = Warehouse(data / "work.duckdb", settings, now, run)
    try:
        warehouse.load(Landing(data / "landing"))
        loaded = time.process_time()
        if is_published:
            for model in warehouse.catalog:
                warehouse.build(model)
                failed = [check for check in warehouse.check(model) if not check.passed]
                assert not failed, failed
            publish(warehouse, data / "published", run, settings.file.publish.keep)
    finally:
        warehouse.close()
    return loaded - began, time.process_time() - loaded


def disk(data: Path) -> Iterator[int]:
    """What is on disk, in the order of the columns: numbers of files and folders, sizes in KiB."""
    landed = [path for path in (data / "landing").rglob("*") if path.is_file()]
    yield len(landed)
    yield sum(path.stat().st_blocks for path in landed) // 2  # blocks: a small file takes a whole one
    yield sum(path.stat().st_size for path in data.glob("work*")) // 1024
    generations = [path for path in (data / "published").glob("*Z-*") if path.is_dir()]
    yield len(generations)
    newest = max(generations, default=data / "none")
    yield sum(path.stat().st_size for path in newest.rglob("*") if path.is_file()) // 1024


def shown(name: str, value: float) -> str:
    """A number as wide as the name of its column."""
    return (f"{value:.2f}" if name.endswith("CPU s") else f"{value:,.0f}").rjust(len(name))


def judged(lines: list[list[float]]) -> Iterator[str]:
    """What was promised and is not so."""
    late = lines[-1]
    early = next(line for line in lines if line[0] >= 0.3 * late[0])
    growth = dict(zip(COLUMNS, zip(early, late, strict=True), strict=True))
    print("growth: " + ", ".join(f"{name} x {b / a:.2f}" for name, (a, b) in growth.items() if a))
    for name in ("load CPU s", "publish CPU s"):
        before, after = growth[name]
        if before and after > before * SLOWER + SLACK:
            yield f"{name} of a night went from {before:.2f} to {after:.2f}."
    if late[6] > 7 + 4 + 12 + 1:
        yield f"{late[6]:.0f} generations stay."
    nights = late[0] / early[0]
    for name in ("landing files", "landing KiB", "work KiB", "generation KiB"):
        before, after = growth[name]
        if before and after > before * max(nights, 1) * 1.2:
            yield f"{name} went from {before:,.0f} to {after:,.0f} while the nights became {nights:.1f} times as many."


if __name__ == "__main__":
    main()
