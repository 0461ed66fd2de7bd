"""A batch of extracts into the raw tables: all files of a stream by one statement, as if each extract were loaded after the other.

The rows of all extracts stand in one table, `delta`, in the order of landing; the name of its extract tells which of two rows is
the later one. Whatever a later extract would undo is left out at once: an older payload, a reject whose record came again, a
record that was missing and is back.

What belongs here: reading, the newest payload per key, the counts into `ops.loads`. What does not: the quarantine (`quarantine`),
which extracts make a batch, and transactions (`loading`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from mttr_pipeline.errors import ContractError
from mttr_pipeline.landing.manifest import LandedFile, Manifest
from mttr_pipeline.landing.store import NOT_PULLED, TOMBSTONES
from mttr_pipeline.warehouse import ahead, quarantine
from mttr_pipeline.warehouse.mending import LIMITS, Mended, mend
from mttr_pipeline.warehouse.models import Model
from mttr_pipeline.warehouse.preparation import insert_rows, point_at, quoted

if TYPE_CHECKING:
    from mttr_pipeline.warehouse.catalog import Catalog

_DELTA, _MISSING = "delta", "missing"  # the temporary tables of a stream, and of the tombstones meanwhile


class NotTogether(Exception):
    """These extracts have to be loaded one after the other. The transaction is to be rolled back."""


@dataclass(frozen=True)
class Part:
    """The files of one stream in a batch, in the order of loading, with the extract of each."""

    model: Model
    source: str
    files: Sequence[tuple[str, LandedFile]]
    root: Path

    @cached_property
    def extracts(self) -> dict[str, int]:
        """Extract -> records that it promises, in the order of loading."""
        found: dict[str, int] = {}
        for extract_id, file in self.files:
            found[extract_id] = found.get(extract_id, 0) + file.records
        return found

    @property
    def stream(self) -> str:
        """The name of the stream."""
        return self.model.stream or ""

    @property
    def identity(self) -> str:
        """The column with the id of a record, as text."""
        return f"{self.model.key[0]}::VARCHAR"

    @cached_property
    def paths(self) -> dict[str, tuple[str, LandedFile]]:
        """Path within the landing zone -> extract and file."""
        return {f"{self.source}/{extract_id}/{file.file}": (extract_id, file) for extract_id, file in self.files}

    @cached_property
    def extract_of_row(self) -> str:
        """SQL: the extract of a row of the table that was read. Ids of extracts sort as they are loaded."""
        if len(self.extracts) == 1:
            return quoted(next(iter(self.extracts)))
        return "split_part(landed_in, '/', 2)"


@dataclass(frozen=True)
class Reading:
    """What was read of a part: the counts of each extract (rows, rejects, distinct keys), and the copies that were read instead."""

    counts: dict[str, tuple[int, int, int]]
    copies: Mended

    @property
    def rejects(self) -> int:
        """How many rows cannot be used."""
        return sum(rejects for _, rejects, _ in self.counts.values())

    @property
    def has_repeats(self) -> bool:
        """Whether a key may stand in more than one usable row."""
        return len(self.counts) > 1 or any(rows - rejects != n for rows, rejects, n in self.counts.values())


class Ledger:
    """The lines of `ops.loads` of one batch: source, extract, stream, records fetched, normalised, duplicates, quarantined."""

    def __init__(self) -> None:
        self._rows: list[tuple[str | int, ...]] = []

    def add(self, *row: str | int) -> None:
        """One more line."""
        self._rows.append(row)

    def write(self, con: duckdb.DuckDBPyConnection) -> None:
        """Store all lines."""
        insert_rows(con, "ops.loads", self._rows)


def load_streams(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    root: Path,
    batch: Sequence[Manifest],
    folder: Path,
    limit: int | None,
) -> None:
    """All streams of a batch. `folder` is an empty one, for copies of files.

    With a limit for the length of a line, in bytes, each line is looked at before. Raises ContractError when the records of an
    extract do not add up, NotTogether when a batch of several has to be loaded in pieces.
    """
    quarantine.begin_batch(con)
    ledger = Ledger()
    # Custom records come last: their files matter only where something of users is in quarantine.
    for source in sorted({manifest.source for manifest in batch}, key=lambda name: (name == "custom", name)):
        manifests = [manifest for manifest in batch if manifest.source == source]
        parts = _parts(con, catalog, root, source, manifests, ledger)
        tombstones = parts.pop(TOMBSTONES, None)  # read first, because any other stream may take one back
        missing = _read(con, tombstones, _MISSING, folder, limit) if tombstones else None
        con.execute(
            "CREATE OR REPLACE TEMP TABLE returned (of_stream VARCHAR, external_id VARCHAR, extract_id VARCHAR)"
        )
        for part in parts.values():
            reading = _read(con, part, _DELTA, folder, limit)
            if f"raw.{source}_{TOMBSTONES}" in catalog:
                _take_back_tombstones(con, part, missing is not None)
            _settle(con, part, _DELTA, reading, ledger)
        if tombstones and missing:
            _settle(con, tombstones, _MISSING, missing, ledger)
    quarantine.end_batch(con, [manifest.extract_id for manifest in batch])
    ledger.write(con)


def _parts(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    root: Path,
    source: str,
    manifests: Sequence[Manifest],
    ledger: Ledger,
) -> dict[str, Part]:
    """Stream -> what is to be read of it. What holds no record and what nobody reads is counted here."""
    readers = {model.stream: model for model in catalog.of_layer("raw") if model.source == source}
    files: dict[str, list[tuple[str, LandedFile]]] = {}
    for manifest in manifests:
        streams: dict[str, list[LandedFile]] = {}
        for file in manifest.files:
            streams.setdefault(file.stream, []).append(file)
        for stream, landed in streams.items():
            records = sum(file.records for file in landed)
            if stream not in readers:
                quarantine.set_aside(con, manifest, stream, records)
                ledger.add(source, manifest.extract_id, stream, records, 0, 0, records)
            elif records:
                files.setdefault(stream, []).extend((manifest.extract_id, file) for file in landed if file.records)
            else:
                ledger.add(source, manifest.extract_id, stream, 0, 0, 0, 0)
        if not manifest.files:
            ledger.add(source, manifest.extract_id, "", 0, 0, 0, 0)
    return {stream: Part(readers[stream], source, files[stream], root) for stream in sorted(files)}


def _read(con: duckdb.DuckDBPyConnection, part: Part, table: str, folder: Path, limit: int | None) -> Reading:
    """Read all files of a part into a temporary table, those with what DuckDB cannot read as copies without it."""
    marked = {extract_id for extract_id, file in part.files if file.marked}
    looked_at = [path for path, (extract_id, _) in part.paths.items() if limit or extract_id in marked]
    copies = Mended(folder)
    mend(copies, looked_at, part.root, limit or LIMITS[0])
    counts = _read_files(con, part, table, copies)
    if not limit and any(rejects for _, rejects, _ in counts.values()):  # perhaps for one character
        more = [path for path in _with_rejects(con, part, table) if path not in set(looked_at)]
        if mend(copies, more, part.root, LIMITS[0]):
            counts = _read_files(con, part, table, copies)
    if copies.left_out and len(part.extracts) > 1:
        raise NotTogether
    for extract_id, promised in part.extracts.items():
        found = counts.get(extract_id, (0, 0, 0))[0] + len(copies.left_out)
        if found != promised:
            raise ContractError(
                f"{part.source}/{extract_id}: {promised} records were landed in {part.stream} but {found} can be read back; "
                "move that folder out of the landing zone and pull again with --full-refresh."
            )
    return Reading(counts, copies)


def _read_files(
    con: duckdb.DuckDBPyConnection, part: Part, table: str, copies: Mended
) -> dict[str, tuple[int, int, int]]:
    """Extract -> the number of rows, of rejects and of distinct keys."""
    read = set() if copies.copies else ahead.take(con, part.model, set(part.paths), table)
    if left := [path for path in part.paths if path not in read]:
        point_at(con, *copies.instead_of(left, part.root))
        # Its rowid is the order of reading. A row_number() over the files would say the same on one thread instead of all.
        begin = f"INSERT INTO {table}" if read else f"CREATE OR REPLACE TEMP TABLE {table} AS"
        con.execute(f"{begin} {part.model.sql}")
    key = ", ".join(part.model.key)
    found = con.execute(
        f"SELECT {part.extract_of_row}, count(*), count(reject_reason), "
        f"count(DISTINCT CASE WHEN reject_reason IS NULL THEN ({key}) END) FROM {table} GROUP BY ALL"
    ).fetchall()
    counts = {str(extract_id): (rows, rejects, distinct) for extract_id, rows, rejects, distinct in found}
    if not counts.keys() <= part.extracts.keys():  # a table of another package may write landed_in in its own way
        raise NotTogether
    return counts


def _with_rejects(con: duckdb.DuckDBPyConnection, part: Part, table: str) -> list[str]:
    """The files that a record was rejected of, all of them where the table does not tell."""
    found = con.execute(
        rf"SELECT DISTINCT regexp_extract(landed_in, '^(.*?\.jsonl\.zst)', 1) FROM {table} WHERE reject_reason IS NOT NULL"
    ).fetchall()
    names = {name for (name,) in found}
    return [path for path in part.paths if path in names] if names <= part.paths.keys() else list(part.paths)


def _take_back_tombstones(con: duckdb.DuckDBPyConnection, part: Part, is_any_new: bool) -> None:
    """Records that are landed again exist again. Of the tombstones in this batch, those of earlier extracts are taken back later."""
    con.execute(
        f"DELETE FROM raw.{part.source}_{TOMBSTONES} AS old USING {_DELTA} AS new "
        f"WHERE old.of_stream = ? AND old.external_id = new.{part.identity}",
        [part.stream],
    )
    if is_any_new:
        con.execute(
            f"""INSERT INTO returned SELECT ?, {part.identity}, max({part.extract_of_row}) FROM {_DELTA}
            WHERE {part.identity} IN (SELECT external_id FROM {_MISSING}) GROUP BY ALL""",
            [part.stream],
        )


def _settle(con: duckdb.DuckDBPyConnection, part: Part, table: str, reading: Reading, ledger: Ledger) -> None:
    """Rejects into the quarantine, the newest payload per key into the raw table, the counts into the ledger."""
    model, counts, left_out = part.model, reading.counts, len(reading.copies.left_out)
    quarantine.forget_read(con, part.source, part.stream, part.identity, table)
    if part.source in NOT_PULLED:
        if reading.rejects or part.source != "custom" or quarantine.holds_given(con):
            quarantine.note_files(con, part.extract_of_row, table)
        if reading.rejects:
            paths = [path for path in part.paths if path in set(_with_rejects(con, part, table))]
            point_at(con, *reading.copies.instead_of(paths, part.root))
            quarantine.note_bad_content(con, part.source, part.extract_of_row, table)
    if reading.rejects:
        quarantine.add_rejects(con, part.source, part.stream, part.identity, part.extract_of_row, table)
    quarantine.add_left_out(con, part.source, part.stream, reading.copies.left_out)
    marked = reading.copies.marked_in(part.paths, part.root)
    quarantine.note_marked(con, part.source, part.stream, part.identity, part.extract_of_row, marked, table)
    if reading.rejects:
        con.execute(f"DELETE FROM {table} WHERE reject_reason IS NOT NULL")
    if part.stream == TOMBSTONES:  # those of an extract count after its records
        con.execute(
            f"""DELETE FROM {table} AS old USING returned AS new WHERE old.of_stream = new.of_stream
            AND old.external_id = new.external_id AND {part.extract_of_row} < new.extract_id"""
        )
    _keep_newest(con, part, table, reading)
    same = " AND ".join(f"old.{column} = new.{column}" for column in model.key)
    con.execute(f"DELETE FROM {model.table} AS old USING {table} AS new WHERE {same}")
    con.execute(f"INSERT INTO {model.table} BY NAME SELECT * EXCLUDE (reject_reason) FROM {table}")
    con.execute(f"DROP TABLE {table}")
    for extract_id, promised in part.extracts.items():
        rows, rejects, distinct = counts.get(extract_id, (0, 0, 0))
        repeats = rows - rejects - distinct
        ledger.add(part.source, extract_id, part.stream, promised, distinct, repeats, rejects + left_out)


def _keep_newest(con: duckdb.DuckDBPyConnection, part: Part, table: str, reading: Reading) -> None:
    """Leave one row per key in `table`, none where the raw table has a newer one.

    Of one extract that with the highest version counts, else the last one. It replaces what older extracts gave unless its version
    is lower (a late re-delivery); a row without a version replaces every older one.
    """
    model = part.model
    version = model.version or "NULL"
    key = ", ".join(model.key)
    same = " AND ".join(f"old.{column} = new.{column}" for column in model.key)
    forgotten = ""
    if reading.has_repeats:
        both = " AND ".join(f"d.{column} IS NOT DISTINCT FROM r.{column}" for column in model.key)
        keys = ", ".join(f"d.{column}" for column in model.key)
        # Files that were read ahead do not stand in the order of landing.
        file = "d.landed_in" if model.by_record else "NULL"
        con.execute(
            f"""CREATE OR REPLACE TEMP TABLE places AS
            WITH repeated AS (SELECT {key} FROM {table} GROUP BY ALL HAVING count(*) > 1),
            found AS (
                SELECT {keys}, d.rowid AS landed_row, {file} AS file, {version} AS version, {part.extract_of_row} AS extract_id
                FROM {table} AS d JOIN repeated AS r ON {both}
            ),
            first AS (
                SELECT *, row_number() OVER (
                    PARTITION BY {key}, extract_id ORDER BY version DESC NULLS LAST, file DESC, landed_row DESC) AS place
                FROM found
            ),
            last AS (
                SELECT *, max(CASE WHEN version IS NULL THEN extract_id END) OVER (PARTITION BY {key}) AS reset_by
                FROM first WHERE place = 1
            )
            SELECT {key}, landed_row, reset_by IS NOT NULL AS is_reset, row_number() OVER (
                PARTITION BY {key}
                ORDER BY extract_id >= coalesce(reset_by, '') DESC, version DESC NULLS LAST, extract_id DESC) AS place
            FROM last"""
        )
        con.execute(
            f"""DELETE FROM {table} WHERE rowid IN (
                SELECT d.rowid FROM {table} AS d JOIN (SELECT DISTINCT {key} FROM places) AS r ON {both}
                EXCEPT SELECT landed_row FROM places WHERE place = 1)"""
        )
        forgotten = "AND new.rowid NOT IN (SELECT landed_row FROM places WHERE place = 1 AND is_reset)"
    if model.version:
        con.execute(
            f"DELETE FROM {table} AS new USING {model.table} AS old "
            f"WHERE {same} AND new.{model.version} < old.{model.version} {forgotten}"
        )
    con.execute("DROP TABLE IF EXISTS places")
