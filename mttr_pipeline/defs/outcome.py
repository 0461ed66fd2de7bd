"""What came of the sources of a run that published: a tag of the run, and the check that none failed.

A source that failed stops nobody: the others go on and are published. What does not belong here: what a pull says of itself
(`extract`), telling people (`telling`).
"""

from collections.abc import Iterator

import dagster as dg

from mttr_pipeline.defs.extract import FAILED_SOURCES, failed_sources
from mttr_pipeline.defs.guarded import guarded
from mttr_pipeline.defs.publish import PUBLISHED
from mttr_pipeline.defs.resources import RunResource, explained
from mttr_pipeline.errors import ContractError
from mttr_pipeline.publish import latest
from mttr_pipeline.warehouse.catalog import unusable_sources

OUTCOME = "mttr/outcome"  # of a run that published: complete or partly
_EVERY_SOURCE = "every_source"


@dg.multi_asset_check(
    name="sources",
    specs=[
        dg.AssetCheckSpec(
            _EVERY_SOURCE, asset=PUBLISHED, description="No source failed in the run that published this generation."
        )
    ],
)
@guarded
def every_source(context: dg.AssetCheckExecutionContext, run: RunResource) -> Iterator[dg.AssetCheckResult]:
    """Warns, or with `fail_when_stale` fails the run. Nothing depends on it: the generation is there, and is copied and told all the
    same."""
    generation = latest(run.published_root)
    if generation is None:
        raise explained(ContractError(f"Nothing is published in {run.published_root} yet; run the whole job."))
    failed = failed_sources(run.landing, generation.name) | (run.failed if generation.name == run.id else {})
    wrong = [f"{name} is stale: {error}" for name, error in failed.items()]
    wrong += unusable_sources(run.settings.accounts).values()
    if generation.name == run.id:  # the check may be executed alone, later
        tags = {OUTCOME: "partly" if wrong else "complete"}
        if failed:  # also of the run that this one goes on with
            tags[FAILED_SOURCES] = ",".join(failed)
        context.instance.add_run_tags(context.run.run_id, tags)
    fails = bool(failed) and run.settings.file.run.fail_when_stale
    yield dg.AssetCheckResult(
        asset_key=PUBLISHED,
        check_name=_EVERY_SOURCE,
        passed=not wrong,
        severity=dg.AssetCheckSeverity.ERROR if fails else dg.AssetCheckSeverity.WARN,
        description=" ".join(wrong) or None,
    )
    if fails:
        sentence = "The results are published, and the run counts as failed because of fail_when_stale in [run]."
        raise explained(ContractError(" ".join((sentence, *wrong))))
