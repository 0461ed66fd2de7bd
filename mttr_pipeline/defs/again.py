"""A step that failed for a reason which may pass is tried once more, minutes later; for any other reason never.

A request is retried inside of a pull for as long as `max_wait_minutes` says, but a vendor that cannot be reached at all is given up
after seconds, because an address with a typing error looks the same. A network that is down for some minutes at the hour of the
schedule is what another try mends. `mttr run` does not wait for that: whoever started it waits, too.

Dagster would run a failed *run* again, where its instance says so (`run_retries`). See `jobs` for which.
"""

from __future__ import annotations

import dagster as dg

from mttr_pipeline.defs.resources import RunResource
from mttr_pipeline.errors import MttrError, TransientError
from mttr_pipeline.sources.kit.deadline import OutOfTime

_TRIES_MORE = 1


def try_again(context: dg.AssetExecutionContext, run: RunResource, error: MttrError) -> None:
    """Raises dagster.RetryRequested when Dagster runs this, another try may mend the error, and none was made yet."""
    seconds = run.settings.file.run.retry_minutes * 60
    may_pass = isinstance(error, TransientError) and not isinstance(error, OutOfTime)  # the next run goes on there
    if run.by_command or not seconds or not may_pass or context.retry_number >= _TRIES_MORE:
        return
    if run.deadline.seconds_left() > seconds:
        context.log.warning(f"{error} It is tried again in {seconds / 60:g} minutes.")
        raise dg.RetryRequested(_TRIES_MORE, seconds) from error
