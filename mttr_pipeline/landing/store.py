"""The landing zone: every record as the vendor sent it, one a line, compressed, never changed again.

    landing/<source>/<extract-id>/
        <stream>/00001.jsonl.zst    one file per finished window, the records byte for byte
        journal.jsonl               one line per finished file, appended after the file is safely on disk
        begun.json                  the runs that are at it; what stands there when another one begins was killed
        manifest.json               written when the extract ends: plan, attempts, files with counts and sha256

An extract is one pull of one source. Killed or failed, it has no manifest with status `complete`; the next run with
the same plan takes it up again and fetches only the windows that its journal does not name. Only complete extracts are
loaded. Everything after this module can be rebuilt from these folders alone.

What does not belong here: HTTP, DuckDB, the meaning of any field.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from mttr_pipeline.errors import ContractError

MANIFEST_VERSION = 1
NOT_PULLED = ("custom", "inbox")  # sources that are given to us: records and received bodies
TOMBSTONES = "tombstones"  # the stream of what vendors deleted
_NEWLINES = bytes.maketrans(b"\r\n", b"  ")  # outside strings JSON newlines are white space; inside they are escaped
_BLOCK = (
    1 << 18
)  # bytes to compress at once: one call a record spends more time on handing threads over than on the work


class LandedFile(msgspec.Struct, frozen=True):
    """One finished file: `window` is the key under which it was fetched, unique within its stream."""

    stream: str
    window: str
    file: str
    records: int
    bytes: int
    sha256: str


class Attempt(msgspec.Struct, frozen=True):
    """One run's try at an extract. `status` is complete, failed or interrupted (killed: it ended when its last file was landed, and
    nobody counted its requests); instants are ISO 8601 UTC.
    """

    run_id: str
    started_at: str
    finished_at: str
    status: str
    requests: int
    error: str | None = None


class Manifest(msgspec.Struct, frozen=True):
    """What one extract holds. `high_water` is the instant up to which the source is completely known."""

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
        return sum(file.records for file in self.files)


def new_run_id(now: datetime | None = None) -> str:
    """A sortable id: UTC to the millisecond and four random hex digits."""
    now = now or datetime.now(UTC)
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z-{secrets.token_hex(2)}"


@dataclass
class Landing:
    """The folder of all extracts."""

    root: Path

    def begin(self, source: str, run_id: str, plan: dict[str, Any]) -> Extract:
        """Start an extract, or take up the newest unfinished one of the same plan. `plan` is plain JSON."""
        previous = self._newest_folder(source)
        if previous is not None:
            manifest = _read_manifest(previous)
            begun = manifest.plan if manifest else _read_json(previous / "plan.json")
            if (manifest is None or manifest.status != "complete") and begun is not None and resumable(begun, plan):
                return Extract(previous, source, run_id, begun, manifest)
        return Extract(self._free_folder(source, run_id), source, run_id, plan, None)

    def manifests(self, source: str | None = None) -> list[Manifest]:
        """All manifests, complete and failed, oldest first. Raises ContractError for one that cannot be read."""
        folders = self.root.glob(f"{source or '*'}/*/manifest.json")
        found = [_read_manifest(path.parent) for path in folders]
        return sorted((m for m in found if m), key=lambda m: (m.extract_id, m.source))

    def latest(self, source: str) -> Manifest | None:
        """The newest complete extract of a source that set a high-water mark."""
        return next((m for m in reversed(self.manifests(source)) if m.status == "complete" and m.high_water), None)

    def folder(self, manifest: Manifest) -> Path:
        return self.root / manifest.source / manifest.extract_id

    def verify(self, manifest: Manifest) -> None:
        """Compare every file with its sha256. Raises ContractError naming the first that differs."""
        for landed in manifest.files:
            path = self.folder(manifest) / landed.file
            try:
                with path.open("rb") as stream:
                    digest = hashlib.file_digest(stream, "sha256").hexdigest()
            except OSError as error:
                raise ContractError(
                    f"The landing file {path} cannot be read ({error.strerror}); {_remedy(manifest)}"
                ) from error
            if digest != landed.sha256:
                raise ContractError(
                    f"The landing file {path} is corrupt (its sha256 is not the manifest's); {_remedy(manifest)}"
                )

    def _free_folder(self, source: str, run_id: str) -> Path:
        """A run that pulls a source twice gets two folders: a finished extract is never written to again."""
        folder = self.root / source / run_id
        number = 1
        while folder.exists():
            number += 1
            folder = folder.with_name(f"{run_id}-{number}")
        return folder

    def _newest_folder(self, source: str) -> Path | None:
        folder = self.root / source
        return max((p for p in folder.iterdir() if p.is_dir()), default=None) if folder.is_dir() else None


def resumable(begun: dict[str, Any], plan: dict[str, Any]) -> bool:
    """Two plans fit when they ask the same of the vendor; the clock of the run and what follows from it may differ."""
    moving = {"as_of", "since", "until"}
    return {k: v for k, v in begun.items() if k not in moving} == {k: v for k, v in plan.items() if k not in moving}


@dataclass
class Extract:
    """One pull under way. Safe to use from many threads; each window is written by one of them."""

    folder: Path
    source: str
    run_id: str
    plan: dict[str, Any]
    resumed: Manifest | None
    requests: int = 0
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._started_at = _now()
        self.folder.mkdir(parents=True, exist_ok=True)
        _write_json(self.folder / "plan.json", self.plan)
        told = self.resumed.attempts if self.resumed else []
        killed = [
            a
            for a in _interrupted(self.folder)
            if (a.run_id, a.started_at) not in {(t.run_id, t.started_at) for t in told}
        ]
        self._attempts = [*told, *killed]
        _write_json(
            self.folder / "begun.json", [*_begun(self.folder), {"run_id": self.run_id, "started_at": self._started_at}]
        )
        self._files = {(f.stream, f.window): f for f in _read_journal(self.folder) if _is_whole(self.folder, f)}
        self._counts = Counter[str]()
        for landed in self._files.values():
            self._counts[landed.stream] += landed.records
        # the numbers of windows that failed or were landed twice stay unused: a landed file is never overwritten
        self._next = max((int(path.name[:5]) for path in self.folder.glob("*/[0-9]*.jsonl.zst")), default=0)
        if self.resumed:
            self.facts = dict(self.resumed.facts)

    @property
    def extract_id(self) -> str:
        return self.folder.name

    @property
    def records(self) -> int:
        return sum(f.records for f in self._files.values())

    def has(self, stream: str, window: str) -> bool:
        """Whether this window was landed already, by this attempt or an earlier one."""
        return (stream, window) in self._files

    def windows(self, stream: str) -> list[str]:
        """The keys of the landed windows of a stream."""
        with self._lock:
            return [window for (name, window) in self._files if name == stream]

    def landed(self, stream: str) -> int:
        """How many records of a stream are landed."""
        return self._counts[stream]

    def read(self, stream: str, window: str) -> Iterator[bytes]:
        """The records of a landed window, as they were written, without the line end."""
        with (
            (self.folder / self._files[(stream, window)].file).open("rb") as raw,
            zstandard.ZstdDecompressor().stream_reader(raw) as plain,
        ):
            for line in io.BufferedReader(plain, 1 << 20):
                yield line.rstrip(b"\n")

    def land(self, stream: str, window: str, records: Iterable[bytes]) -> int:
        """Write the records of one finished window; gives their number.

        The file appears under its name only when it is complete and on disk, and the journal names it after that: a
        window is either landed whole or not at all. `records` may be a generator; an exception in it leaves nothing.
        """
        with self.writing(stream, window) as write:
            for record in records:
                write(record)
        return self._files[(stream, window)].records

    @contextmanager
    def writing(self, stream: str, window: str) -> Iterator[Any]:
        """The same as `land` for a caller that pushes: yields a function that takes one record (bytes) at a time."""
        with self._lock:
            self._next += 1
            name = f"{stream}/{self._next:05d}.jsonl.zst"
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(".part")
        count = 0
        try:
            with partial.open("wb") as raw:
                with zstandard.ZstdCompressor(level=3).stream_writer(raw, closefd=False) as out:
                    lines: list[bytes] = []
                    size = 0

                    def flush() -> None:
                        nonlocal size
                        out.write(b"".join(lines))
                        lines.clear()
                        size = 0

                    def write(record: bytes) -> None:
                        nonlocal count, size
                        line = bytes(record)
                        if b"\n" in line or b"\r" in line:
                            line = line.translate(_NEWLINES)
                        lines.extend((line, b"\n"))
                        count += 1
                        size += len(line)
                        if size >= _BLOCK:
                            flush()

                    yield write
                    flush()
                raw.flush()
                os.fsync(raw.fileno())
            with partial.open("rb") as written:
                digest = hashlib.file_digest(written, "sha256").hexdigest()
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        landed = LandedFile(stream, window, name, count, path.stat().st_size, digest)
        with self._lock, (self.folder / "journal.jsonl").open("ab") as journal:
            journal.write(msgspec.json.encode(landed) + b"\n")
            journal.flush()
            os.fsync(journal.fileno())
            before = self._files.get((stream, window))
            self._counts[stream] += count - (before.records if before else 0)
            self._files[(stream, window)] = landed

    def finish(self, high_water: datetime | None = None) -> Manifest:
        """Everything was fetched: write the manifest that makes the extract loadable."""
        return self._write_manifest("complete", high_water, None)

    def fail(self, error: str) -> Manifest:
        """The source failed: record why. The landed windows stay for the next attempt and are not loaded."""
        return self._write_manifest("failed", None, error)

    def _write_manifest(self, status: str, high_water: datetime | None, error: str | None) -> Manifest:
        attempt = Attempt(self.run_id, self._started_at, _now(), status, self.requests, error)
        manifest = Manifest(
            source=self.source,
            extract_id=self.extract_id,
            status=status,
            plan=self.plan,
            attempts=[*self._attempts, attempt],
            files=sorted(self._files.values(), key=lambda f: f.file),
            high_water=high_water.astimezone(UTC).isoformat() if high_water else None,
            facts=self.facts,
        )
        _write_json(self.folder / "manifest.json", msgspec.to_builtins(manifest))
        (self.folder / "begun.json").unlink(missing_ok=True)
        return manifest


def wrap_child(parent_id: str, record: bytes) -> bytes:
    """A line for a record that does not name its parent: `{"parent_id": ..., "record": <as sent>}`."""
    return b'{"parent_id":' + msgspec.json.encode(parent_id) + b',"record":' + bytes(record) + b"}"


def tombstone(stream: str, name: str, seen_missing_at: datetime) -> bytes:
    """A line of the stream `tombstones`: a record that the vendor does not have any more."""
    return msgspec.json.encode({"stream": stream, "id": name, "seen_missing_at": seen_missing_at.isoformat()})


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _remedy(manifest: Manifest) -> str:
    window = manifest.plan.get("since")
    if manifest.source in NOT_PULLED:
        return f"move the folder {manifest.extract_id} out of landing/{manifest.source} and import its files again."
    return (
        f"move the folder {manifest.extract_id} out of landing/{manifest.source} and "
        f"run `mttr run --source {manifest.source}{f' --since {window}' if window else ''} --full-refresh`."
    )


def _write_json(path: Path, content: Any) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8") as out:
        json.dump(content, out, indent=1, sort_keys=True, ensure_ascii=False)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(path)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _read_manifest(folder: Path) -> Manifest | None:
    path = folder / "manifest.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise ContractError(
            f"The manifest {path} cannot be read ({error}); move its folder out of the landing zone."
        ) from error


def _read_journal(folder: Path) -> Iterator[LandedFile]:
    """The finished files; a last line that a kill cut short is no promise and is taken off."""
    path = folder / "journal.jsonl"
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        path.write_bytes(whole)
    for line in whole.splitlines():
        try:
            yield msgspec.json.decode(line, type=LandedFile)
        except (msgspec.MsgspecError, UnicodeDecodeError):  # the disk's fault: that window is fetched once more
            continue


def _begun(folder: Path) -> list[dict[str, str]]:
    """The runs that began here and came to no end, oldest first."""
    found = _read_json(folder / "begun.json")
    return found if isinstance(found, list) else []


def _interrupted(folder: Path) -> Iterator[Attempt]:
    """Those runs as attempts. Each lived at least until the next one began; the last one until it landed its last file."""
    begun = _begun(folder)
    for place, run in enumerate(begun):
        if place + 1 < len(begun):
            ended = begun[place + 1]["started_at"]
        else:
            try:
                seconds = (folder / "journal.jsonl").stat().st_mtime
                ended = max(run["started_at"], datetime.fromtimestamp(seconds, UTC).isoformat())
            except OSError:
                ended = run["started_at"]
        error = "The run was killed before this pull ended; the next one took it up."
        yield Attempt(run["run_id"], run["started_at"], ended, "interrupted", 0, error)


def _is_whole(folder: Path, landed: LandedFile) -> bool:
    """Whether a journalled file is really there: after a power failure the rename may be lost but not the journal."""
    try:
        return (folder / landed.file).stat().st_size == landed.bytes
    except OSError:
        return False
