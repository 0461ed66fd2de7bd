"""The published generation."""

import dagster as dg

from mttr_pipeline import publish as publishing
from mttr_pipeline.defs.extract import OWNERS
from mttr_pipeline.defs.resources import RunResource, explained
from mttr_pipeline.defs.tables import asset_key
from mttr_pipeline.errors import MttrError
from mttr_pipeline.warehouse.catalog import Catalog

PUBLISHED = dg.AssetKey(["published", "generation"])


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
    def published(run: RunResource) -> dg.MaterializeResult:
        """Runs only when every blocking check passed."""
        wanted = run.settings.file.publish
        try:
            generation = publishing.publish(
                run.warehouse,
                run.published_root,
                run.id,
                wanted.keep,
                wanted.may_vanish_pct,
                publishing.Readers(int(wanted.mode, 8), wanted.group),
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
