"""`python -m mttr_pipeline.demo`: serve the vendors of a generated company, to look at them by hand."""

from __future__ import annotations

import argparse
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from mttr_pipeline.demo.deliveries import deliver
from mttr_pipeline.demo.deploy_stories import WEEKLY
from mttr_pipeline.demo.linked import LINKED
from mttr_pipeline.demo.profiles import PROFILES
from mttr_pipeline.demo.reviews import REVIEWED
from mttr_pipeline.demo.server import VendorServer
from mttr_pipeline.demo.world import World


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted; prints the export lines that point the pipeline here."""
    parser = argparse.ArgumentParser(prog="python -m mttr_pipeline.demo", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="port to serve on; 0 picks a free one (default: 8080)")
    parser.add_argument("--seed", type=int, default=1, help="each number gives another history (default: 1)")
    parser.add_argument("--faults", choices=sorted(PROFILES), default="none", help="fault profile (default: none)")
    parser.add_argument("--inbox", type=Path, default=None, help="folder for the webhook bodies that are only sent")
    parser.add_argument(
        "--until", type=datetime.fromisoformat, default=None, help="present of the history, ISO 8601 (default: now)"
    )
    options = parser.parse_args(arguments)
    until = options.until or datetime.now(UTC)
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    world = World(options.seed, until, linked=LINKED, weekly=WEEKLY, reviews=REVIEWED)
    if options.inbox:
        deliver(world, options.inbox, world.until)
    server = VendorServer(world, faults=options.faults, seed=options.seed, port=options.port)
    try:
        server.start()
    except OSError as error:
        print(f"cannot listen on port {options.port}: {error.strerror}; use --port 0 for a free one", file=sys.stderr)
        return 1
    print(f"# simulated vendors of an invented company, data as of {until:%Y-%m-%d %H:%M} UTC; Ctrl-C stops the server")
    offered = server.env()
    for name, value in offered.items():
        print(f"export {name}={value}")
    for vendor in server.simulators:
        variables = server.env(vendor)
        if variables.items() <= offered.items():
            continue
        print(f"# instead, for {vendor}, which sets the same variables:")
        for name, value in variables.items():
            print(f"# export {name}={value}")
    sys.stdout.flush()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
