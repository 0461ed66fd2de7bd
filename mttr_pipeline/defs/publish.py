"""The published generation, and its copy at a second place."""

from collections.abc import Iterator
from contextlib import suppress

import dagster as dg

from mttr_pipeline import alerts
from mttr_pipeline import publish as publishing
from mttr_pipeline.defs.again import try_again
from mttr_pipeline.defs.extract import OWNERS
from mttr_pipeline.defs.guarded import guarded
from mttr_pipeline.defs.resources import RunResource, explained
from mttr_pipeline.defs.tables import asset_key
from mttr_pipeline.errors import ContractError, MttrError
from mttr_pipeline.warehouse.catalog import Catalog

PUBLISHED = dg.AssetKey(["published", "generation"])
COPIED = dg.AssetKey(["published", "copy"])


def published_asset(models: Catalog) -> dg.AssetsDefinition:
    """What readers open, made of every published table."""

    @dg.asset(
        key=PUBLISHED,
        deps=[asset_key(model.table) for model in models.published],
        group_name="published",
        kinds={"duckdb", "parquet", "json", "html"},
        owners=OWNERS,
        description="What readers open: mttr.duckdb, Parquet, JSON, report.html, a manifest; swapped in as one by moving `latest`.",
    )
    @guarded
    def published(run: RunResource) -> dg.MaterializeResult:
        """Runs only when every blocking check passed."""
        wanted = run.settings.file.publish
        if run.tells:
            with suppress(MttrError):  # who tells finds the same, and says so
                alerts.note(run.warehouse.con, run.settings.data_dir, run.alert_places, run.clock)
        try:
            generation = publishing.publish(
                run.warehouse,
                run.published_root,
                run.id,
                wanted.keep,
                wanted.may_vanish_pct,
                _readers(run),
            )
        except MttrError as error:
            raise explained(error) from error
        rows = {name: count for name, count in generation.files.items() if count is not None}
        return dg.MaterializeResult(
            metadata={
                "folder": dg.MetadataValue.path(str(generation.folder)),
                "as_of": run.clock.isoformat(),
                "tables": len(rows),
                "rows": sum(rows.values()),
                "files": dg.MetadataValue.md(
                    "| file | rows |\n| --- | ---: |\n"
                    + "\n".join(f"| {name} | {count} |" for name, count in rows.items())
                ),
            }
        )

    return published


@dg.asset(
    key=COPIED,
    deps=[PUBLISHED],
    group_name="published",
    kinds={"parquet", "duckdb"},
    output_required=False,
    owners=OWNERS,
    description="The newest generation at the address of `[publish] to`, its files first and latest.json last. Off without one.",
)
@guarded
def copied(context: dg.AssetExecutionContext, run: RunResource) -> Iterator[dg.MaterializeResult]:
    """After the publish, and of what readers have here: executed alone it copies the same again, whatever failed before."""
    wanted = run.settings.file.publish
    try:
        place = publishing.Place.of(wanted, run.settings.data_dir)
        if place is None or run.simulated:  # invented incidents are nobody else's
            return
        generation = publishing.latest(run.published_root)
        if generation is None:
            raise ContractError(f"Nothing is published in {run.published_root} yet; run the whole job.")
        done = place.copy(generation, wanted.keep, _readers(run))
    except MttrError as error:
        try_again(context, run, error)
        raise explained(error) from error
    yield dg.MaterializeResult(
        metadata={
            "place": place.address,
            "generation": generation.name,
            "files_sent": done.sent,
            "bytes": done.bytes,
            "generations_deleted": done.deleted,
            "earlier_generations_sent": done.filled,
        }
    )


def _readers(run: RunResource) -> publishing.Readers:
    wanted = run.settings.file.publish
    return publishing.Readers(int(wanted.mode, 8), wanted.group)
