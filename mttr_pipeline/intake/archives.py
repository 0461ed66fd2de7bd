"""`mttr import` of an export: everything that a tool gives out about itself, as a folder or a zip file, read where it stands.

Which source an export is of, and what of it is landed in which of that source's streams, the source declares (`Archive`). Its lines
are those that a pull lands, so the same SQL reads both. An export settles nothing that is not in it: nothing counts as deleted.

What belongs here: opening files safely. Nothing is unpacked to the disk; a name that leads out of the export, and content that is
larger than it may be, are refused whatever a zip file says about itself. What does not: what stands in the files.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from mttr_pipeline.config.settings import Account
from mttr_pipeline.errors import ConfigError, MttrError
from mttr_pipeline.intake.importer import ImportReport
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.sources.kit.declare import Archive, BadArchive

MAX_FILES = 500_000
MAX_FILE_BYTES = 256 << 20  # of one file, decompressed; a day of the busiest channel has some megabytes
MAX_BYTES = 8 << 30  # of all files that are read
_CHUNK = 1 << 20


def is_archive(path: Path) -> bool:
    """Whether a path is an export rather than a file of records: a folder, or a zip file."""
    return path.is_dir() or (path.is_file() and path.suffix.lower() == ".zip")


def import_archive(path: Path, landing: Landing, run_id: str, accounts: Sequence[Account]) -> ImportReport:
    """Land what the export at `path` holds for the source that it is of: everything or nothing.

    Raises ConfigError, which names the export and says what to do, when it is of no source, or is damaged, unsafe or empty.
    """
    with ExitStack() as stack:
        files = stack.enter_context(_opened(path))
        account = _account(path, files, accounts)
        archive: Archive = account.source.archive
        plan: dict[str, Any] = {"files": [files.described()], "mode": "incremental", "run_id": run_id}
        extract = landing.begin(account.name, run_id, plan)
        report = ImportReport(extract.extract_id, [str(path)])
        try:
            with ExitStack() as writing:
                writers: dict[str, Any] = {}
                for stream, line in archive.lines(files, account.options):
                    if stream not in writers:
                        writers[stream] = writing.enter_context(extract.writing(stream, "all"))
                    writers[stream](line)
                    report.bodies[archive.nouns[stream]] += 1
                if not writers:
                    raise ConfigError(f"{path} holds nothing that {account.title} reads: {archive.nothing}.")
            extract.facts = {"unreadable": 0}
            extract.finish()
        except BaseException as error:
            with suppress(OSError):
                extract.fail(str(error) if isinstance(error, MttrError) else type(error).__name__)
            raise
    return report


def _account(path: Path, files: Files, accounts: Sequence[Account]) -> Account:
    """The account that an export is of: of several, the one that is pulled, else the one that is named like its source."""
    found = [one for one in accounts if one.source.archive and one.source.archive.recognises(files.names)]
    if not found and path.is_dir():
        raise ConfigError(f"{path} is a folder; name the files in it, like {path}/*.jsonl.")
    if not found:
        known = " or ".join(sorted({one.source.title for one in accounts if one.source.archive}))
        raise ConfigError(f"{path} is no export of {known}; unpack it, and name the files of records that it holds.")
    return min(found, key=lambda one: (not one.enabled, one.name != one.source.name))


class Files(ABC):
    """The files of an export, by their paths in it with `/` between folders."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.path = path
        if len(names) > MAX_FILES:
            raise BadArchive(str(path), f"it has more than {MAX_FILES:,} files")
        for name in names:
            parts = PurePosixPath(name.replace("\\", "/")).parts
            if ".." in parts or name.startswith(("/", "\\")) or (parts and ":" in parts[0]):
                raise BadArchive(str(path), f"the name {name[:80]!r} leads out of it")
        self.names = frozenset(names)
        self._read = 0

    @abstractmethod
    def described(self) -> Mapping[str, Any]:
        """The export in the plan of an import."""

    def read(self, name: str) -> bytes:
        """The content of a file. Raises KeyError for a name that is not there, BadArchive for one that is too large."""
        if name not in self.names:
            raise KeyError(name)
        chunks, size = [], 0
        for chunk in self._chunks(name):  # counted as it comes: the size that a zip file tells may be a lie
            size += len(chunk)
            self._read += len(chunk)
            if size > MAX_FILE_BYTES or self._read > MAX_BYTES:
                raise BadArchive(str(self.path), f"{name[:80]!r} is larger than an export can be")
            chunks.append(chunk)
        return b"".join(chunks)

    @abstractmethod
    def _chunks(self, name: str) -> Iterator[bytes]: ...


class _Folder(Files):
    def __init__(self, path: Path) -> None:
        self._root = path.resolve()
        found = list(islice((one for one in self._root.rglob("*") if one.is_file()), MAX_FILES + 1))
        for one in found:
            if not one.resolve().is_relative_to(self._root):
                raise BadArchive(str(path), f"the link {one.name[:80]!r} leads out of it")
        super().__init__(path, [one.relative_to(self._root).as_posix() for one in found])

    def described(self) -> Mapping[str, Any]:
        """See Files."""
        return {"name": str(self.path), "files": len(self.names)}

    def _chunks(self, name: str) -> Iterator[bytes]:
        with (self._root / name).open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk


class _Zip(Files):
    def __init__(self, path: Path, opened: zipfile.ZipFile) -> None:
        self._zip = opened
        entries = [entry for entry in opened.infolist() if not entry.is_dir()]
        if any(entry.flag_bits & 1 for entry in entries):
            raise BadArchive(str(path), "it is encrypted")
        super().__init__(path, [entry.filename for entry in entries])

    def described(self) -> Mapping[str, Any]:
        """See Files."""
        with self.path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"name": str(self.path), "bytes": self.path.stat().st_size, "sha256": digest}

    def _chunks(self, name: str) -> Iterator[bytes]:
        try:
            with self._zip.open(name) as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise BadArchive(str(self.path), f"{name[:80]!r} is damaged") from error


@contextmanager
def _opened(path: Path) -> Iterator[Files]:
    if path.is_dir():
        yield _Folder(path)
        return
    try:
        opened = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise BadArchive(str(path), "it is no zip file, or damaged") from error
    with opened:
        yield _Zip(path, opened)
