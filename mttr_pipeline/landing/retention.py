"""`[landing] keep_days`: extracts that are too old leave the landing zone, and the list of completed extracts says so.

What belongs here: which extracts are too old, and how they go. What does not: archives of old extracts that stay (`compaction`), and
what the tables make of it (`warehouse.loading`).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mttr_pipeline.landing import completed
from mttr_pipeline.landing.archive import archived_manifests, archives
from mttr_pipeline.landing.compaction import begun
from mttr_pipeline.landing.disk import sync
from mttr_pipeline.landing.manifest import UNDONE, Manifest
from mttr_pipeline.landing.store import Landing

REMOVED = ".removed-"  # what a folder is called until it is deleted


@dataclass
class Removed:
    """What left the landing zone: extracts and their records, by source."""

    extracts: int = 0
    records: dict[str, int] = field(default_factory=dict)


def remove_old(landing: Landing, now: datetime, keep_days: float) -> Removed:
    """Remove the extracts that began more than `keep_days` before `now`. The data directory must be held.

    The oldest ones of a source go first, so no older payload of a record comes to light. An archive goes as a whole, when its last
    extract is too old. The newest complete extract of a source stays, and so does the one whose mark the next pull begins at, with
    all that is later.

    The list of completed extracts names them before anything is deleted; a command that is killed in between is started again.
    Raises ContractError for a manifest that cannot be read, OSError.
    """
    done = Removed()
    limit = now - timedelta(days=keep_days)
    for folder in sorted(path for path in landing.root.glob("*") if path.is_dir()):
        for path in folder.glob(f"{REMOVED}*"):  # of a command that was killed
            shutil.rmtree(path)
        packed = {path: {m.extract_id for m in archived_manifests(path)} for path in archives(folder)}
        old = _too_old(landing.manifests(folder.name), list(packed.values()), limit)
        if not old:
            continue
        listed = [manifest for manifest in old if manifest.status in ("complete", UNDONE)]
        completed.note_removed(landing.root, listed, now)
        ids = {manifest.extract_id for manifest in old}
        for archive, inside in packed.items():
            if inside <= ids:
                archive.unlink()
                archive.with_suffix(".json").unlink(missing_ok=True)
        for path in landing.folders(folder.name):
            if path.name in ids:
                hidden = path.with_name(f"{REMOVED}{path.name}")
                path.rename(hidden)
                shutil.rmtree(hidden)
        sync(folder)
        done.extracts += len(old)
        done.records[folder.name] = sum(m.records for m in old if m.status == "complete")
    return done


def _too_old(manifests: list[Manifest], packed: list[set[str]], limit: datetime) -> list[Manifest]:
    """Of the extracts of one source, oldest first, those that go."""
    whole = [place for place, manifest in enumerate(manifests) if manifest.status == "complete"]
    marked = [place for place in whole if manifests[place].high_water]
    stays = min([*whole[-1:], *marked[-1:]], default=0)
    end = 0
    while end < stays and manifests[end].attempts and begun(manifests[end]) < limit:
        end += 1
    found = manifests[:end]
    while torn := [ids for ids in packed if ids & _ids(found) and not ids <= _ids(found)]:
        first = min(place for place, manifest in enumerate(found) if manifest.extract_id in torn[0])
        found = found[:first]
    return found


def _ids(manifests: list[Manifest]) -> set[str]:
    return {manifest.extract_id for manifest in manifests}
