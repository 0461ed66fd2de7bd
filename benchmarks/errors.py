"""What issues of error trackers cost beside a million incidents: episodes, classes and their order, fixes, what they are evidence
of, and release health.

The baseline is one scan of the incidents in the same process, which counts them per service and window and takes their median.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from _measure import Side, machine, run_side, say, table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--incidents", type=int, default=1_000_000)
    parser.add_argument("--deploys", type=int, default=100_000)
    parser.add_argument("--issues", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    size = [f"--{name}={getattr(options, name)}" for name in ("incidents", "deploys", "issues")]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "given"
        say("generate")
        run_side("_side_errors.py", "generate", "--data", data, *size)
        runs = []
        for number in range(options.runs):
            say(f"run {number + 1} of {options.runs}")
            runs.append(run_side("_side_errors.py", "build", "--data", data))
            for broken in runs[-1]["failed"]:
                say(f"a check failed: {broken}")
    print(f"{options.incidents:,} incidents, {options.issues:,} issues; evidence {runs[0]['evidence']}; {machine()}")
    rows = []
    for name, (_, _, count) in runs[0]["tables"].items():
        told = Side(name, [{"wall": run["tables"][name][0], "cpu": run["tables"][name][1]} for run in runs])
        rows.append([name, told.spread("wall"), told.spread("cpu"), f"{count:,}"])
    print(table(["table", "seconds", "CPU seconds", "rows"], rows))
    both = [
        {what: sum(told[place] for told in run["tables"].values()) for what, place in (("wall", 0), ("cpu", 1))}
        | {"baseline": run["baseline"]}
        for run in runs
    ]
    side = Side("errors", [{**run, "ratio": run["cpu"] / run["baseline"]} for run in both])
    print(
        f"all tables of errors: {side.spread('wall')} s, {side.spread('cpu')} CPU s, {side.spread('ratio')} times the CPU "
        "seconds of one scan of the incidents"
    )


if __name__ == "__main__":
    main()
