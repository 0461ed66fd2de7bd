"""One asset per table of `sql/`, generated from its header: description, columns, dependencies, checks.

A layer is one step: Dagster spends more on a step than DuckDB does on most tables. Each table still has its own events,
checks and history, and can be made alone.
"""

import inspect
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import dagster as dg

from mttr_pipeline.defs.extract import OWNERS, none_left
from mttr_pipeline.defs.guarded import guarded
from mttr_pipeline.defs.jobs import HISTORY, START_OVER
from mttr_pipeline.defs.resources import RunResource, explained
from mttr_pipeline.errors import ContractError, MttrError
from mttr_pipeline.warehouse.catalog import Catalog
from mttr_pipeline.warehouse.columns import NO_TYPE, Columns, columns_of
from mttr_pipeline.warehouse.models import Model

KINDS = {"duckdb", "sql"}
#: Columns that the description of one names: of every source, where their tables are united. The lineage has all of them.
_NAMED = 8
MAKING = "while making "  # what an unforeseen error says of the table


def asset_key(table: str) -> dg.AssetKey:
    """`core.incidents` -> core/incidents."""
    return dg.AssetKey(table.split("."))


@dg.op(name="begin", out=dg.Out(dg.Nothing))
@guarded
def _begin() -> None:
    """Where every pull failed or is off, the records that were landed before are loaded, or the run says that nothing is left."""


def raw_asset(models: Catalog, accounts: Collection[str]) -> dg.AssetsDefinition:
    """One step that loads the landing zone into all raw tables, after the pulls that are part of the same run, however they ended.
    `accounts` are those that are pulled.

    Dagster skips a step of which any input was not made, and a pull that failed makes nothing. An input that is fed by several
    steps is the exception: it takes what was made, if anything was. So the step has that one input, inside of a graph, and a step
    that always makes something is among those that feed it.
    """
    raw = models.of_layer("raw")
    specs = [
        _asset_spec(
            model, [dg.AssetKey(["landing", model.source or ""]), *([HISTORY] if model.source in accounts else [])]
        )
        for model in raw
    ]
    outputs = {"__".join(spec.key.path): spec for spec in specs}
    checks = [spec for model in raw for spec in _check_specs(model)]
    inputs = {"__".join(dep.asset_key.path): dep.asset_key for spec in specs for dep in spec.deps}
    names = [*outputs, *(spec.get_python_identifier() for spec in checks)]

    @dg.op(
        name="landing_zone",
        ins={"pulled": dg.In(dg.Nothing)},
        out={name: dg.Out(dg.Nothing) for name in names},
    )
    @guarded
    def landing_zone(context: dg.OpExecutionContext, run: RunResource) -> Iterator[dg.MaterializeResult]:
        """Load every extract that is not in yet: newest payload per record, rejects into quarantine, counts into the ledger."""
        try:
            errors = none_left(run)
            if errors:
                raise ContractError("Every source failed, nothing was published. " + " ".join(errors))
            if run.start_over or START_OVER in context.run.tags:
                run.warehouse.start_over()
            records = run.warehouse.load(run.landing)
            context.log.info(f"{records} records loaded")
        except MttrError as error:
            raise explained(error) from error
        for model in raw:
            yield _build(run, model)

    def load(**pulled: Any) -> dict[str, Any]:
        made = landing_zone(pulled=[_begin(), *pulled.values()])
        return {name: getattr(made, name) for name in names}

    parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in inputs]
    vars(load)["__signature__"] = inspect.Signature(parameters)  # by which Dagster finds the inputs
    graph = dg.graph(
        name="load",
        description=landing_zone.description,
        ins={name: dg.GraphIn() for name in inputs},
        out={name: dg.GraphOut() for name in names},
    )(load)
    return dg.AssetsDefinition.from_graph(
        graph,
        keys_by_input_name=inputs,
        keys_by_output_name={name: spec.key for name, spec in outputs.items()},
        internal_asset_deps={name: {dep.asset_key for dep in spec.deps} for name, spec in outputs.items()},
        check_specs=checks,
    ).map_asset_specs(lambda spec: outputs["__".join(spec.key.path)])


def layer_asset(models: Catalog, layer: str) -> dg.AssetsDefinition:
    """One step that makes the tables of a layer in the order of their dependencies, or those of them that are asked for."""
    tables = models.of_layer(layer)

    @dg.multi_asset(
        name=layer,
        specs=[_asset_spec(model, _upstream(models, model), skippable=True) for model in tables],
        check_specs=[spec for model in tables for spec in _check_specs(model)],
        can_subset=True,
    )
    @guarded
    def make(context: dg.AssetExecutionContext, run: RunResource) -> Iterator[dg.MaterializeResult]:
        for model in tables:
            if asset_key(model.table) in context.selected_asset_keys:
                yield _build(run, model)

    return make


def _upstream(models: Catalog, model: Model) -> list[dg.AssetKey]:
    """What a table is made of. A table that is made of none waits until everything is loaded."""
    return [asset_key(name) for name in model.depends or tuple(raw.table for raw in models.of_layer("raw"))]


def _asset_spec(model: Model, deps: Iterable[dg.AssetKey], *, skippable: bool = False) -> dg.AssetSpec:
    return dg.AssetSpec(
        asset_key(model.table),
        deps=deps,
        group_name=model.schema,
        kinds=KINDS,
        owners=OWNERS,
        description=model.description,
        skippable=skippable,
    )


def _check_specs(model: Model) -> list[dg.AssetCheckSpec]:
    """Every promise of a header blocks what comes after it: a broken one stops the publish."""
    return [
        dg.AssetCheckSpec(name, asset=asset_key(model.table), blocking=True, description=text)
        for name, text in model.promises().items()
    ]


def _build(run: RunResource, model: Model) -> dg.MaterializeResult:
    """Make a table and check it. Raises dagster.Failure with the sentence of an error of ours."""
    try:
        warehouse = run.warehouse
        rows = warehouse.build(model)
        return dg.MaterializeResult(
            asset_key=asset_key(model.table),
            metadata={"dagster/row_count": rows, **_other_columns(run, model)},
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
    except MttrError as error:
        raise explained(error) from error
    except Exception as error:
        error.add_note(f"{MAKING}{model.table}")  # the step has the name of the layer
        raise


def _other_columns(run: RunResource, model: Model) -> dict[str, Any]:
    """The columns of a built table, where they are not those that the definition of the asset shows: with their texts they are most
    of what Dagster would keep of a run."""
    types = run.warehouse.columns(model)
    known = columns_of(run.warehouse.catalog, model).types
    if [*types] == [*known] and all(known[name] in (kind, NO_TYPE) for name, kind in types.items()):
        return {}
    return {"dagster/table_name": model.table, "dagster/column_schema": schema(model, Columns(types))}


def schema(model: Model, known: Columns) -> dg.TableSchema:
    """Every column with its type, its meaning and where its value comes from: only Dagster+ draws the lineage of columns."""
    return dg.TableSchema(
        [
            dg.TableColumn(
                name, known.types.get(name, "").strip('"'), description=text + _from(known.sources.get(name, ()))
            )
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
