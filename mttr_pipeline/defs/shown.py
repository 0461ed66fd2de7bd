"""What a person sees of an asset in Dagster's UI before its first run: columns with their meaning, where each comes from, the code.

It is added when Dagster loads the definitions (`mttr_pipeline.definitions`), never for `mttr run`, which shows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import dagster as dg

from mttr_pipeline.warehouse.catalog import Catalog
from mttr_pipeline.warehouse.columns import Columns, columns_of
from mttr_pipeline.warehouse.models import Model

Asset = dg.AssetsDefinition | dg.AssetSpec
#: Columns that the description of one names. The lineage has all of them.
_NAMED = 6


def shown(assets: Iterable[Asset], models: Catalog) -> list[Asset]:
    """The same assets with what is shown of them."""
    found: list[Any] = list(dg.map_asset_specs(_shown(models), list(assets)))
    return found


def _shown(models: Catalog) -> Callable[[dg.AssetSpec], dg.AssetSpec]:
    def add(spec: dg.AssetSpec) -> dg.AssetSpec:
        table = ".".join(spec.key.path)
        if table not in models:
            return spec
        return spec.merge_attributes(metadata=_of_table(models[table], columns_of(models, models[table])))

    return add


def _of_table(model: Model, known: Columns) -> Mapping[str, Any]:
    found: dict[str, Any] = {"dagster/table_name": model.table, "dagster/column_schema": schema(model, known)}
    if known.sources:
        found["dagster/column_lineage"] = dg.TableColumnLineage(
            {
                column: [dg.TableColumnDep(dg.AssetKey(table.split(".")), name) for table, name in sources]
                for column, sources in known.sources.items()
            }
        )
    return found


def schema(model: Model, known: Columns) -> dg.TableSchema:
    """Every column with its type, its meaning and where its value comes from: only Dagster+ draws the lineage of columns."""
    return dg.TableSchema(
        [
            dg.TableColumn(name, known.types.get(name, ""), description=text + _from(known.sources.get(name, ())))
            for name, text in model.columns.items()
            if name in known.types or not known.types
        ]
    )


def _from(sources: tuple[tuple[str, str], ...]) -> str:
    if not sources:
        return ""
    names = [f"{table}.{column}" for table, column in sources[:_NAMED]]
    more = [f"{len(sources) - _NAMED} more"] if len(sources) > _NAMED else []
    return f" (made of {', '.join([*names, *more])})"
