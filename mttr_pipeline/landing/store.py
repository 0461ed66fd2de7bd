"""The landing zone: every record as the vendor sent it, one per line, compressed, never changed.

    landing/<source>/<extract-id>/
        <stream>/00001.jsonl.zst    one file per finished window, the records byte for byte
        plan.json                   what the extract is to read
        journal.jsonl, begun.json, manifest.json    see `manifest`

        <stream>/...                the folders of past months may stand in archives instead (see `archive`)

An extract is one pull of one source. A killed or failed extract has no manifest with the status `complete`. The next run
with the same plan resumes it and reads only the windows that its journal does not list. Only complete extracts are loaded.
Everything after the landing zone can be rebuilt from these folders alone.

What does not belong here: HTTP, DuckDB, the meaning of any field.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import secrets
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from mttr_pipeline.errors import ContractError
from mttr_pipeline.hidden import one_line, redact, without_addresses
from mttr_pipeline.landing import completed
from mttr_pipeline.landing.archive import archived_manifests, archives, read_member, unpack
from mttr_pipeline.landing.manifest import (
    CLOCK_TOLERANCE,
    UNDONE,
    Attempt,
    LandedFile,
    Manifest,
    append_to_journal,
    interrupted_attempts,
    note_begin,
    note_end,
    read_journal,
    read_json,
    read_manifest,
    write_json,
    write_manifest,
)
from mttr_pipeline.landing.writing import LineWriter

#: Records are alike within a page or two, so a window of 256 KiB finds what repeats, and the eight files that are written at a time
#: need 24 MiB less than with the usual one. Level 3 takes twice as long for files that are a seventh smaller.
_COMPRESSION = zstandard.ZstdCompressionParameters.from_level(1, window_log=18)

NOT_PULLED = ("custom", "inbox")  # sources that users give us: imported records and received webhook bodies
TOMBSTONES = "tombstones"  # the stream of records that the vendor has deleted
_NUMBERED = re.compile(r"(?P<before>.+)\.(?P<number>\d{4,})")


def new_run_id(now: datetime | None = None) -> str:
    """A sortable id: the time in UTC to the millisecond, and four random hex digits."""
    now = now or datetime.now(UTC)
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z-{secrets.token_hex(2)}"


@dataclass
class Landing:
    """The folder of all extracts. `follower` is told each file as soon as it is landed, in the thread that landed it."""

    root: Path
    follower: Callable[[str, LandedFile], object] | None = None  # the folder of the extract below `root`, its file

    def begin(self, source: str, run_id: str, plan: dict[str, Any]) -> Extract:
        """Start an extract, or resume the source's newest one if it is unfinished and has the same plan (plain JSON).

        Raises ContractError when its manifest cannot be read, OSError when the folder cannot be written.
        """
        previous = self._newest_folder(source)
        if previous is not None:
            manifest = read_manifest(previous)
            begun = manifest.plan if manifest else read_json(previous / "plan.json")
            unfinished = manifest is None or manifest.status != "complete"
            if unfinished and begun is not None and resumable(begun, plan) and not _begun_ahead_of_the_clock(begun):
                return Extract(previous, source, run_id, begun, manifest, self.follower)
        return Extract(self._free_folder(source, run_id), source, run_id, plan, None, self.follower)

    def manifests(self, source: str | None = None) -> list[Manifest]:
        """The manifests of one source or of all, complete and failed, oldest first.

        Raises ContractError for a manifest that cannot be read.
        """
        sources = [source] if source else [path.name for path in self.root.glob("*") if path.is_dir()]
        found: dict[tuple[str, str], Manifest | None] = {}
        for name in sources:
            for archive in archives(self.root / name):
                found |= {(manifest.extract_id, name): manifest for manifest in archived_manifests(archive)}
            found |= {(folder.name, name): read_manifest(folder) for folder in self.folders(name)}
        return [manifest for _, manifest in sorted(found.items()) if manifest]

    def latest(self, source: str) -> Manifest | None:
        """The newest complete extract of a source that moved the high-water mark; None when there is none."""
        return next((m for m in reversed(self.manifests(source)) if m.status == "complete" and m.high_water), None)

    def folders(self, source: str) -> list[Path]:
        """The folders of the extracts of a source, oldest first. Those in archives have none."""
        folder = self.root / source
        found = folder.iterdir() if folder.is_dir() else ()
        return sorted(path for path in found if path.is_dir() and path.name[0] != ".")

    def folder(self, manifest: Manifest) -> Path:
        """The folder of an extract; it is not there when the extract is in an archive."""
        return self.root / manifest.source / manifest.extract_id

    def read(self, manifest: Manifest, name: str) -> bytes | None:
        """The content of a file of an extract, wherever it stands; None when there is none. Raises ContractError, OSError."""
        folder = self.folder(manifest)
        if folder.is_dir():
            return (folder / name).read_bytes() if (folder / name).exists() else None
        archive = self._archived(manifest.source).get(manifest.extract_id)
        return read_member(archive, f"{manifest.extract_id}/{name}") if archive else None

    @contextmanager
    def available(self, manifests: Sequence[Manifest]) -> Iterator[Path]:
        """A landing zone in which the files of these extracts stand as files: this one, or a temporary one if any is in an archive.

        Raises ContractError when an archive is damaged, OSError.
        """
        sources = {manifest.source for manifest in manifests if not self.folder(manifest).is_dir()}
        if not sources:
            yield self.root
            return
        with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=self.root.parent) as name:
            root = Path(name)
            packed = {source: self._archived(source) for source in sources}
            wanted: dict[Path, list[str]] = {}
            for manifest in manifests:
                folder, archive = self.folder(manifest), packed.get(manifest.source, {}).get(manifest.extract_id)
                (root / manifest.source).mkdir(exist_ok=True)
                if folder.is_dir() or archive is None:
                    (root / manifest.source / manifest.extract_id).symlink_to(folder.absolute())
                else:
                    wanted.setdefault(archive, []).append(manifest.extract_id)
            for archive, extracts in wanted.items():
                unpack(archive, extracts, root / archive.parent.name)
            yield root

    def _archived(self, source: str) -> dict[str, Path]:
        """Extract -> its archive."""
        found = archives(self.root / source)
        return {manifest.extract_id: archive for archive in found for manifest in archived_manifests(archive)}

    def undo(self, manifest: Manifest) -> Manifest:
        """Mark a complete extract as taken back: it stays as it is, and the next load leaves it out. Raises OSError."""
        if not self.folder(manifest).is_dir():  # out of its archive: a folder counts before an archive
            with self.available([manifest]) as root:
                partial = self.folder(manifest).with_name(f".undone-{manifest.extract_id}")
                shutil.rmtree(partial, ignore_errors=True)
                shutil.copytree(root / manifest.source / manifest.extract_id, partial)
                partial.rename(self.folder(manifest))
        *earlier, last = manifest.attempts
        attempts = [*earlier, msgspec.structs.replace(last, status=UNDONE)]
        undone = msgspec.structs.replace(manifest, status=UNDONE, attempts=attempts)
        write_manifest(self.folder(manifest), undone)
        return undone

    def verify(self, manifest: Manifest, root: Path | None = None) -> None:
        """Compare every file with its sha256. Raises ContractError, which names the first file that differs.

        `root` is the landing zone to look in, this one by default (see `available`).
        """
        for landed in manifest.files:
            shown = self.folder(manifest) / landed.file
            try:
                with ((root or self.root) / shown.relative_to(self.root)).open("rb") as stream:
                    digest = hashlib.file_digest(stream, "sha256").hexdigest()
            except OSError as error:
                raise ContractError(
                    f"The landing file {shown} cannot be read ({error.strerror}); {_remedy(manifest)}"
                ) from error
            if digest != landed.sha256:
                raise ContractError(
                    f"The landing file {shown} is corrupt (its sha256 differs from the manifest's); {_remedy(manifest)}"
                )

    def _free_folder(self, source: str, run_id: str) -> Path:
        """A new folder: a run that pulls a source twice gets two, because a finished extract is never changed.

        Its name comes after those of all extracts of the source, whose order is that of their names: after a clock that once ran
        ahead, the names go on from where it was.
        """
        newest = self._newest_folder(source)
        if newest is None or newest.name < run_id:
            return self.root / source / run_id
        name = _NUMBERED.fullmatch(newest.name)
        before, number = (name["before"], int(name["number"])) if name else (newest.name, 1)
        return self.root / source / f"{before}.{number + 1:04d}"

    def _newest_folder(self, source: str) -> Path | None:
        return next(reversed(self.folders(source)), None)


def resumable(begun: dict[str, Any], plan: dict[str, Any]) -> bool:
    """Whether two plans ask the same of the vendor. The clock of the run, and the range that follows from it, may differ."""
    clock = {"as_of", "since", "until"}
    return {k: v for k, v in begun.items() if k not in clock} == {k: v for k, v in plan.items() if k not in clock}


def _begun_ahead_of_the_clock(begun: dict[str, Any]) -> bool:
    """Whether the plan reaches beyond the machine's clock, which ran ahead then: what it read was not read up to its end."""
    until = begun.get("until")
    return until is not None and datetime.fromisoformat(until) > datetime.now(UTC) + CLOCK_TOLERANCE


@dataclass
class Extract:
    """One pull under way. Safe to use from many threads, as long as each window is written by one of them.

    plan      what the extract is to read, as plain JSON
    resumed   the manifest that an earlier, failed attempt left; None without one
    follower  see `Landing`
    requests  those of this attempt, for the manifest
    facts     what the source learned and counted, as plain JSON, for the manifest
    """

    folder: Path
    source: str
    run_id: str
    plan: dict[str, Any]
    resumed: Manifest | None
    follower: Callable[[str, LandedFile], object] | None = None
    requests: int = 0
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._started_at = datetime.now(UTC).isoformat()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "plan.json", self.plan)
        earlier = self.resumed.attempts if self.resumed else []
        recorded = {(attempt.run_id, attempt.started_at) for attempt in earlier}
        killed = [a for a in interrupted_attempts(self.folder) if (a.run_id, a.started_at) not in recorded]
        self._attempts = [*earlier, *killed]
        note_begin(self.folder, self.run_id, self._started_at)
        self._files = {(landed.stream, landed.window): landed for landed in read_journal(self.folder)}
        self._counts = Counter[str]()
        for landed in self._files.values():
            self._counts[landed.stream] += landed.records
        # the numbers of windows that failed or were landed twice stay unused, so no landed file is overwritten
        self._next = max(
            (int(path.name.partition(".")[0]) for path in self.folder.glob("*/[0-9]*.jsonl.zst")), default=0
        )
        if self.resumed:
            self.facts = dict(self.resumed.facts)

    @property
    def extract_id(self) -> str:
        """The name of the extract's folder."""
        return self.folder.name

    @property
    def records(self) -> int:
        """How many records are landed."""
        return sum(f.records for f in self._files.values())

    def has(self, stream: str, window: str) -> bool:
        """Whether a window is landed, by this attempt or an earlier one. `window` is its key within the stream."""
        return (stream, window) in self._files

    def windows(self, stream: str) -> list[str]:
        """The keys of the landed windows of a stream."""
        with self._lock:
            return [window for (name, window) in self._files if name == stream]

    def landed(self, stream: str) -> int:
        """How many records of a stream are landed."""
        return self._counts[stream]

    def read(self, stream: str, window: str) -> Iterator[bytes]:
        """The records of a landed window, as they were written, without the newline. Raises KeyError for another one."""
        with (
            (self.folder / self._files[(stream, window)].file).open("rb") as raw,
            zstandard.ZstdDecompressor().stream_reader(raw) as plain,
        ):
            for line in io.BufferedReader(plain, 1 << 20):
                yield line.rstrip(b"\n")

    def land(self, stream: str, window: str, records: Iterable[bytes]) -> int:
        """Write the records of one window; returns how many there are.

        The file gets its name when it is complete and on disk, and the journal lists it after that. So a window is either
        landed completely or not at all: an exception of the generator `records` leaves nothing. Raises OSError.
        """
        with self.writing(stream, window) as write:
            for record in records:
                write(record)
        return self._files[(stream, window)].records

    @contextmanager
    def writing(self, stream: str, window: str) -> Iterator[LineWriter]:
        """Like `land`, but yields what writes one record per call, or those of a page."""
        with self._lock:
            self._next += 1
            name = f"{stream}/{self._next:05d}.jsonl.zst"
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(".part")
        try:
            with partial.open("wb") as raw:
                with zstandard.ZstdCompressor(compression_params=_COMPRESSION).stream_writer(raw, closefd=False) as out:
                    write = LineWriter(out)
                    yield write
                    write.flush()
                raw.flush()
                os.fsync(raw.fileno())
            with partial.open("rb") as written:
                digest = hashlib.file_digest(written, "sha256").hexdigest()
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        landed = LandedFile(stream, window, name, write.count, path.stat().st_size, digest, write.marked)
        with self._lock:
            append_to_journal(self.folder, landed)
            before = self._files.get((stream, window))
            self._counts[stream] += write.count - (before.records if before else 0)
            self._files[(stream, window)] = landed
        if self.follower is not None:
            self.follower(f"{self.source}/{self.extract_id}", landed)

    def finish(self, high_water: datetime | None = None) -> Manifest:
        """End a complete extract: write the manifest that allows it to be loaded. Raises OSError."""
        return self._end("complete", high_water, None)

    def fail(self, error: str) -> Manifest:
        """End a failed attempt. Its windows stay for the next attempt and are not loaded. Raises OSError."""
        return self._end("failed", None, without_addresses(redact(one_line(error))))

    def interrupt(self, ended: str) -> None:
        """Note what ends this attempt, such as `Ended by Ctrl-C`. The next attempt resumes the extract. Raises OSError."""
        note_end(self.folder, f"{ended}; the next run resumes this pull.")

    def _end(self, status: str, high_water: datetime | None, error: str | None) -> Manifest:
        finished_at = datetime.now(UTC).isoformat()
        manifest = Manifest(
            source=self.source,
            extract_id=self.extract_id,
            status=status,
            plan=self.plan,
            attempts=[
                *self._attempts,
                Attempt(self.run_id, self._started_at, finished_at, status, self.requests, error),
            ],
            files=sorted(self._files.values(), key=lambda f: f.file),
            high_water=high_water.astimezone(UTC).isoformat() if high_water else None,
            facts=self.facts,
        )
        write_manifest(self.folder, manifest)
        if status == "complete":
            completed.note(self.folder.parent.parent, manifest)
        return manifest


def wrap_child(parent_id: str, record: bytes) -> bytes:
    """The line of a record that does not name its parent: `{"parent_id": ..., "record": <as sent>}`."""
    return b'{"parent_id":' + msgspec.json.encode(parent_id) + b',"record":' + bytes(record) + b"}"


def tombstone(stream: str, record_id: str, seen_missing_at: datetime) -> bytes:
    """A line of the stream `tombstones`: the record `record_id` of `stream` does not exist any more."""
    return msgspec.json.encode({"stream": stream, "id": record_id, "seen_missing_at": seen_missing_at.isoformat()})


def _remedy(manifest: Manifest) -> str:
    window = manifest.plan.get("since")
    if manifest.source in NOT_PULLED:
        return f"move the folder {manifest.extract_id} out of landing/{manifest.source} and import its files again."
    return (
        f"move the folder {manifest.extract_id} out of landing/{manifest.source} and "
        f"run `mttr run --source {manifest.source}{f' --since {window}' if window else ''} --full-refresh`."
    )
