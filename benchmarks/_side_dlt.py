"""One side of a benchmark: the same pull with dlt's rest_api source into DuckDB, tuned: time windows in parallel, no child
tables, parquet between its steps, two processes to normalise. Needs `pip install 'dlt[duckdb,parquet]'`, nothing of ours."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

os.environ.update(
    {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "NORMALIZE__WORKERS": "2",
        "DATA_WRITER__FILE_MAX_ITEMS": "20000",
        "DATA_WRITER__BUFFER_MAX_ITEMS": "20000",
        "SOURCES__REST_API__MAX_TABLE_NESTING": "0",
    }
)

import dlt
import duckdb
from _vendor import windows
from dlt.sources.rest_api import rest_api_source

ROWS = 2_500  # rows of a window


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--as-of", required=True)
    parser.add_argument("--since", required=True)
    parser.add_argument("--incidents", type=int, required=True)
    parser.add_argument("--entries", type=int, required=True)
    parser.add_argument("--connections", type=int, default=8)
    options = parser.parse_args()
    os.environ["EXTRACT__WORKERS"] = str(options.connections)
    os.environ["EXTRACT__MAX_PARALLEL_ITEMS"] = str(4 * options.connections)
    since, until = (datetime.fromisoformat(text) for text in (options.since, options.as_of))
    options.data.mkdir(parents=True, exist_ok=True)

    def pieces(name: str, rows: int) -> Any:
        @dlt.resource(name=f"{name}_windows", selected=False)
        def parts() -> Iterator[list[dict[str, str]]]:
            pieces = windows(since, until + timedelta(seconds=1), rows, ROWS)
            yield [{"since": low, "until": high} for low, high in pieces]

        return parts

    def listing(name: str) -> dict[str, Any]:
        return {
            "name": name,
            "parallelized": True,
            "endpoint": {
                "path": name,
                "data_selector": name,
                "params": {
                    "since": f"{{resources.{name}_windows.since}}",
                    "until": f"{{resources.{name}_windows.until}}",
                },
                "paginator": {
                    "type": "offset",
                    "limit": 100,
                    "total_path": None,
                    "has_more_path": "more",
                },
            },
        }

    started = time.perf_counter()
    source = rest_api_source(
        {
            "client": {"base_url": options.address},
            "resources": [
                pieces("incidents", options.incidents),
                pieces("log_entries", options.incidents * options.entries),
                listing("incidents"),
                listing("log_entries"),
            ],
        },
        max_table_nesting=0,
        parallelized=True,
    )
    path = options.data / "dlt.duckdb"
    pipeline = dlt.pipeline(
        "benchmark",
        destination=dlt.destinations.duckdb(str(path)),
        dataset_name="raw",
        pipelines_dir=str(options.data / "pipelines"),
    )
    pipeline.run(source, loader_file_format="parquet")
    seconds = time.perf_counter() - started
    with duckdb.connect(str(path), read_only=True) as con:
        counts = {
            n: con.execute(f"SELECT count(*) FROM raw.{n}").fetchall()[0][0] for n in ("incidents", "log_entries")
        }
    steps = {step.step: (step.finished_at - step.started_at).total_seconds() for step in pipeline.last_trace.steps}
    steps.pop("run", None)
    print(
        json.dumps({"seconds": seconds, "steps": steps, **counts, "dlt": dlt.__version__, "duckdb": duckdb.__version__})
    )


if __name__ == "__main__":
    main()
