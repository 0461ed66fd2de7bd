"""The quarantine while extracts are loaded: what enters it, and what leaves it because it was read since.

What belongs here: the tables ops.quarantine, ops.quarantine_content and ops.marked. What does not: judging a record, which its SQL
does, and mending a line (`mending`).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb

from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.warehouse.mending import LongLine, marked_records


def quarantine_long_lines(
    con: duckdb.DuckDBPyConnection, manifest: Manifest, stream: str, root: Path, lines: Iterable[LongLine], limit: int
) -> None:
    """List the lines that were left out, each record once."""
    for line in lines:
        reason = f"the record has {line.size / 1e6:.1f} MB, more than the {limit // 1_000_000} MB that can be loaded"
        con.execute(
            "DELETE FROM ops.quarantine WHERE source = ? AND stream = ? AND external_id = ?",
            [manifest.source, stream, line.identity],
        )
        con.execute(
            "INSERT INTO ops.quarantine VALUES (?, ?, ?, ?, ?, ?)",
            [manifest.source, stream, line.identity, reason, manifest.extract_id, str(line.path.relative_to(root))],
        )


def note_marked(
    con: duckdb.DuckDBPyConnection, source: str, stream: str, identity: str, root: Path, paths: Iterable[str]
) -> None:
    """Note which records hold a replaced character; a record that came without one is no longer noted."""
    con.execute(
        f"DELETE FROM ops.marked AS old USING delta AS new WHERE old.source = ? AND old.stream = ? "
        f"AND old.external_id = new.{identity}::VARCHAR",
        [source, stream],
    )
    for external_id, path in marked_records(paths):
        con.execute(
            "INSERT INTO ops.marked VALUES (?, ?, ?, ?)",
            [source, stream, external_id, str(Path(path).relative_to(root))],
        )


def clear_by_file(con: duckdb.DuckDBPyConnection, manifest: Manifest) -> None:
    """What an earlier import of the same file could not read: the file is as it is now. A webhook body in the inbox is another
    delivery each time, whatever its file is called."""
    earlier = con.execute(
        "SELECT 1 FROM ops.quarantine WHERE source IN ('custom', 'inbox') AND extract_id <> ? LIMIT 1",
        [manifest.extract_id],
    ).fetchone()
    if earlier is None:  # looking for the files of all records takes a fifth of their load
        return
    con.execute(
        r"""DELETE FROM ops.quarantine AS old USING (
            SELECT DISTINCT regexp_extract(landed_in, ' \((.*):\d+\)$', 1) AS file FROM delta
        ) AS new
        WHERE old.source IN ('custom', 'inbox') AND old.extract_id <> ? AND new.file <> ''
            AND regexp_extract(old.raw_reference, ' \((.*):\d+\)$', 1) = new.file
            AND (old.source = 'custom' OR NOT starts_with(new.file, 'inbox/'))""",
        [manifest.extract_id],
    )


def clear_by_content(con: duckdb.DuckDBPyConnection, manifest: Manifest) -> None:
    """The same bad line from another file counts once."""
    con.execute(
        """CREATE OR REPLACE TEMP TABLE bad AS
        SELECT d.landed_in, md5(l.content) AS content
        FROM (
            SELECT landed_in || ' (' || file || ':' || line || ')' AS landed_in,
                coalesce(nullif(unreadable, ''), reason, record::VARCHAR, body::VARCHAR) AS content
            FROM landed({
                file: 'VARCHAR', line: 'BIGINT', unreadable: 'VARCHAR', reason: 'VARCHAR', record: 'JSON', body: 'JSON'
            })
        ) AS l
        JOIN (SELECT DISTINCT landed_in FROM delta WHERE reject_reason IS NOT NULL) AS d ON d.landed_in = l.landed_in"""
    )
    con.execute(
        """DELETE FROM ops.quarantine AS old USING ops.quarantine_content AS c, bad
        WHERE c.content = bad.content AND c.source = ? AND old.source = c.source AND old.extract_id = c.extract_id
            AND old.raw_reference = c.raw_reference AND old.extract_id <> ?""",
        [manifest.source, manifest.extract_id],
    )
    con.execute(
        "INSERT INTO ops.quarantine_content SELECT ?, ?, landed_in, content FROM bad",
        [manifest.source, manifest.extract_id],
    )
    con.execute("DROP TABLE bad")
