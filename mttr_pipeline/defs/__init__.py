"""The Dagster shell: assets, checks, jobs, schedule and resources around a core that runs without it.

Nothing outside this folder and the command line imports Dagster; nothing here computes anything itself.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from mttr_pipeline.config.sections import Dagster
from mttr_pipeline.config.settings import Account, Settings, settings_of
from mttr_pipeline.defs.extract import imported_records, landing_asset, received_bodies
from mttr_pipeline.defs.history import history_asset
from mttr_pipeline.defs.jobs import backfill, daily, nightly, rebuild
from mttr_pipeline.defs.outcome import every_source
from mttr_pipeline.defs.publish import copied, published_asset
from mttr_pipeline.defs.report import deploys_known, phase_targets, report, targets, traffic_light
from mttr_pipeline.defs.resources import RunResource
from mttr_pipeline.defs.shown import Asset, shown
from mttr_pipeline.defs.tables import layer_asset, raw_asset
from mttr_pipeline.defs.telling import failed_checks, failed_run, told
from mttr_pipeline.defs.tidying import tidy, weekly
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.sources.registry import load_settings, registry
from mttr_pipeline.warehouse.catalog import catalog, unusable_sources
from mttr_pipeline.warehouse.models import SCHEMAS

__all__ = ["build_defs"]


def build_defs(
    accounts: Sequence[Account] | None = None,
    resource_overrides: Mapping[str, Any] | None = None,
    *,
    for_people: bool = False,
) -> dg.Definitions:
    """Everything Dagster needs to know, for these accounts (default: those of the configuration file).

    `resource_overrides` replaces resources by name, for tests and the command line. `for_people` adds what only the UI shows.
    """
    wanted = Dagster()
    if accounts is None:
        configured = _configured()
        accounts, wanted = configured.accounts, configured.file.dagster
        for sentence in unusable_sources(accounts).values():  # the command line says so itself
            logging.getLogger(__name__).warning(sentence)
    models = catalog(accounts)
    pulled = [account for account in accounts if account.source.pulled and account.name not in models.problems]
    assets: list[Asset] = [
        received_bodies,
        *map(landing_asset, pulled),
        history_asset(pulled),
        imported_records,
        raw_asset(models, [account.name for account in pulled]),
        *(layer_asset(models, layer) for layer in SCHEMAS if layer != "raw"),
        published_asset(models),
        copied,
        told,
        report,
    ]
    return dg.Definitions(
        assets=shown(assets, models, accounts, wanted) if for_people else assets,
        asset_checks=[targets, phase_targets, deploys_known, traffic_light, every_source],
        jobs=[nightly, rebuild, backfill, tidy],
        schedules=[daily(wanted), weekly(wanted)],
        sensors=[failed_run, failed_checks],
        resources={
            "run": RunResource(accounts=[account.name for account in accounts]),
            **(resource_overrides or {}),
        },
        # One process: a step costs milliseconds, and one connection at a time is what DuckDB wants.
        executor=dg.in_process_executor,
    )


def _configured() -> Settings:
    """What the configuration file says; one account of each source when it cannot be used, which the run itself then reports."""
    try:
        settings = load_settings(_where_the_file_is())
        catalog(settings.accounts)  # the name of an account may be that of a table
        return settings
    except ConfigError as error:
        logging.getLogger(__name__).warning("%s Dagster shows one account of each source until then.", error)
        return settings_of({}, registry().sources, {}, data_dir=Path())


def _where_the_file_is() -> dict[str, str]:
    """Of the environment only what names the configuration file: the accounts are the same whatever credentials are set."""
    return {name: value for name, value in os.environ.items() if name == "MTTR_CONFIG"}
