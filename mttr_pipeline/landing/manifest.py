"""The files that describe an extract: its manifest, its journal, and the list of runs that began it.

    manifest.json   written when the extract ends: plan, attempts, files with record counts and sha256
    journal.jsonl   one line per finished file, appended after the file is safely on disk
    begun.json      the runs that work on the extract; a run that is still listed when the next one begins was killed

What does not belong here: the records themselves (`store`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from mttr_pipeline.errors import ContractError, of_another_user

MANIFEST_VERSION = 1
JOURNAL = "journal.jsonl"
UNDONE = "undone"  # the status of an import that was taken back: it stays, and is not loaded
MARKS_AHEAD = "marks_ahead_of_the_clock"  # the fact that names extracts whose high-water mark is not believed
CLOCK_TOLERANCE = timedelta(minutes=5)  # the clocks of two machines that share a landing zone may differ by so much
_MANIFEST = "manifest.json"
_BEGUN = "begun.json"


class LandedFile(msgspec.Struct, frozen=True):
    """One finished file of a stream.

    window   the key of the window that it holds, unique within the stream
    file     its path within the extract's folder
    records  how many lines it has
    bytes    its size on disk
    marked   how many lines hold a bad character, or U+FFFD in place of one (see `characters`)
    """

    stream: str
    window: str
    file: str
    records: int
    bytes: int
    sha256: str
    marked: int = 0


class Attempt(msgspec.Struct, frozen=True):
    """The work of one run on an extract. Instants are ISO 8601 in UTC.

    `status` is complete, failed, undone or interrupted. An interrupted run was killed: `finished_at` is then the time of its last
    file, and its requests are not counted.
    """

    run_id: str
    started_at: str
    finished_at: str
    status: str
    requests: int
    error: str | None = None


class Manifest(msgspec.Struct, frozen=True):
    """What one extract holds.

    status      that of the last attempt; only complete extracts are loaded
    plan        what the extract was to read, as plain JSON
    high_water  the instant up to which the source is completely read (ISO 8601, UTC), None when the extract does not move it
    facts       what the source learned and counted, as plain JSON
    """

    source: str
    extract_id: str
    status: str
    plan: dict[str, Any]
    attempts: list[Attempt]
    files: list[LandedFile]
    high_water: str | None = None
    facts: dict[str, Any] = {}
    version: int = MANIFEST_VERSION

    @property
    def records(self) -> int:
        """How many records all files hold."""
        return sum(file.records for file in self.files)


class _Versioned(msgspec.Struct):
    """What every version of a manifest says, however different the rest is."""

    version: int = MANIFEST_VERSION


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of an extract, None when it has none.

    Raises ContractError for one that cannot be read, and for one of a later version, which may mean other things by the same names;
    ConfigError for one of another user.
    """
    path = folder / _MANIFEST
    try:
        content = path.read_bytes()
        version = msgspec.json.decode(content, type=_Versioned).version
        if version > MANIFEST_VERSION:
            raise ContractError(
                f"The manifest {path} has version {version}, written by a newer mttr_pipeline; this one reads up to "
                f"{MANIFEST_VERSION}. Run the newer release, or restore the landing zone from before the upgrade."
            )
        return msgspec.json.decode(content, type=Manifest)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise of_another_user(path) from error
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ContractError(
            f"The manifest {path} cannot be read ({error}); restore it from a backup, or move its folder out of the landing zone "
            "and pull or import its records again."
        ) from error


def disbelieved(manifests: Iterable[Manifest]) -> set[str]:
    """The ids of the extracts whose high-water mark a later pull found to be after the clock of the machine."""
    return {extract_id for manifest in manifests for extract_id in manifest.facts.get(MARKS_AHEAD, [])}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of an extract that ends; its run then counts as ended."""
    write_json(folder / _MANIFEST, msgspec.to_builtins(manifest))
    (folder / _BEGUN).unlink(missing_ok=True)


def append_to_journal(folder: Path, landed: LandedFile) -> None:
    """Add a finished file to the journal; returns when the line is on disk."""
    with (folder / JOURNAL).open("ab") as journal:
        journal.write(msgspec.json.encode(landed) + b"\n")
        journal.flush()
        os.fsync(journal.fileno())


def read_journal(folder: Path) -> Iterator[LandedFile]:
    """The finished files that are on disk. An incomplete last line, left by a killed run, is removed from the journal."""
    path = folder / JOURNAL
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        path.write_bytes(whole)
    for line in whole.splitlines():
        try:
            landed = msgspec.json.decode(line, type=LandedFile)
        except (msgspec.MsgspecError, UnicodeDecodeError):  # a disk error: the window is read again
            continue
        if _is_whole(folder, landed):
            yield landed


def note_begin(folder: Path, run_id: str, started_at: str) -> None:
    """Note that a run begins to work on the extract."""
    write_json(folder / _BEGUN, [*_begun(folder), {"run_id": run_id, "started_at": started_at}])


def note_end(folder: Path, error: str) -> None:
    """Note why the run that began last ends without a manifest. Raises OSError."""
    *earlier, last = _begun(folder)
    write_json(folder / _BEGUN, [*earlier, {**last, "ended_at": datetime.now(UTC).isoformat(), "error": error}])


def interrupted_attempts(folder: Path) -> Iterator[Attempt]:
    """The runs that began but did not end, oldest first.

    Each lived at least until the next one began, the last one until it landed its last file, unless it noted its end.
    """
    begun = _begun(folder)
    for place, run in enumerate(begun):
        if "ended_at" in run:
            ended = run["ended_at"]
        elif place + 1 < len(begun):
            ended = begun[place + 1]["started_at"]
        else:
            try:
                seconds = (folder / JOURNAL).stat().st_mtime
                ended = max(run["started_at"], datetime.fromtimestamp(seconds, UTC).isoformat())
            except OSError:
                ended = run["started_at"]
        error = run.get("error", "The run was killed before this pull finished; the next run resumes it.")
        yield Attempt(run["run_id"], run["started_at"], ended, "interrupted", 0, error)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file so that it is either the old or the new one after a crash."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8") as out:
        json.dump(content, out, indent=1, sort_keys=True, ensure_ascii=False)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(path)


def read_json(path: Path) -> Any:
    """The content of a JSON file; None when it is missing or unreadable."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _begun(folder: Path) -> list[dict[str, str]]:
    found = read_json(folder / _BEGUN)
    return found if isinstance(found, list) else []


def _is_whole(folder: Path, landed: LandedFile) -> bool:
    """Whether a journalled file is really there: a power failure may lose the rename but not the journal."""
    try:
        return (folder / landed.file).stat().st_size == landed.bytes
    except OSError:
        return False
