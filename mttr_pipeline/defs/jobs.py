"""Jobs and the schedule."""

from __future__ import annotations

from datetime import datetime

import dagster as dg

from mttr_pipeline.config.sections import Dagster

# Where the instance retries runs (`run_retries`), it does so for a process that died. A step that failed is no reason: what may pass
# was tried again by the step itself (`again`), and what is left (a refused key, a failed check) fails again.
_NO_RUN_RETRIES = {"dagster/retry_on_asset_or_op_failure": "false"}

# A tag, because configuration of a job would replace the whole configuration of a resource, the data directory with it.
START_OVER = "mttr/start_over"
REBUILD = "rebuild"

nightly = dg.define_asset_job(
    "nightly",
    selection=dg.AssetSelection.all(),
    tags=_NO_RUN_RETRIES,
    description="Pull every configured source, load, normalise, compute, check, publish.",
)

rebuild = dg.define_asset_job(
    REBUILD,
    selection=dg.AssetSelection.all() - dg.AssetSelection.groups("landing"),
    tags={**_NO_RUN_RETRIES, START_OVER: "true"},
    description="The same from the landing zone alone, without any request: every table anew.",
)


BACKFILL = "backfill"
_MONTHS = dg.MonthlyPartitionsDefinition(start_date="2010-01-01")

backfill = dg.define_asset_job(
    BACKFILL,
    selection=dg.AssetSelection.all(),
    # Without any configuration, as above: the month is a tag of the run, see `month_of`.
    config=dg.PartitionedConfig(_MONTHS, run_config_for_partition_key_fn=lambda month: {}),
    tags=_NO_RUN_RETRIES,
    description="The nightly job for one month, chosen under Partition in the Launchpad: only its window is pulled, everything is "
    "computed and published. For history from before the first pull, or to read a month again.",
)


def month_of(run: dg.DagsterRun) -> dict[str, datetime]:
    """`since` and `until` of the month that a run of `backfill` was started for, UTC; nothing for other runs."""
    month = run.tags.get("dagster/partition")
    if run.job_name != BACKFILL or month is None:
        return {}
    window = _MONTHS.time_window_for_partition_key(month)
    return {"since": window.start, "until": window.end}


def daily(wanted: Dagster) -> dg.ScheduleDefinition:
    """The schedule of the nightly job."""
    return dg.ScheduleDefinition(
        name="daily",
        job=nightly,
        cron_schedule=wanted.schedule,
        execution_timezone=wanted.time_zone,
        description="When the nightly job runs: `schedule` in [dagster] of mttr.toml. Off until it is switched on in the UI.",
    )
