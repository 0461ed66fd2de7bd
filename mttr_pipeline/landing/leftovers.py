"""What killed commands left behind: the next one that has the data directory for itself removes it.

    .load-*, .unpacked-*, .spill       temporary folders beside the landing zone
    landing/<source>/.undone-*         half of a copy that `mttr import --undo` takes out of an archive
    *.part, *.tmp                      files that were being written
    landing/custom/..., inbox/...      an import that did not come to its end: nobody goes on with it, its files are imported again

A pull that did not come to its end stays, because the next one goes on with it. What does not belong here: archives (`archive`) and
generations, which their own rooms tidy up.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from mttr_pipeline.landing import completed
from mttr_pipeline.landing.manifest import read_manifest
from mttr_pipeline.landing.store import NOT_PULLED

_FOLDERS = (".load-*", ".unpacked-*", ".spill", "landing/*/.undone-*")


def remove_leftovers(data_dir: Path) -> None:
    """Remove them. Only for who holds the data directory: whoever works there would lose what it writes."""
    for pattern in _FOLDERS:
        for path in data_dir.glob(pattern):
            shutil.rmtree(path, ignore_errors=True)
    root = data_dir / "landing"
    with suppress(OSError):  # of another user: said where it is written
        for folder in root.iterdir():
            _tidy(root, folder.name)


def _tidy(root: Path, source: str) -> None:
    """The newest extract of a source, which is the one that may have been killed; of imports every unfinished one before it too."""
    found = sorted((root / source).iterdir(), reverse=True) if (root / source).is_dir() else []
    for folder in found:
        if folder.name[0] == "." or not folder.is_dir():
            continue
        for path in (*folder.glob("*/*.part"), *folder.glob("*.tmp")):
            path.unlink()
        is_killed = source in NOT_PULLED and read_manifest(folder) is None
        if not is_killed or completed.is_listed(
            root, source, folder.name
        ):  # listed: complete, and its manifest is lost
            return
        shutil.rmtree(folder)
