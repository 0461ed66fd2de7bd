"""Loads the landing zone into the raw tables of the working database, each extract whole or not at all, every record accounted for.

What belongs here: which extracts are new, the newest payload per key, rejects into `ops.quarantine`, the counts into
`ops.loads`. What does not: a vendor's field, which is the matter of `sql/raw`, and what is built of the raw tables.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import zstandard

from mttr_pipeline.config.settings import Settings
from mttr_pipeline.errors import ContractError
from mttr_pipeline.landing.manifest import LandedFile, Manifest, disbelieved
from mttr_pipeline.landing.store import NOT_PULLED, TOMBSTONES, UNDONE, Landing
from mttr_pipeline.warehouse.fingerprint import raw_fingerprint
from mttr_pipeline.warehouse.histories import record_histories
from mttr_pipeline.warehouse.mending import LIMITS, mended
from mttr_pipeline.warehouse.models import Model
from mttr_pipeline.warehouse.quarantine import clear_by_content, clear_by_file, note_marked, quarantine_long_lines

if TYPE_CHECKING:  # the catalog tries out tables of other packages with what is here
    from mttr_pipeline.warehouse.catalog import Catalog

OPS = """
CREATE SCHEMA IF NOT EXISTS ops;
CREATE TABLE IF NOT EXISTS ops.loads (
    source VARCHAR, extract_id VARCHAR, stream VARCHAR,
    fetched BIGINT, normalised BIGINT, duplicates BIGINT, quarantined BIGINT
);
CREATE TABLE IF NOT EXISTS ops.quarantine (
    source VARCHAR, stream VARCHAR, external_id VARCHAR, reason VARCHAR, extract_id VARCHAR, raw_reference VARCHAR
);
CREATE TABLE IF NOT EXISTS ops.marked (source VARCHAR, stream VARCHAR, external_id VARCHAR, raw_reference VARCHAR);
CREATE TABLE IF NOT EXISTS ops.quarantine_content (source VARCHAR, extract_id VARCHAR, raw_reference VARCHAR, content VARCHAR);
CREATE TABLE IF NOT EXISTS ops.fingerprint (value VARCHAR);
CREATE TABLE IF NOT EXISTS ops.builds (table_name VARCHAR, run_id VARCHAR);
CREATE OR REPLACE TABLE ops.facts (source VARCHAR, extract_id VARCHAR, fact VARCHAR, n BIGINT);
CREATE OR REPLACE TABLE ops.out_of_sight (source VARCHAR, extract_id VARCHAR, group_name VARCHAR, n BIGINT);
CREATE OR REPLACE TABLE ops.attempts (
    source VARCHAR, extract_id VARCHAR, run_id VARCHAR, started_at TIMESTAMP, finished_at TIMESTAMP, status VARCHAR,
    requests BIGINT, fetched BIGINT, since VARCHAR, until VARCHAR, error VARCHAR, data_as_of TIMESTAMP
);
CREATE OR REPLACE TABLE ops.histories (source VARCHAR, complete_since TIMESTAMP);
CREATE OR REPLACE TABLE ops.differences (source VARCHAR, extract_id VARCHAR, stream VARCHAR, expected BIGINT, received BIGINT);
"""


def load(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, landing: Landing, sources: Iterable[str] | None = None
) -> int:
    """Load every complete extract that is not in yet, oldest first; gives the number of records read.

    Raises ContractError when a complete extract is lost, a landing file is corrupt, or its records do not add up.
    """
    manifests = landing.manifests()
    landing.require_everything(manifests, sources)
    _record_attempts(con, manifests)
    _record_facts(con, manifests)
    _record_differences(con, manifests)
    record_histories(con, manifests)
    _forget_undone(con, catalog, manifests, sources)
    loaded = _loaded(con)
    total = 0
    for manifest in manifests:
        if manifest.status != "complete" or f"{manifest.source}/{manifest.extract_id}" in loaded:
            continue
        if sources is not None and manifest.source not in sources:
            continue
        landing.verify(manifest)
        total += _load_extract(con, catalog, landing, manifest)
    return total


def _loaded(con: duckdb.DuckDBPyConnection) -> set[str]:
    return {row[0] for row in con.execute("SELECT DISTINCT source || '/' || extract_id FROM ops.loads").fetchall()}


def _forget_undone(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, manifests: list[Manifest], sources: Iterable[str] | None
) -> None:
    """Take back what was loaded of an import that is undone since. It may have replaced older payloads, which only the landing zone
    still has, so everything of its source is loaded anew."""
    loaded = _loaded(con)
    undone = {m.source for m in manifests if m.status == UNDONE and f"{m.source}/{m.extract_id}" in loaded}
    for source in sorted(undone if sources is None else undone.intersection(sources)):
        con.execute("BEGIN")
        for model in catalog.of_layer("raw"):
            if model.source == source:
                con.execute(f"DELETE FROM {model.table}")
        for table in ("loads", "quarantine", "quarantine_content", "marked"):
            con.execute(f"DELETE FROM ops.{table} WHERE source = ?", [source])
        con.execute("COMMIT")


def _load_extract(con: duckdb.DuckDBPyConnection, catalog: Catalog, landing: Landing, manifest: Manifest) -> int:
    """All streams of one extract, in one transaction: it is in whole or not at all."""
    for limit in (None, *LIMITS):
        try:
            _load_streams(con, catalog, landing, manifest, limit)
            break
        except duckdb.Error:  # perhaps for one long line; to look at every line before is too slow
            if limit == LIMITS[-1]:
                raise
    return manifest.records


def _load_streams(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, landing: Landing, manifest: Manifest, limit: int | None
) -> None:
    """Without a limit for the length of a line, lines are not looked at before they are loaded."""
    con.execute("BEGIN")
    try:
        readers = {model.stream: model for model in catalog.of_layer("raw") if model.source == manifest.source}
        streams = {file.stream for file in manifest.files}
        for stream in sorted(streams, key=lambda name: (name == TOMBSTONES, name)):
            files = [file for file in manifest.files if file.stream == stream]
            records = sum(file.records for file in files)
            if stream in readers:
                with tempfile.TemporaryDirectory(prefix=".load-", dir=landing.root.parent) as folder:
                    _load_stream(con, catalog, readers[stream], manifest, landing.root, files, Path(folder), limit)
            else:
                _set_aside(con, manifest, stream, records)
        if not manifest.files:
            con.execute("INSERT INTO ops.loads VALUES (?, ?, '', 0, 0, 0, 0)", [manifest.source, manifest.extract_id])
        con.execute("COMMIT")
    except BaseException:
        con.execute("ROLLBACK")
        raise


def _set_aside(con: duckdb.DuckDBPyConnection, manifest: Manifest, stream: str, records: int) -> None:
    """Count a stream that no source reads: its source was taken out of mttr.toml, or its package is not installed (any more)."""
    reason = f"{records} records of a stream that no installed and configured source reads"
    con.execute(
        "INSERT INTO ops.quarantine VALUES (?, ?, NULL, ?, ?, ?)",
        [manifest.source, stream, reason, manifest.extract_id, f"{manifest.source}/{manifest.extract_id}/{stream}"],
    )
    con.execute(
        "INSERT INTO ops.loads VALUES (?, ?, ?, ?, 0, 0, ?)",
        [manifest.source, manifest.extract_id, stream, records, records],
    )


def _load_stream(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    model: Model,
    manifest: Manifest,
    root: Path,
    files: list[LandedFile],
    folder: Path,
    limit: int | None,
) -> None:
    """Newest payload per key into the raw table, rejects into quarantine, the counts into the ledger.

    With a limit for the length of a line, each is looked at before; `folder` is an empty one, for copies of files.
    """
    promised = sum(file.records for file in files)
    paths = [str(root / manifest.source / manifest.extract_id / file.file) for file in files]
    has_marks = any(file.marked for file in files)
    copies = mended(paths, root, folder, limit or LIMITS[0]) if limit or has_marks else None
    fetched, quarantined, distinct = _read_delta(
        con, model, copies.paths if copies else paths, copies.root if copies else root
    )
    if (
        quarantined and not (limit or has_marks) and (copies := mended(paths, root, folder))
    ):  # perhaps for one character
        fetched, quarantined, distinct = _read_delta(con, model, copies.paths, copies.root)
    long_lines = copies.long_lines if copies else []
    key = ", ".join(model.key)
    if fetched + len(long_lines) != promised:
        raise ContractError(
            f"{manifest.source}/{manifest.extract_id}: {promised} records were landed in {model.stream} but "
            f"{fetched + len(long_lines)} can be read back; move that folder out of the landing zone and pull again with "
            "--full-refresh."
        )
    identity, stream = model.key[0], model.stream or ""
    # Alive again; those of this extract come after it.
    if f"raw.{manifest.source}_{TOMBSTONES}" in catalog and model.stream != TOMBSTONES:
        con.execute(
            f"DELETE FROM raw.{manifest.source}_{TOMBSTONES} AS old USING delta AS new "
            f"WHERE old.of_stream = ? AND old.external_id = new.{identity}::VARCHAR",
            [model.stream],
        )
    con.execute(
        f"DELETE FROM ops.quarantine AS old USING delta AS new WHERE old.source = ? AND old.stream = ? "
        f"AND old.external_id = new.{identity}::VARCHAR",
        [manifest.source, model.stream],
    )
    if manifest.source in NOT_PULLED:
        clear_by_file(con, manifest)
        if quarantined:
            clear_by_content(con, manifest)
    con.execute(
        f"INSERT INTO ops.quarantine SELECT ?, ?, {identity}::VARCHAR, reject_reason, ?, landed_in "
        "FROM delta WHERE reject_reason IS NOT NULL",
        [manifest.source, model.stream, manifest.extract_id],
    )
    quarantine_long_lines(con, manifest, stream, root, long_lines, limit or LIMITS[0])
    marked = copies.paths if copies else [path for path, file in zip(paths, files, strict=True) if file.marked]
    note_marked(con, manifest.source, stream, identity, copies.root if copies else root, marked)
    if quarantined:
        con.execute("DELETE FROM delta WHERE reject_reason IS NOT NULL")
    if distinct != fetched - quarantined:
        order = f"{model.version} DESC NULLS LAST, rowid DESC" if model.version else "rowid DESC"
        con.execute(
            f"""DELETE FROM delta WHERE rowid IN (SELECT landed_row FROM (
                SELECT rowid AS landed_row, row_number() OVER (PARTITION BY {key} ORDER BY {order}) AS place FROM delta
            ) WHERE place > 1)"""
        )
    same = " AND ".join(f"old.{column} = new.{column}" for column in model.key)
    if model.version:  # a payload that is older than the one we have (a late re-delivery) does not replace it
        con.execute(
            f"DELETE FROM delta AS new USING {model.table} AS old WHERE {same} AND new.{model.version} < old.{model.version}"
        )
    con.execute(f"DELETE FROM {model.table} AS old USING delta AS new WHERE {same}")
    con.execute(f"INSERT INTO {model.table} BY NAME SELECT * EXCLUDE (reject_reason) FROM delta")
    con.execute(
        "INSERT INTO ops.loads VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            *(manifest.source, manifest.extract_id, model.stream),
            *(promised, distinct, fetched - quarantined - distinct, quarantined + len(long_lines)),
        ],
    )
    con.execute("DROP TABLE delta")


def _read_delta(con: duckdb.DuckDBPyConnection, model: Model, paths: list[str], root: Path) -> tuple[int, int, int]:
    """Read the files into the table `delta`; gives the number of rows, of rejects and of distinct keys."""
    _point_at(con, paths, root)
    # Its rowid is the order of landing. A row_number() over the files would say the same on one thread instead of all.
    con.execute(f"CREATE OR REPLACE TEMP TABLE delta AS {model.sql}")
    key = ", ".join(model.key)
    count = con.execute(
        f"SELECT count(*), count(reject_reason), count(DISTINCT CASE WHEN reject_reason IS NULL THEN ({key}) END) FROM delta"
    ).fetchone()
    assert count is not None
    return count


def create_raw_tables(con: duckdb.DuckDBPyConnection, models: Iterable[Model]) -> None:
    """An empty table for every stream that was never loaded, so that models can select from it."""
    present = {
        row[0] for row in con.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'raw'").fetchall()
    }
    missing = [model for model in models if model.name not in present]
    if not missing:
        return
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.jsonl.zst"
        empty.write_bytes(zstandard.compress(b""))
        _point_at(con, [str(empty)], Path(folder))
        for model in missing:
            con.execute(f"CREATE TABLE {model.table} AS SELECT * EXCLUDE (reject_reason) FROM ({model.sql}) LIMIT 0")


def _point_at(con: duckdb.DuckDBPyConnection, files: list[str], root: Path) -> None:
    """Say which files the macro `landed` reads, and what to cut off their names."""
    con.execute("SET VARIABLE files = ?", [files])
    con.execute("SET VARIABLE landing_root = ?", [f"{root}/"])


def _record_attempts(con: duckdb.DuckDBPyConnection, manifests: list[Manifest]) -> None:
    """What every pull did, the failed ones too, for `source_runs`."""
    con.execute("DELETE FROM ops.attempts")
    rows: list[list[Any]] = []
    ahead = disbelieved(manifests)
    for manifest in manifests:
        for attempt in manifest.attempts:
            final = attempt is manifest.attempts[-1] and manifest.status == "complete"
            # A pull without a high-water mark (it filled a gap, or had the same clock again) does not extend what is known.
            # Nor does one whose mark a later pull did not believe.
            mark = None if manifest.extract_id in ahead else manifest.high_water
            data_as_of = mark or (attempt.finished_at if manifest.source in NOT_PULLED else None)
            rows.append(
                [
                    *(manifest.source, manifest.extract_id, attempt.run_id),
                    *(_utc(attempt.started_at), _utc(attempt.finished_at), attempt.status, attempt.requests),
                    manifest.records if final else 0,
                    *(manifest.plan.get("since"), manifest.plan.get("until"), attempt.error),
                    _utc(data_as_of) if final and data_as_of else None,
                ]
            )
    if rows:
        con.executemany(f"INSERT INTO ops.attempts VALUES ({', '.join('?' * 12)})", rows)


def _record_differences(con: duckdb.DuckDBPyConnection, manifests: list[Manifest]) -> None:
    """Where a listing held fewer records than the vendor's own count of it; a full pull of a source settles earlier ones."""
    con.execute("DELETE FROM ops.differences")
    for manifest in manifests:
        if manifest.status != "complete":
            continue
        if manifest.plan.get("mode") != "incremental":
            con.execute("DELETE FROM ops.differences WHERE source = ?", [manifest.source])
        for found in manifest.facts.get("count_differences", []):
            con.execute(
                "INSERT INTO ops.differences VALUES (?, ?, ?, ?, ?)",
                [manifest.source, manifest.extract_id, found["stream"], found["expected"], found["received"]],
            )


def _record_facts(con: duckdb.DuckDBPyConnection, manifests: list[Manifest]) -> None:
    """What the pulls noticed on their way."""
    con.execute("DELETE FROM ops.facts")
    rows = [
        [manifest.source, manifest.extract_id, fact, n]
        for manifest in manifests
        if manifest.status == "complete"
        for fact, n in _facts(manifest).items()
    ]
    if rows:
        con.executemany("INSERT INTO ops.facts VALUES (?, ?, ?, ?)", rows)
    con.execute("DELETE FROM ops.out_of_sight")
    newest = {manifest.source: manifest for manifest in manifests if manifest.status == "complete"}
    for source, manifest in newest.items():  # an earlier pull's answer is out of date
        for group, n in manifest.facts.get("out_of_sight", {}).items():
            con.execute("INSERT INTO ops.out_of_sight VALUES (?, ?, ?, ?)", [source, manifest.extract_id, group, n])


def start_over_if_outdated(con: duckdb.DuckDBPyConnection, catalog: Catalog, settings: Settings) -> None:
    """When what shapes the raw tables changes, everything is loaded anew."""
    value = raw_fingerprint(catalog, settings)
    found = con.execute("SELECT value FROM ops.fingerprint").fetchone()
    if found is None or found[0] != value:
        start_over(con, catalog)
        con.execute("INSERT INTO ops.fingerprint VALUES (?)", [value])


def start_over(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Forget everything that was loaded; the next `load` reads the whole landing zone."""
    con.execute("DROP SCHEMA raw CASCADE; CREATE SCHEMA raw")
    con.execute(
        "DELETE FROM ops.loads; DELETE FROM ops.quarantine; DELETE FROM ops.quarantine_content; DELETE FROM ops.marked; "
        "DELETE FROM ops.fingerprint"
    )
    create_raw_tables(con, catalog.of_layer("raw"))


def _facts(manifest: Manifest) -> dict[str, int]:
    """Fact -> number."""
    counted: dict[str, Any] = dict(manifest.facts.get("counts", {}))
    windows = manifest.facts.get("audit", {}).get("postponed", {})
    counted["audit_windows_postponed"] = sum(len(keys) for keys in windows.values())
    return {fact: int(n) for fact, n in sorted(counted.items()) if n}


def _utc(text: str) -> datetime:
    """An ISO instant as the naive UTC that TIMESTAMP columns hold."""
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
