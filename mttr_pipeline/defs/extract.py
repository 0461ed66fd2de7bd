"""Assets that fill the landing zone.

A source that fails materializes nothing, fails its check, says why in its manifest and is named in a tag of the run; the others go
on. What was not asked for is not materialized either: an asset that looks new holds new records.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import datetime

import dagster as dg

from mttr_pipeline import progress
from mttr_pipeline.config.settings import Account
from mttr_pipeline.defs.again import try_again
from mttr_pipeline.defs.guarded import guarded
from mttr_pipeline.defs.resources import RunResource, explained
from mttr_pipeline.errors import ConfigError, MttrError, cleaned
from mttr_pipeline.intake import inbox, received
from mttr_pipeline.landing.manifest import Attempt, Manifest
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.sources.pulling import build_source, foreseen, pull
from mttr_pipeline.warehouse.ahead import reading_ahead
from mttr_pipeline.warehouse.catalog import catalog
from mttr_pipeline.warehouse.known import WarehouseRecords

INBOX = dg.AssetKey(["landing", "inbox"])
TAKEN = "taken"  # the check of the inbox
FRESH = "fresh"  # the check of a pull
FAILED_SOURCES = "mttr/failed_sources"  # the tag of a run, names with commas between them
OWNERS = ["team:incident-metrics"]

Event = dg.MaterializeResult | dg.AssetCheckResult | dg.Output[None]


def landing_asset(account: Account) -> dg.AssetsDefinition:
    """The pull of one account."""
    name = account.name
    key = dg.AssetKey(["landing", name])
    fresh = dg.AssetCheckSpec(
        FRESH, asset=key, description="The pull of this run went through; otherwise its rows are old."
    )

    @dg.asset(
        key=key,
        output_required=False,
        group_name="landing",
        kinds={"python", "json"},
        owners=OWNERS,
        description=f"Records of {account.title} as they came, pulled over HTTP. Off while its credentials are not set.",
        check_specs=[fresh],
    )
    @guarded
    def extract(context: dg.AssetExecutionContext, run: RunResource) -> Iterator[Event]:
        if not run.wants(name):
            context.log.info(f"{name} is not pulled: its credentials are not set, or it was not asked for")
            yield not_evaluated(fresh)
            return
        try:
            manifest = pulled(context, run, name, run.instant("since"), run.instant("until"))
        except ConfigError as error:
            raise explained(error) from error
        except MttrError as error:
            context.log.error(str(error), exc_info=cleaned(error))  # `--debug` shows where
            try_again(context, run, error)
            run.failed[name] = str(error)
            context.instance.add_run_tags(context.run.run_id, {FAILED_SOURCES: ",".join(run.failed)})
            yield _failed(key, FRESH, str(error))
            return
        attempt = manifest.attempts[-1]
        yield dg.MaterializeResult(
            metadata={
                "records": manifest.records,
                "requests": attempt.requests,
                "dagster/row_count": manifest.records,
                "high_water": manifest.high_water or "",
                "extract": manifest.extract_id,
            },
            check_results=[dg.AssetCheckResult(check_name=FRESH, passed=True)],
        )

    return extract


def pulled(
    context: dg.AssetExecutionContext, run: RunResource, name: str, since: datetime | None, until: datetime | None
) -> Manifest:
    """Pull one account as the run says, of this window. Raises MttrError."""
    with foreseen(name), closing(build_source(name, run.settings)) as source, ExitStack() as stack:
        loaded = _loaded_records(run, name, context)
        opening = run.open_meanwhile()
        # What a first pull lands is read meanwhile; later ones land little, and ask for what is loaded.
        landed = stack.enter_context(reading_ahead(opening, run.landing)) if loaded is None else run.landing
        return pull(
            source,
            run.settings,
            landed,
            run.id,
            as_of=run.clock,
            since=since,
            until=until,
            full_refresh=run.full_refresh,
            progress=progress.current(),
            deadline=run.deadline,
            loaded=loaded,
        )


def not_evaluated(check: dg.AssetCheckSpec) -> dg.Output[None]:
    """What Dagster wants of a check in a step, where there is nothing to say about it."""
    return dg.Output(None, check.get_python_identifier())


def _failed(key: dg.AssetKey, check: str, sentence: str) -> dg.AssetCheckResult:
    """The check alone, without a materialization: what is there is as old as it was."""
    return dg.AssetCheckResult(
        asset_key=key, check_name=check, passed=False, severity=dg.AssetCheckSeverity.WARN, description=sentence
    )


def _loaded_records(run: RunResource, name: str, context: dg.AssetExecutionContext) -> WarehouseRecords | None:
    """What we hold of a source so far, to find out what it has deleted; nothing before its first complete pull."""
    if not any(manifest.status == "complete" for manifest in run.landing.manifests(name)):
        return None
    try:
        run.warehouse.load(run.landing)  # an earlier run may have pulled without coming to loading
    except MttrError as error:
        context.log.warning(f"records deleted at the vendor are not looked for: {error}")
        return None
    return WarehouseRecords(run.warehouse, name)


@dg.asset(
    key=INBOX,
    output_required=False,
    group_name="landing",
    kinds={"python", "json"},
    owners=OWNERS,
    description="Webhook bodies as they were received, out of the folder inbox. Custom records found there go to landing/custom.",
    check_specs=[
        dg.AssetCheckSpec(
            TAKEN, asset=INBOX, description="Every file could be read, landed and moved out of the folder."
        )
    ],
)
@guarded
def received_bodies(context: dg.AssetExecutionContext, run: RunResource) -> Iterator[Event]:
    """Takes the folder whatever sources are asked for. What cannot be taken stays there and never stops a run. Where nothing was
    in it, nothing is materialized."""
    try:
        taken = inbox.take(run.inbox, run.landing, run.id, run.settings.accounts)
    except (MttrError, OSError) as error:
        sentence = str(cleaned(error))
        context.log.error(sentence)
        yield _failed(INBOX, TAKEN, sentence)
        return
    wrong = [*taken.refused, *taken.stuck]
    if taken.report:
        bodies = dict(taken.report.bodies)
        yield dg.MaterializeResult(
            metadata={
                "files": taken.files,
                "custom_records": taken.report.records,
                "dagster/row_count": sum(bodies.values()),
                **bodies,
            }
        )
    if wrong:
        yield _failed(INBOX, TAKEN, " ".join(wrong[:20]))
    else:
        yield dg.AssetCheckResult(asset_key=INBOX, check_name=TAKEN, passed=True)


imported_records = dg.AssetSpec(
    ["landing", "custom"],
    group_name="landing",
    kinds={"json"},
    owners=OWNERS,
    description="Custom records that `mttr import` or the inbox put into the landing zone.",
)


def failed_sources(landing: Landing, run_id: str) -> dict[str, str]:
    """Source -> error, of those whose last pull in this run failed: one may be tried again."""
    newest: dict[str, Attempt] = {}
    for manifest in landing.manifests():
        for attempt in manifest.attempts:
            if attempt.run_id == run_id and attempt.started_at >= newest.get(manifest.source, attempt).started_at:
                newest[manifest.source] = attempt
    return {name: attempt.error or "unknown" for name, attempt in newest.items() if attempt.status == "failed"}


def none_left(run: RunResource) -> list[str]:
    """The errors, when every source that this run asked failed or cannot be used, and no body was received; nothing otherwise."""
    failed = {**run.failed, **failed_sources(run.landing, run.id), **catalog(run.settings.accounts).problems}
    wanted = [account.name for account in run.settings.enabled if run.wants(account.name)]
    if not all(name in failed for name in wanted) or _received_in(run.landing, run.id):
        return []
    return [failed[name] for name in wanted]


def _received_in(landing: Landing, run_id: str) -> bool:
    """Whether this run took files out of the inbox."""
    extracts = landing.manifests(received.SOURCE)
    return any(manifest.status == "complete" and manifest.attempts[-1].run_id == run_id for manifest in extracts)
