"""Telling people, after a publish and after a failure. What is told and how is `alerts`' work.

The asset tells what a run brought, in Dagster and under `mttr run` alike. A failure is told by who sees the end of the run: the
command line (`execute`), and in Dagster sensors, which also see a process that died.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from mttr_pipeline import alerts, reports
from mttr_pipeline.config.alert_places import alert_places
from mttr_pipeline.config.clock import parse_clock
from mttr_pipeline.defs.extract import OWNERS, Event, not_evaluated
from mttr_pipeline.defs.guarded import guarded
from mttr_pipeline.defs.jobs import nightly
from mttr_pipeline.defs.publish import PUBLISHED
from mttr_pipeline.defs.reasons import checks_that_failed, reasons, what_came
from mttr_pipeline.defs.resources import NOT_LONG_AGO, RunResource
from mttr_pipeline.errors import MttrError
from mttr_pipeline.publish import latest

TOLD = dg.AssetKey(["published", "told"])
REACHED = "reached"  # the check that every place was
_WILL_RETRY = "dagster/will_retry"  # the tag of a failed run that the instance tries again (`run_retries`)
_EVERY_PLACE = dg.AssetCheckSpec(REACHED, asset=TOLD, description="Every place took its messages.")


@dg.asset(
    key=TOLD,
    deps=[PUBLISHED],
    group_name="published",
    kinds={"python"},
    owners=OWNERS,
    output_required=False,
    description="Messages to the places of ALERT_*: conditions that began or are over with this run, and the weekly digest.",
    check_specs=[_EVERY_PLACE],
)
@guarded
def told(run: RunResource) -> Iterator[Event]:
    """After the publish, where this run tells anybody. A place that cannot be reached warns, and is told after the next run."""
    if not run.tells:
        yield not_evaluated(_EVERY_PLACE)
        return
    try:
        answers = alerts.tell(run.settings.data_dir, run.alert_places, datetime.now(UTC), _digest(run))
        wrong = [
            f"{answer.wrong} What it was not told is told after the next run." for answer in answers if answer.wrong
        ]
    except MttrError as error:
        answers, wrong = [], [str(error)]
    reached = dg.AssetCheckResult(
        check_name=REACHED,
        passed=not wrong,
        severity=dg.AssetCheckSeverity.WARN,
        description=" ".join(wrong) or None,
    )
    metadata = {f"messages_{answer.place.name}": answer.messages for answer in answers}
    yield dg.MaterializeResult(metadata=metadata, check_results=[reached])


def _digest(run: RunResource) -> alerts.Digest | None:
    weekday, generation = run.settings.file.alerts.digest, latest(run.published_root)
    if weekday is None or generation is None:
        return None
    zone = run.settings.file.reporting_time_zone
    return alerts.Digest(weekday, zone, lambda: reports.plain(reports.read(generation)))


def run_failed(data_dir: str | Path | None, sentences: Sequence[str], as_of: str | None = None) -> list[str]:
    """Tell every place that a nightly run failed; gives what went wrong in telling, see `_tell`."""
    return _tell(data_dir, [alerts.Failure(" ".join(sentences) or "The run failed.")], as_of)


def _tell(data_dir: str | Path | None, failures: Sequence[alerts.Failure], as_of: str | None) -> list[str]:
    """Tell every place what failed; gives what went wrong in telling. Nothing where no place is configured, and for a run about the
    past. Never raises: the failure itself must be heard by whoever started the run."""
    now = datetime.now(UTC)
    try:
        if as_of is not None and now - parse_clock(as_of, "--as-of") >= NOT_LONG_AGO:
            return []
        places = alerts.places_of(alert_places(os.environ))
        if not places:
            return []
        folder = Path(data_dir or os.environ.get("MTTR_DATA_DIR") or "data").expanduser()
        answers = alerts.tell_failure(folder, failures, places, now)
    except MttrError as error:
        return [str(error)]
    return [answer.wrong for answer in answers if answer.wrong]


@dg.run_failure_sensor(
    name="failed_run",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells the places of ALERT_* that a run failed, of whatever job. Does nothing where none is configured.",
)
@guarded
def failed_run(context: dg.RunFailureSensorContext) -> None:
    """Also of a run whose process died. What is told already is not told again, and checks are left to `failed_checks`, but for
    those of a nightly run."""
    if _is_nobodys(context):
        return
    events, given = _events(context), _given(context)
    sentences = reasons(events, what_came(events))[0] or [context.failure_event.message or ""]
    if context.dagster_run.job_name == nightly.name:
        wrong = run_failed(given.get("data_dir"), sentences[:3], given.get("as_of"))
    elif not list(checks_that_failed(events, "")):
        job = _job(context)
        said = f"{job[0].upper()}{job[1:]} failed. {' '.join(sentences[:3])}"
        wrong = _tell(given.get("data_dir"), [alerts.Failure(said, "job_failed", job)], given.get("as_of"))
    else:
        return
    for sentence in wrong:
        context.log.warning(sentence)


@dg.run_failure_sensor(
    name="failed_checks",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells the places of ALERT_* which checks failed in a run that is no nightly one, such as some tables that somebody "
    "materialized. Does nothing where none is configured.",
)
@guarded
def failed_checks(context: dg.RunFailureSensorContext) -> None:
    """Of every job of this code location but `nightly`, whose failures `failed_run` tells. A check whose failure is an error blocks,
    so its run has failed; one that only warns tells nobody."""
    if context.dagster_run.job_name == nightly.name or _is_nobodys(context):
        return
    events, given = _events(context), _given(context)
    failures = [
        alerts.Failure(sentence, "check_failed", f"{found.check_name} of {'.'.join(found.asset_key.path)}")
        for found, sentence in checks_that_failed(events, what_came(events))
    ]
    if failures:
        for wrong in _tell(given.get("data_dir"), failures, given.get("as_of")):
            context.log.warning(wrong)


def _is_nobodys(context: dg.RunFailureSensorContext) -> bool:
    """Whether a failure is nobody's alert: of the demonstration; of a command, which somebody watches, and which tells a failed
    night itself; and of a run that the instance tries again."""
    given, tags = _given(context), context.dagster_run.tags
    is_heard = given.get("by_command") and context.dagster_run.job_name != nightly.name
    return bool(given.get("simulated") or is_heard or tags.get(_WILL_RETRY) == "true")


def _job(context: dg.RunFailureSensorContext) -> str:
    """What a run did, for people. Where somebody materializes assets that he chose, its job has no name of ours."""
    name = context.dagster_run.job_name
    return "the making of single assets" if name.startswith("__") else f"the job {name}"


def _given(context: dg.RunFailureSensorContext) -> dict[str, Any]:
    """The configuration of the resource of the run."""
    run_config: dict[str, Any] = dict(context.dagster_run.run_config)
    given: dict[str, Any] = run_config.get("resources", {}).get("run", {}).get("config", {})
    return given


def _events(context: dg.RunFailureSensorContext) -> list[dg.DagsterEvent]:
    kept = context.instance.all_logs(context.dagster_run.run_id)
    return [entry.dagster_event for entry in kept if entry.dagster_event]
