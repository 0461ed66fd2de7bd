"""Copies of landing files without what DuckDB cannot read, for extracts that would otherwise stop every load.

    a line longer than a limit      is left out; its id and size are told, so that it can be listed in quarantine
    a line with a bad character     has it replaced (`landing.characters`), as newer extracts have it from the start

What belongs here: lines. What does not: raw tables and the ledger (`loading`).
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import zstandard

from mttr_pipeline.landing.characters import has_mark, is_suspicious, repaired

LIMITS = (
    64_000_000,
    32_000_000,
)  # bytes of a line: what DuckDB takes as a rule, and what it always takes (macro `landed`)
_HEAD = 1 << 20  # bytes of a long line that are searched for its id
_IDENTITIES = ("id", "issueId", "parent_id", "external_id")
_UNREADABLE = b'{"unreadable":"'
_DECODER = json.JSONDecoder(strict=False)


@dataclass(frozen=True)
class LongLine:
    """A line that cannot be loaded: the id of its record, None when it cannot be found, its size in bytes, and its file."""

    identity: str | None
    size: int
    path: Path


@dataclass
class Mended:
    """`root` replaces the landing zone: it has every file under the same name, copies of those that were changed."""

    root: Path
    paths: list[str] = field(default_factory=list)
    long_lines: list[LongLine] = field(default_factory=list)


def mended(paths: Iterable[str], root: Path, folder: Path, limit: int = LIMITS[0]) -> Mended | None:
    """The files of `paths`, below `root`, as files that can be loaded, below `folder`; None when they are fine as they are.

    `limit` is the longest line in bytes that is taken.
    """
    result = Mended(folder)
    changed = False
    for name in paths:
        path = Path(name)
        copy = folder / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if any(size > limit or is_suspicious(line) or line.startswith(_UNREADABLE) for line, size in _lines(path)):
            changed = True
            result.long_lines += _write_copy(path, copy, limit)
        else:
            copy.symlink_to(path.absolute())
        result.paths.append(str(copy))
    return result if changed else None


def marked_records(paths: Iterable[str]) -> Iterator[tuple[str | None, str]]:
    """The records that hold a replaced character: their id, None when it cannot be found, and their file."""
    for path in paths:
        for line, size in _lines(Path(path)):
            if size == len(line) and has_mark(line):
                yield identity_of(line), path


def identity_of(line: bytes) -> str | None:
    """The id of a record, from the first members of its line. The line may end early."""
    text = line.decode("utf-8", "replace")
    found: dict[str, str] = {}
    at = text.find("{") + 1
    try:
        while at:
            name, at = _DECODER.raw_decode(text, _skip(text, at))
            value, at = _DECODER.raw_decode(text, _skip(text, at))
            if name == "record" and isinstance(value, dict):  # of a file that was imported
                value, name = value.get("external_id"), "external_id"
            if name in _IDENTITIES and isinstance(value, str | int):
                found[name] = str(value)
            at = _skip(text, at)
    except (ValueError, IndexError, RecursionError):
        pass  # the end of the object, or of what is there of it
    return next((found[name] for name in _IDENTITIES if name in found), None)


def _skip(text: str, at: int) -> int:
    while text[at] in " \t\r\n,:":
        at += 1
    return at


def _write_copy(path: Path, copy: Path, limit: int) -> list[LongLine]:
    """Write the lines that can be loaded; gives those that cannot."""
    long_lines: list[LongLine] = []
    with copy.open("wb") as raw, zstandard.ZstdCompressor(level=1).stream_writer(raw, closefd=False) as out:
        for line, size in _lines(path):
            if size > limit:
                long_lines.append(LongLine(identity_of(line[:_HEAD]), size, path))
            else:
                out.write(_recovered(line) + b"\n")
    return long_lines


def _recovered(line: bytes) -> bytes:
    if line.startswith(_UNREADABLE):  # older releases set a record with a bad character aside as text
        try:
            text = repaired(msgspec.json.decode(line)["unreadable"].encode())
            msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return line
        return text.replace(b"\n", b" ").replace(b"\r", b" ")
    return repaired(line) if is_suspicious(line) else line


def _lines(path: Path) -> Iterator[tuple[bytes, int]]:
    """The lines of a landing file and their sizes, without the newline. Of a line that is too long only the start is kept."""
    with path.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as plain:
        stream = io.BufferedReader(plain, 1 << 20)
        longest = max(LIMITS)
        while line := stream.readline(longest + 2):
            size = len(line)
            if size > longest + 1:
                line = line[:_HEAD]
                while not (part := stream.readline(1 << 20)).endswith(b"\n") and part:
                    size += len(part)
                size += len(part)
            ended = size <= longest + 1
            line = line.rstrip(b"\n") if ended else line
            yield line, len(line) if ended else size
