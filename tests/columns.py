"""Writes the files `columns.json` in `sql/`: type of every column, and the columns of other tables that it is made of.

python tests/columns.py

Dagster shows both (`warehouse.columns` reads the files). The types are those of tables that are built without a record; where a
column comes from is read from the SQL by sqlglot, which only this script needs. A table that sqlglot cannot parse, and one that
Python computes, has no `from`.
"""

from __future__ import annotations

import json
import logging
import re
import tempfile
from pathlib import Path
from typing import Any

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope
from support import open_warehouse

from mttr_pipeline.warehouse.columns import fingerprint, place
from mttr_pipeline.warehouse.database import Warehouse
from mttr_pipeline.warehouse.loading import create_raw_tables
from mttr_pipeline.warehouse.models import Model, sql_folder

Types = dict[str, dict[str, str]]


def everything() -> dict[str, str]:
    """File in `sql/` -> its content: a line for each table."""
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # it warns of every macro
    with tempfile.TemporaryDirectory() as folder:
        warehouse = open_warehouse(Path(folder), after_nothing=True)
        try:
            return _of(warehouse)
        finally:
            warehouse.close()


def _of(warehouse: Warehouse) -> dict[str, str]:
    found: dict[str, dict[str, str]] = {}
    raw = warehouse.catalog.of_layer("raw")
    for model in raw:  # from its SQL: a new database takes the types out of these files
        warehouse.con.execute(f"DROP TABLE {model.table}")
    create_raw_tables(warehouse.con, raw)
    for model in warehouse.catalog.of_layer("facts"):
        warehouse.build(model)
    types = {model.table: warehouse.columns(model) for model in warehouse.catalog}
    rest = warehouse.con.execute(
        """SELECT schema_name || '.' || table_name, column_name, data_type FROM duckdb_columns()
        WHERE schema_name IN ('config', 'ops') ORDER BY ALL"""
    ).fetchall()
    others: dict[str, dict[str, str]] = {}
    for table, column, kind in rest:
        others.setdefault(table, {})[column] = kind
    for model in warehouse.catalog:
        if not model.gathered:  # it is put together of the parts that the accounts have
            entry: dict[str, Any] = {"sql": fingerprint(model.sql), "types": types[model.table]}
            if came := sources(model, types, others):
                entry["from"] = came
            found.setdefault(place(model.account), {})[model.table] = json.dumps(entry)
    return {
        file: "{\n" + ",\n".join(f'"{table}": {line}' for table, line in sorted(lines.items())) + "\n}\n"
        for file, lines in found.items()
    }


def sources(model: Model, types: Types, others: Types) -> dict[str, list[str]]:
    """Column -> `<layer>.<table>.<column>` that its value is computed from, as far as sqlglot can tell."""
    if model.schema == "raw" or model.python:
        return {}
    schema: dict[str, Types] = {}
    for name, columns in [*((name, types[name]) for name in model.depends), *others.items()]:
        layer, table = name.split(".")
        schema.setdefault(layer, {})[table] = columns | ({"rowid": "BIGINT"} if "rowid" in model.sql else {})
    sql = re.sub(r"\$\{\w+\}", "NULL", model.sql)  # what the configuration gives is no column
    sql = re.sub(r"\bmap\b(?! *\()", '"map"', sql)  # a name, which sqlglot takes for the function
    try:
        tree = qualify(
            parse_one(sql, dialect="duckdb"),
            dialect="duckdb",
            schema=schema,
            validate_qualify_columns=False,
            identify=False,
        )
        scope = build_scope(tree)
    except (SqlglotError, ValueError, AttributeError, KeyError):
        return {}
    found = {}
    for column in model.columns:
        try:
            node = lineage(column, tree, schema, dialect="duckdb", scope=scope, copy=False)
        except (SqlglotError, ValueError, AttributeError, KeyError):
            continue
        if names := sorted({name for leaf in node.walk() if (name := _column(leaf, types))}):
            found[column] = names
    return found


def _column(node: Node, types: Types) -> str | None:
    if not isinstance(node.expression, exp.Table):
        return None
    table = f"{node.expression.db}.{node.expression.name}"
    column = node.name.rpartition(".")[2].strip('"')
    return f"{table}.{column}" if column in types.get(table, ()) else None


if __name__ == "__main__":
    for file, content in everything().items():
        (sql_folder() / file).write_text(content, encoding="utf-8")
