"""Every metric of a large history, as a night makes them: the tables downstream of core.incidents, one by one, their checks and
the generation of files; and the same plain statistics in plain Python.

The reference is the one that the tests hold the SQL against (tests/reference.py); its part are the calculation and the phases
of every member of every scope, whole history. Ours are the tables that hold them, which also cover two periods.

The incidents are synthetic: log-normal durations over three years, some open, some invalid, some outliers. Seconds are those of
the work; the wall time has the start of the program, its imports and its end too. Memory is the peak of the process.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from _measure import Side, machine, run_side, say, table

REFERENCE_PART = (
    "facts.matched",
    "facts.population",
    "mart.mttr_stats",
    "figures.phase_medians",
    "figures.phase_breakdown",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--services", type=int, default=200)
    parser.add_argument("--teams", type=int, default=40)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument(
        "--no-python", action="store_true", help="leave the plain-Python baseline out (it holds all rows)"
    )
    parser.add_argument("--no-reference", action="store_true", help="leave the tests' reference out (minutes, 2 GiB)")
    parser.add_argument("--folder", type=Path, help="keep the database here instead of in a temporary folder")
    options = parser.parse_args()

    sides = {name: Side(name) for name in ("night", "reports", "python", "reference")}
    if options.no_reference or options.no_python:
        del sides["reference"]
    if options.no_python:
        del sides["python"]
    with tempfile.TemporaryDirectory() as folder:
        data = (options.folder or Path(folder)) / "normalised"
        say("generate")
        size = ["--rows", options.rows, "--services", options.services, "--teams", options.teams]
        run_side("_side_metrics.py", "generate", "--data", data, *size)
        for number in range(options.runs):
            for name, side in sides.items():
                if name == "reference" and side.runs:
                    continue  # it takes minutes
                say(f"run {number + 1} of {options.runs}: {name}")
                run = run_side("_side_metrics.py", name, "--data", data)
                if name == "night":
                    run["made"] = sum(told[0] for told in run["tables"].values())
                    run["made_cpu"] = sum(told[2] for told in run["tables"].values())
                    run["seconds"] = run["made"] + run["checks"] + run["files"] + run["summary"]
                    run["part"] = run["tables"]["facts.population"][0] + run["groupings"]
                    run["reference_part"] = sum(run["tables"][table][0] for table in REFERENCE_PART)
                    for broken in run["failed"]:
                        say(f"a check failed: {broken}")
                if run.get("wrong"):
                    raise SystemExit(f"Plain Python does not agree with our tables: {run['wrong'][:5]}")
                side.runs.append(run)

    night = sides["night"]
    print(f"{options.rows:,} incidents, {options.services} services, {options.teams} teams; {machine()}")
    tables = []
    for name, (_, count, _) in night.runs[0]["tables"].items():
        told = Side(name, [{"seconds": run["tables"][name][0], "cpu": run["tables"][name][2]} for run in night.runs])
        tables.append((told.value("seconds"), [name, told.spread("seconds"), told.spread("cpu"), f"{count:,}"]))
    print(table(["table", "seconds", "CPU seconds", "rows"], [row for _, row in sorted(tables, reverse=True)]))
    rows = [
        ["all tables", night.spread("made"), night.spread("made_cpu"), "", ""],
        ["their checks", night.spread("checks"), night.spread("checks_cpu"), "", ""],
        ["JSON, page, DuckDB and Parquet", night.spread("files"), night.spread("files_cpu"), "", ""],
        ["summary and chart for Dagster", night.spread("summary"), night.spread("summary_cpu"), "", ""],
    ]
    for name, side in sides.items():
        told = [side.spread("seconds"), side.spread("cpu"), side.spread("wall"), f"{side.value('peak_mib'):,.0f}"]
        rows.append(["**all of these**" if name == "night" else name, *told])
    print(table(["side", "seconds", "CPU seconds", "wall", "peak MiB"], rows))
    if "python" in sides:
        for what, theirs, ours in (
            ("the statistics of nine groupings", "statistics", "groupings"),
            ("the same with the classification of every incident", "seconds", "part"),
        ):
            pairs = zip(sides["python"].runs, night.runs, strict=True)
            ratios = sorted(python[theirs] / run[ours] for python, run in pairs)
            shown = f"{ratios[len(ratios) // 2]:.0f} ({ratios[0]:.0f} - {ratios[-1]:.0f})"
            print(f"plain Python / {what} in SQL ({night.spread(ours)} s): {shown}")
    if "reference" in sides:
        ratio = sides["reference"].value("seconds") / night.value("reference_part")
        print(
            f"the tests' reference / the tables with the same figures ({night.spread('reference_part')} s): {ratio:.0f}"
        )


if __name__ == "__main__":
    main()
