"""What Dagster shows, tries again and tells when something fails: real runs in its own instance, without our command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import pytest
from dagster._core.events import RunFailureReason
from dagster._core.execution.retries import auto_reexecution_should_retry_run
from receivers import Web, web
from support_e2e import clean_env, copy_of, finished_run, latest, mttr, query
from test_dagster import damage, definitions

from mttr_pipeline.defs.telling import failed_checks, failed_run
from mttr_pipeline.demo.profiles import Rule
from mttr_pipeline.demo.server import VendorServer
from mttr_pipeline.demo.world import World

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
REFUSED = Rule("status", argument=401, attempts=None)
LATER = Rule("throttle", argument=900, nth=1)  # it asks for a longer wait than a request may take
NEVER = Rule("throttle", argument=900, attempts=None)
FAULTS = {"pagerduty": (REFUSED,), "jira": (LATER,), "opsgenie": (NEVER,)}
SETTINGS = "[run]\nfail_when_stale = true\nretry_minutes = 0.001\n" + "".join(
    f"[sources.{name}]\nmax_wait_minutes = 0.02\n" for name in FAULTS
)


def landing(name: str) -> dg.AssetKey:
    return dg.AssetKey(["landing", name])


def tell(sensor: dg.SensorDefinition, result: dg.ExecuteInProcessResult, instance: dg.DagsterInstance) -> None:
    """What the daemon does after a run that failed."""
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    context = dg.build_run_status_sensor_context(sensor.name, result.get_run_failure_event(), instance, run)
    sensor(context.for_run_failure())


@dataclass
class Night:
    """A nightly run in which one source is refused, one cannot be reached, one can at the second try, and one is off."""

    data_dir: Path
    result: dg.ExecuteInProcessResult
    tags: dict[str, str]
    run_id: str
    receiver: Web
    env: dict[str, str]

    def made(self, key: dg.AssetKey) -> bool:
        return any(event.is_step_materialization and event.asset_key == key for event in self.result.all_events)

    def checks(self, name: str) -> dict[str, dg.AssetCheckEvaluation]:
        """Asset -> its evaluation."""
        found = self.result.get_asset_check_evaluations()
        return {one.asset_key.path[-1]: one for one in found if one.check_name == name}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    folder = tmp_path_factory.mktemp("night")
    (folder / "mttr.toml").write_text(SETTINGS)
    with VendorServer(World(1, datetime.now(UTC), volumes={}), faults=FAULTS, limits=None) as server, web() as receiver:
        where = {"MTTR_DATA_DIR": str(folder / "data"), "MTTR_CONFIG": str(folder / "mttr.toml")}
        env = {**server.env(*FAULTS), **where, "ALERT_WEBHOOK_URL": receiver.address}
        with patch.dict(os.environ, clean_env(env), clear=True), dg.DagsterInstance.ephemeral() as instance:
            job = definitions().resolve_job_def("nightly")
            result = job.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET)
            run = instance.get_run_by_id(result.run_id)
            assert run is not None
            tell(failed_checks, result, instance)
            tell(failed_run, result, instance)
        yield Night(folder / "data", result, dict(run.tags), latest(folder / "data").name, receiver, env)


@pytest.mark.slow
def test_a_source_that_failed_is_not_green(night: Night) -> None:
    """No materialization makes it look fresh, and the others go on. What was not asked for says nothing at all."""
    assert {name: night.made(landing(name)) for name in (*FAULTS, "jsm", "inbox")} == {
        "pagerduty": False,
        "jira": True,
        "opsgenie": False,
        "jsm": False,
        "inbox": False,
    }
    fresh = night.checks("fresh")
    assert {name: found.passed for name, found in fresh.items()} == {
        "pagerduty": False,
        "jira": True,
        "opsgenie": False,
    }
    assert {found.severity for name, found in fresh.items() if name != "jira"} == {dg.AssetCheckSeverity.WARN}
    assert night.made(dg.AssetKey(["raw", "pagerduty_incidents"])) and night.made(
        dg.AssetKey(["published", "generation"])
    )
    skipped = [event.step_key for event in night.result.all_events if event.is_step_skipped]
    assert skipped == []


@pytest.mark.slow
def test_a_run_in_which_a_source_failed_is_tagged_and_fails_after_the_publish(night: Night) -> None:
    """`fail_when_stale`: red in the list of runs, and everything that comes after a publish is there all the same."""
    assert sorted(night.tags["mttr/failed_sources"].split(",")) == ["opsgenie", "pagerduty"]
    assert night.tags["mttr/outcome"] == "partly"
    assert not night.result.success
    assert [event.step_key for event in night.result.all_events if event.is_step_failure] == ["sources"]
    assert (night.data_dir / "published" / night.run_id / "manifest.json").is_file()
    assert night.made(dg.AssetKey(["published", "told"])) and night.made(dg.AssetKey(["report", "summary"]))
    (every,) = night.checks("every_source").values()
    assert (every.passed, every.severity) == (False, dg.AssetCheckSeverity.ERROR)


@pytest.mark.slow
def test_only_what_may_pass_is_tried_again_and_once(night: Night) -> None:
    """A refused token is refused again, and asking more often locks accounts."""
    again = [event.step_key for event in night.result.all_events if event.is_step_up_for_retry]
    assert sorted(again) == ["landing__jira", "landing__opsgenie"]
    told = dict(query(night.data_dir, "SELECT source, status FROM source_runs WHERE run_id = '" + night.run_id + "'"))
    assert told == {"jira": "complete", "opsgenie": "failed", "pagerduty": "failed"}, "what came of it in the end"


@pytest.mark.parametrize("job", ["nightly", "rebuild"])
def test_an_instance_that_retries_runs_does_so_for_a_process_that_died(job: str) -> None:
    """A step that failed fails again: what may pass was tried again by then."""
    tags = definitions().resolve_job_def(job).tags
    settings = {"run_retries": {"enabled": True, "max_retries": 3}}
    with dg.DagsterInstance.ephemeral(settings=settings) as instance:
        run = instance.add_run(dg.DagsterRun(job_name=job, tags=tags, status=dg.DagsterRunStatus.FAILURE))
        retried = [
            auto_reexecution_should_retry_run(instance, run, reason)
            for reason in (RunFailureReason.STEP_FAILURE, RunFailureReason.UNKNOWN)
        ]
    assert retried == [False, True]


@pytest.mark.slow
def test_people_are_told_of_it_once(night: Night) -> None:
    """The condition by the run itself, the failed run by its sensor; the sensor of checks leaves nightly runs to it."""
    said = {one["condition"]: one["sentence"] for body in night.receiver.bodies for one in body["alerts"]}
    assert said["run_failed"].startswith(
        "The results are published, and the run counts as failed because of fail_when_stale"
    )
    assert "pagerduty is stale: " in said["run_failed"] and "check_failed" not in said


@pytest.mark.slow
def test_the_command_publishes_and_ends_with_3(night: Night) -> None:
    """The same night by `mttr run`: nobody waits for a second try, and each source that failed is a sentence."""
    before = latest(night.data_dir)
    done = mttr("run", env={**night.env, "ALERT_WEBHOOK_URL": ""}).ended(3)
    assert latest(night.data_dir) != before
    assert done.err.count("pagerduty is stale: ") == done.err.count("opsgenie is stale: ") == 1
    assert "tried again in" not in done.err and "fail_when_stale" in done.err


def test_a_check_that_fails_beside_a_nightly_run_is_told_once(tmp_path: Path) -> None:
    """Somebody materializes a table in the UI: the check fails the run and reaches the places of a night, unlike one that warns."""
    data_dir = copy_of(finished_run(), tmp_path / "data")
    damage(data_dir)
    with web() as receiver:
        env = clean_env({"MTTR_DATA_DIR": str(data_dir), "ALERT_WEBHOOK_URL": receiver.address})
        with patch.dict(os.environ, env, clear=True), dg.DagsterInstance.ephemeral() as instance:
            job = definitions().resolve_implicit_global_asset_job_def()
            for table in ("source_runs", "source_runs", "target_compliance"):
                result = job.execute_in_process(
                    instance=instance,
                    raise_on_error=False,
                    run_config=QUIET,
                    asset_selection=[dg.AssetKey(["mart", table])],
                )
                if table == "source_runs":
                    assert not result.success
                    tell(failed_checks, result, instance)
                    failed = result
            tell(failed_run, failed, instance)  # it leaves this to the other one
            warned = [found.check_name for found in result.get_asset_check_evaluations() if not found.passed]
    assert result.success and warned, "a missed target must warn"
    told = [one for body in receiver.bodies for one in body["alerts"]]
    assert [(one["condition"], one["scope"]) for one in told] == [
        ("check_failed", "nothing_is_lost of mart.source_runs")
    ]
    assert {one["sentence"] for one in told} == {
        "The check nothing_is_lost of mart.source_runs failed (1 rows break it); nothing was published."
    }
