"""The quarantine while extracts are loaded: what enters it, and what leaves it because it was read since.

The extracts of a batch enter together. What a later one of them would take out does not enter, so the result is that of loading one
after the other. Whatever tells a row's extract is SQL over the table that was read, `extract_of_row`; ids of extracts sort as they
are loaded.

What belongs here: the tables ops.quarantine, ops.quarantine_content and ops.marked. What does not: judging a record, which its SQL
does, and mending a line (`mending`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.warehouse.mending import LeftOut, marked_records


def begin_batch(con: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of what a batch brings that was given by users: files, and the text of bad lines."""
    con.execute("CREATE OR REPLACE TEMP TABLE given_files (extract_id VARCHAR, file VARCHAR)")
    con.execute(
        "CREATE OR REPLACE TEMP TABLE bad (source VARCHAR, extract_id VARCHAR, raw_reference VARCHAR, content VARCHAR)"
    )


def set_aside(con: duckdb.DuckDBPyConnection, manifest: Manifest, stream: str, records: int) -> None:
    """List a stream that no source reads: its source was taken out of mttr.toml, or its package is not installed (any more)."""
    reason = f"{records} records of a stream that no installed and configured source reads"
    con.execute(
        "INSERT INTO ops.quarantine VALUES (?, ?, NULL, ?, ?, ?)",
        [manifest.source, stream, reason, manifest.extract_id, f"{manifest.source}/{manifest.extract_id}/{stream}"],
    )


def forget_read(con: duckdb.DuckDBPyConnection, source: str, stream: str, identity: str, table: str) -> None:
    """Take out what came again, good or bad: its new payload is judged now."""
    for listed in ("quarantine", "marked"):
        con.execute(
            f"DELETE FROM ops.{listed} AS old USING {table} AS new WHERE old.source = ? AND old.stream = ? "
            f"AND old.external_id = new.{identity}",
            [source, stream],
        )


def add_rejects(
    con: duckdb.DuckDBPyConnection, source: str, stream: str, identity: str, extract_of_row: str, table: str
) -> None:
    """List the rows that cannot be used, but for those whose record came again in a later extract."""
    con.execute(
        f"""INSERT INTO ops.quarantine
        WITH rejects AS (
            SELECT rowid AS landed_row, {identity} AS external_id, reject_reason, {extract_of_row} AS extract_id, landed_in
            FROM {table} WHERE reject_reason IS NOT NULL
        ),
        newest AS (
            SELECT {identity} AS external_id, max({extract_of_row}) AS extract_id
            FROM {table} WHERE {identity} IN (SELECT external_id FROM rejects) GROUP BY ALL
        )
        SELECT ?, ?, r.external_id, r.reject_reason, r.extract_id, r.landed_in
        FROM rejects AS r LEFT JOIN newest AS n ON n.external_id = r.external_id
        WHERE r.extract_id >= coalesce(n.extract_id, '')
        ORDER BY r.landed_row""",
        [source, stream],
    )


def add_left_out(con: duckdb.DuckDBPyConnection, source: str, stream: str, lines: Iterable[LeftOut]) -> None:
    """List the lines of one extract that were left out, each record once."""
    for line in lines:
        con.execute(
            "DELETE FROM ops.quarantine WHERE source = ? AND stream = ? AND external_id = ?",
            [source, stream, line.identity],
        )
        con.execute(
            "INSERT INTO ops.quarantine VALUES (?, ?, ?, ?, ?, ?)",
            [source, stream, line.identity, line.reason, line.path.split("/")[1], line.path],
        )


def note_marked(
    con: duckdb.DuckDBPyConnection,
    source: str,
    stream: str,
    identity: str,
    extract_of_row: str,
    files: Sequence[tuple[str, Path]],
    table: str,
) -> None:
    """Note which records hold a replaced character; one that came without in a later extract is not noted.

    `files` are paths within the landing zone, with the file to look at.
    """
    found = [[source, stream, external_id, path] for path, copy in files for external_id in marked_records(copy)]
    if not found:
        return
    con.executemany("INSERT INTO ops.marked VALUES (?, ?, ?, ?)", found)
    con.execute(
        f"""DELETE FROM ops.marked AS old USING (
            SELECT {identity} AS external_id, max({extract_of_row}) AS extract_id FROM {table} GROUP BY ALL
        ) AS new
        WHERE old.source = ? AND old.stream = ? AND old.external_id = new.external_id
            AND split_part(old.raw_reference, '/', 2) < new.extract_id""",
        [source, stream],
    )


def holds_given(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether anything of users is in quarantine."""
    return bool(con.execute("SELECT 1 FROM ops.quarantine WHERE source IN ('custom', 'inbox') LIMIT 1").fetchall())


def note_files(con: duckdb.DuckDBPyConnection, extract_of_row: str, table: str) -> None:
    """Note which files of users the rows come from. Cutting off the number of the line first leaves few names to look into."""
    con.execute(
        rf"""INSERT INTO given_files
        SELECT DISTINCT extract_id, regexp_extract(place, ' \((.*):$', 1) AS file
        FROM (SELECT DISTINCT {extract_of_row} AS extract_id, rtrim(landed_in, '0123456789)') AS place FROM {table})
        WHERE file <> ''"""
    )


def note_bad_content(con: duckdb.DuckDBPyConnection, source: str, extract_of_row: str, table: str) -> None:
    """Note the text of the rows that cannot be used. `landed` is to read the files that they stand in."""
    con.execute(
        f"""INSERT INTO bad
        SELECT ?, d.extract_id, d.landed_in, md5(l.content)
        FROM (
            SELECT landed_in || ' (' || file || ':' || line || ')' AS landed_in,
                coalesce(nullif(unreadable, ''), reason, record::VARCHAR, body::VARCHAR) AS content
            FROM landed({{
                file: 'VARCHAR', line: 'BIGINT', unreadable: 'VARCHAR', reason: 'VARCHAR', record: 'JSON', body: 'JSON'
            }})
        ) AS l
        JOIN (
            SELECT DISTINCT landed_in, {extract_of_row} AS extract_id FROM {table} WHERE reject_reason IS NOT NULL
        ) AS d ON d.landed_in = l.landed_in""",
        [source],
    )


def end_batch(con: duckdb.DuckDBPyConnection, extracts: Sequence[str]) -> None:
    """Take out what a later extract has of what users gave.

    A file is as it is now: what an earlier import of it could not read is gone. A webhook body in the inbox is another delivery
    each time, whatever its file is called. And the same bad line from another file counts once. `extracts` are those of the batch;
    what is listed of others is older than all of them.
    """
    is_older = "(old.extract_id < new.extract_id OR NOT list_contains(?, old.extract_id))"
    con.execute(
        rf"""DELETE FROM ops.quarantine AS old
        USING (SELECT file, max(extract_id) AS extract_id FROM given_files GROUP BY ALL) AS new
        WHERE old.source IN ('custom', 'inbox') AND {is_older}
            AND regexp_extract(old.raw_reference, ' \((.*):\d+\)$', 1) = new.file
            AND (old.source = 'custom' OR NOT starts_with(new.file, 'inbox/'))""",
        [list(extracts)],
    )
    con.execute("INSERT INTO ops.quarantine_content SELECT source, extract_id, raw_reference, content FROM bad")
    con.execute(
        f"""DELETE FROM ops.quarantine AS old
        USING ops.quarantine_content AS c,
            (SELECT source, content, max(extract_id) AS extract_id FROM bad GROUP BY ALL) AS new
        WHERE c.content = new.content AND c.source = new.source AND old.source = c.source AND old.extract_id = c.extract_id
            AND old.raw_reference = c.raw_reference AND {is_older}""",
        [list(extracts)],
    )
    con.execute("DROP TABLE given_files; DROP TABLE bad")
