"""A first pull of PagerDuty history from a local server into typed DuckDB tables, three ways in turn:

bare   the bytes alone: every page once with `requests`, as many threads, nothing parsed or kept
ours   this project: pull, landing zone, raw tables of the working database
dlt    dlt's rest_api source into DuckDB, tuned: time windows in parallel, no child tables, parquet between its steps

Nobody is throttled. Each side is a process of its own; seconds are those of the work, without imports; memory is the peak of a
side's largest process. dlt is left out when it is not installed; `--dlt-python` names an interpreter that has it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import _vendor
from _measure import Side, account, answered, has, machine, ratio, run_side, say, table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--incidents", type=int, default=20_000)
    parser.add_argument("--entries", type=int, default=6, help="log entries of each incident")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--connections", type=int, default=8, help="parallel requests of every side")
    parser.add_argument("--dlt-python", default=sys.executable, help="interpreter with dlt[duckdb,parquet] installed")
    parser.add_argument("--no-dlt", action="store_true", help="leave dlt out")
    options = parser.parse_args()

    names = ["bare", "ours", "dlt"]
    if options.no_dlt or not has("dlt.sources.rest_api", options.dlt_python):
        names.remove("dlt")
        if not options.no_dlt:
            say(
                "dlt is not installed for this interpreter: left out (pip install 'dlt[duckdb,parquet]', or --dlt-python)."
            )
    sides = {name: Side(name) for name in names}
    days = 700
    common = ["--as-of", _vendor.UNTIL.isoformat(), "--since", (_vendor.UNTIL - timedelta(days=days)).isoformat()]
    common += ["--connections", str(options.connections)]
    size = ["--incidents", str(options.incidents), "--entries", str(options.entries)]
    with account(*size, "--days", days) as address:
        for number in range(options.runs):
            for name, side in sides.items():
                say(f"run {number + 1} of {options.runs}: {name}")
                before = answered(address)
                with tempfile.TemporaryDirectory() as folder:
                    arguments = ["--address", address, *common]
                    arguments += size if name != "ours" else []
                    arguments += ["--data", str(Path(folder) / "data")] if name != "bare" else []
                    python = options.dlt_python if name == "dlt" else sys.executable
                    run = run_side(f"_side_{name}.py", *arguments, python=python)
                side.runs.append({**run, "asked": answered(address) - before})
                if name != "bare" and (run["incidents"], run["log_entries"]) != (
                    options.incidents,
                    options.incidents * options.entries,
                ):
                    raise SystemExit(
                        f"{name} loaded {run['incidents']} incidents and {run['log_entries']} log entries."
                    )
    print(
        f"{options.incidents:,} incidents with {options.entries} log entries each, {options.connections} connections; {machine()}"
    )
    if "dlt" in sides:
        print(f"dlt {sides['dlt'].runs[0]['dlt']} with duckdb {sides['dlt'].runs[0]['duckdb']}")
    against = sides.get("dlt")
    rows = [
        [
            name,
            side.spread("seconds"),
            side.spread("cpu"),
            f"{side.value('peak_mib'):,.0f}",
            side.spread("asked"),
            ratio(side, sides["bare"], "seconds"),
            ratio(side, against, "seconds") if against else "-",
        ]
        for name, side in sides.items()
    ]
    print(table(["side", "seconds", "CPU seconds", "peak MiB", "requests", "x bare", "x dlt"], rows))
    print(f"ours: pull {sides['ours'].spread('pull_seconds')} s, load {sides['ours'].spread('load_seconds')} s")


if __name__ == "__main__":
    main()
