"""Jobs and the schedule."""

from __future__ import annotations

import dagster as dg

from mttr_pipeline.config.sections import Dagster

#: Where the instance retries runs (`run_retries`), it does so for a process that died. A step that failed is no reason: what may
#: pass was tried again by the step itself (`again`), and what is left (a refused key, a failed check) fails again.
NO_RUN_RETRIES = {"dagster/retry_on_asset_or_op_failure": "false"}
#: Of a run that cannot begin, because of a wrong setting for example.
NEVER_AGAIN = {"dagster/max_retries": "0"}

# A tag, because configuration of a job would replace the whole configuration of a resource, the data directory with it.
START_OVER = "mttr/start_over"
REBUILD = "rebuild"

#: The months of history, which only the job `backfill` pulls.
HISTORY = dg.AssetKey(["history", "months"])

nightly = dg.define_asset_job(
    "nightly",
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(HISTORY),
    tags=NO_RUN_RETRIES,
    description="Pull every configured source, load, normalise, compute, check, publish.",
)

rebuild = dg.define_asset_job(
    REBUILD,
    selection=dg.AssetSelection.all() - dg.AssetSelection.groups("landing"),
    tags={**NO_RUN_RETRIES, START_OVER: "true"},
    description="The same from the landing zone alone, without any request: every table anew.",
)


backfill = dg.define_asset_job(
    "backfill",
    selection=(dg.AssetSelection.all() - dg.AssetSelection.groups("landing")) | dg.AssetSelection.assets(HISTORY),
    tags=NO_RUN_RETRIES,
    description="Pull months that you choose instead of what is new, then load, compute, check and publish as every night. For "
    "history from before the first pull, or to read months again.",
)


def daily(wanted: Dagster) -> dg.ScheduleDefinition:
    """The schedule of the nightly job."""
    return dg.ScheduleDefinition(
        name="daily",
        job=nightly,
        cron_schedule=wanted.schedule,
        execution_timezone=wanted.time_zone,
        description="When the nightly job runs: `schedule` in [dagster] of mttr.toml. Off until it is switched on in the UI.",
    )
