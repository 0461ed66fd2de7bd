"""What Dagster re-executes: the rest of a run that failed goes on as that run, and a publish alone says why it does not go."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import pytest
from support_e2e import clean_env, mttr, query, vendors

from mttr_pipeline.defs import build_defs

PUBLISH = [dg.AssetKey(["published", "generation"])]


def rebuild() -> dg.JobDefinition:
    """The job as a code location has it; MTTR_DATA_DIR says where."""
    return build_defs().resolve_job_def("rebuild")


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data directory with one imported record, in the environment of the runs."""
    folder = tmp_path / "data"
    record = {"external_id": "1", "detected_at": "2026-10-01T00:00:00Z", "resolved_at": "2026-10-01T01:00:00Z"}
    (tmp_path / "records.jsonl").write_text(json.dumps(record))
    mttr("--data-dir", folder, "import", tmp_path / "records.jsonl").ended(0)
    where = {"MTTR_DATA_DIR": str(folder), "MTTR_CONFIG": str(tmp_path / "mttr.toml")}
    (tmp_path / "mttr.toml").write_text("")
    with patch.dict(os.environ, clean_env(where), clear=True):
        yield folder


def sentence(result: dg.ExecuteInProcessResult | dg.JobExecutionResult) -> str:
    """What the step that failed says."""
    [failed] = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failed.user_failure_data is not None
    return str(failed.user_failure_data.description)


@pytest.mark.slow
def test_a_publish_that_failed_is_done_again_with_the_tables_of_its_run(data: Path) -> None:
    """From the failure, under the id and the clock of the run that made the tables; a publish by itself explains itself."""
    in_the_way = data / "published" / ".latest.new"
    in_the_way.mkdir(parents=True)
    job = dg.reconstructable(rebuild)
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with dg.DagsterInstance.local_temp(str(data.parent)) as instance:
        first = dg.execute_job(job, instance, run_config=quiet)
        assert not first.success and "could not be published" in sentence(first)
        tags = instance.get_run_by_id(first.run_id).tags
        alone = rebuild().execute_in_process(
            instance=instance, raise_on_error=False, asset_selection=PUBLISH, run_config=quiet
        )
        said = (
            f"all that are there are of the run {tags['mttr/run']}, which was never published; re-execute that run from"
        )
        assert said in sentence(alone)

        (data.parent / "mttr.toml").write_text("[outliers]\nhours = 5\n")
        again = dg.ReexecutionOptions.from_failure(first.run_id, instance)
        changed = dg.execute_job(job, instance, run_config=quiet, reexecution_options=again)
        errors = [str(getattr(event.event_specific_data, "error", "")) for event in changed.all_events]
        assert any(f"has changed since the run {tags['mttr/run']} began" in text for text in errors), errors
        (data.parent / "mttr.toml").write_text("")

        in_the_way.rmdir()
        second = dg.execute_job(job, instance, run_config=quiet, reexecution_options=again)
        assert second.success
        assert "load" not in {event.step_key for event in second.all_events if event.is_step_start}
        assert (data / "published" / "latest").resolve().name == tags["mttr/run"]
        [(as_of,)] = query(data, "SELECT max(as_of) FROM mttr_stats")
        manifest = json.loads((data / "published" / "latest" / "manifest.json").read_text())
        assert as_of == datetime.fromisoformat(tags["mttr/as_of"]) == datetime.fromisoformat(manifest["as_of"])

        options = dg.ReexecutionOptions(parent_run_id=second.run_id, step_selection=["published__generation"])
        third = dg.execute_job(job, instance, run_config=quiet, reexecution_options=options)
        assert f"The results of the run {tags['mttr/run']} could not be published again" in sentence(third)


def nightly() -> dg.JobDefinition:
    """The job as a code location has it; MTTR_DATA_DIR says where."""
    return build_defs().resolve_job_def("nightly")


@pytest.mark.slow
def test_a_load_that_failed_is_done_again_beside_a_source_that_failed(data: Path) -> None:
    """The pull that failed made nothing, and the load takes what there is, at the second try too: without another request, and still
    as a run in which a source failed."""
    (landed,) = (data / "landing" / "custom").rglob("*.zst")
    sound = landed.read_bytes()
    landed.chmod(0o600)
    landed.write_bytes(sound[:-1])
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    job = dg.reconstructable(nightly)
    with (
        vendors(faults={"pagerduty": "unauthorized"}) as server,
        dg.DagsterInstance.local_temp(str(data.parent)) as instance,
    ):
        (data.parent / "mttr.toml").write_text("[sources.jira]\nsince = 2025-09-28\n")
        os.environ.update(server.env("pagerduty", "jira"))
        first = dg.execute_job(job, instance, run_config=quiet)
        assert (
            "custom" in sentence(first)
            and instance.get_run_by_id(first.run_id).tags["mttr/failed_sources"] == "pagerduty"
        )
        landed.write_bytes(sound)
        server.clear_log()
        again = dg.ReexecutionOptions.from_failure(first.run_id, instance)
        second = dg.execute_job(job, instance, run_config=quiet, reexecution_options=again)
        tags = instance.get_run_by_id(second.run_id).tags
    assert second.success and server.requests("pagerduty") == server.requests("jira") == []
    assert not any((event.step_key or "").startswith("landing__") for event in second.all_events if event.is_step_start)
    assert (tags["mttr/outcome"], tags["mttr/failed_sources"]) == ("partly", "pagerduty")
    [every] = [
        event.event_specific_data
        for event in second.all_events
        if isinstance(event.event_specific_data, dg.AssetCheckEvaluation)
        and event.event_specific_data.check_name == "every_source"
    ]
    assert not every.passed and "pagerduty is stale: " in (every.description or "")
    assert query(data, "SELECT DISTINCT source FROM records ORDER BY 1") == [("custom",), ("jira",)]
    assert ("pagerduty", "failed") in query(data, "SELECT source, status FROM source_runs")
