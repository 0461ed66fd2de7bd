"""Deletes old runs out of Dagster's own records, which keep every run for ever otherwise.

Dagster itself has a limit for the ticks of schedules and sensors only (`retention` in dagster.yaml). What stays: the published
tables, the newest materialization of each asset, and a row for each evaluation of a check.
"""

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from mttr_pipeline.config.sections import Dagster
from mttr_pipeline.defs.guarded import guarded
from mttr_pipeline.defs.jobs import NO_RUN_RETRIES
from mttr_pipeline.defs.resources import explained
from mttr_pipeline.errors import MttrError
from mttr_pipeline.sources.registry import load_settings

_OVER = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_AT_ONCE = 100


def delete_old_runs(instance: dg.DagsterInstance, days: float, now: datetime | None = None) -> int:
    """Delete the runs that began more than so many days ago and are over, with their events and logs; gives their number."""
    before = (now or datetime.now(UTC)) - timedelta(days=days)
    old, deleted = dg.RunsFilter(statuses=_OVER, created_before=before), 0
    while runs := instance.get_runs(old, limit=_AT_ONCE):
        for run in runs:
            instance.delete_run(run.run_id)
            instance.compute_log_manager.delete_logs(prefix=[run.run_id])
            _delete_file(instance, run.run_id)
        deleted += len(runs)
    return deleted


def _delete_file(instance: dg.DagsterInstance, run_id: str) -> None:
    """With SQLite the events of a run have a file, from which Dagster deletes the rows: it would stay as large as it was."""
    path = getattr(instance.event_log_storage, "path_for_shard", None)
    if path is not None:
        with suppress(OSError):  # of another user: it is empty
            Path(path(run_id)).unlink(missing_ok=True)


@dg.op(description="Runs that began more than `keep_runs_days` of [dagster] ago are deleted with their events.")
@guarded
def delete_runs(context: dg.OpExecutionContext) -> None:
    """Nothing is deleted where mttr.toml does not say how long runs are kept."""
    try:
        days = load_settings(
            {name: os.environ[name] for name in ("MTTR_CONFIG",) if name in os.environ}
        ).file.dagster.keep_runs_days
    except MttrError as error:
        raise explained(error) from error
    if days is None:
        context.log.info("keep_runs_days is not set in [dagster] of mttr.toml: every run is kept")
        return
    context.log.info(f"{delete_old_runs(context.instance, days)} runs deleted that began more than {days:g} days ago")


@dg.job(description="Deletes old runs from Dagster's records.", tags=NO_RUN_RETRIES)
def tidy() -> None:
    """See `delete_runs`."""
    delete_runs()


def weekly(wanted: Dagster) -> dg.ScheduleDefinition:
    """On where it is said how long runs are kept."""
    is_set = wanted.keep_runs_days is not None
    return dg.ScheduleDefinition(
        name="weekly_tidy",
        job=tidy,
        cron_schedule="45 5 * * 0",
        execution_timezone=wanted.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING if is_set else dg.DefaultScheduleStatus.STOPPED,
        description="Every Sunday at 05:45. On by itself where `keep_runs_days` is set in [dagster] of mttr.toml.",
    )
