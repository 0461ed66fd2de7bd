"""Copies of landing files without what DuckDB cannot read, for extracts that would otherwise stop every load.

    a line longer than a limit      is left out; its id and size are told, so that it can be listed in quarantine
    a record that is no JSON object the same with what is wrong: its line holds it as `unreadable`
    a line with a bad character     has it replaced (`landing.characters`), as newer extracts have it from the start

What belongs here: lines. What does not: raw tables and the ledger (`loading`).
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import zstandard

from mttr_pipeline.landing.characters import has_mark, is_suspicious, repaired
from mttr_pipeline.landing.manifest import LandedFile

LIMITS = (
    64_000_000,
    32_000_000,
)  # bytes of a line: what DuckDB takes as a rule, and what it always takes (macro `landed`)
_HEAD = 1 << 20  # bytes of a long line that are searched for its id
_IDENTITIES = ("id", "issueId", "parent_id", "external_id")
_UNREADABLE = b'{"unreadable":'
_KINDS = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number", type(None): "null"}
_DECODER = json.JSONDecoder(strict=False)


@dataclass(frozen=True)
class LeftOut:
    """A line that cannot be loaded: the id of its record (None where it cannot be found), why, and its file in the landing zone."""

    identity: str | None
    reason: str
    path: str


@dataclass
class Mended:
    """Copies below `folder` of the landing files that cannot be loaded as they are, by their path within the landing zone."""

    folder: Path
    copies: dict[str, Path] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)

    def instead_of(self, paths: Iterable[str], root: Path) -> tuple[list[str], Path]:
        """What to load instead of these files of the landing zone, and the folder that their names begin with."""
        if not self.copies:
            return [str(root / path) for path in paths], root
        found = []
        for path in paths:
            copy = self.folder / path
            if path not in self.copies and not copy.is_symlink():
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.symlink_to((root / path).absolute())
            found.append(str(copy))
        return found, self.folder

    def marked_in(self, files: Mapping[str, tuple[str, LandedFile]], root: Path) -> list[tuple[str, Path]]:
        """The files, as they are loaded, that hold replaced characters. Of an extract with a copy any file may hold some: an older
        release did not count them."""
        copied = {files[path][0] for path in self.copies if path in files}
        return [
            (path, self.copies.get(path, root / path))
            for path, (extract_id, file) in files.items()
            if file.marked or extract_id in copied
        ]


def mend(into: Mended, paths: Iterable[str], root: Path, limit: int) -> bool:
    """Copy those of the files of the landing zone `root` that cannot be loaded as they are. Gives whether there were any.

    `limit` is the longest line in bytes that is taken.
    """
    changed = False
    for path in paths:
        if any(
            size > limit or is_suspicious(line) or line.startswith(_UNREADABLE) for line, size in _lines(root / path)
        ):
            copy = into.folder / path
            copy.unlink(missing_ok=True)  # a link, from when the file seemed fine
            copy.parent.mkdir(parents=True, exist_ok=True)
            into.left_out += _write_copy(path, root / path, copy, limit)
            into.copies[path] = copy
            changed = True
    return changed


def marked_records(path: Path) -> Iterator[str | None]:
    """The ids of the records of a file that hold a replaced character, None where it cannot be found."""
    for line, size in _lines(path):
        if size == len(line) and has_mark(line):
            yield identity_of(line)


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


def _write_copy(name: str, path: Path, copy: Path, limit: int) -> list[LeftOut]:
    """Write the lines that can be loaded; gives those that cannot."""
    left_out: list[LeftOut] = []
    with copy.open("wb") as raw, zstandard.ZstdCompressor(level=1).stream_writer(raw, closefd=False) as out:
        for line, size in _lines(path):
            if size > limit:
                reason = f"the record has {size / 1e6:.1f} MB, more than the {limit // 1_000_000} MB that can be loaded"
                left_out.append(LeftOut(identity_of(line[:_HEAD]), reason, name))
            elif (found := _recovered(line)).startswith(_UNREADABLE):
                left_out.append(LeftOut(*_why_unreadable(found), name))
            else:
                out.write(found + b"\n")
    return left_out


def _recovered(line: bytes) -> bytes:
    if line.startswith(_UNREADABLE):  # older releases set a record with a bad character aside as text
        try:
            text = repaired(msgspec.json.decode(line)["unreadable"].encode())
            msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        except (msgspec.MsgspecError, ValueError, RecursionError, AttributeError):
            return line
        return text.replace(b"\n", b" ").replace(b"\r", b" ")
    return repaired(line) if is_suspicious(line) else line


def _why_unreadable(line: bytes) -> tuple[str | None, str]:
    """The id of a record that was set aside, None when it cannot be told, and what is wrong with it."""
    try:
        value = msgspec.json.decode(line)["unreadable"]
        if not isinstance(value, str):
            return (
                None,
                f"{_KINDS.get(type(value), 'no object')} where a record belongs: {_start(line[len(_UNREADABLE) : -1])}",
            )
        text = value.encode("utf-8", "replace")
        identity = identity_of(text[:_HEAD])
        shown = "" if identity else f": {_start(text)}"
        try:
            msgspec.json.decode(text)
            return identity, f"no JSON object{shown}"
        except RecursionError:
            return identity, f"nested too deeply{shown}"
        except msgspec.DecodeError as error:
            return identity, f"{error}{shown}"
    except (msgspec.MsgspecError, RecursionError):
        return None, f"nested too deeply: {_start(line[len(_UNREADABLE) : -1])}"


def _start(text: bytes) -> str:
    return text[:320].decode("utf-8", "replace").strip()[:80]


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
