"""What deploys cost beside a million incidents: joining records of two tools, finding rollbacks, linking incidents to the deploy
that introduced them, and the delivery figures.

Linking and figures are core.deploy_causes, core.named_deploys, core.incident_deploys, core.reworks, facts.deployed,
figures.deploy_recoveries and mart.delivery. The baseline is one scan of the incidents in the same process, which counts them per
service and window and takes their median.
"""

from __future__ import annotations

import argparse

from _measure import against_scan, built, machine, per_table

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
    runs = built("_side_delivery.py", size, options.runs)
    print(f"{options.incidents:,} incidents, {options.deploys:,} deploys, linked {runs[0]['counted']}; {machine()}")
    print(per_table(runs, LINKING, "linking and figures"))
    side = against_scan(runs, LINKING)
    print(
        f"linking and figures: {side.spread('wall')} s, {side.spread('cpu')} CPU s, {side.spread('ratio')} times the CPU seconds of "
        "one scan of the incidents"
    )


if __name__ == "__main__":
    main()
