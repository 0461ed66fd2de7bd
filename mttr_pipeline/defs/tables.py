"""One asset per table of `sql/`, generated from its header: description, columns, dependencies, checks."""

from collections.abc import Iterator

import dagster as dg

from mttr_pipeline.defs.extract import OWNERS, none_left
from mttr_pipeline.defs.jobs import START_OVER
from mttr_pipeline.defs.resources import RunResource, explained
from mttr_pipeline.errors import ContractError, MttrError
from mttr_pipeline.warehouse.catalog import Catalog
from mttr_pipeline.warehouse.database import Warehouse
from mttr_pipeline.warehouse.models import Model


def asset_key(table: str) -> dg.AssetKey:
    """`core.incidents` -> core/incidents."""
    return dg.AssetKey(table.split("."))


def _check_specs(model: Model) -> list[dg.AssetCheckSpec]:
    """Every promise of a header blocks what comes after it: a broken one stops the publish."""
    return [
        dg.AssetCheckSpec(name, asset=asset_key(model.table), blocking=True, description=text)
        for name, text in model.promises().items()
    ]


def _result(warehouse: Warehouse, model: Model) -> dg.MaterializeResult:
    rows = warehouse.build(model)
    return dg.MaterializeResult(
        asset_key=asset_key(model.table),
        metadata={
            "dagster/row_count": rows,
            "dagster/table_name": model.table,
            "dagster/column_schema": dg.TableSchema(
                [
                    dg.TableColumn(name, kind, description=model.columns[name])
                    for name, kind in warehouse.columns(model).items()
                ]
            ),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=check.name,
                asset_key=asset_key(model.table),
                passed=check.passed,
                description=check.detail,
            )
            for check in warehouse.check(model)
        ],
    )


def raw_asset(models: Catalog) -> dg.AssetsDefinition:
    """One step that loads the landing zone into all raw tables."""
    raw = models.of_layer("raw")

    @dg.multi_asset(
        name="load",
        specs=[
            dg.AssetSpec(
                asset_key(model.table),
                deps=[dg.AssetKey(["landing", model.source or ""])],
                group_name="raw",
                kinds={"duckdb", "sql"},
                owners=OWNERS,
                description=model.description,
            )
            for model in raw
        ],
        check_specs=[spec for model in raw for spec in _check_specs(model)],
    )
    def load(context: dg.AssetExecutionContext, run: RunResource) -> Iterator[dg.MaterializeResult]:
        """Load every extract that is not in yet: newest payload per record, rejects into quarantine, counts into the ledger."""
        try:
            errors = none_left(run)
            if errors:
                raise ContractError("Every source failed, nothing was published. " + " ".join(errors))
            if run.start_over or START_OVER in context.run.tags:
                run.warehouse.start_over()
            records = run.warehouse.load(run.landing)
            context.log.info(f"{records} records loaded")
            for model in raw:
                yield _result(run.warehouse, model)
        except MttrError as error:
            raise explained(error) from error

    return load


def model_asset(models: Catalog, model: Model) -> dg.AssetsDefinition:
    """One table. A table that is made of none waits until everything is loaded."""
    after = model.depends or tuple(raw.table for raw in models.of_layer("raw"))

    @dg.asset(
        key=asset_key(model.table),
        deps=[asset_key(name) for name in after],
        group_name=model.schema,
        kinds={"duckdb", "sql"},
        owners=OWNERS,
        description=model.description,
        check_specs=_check_specs(model),
    )
    def table(run: RunResource) -> dg.MaterializeResult:
        try:
            return _result(run.warehouse, model)
        except MttrError as error:
            raise explained(error) from error

    return table
