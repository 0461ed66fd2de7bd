"""Files of users: which can be read, and what is wrong with one that cannot, in a sentence that names it.

What belongs here: the file as a whole. What does not: formats (`formats`), encodings (`encodings`), single lines (`lines`), what a
record means, and where it is landed.
"""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import zstandard

from mttr_pipeline.errors import ConfigError
from mttr_pipeline.landing.encodings import MANY_TIMES, most_bytes
from mttr_pipeline.landing.formats import READERS, Reading, header
from mttr_pipeline.landing.lines import (
    MAX_RECORD_BYTES,
    MAX_TEXT,
    Content,
    FileProblem,
    Lines,
    Readable,
    Unreadable,
    kept_whole,
    readable,
    readable_in_part,
    unreadable,
)

__all__ = [
    "MAX_RECORD_BYTES",
    "MAX_TEXT",
    "Content",
    "FileProblem",
    "Input",
    "Lines",
    "Readable",
    "Reading",
    "Unreadable",
    "checked_file",
    "explained",
    "kept_whole",
    "readable",
    "readable_in_part",
    "unreadable",
]


@dataclass(frozen=True)
class Input:
    """A file that can be read: its name in valid UTF-8, its size, its sha256, the extension of its format, and how it is read."""

    path: Path
    name: str
    bytes: int
    sha256: str
    kind: str
    reading: Reading

    def read(self) -> Lines:
        """Its lines. Raises FileProblem, OSError or an error of the decompression, which `explained` explains."""
        return _bounded(READERS[self.kind](self.path, self.reading), self.bytes)

    def header(self) -> list[str] | None:
        """The names of its columns; None for a format without columns."""
        return header(self.path, self.kind, self.reading)


def _bounded(lines: Lines, size: int) -> Lines:
    """The lines of a file of `size` bytes. Raises FileProblem for more than any export holds: the name of a column stands in a table
    once and in every record, so that a long name makes much of a small file."""
    left = most_bytes(size)
    for number, content in lines:
        left -= len(content) if isinstance(content, bytes) else len(content.text)
        if left < 0:
            raise FileProblem(
                f"holds records of more than {MANY_TIMES} times its size, as no export does, and was not read further; look at what "
                "it holds, and give it as JSON Lines if that is right."
            )
        yield number, content


def checked_file(path: Path, name: str = "", reading: Reading | None = None) -> Input:
    """The file, after a check that it holds at least one record. `name` is what messages call it, by default its path.

    Raises ConfigError, which names the file and what to do.
    """
    name = name or os.fsencode(path).decode("utf-8", "replace")
    kind = _kind(path, name)
    with explained(name):
        if path.is_dir():
            raise ConfigError(f"{name} is a folder; name the files in it, like {name}/*.jsonl.")
        if not path.is_file():
            missing = "is not a regular file" if path.exists() else "does not exist"
            raise ConfigError(f"{name} {missing}; correct the file name.")
        if path.stat().st_size == 0:
            raise ConfigError(f"{name} is empty; export it again or leave it out.")
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        file = Input(path, name, path.stat().st_size, digest, kind, reading or Reading())
        lines = file.read()
        if next(lines, None) is None:
            raise ConfigError(f"{name} holds no records; export it again or leave it out.")
        lines.close()  # type: ignore[attr-defined]  # a generator: closes its file
    return file


def _kind(path: Path, name: str) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compressed = suffixes[-1:] in ([".gz"], [".zst"])
    kind = "".join((suffixes[:-1] if compressed else suffixes)[-1:])
    if kind not in READERS or (compressed and kind == ".parquet"):
        raise ConfigError(
            f"{name} has no extension that says what it holds; name it .jsonl or .ndjson (JSON Lines), "
            ".json (an object or an array), .csv (each also with .gz or .zst after it) or .parquet."
        )
    return kind


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn errors while a file is read into a ConfigError: one sentence that names the file."""
    try:
        yield
    except PermissionError as error:
        raise ConfigError(f"{name} cannot be read (permission denied); give yourself permission to read it.") from error
    except (zstandard.ZstdError, gzip.BadGzipFile, EOFError) as error:
        raise ConfigError(
            f"{name} is damaged or not compressed as its extension says ({error}); export it again."
        ) from error
    except FileProblem as error:
        raise ConfigError(f"{name} {error}") from error
    except OSError as error:
        raise ConfigError(f"{name} cannot be read ({error.strerror or error}); check the file and the disk.") from error
