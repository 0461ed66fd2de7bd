"""Assets that fill the landing zone. A source that fails fails its check and says why in its manifest; the others go on."""

from contextlib import closing

import dagster as dg

from mttr_pipeline import progress
from mttr_pipeline.config.settings import Account
from mttr_pipeline.defs.guarded import guarded
from mttr_pipeline.defs.resources import RunResource, explained
from mttr_pipeline.errors import ConfigError, MttrError, cleaned
from mttr_pipeline.intake import inbox, received
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.sources.pulling import build_source, foreseen, pull
from mttr_pipeline.warehouse.catalog import catalog
from mttr_pipeline.warehouse.known import WarehouseRecords

INBOX = dg.AssetKey(["landing", "inbox"])
FRESH = "fresh"  # the check of a pull
OWNERS = ["team:incident-metrics"]


def landing_asset(account: Account) -> dg.AssetsDefinition:
    """The pull of one account."""
    name = account.name
    key = dg.AssetKey(["landing", name])

    @dg.asset(
        key=key,
        group_name="landing",
        kinds={"python", "json"},
        owners=OWNERS,
        description=f"Records of {account.title} as they came, pulled over HTTP. Off while its credentials are not set.",
        check_specs=[
            dg.AssetCheckSpec(
                FRESH, asset=key, description="The pull of this run went through; otherwise its rows are old."
            )
        ],
    )
    @guarded
    def extract(context: dg.AssetExecutionContext, run: RunResource) -> dg.MaterializeResult:
        if not run.wants(name):
            off = dg.AssetCheckResult(check_name=FRESH, passed=True, description="not asked for in this run")
            return dg.MaterializeResult(metadata={"status": "off"}, check_results=[off])
        try:
            with foreseen(name), closing(build_source(name, run.settings)) as source:
                run.open_meanwhile()
                manifest = pull(
                    source,
                    run.settings,
                    run.landing,
                    run.id,
                    as_of=run.clock,
                    since=run.instant("since"),
                    until=run.instant("until"),
                    full_refresh=run.full_refresh,
                    progress=progress.current(),
                    deadline=run.deadline,
                    loaded=_loaded_records(run, name, context),
                )
        except ConfigError as error:
            raise explained(error) from error
        except MttrError as error:
            context.log.error(str(error), exc_info=cleaned(error))  # `--debug` shows where
            run.failed[name] = str(error)
            stale = dg.AssetCheckResult(
                check_name=FRESH, passed=False, severity=dg.AssetCheckSeverity.WARN, description=str(error)
            )
            return dg.MaterializeResult(metadata={"status": "failed", "error": str(error)}, check_results=[stale])
        attempt = manifest.attempts[-1]
        return dg.MaterializeResult(
            metadata={
                "status": "complete",
                "records": manifest.records,
                "requests": attempt.requests,
                "dagster/row_count": manifest.records,
                "high_water": manifest.high_water or "",
                "extract": manifest.extract_id,
            },
            check_results=[dg.AssetCheckResult(check_name=FRESH, passed=True)],
        )

    return extract


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
    group_name="landing",
    kinds={"python", "json"},
    owners=OWNERS,
    description="Webhook bodies as they were received, out of the folder inbox. Custom records found there go to landing/custom.",
    check_specs=[
        dg.AssetCheckSpec(
            "taken", asset=INBOX, description="Every file could be read, landed and moved out of the folder."
        )
    ],
)
@guarded
def received_bodies(context: dg.AssetExecutionContext, run: RunResource) -> dg.MaterializeResult:
    """Takes the folder whatever sources are asked for. What cannot be taken stays there and never stops a run."""
    try:
        taken = inbox.take(run.inbox, run.landing, run.id, run.settings.accounts)
    except (MttrError, OSError) as error:
        sentence = str(cleaned(error))
        context.log.error(sentence)
        failed = dg.AssetCheckResult(
            check_name="taken", passed=False, severity=dg.AssetCheckSeverity.WARN, description=sentence
        )
        return dg.MaterializeResult(metadata={"status": "failed", "error": sentence}, check_results=[failed])
    wrong = [*taken.refused, *taken.stuck]
    bodies = dict(taken.report.bodies) if taken.report else {}
    return dg.MaterializeResult(
        metadata={
            "status": "complete",
            "files": taken.files,
            "custom_records": taken.report.records if taken.report else 0,
            "dagster/row_count": sum(bodies.values()),
            **bodies,
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="taken",
                passed=not wrong,
                severity=dg.AssetCheckSeverity.WARN,
                description=" ".join(wrong[:20]) or None,
            )
        ],
    )


imported_records = dg.AssetSpec(
    ["landing", "custom"],
    group_name="landing",
    kinds={"json"},
    owners=OWNERS,
    description="Custom records that `mttr import` or the inbox put into the landing zone.",
)


def failed_sources(landing: Landing, run_id: str) -> dict[str, str]:
    """Source -> error, of those whose pull failed in this run."""
    return {
        manifest.source: attempt.error or "unknown"
        for manifest in landing.manifests()
        for attempt in manifest.attempts
        if attempt.run_id == run_id and attempt.status == "failed"
    }


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
