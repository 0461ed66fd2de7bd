"""`mttr import`: files of custom incident records into the landing zone, source `custom`, stream `records`.

JSON Lines, a JSON array, CSV and Parquet all become the same lines:

    {"file": <name as given>, "line": <1-based>, "record": {...}}
    {"file": <name as given>, "line": <1-based>, "unreadable": <text>, "reason": <why>}

A record from JSON Lines or a JSON array stands there byte for byte. The line is the one in the text file (for a CSV row
its first), the position in the array or the number of the Parquet row.

What belongs here: reading files, and making sure that each landed line is JSON that every reader agrees on. What does
not: any judgement of a value. SQL does that for all sources alike and sends what it cannot use to quarantine, with the
file and line that stand here.
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
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import duckdb
import msgspec
import zstandard

from mttr_pipeline.errors import ConfigError
from mttr_pipeline.landing import Landing

if TYPE_CHECKING:
    from mttr_pipeline.sources.progress import Progress

SOURCE, STREAM = "custom", "records"

STAMPS = (
    "occurred_at",
    "detected_at",
    "acknowledged_at",
    "investigating_at",
    "root_cause_found_at",
    "mitigated_at",
    "resolved_at",
    "closed_at",
)
KNOWN_FIELDS = (
    *("external_id", "title", "url", "severity", "status", "kind", *STAMPS, "service", "team", "tags"),
    *("root_cause_category", "affected_users", "revenue_impact", "duplicate_of", "resolution_kind", "updated_at"),
    "timeline",
)

MAX_RECORD_BYTES = 8 << 20  # read_json refuses a whole file for one line above 16 MB
MAX_TEXT = 2000  # characters of an unreadable line that are kept
MAX_NAMES = 1000  # distinct unknown field names that are counted one by one
OTHER_NAMES = "(other names)"

_known = frozenset(KNOWN_FIELDS)
_quoted_names = {name: b'"%s"' % name.encode() for name in KNOWN_FIELDS}
_surrogate_escape = re.compile(rb"\\u[dD][89a-fA-F]")
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.encode


class Unreadable(NamedTuple):
    """A line that is no JSON object: its text, shortened, and what is wrong with it."""

    text: str
    reason: str


Content = bytes | Unreadable
Lines = Iterator[tuple[int, Content]]


@dataclass
class ImportReport:
    """What one import landed. `unknown_fields` counts the records that carry each name; they are kept, not used."""

    extract_id: str
    files: list[str]
    records: int = 0
    unreadable: int = 0
    unknown_fields: dict[str, int] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The report as sentences for the terminal."""
        files = f"{len(self.files)} file{'s' * (len(self.files) != 1)}"
        out = [f"Landed {self.records:,} custom record{'s' * (self.records != 1)} from {files} ({self.extract_id})."]
        if self.unreadable:
            lines = "line is" if self.unreadable == 1 else "lines are"
            out.append(
                f"{self.unreadable:,} {lines} no JSON object or readable row; "
                "the next run lists each in the table quarantine, with file and line."
            )
        if self.unknown_fields:
            shown = sorted(self.unknown_fields.items(), key=lambda item: (-item[1], item[0]))
            names = ", ".join(f"{name} ({count:,})" for name, count in shown[:20])
            more = f" and {len(shown) - 20} more" if len(shown) > 20 else ""
            out.append(f"Unknown fields, kept in the landing zone and not used: {names}{more}.")
        return out

    def __str__(self) -> str:
        return "\n".join(self.lines())


def import_files(
    paths: Iterable[str | Path], landing: Landing, run_id: str, *, progress: Progress | None = None
) -> ImportReport:
    """Land the records of all files in one extract: all of them or none.

    Every file is checked first (it exists, can be read, its kind is known, a first record is there) and hashed; only
    then something is written. The extract carries no high-water mark: a later import adds to it and replaces single
    records. Memory does not grow with a file, except for a JSON array, of which the position of each record is kept
    (and the whole text when it is compressed). `progress` is told after every 10,000 records.

    Raises ConfigError, naming the file and the remedy, for a file that cannot be imported; should a file turn out to be
    damaged further in, the extract is marked as failed and nothing of it is ever loaded.
    """
    inputs = [_check(path) for path in dict.fromkeys(map(Path, paths))]
    if not inputs:
        raise ConfigError("No file was named; write `mttr import FILE...` with JSON Lines, CSV or Parquet files.")
    # the run id makes the plan this call's own, so that the remains of a failed import are never taken up
    plan = {"files": [{"name": i.name, "bytes": i.bytes, "sha256": i.sha256} for i in inputs], "run_id": run_id}
    extract = landing.begin(SOURCE, run_id, plan)
    report = ImportReport(extract.extract_id, [i.name for i in inputs])
    unknown: Counter[str] = Counter()
    if progress:
        progress.start(SOURCE)
    try:
        for number, source in enumerate(inputs):
            with extract.writing(STREAM, source.name) as write:
                for line in _landed_lines(source, report, unknown):
                    write(line)
                    if progress and (report.records + report.unreadable) % 10_000 == 0:
                        progress.update(SOURCE, STREAM, number, len(inputs), report.records)
            if progress:
                progress.update(SOURCE, STREAM, number + 1, len(inputs), report.records)
        report.unknown_fields = dict(sorted(unknown.items()))
        extract.facts = {"unreadable": report.unreadable, "unknown_fields": report.unknown_fields}
        extract.finish()
    except BaseException as error:
        with suppress(OSError):  # a full disk: the reason of the failure is what counts
            extract.fail(f"{type(error).__name__}: {error}")
        raise
    finally:
        if progress:
            progress.finish(SOURCE)
    return report


# --- files ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Input:
    path: Path
    name: str  # as given, in valid UTF-8
    bytes: int
    sha256: str
    read: Callable[[Path], Lines]


def _check(path: Path) -> _Input:
    name = os.fsencode(path).decode("utf-8", "replace")
    read = _reader(path, name)
    with _explained(name):
        if path.is_dir():
            raise ConfigError(f"{name} is a folder; name the files in it, like {name}/*.jsonl.")
        if not path.is_file():
            missing = "is no regular file" if path.exists() else "does not exist"
            raise ConfigError(f"{name} {missing}; correct the file name.")
        if path.stat().st_size == 0:
            raise ConfigError(f"{name} is empty; export it again or leave it out.")
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        lines = read(path)
        if next(lines, None) is None:
            raise ConfigError(f"{name} holds no record; export it again or leave it out.")
        lines.close()  # type: ignore[attr-defined]  # a generator: gives its file back
    return _Input(path, name, path.stat().st_size, digest, read)


def _reader(path: Path, name: str) -> Callable[[Path], Lines]:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compressed = suffixes[-1:] in ([".gz"], [".zst"])
    kind = (suffixes[:-1] if compressed else suffixes)[-1:]
    reader = _READERS.get(kind[0]) if kind else None
    if reader is None or (compressed and reader is _read_parquet):
        raise ConfigError(
            f"{name} has no extension that says what it holds; name it .jsonl or .ndjson (JSON Lines), "
            ".json (an array), .csv (each also with .gz or .zst after it) or .parquet."
        )
    return reader


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """What goes wrong while a file is read, as one sentence that names it."""
    try:
        yield
    except PermissionError as error:
        raise ConfigError(f"{name} cannot be read (permission denied); give yourself the right to read it.") from error
    except (zstandard.ZstdError, gzip.BadGzipFile, EOFError) as error:
        raise ConfigError(f"{name} is damaged or not compressed as it is named ({error}); export it again.") from error
    except duckdb.Error as error:
        first = str(error).splitlines()[0]
        raise ConfigError(f"{name} cannot be read as Parquet ({first}); export it again.") from error
    except _FileProblem as error:
        raise ConfigError(f"{name} {error}") from error
    except OSError as error:
        raise ConfigError(f"{name} cannot be read ({error.strerror or error}); check the file and the disk.") from error


class _FileProblem(Exception):
    """The whole file is unusable; the text continues a sentence that starts with its name."""


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader[Any]]:
    """The decompressed bytes of a file, behind its byte order mark."""
    with path.open("rb", buffering=0) as raw:
        wrap = {".gz": lambda: gzip.GzipFile(fileobj=raw), ".zst": lambda: _Zstd(raw)}.get(path.suffix.lower())
        stream = io.BufferedReader(cast(io.RawIOBase, wrap() if wrap else raw), buffer_size=1 << 18)
        start = stream.peek(4)
        if start.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise _FileProblem("is UTF-16, not UTF-8; save it as UTF-8.")
        if start.startswith(b"\xef\xbb\xbf"):
            stream.read(3)
        yield stream


class _Zstd(io.RawIOBase):
    """A zstd file that notices when it was cut short; the library's own reader takes that for the end."""

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
        while chunk := raw.read(1 << 14):  # small: each becomes as long as it likes
            while chunk:
                if frame.eof:
                    frame, begun = zstandard.ZstdDecompressor().decompressobj(), False
                if text := frame.decompress(chunk):
                    yield text
                begun, chunk = True, frame.unused_data if frame.eof else b""
        if begun and not frame.eof:
            raise EOFError("it ends early")


# --- records --------------------------------------------------------------------------------------------------------


def _landed_lines(source: _Input, report: ImportReport, unknown: Counter[str]) -> Iterator[bytes]:
    """The lines of one file as they are landed; counts into `report` and `unknown`."""
    prefix = b'{"file":' + _encode(source.name) + b',"line":'
    with _explained(source.name):
        for number, content in source.read(source.path):
            checked = _checked(content, unknown) if isinstance(content, bytes) else content
            if isinstance(checked, Unreadable):
                report.unreadable += 1
                shown = _encode(checked.text.replace("\0", "\N{REPLACEMENT CHARACTER}"))
                yield b'%b%d,"unreadable":%b,"reason":%b}' % (prefix, number, shown, _encode(checked.reason))
            else:
                report.records += 1
                yield b'%b%d,"record":%b}' % (prefix, number, checked)


def _checked(record: bytes, unknown: Counter[str]) -> Content:
    """The record itself if it is one JSON object, or why not. Its unknown field names are counted.

    Stricter than a mere parse, because one line that DuckDB's read_json refuses spoils the load of all: UTF-8 and
    escapes must be valid, and no known name may stand twice.
    """
    if len(record) > MAX_RECORD_BYTES:
        return _unreadable(record, f"longer than {MAX_RECORD_BYTES >> 20} MB")
    try:
        record.decode()  # strict; raw values are skipped over, not decoded, by the next line
        fields = _decode_object(record)
    except UnicodeDecodeError:
        return _unreadable(record, "not valid UTF-8")
    except RecursionError:
        return _unreadable(record, "nested too deeply")
    except msgspec.ValidationError:
        return _unreadable(record, "not a JSON object")
    except msgspec.DecodeError as error:
        lone = _surrogate_escape.search(record)  # msgspec calls it truncated
        return _unreadable(record, "an escape for half a character (a lone surrogate)" if lone else f"{error}")
    twice = any(name in fields and record.count(quoted) > 1 for name, quoted in _quoted_names.items())
    # the slow look only when a quoted name, maybe just a value, stands there twice, or one may be spelt with escapes
    if twice or b"\\u00" in record:
        pairs: list[tuple[str, Any]] = json.loads(record, object_pairs_hook=list)
        for name, count in Counter(name for name, _ in pairs).items():
            if count > 1 and name in _known:
                return _unreadable(record, f"the name {name} stands there {count} times")
    for name in fields.keys() - _known:
        unknown[name if name in unknown or len(unknown) < MAX_NAMES else OTHER_NAMES] += 1
    return record


def _unreadable(text: bytes, reason: str) -> Unreadable:
    return Unreadable(text[: 4 * MAX_TEXT].decode("utf-8", "replace")[:MAX_TEXT], reason)


# --- formats --------------------------------------------------------------------------------------------------------


def _read_json_lines(path: Path) -> Lines:
    with _opened(path) as stream:
        number = 0
        while line := stream.readline(MAX_RECORD_BYTES + 2):
            number += 1
            while len(line) > MAX_RECORD_BYTES and not line.endswith(b"\n"):
                rest = stream.readline(1 << 20)  # too long to keep: the start is enough, pass over the rest
                if not rest or rest.endswith(b"\n"):
                    break
            line = line.strip(b" \t\r\n")
            if number == 1 and line in (b"[", b"{"):
                raise _FileProblem("is one JSON text over many lines, not one object per line; name an array .json.")
            if line:
                yield number, line


def _read_json_array(path: Path) -> Lines:
    with _opened(path) as stream:
        if path.suffix.lower() == ".json":  # mapped, so that it needs no memory of its own
            content = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))[stream.tell() :]
        else:
            content = memoryview(stream.read())
        try:
            elements = msgspec.json.decode(content, type=list[msgspec.Raw])
        except (msgspec.MsgspecError, RecursionError) as error:
            raise _FileProblem(
                f"is no JSON array of objects ({error}); correct it, or name it .jsonl if it holds one object per line."
            ) from error
        for number, element in enumerate(elements, 1):
            yield number, bytes(element).strip()


def _read_csv(path: Path) -> Lines:
    csv.field_size_limit(MAX_RECORD_BYTES)  # the default of 128 KB is small for a timeline
    with _opened(path) as stream:
        # undecodable bytes are carried along as lone surrogates and found again in the row that has them
        yield from _csv_rows(io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline=""))


def _csv_rows(text: Iterable[str]) -> Lines:
    seen: list[str] = []  # the physical lines of the row under way, for the case that it is unreadable

    def remembered() -> Iterator[str]:
        for line in text:
            if len(seen) < 100:
                seen.append(line)
            yield line

    reader = csv.reader(remembered(), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise _FileProblem(f"has no readable header row ({error}); correct its first line.") from error
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
    return _unreadable(text.rstrip("\r\n").encode("utf-8", "surrogateescape"), reason)


def _read_parquet(path: Path) -> Lines:
    """Rows as JSON objects, made by DuckDB: it streams, and knows instants beyond the year 9999."""
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
    """SQL that turns instants into ISO 8601 text, also inside lists and structs, and NaN, pandas' gap, into null."""
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
        raise _FileProblem(f"has more than one column {doubled[0]!r}; {remedy}.")
    if "external_id" not in names:
        shown = ", ".join(names)[:200]
        raise _FileProblem(f"has no column external_id (found: {shown}); {remedy}.")


def _table_record(cells: dict[str, Any]) -> bytes:
    """One row as a JSON object: empty cells left out, tags split at commas, JSON in a timeline cell taken as such."""
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
            pass  # stays text, and SQL says that it is no timeline
    return _encode(record)


_NULL = msgspec.Raw(b"null")


def _text(value: Any) -> str | None:
    """The text of a cell, be it a CSV cell or raw JSON; None when it is anything else."""
    if isinstance(value, msgspec.Raw):
        return json.loads(bytes(value)) if bytes(value).startswith(b'"') else None
    return value


_READERS: dict[str, Callable[[Path], Lines]] = {
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json_array,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
