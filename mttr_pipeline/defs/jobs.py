"""Jobs and the schedule."""

from __future__ import annotations

import dagster as dg

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

daily = dg.ScheduleDefinition(
    name="daily",
    job=nightly,
    cron_schedule="15 3 * * *",
    execution_timezone="UTC",
    description="Every night at 03:15 UTC. Off until it is switched on in the UI.",
)
