"""One side of a benchmark: a pull of the synthetic account with this project, into typed tables."""

from __future__ import annotations

import argparse
import json
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from mttr_pipeline.landing.store import Landing, new_run_id
from mttr_pipeline.sources.pagerduty import PagerDutyAccess, PagerDutyOptions
from mttr_pipeline.sources.pagerduty.pull import PagerDuty
from mttr_pipeline.sources.pulling import pull
from mttr_pipeline.sources.registry import load_settings
from mttr_pipeline.warehouse.ahead import reading_ahead
from mttr_pipeline.warehouse.database import open_meanwhile


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument(
        "--data", type=Path, required=True, help="data directory; one that was used makes it a nightly pull"
    )
    parser.add_argument("--as-of", required=True)
    parser.add_argument("--since", help="first instant of a first pull")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--per-minute", type=int, default=0, help="requests a minute; 0 = no limit of our own")
    parser.add_argument("--pull-only", action="store_true", help="land the records, load nothing")
    options = parser.parse_args()
    pagerduty = PagerDutyOptions(connections=options.connections, requests_per_minute=options.per_minute or None)
    access = PagerDutyAccess(token=SecretStr("benchmark"), url=options.address)
    environment = {"PAGERDUTY_TOKEN": "benchmark", "PAGERDUTY_API_URL": options.address}
    settings = load_settings(environment, data_dir=options.data)
    as_of = datetime.fromisoformat(options.as_of).astimezone(UTC)
    since = datetime.fromisoformat(options.since).astimezone(UTC) if options.since else None
    landing, run_id = Landing(options.data / "landing"), new_run_id()
    options.data.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    if not options.pull_only:
        warehouse = open_meanwhile(options.data / "work.duckdb", settings, as_of, run_id)
    source = PagerDuty("pagerduty", access, pagerduty)
    try:
        if options.pull_only or landing.latest("pagerduty"):
            manifest = pull(source, settings, landing, run_id, as_of=as_of, since=since)
        else:
            with reading_ahead(warehouse, landing) as followed:
                manifest = pull(source, settings, followed, run_id, as_of=as_of, since=since)
    finally:
        source.close()
    pulled = time.perf_counter()
    result = {"requests": source.requests, "fetched": manifest.records, "pull_seconds": pulled - started}
    if not options.pull_only:
        with closing(warehouse()) as opened:
            opened.load(landing)
            for name in ("incidents", "log_entries"):
                row = opened.con.execute(f"SELECT count(*) FROM raw.pagerduty_{name}").fetchone()
                result[name] = row[0] if row else 0
    ended = time.perf_counter()
    print(json.dumps({**result, "load_seconds": ended - pulled, "seconds": ended - started}))


if __name__ == "__main__":
    main()
