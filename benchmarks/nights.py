"""Loading the extracts of many nights, as `mttr rebuild` does, against one extract with the same records.

one     every record in one extract
nights  the same records spread over as many extracts as nights, and the newest tenth of each night's again in the next one, as
        pulls overlap

Each side is a process of its own and loads into a new working database; CPU seconds are those of the load alone.
"""

from __future__ import annotations

import argparse
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import _vendor
import zstandard
from _measure import Side, account, machine, ratio, run_side, say, table

from mttr_pipeline.landing.store import Landing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--incidents", type=int, default=20_000)
    parser.add_argument("--entries", type=int, default=6, help="log entries of each incident")
    parser.add_argument("--nights", type=int, default=60)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pulled = Path(folder) / "pulled"
        size = ["--incidents", str(options.incidents), "--entries", str(options.entries), "--days", "700"]
        with account(*size) as address:
            since = (_vendor.UNTIL - timedelta(days=700)).isoformat()
            arguments = ["--address", address, "--data", str(pulled), "--as-of", _vendor.UNTIL.isoformat()]
            run_side("_side_ours.py", *arguments, "--since", since, "--pull-only")
        streams = _records(pulled / "landing")
        spread(streams, Path(folder) / "one" / "landing", 1)
        spread(streams, Path(folder) / "nights" / "landing", options.nights)
        sides = {name: Side(name) for name in ("one", "nights")}
        for number in range(options.runs):
            for name, side in sides.items():
                say(f"run {number + 1} of {options.runs}: {name}")
                for path in (Path(folder) / name).glob("work.*"):
                    path.unlink()
                side.runs.append(run_side("_side_load.py", "--data", str(Path(folder) / name)))
        if any(side.value(n) != sides["one"].value(n) for side in sides.values() for n in ("incidents", "log_entries")):
            raise SystemExit("The sides did not load the same records.")
    print(
        f"{options.incidents:,} incidents with {options.entries} log entries each, {options.nights} nights; {machine()}"
    )
    rows = [
        [
            name,
            side.spread("records"),
            side.spread("seconds"),
            side.spread("load_cpu"),
            f"{side.value('records') / side.value('load_cpu'):,.0f}",
            f"{side.value('peak_mib'):,.0f}",
            ratio(side, sides["one"], "load_cpu"),
        ]
        for name, side in sides.items()
    ]
    print(table(["side", "records", "seconds", "CPU seconds", "records / CPU s", "peak MiB", "CPU x one"], rows))


def _records(root: Path) -> dict[str, list[bytes]]:
    """Stream -> its records, in the order of landing."""
    found: dict[str, list[bytes]] = {}
    for path in sorted(root.glob("*/*/*/*.jsonl.zst")):
        with path.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as plain:
            found.setdefault(path.parent.name, []).extend(plain.read().splitlines())
    return found


def spread(streams: dict[str, list[bytes]], root: Path, nights: int) -> None:
    """Land the records in as many extracts."""
    landing = Landing(root)
    for night in range(nights):
        now = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=night)
        extract = landing.begin("pagerduty", f"{now:%Y%m%dT%H%M%S}000Z-0000", {"night": night})
        for stream, records in streams.items():
            low, high = (len(records) * place // nights for place in (night, night + 1))
            again = (high - low) // 10 if night else 0
            extract.land(stream, "all", records[low - again : high])
        extract.finish(now)


if __name__ == "__main__":
    main()
