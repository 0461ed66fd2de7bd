"""`python -m mttr_pipeline.demo`: serve the vendors of a generated company for a person to look at."""

from __future__ import annotations

import argparse
import sys
import threading
from datetime import UTC, datetime

from mttr_pipeline.demo.faults import PROFILES
from mttr_pipeline.demo.server import VendorServer
from mttr_pipeline.demo.world import World


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted; prints the export lines that point the pipeline here."""
    parser = argparse.ArgumentParser(prog="python -m mttr_pipeline.demo", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="0 picks a free one (default: 8080)")
    parser.add_argument("--seed", type=int, default=1, help="another number is another history (default: 1)")
    parser.add_argument("--faults", choices=sorted(PROFILES), default="none", help="what goes wrong (default: none)")
    parser.add_argument(
        "--until", type=datetime.fromisoformat, default=None, help="the present of the history, ISO 8601 (default: now)"
    )
    options = parser.parse_args(arguments)
    until = options.until or datetime.now(UTC)
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    server = VendorServer(World(options.seed, until), faults=options.faults, seed=options.seed, port=options.port)
    try:
        server.start()
    except OSError as error:
        print(f"cannot listen on port {options.port}: {error.strerror}; try --port 0", file=sys.stderr)
        return 1
    print(f"# the vendors of a made-up company, as of {until:%Y-%m-%d %H:%M} UTC; Ctrl-C ends it")
    for name, value in server.env().items():
        print(f"export {name}={value}")
    print("# the Data Center desk instead of the Cloud one:")
    for name, value in server.env("jira-dc").items():
        print(f"# export {name}={value}")
    sys.stdout.flush()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
