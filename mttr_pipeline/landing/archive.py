"""Archives of old extracts: one tar file per source and month, so that years of nights are few files. Not a byte changes.

    landing/<source>/2026-09.tar     the folders of its extracts as they were, manifests too
    landing/<source>/2026-09.json    their manifests, to be read at once; made anew from the tar file if it is missing

A record keeps its reference: `<source>/<extract-id>/<stream>/<file>` is a member of the source's archive,
`tar -xOf landing/<source>/2026-09.tar <extract-id>/<stream>/<file> | zstdcat`. The hashes in a manifest are those of the members.

A folder counts before an archive. An archive gets its name when it is complete, on disk and compared with the folders; then each
folder gets a hidden name, in one step, and is deleted. So at any moment an extract is whole in its folder, or whole in an archive.

What does not belong here: which extracts there are (`store`), and what is loaded of them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from mttr_pipeline.errors import ContractError
from mttr_pipeline.landing.disk import sync
from mttr_pipeline.landing.manifest import Manifest, write_json

SUFFIX = ".tar"
_PACKED = ".packed-"  # what a folder that is in an archive is called until it is deleted


def archives(folder: Path) -> list[Path]:
    """The archives of one source, oldest first: a later one of a month counts before an earlier one."""
    return sorted(folder.glob(f"[!.]*{SUFFIX}"), key=lambda path: (path.stem[:7], len(path.stem), path.stem))


def archived_manifests(archive: Path) -> list[Manifest]:
    """The manifests of the extracts in an archive. Raises ContractError when neither it nor the file beside it can be read."""
    beside = archive.with_suffix(".json")
    try:
        return msgspec.json.decode(beside.read_bytes(), type=list[Manifest])
    except (OSError, msgspec.MsgspecError):
        found = _manifests_inside(archive)
    write_json(beside, [msgspec.to_builtins(manifest) for manifest in found])
    return found


def unpack(archive: Path, extracts: Iterable[str], folder: Path) -> None:
    """Write the folders of some extracts of an archive into `folder`. Raises ContractError when the archive is damaged."""
    wanted = set(extracts)
    with _opened(archive) as packed:
        for member in packed:
            if member.isfile() and member.name.partition("/")[0] in wanted:
                packed.extract(member, folder, filter="data")


def read_member(archive: Path, name: str) -> bytes | None:
    """The content of one member, None when there is none. Raises ContractError when the archive is damaged."""
    with _opened(archive) as packed:
        try:
            content = packed.extractfile(name)
        except KeyError:
            return None
        return content.read() if content else None


def pack(archive: Path, folders: Mapping[str, Path], manifests: Sequence[Manifest]) -> None:
    """Write the folders of extracts, by their ids, into a new archive and delete them. Raises OSError, and ContractError when what
    was written is not what stands in the folders."""
    partial = archive.with_name(f".{archive.name}.part")
    partial.unlink(missing_ok=True)
    written: dict[str, str] = {}
    with partial.open("wb") as raw:
        with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as packed:
            for extract_id, folder in sorted(folders.items()):
                for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                    name = f"{extract_id}/{path.relative_to(folder)}"
                    packed.add(path, name, recursive=False)
                    with path.open("rb") as stream:
                        written[name] = hashlib.file_digest(stream, "sha256").hexdigest()
        raw.flush()
        os.fsync(raw.fileno())
    if _digests(partial) != written:
        partial.unlink()
        raise ContractError(f"{archive} could not be written as it should be; check the disk. Nothing was deleted.")
    partial.replace(archive)
    sync(archive.parent)
    write_json(archive.with_suffix(".json"), [msgspec.to_builtins(manifest) for manifest in manifests])
    for extract_id, folder in folders.items():
        hidden = folder.with_name(f"{_PACKED}{extract_id}")
        folder.rename(hidden)
        shutil.rmtree(hidden)


def clean(folder: Path) -> None:
    """Remove what a killed `pack` left in the folder of a source: an unfinished archive, and folders that are in an archive."""
    for path in folder.glob(f".*{SUFFIX}.part"):
        path.unlink()
    for path in folder.glob(f"{_PACKED}*"):
        shutil.rmtree(path)


def _manifests_inside(archive: Path) -> list[Manifest]:
    found = []
    with _opened(archive) as packed:
        for member in packed:
            content = packed.extractfile(member) if member.name.endswith("/manifest.json") else None
            if content is not None:
                found.append(msgspec.json.decode(content.read(), type=Manifest))
    return found


def _digests(archive: Path) -> dict[str, str]:
    with _opened(archive) as packed:
        return {
            member.name: hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]  # a reader of bytes
            for member in packed
            if (content := packed.extractfile(member)) is not None
        }


@contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(archive, "r:") as packed:
            yield packed
    except (OSError, tarfile.TarError, msgspec.MsgspecError) as error:
        raise ContractError(
            f"The archive {archive} cannot be read ({error}); put it back from a backup, or move it and the .json beside it out of "
            "the landing zone and pull its time again with --since and --full-refresh."
        ) from error
