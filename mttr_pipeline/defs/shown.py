"""What a person sees of an asset in Dagster's UI before its first run: columns with their meaning, where each comes from, the code.

It is added when Dagster loads the definitions (`mttr_pipeline.definitions`), never for `mttr run`, which shows nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dagster as dg

from mttr_pipeline.config.sections import Dagster
from mttr_pipeline.config.settings import Account
from mttr_pipeline.defs.report import REPORT
from mttr_pipeline.defs.tables import schema
from mttr_pipeline.warehouse.catalog import Catalog
from mttr_pipeline.warehouse.columns import columns_of
from mttr_pipeline.warehouse.models import Model

Asset = dg.AssetsDefinition | dg.AssetSpec


def shown(assets: Iterable[Asset], models: Catalog, accounts: Sequence[Account], wanted: Dagster) -> list[Asset]:
    """The same assets with what is shown of them."""
    overdue = wanted.freshness_hours and dg.FreshnessPolicy.time_window(timedelta(hours=wanted.freshness_hours))
    pulls = {
        dg.AssetKey(["landing", account.name]): account.source.connect for account in accounts if account.source.pulled
    }

    def add(spec: dg.AssetSpec) -> dg.AssetSpec:
        spec = spec.replace_attributes(
            owners=wanted.owners, tags={**spec.tags, **wanted.tags}, kinds={*spec.kinds, *wanted.kinds}
        )
        if overdue and (spec.key in pulls or spec.key == REPORT):
            spec = spec.replace_attributes(freshness_policy=overdue)
        table = ".".join(spec.key.path)
        if table in models:
            return spec.merge_attributes(metadata=_of_table(models, models[table]))
        module = find_spec(str(pulls[spec.key]).partition(":")[0]) if pulls.get(spec.key) else None
        return spec.merge_attributes(metadata=_code(Path(module.origin or ""))) if module else spec

    found: list[Any] = list(dg.map_asset_specs(add, list(assets)))
    return [_with_function(asset) for asset in found]


def _with_function(asset: Any) -> Any:
    """An asset that has no file of its own leads to the function that makes it."""
    if not isinstance(asset, dg.AssetsDefinition) or any(
        "dagster/code_references" in m for m in asset.metadata_by_key.values()
    ):
        return asset
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.with_source_code_references([asset])[0]


def _code(file: Path) -> Mapping[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # an operator can do nothing about it
        reference = dg.LocalFileCodeReference(file_path=str(file.resolve()), line_number=1)
        return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference])}


def _of_table(models: Catalog, model: Model) -> Mapping[str, Any]:
    known = columns_of(models, model)
    found: dict[str, Any] = {
        "dagster/table_name": model.table,
        "dagster/column_schema": schema(model, known),
        **_code(models.file(model)),
    }
    if known.sources:
        found["dagster/column_lineage"] = dg.TableColumnLineage(
            {
                column: [dg.TableColumnDep(dg.AssetKey(table.split(".")), name) for table, name in sources]
                for column, sources in known.sources.items()
            }
        )
    return found
