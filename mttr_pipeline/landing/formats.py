"""The formats of files: JSON Lines, JSON, CSV and Parquet all give JSON objects with a line number.

The number is the line of a text file (for a CSV row its first line), the position in a JSON array, 1 for a single JSON object, or
the row of a Parquet file. A record from JSON is returned byte for byte.

What belongs here: formats. What does not: encodings (`encodings`), which files are taken (`readers`), what a record means.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import mmap
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from mttr_pipeline.landing import scanner
from mttr_pipeline.landing.encodings import opened
from mttr_pipeline.landing.lines import (
    MAX_RECORD_BYTES,
    MAX_TEXT,
    FileProblem,
    Lines,
    Unreadable,
    readable_in_part,
    unreadable,
)

MAX_WHOLE_BYTES = 1 << 30  # of a compressed JSON array: it is held in memory, where a plain file is mapped
#: A cell that holds one of these says nothing. The SQL macro `given_text` has the same words for the texts of all formats.
NULL_WORDS = frozenset({"", "NA", "N/A", "#N/A", "NULL", "null", "None", "NaN", "nan", r"\N", "?"})

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.encode
_single_object = re.compile(rb"[ \t\r\n]*\{")


@dataclass(frozen=True)
class Reading:
    """How a file is to be read. The defaults are those of files in this project's own format.

    `encoding` and `delimiter` are those of a preset, None without one. `null_words` say nothing, besides the usual ones. A preset
    gets rows `as_given`: names as `folded`, a repeated column as a list, and cells that are no part of this project's format.
    """

    encoding: str | None = None
    delimiter: str | None = None
    null_words: frozenset[str] = frozenset()
    as_given: bool = False


def folded(name: str) -> str:
    """A column's name as presets write it: lower case letters and digits, `_` between words."""
    return re.sub(r"[\W_]+", "_", name.strip().lower()).strip("_")


def _read_json_lines(path: Path, reading: Reading) -> Lines:
    with opened(path, reading.encoding) as stream:
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


def _read_json(path: Path, reading: Reading) -> Lines:
    """One object, on any number of lines, or an array of objects."""
    with opened(path, reading.encoding) as stream:
        if isinstance(stream.raw, io.FileIO):  # memory-mapped, so that the file is not copied
            content = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))[stream.tell() :]
        else:
            content = memoryview(stream.read(MAX_WHOLE_BYTES + 1))
            if len(content) > MAX_WHOLE_BYTES:
                raise FileProblem(
                    f"is one JSON value of more than {MAX_WHOLE_BYTES >> 20} MB when decompressed, which would have to be held in "
                    "memory; decompress it, or write one object per line and name it .jsonl."
                )
        if _single_object.match(content) is not None:
            if len(content) <= MAX_RECORD_BYTES and isinstance(found := readable_in_part(bytes(content)), Unreadable):
                raise FileProblem(_NO_JSON.format(found.reason))
            yield 1, bytes(content).strip()
            return
        for number, element in enumerate(_elements(content), 1):
            yield number, bytes(element).strip()


_NO_JSON = "is not a JSON array of objects or a single object ({}); correct it, or name it .jsonl if it holds one object per line."


def _elements(content: memoryview) -> Iterable[bytes | msgspec.Raw]:
    """The elements of an array as they stand in the file, also where one of them has a character that is none."""
    try:
        return msgspec.json.decode(content, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        try:
            return scanner.elements(bytes(content))
        except ValueError:
            raise FileProblem(_NO_JSON.format(error)) from error


def _read_csv(path: Path, reading: Reading) -> Lines:
    csv.field_size_limit(MAX_RECORD_BYTES)  # the default of 128 KB is too small for a timeline
    with _csv_text(path, reading) as text:
        yield from _csv_rows(text, reading)


@contextmanager
def _csv_text(path: Path, reading: Reading) -> Iterator[io.TextIOWrapper]:
    with opened(path, reading.encoding) as stream:
        # undecodable bytes become lone surrogates, and are bytes again in the record that holds them
        yield io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="")


def _csv_rows(text: Iterable[str], reading: Reading) -> Lines:
    seen: list[str] = []  # the lines of the current row, in case it is unreadable
    first = next(iter(text), "")
    delimiter = reading.delimiter or (_delimiter_of(first) if reading.as_given else ",")

    def recorded() -> Iterator[str]:
        for line in itertools.chain([first], text):
            if len(seen) < 100:
                seen.append(line)
            yield line

    reader = csv.reader(recorded(), strict=True, delimiter=delimiter)
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise FileProblem(f"has no readable header row ({error}); correct its first line.") from error
    if not reading.as_given:
        _refuse_repeated(header)
    place = header.index("external_id") if "external_id" in header else None
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
            identity = row[place].strip() if place is not None and place < len(row) else None
            reason = f"{len(row)} cells where the header has {len(header)}"
            yield number, _unreadable_row(seen, reason, identity or None)
            continue
        yield number, _table_record(header, [cell.strip() for cell in row], reading)


def _delimiter_of(header: str) -> str:
    """What separates the columns of a header line: the most frequent of the usual ones."""
    return max(DELIMITERS, key=header.count)


#: What else may separate columns, and what people call it.
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}


def _unreadable_row(lines: list[str], reason: str, identity: str | None = None) -> Unreadable:
    text = "".join(line[:MAX_TEXT] for line in lines)[:MAX_TEXT]
    if identity:
        identity = identity.encode("utf-8", "surrogateescape").decode("utf-8", "replace")[:200]
    return unreadable(text.rstrip("\r\n").encode("utf-8", "surrogateescape"), reason, identity)


@contextmanager
def _parquet(path: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, duckdb.DuckDBPyRelation, str]]:
    pattern = re.sub(r"([*?\[])", r"[\1]", os.fspath(path))  # a file name, not a glob
    try:
        with duckdb.connect(
            config={"threads": 1, "memory_limit": "1GB", "autoinstall_known_extensions": False}
        ) as connection:
            connection.execute("SET enable_progress_bar = false")
            yield connection, connection.from_parquet(pattern, hive_partitioning=False), pattern
    except duckdb.Error as error:
        first = str(error).splitlines()[0]
        raise FileProblem(f"cannot be read as Parquet ({first}); export it again.") from error


def _read_parquet(path: Path, reading: Reading) -> Lines:
    """Rows as JSON objects. DuckDB makes them: it streams, and supports instants after the year 9999."""
    with _parquet(path) as (connection, table, pattern):
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
                cells = _decode_object(row)
                yield number, _table_record(list(cells), list(cells.values()), reading)


def header(path: Path, kind: str, reading: Reading) -> list[str] | None:
    """The names of the columns of a table; None for a format without columns. `kind` is the extension. Raises FileProblem."""
    if kind == ".parquet":
        with _parquet(path) as (_, table, _pattern):
            return list(table.columns)
    if kind != ".csv":
        return None
    with _csv_text(path, reading) as text:
        first = next(iter(text), "")
        delimiter = reading.delimiter or (_delimiter_of(first) if reading.as_given else ",")
        names = next(csv.reader(itertools.chain([first], text), delimiter=delimiter), [])
        return [name.strip() for name in names if name.strip()]


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


def _refuse_repeated(names: list[str]) -> None:
    for name, count in Counter(filter(None, names)).items():
        if count > 1:
            raise FileProblem(
                f"has {count} columns {name!r}, so that one value would hide the other; rename or remove all but one of them, or "
                "read the file with a preset (`mttr import --as`)."
            )


def _table_record(names: list[str], cells: list[Any], reading: Reading) -> bytes:
    """One row as a JSON object: without cells that say nothing, tags split at commas, the text of a timeline cell parsed as JSON."""
    words = NULL_WORDS | reading.null_words if reading.null_words else NULL_WORDS
    given = [(name, cell) for name, cell in zip(names, cells, strict=True) if name and not _says_nothing(cell, words)]
    if reading.as_given:
        record = _joined(given)
    else:
        record = dict(given)
        tags = _text(record.get("tags"))
        if tags is not None:
            record["tags"] = [tag for part in tags.split(",") if (tag := part.strip())]
        timeline = _text(record.get("timeline"))
        if timeline is not None:
            record["timeline"] = _parsed(timeline)
    try:
        return _encode(record)
    except (
        UnicodeEncodeError
    ):  # bytes that are no UTF-8: as bytes again, so that they are replaced and counted like any
        plain = {name: json.loads(bytes(v)) if isinstance(v, msgspec.Raw) else v for name, v in record.items()}
        return json.dumps(plain, ensure_ascii=False).encode("utf-8", "surrogateescape")


def _joined(given: list[tuple[str, Any]]) -> dict[str, Any]:
    """The cells of a row under folded names; those of a repeated column as a list."""
    record: dict[str, Any] = {}
    for name, cell in given:
        key = folded(name)
        if key not in record:
            record[key] = cell
        elif isinstance(record[key], list):
            record[key].append(cell)
        else:
            record[key] = [record[key], cell]
    return record


def _parsed(timeline: str) -> Any:
    """The text of a timeline as JSON; one that is none stays text, and the SQL reports it."""
    try:
        msgspec.json.decode(timeline)
        return msgspec.Raw(timeline.encode())
    except (msgspec.DecodeError, RecursionError):
        return timeline
    except UnicodeEncodeError:
        try:
            return json.loads(timeline)
        except (ValueError, RecursionError):
            return timeline


def _says_nothing(cell: Any, words: frozenset[str]) -> bool:
    if isinstance(cell, msgspec.Raw):
        content = bytes(cell)
        return content == b"null" or (len(content) < 80 and content.startswith(b'"') and json.loads(content) in words)
    return cell in words


def _text(value: Any) -> str | None:
    """The text of a CSV cell or of a raw JSON string; None for any other value."""
    if isinstance(value, msgspec.Raw):
        return json.loads(bytes(value)) if bytes(value).startswith(b'"') else None
    return value


READERS: dict[str, Callable[[Path, Reading], Lines]] = {
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
