"""What is known of the columns of each table before it is built: their types, and the columns of other tables they are made of.

Both stand in files `columns.json`, that of a source in its folder `sql/staging/<source>/` and that of the other tables in `sql/`.
`python tests/columns.py` writes them from the SQL: building every table and parsing its SQL takes seconds, reading the files
milliseconds. An entry holds for the very text of the SQL; of a table that has changed since, and of a source of another package,
only the names of columns are known.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mttr_pipeline.config.places import sql_folder
from mttr_pipeline.sources.kit.declare import Source
from mttr_pipeline.warehouse.models import Model

if TYPE_CHECKING:  # the catalog tries out tables of other packages with what loads them, and that asks for types here
    from mttr_pipeline.warehouse.catalog import Catalog

#: The type of a column that is always NULL. DuckDB 1.5 makes INTEGER of it.
NO_TYPE = '"NULL"'


@dataclass(frozen=True)
class Columns:
    """`types`: column -> DuckDB's type. `sources`: column -> the (table, column) pairs that its value is computed from."""

    types: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)


def columns_of(models: Catalog, model: Model) -> Columns:
    """What is known of the columns of a table."""
    if model.gathered:
        return _gathered(models, model)
    source = next((member.source for member in models.members if member.name == model.account), None)
    return _in_file(model, source)


def _in_file(model: Model, declared: Source | None) -> Columns:
    """The file of a source has the tables of one account, which is called like the source."""
    account, source = model.account or "", declared.name if declared else ""
    folder = (declared and declared.sql) or sql_folder()
    entry = _file(folder / place(source)).get(_renamed(model.table, account, source))
    if entry is None or entry["sql"] != fingerprint(model.sql.replace(account, source) if account else model.sql):
        return Columns()
    came: dict[str, tuple[tuple[str, str], ...]] = {}
    for column, names in entry.get("from", {}).items():
        pairs = [name.rpartition(".") for name in names]
        came[column] = tuple((_renamed(table, source, account), name) for table, _, name in pairs)
    return Columns(entry["types"], came)


def _renamed(table: str, old: str, new: str) -> str:
    """The same table of another account; a table of all sources as it is."""
    schema, _, name = table.partition(".")
    return f"{schema}.{new}{name.removeprefix(old)}" if old and name.startswith(f"{old}_") else table


def _gathered(models: Catalog, model: Model) -> Columns:
    parts = [models[name] for name in model.depends]
    return Columns(
        model.types,
        {column: tuple((part.table, column) for part in parts if column in part.columns) for column in model.columns},
    )


def fingerprint(sql: str) -> str:
    """Of the SQL of a table."""
    return hashlib.sha256(sql.encode()).hexdigest()[:16]


def place(source: str | None) -> str:
    """The file of a source, or of the tables of all sources, in the folder of the SQL."""
    return f"staging/{source}/columns.json" if source else "columns.json"


@cache
def _file(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
