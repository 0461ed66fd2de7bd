"""One asset per table of `sql/`, generated from its header: description, columns, dependencies, checks."""

from collections.abc import Iterator, Sequence

import dagster as dg

from mttr_pipeline.defs.extract import OWNERS, none_left
from mttr_pipeline.defs.jobs import START_OVER
from mttr_pipeline.defs.resources import RunResource, explained
from mttr_pipeline.errors import ContractError, MttrError
from mttr_pipeline.warehouse.database import Warehouse
from mttr_pipeline.warehouse.models import Model, load_models

_MODELS = load_models()
_RAW = {model.table: model for model in _MODELS if model.schema == "raw"}


def asset_key(table: str) -> dg.AssetKey:
    """`mart.incidents` -> mart/incidents."""
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
        for model in _RAW.values()
    ],
    check_specs=[spec for model in _RAW.values() for spec in _check_specs(model)],
)
def raw_tables(context: dg.AssetExecutionContext, run: RunResource) -> Iterator[dg.MaterializeResult]:
    """Load every extract that is not in yet: newest payload per record, rejects into quarantine, counts into the ledger."""
    try:
        errors = none_left(run)
        if errors:
            raise ContractError("Every source failed, nothing was published. " + " ".join(errors))
        if run.start_over or START_OVER in context.run.tags:
            run.warehouse.start_over()
        records = run.warehouse.load(run.landing)
        context.log.info(f"{records} records loaded")
        for model in _RAW.values():
            yield _result(run.warehouse, model)
    except MttrError as error:
        raise explained(error) from error


def _model_asset(model: Model) -> dg.AssetsDefinition:
    @dg.asset(
        key=asset_key(model.table),
        deps=[asset_key(name) for name in model.depends] or [asset_key(name) for name in _RAW],
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


model_assets: Sequence[dg.AssetsDefinition] = [_model_asset(model) for model in _MODELS if model.schema != "raw"]
