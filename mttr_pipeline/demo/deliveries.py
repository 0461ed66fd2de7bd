"""What monitors send: webhook bodies, put into a folder as a receiver would."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from mttr_pipeline.demo.registry import SENDERS
from mttr_pipeline.demo.world import World


def deliver(world: World, folder: Path, until: datetime, since: datetime | None = None) -> None:
    """Write what each sender of a world has sent after `since` (default: ever) and by `until` into a file of the folder, a body a
    line; no file where there is nothing. The folder is made where it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for sender in SENDERS:
        found = [body for at, body in sender.bodies(world) if at <= until and (since is None or at > since)]
        if found:
            path = folder / f"{sender.name}-{until:%Y%m%dT%H%M%S}.jsonl"
            path.write_bytes(b"".join(body + b"\n" for body in found))
