"""The Dagster shell: assets, checks, jobs, schedule and resources around a core that runs without it.

Nothing outside this folder and the command line imports Dagster; nothing here computes anything itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from mttr_pipeline.defs.extract import imported_records, landing_assets, received_bodies
from mttr_pipeline.defs.jobs import daily, nightly, rebuild
from mttr_pipeline.defs.publish import published
from mttr_pipeline.defs.report import phase_targets, report, targets, traffic_light
from mttr_pipeline.defs.resources import RunResource
from mttr_pipeline.defs.tables import model_assets, raw_tables

__all__ = ["build_defs"]


def build_defs(resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Everything Dagster needs to know. `resource_overrides` replaces resources by name, for tests and the command line."""
    return dg.Definitions(
        assets=[received_bodies, *landing_assets, imported_records, raw_tables, *model_assets, report, published],
        asset_checks=[targets, phase_targets, traffic_light],
        jobs=[nightly, rebuild],
        schedules=[daily],
        resources={"run": RunResource(), **(resource_overrides or {})},
        # One process: a step costs milliseconds, and one connection at a time is what DuckDB wants.
        executor=dg.in_process_executor,
    )
