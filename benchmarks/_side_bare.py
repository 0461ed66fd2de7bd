"""One side of a benchmark: the bytes of the synthetic account and nothing else. Every page is asked for once, by as many
threads as connections, with `requests`; no byte of a body is looked at but the total of each window."""

from __future__ import annotations

import argparse
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import requests
from _vendor import windows

ROWS = 8_000  # about so many to a window: below the ceiling, and few of them
_TOTAL = re.compile(rb'"total":(\d+),"more":(true|false)}$')
_LOCAL = threading.local()


def fetch(url: str) -> bytes:
    """One body, on this thread's own connection."""
    session = getattr(_LOCAL, "session", None)
    if session is None:
        session = _LOCAL.session = requests.Session()
        session.trust_env = False
    with session.get(url, stream=True) as response:
        body: bytes = response.raw.read(decode_content=True)
        response.raise_for_status()
    return body


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--as-of", required=True)
    parser.add_argument("--since", required=True)
    parser.add_argument("--incidents", type=int, required=True)
    parser.add_argument("--entries", type=int, required=True)
    parser.add_argument("--connections", type=int, default=8)
    options = parser.parse_args()
    since, until = (datetime.fromisoformat(text) for text in (options.since, options.as_of))
    started = time.perf_counter()
    listings = [
        f"{options.address}/{name}?since={low}&until={high}&total=true"
        for name, rows in (("incidents", options.incidents), ("log_entries", options.incidents * options.entries))
        for low, high in windows(since, until + timedelta(seconds=1), rows, ROWS)
    ]
    with ThreadPoolExecutor(options.connections) as pool:
        totals = []
        for body in pool.map(lambda url: fetch(f"{url}&limit=1"), listings):
            found = _TOTAL.search(body)
            assert found is not None
            totals.append(int(found[1]))
        pages = [
            f"{url}&limit=100&offset={offset}"
            for url, total in zip(listings, totals, strict=True)
            for offset in range(0, total, 100)
        ]
        size = sum(pool.map(lambda url: len(fetch(url)), pages))
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "fetched": sum(totals), "bytes": size}))


if __name__ == "__main__":
    main()
