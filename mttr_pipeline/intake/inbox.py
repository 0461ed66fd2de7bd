"""The inbox: a folder that anything can write webhook bodies and custom records into, and a run takes them out of.

    <data-dir>/inbox/
        delivery-1.json             a body, or any file that `mttr import` takes
        delivery-1.json.headers     optional: its headers, for signatures and delivery ids
        <account>/delivery-2.json   the same, where two accounts of one source send bodies that look alike
        taken/<run-id>/             files that are in the landing zone
        refused/<run-id>/           files of which something cannot be read; quarantine says why

A file is landed first and moved then. A crash in between harms nothing: the extract names its files in `files.json`, and
the next run only moves those. Names that begin with a dot or end in .part or .tmp are still being written and left alone.

What belongs here: the folder. What does not: what stands in a file (`importer`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from mttr_pipeline.config.settings import Account
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.intake import received
from mttr_pipeline.intake.door import inspect
from mttr_pipeline.intake.importer import ImportReport, Intake
from mttr_pipeline.intake.signatures import MAX_HEADER_BYTES, SIDECAR, without_secrets
from mttr_pipeline.landing.readers import checked_file
from mttr_pipeline.landing.store import Landing

FOLDER = "inbox"
TAKEN, REFUSED = "taken", "refused"
_UNFINISHED = (".part", ".tmp")
_LEDGER = "files.json"  # beside the manifest and not in it: every run reads every manifest


@dataclass
class Taken:
    """What one run took. `refused` and `stuck` are sentences about files that could not be read, or not be moved away."""

    report: ImportReport | None = None
    files: int = 0
    refused: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)


def waiting(folder: Path, accounts: Sequence[Account] = ()) -> list[Path]:
    """The files to be taken, the oldest first; of one age by name. Raises ConfigError when the folder cannot be read."""
    entries = []
    try:
        for place in (folder, *(folder / account.name for account in accounts)):
            for path in place.iterdir() if place.is_dir() and not place.is_symlink() else ():
                with suppress(FileNotFoundError):  # renamed while we look
                    if _is_finished(path):
                        entries.append((path.lstat().st_mtime_ns, path))
    except OSError as error:
        raise ConfigError(
            f"The inbox {folder} cannot be read ({error.strerror}); give yourself the right to read it."
        ) from error
    return [path for _, path in sorted(entries)]


def take(folder: Path, landing: Landing, run_id: str, accounts: Sequence[Account]) -> Taken:
    """Land every waiting file and move it away. `accounts` are those whose webhook bodies are recognised.

    No file stops it: one that cannot be read is listed in quarantine. Raises ConfigError when the folder cannot be read,
    OSError when the landing zone cannot be written; then the files stay and nothing of them is loaded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = _landed_before(landing)
    found = {path: _identity(path, folder) for path in waiting(folder, accounts)}
    fresh = [path for path in found if _key(found[path]) not in before]
    taken = Taken(files=len(fresh))
    refused: set[Path] = set()
    if fresh:
        with Intake(landing, run_id, {"files": len(fresh)}, accounts) as intake:
            extract = intake.begin(received.SOURCE)  # once it is complete, its files are known as landed
            before |= {_key(found[path]): extract.extract_id for path in fresh}
            ledger = [{**identity, "extract": before[_key(identity)]} for identity in found.values()]
            with (extract.folder / _LEDGER).open("wb") as out:
                out.write(msgspec.json.encode(ledger))
                out.flush()
                os.fsync(out.fileno())  # as safe as the manifest that makes it count
            for path in fresh:
                try:
                    _take_one(path, found[path]["name"], intake, None if path.parent == folder else path.parent.name)
                except ConfigError as error:
                    intake.refuse(found[path]["name"], str(error))
                    refused.add(path)
                    taken.refused.append(str(error))
        taken.report = intake.report
    for path, identity in found.items():
        target = (
            folder / (REFUSED if path in refused else TAKEN) / before[_key(identity)] / path.parent.relative_to(folder)
        )
        try:
            target.mkdir(parents=True, exist_ok=True)
            path.replace(target / path.name)
            if not (target / path.name).is_symlink():
                (target / path.name).chmod(0o600)
            sidecar = path.with_name(path.name + SIDECAR)
            if sidecar.exists():
                _keep_headers(sidecar, target / sidecar.name)
        except OSError as error:
            taken.stuck.append(f"{path} is landed but cannot be moved away ({error.strerror}); move or delete it.")
    return taken


def _keep_headers(sidecar: Path, target: Path) -> None:
    """Move the headers of a landed body, without what lets their bearer in. A link is moved as it is: it was not read either."""
    if sidecar.is_file() and not sidecar.is_symlink():
        with sidecar.open("rb") as stream:
            kept = without_secrets(stream.read(MAX_HEADER_BYTES))
        target.write_bytes(kept)
        sidecar.unlink()
    else:
        sidecar.replace(target)


def _take_one(path: Path, name: str, intake: Intake, account: str | None) -> None:
    if path.is_symlink() or not path.is_file():  # a link could make us publish the first lines of any file we may read
        raise ConfigError(f"{name} is a link or no regular file; put the file itself there.")
    file = checked_file(path, name)
    inspect(file, intake.is_body)
    for _ in intake.take(file, account):
        pass


def _is_finished(path: Path) -> bool:
    name = path.name
    if name.startswith(".") or name.endswith((*_UNFINISHED, SIDECAR)):
        return False
    return path.is_symlink() or not path.is_dir()


def _identity(path: Path, folder: Path) -> dict[str, Any]:
    """What tells a file from another one of the same name; a link, or what cannot be read, has no content."""
    about = path.lstat()
    digest = ""
    if path.is_file() and not path.is_symlink():
        try:
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError:
            pass  # told when it is taken
    name = f"{FOLDER}/{path.relative_to(folder)}".encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return {"name": name, "bytes": about.st_size, "modified_ns": about.st_mtime_ns, "sha256": digest}


def _key(identity: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(identity.get(name) for name in ("name", "bytes", "modified_ns", "sha256"))


def _landed_before(landing: Landing) -> dict[tuple[Any, ...], str]:
    """Files that were found by the last complete taking, and all landed by then -> their extract."""
    complete = [m for m in reversed(landing.manifests(received.SOURCE)) if m.status == "complete"]
    ledgers = (landing.read(manifest, _LEDGER) for manifest in complete)
    newest = next((ledger for ledger in ledgers if ledger is not None), None)  # those of `mttr import` have none
    return {_key(file): file["extract"] for file in msgspec.json.decode(newest)} if newest else {}
