"""One side of a benchmark: the landing zone of a data directory into the raw tables of a new working database."""

from __future__ import annotations

import argparse
import json
import resource
import time
from datetime import UTC, datetime
from pathlib import Path

from mttr_pipeline.landing.store import Landing, new_run_id
from mttr_pipeline.sources.registry import load_settings
from mttr_pipeline.warehouse.database import Warehouse


def cpu() -> float:
    """CPU seconds of this process so far, all threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    settings = load_settings({"PAGERDUTY_TOKEN": "benchmark"}, data_dir=options.data)
    warehouse = Warehouse(options.data / "work.duckdb", settings, datetime.now(UTC), new_run_id())
    started, used = time.perf_counter(), cpu()
    try:
        records = warehouse.load(Landing(options.data / "landing"))
        result = {"records": records, "load_cpu": cpu() - used, "seconds": time.perf_counter() - started}
        for name in ("incidents", "log_entries"):
            row = warehouse.con.execute(f"SELECT count(*) FROM raw.pagerduty_{name}").fetchone()
            result[name] = row[0] if row else 0
    finally:
        warehouse.close()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
