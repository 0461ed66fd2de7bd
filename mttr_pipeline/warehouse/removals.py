"""Which records were only in extracts that left the landing zone for their age, noted before the tables forget them.

What belongs here: `ops.removed`, `ops.removed_records`. What does not: which extracts go (`landing.retention`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import duckdb

from mttr_pipeline.landing.completed import Completed
from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.warehouse.preparation import insert_rows

TABLES = """
CREATE TABLE IF NOT EXISTS ops.removed (source VARCHAR, extract_id VARCHAR, is_known BOOLEAN);
CREATE TABLE IF NOT EXISTS ops.removed_records (extract VARCHAR, source VARCHAR, external_id VARCHAR);
"""


def note_removals(
    con: duckdb.DuckDBPyConnection,
    removed: Sequence[Completed],
    manifests: Sequence[Manifest],
    loaded: Collection[str],
) -> None:
    """Note the records whose newest payload stood in an extract that is removed now, as the last build knew them.

    `removed` are all extracts that were removed for their age, `manifests` those of the landing zone, `loaded` the extracts
    (`source/extract_id`) that are in the raw tables. Of an extract that this working database has not loaded, or of before its
    last build, nobody knows any more what it held: `is_known` is false.
    """
    present = {(m.source, m.extract_id) for m in manifests}
    gone = {(r.source, r.extract_id) for r in removed} - present
    noted = set(con.execute("SELECT source, extract_id FROM ops.removed").fetchall())
    for key in noted - gone:  # copied back from a backup
        con.execute("DELETE FROM ops.removed WHERE source = ? AND extract_id = ?", key)
        con.execute("DELETE FROM ops.removed_records WHERE extract = ?", ["/".join(key)])
    fresh = sorted(gone - noted)
    if not fresh:
        return
    is_built = con.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'core' AND table_name = 'vendor_records'"
    ).fetchall() != [(0,)]
    known = [
        f"{source}/{extract_id}" for source, extract_id in fresh if f"{source}/{extract_id}" in loaded and is_built
    ]
    insert_rows(con, "ops.removed", [(*key, "/".join(key) in known) for key in fresh])
    if known:
        con.execute(
            "INSERT INTO ops.removed_records SELECT e.extract, v.source, v.external_id FROM core.vendor_records AS v "
            "JOIN (SELECT unnest(?::VARCHAR[]) AS extract) AS e "
            "ON e.extract = split_part(v.landed_in, '/', 1) || '/' || split_part(v.landed_in, '/', 2)",
            [known],
        )
