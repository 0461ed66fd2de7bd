"""What it costs to tell what was learned from a million incidents: post-mortems, recurrence, noise, detection, ownership, load.

The baseline is one scan of the incidents in the same process, which counts them per service and window and takes their median.
"""

from __future__ import annotations

import argparse

from _measure import against_scan, built, machine, per_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--incidents", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    runs = built("_side_learning.py", ["--incidents", str(options.incidents)], options.runs)
    print(f"{options.incidents:,} incidents; {machine()}")
    print(per_table(runs))
    side = against_scan(runs)
    print(
        f"all of it: {side.spread('wall')} s, {side.spread('cpu')} CPU s, {side.spread('ratio')} times the CPU seconds of one scan "
        "of the incidents"
    )


if __name__ == "__main__":
    main()
