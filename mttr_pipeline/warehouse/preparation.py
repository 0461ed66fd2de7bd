"""What every table may use: the settings in force as `config` tables, a type for the names of variants, and the macros."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
from pydantic import SecretStr

from mttr_pipeline import told
from mttr_pipeline.config.definitions import variants_in_force
from mttr_pipeline.config.names import normalize
from mttr_pipeline.config.settings import Settings
from mttr_pipeline.config.tables import VIEWS, config_tables
from mttr_pipeline.hidden import pattern, redact
from mttr_pipeline.warehouse.transaction import transaction


def prepare(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    as_of: datetime,
    macros: str,
    definition_hash: str,
    pseudonym: Callable[[str], str] = str,
) -> None:
    """Make all of it anew in the current database of a connection. The type makes variants small numbers in facts."""
    with transaction(con):
        # An earlier release had other tables there.
        con.execute("DROP SCHEMA IF EXISTS config CASCADE; CREATE SCHEMA config")
        tables = config_tables(settings, as_of, definition_hash)
        tables["alert_history"] = told.HISTORY, told.history(settings.data_dir, as_of)
        con.execute("; ".join(f"CREATE TABLE config.{name} ({ddl})" for name, (ddl, _) in tables.items()))
        for name, (_, rows) in tables.items():
            insert_rows(con, f"config.{name}", rows)
        con.execute(VIEWS)
        variants = ", ".join(quoted(name) for name in sorted(variants_in_force(settings.file)))
        con.execute(f"CREATE TYPE config.variant AS ENUM ({variants})")
    with suppress(duckdb.InvalidInputException):  # there already
        con.remove_function("normalize_unicode")
    con.create_function("normalize_unicode", normalize, ["VARCHAR"], "VARCHAR")
    with suppress(duckdb.InvalidInputException):
        con.remove_function("pseudonym")
    con.create_function("pseudonym", lambda name: pseudonym(name), ["VARCHAR"], "VARCHAR")
    with suppress(duckdb.InvalidInputException):
        con.remove_function("redacted")
    con.create_function("redacted", lambda text: redact(text), ["VARCHAR"], "VARCHAR")
    with transaction(con):  # each macro for itself would be flushed to disk
        con.execute(macros)
    if hints := pattern(_secrets(settings)):
        con.execute(
            # Temporary: a macro of the working database is kept in its file, with the secrets.
            "CREATE OR REPLACE TEMP MACRO without_secrets(text) AS "
            f"CASE WHEN regexp_matches(text, {quoted(hints)}) THEN redacted(text) ELSE text END"
        )
    patterns = con.execute("SELECT DISTINCT value FROM config.source_settings WHERE setting = 'tool' ORDER BY value")
    if cases := " ".join(
        f"WHEN {quoted(value)} THEN regexp_extract_all(text, {quoted(value)}, 1)" for (value,) in patterns.fetchall()
    ):
        con.execute(
            "CREATE OR REPLACE TEMP MACRO found_by(text, pattern) AS "
            f"CASE pattern {cases} ELSE regexp_extract_all(text, pattern, 1) END"
        )
    if settings.file.people.publish_names:
        con.execute("CREATE OR REPLACE MACRO without_addresses(text) AS text")


def _secrets(settings: Settings) -> Iterator[str]:
    """Every secret that the settings hold."""
    for account in settings.accounts:
        for value in (*getattr(account.access, "__dict__", {}).values(), account.signing_key, settings.pseudonym_key):
            if isinstance(value, SecretStr):
                yield value.get_secret_value()
    yield from settings.alert_places.secrets()


def insert_rows(con: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """Add rows to a table, each column as one list: a parameter for each value takes seventeen times longer, executemany fifty times
    that. Lists of one length stay side by side in one SELECT."""
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        con.execute(f"INSERT INTO {table} SELECT {', '.join(['unnest(?)'] * len(columns))}", columns)


def point_at(con: duckdb.DuckDBPyConnection, files: Sequence[str], root: Path) -> None:
    """Say which files the macro `landed` reads, and what to cut off their names."""
    con.execute("SET VARIABLE files = ?", [list(files)])
    con.execute("SET VARIABLE landing_root = ?", [f"{root}/"])


def quoted(text: str | Path) -> str:
    """A text as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"
