"""Gathered tables: what every source yields under one name, such as `staging.records`, put together from the tables of all accounts.

A file `sql/staging/<name>.sql` with `gathered = true` is a contract without a SELECT: its columns, their types and which of them
a source may leave out. A table of a source says `yields = "<name>"` and owes the columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mttr_pipeline.errors import ContractError
from mttr_pipeline.warehouse.models import Model


def gather(contract: Model, parts: Sequence[Model]) -> Model:
    """The contract with the SELECT that reads all parts. Without any part it has no rows."""
    selects = [_select(contract, part) for part in parts] or [_nothing(contract)]
    return replace(contract, sql="\nUNION ALL\n".join(selects), not_null=())  # its parts are checked


def with_promises(contracts: Iterable[Model], model: Model) -> Model:
    """A table of a source with what the gathered table promises of it."""
    promised = next((contract.not_null for contract in contracts if contract.name == model.yields), ())
    return replace(model, not_null=tuple(dict.fromkeys((*model.not_null, *promised))))


def missing_columns(contract: Model, part: Model) -> list[str]:
    """The columns that a table of a source owes and does not have."""
    return [name for name in contract.columns if name not in part.columns and name not in contract.optional]


def check_parts(contracts: Iterable[Model], models: Iterable[Model]) -> None:
    """Raises ContractError, naming source, table and columns, for a table that owes columns or yields what nothing gathers."""
    known = {contract.name: contract for contract in contracts}
    for model in models:
        if model.yields is None:
            continue
        if model.yields not in known:
            raise ContractError(f"{model.where} yields {model.yields}, which nothing gathers.")
        if missing := missing_columns(known[model.yields], model):
            raise ContractError(
                f"{model.where} yields {model.yields} of {model.account} without the columns {', '.join(missing)}."
            )


def _select(contract: Model, part: Model) -> str:
    columns = [
        f'"{name}"::{kind} AS "{name}"' if name in part.columns else f'NULL::{kind} AS "{name}"'
        for name, kind in contract.types.items()
    ]
    return f"SELECT {', '.join(columns)} FROM {part.table}"


def _nothing(contract: Model) -> str:
    columns = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in contract.types.items())
    return f"SELECT {columns} WHERE false"
