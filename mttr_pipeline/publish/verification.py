"""Whether a generation is still what was published: mode 0444 does not keep root from writing into a file.

What does not belong here: what the files say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec


class _File(msgspec.Struct):
    sha256: str


class _Manifest(msgspec.Struct):
    files: dict[str, _File]


def changed_files(generation: Path) -> Iterator[str]:
    """The files of a generation that are not what its manifest says, each with what is wrong: changed, missing or unreadable.

    Reads every file once. What is not in the manifest is not looked at, except for a write-ahead log beside the database, which
    DuckDB would play into it.
    """
    try:
        manifest = msgspec.json.decode((generation / "manifest.json").read_bytes(), type=_Manifest)
    except (OSError, msgspec.MsgspecError):
        yield "manifest.json is missing or cannot be read"
        return
    for name, file in sorted(manifest.files.items()):
        try:
            with (generation / name).open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != file.sha256:
                    yield f"{name} was changed"
        except OSError as error:
            yield f"{name} is missing" if isinstance(error, FileNotFoundError) else f"{name} cannot be read"
    for path in sorted(generation.glob("*.wal")):
        yield f"{path.name} was left by a program that opened the database to write"
