"""What every document shares: its head, rows as JSON values, instants, bytes.

What belongs here: the way from a row of a mart table to JSON. What does not: any calculation that a table already holds.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import duckdb

SCHEMA_VERSION = 1
Document = dict[str, Any]


def head(con: duckdb.DuckDBPyConnection) -> Document:
    """The three keys that every document begins with."""
    found = rows(con, "SELECT as_of, definition_hash FROM config.run")[0]
    return {"schema_version": SCHEMA_VERSION, **found}


def rows(con: duckdb.DuckDBPyConnection, query: str, values: list[Any] | None = None) -> list[Document]:
    """Every row as an object: instants as text, the rest as DuckDB gives it."""
    cursor = con.execute(query, values or [])
    names = [column[0] for column in cursor.description or []]
    return [{name: _json(value) for name, value in zip(names, row, strict=True)} for row in cursor.fetchall()]


def instant_text(value: datetime) -> str:
    """ISO 8601 with Z. A datetime without a zone is UTC."""
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return aware.isoformat().replace("+00:00", "Z")


def dumps(document: Document) -> str:
    """The document as text: the same content always gives the same bytes."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _json(value: Any) -> Any:
    return instant_text(value) if isinstance(value, datetime) else value
