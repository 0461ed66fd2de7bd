"""`mttr import --undo`: an import is taken back. Its files stay in the landing zone, marked; the next run leaves them out.

What does not belong here: what the tables become without it, which is the matter of the load.
"""

from __future__ import annotations

from mttr_pipeline.errors import ConfigError
from mttr_pipeline.landing import completed
from mttr_pipeline.landing.manifest import UNDONE, Manifest
from mttr_pipeline.landing.store import NOT_PULLED, Landing


def undo(landing: Landing, extract_id: str) -> list[Manifest]:
    """Mark every extract of an import. Raises ConfigError for an id that is none of a complete import."""
    every = landing.manifests()
    imports = [manifest for manifest in every if _is_import(manifest)]
    found = [manifest for manifest in imports if manifest.extract_id == extract_id]
    complete = [manifest for manifest in found if manifest.status == "complete"]
    if complete:
        return [landing.undo(manifest) for manifest in complete]
    if any(manifest.status == UNDONE for manifest in found):
        raise ConfigError(f"The import {extract_id} is taken back already; the next run publishes without it.")
    if found:
        raise ConfigError(f"The import {extract_id} failed and was never loaded, so there is nothing to take back.")
    pulled = sorted({manifest.source for manifest in every if manifest.extract_id == extract_id})
    if pulled:
        raise ConfigError(f"{extract_id} is a pull of {', '.join(pulled)}, and only imports can be taken back.")
    newest = [manifest.extract_id for manifest in reversed(imports) if manifest.status == "complete"]
    known = f"the newest are {', '.join(list(dict.fromkeys(newest))[:5])}" if newest else "there are none"
    raise ConfigError(f"There is no import {extract_id!r} that can be taken back; {known}.")


def give_up(landing: Landing, extract_id: str) -> int | None:
    """Give up an import whose files are lost; the number of its lines, None when there is no such loss. Raises OSError."""
    every = completed.lost(landing.root, landing.manifests())
    gone = [loss for loss in every if loss.extract.extract_id == extract_id and loss.extract.source in NOT_PULLED]
    for loss in gone:
        completed.give_up(landing.root, loss)
    return sum(loss.extract.records for loss in gone) if gone else None


def _is_import(manifest: Manifest) -> bool:
    """Whether files were given, by `mttr import` or in the inbox; a pull's plan names none."""
    return "files" in manifest.plan
