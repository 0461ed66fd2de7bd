"""What it takes to count each real incident once: the tables that find and put together the records of one incident, against all the
other tables of the same run, from the events of the records on.

The records are synthetic: of ten, two are a page and its ticket, three a page, its ticket and an alert, and five stand alone.
Some links are kept from joining: they cite what was long over, stand in lists, or would make a group of too many records. CPU
seconds are those of the builds alone.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from _measure import Side, machine, run_side, say, table

#: Which records are one incident, and what it says. core.incidents is counted whole, though most of it is there without
#: correlation: what the same tables take with correlation off is told too.
CORRELATION = ("core.links", "core.groups", "core.members", "core.evidence", "core.golden", "core.incidents")
#: What readers see of it.
SHOWN = ("core.incident_sources", "core.incident_conflicts", "mart.records", "mart.links", "mart.correlation")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="records; three links per ten of them")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="keep the database here instead of in a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = (options.folder or Path(folder)) / "given"
        say("generate")
        links = run_side("_side_correlation.py", "generate", "--data", data, "--rows", options.rows)["links"]
        side = Side("correlation")
        for number in range(options.runs):
            say(f"run {number + 1} of {options.runs}")
            run = run_side("_side_correlation.py", "build", "--data", data)
            off = run_side("_side_correlation.py", "build", "--data", data, "--off")["tables"]
            for broken in run["failed"]:
                say(f"a check failed: {broken}")
            for what, place in (("seconds", 0), ("cpu_seconds", 2)):
                told = {name: values[place] for name, values in run["tables"].items()}
                run[what] = sum(told[name] for name in CORRELATION)
                run[f"off_{what}"] = sum(off[name][place] for name in CORRELATION)
                run[f"added_{what}"] = run[what] - run[f"off_{what}"]
                run[f"shown_{what}"] = sum(told[name] for name in SHOWN)
                run[f"other_{what}"] = sum(told.values()) - run[what]
                run[f"{what}_ratio"] = run[what] / run[f"other_{what}"]
                run[f"added_{what}_ratio"] = run[f"added_{what}"] / run[f"other_{what}"]
            side.runs.append(run)

    first = side.runs[0]
    print(f"{options.rows:,} records, {links:,} links, {first['links'].get('followed', 0):,} followed; {machine()}")
    rows = []
    for name, (_, count, _) in first["tables"].items():
        told = Side(name, [{"wall": run["tables"][name][0], "cpu": run["tables"][name][2]} for run in side.runs])
        mark = "correlation" if name in CORRELATION else "shown" if name in SHOWN else ""
        rows.append((told.value("cpu"), [name, told.spread("wall"), told.spread("cpu"), f"{count:,}", mark]))
    shown = [row for cpu, row in sorted(rows, reverse=True) if cpu >= 0.05 or row[-1]]
    print(table(["table", "seconds", "CPU seconds", "rows", "part of"], shown))
    print(
        table(
            ["what", "seconds", "CPU seconds"],
            [
                ["correlation", side.spread("seconds"), side.spread("cpu_seconds")],
                [
                    "of all other tables, those that show it",
                    side.spread("shown_seconds"),
                    side.spread("shown_cpu_seconds"),
                ],
                ["all other tables", side.spread("other_seconds"), side.spread("other_cpu_seconds")],
                ["correlation / all other tables", side.spread("seconds_ratio"), side.spread("cpu_seconds_ratio")],
                ["the same tables, correlation off", side.spread("off_seconds"), side.spread("off_cpu_seconds")],
                ["what correlation adds", side.spread("added_seconds"), side.spread("added_cpu_seconds")],
                [
                    "what it adds / all other tables",
                    side.spread("added_seconds_ratio"),
                    side.spread("added_cpu_seconds_ratio"),
                ],
            ],
        )
    )


if __name__ == "__main__":
    main()
