"""The list of completed extracts, beside the landing zone: without it, a lost folder looks like one that never was.

    <data-dir>/extracts.jsonl   one line per complete extract, added after its manifest is on disk

A pull that was killed is not in the list, so nobody misses it. An extract of before there was a list is added when it is seen.
One that was removed for its age (`retention`) stays in the list as such: it is not missed, and it is counted.
What does not belong here: the extracts themselves (`store`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from mttr_pipeline.errors import ContractError
from mttr_pipeline.landing.manifest import UNDONE, Manifest

FILE = "extracts.jsonl"
_REPLACING = ("backfill", "full")  # modes of pulls that read everything of their range, whatever was read before


class Completed(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the list. `since` and `until` are the range of a pull. `given_up` takes the extract off the list, `removed_at` says
    when it was removed for its age (ISO 8601, UTC)."""

    source: str
    extract_id: str
    records: int
    since: str | None = None
    until: str | None = None
    given_up: bool = False
    removed_at: str | None = None


class Lost(msgspec.Struct, frozen=True):
    """An extract of the list that is not whole any more; `missing` is what is not there, below its folder."""

    extract: Completed
    missing: str


def note(root: Path, manifest: Manifest) -> None:
    """Add a complete extract to the list. Raises OSError."""
    _append(root, [_line(manifest)])


def note_removed(root: Path, manifests: Iterable[Manifest], now: datetime) -> None:
    """List complete extracts as removed for their age: their records are not missed from now on. Raises OSError."""
    at = now.astimezone(UTC).isoformat()
    _append(root, [msgspec.structs.replace(_line(manifest), removed_at=at) for manifest in manifests])


def removed(root: Path, source: str | None = None) -> list[Completed]:
    """The extracts, of one source or all, that were removed for their age, oldest first. Raises OSError."""
    return [
        line for _, line in sorted(_read(root).items()) if line.removed_at is not None and source in (None, line.source)
    ]


def give_up(root: Path, lost: Lost) -> None:
    """Take a lost extract off the list: its records are not missed from now on. Raises OSError."""
    _append(root, [msgspec.structs.replace(lost.extract, given_up=True)])


def is_listed(root: Path, source: str, extract_id: str) -> bool:
    """Whether an extract is in the list, and so was complete once. Raises OSError."""
    return (source, extract_id) in _read(root)


def lost(root: Path, manifests: Iterable[Manifest]) -> list[Lost]:
    """The listed extracts that lack their manifest or a file, but for those whose whole range a later pull has read again.

    Complete extracts that are not listed yet are added. Raises OSError.
    """
    present = {(m.source, m.extract_id): m for m in manifests if m.status in ("complete", UNDONE)}
    listed = _read(root)
    if unlisted := [manifest for key, manifest in present.items() if key not in listed]:
        for manifest in unlisted:
            note(root, manifest)
        listed = _read(root)
    folders = {(source, path.name) for source in {source for source, _ in present} for path in _children(root / source)}
    found = []
    for key, completed in listed.items():
        whole = present.get(key)
        missing = "manifest.json" if whole is None else _missing(root, whole) if key in folders else None
        is_missed = not completed.given_up and completed.removed_at is None
        if missing and is_missed and not _read_again(completed, present.values()):
            found.append(Lost(completed, missing))
    return found


def require(root: Path, manifests: Iterable[Manifest], sources: Iterable[str] | None = None) -> None:
    """Raises ContractError when a complete extract of these sources (default: all) is not whole any more, OSError."""
    found = [loss for loss in lost(root, manifests) if sources is None or loss.extract.source in sources]
    if found:
        first = found[0].extract
        more = f" {len(found) - 1} more {'is' if len(found) == 2 else 'are'} lost too." if len(found) > 1 else ""
        raise ContractError(
            f"{first.source}: the extract {first.extract_id} with {first.records} records was complete, and "
            f"{root / first.source / first.extract_id / found[0].missing} is missing or was changed, so they would be "
            f"missing from what is published. Restore the folder from a backup, or {_again(first)}.{more}"
        )


def _line(manifest: Manifest) -> Completed:
    plan = manifest.plan
    return Completed(manifest.source, manifest.extract_id, manifest.records, plan.get("since"), plan.get("until"))


def _again(lost: Completed) -> str:
    """How to do without a backup."""
    if lost.since is None:
        return f"import its files again and give it up with `mttr import --undo {lost.extract_id}`"
    return f"read its records again: `mttr run --source {lost.source} --since {lost.since} --full-refresh`"


def _children(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _missing(root: Path, manifest: Manifest) -> str | None:
    """A file of an extract that has a folder. In an archive, its manifest would not be there without its files."""
    folder = root / manifest.source / manifest.extract_id
    return next((landed.file for landed in manifest.files if not _has_size(folder / landed.file, landed.bytes)), None)


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _read_again(completed: Completed, manifests: Iterable[Manifest]) -> bool:
    if completed.since is None or completed.until is None:
        return False
    since, until = datetime.fromisoformat(completed.since), datetime.fromisoformat(completed.until)
    return any(
        later.source == completed.source
        and later.extract_id > completed.extract_id
        and later.plan.get("mode") in _REPLACING
        and datetime.fromisoformat(later.plan["since"]) <= since
        and datetime.fromisoformat(later.plan["until"]) >= until
        for later in manifests
    )


def _append(root: Path, lines: Iterable[Completed]) -> None:
    root.parent.mkdir(parents=True, exist_ok=True)
    with (root.parent / FILE).open("ab") as out:
        out.write(b"".join(b"\n" + msgspec.json.encode(line) for line in lines))  # first, in case the last line is torn
        out.flush()
        os.fsync(out.fileno())


def _read(root: Path) -> dict[tuple[str, str], Completed]:
    """The newest line of each extract. A line torn by a power failure is passed over: its extract is added again."""
    try:
        content = (root.parent / FILE).read_bytes()
    except FileNotFoundError:
        return {}
    found = {}
    for line in content.splitlines():
        try:
            completed = msgspec.json.decode(line, type=Completed)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        found[completed.source, completed.extract_id] = completed
    return found
