"""The second place: a copy of what is published, at any address that fsspec can write to, such as a bucket.

    <address>/<generation id>/...    every file of a generation; manifest.json is written after the others
    <address>/latest.json            the id of the newest generation and the sha256 of its manifest.json; written last

An object store has no links and no renames: latest.json, one small object that is replaced whole, says which generation is the
newest. It never names one that is not there completely. A generation without manifest.json is one whose copy was interrupted.

Credentials come from the environment (for S3 the usual AWS_ variables, or the role of the machine). What does not belong here:
what a generation holds (`generation`), which of them stay (`rotation`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

from mttr_pipeline.config.sections import Keep, Publish
from mttr_pipeline.errors import ConfigError, ContractError, MttrError, PermanentError, TransientError, first_line
from mttr_pipeline.hidden import remember
from mttr_pipeline.landing.disk import sync
from mttr_pipeline.publish.generation import Readers
from mttr_pipeline.publish.rotation import those_to_keep, time_in
from mttr_pipeline.publish.verification import changed_files

T = TypeVar("T")

MAX_SECONDS = 2 * 3600.0  # for one generation; libraries give up on a dead connection much earlier
PROBE_SECONDS = 10.0
POINTER, MANIFEST = "latest.json", "manifest.json"
_GENERATION = re.compile(r"\d{8}T\d{9}Z-[0-9a-f]{4}")  # nothing else at the place is ours to delete
#: Variables of credentials, but not of their names and files. A shorter value is none, as "test" is for a store in a test.
_SECRET = re.compile(r"(AWS|AZURE|GOOGLE|GCS|FSSPEC)_.*(SECRET|TOKEN|PASSWORD|KEY|CONNECTION_STRING)(?!.*_(ID|FILE)$)")
_LEAST = 8
_STORE_REMEDY = "check the address, that the bucket exists, and the credentials in the environment"
_PACKAGE_REMEDY = "for s3:// install `mttr-pipeline[s3]`, for another address the package that fsspec names for it"
_FOLDER_REMEDY = "create the folder or mount it, and let this user write there"


@dataclass(frozen=True)
class Copied:
    """What came of a copy: files that were sent, all bytes of the generation, generations that were deleted, and earlier ones that
    were missing there and are not any more."""

    sent: int
    bytes: int
    deleted: int
    filled: int


@dataclass(frozen=True)
class Place:
    """Where copies go. `options` are those of the file system, as fsspec names them; they hold no credentials."""

    address: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, publish: Publish, data_dir: Path) -> Place | None:
        """The place of `[publish]`; None without one. Raises ConfigError for one inside the data directory."""
        if publish.to is None:
            return None
        scheme, _, rest = publish.to.partition("://")
        inside = data_dir.resolve()
        if scheme in ("file", "local") and inside in (place := Path(rest).resolve(), *place.parents):
            raise ConfigError(f"{publish.to} ([publish] to) lies in the data directory {data_dir}; name another place.")
        return cls(publish.to, publish.to_options)

    def copy(self, generation: Path, keep: Keep, readers: Readers) -> Copied:
        """Copy a generation, then move the pointer to it, then copy those that the nights before it could not copy, then delete
        older ones but for those to `keep`.

        What an interrupted copy left there is not sent again. Raises ContractError for a generation that is not what was published,
        TransientError or PermanentError, with a sentence that names the place, when the place cannot be written.
        """
        wrong = next(changed_files(generation), None)
        if wrong:
            raise ContractError(
                f"{generation} is not copied to {self.address}, because {wrong} after it was published; run `mttr rebuild`."
            )
        copying = _Copying(generation, readers)
        published = f"The results are published in {generation.parent}"
        sent, size = self._within(
            MAX_SECONDS,
            lambda stopped: copying.run(*self._opened(), stopped),
            f"{published}, but were not copied to {self.address}",
            " The next run copies its own.",
        )
        filled = self._within(
            MAX_SECONDS,
            lambda stopped: copying.fill(keep, stopped),
            f"{published} and copied to {self.address}, but earlier generations that are missing there could not be copied",
            " The next run copies them.",
        )
        deleted = self._within(
            MAX_SECONDS,
            lambda stopped: copying.rotate(keep),
            f"{published} and copied to {self.address}, but old generations there could not be deleted",
        )
        return Copied(sent, size, deleted, filled)

    def probe(self) -> None:
        """Write a small file and delete it. Raises like `copy`."""

        def write_and_delete(_stopped: threading.Event) -> None:
            files, root = self._opened()
            path = f"{root}/.mttr-probe-{secrets.token_hex(4)}"
            files.pipe_file(path, b"mttr doctor\n")
            files.rm_file(path)

        self._within(PROBE_SECONDS, write_and_delete, f"{self.address} cannot be written")

    def _opened(self) -> tuple[Any, str]:
        """The file system and the path of the place in it. Raises _NoFileSystem where a package for it is missing."""
        for name, value in os.environ.items():
            if _SECRET.match(name) and len(value) >= _LEAST:
                remember(value)
        scheme = self.address.partition("://")[0]
        try:
            kind = fsspec.get_filesystem_class(scheme)
        except (ImportError, ValueError) as error:
            raise _NoFileSystem(f"nothing here can write to {scheme}:// addresses ({first_line(error)})") from error
        given: dict[str, Any] = {"skip_instance_cache": True, **self.options}
        if issubclass(kind, LocalFileSystem):
            given["auto_mkdir"] = True
        files, root = fsspec.core.url_to_fs(self.address, **given)
        if (
            issubclass(kind, LocalFileSystem) and not Path(root).is_dir()
        ):  # else a share that is not mounted fills this disk
            raise FileNotFoundError(f"{root} is no folder")
        return files, root.rstrip("/")

    def _within(self, seconds: float, work: Callable[[threading.Event], T], failed: str, after: str = "") -> T:
        """What `work` gives, in a thread of its own: nothing else ends a request that a library waits for. Its event is set when
        nobody waits any more. Raises MttrError, with a sentence that begins with `failed`."""
        stopped = threading.Event()
        results: list[T] = []
        errors: list[Exception] = []

        def run() -> None:
            try:
                results.append(work(stopped))
            except Exception as error:
                errors.append(error)

        worker = threading.Thread(target=run, name="second place", daemon=True)
        worker.start()
        try:
            worker.join(seconds)
        finally:
            stopped.set()
        if results:
            return results[0]
        error = errors[0] if errors else TimeoutError(f"it took more than {seconds:,.0f} s")
        raise self._explained(error, failed, after) from error

    def _explained(self, error: Exception, failed: str, after: str) -> MttrError:
        """The sentence for a failure: what failed, its cause, the remedy."""
        said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        is_folder = self.address.startswith(("file:", "local:"))
        remedy = _FOLDER_REMEDY if is_folder else _STORE_REMEDY
        kind: type[MttrError] = PermanentError
        if isinstance(error, _NoFileSystem):
            kind, cause, remedy = ConfigError, said, _PACKAGE_REMEDY
        elif isinstance(error, PermissionError):
            cause = f"access is denied ({said})"
        elif isinstance(error, FileNotFoundError):
            cause = f"it is not there ({said})"
        else:
            kind, cause = TransientError, said if isinstance(error, TimeoutError) else f"{type(error).__name__}: {said}"
        return kind(f"{failed}: {cause}; {remedy}.{after}")


class _NoFileSystem(Exception):
    """No package here writes to addresses of this kind."""


class _Copying:
    """One generation on its way to the place."""

    def __init__(self, generation: Path, readers: Readers) -> None:
        self._generation, self._readers = generation, readers
        self._files: Any = None
        self._root = ""

    def run(self, files: Any, root: str, stopped: threading.Event) -> tuple[int, int]:
        """Copy it and move the pointer; gives the files that were sent, and all bytes. `stopped` is set when nobody waits for it any
        more; the pointer stays where it is then."""
        self._files, self._root, self._stopped = files, root, stopped
        self._is_local = isinstance(files, LocalFileSystem)
        sent, size = self._copy(self._generation)
        self._point()
        return sent, size

    def fill(self, keep: Keep, stopped: threading.Event) -> int:
        """Copy the earlier generations that the place lacks though the rules keep them: of nights when it could not be written.
        Gives how many those were. What was made before anything that is there is not sent, nor what was changed since."""
        self._stopped = stopped
        there = {name: made_at for name, made_at in self._whole().items() if name != self._generation.name}
        here = {
            path.name: made_at
            for path in self._generation.parent.iterdir()
            if _GENERATION.fullmatch(path.name) and (made_at := time_in(path.name)) and (path / MANIFEST).is_file()
        }
        stay = those_to_keep({**here, **there}, keep, self._generation.name)
        begin = min(there.values(), default=None)
        lacking = [
            self._generation.with_name(name)
            for name in sorted((here.keys() & stay) - there.keys() - {self._generation.name})
            if begin is not None and here[name] > begin
        ]
        missed = [generation for generation in lacking if next(changed_files(generation), None) is None]
        for generation in missed:
            self._copy(generation)
        return len(missed)

    def _copy(self, generation: Path) -> tuple[int, int]:
        """Send what is missing of a generation, its manifest last; gives the files that were sent, and all bytes."""
        name = generation.name
        local = {
            path.relative_to(generation).as_posix(): path.stat().st_size
            for path in sorted(generation.rglob("*"))
            if path.is_file()
        }
        there = self._there()
        missing = [file for file, size in local.items() if there.get(f"{name}/{file}") != size and file != MANIFEST]
        self._send(generation, missing)
        self._send(generation, [MANIFEST])  # always: it is what makes the generation whole
        there = self._there()
        short = next((file for file, size in local.items() if there.get(f"{name}/{file}") != size), None)
        if short:
            raise OSError(f"{name}/{short} did not arrive whole")
        if self._is_local:
            self._open_to_readers(name)
        return len(missing) + 1, sum(local.values())

    def _there(self) -> dict[str, int]:
        """Every file at the place, by its path within it, and its bytes."""
        self._files.invalidate_cache()
        found = self._files.find(self._root, detail=True)
        return {path[len(self._root) + 1 :]: about["size"] for path, about in found.items()}

    def _send(self, generation: Path, names: list[str]) -> None:
        if self._stopped.is_set():
            raise InterruptedError("nobody waits for it")
        self._files.put(
            [str(generation / name) for name in names], [f"{self._root}/{generation.name}/{name}" for name in names]
        )

    def _open_to_readers(self, name: str) -> None:
        """The rights of a folder's copy are those of what is published here; and it is on disk before anything names it."""
        copy = Path(self._root, name)
        for path in (*sorted(copy.rglob("*")), copy):
            self._readers.admit(path)
            if path.is_file():
                sync(path)

    def _point(self) -> None:
        """Move latest.json to the generation, in one step."""
        if self._stopped.is_set():
            raise InterruptedError("nobody waits for it")
        manifest = (self._generation / MANIFEST).read_bytes()
        name = self._generation.name
        said = {"run_id": name, "as_of": json.loads(manifest)["as_of"], "path": name}
        content = json.dumps({**said, "manifest_sha256": hashlib.sha256(manifest).hexdigest()}).encode() + b"\n"
        if not self._is_local:  # a store replaces an object as a whole
            self._files.pipe_file(f"{self._root}/{POINTER}", content)
            return
        new = Path(self._root, f".{POINTER}.new")
        new.write_bytes(content)
        self._readers.admit(new)
        sync(new)
        new.replace(new.with_name(POINTER))
        sync(new.parent)

    def rotate(self, keep: Keep) -> int:
        """Delete the generations that no rule keeps, and what interrupted copies left; gives how many those were."""
        names = {path.partition("/")[0] for path in self._there()}
        found = {name for name in names if _GENERATION.fullmatch(name) and time_in(name)}
        newest = self._generation.name
        old = found - those_to_keep(self._whole(), keep, newest) - {newest}
        for name in sorted(old):
            self._files.rm(f"{self._root}/{name}", recursive=True)
        return len(old)

    def _whole(self) -> dict[str, datetime]:
        """The generations that are at the place with their manifest, and when each was made."""
        names = (
            path.partition("/")[0] for path in self._there() if path.endswith(f"/{MANIFEST}") and path.count("/") == 1
        )
        return {name: made_at for name in names if _GENERATION.fullmatch(name) and (made_at := time_in(name))}
