"""`mttr compact`: the extracts of past months become one archive per source and month.

What belongs here: which extracts are old enough. What does not: the format of an archive and its safety (`archive`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mttr_pipeline.landing.archive import SUFFIX, clean, pack
from mttr_pipeline.landing.manifest import Manifest, read_manifest
from mttr_pipeline.landing.store import Landing


@dataclass
class Compacted:
    """What was done: extracts, the files that they had, and the archives that they are in now."""

    extracts: int = 0
    files: int = 0
    archives: int = 0


def compact(landing: Landing, now: datetime, older_than_days: int) -> Compacted:
    """Archive every month that ended `older_than_days` or longer before `now`. The data directory must be held.

    The newest extract of a source stays a folder, because the next pull may resume it, and so does one without a manifest. Each file
    is compared with its hash before. Raises ContractError for one that differs, and for a manifest that cannot be read; OSError.
    """
    done = Compacted()
    limit = now.astimezone(UTC) - timedelta(days=older_than_days)
    for folder in sorted(path for path in landing.root.glob("*") if path.is_dir()):
        clean(folder)
        for month, manifests in sorted(_months(landing, folder.name).items()):
            if _end_of(month) > limit:
                continue
            for manifest in manifests:
                landing.verify(manifest)
            folders = {manifest.extract_id: landing.folder(manifest) for manifest in manifests}
            done.files += sum(path.is_file() for extract in folders.values() for path in extract.rglob("*"))
            name, number = folder / f"{month}{SUFFIX}", 1
            while name.exists():  # an extract of that month that was not there yet
                number += 1
                name = folder / f"{month}-{number}{SUFFIX}"
            pack(name, folders, manifests)
            done.extracts += len(folders)
            done.archives += 1
    return done


def _months(landing: Landing, source: str) -> dict[str, list[Manifest]]:
    """Month -> the extracts that began in it and may be archived."""
    found: dict[str, list[Manifest]] = {}
    for folder in landing.folders(source)[:-1]:
        manifest = read_manifest(folder)
        if manifest is not None and manifest.attempts:
            found.setdefault(f"{begun(manifest):%Y-%m}", []).append(manifest)
    return found


def begun(manifest: Manifest) -> datetime:
    """When an extract began, UTC: its id says it (`store.new_run_id`), or else its first attempt."""
    try:
        return datetime.strptime(manifest.extract_id[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromisoformat(manifest.attempts[0].started_at).astimezone(UTC)


def _end_of(month: str) -> datetime:
    begin = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    return (begin + timedelta(days=32)).replace(day=1)
