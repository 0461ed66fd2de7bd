"""Months of history that somebody chooses: one asset with a partition for each month, and a run for a range of them.

The nightly pull goes on where the last one ended, whatever the calendar says, so it has no partitions. What does not belong here:
computing and publishing, which the job `backfill` does after it with the assets of a night.
"""

import warnings
from collections.abc import Sequence

import dagster as dg

from mttr_pipeline.config.settings import Account
from mttr_pipeline.defs.again import try_again
from mttr_pipeline.defs.extract import OWNERS, pulled
from mttr_pipeline.defs.guarded import guarded
from mttr_pipeline.defs.jobs import HISTORY
from mttr_pipeline.defs.resources import RunResource, explained
from mttr_pipeline.errors import ContractError, MttrError

MONTHS = dg.MonthlyPartitionsDefinition(start_date="2010-01-01")


def history_asset(accounts: Sequence[Account]) -> dg.AssetsDefinition:
    """The months of every account that is pulled."""

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # of `backfill_policy`; an operator can do nothing about it
        return _history(accounts)


def _history(accounts: Sequence[Account]) -> dg.AssetsDefinition:
    @dg.asset(
        key=HISTORY,
        partitions_def=MONTHS,
        # A range is one window to the vendors, and computed and published once.
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="landing",
        kinds={"python", "json"},
        owners=OWNERS,
        description="Months that are pulled again, or from before the first pull: choose them in the job `backfill`. What was "
        "created in them is read, of every account whose credentials are set.",
    )
    @guarded
    def history(context: dg.AssetExecutionContext, run: RunResource) -> dg.MaterializeResult:
        """Every account is asked. Where one failed, this month is not there, and the run has failed; the others are not asked again
        when it is re-executed."""
        months = context.partition_time_window
        done = {
            manifest.source
            for manifest in run.landing.manifests()
            if manifest.status == "complete" and manifest.attempts[-1].run_id == run.id
        }
        records: dict[str, int] = {}
        failed: dict[str, MttrError] = {}
        for account in accounts:
            if run.wants(account.name) and account.name not in done:
                try:
                    until = min(months.end, run.clock)
                    records[account.name] = pulled(context, run, account.name, months.start, until).records
                except MttrError as error:
                    context.log.error(str(error))
                    failed[account.name] = error
        for problem in failed.values():
            try_again(context, run, problem)
        if failed:
            end = "It is loaded and published by the next run, and this one has published nothing."
            begin = f"The months from {months.start:%Y-%m} to {months.end:%Y-%m}, the last not included, were not read"
            told = " ".join(f"{name}: {error}" for name, error in failed.items())
            raise explained(ContractError(f"{begin} of {', '.join(failed)}. {told} What others sent is kept. {end}"))
        return dg.MaterializeResult(metadata={**records, "dagster/row_count": sum(records.values())})

    return history
