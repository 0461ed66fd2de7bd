"""What issues of error trackers and incident channels cost beside a million incidents: episodes, classes and their order, fixes,
what they are evidence of, and release health; and the records, timelines, responders and links of channels.

The baseline is one scan of the incidents in the same process, which counts them per service and window and takes their median.
"""

from __future__ import annotations

import argparse

from _given_channels import TABLES
from _measure import against_scan, built, machine, per_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--incidents", type=int, default=1_000_000)
    parser.add_argument("--deploys", type=int, default=100_000)
    parser.add_argument("--issues", type=int, default=50_000)
    parser.add_argument("--channels", type=int, default=5_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    size = [f"--{name}={getattr(options, name)}" for name in ("incidents", "deploys", "issues", "channels")]
    runs = built("_side_errors.py", size, options.runs)
    print(
        f"{options.incidents:,} incidents, {options.issues:,} issues, {options.channels:,} channels; rows and evidence "
        f"{runs[0]['counted']}; {machine()}"
    )
    print(per_table(runs))
    channels = [name for name in runs[0]["tables"] if name in TABLES]
    errors = [name for name in runs[0]["tables"] if name not in TABLES]
    for what, only in (("of channels", channels), ("of errors", errors), ("of both", [])):
        side = against_scan(runs, only)
        print(
            f"all tables {what}: {side.spread('wall')} s, {side.spread('cpu')} CPU s, {side.spread('ratio')} times the CPU "
            "seconds of one scan of the incidents"
        )


if __name__ == "__main__":
    main()
