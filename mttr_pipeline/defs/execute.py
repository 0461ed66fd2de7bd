"""Runs a Dagster job in this process and says what came of it, in sentences instead of stack traces."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from mttr_pipeline import interrupts
from mttr_pipeline import progress as progress_module
from mttr_pipeline.defs import build_defs
from mttr_pipeline.defs.extract import FRESH, failed_sources
from mttr_pipeline.defs.jobs import nightly
from mttr_pipeline.defs.publish import COPIED, PUBLISHED
from mttr_pipeline.defs.reasons import reasons, what_came
from mttr_pipeline.defs.telling import REACHED, run_failed
from mttr_pipeline.defs.tidying import delete_old_runs
from mttr_pipeline.errors import cleaned, first_line
from mttr_pipeline.landing.store import Landing, new_run_id
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.registry import load_settings
from mttr_pipeline.warehouse.catalog import unusable_sources


@dataclass
class Outcome:
    """What a job came to. `generation` is the published folder, None when nothing was published; `exit_code` is not 0 when a
    step failed, which may also be one after the publish. `copied_to` is the second place, None when nothing was copied there.
    """

    generation: Path | None
    failed_sources: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    exit_code: int = 0
    copied_to: str | None = None


def execute(job: str, options: dict[str, Any], progress: Progress, *, debug: bool = False) -> Outcome:
    """Run `nightly` or `rebuild` once, in process. `options` are the fields of RunResource.

    Runs are recorded where DAGSTER_HOME says, and nowhere when it is not set.
    """
    given = {name: value for name, value in options.items() if value is not None}
    given |= {"by_command": True}
    given.setdefault("run_id", new_run_id())
    settings = load_settings(data_dir=given.get("data_dir"), config=given.get("config_file"))
    defs = build_defs(settings.accounts)
    with run_instance() as instance, progress_module.shown_by(progress):
        result = defs.resolve_job_def(job).execute_in_process(
            instance=instance,
            raise_on_error=False,
            run_config={
                "loggers": {"console": {"config": {"log_level": "INFO" if debug else "CRITICAL"}}},
                "resources": {"run": {"config": given}},
            },
        )
        not_tidied = _tidied(instance, settings.file.dagster.keep_runs_days)
    data_dir = Path(given["data_dir"])
    made = {event.asset_key for event in result.all_events if event.is_step_materialization}
    published = PUBLISHED in made
    copied_to = settings.file.publish.to if COPIED in made and not given.get("simulated") else None
    generation = (data_dir / "published" / "latest").resolve() if published else None
    failed = failed_sources(Landing(data_dir / "landing"), given["run_id"]) | _not_fresh(result)
    errors = [f"{name} is stale: {error}" for name, error in failed.items()]
    errors += _not_told(result) + not_tidied
    unusable = unusable_sources(settings.accounts)
    failed |= unusable
    if result.success:
        return Outcome(generation, failed, [*errors, *unusable.values()], copied_to=copied_to)
    found, code = reasons(result.all_events, what_came(result.all_events), debug)
    sentences = found or errors
    sentences += [sentence for sentence in unusable.values() if sentence not in " ".join(sentences)]
    if job == nightly.name and not given.get("simulated") and not interrupts.heard():
        sentences += run_failed(data_dir, sentences, given.get("as_of"))
    return Outcome(generation, failed, sentences, code, copied_to)


def _not_fresh(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Source -> error, of those that failed in this run, also before anything of theirs was landed."""
    evaluations = [event.event_specific_data for event in result.all_events]
    return {
        found.asset_key.path[-1]: found.description or "unknown"
        for found in evaluations
        if isinstance(found, dg.AssetCheckEvaluation) and found.check_name == FRESH and not found.passed
    }


def _not_told(result: dg.ExecuteInProcessResult) -> list[str]:
    """What went wrong in telling people. It is no failure of the run."""
    evaluations = [event.event_specific_data for event in result.all_events]
    return [
        found.description or "Nobody was told."
        for found in evaluations
        if isinstance(found, dg.AssetCheckEvaluation) and found.check_name == REACHED and not found.passed
    ]


def _tidied(instance: dg.DagsterInstance, days: float | None) -> list[str]:
    """Delete old runs where they are recorded; gives what went wrong. It is no failure of the run."""
    if days is None or instance.is_ephemeral:
        return []
    try:
        delete_old_runs(instance, days)
    except Exception as error:  # of whatever database keeps them
        return [f"Old runs of Dagster were not deleted: {first_line(cleaned(error))}. The next run tries again."]
    return []


@contextmanager
def run_instance() -> Iterator[dg.DagsterInstance]:
    """The instance of DAGSTER_HOME, else one that keeps nothing. Telemetry stays off unless that home says otherwise."""
    if os.environ.get("DAGSTER_HOME"):
        with dg.DagsterInstance.get() as instance:
            yield instance
    else:
        os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
        with dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as instance:
            # It would write every event into an SQLite in memory, which nobody reads: half of the time of a small run.
            vars(instance.event_log_storage).update(store_event=lambda event: None, get_asset_records=lambda keys: [])
            yield instance
