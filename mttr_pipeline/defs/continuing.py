"""A run that Dagster re-executes from its failure goes on as the same run: under its id, with its clock.

Each run notes its id, its clock and its definitions as tags. A re-execution of some of its steps takes them over, so that the tables
which it makes and those that are there belong together, and are published under the id of the run that began. A re-execution of
all steps is a run of its own. What does not belong here: whether the tables belong together, which `publish` looks at.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import dagster as dg

from mttr_pipeline.config.settings import Settings
from mttr_pipeline.defs.jobs import NO_RUN_RETRIES
from mttr_pipeline.errors import ContractError
from mttr_pipeline.warehouse.catalog import catalog
from mttr_pipeline.warehouse.fingerprint import definition_hash

_ID, _AS_OF, _DEFINITIONS = "mttr/run", "mttr/as_of", "mttr/definitions"


class Begun(NamedTuple):
    """What a run is known by: its id and its clock, UTC."""

    run_id: str
    as_of: datetime


def continued(context: dg.InitResourceContext, settings: Settings) -> Begun | None:
    """The run of which this one executes some steps again, or this one where it was noted already; None for a new run.

    Raises ContractError when the definitions have changed since, because the tables that are there follow the old ones.
    """
    run, instance = context.run, context.instance
    if run is None or instance is None or instance.is_ephemeral:
        return None
    own = instance.get_run_by_id(run.run_id)
    if own is None:
        return None
    is_whole = own.step_keys_to_execute is None and own.asset_selection is None
    parent = None if is_whole or own.parent_run_id is None else instance.get_run_by_id(own.parent_run_id)
    # Its own, where the resource is opened again: in another process, or by who looks at the results.
    tags = next((run.tags for run in (own, parent) if run and _ID in run.tags), None)
    if tags is None:
        return None
    if tags[_DEFINITIONS] != definition_hash(catalog(settings.accounts), settings):
        raise ContractError(
            f"The configuration or the program has changed since the run {tags[_ID]} began, so the rest of it would not fit the "
            "tables that it made; run the whole job `nightly` or `rebuild`."
        )
    return Begun(tags[_ID], datetime.fromisoformat(tags[_AS_OF]).astimezone(UTC))


def note(context: dg.InitResourceContext, settings: Settings, begun: Begun) -> None:
    """Keep what a re-execution needs, and that a step which fails is no reason for one by itself: of whatever job the run is."""
    tags = {_ID: begun.run_id, _AS_OF: begun.as_of.isoformat()}
    tags[_DEFINITIONS] = definition_hash(catalog(settings.accounts), settings)
    tag(context, tags | NO_RUN_RETRIES)


def tag(context: dg.InitResourceContext, tags: Mapping[str, str]) -> None:
    """Add tags to the run where Dagster keeps it; nothing where it keeps none."""
    run, instance = context.run, context.instance
    if run is not None and instance is not None and not instance.is_ephemeral and instance.has_run(run.run_id):
        instance.add_run_tags(run.run_id, tags)
