"""Read files record by record: JSON Lines, JSON, CSV and Parquet all give JSON objects with a line number.

The number is the line of a text file (for a CSV row its first line), the position in a JSON array, 1 for a single JSON
object, or the row of a Parquet file. A record from JSON is returned byte for byte.

What belongs here: formats, compression, encodings. What does not: what a record means, and where it is landed (`importer`).
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import mmap
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import duckdb
import msgspec
import zstandard

from mttr_pipeline.errors import ConfigError

MAX_RECORD_BYTES = 8 << 20  # DuckDB's read_json refuses a whole file for one line above 16 MB
MAX_TEXT = 2000  # characters that are kept of an unreadable line

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.encode
_single_object = re.compile(rb"[ \t\r\n]*\{")


class Unreadable(NamedTuple):
    """A line that is not a JSON object: its text, at most MAX_TEXT characters, and the reason."""

    text: str
    reason: str


Content = bytes | Unreadable
Lines = Iterator[tuple[int, Content]]


def unreadable(text: bytes, reason: str) -> Unreadable:
    """An unreadable line from its bytes: shortened, and with replacement characters for what is not UTF-8."""
    return Unreadable(text[: 4 * MAX_TEXT].decode("utf-8", "replace")[:MAX_TEXT], reason)


# --- files ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Input:
    """A file that can be read: its name in valid UTF-8, its size, its sha256, and how to read its lines."""

    path: Path
    name: str
    bytes: int
    sha256: str
    read: Callable[[Path], Lines]


def checked_file(path: Path, name: str = "") -> Input:
    """The file, after a check that it holds at least one record. `name` is what messages call it, by default its path.

    Raises ConfigError, which names the file and what to do.
    """
    name = name or os.fsencode(path).decode("utf-8", "replace")
    read = _reader(path, name)
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
        lines = read(path)
        if next(lines, None) is None:
            raise ConfigError(f"{name} holds no records; export it again or leave it out.")
        lines.close()  # type: ignore[attr-defined]  # a generator: closes its file
    return Input(path, name, path.stat().st_size, digest, read)


def _reader(path: Path, name: str) -> Callable[[Path], Lines]:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compressed = suffixes[-1:] in ([".gz"], [".zst"])
    kind = (suffixes[:-1] if compressed else suffixes)[-1:]
    reader = _READERS.get(kind[0]) if kind else None
    if reader is None or (compressed and reader is _read_parquet):
        raise ConfigError(
            f"{name} has no extension that says what it holds; name it .jsonl or .ndjson (JSON Lines), "
            ".json (an object or an array), .csv (each also with .gz or .zst after it) or .parquet."
        )
    return reader


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
    except duckdb.Error as error:
        first = str(error).splitlines()[0]
        raise ConfigError(f"{name} cannot be read as Parquet ({first}); export it again.") from error
    except FileProblem as error:
        raise ConfigError(f"{name} {error}") from error
    except OSError as error:
        raise ConfigError(f"{name} cannot be read ({error.strerror or error}); check the file and the disk.") from error


class FileProblem(Exception):
    """The whole file is unusable. The text continues a sentence that starts with the file's name."""


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader[Any]]:
    """The decompressed bytes of a file, without its byte order mark."""
    with path.open("rb", buffering=0) as raw:
        wrap = {".gz": lambda: gzip.GzipFile(fileobj=raw), ".zst": lambda: _Zstd(raw)}.get(path.suffix.lower())
        stream = io.BufferedReader(cast(io.RawIOBase, wrap() if wrap else raw), buffer_size=1 << 18)
        start = stream.peek(4)
        if start.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise FileProblem("is UTF-16, not UTF-8; save it as UTF-8.")
        if start.startswith(b"\xef\xbb\xbf"):
            stream.read(3)
        yield stream


class _Zstd(io.RawIOBase):
    """A zstd file that reports a truncated end; the library's reader takes it for the end of the file."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._chunks = self._decompressed(raw)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        n = min(len(buffer), len(self._rest))
        buffer[:n], self._rest = self._rest[:n], self._rest[n:]
        return n

    @staticmethod
    def _decompressed(raw: io.RawIOBase) -> Iterator[bytes]:
        frame = zstandard.ZstdDecompressor().decompressobj()
        begun = False
        while chunk := raw.read(1 << 14):  # small, because a chunk may decompress to any size
            while chunk:
                if frame.eof:
                    frame, begun = zstandard.ZstdDecompressor().decompressobj(), False
                if text := frame.decompress(chunk):
                    yield text
                begun, chunk = True, frame.unused_data if frame.eof else b""
        if begun and not frame.eof:
            raise EOFError("it ends early")


# --- formats --------------------------------------------------------------------------------------------------------


def _read_json_lines(path: Path) -> Lines:
    with _opened(path) as stream:
        number = 0
        while line := stream.readline(MAX_RECORD_BYTES + 2):
            number += 1
            while len(line) > MAX_RECORD_BYTES and not line.endswith(b"\n"):
                rest = stream.readline(1 << 20)  # the line is too long: keep its start, skip the rest
                if not rest or rest.endswith(b"\n"):
                    break
            line = line.strip(b" \t\r\n")
            if number == 1 and line in (b"[", b"{"):
                raise FileProblem("is one JSON value over many lines, not one object per line; name an array .json.")
            if line:
                yield number, line


def _read_json(path: Path) -> Lines:
    """One object, on any number of lines, or an array of objects."""
    with _opened(path) as stream:
        if path.suffix.lower() == ".json":  # memory-mapped, so that the file is not copied
            content = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))[stream.tell() :]
        else:
            content = memoryview(stream.read())
        single = _single_object.match(content) is not None
        try:
            if single and len(content) <= MAX_RECORD_BYTES:
                _decode_object(content)
            elements = [content] if single else msgspec.json.decode(content, type=list[msgspec.Raw])
        except (msgspec.MsgspecError, RecursionError) as error:
            raise FileProblem(
                f"is not a JSON array of objects or a single object ({error}); "
                "correct it, or name it .jsonl if it holds one object per line."
            ) from error
        for number, element in enumerate(elements, 1):
            yield number, bytes(element).strip()


def _read_csv(path: Path) -> Lines:
    csv.field_size_limit(MAX_RECORD_BYTES)  # the default of 128 KB is too small for a timeline
    with _opened(path) as stream:
        # undecodable bytes become lone surrogates, and are found again in the row that holds them
        yield from _csv_rows(io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline=""))


def _csv_rows(text: Iterable[str]) -> Lines:
    seen: list[str] = []  # the lines of the current row, in case it is unreadable

    def recorded() -> Iterator[str]:
        for line in text:
            if len(seen) < 100:
                seen.append(line)
            yield line

    reader = csv.reader(recorded(), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise FileProblem(f"has no readable header row ({error}); correct its first line.") from error
    _check_columns(header, "its first line must be the header, and commas must separate the columns")
    while True:
        seen.clear()
        number = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lines = f"line {number}" if number == reader.line_num else f"lines {number} to {reader.line_num}"
            yield number, _unreadable_row(seen, f"not valid CSV, {lines}: {error}")
            continue
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            yield number, _unreadable_row(seen, f"{len(row)} cells where the header has {len(header)}")
            continue
        try:
            yield number, _table_record({name: cell.strip() for name, cell in zip(header, row, strict=True)})
        except UnicodeEncodeError:
            yield number, _unreadable_row(seen, "not valid UTF-8")


def _unreadable_row(lines: list[str], reason: str) -> Unreadable:
    text = "".join(line[:MAX_TEXT] for line in lines)[:MAX_TEXT]
    return unreadable(text.rstrip("\r\n").encode("utf-8", "surrogateescape"), reason)


def _read_parquet(path: Path) -> Lines:
    """Rows as JSON objects. DuckDB makes them: it streams, and supports instants after the year 9999."""
    pattern = re.sub(r"([*?\[])", r"[\1]", os.fspath(path))  # a file name, not a glob
    with duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False}) as connection:
        connection.execute("SET enable_progress_bar = false")
        table = connection.from_parquet(pattern, hive_partitioning=False)
        _check_columns(list(table.columns), "correct the names of its columns")
        columns = [
            f"{_json_ready(_name(column), kind)} AS {_name(column)}"
            for column, kind in zip(table.columns, table.types, strict=True)
        ]
        source = "SELECT to_json(r) FROM (SELECT {} FROM read_parquet(?, hive_partitioning = false)) AS r"
        rows = connection.execute(source.format(", ".join(columns)), [pattern])
        number = 0
        while batch := rows.fetchmany(2000):
            for (row,) in batch:
                number += 1
                yield number, _table_record(_decode_object(row))


def _json_ready(value: str, kind: Any) -> str:
    """SQL that writes instants as ISO 8601 text, also inside lists and structs, and NaN (missing in pandas) as null."""
    if kind.id in ("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"):
        return f"strftime({value}::TIMESTAMP, '%Y-%m-%dT%H:%M:%S.%f')"
    if kind.id == "timestamp with time zone":
        return f"strftime(timezone('UTC', {value}), '%Y-%m-%dT%H:%M:%S.%fZ')"
    if kind.id in ("float", "double"):
        text = f"CASE WHEN isinf({value}) THEN to_json({value}::VARCHAR) ELSE to_json({value}) END"
        return f"CASE WHEN NOT isnan({value}) THEN {text} END"
    if kind.id in ("list", "array"):
        return f"list_transform({value}::{kind.children[0][1]}[], lambda x: {_json_ready('x', kind.children[0][1])})"
    if kind.id == "struct":
        members = (f"{_name(n)} := {_json_ready(f'{value}.{_name(n)}', child)}" for n, child in kind.children)
        return f"CASE WHEN {value} IS NOT NULL THEN struct_pack({', '.join(members)}) END"
    return value


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _check_columns(names: list[str], remedy: str) -> None:
    if doubled := [name for name, count in Counter(names).items() if count > 1]:
        raise FileProblem(f"has more than one column {doubled[0]!r}; {remedy}.")
    if "external_id" not in names:
        shown = ", ".join(names)[:200]
        raise FileProblem(f"has no column external_id (found: {shown}); {remedy}.")


def _table_record(cells: dict[str, Any]) -> bytes:
    """One row as a JSON object: without empty cells, tags split at commas, the text of a timeline cell parsed as JSON."""
    record = {name: value for name, value in cells.items() if value not in ("", _NULL)}
    tags = _text(record.get("tags"))
    if tags is not None:
        record["tags"] = [tag for part in tags.split(",") if (tag := part.strip())]
    timeline = _text(record.get("timeline"))
    if timeline is not None:
        try:
            msgspec.json.decode(timeline)
            record["timeline"] = msgspec.Raw(timeline.encode())
        except (msgspec.DecodeError, RecursionError):
            pass  # it stays text, and the staging SQL reports it
    return _encode(record)


_NULL = msgspec.Raw(b"null")


def _text(value: Any) -> str | None:
    """The text of a CSV cell or of a raw JSON string; None for any other value."""
    if isinstance(value, msgspec.Raw):
        return json.loads(bytes(value)) if bytes(value).startswith(b'"') else None
    return value


_READERS: dict[str, Callable[[Path], Lines]] = {
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
