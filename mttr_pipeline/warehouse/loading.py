"""Loads the landing zone into the raw tables of the working database, each extract whole or not at all, every record accounted for.

Extracts are loaded together, one statement for all files of a stream: planning a statement takes longer than reading the files of a
night. What comes out is what loading them one after the other gives, row for row. Where one of them cannot be loaded, the others
are loaded without it.

What belongs here: which extracts are new, and which are loaded together. What does not: the streams of a batch (`streams`), what
the pulls did (`pulls`), a vendor's field, which is the matter of `sql/raw`, and what is built of the raw tables.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import zstandard

from mttr_pipeline.config.settings import Settings
from mttr_pipeline.errors import ContractError
from mttr_pipeline.landing import completed
from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.landing.store import UNDONE, Landing
from mttr_pipeline.warehouse import ahead, removals
from mttr_pipeline.warehouse.columns import columns_of
from mttr_pipeline.warehouse.fingerprint import raw_fingerprint
from mttr_pipeline.warehouse.mending import LIMITS
from mttr_pipeline.warehouse.models import Model
from mttr_pipeline.warehouse.preparation import point_at
from mttr_pipeline.warehouse.pulls import PULLS, record_pulls
from mttr_pipeline.warehouse.streams import NotTogether, load_streams
from mttr_pipeline.warehouse.transaction import transaction

if TYPE_CHECKING:  # the catalog tries out tables of other packages with what is here
    from mttr_pipeline.warehouse.catalog import Catalog

OPS = f"""
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
{removals.TABLES}
{PULLS}
"""

#: Compressed bytes that are loaded together, about a gigabyte of JSON, so that a rebuild needs no more memory than a backfill.
TOGETHER = 64_000_000


def load(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, landing: Landing, sources: Iterable[str] | None = None
) -> int:
    """Load every complete extract that is not in yet, oldest first; gives the number of records read.

    Raises ContractError when a complete extract is lost, a landing file is corrupt, or its records do not add up; what is older is
    loaded then.
    """
    manifests = landing.manifests()
    completed.require(landing.root, manifests, sources)
    removed = completed.removed(landing.root)
    record_pulls(con, manifests, removed)
    with transaction(con):
        removals.note_removals(con, removed, manifests, _loaded(con))
    _forget_undone(con, catalog, manifests, removed, sources)
    loaded = _loaded(con)
    new = [
        manifest
        for manifest in manifests
        if manifest.status == "complete"
        and f"{manifest.source}/{manifest.extract_id}" not in loaded
        and (sources is None or manifest.source in sources)
    ]
    try:
        return sum(_load_together(con, catalog, landing, batch) for batch in _batches(new))
    finally:
        ahead.forget(con)


def _batches(manifests: Sequence[Manifest]) -> Iterator[list[Manifest]]:
    """The extracts in pieces that are loaded together."""
    batch: list[Manifest] = []
    size = 0
    for manifest in manifests:
        more = sum(file.bytes for file in manifest.files)
        if batch and size + more > TOGETHER:
            yield batch
            batch, size = [], 0
        batch.append(manifest)
        size += more
    if batch:
        yield batch


def _load_together(con: duckdb.DuckDBPyConnection, catalog: Catalog, landing: Landing, batch: list[Manifest]) -> int:
    """All extracts of a batch in one transaction. When that fails, each half for itself, down to the extract that is the reason."""
    try:
        _load_batch(con, catalog, landing, batch, None)
    except (duckdb.Error, ContractError, NotTogether) as error:
        if len(batch) > 1:
            middle = len(batch) // 2
            return sum(_load_together(con, catalog, landing, half) for half in (batch[:middle], batch[middle:]))
        if isinstance(error, ContractError):
            raise
        _load_with_limits(con, catalog, landing, batch)
    return sum(manifest.records for manifest in batch)


def _load_with_limits(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, landing: Landing, batch: list[Manifest]
) -> None:
    """Perhaps it failed for one long line; to look at every line before is too slow."""
    for limit in LIMITS:
        try:
            _load_batch(con, catalog, landing, batch, limit)
            break
        except duckdb.Error:
            if limit == LIMITS[-1]:
                raise


def _load_batch(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, landing: Landing, batch: list[Manifest], limit: int | None
) -> None:
    """Without a limit for the length of a line, lines are not looked at before they are loaded."""
    with (
        landing.available(batch) as root,
        tempfile.TemporaryDirectory(prefix=".load-", dir=landing.root.parent) as folder,
    ):
        for manifest in batch:
            landing.verify(manifest, root)
        with transaction(con):
            load_streams(con, catalog, root, batch, Path(folder), limit)


def _loaded(con: duckdb.DuckDBPyConnection) -> set[str]:
    return {row[0] for row in con.execute("SELECT DISTINCT source || '/' || extract_id FROM ops.loads").fetchall()}


def _forget_undone(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    manifests: list[Manifest],
    removed: Sequence[completed.Completed],
    sources: Iterable[str] | None,
) -> None:
    """Take back what was loaded of an import that is undone since, or of an extract that was removed for its age. It may have
    replaced other payloads, which only the landing zone still has, so everything of its source is loaded anew."""
    loaded = _loaded(con)
    undone = {m.source for m in manifests if m.status == UNDONE and f"{m.source}/{m.extract_id}" in loaded}
    present = {(m.source, m.extract_id) for m in manifests}
    undone |= {
        r.source for r in removed if (r.source, r.extract_id) not in present and f"{r.source}/{r.extract_id}" in loaded
    }
    for source in sorted(undone if sources is None else undone.intersection(sources)):
        with transaction(con):
            for model in catalog.of_layer("raw"):
                if model.source == source:
                    con.execute(f"DELETE FROM {model.table}")
            for table in ("loads", "quarantine", "quarantine_content", "marked"):
                con.execute(f"DELETE FROM ops.{table} WHERE source = ?", [source])


def create_raw_tables(con: duckdb.DuckDBPyConnection, models: Iterable[Model], catalog: Catalog | None = None) -> None:
    """An empty table for every stream that was never loaded, so that models can select from it.

    With a catalog, columns whose types are known for this very SQL are taken from there: planning the SELECT of every table takes
    half a second.
    """
    present = {
        row[0] for row in con.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'raw'").fetchall()
    }
    missing = [model for model in models if model.name not in present]
    if not missing:
        return
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.jsonl.zst"
        empty.write_bytes(zstandard.compress(b""))
        point_at(con, [str(empty)], Path(folder))
        con.execute(
            "; ".join(_creation(model, columns_of(catalog, model).types if catalog else {}) for model in missing)
        )


def _creation(model: Model, types: Mapping[str, str]) -> str:
    """SQL that makes the empty table."""
    if types:
        columns = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
        return f"CREATE TABLE {model.table} ({columns})"
    return f"CREATE TABLE {model.table} AS SELECT * EXCLUDE (reject_reason) FROM ({model.sql}) LIMIT 0"


def start_over_if_outdated(con: duckdb.DuckDBPyConnection, catalog: Catalog, settings: Settings) -> None:
    """When what shapes the raw tables changes, everything is loaded anew."""
    value = raw_fingerprint(catalog, settings)
    found = con.execute("SELECT value FROM ops.fingerprint").fetchone()
    if found is None or found[0] != value:
        start_over(con, catalog)
        con.execute("INSERT INTO ops.fingerprint VALUES (?)", [value])


def start_over(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Forget everything that was loaded; the next `load` reads the whole landing zone."""
    with transaction(con):
        con.execute("DROP SCHEMA raw CASCADE; CREATE SCHEMA raw")
        con.execute(
            "DELETE FROM ops.loads; DELETE FROM ops.quarantine; DELETE FROM ops.quarantine_content; DELETE FROM ops.marked; "
            "DELETE FROM ops.fingerprint"
        )
        create_raw_tables(con, catalog.of_layer("raw"), catalog)
