"""What every table may use: the settings in force as `config` tables, a type for the names of variants, and the macros."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from mttr_pipeline.config.definitions import variants_in_force
from mttr_pipeline.config.names import normalize
from mttr_pipeline.config.settings import Settings
from mttr_pipeline.config.tables import VIEWS, config_tables


def prepare(
    con: duckdb.DuckDBPyConnection, settings: Settings, as_of: datetime, macros: str, definition_hash: str
) -> None:
    """Make all of it anew in the current database of a connection. The type makes variants small numbers in facts."""
    con.execute("BEGIN")
    con.execute(
        "DROP SCHEMA IF EXISTS config CASCADE; CREATE SCHEMA config"
    )  # an earlier release had other tables there
    for name, (ddl, rows) in config_tables(settings, as_of, definition_hash).items():
        con.execute(f"CREATE TABLE config.{name} ({ddl})")
        insert_rows(con, f"config.{name}", rows)
    con.execute(VIEWS)
    variants = ", ".join(quoted(name) for name in sorted(variants_in_force(settings.file)))
    con.execute(f"CREATE TYPE config.variant AS ENUM ({variants})")
    con.execute("COMMIT")
    with suppress(duckdb.InvalidInputException):  # there already
        con.remove_function("normalize_unicode")
    con.create_function("normalize_unicode", normalize, ["VARCHAR"], "VARCHAR")
    con.execute(macros)


def insert_rows(con: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """Add rows to a table, a thousand per statement: executemany takes fifty times longer."""
    for start in range(0, len(rows), 1000):
        some = rows[start : start + 1000]
        marks = ", ".join(["(" + ", ".join("?" * len(some[0])) + ")"] * len(some))
        con.execute(f"INSERT INTO {table} VALUES {marks}", [value for row in some for value in row])


def quoted(text: str | Path) -> str:
    """A text as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"
