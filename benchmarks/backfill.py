"""A first backfill and the nightly pull after it, at a distance, against the bare requests:

bare      the bytes alone: every page once with `requests`, as many threads, nothing parsed or kept
backfill  this project: pull, landing zone, raw tables of the working database
nightly   this project on the next day, when `--changed` incidents of the whole history have changed
dlt       with --dlt: dlt's rest_api source into DuckDB, tuned (it has no nightly pull that sees late changes)

`--latency-ms` is added to every answer. With `--per-minute` the server refuses what goes beyond, as PagerDuty does, and the
figure to look at is how long the backfill took of what the limit alone takes. The default size is a smoke run; the published
figures are those of `--incidents 100000 --changed 1000` and of `--incidents 30000 --per-minute 960`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import _vendor
from _measure import account, answered, has, machine, run_side, say, table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--incidents", type=int, default=2_000)
    parser.add_argument("--entries", type=int, default=6, help="log entries of each incident")
    parser.add_argument("--changed", type=int, default=100, help="incidents that change on the day after")
    parser.add_argument("--latency-ms", type=float, default=50)
    parser.add_argument(
        "--per-minute", type=int, default=0, help="requests a minute that the server allows; 0 = any number"
    )
    parser.add_argument("--connections", type=int, default=8, help="parallel requests of every side")
    parser.add_argument("--dlt", action="store_true", help="run dlt's side too")
    parser.add_argument("--dlt-python", default=sys.executable, help="interpreter with dlt[duckdb,parquet] installed")
    options = parser.parse_args()
    if options.dlt and not has("dlt.sources.rest_api", options.dlt_python):
        raise SystemExit(
            "dlt is not installed for this interpreter (pip install 'dlt[duckdb,parquet]', or --dlt-python)."
        )

    days = 700
    since, until = _vendor.UNTIL - timedelta(days=days), _vendor.UNTIL
    size = ["--incidents", str(options.incidents), "--entries", str(options.entries)]
    vendor = [*size, "--days", days, "--latency-ms", options.latency_ms, "--per-minute", options.per_minute]
    parallel = ["--connections", str(options.connections)]
    runs: dict[str, dict[str, Any]] = {}

    def side(name: str, script: str, address: str, *arguments: object, python: str = sys.executable) -> None:
        say(name)
        before = answered(address)
        run = run_side(script, "--address", address, *parallel, *arguments, python=python)
        runs[name] = {**run, "asked": answered(address) - before}

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        first = ["--as-of", until.isoformat(), "--since", since.isoformat()]
        ours = ["--data", str(data), "--per-minute", str(options.per_minute)]
        with account(*vendor) as address:
            if not options.per_minute:
                side("bare", "_side_bare.py", address, *first, *size)
            side("backfill", "_side_ours.py", address, *first, *ours)
            if options.dlt:
                store = ["--data", str(Path(folder) / "dlt")]
                side("dlt", "_side_dlt.py", address, *first, *size, *store, python=options.dlt_python)
        if not options.per_minute:
            with account(*vendor, "--changed", options.changed) as address:
                later = ["--as-of", (until + timedelta(days=1)).isoformat()]
                side("nightly", "_side_ours.py", address, *later, *ours)
    if (got := (runs["backfill"]["incidents"], runs["backfill"]["log_entries"])) != (
        options.incidents,
        options.incidents * options.entries,
    ):
        raise SystemExit(f"The backfill loaded {got[0]} incidents and {got[1]} log entries.")

    print(
        f"{options.incidents:,} incidents with {options.entries} log entries each, {options.latency_ms:g} ms a request, "
        f"{options.connections} connections; {machine()}"
    )
    rows = [
        [name, f"{run['seconds']:.2f}", f"{run['cpu']:.2f}", f"{run['peak_mib']:,.0f}", f"{run['asked']:,}"]
        for name, run in runs.items()
    ]
    print(table(["side", "seconds", "CPU seconds", "peak MiB", "requests"], rows))
    backfill = runs["backfill"]
    if options.per_minute:
        bound = backfill["asked"] / options.per_minute * 60
        print(
            f"pull / (requests / {options.per_minute} a minute): {backfill['pull_seconds'] / bound:.3f}  (goal: at most 1.05)"
        )
    else:
        bare, nightly = runs["bare"], runs["nightly"]
        print(f"pull / bare: {backfill['pull_seconds'] / bare['seconds']:.2f}  (goal: at most 1.3)")
        print(f"pull and load / bare: {backfill['seconds'] / bare['seconds']:.2f}")
        print(f"nightly / backfill: {nightly['seconds'] / backfill['seconds']:.3f}  (goal: at most 0.1)")
        print(f"requests of the nightly pull: {nightly['asked']:,} for {options.changed:,} changed incidents")
    if "dlt" in runs:
        print(f"dlt / backfill: {runs['dlt']['seconds'] / backfill['seconds']:.1f} (dlt {runs['dlt']['dlt']})")


if __name__ == "__main__":
    main()
