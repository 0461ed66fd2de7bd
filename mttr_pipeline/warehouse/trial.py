"""Builds the tables of a source from another package once, on no data, in a database in memory.

A fault in the SQL of another package would stop the run, and with it every other source. The trial finds it before the run, so that
this source is left out and the others are published. The tables of this project have tests instead.

What belongs here: faults that show without data. What does not: the rules between files (`catalog`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from mttr_pipeline.config.settings import settings_of
from mttr_pipeline.errors import ContractError, first_line
from mttr_pipeline.sources.kit.declare import Source
from mttr_pipeline.warehouse.checks import run_checks
from mttr_pipeline.warehouse.gathering import gather
from mttr_pipeline.warehouse.loading import OPS, create_raw_tables
from mttr_pipeline.warehouse.models import Model, load_macros
from mttr_pipeline.warehouse.preparation import prepare

#: Columns that loading needs in every raw table.
_LOADED = ("reject_reason", "landed_in")
_SMALL = {"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"}
#: Types that a gathered column accepts besides its own, because every value fits. VARCHAR accepts all types.
_ACCEPTED = {
    "BIGINT": _SMALL,
    "DOUBLE": {*_SMALL, "BIGINT", "FLOAT"},
    "TIMESTAMP": {"DATE", "TIMESTAMP_S", "TIMESTAMP_MS"},
}


def try_out(source: Source, models: Sequence[Model], contracts: Sequence[Model], macros: str) -> None:
    """Build every table of one account of the source, and compare the types of what it yields with the gathered tables.

    Each of `models` comes after those that it reads. `macros` are those of the pipeline and of the sources that are used already.
    Raises ContractError for the first fault.
    """
    with duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False}) as con:
        con.execute("SET TimeZone = 'UTC'; CREATE SCHEMA raw; CREATE SCHEMA staging")
        con.execute(OPS)
        settings = settings_of({}, {source.name: source}, {}, data_dir=Path())
        prepare(con, settings, datetime(2000, 1, 1, tzinfo=UTC), macros, "")
        _make_macros(con, source)
        for contract in contracts:
            con.execute(f"CREATE VIEW {contract.table} AS {gather(contract, []).sql}")
        for model in models:
            if model.schema == "raw":
                _check_raw(model)
            _make(con, model)
        for model in models:
            for contract in contracts:
                if model.yields == contract.name:
                    _compare_types(con, model, contract)


def _make_macros(con: duckdb.DuckDBPyConnection, source: Source) -> None:
    """The macros that the source brings. They must not replace others."""
    known = "SELECT function_name, parameters::VARCHAR, macro_definition FROM duckdb_functions() WHERE NOT internal"
    before = con.execute(known).fetchall()
    where = f"sql/macros/{source.name}.sql"
    try:
        con.execute(load_macros(source.name, source.sql))
    except (duckdb.Error, UnicodeDecodeError) as error:
        raise ContractError(f"{where} cannot run: {first_line(error)}") from error
    if replaced := set(before).difference(con.execute(known).fetchall()):
        raise ContractError(f"{where} makes the macro {min(replaced)[0]}, which is there already")


def _check_raw(model: Model) -> None:
    """What loading needs of a raw table."""
    if not model.key:
        raise ContractError(f"{model.where}: the header does not say which columns are the key")
    needed = [*model.key, *([model.version] if model.version else []), *_LOADED]
    if missing := [name for name in needed if name not in model.columns]:
        raise ContractError(f"{model.where} lacks the columns {', '.join(missing)}")


def _make(con: duckdb.DuckDBPyConnection, model: Model) -> None:
    if model.python:
        raise ContractError(f"{model.where}: a table of a source is SQL alone, so `python` cannot be used")
    try:
        if model.schema == "raw":
            create_raw_tables(con, [model])
        else:
            con.execute(f"CREATE {'VIEW' if model.view else 'TABLE'} {model.table} AS {model.sql}")
        columns = con.execute(f"DESCRIBE {model.table}").fetchall()
    except duckdb.Error as error:
        raise ContractError(f"{model.where} cannot run: {first_line(error)}") from error
    model.compare_columns(row[0] for row in columns)
    if failed := [check for check in run_checks(con, model) if not check.passed]:
        raise ContractError(f"{model.where}: the check {failed[0].name} cannot run: {failed[0].detail}")


def _compare_types(con: duckdb.DuckDBPyConnection, model: Model, contract: Model) -> None:
    for name, kind, *_ in con.execute(f"DESCRIBE {model.table}").fetchall():
        wanted = contract.types.get(name, kind)
        if wanted not in (kind, "VARCHAR") and kind not in _ACCEPTED.get(wanted, ()):
            raise ContractError(
                f"{model.where} yields the column {name} of {contract.name} as {kind}; its type is {wanted}"
            )
