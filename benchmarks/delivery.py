"""What deploys cost beside a million incidents: joining records of two tools, finding rollbacks, linking incidents to the deploy
that introduced them, and the delivery figures.

Linking and figures are core.deploy_causes, core.named_deploys, core.incident_deploys, core.reworks, facts.deployed,
figures.deploy_recoveries and mart.delivery. The baseline is one scan of the incidents in the same process, which counts them per
service and window and takes their median.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from _measure import Side, machine, run_side, say, table

LINKING = (
    "core.deploy_causes",
    "core.named_deploys",
    "core.incident_deploys",
    "core.reworks",
    "facts.deployed",
    "figures.deploy_recoveries",
    "mart.delivery",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--incidents", type=int, default=1_000_000)
    parser.add_argument("--deploys", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    size = ["--incidents", str(options.incidents), "--deploys", str(options.deploys)]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "given"
        say("generate")
        run_side("_side_delivery.py", "generate", "--data", data, *size)
        runs = []
        for number in range(options.runs):
            say(f"run {number + 1} of {options.runs}")
            runs.append(run_side("_side_delivery.py", "build", "--data", data))
            for broken in runs[-1]["failed"]:
                say(f"a check failed: {broken}")
    print(f"{options.incidents:,} incidents, {options.deploys:,} deploys, linked {runs[0]['linked']}; {machine()}")
    rows = []
    for name, (_, _, count) in runs[0]["tables"].items():
        told = Side(name, [{"wall": run["tables"][name][0], "cpu": run["tables"][name][1]} for run in runs])
        rows.append([name, told.spread("wall"), told.spread("cpu"), f"{count:,}", "yes" if name in LINKING else ""])
    print(table(["table", "seconds", "CPU seconds", "rows", "linking and figures"], rows))
    both = [
        {what: sum(run["tables"][name][place] for name in LINKING) for what, place in (("wall", 0), ("cpu", 1))}
        | {"baseline": run["baseline"]}
        for run in runs
    ]
    side = Side("linking", [{**run, "ratio": run["cpu"] / run["baseline"]} for run in both])
    print(
        f"linking and figures: {side.spread('wall')} s, {side.spread('cpu')} CPU s, {side.spread('ratio')} times the CPU seconds of "
        "one scan of the incidents"
    )


if __name__ == "__main__":
    main()
