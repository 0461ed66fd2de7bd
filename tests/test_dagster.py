"""The Dagster shell: what a person finds in its UI, real runs of the job without our command, and what stops a publish."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs

import dagster as dg
import duckdb
import pytest
import yaml
import zstandard
from columns import everything
from dagster._core.workspace.load import location_origins_from_yaml_paths
from filelock import FileLock
from support_e2e import (
    CLOUD,
    REPOSITORY,
    UNTIL,
    clean_env,
    command,
    content,
    copy_of,
    differences,
    empty_folder,
    finished_run,
    hear,
    latest,
    mttr,
    process,
    query,
    truth,
    vendors,
)

from mttr_pipeline import reports
from mttr_pipeline.config.settings import settings_of
from mttr_pipeline.defs import build_defs
from mttr_pipeline.defs.execute import run_instance
from mttr_pipeline.defs.jobs import HISTORY
from mttr_pipeline.defs.resources import RunResource
from mttr_pipeline.defs.tidying import delete_old_runs
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.sources.registry import registry
from mttr_pipeline.warehouse.catalog import catalog, default_catalog
from mttr_pipeline.warehouse.columns import columns_of
from mttr_pipeline.warehouse.models import sql_folder

GRAPH = Path(__file__).parent / "fixtures" / "dagster_graph.txt"
AS_OF = ("--as-of", UNTIL.isoformat())
AS_OF_THEN = {
    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    "resources": {"run": {"config": {"as_of": UNTIL.isoformat()}}},
}


@cache
def definitions() -> dg.Definitions:
    return build_defs(for_people=True)


def specs() -> list[dg.AssetSpec]:
    return sorted(definitions().resolve_all_asset_specs(), key=lambda spec: spec.key)


def graph() -> str:
    """Every asset key, check, job and schedule, one a line."""
    defs = definitions()
    found = [f"asset {spec.key.to_user_string()}" for spec in specs()]
    found += [
        f"check {key.asset_key.to_user_string()} {key.name}" for key in defs.resolve_asset_graph().asset_check_keys
    ]
    repository = defs.get_repository_def()
    found += [f"job {job.name}" for job in repository.get_all_jobs() if not job.name.startswith("__")]
    found += [f"schedule {s.name} {s.cron_schedule} {s.execution_timezone}" for s in repository.schedule_defs]
    found += [f"sensor {sensor.name}" for sensor in repository.sensor_defs]
    return "\n".join(sorted(found)) + "\n"


# -- the graph ---------------------------------------------------------------------------------------------------------


def test_the_graph_is_the_committed_one() -> None:
    """A renamed asset, a lost check or a new job must be a visible diff: history and alerts hang on these names.

    To accept a change: `python tests/test_dagster.py > tests/fixtures/dagster_graph.txt`
    """
    assert GRAPH.read_text(encoding="utf-8") == graph()


def test_every_asset_says_what_it_is_and_whose() -> None:
    """An asset without group, owner or description is a box nobody can act on."""
    wanting = [
        spec.key.to_user_string()
        for spec in specs()
        if not (spec.group_name and spec.group_name != "default" and spec.kinds and spec.owners and spec.description)
    ]
    assert wanting == []


def test_every_promise_of_a_header_is_a_check_and_blocks() -> None:
    """A promise in a header that nobody checks is decoration."""
    keys = {(key.asset_key, key.name) for key in definitions().resolve_asset_graph().asset_check_keys}
    promised = {(dg.AssetKey(model.table.split(".")), name) for model in default_catalog() for name in model.promises()}
    assert promised and promised <= keys
    specs_of = {spec.key: spec for assets in definitions().assets or [] for spec in getattr(assets, "check_specs", ())}
    assert all(spec.blocking for spec in specs_of.values() if (spec.asset_key, spec.name) in promised)


def test_the_columns_of_every_table_are_shown_before_the_first_run() -> None:
    """Whoever opens the UI of a new installation reads what a column means and what type it has, without a run."""
    shown = {spec.key: spec.metadata for spec in specs()}
    for model in default_catalog():
        metadata = shown[dg.AssetKey(model.table.split("."))]
        columns = {column.name: column for column in metadata["dagster/column_schema"].columns}
        assert [*columns] == [name for name in model.columns if model.schema != "raw" or name != "reject_reason"]
        assert all(column.type and column.description.startswith(model.columns[n]) for n, column in columns.items())


def lineage() -> dict[tuple[str, str], set[tuple[str, str]]]:
    """(table, column) -> what it is made of, as Dagster is told."""
    found: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for spec in specs():
        for column, deps in getattr(spec.metadata.get("dagster/column_lineage"), "deps_by_column", {}).items():
            made_of = {(".".join(dep.asset_key.path), dep.column_name) for dep in deps}
            found[".".join(spec.key.path), column] = made_of
    return found


def test_a_column_can_be_traced_to_what_the_vendor_sent() -> None:
    """ "Where does this date come from?" is answered from the incident down to the record of each tool, column by column."""
    deps, seen, open_ = lineage(), set(), {("core.incidents", "resolved_at")}
    while open_:
        seen |= open_
        open_ = {above for column in open_ for above in deps.get(column, ())} - seen
    assert {("staging.events", "happened_at"), ("raw.pagerduty_log_entries", "created_at")} <= seen
    assert {table.split("_")[0] for table, _ in seen if table.startswith("raw.")} >= {"raw.jira", "raw.opsgenie"}
    columns = next(spec for spec in specs() if spec.key.path == ["core", "incidents"]).metadata["dagster/column_schema"]
    [resolved] = [column for column in columns.columns if column.name == "resolved_at"]
    assert "core.golden.resolved_at" in (resolved.description or "")  # the UI draws lineage in Dagster+ only
    united = next(spec for spec in specs() if spec.key.path == ["staging", "events"]).metadata["dagster/column_schema"]
    [happened] = [column for column in united.columns if column.name == "happened_at"]
    above = {f"{table}.{name}" for table, name in deps["staging.events", "happened_at"]}
    assert above and all(name in (happened.description or "") for name in above), "each source is named"


def test_most_tables_have_lineage_and_only_of_columns_that_exist() -> None:
    """sqlglot reads most of DuckDB's SQL, not all. A lineage of columns that are not there would be worse than none."""
    models, deps = default_catalog(), lineage()
    tables = {model.table for model in models if model.schema != "raw"}
    assert len({table for table, _ in deps}) >= 0.8 * len(tables)
    wrong = [(c, d) for c, made_of in deps.items() for d in (c, *made_of) if d[1] not in models[d[0]].columns]
    assert wrong == []


def test_what_is_known_of_columns_is_of_the_sql_as_it_is() -> None:
    """To renew it: `python tests/columns.py`. Until then a changed table has no types and no lineage."""
    models = default_catalog()
    assert [model.table for model in models if not columns_of(models, model).types] == []


@pytest.mark.slow
def test_what_is_known_of_columns_is_what_the_sql_says() -> None:
    """A fingerprint sees that the SQL of a table was changed, not that a table which it reads was."""
    for file, text in everything().items():
        assert (sql_folder() / file).read_text(encoding="utf-8") == text, file


def test_every_asset_leads_to_its_code() -> None:
    """A table to its SQL, a pull to the module that pulls: who looks at a wrong figure wants to read how it is made."""
    leads = {
        spec.key.to_user_string(): [Path(ref.file_path) for ref in found.code_references]
        for spec in specs()
        if (found := spec.metadata.get("dagster/code_references"))
    }
    assert {spec.key.to_user_string() for spec in specs()} - leads.keys() == {"landing/custom"}  # made by no code here
    assert all(path.is_file() for paths in leads.values() for path in paths)
    assert leads["core/incidents"] == [sql_folder().resolve() / "core" / "incidents.sql"]
    assert [path.parent.name for path in leads["landing/pagerduty"]] == ["pagerduty"]
    assert leads["raw/jsm_alert_details"] == [sql_folder().resolve() / "raw" / "alerts" / "alert_details.sql"]


def test_every_field_of_a_run_says_what_it_is() -> None:
    """Who types a run configuration into the launchpad sees nothing else of a field."""
    fields = RunResource.to_config_schema().as_field().config_type.fields
    assert fields.keys() == RunResource.model_fields.keys()
    assert [name for name, field in fields.items() if not field.description] == []


def test_columns_of_a_second_account_are_known_too() -> None:
    """The file has one account of each source; the tables of another one have the same columns, from tables of its own."""
    configured = settings_of({"sources": {"jira_eu": {"kind": "jira"}}}, registry().sources, {}, data_dir=Path())
    models = catalog(configured.accounts)
    known = columns_of(models, models["staging.jira_eu_records"])
    assert known.types and ("staging.jira_eu_issues", "updated_at") in known.sources["updated_at"]


def test_a_company_says_whose_the_assets_are_and_when_they_are_made(tmp_path: Path) -> None:
    """`[dagster]` of mttr.toml: the night of the company, its teams, and after how long a missing night is shown as overdue."""
    config = """[dagster]
    schedule = "30 1 * * mon-fri"
    time_zone = "Europe/Berlin"
    freshness_hours = 80
    owners = ["team:sre", "oncall@example.com"]
    tags = { domain = "reliability" }
    kinds = ["tableau"]
    """
    (tmp_path / "mttr.toml").write_text(config)
    with patch.dict(os.environ, clean_env({"MTTR_CONFIG": str(tmp_path / "mttr.toml")}), clear=True):
        defs = build_defs(for_people=True)
    [schedule] = [s for s in defs.get_repository_def().schedule_defs if s.name == "daily"]
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 1 * * mon-fri", "Europe/Berlin")
    found = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
    assert {(*spec.owners, spec.tags.get("domain")) for spec in found.values()} == {
        ("team:sre", "oncall@example.com", "reliability")
    }
    assert all("tableau" in spec.kinds and len(spec.kinds) > 1 for spec in found.values())
    assert len(found["published/generation"].kinds) == 5
    overdue = {name: spec.freshness_policy for name, spec in found.items() if spec.freshness_policy}
    assert overdue.keys() == {"report/summary", *(name for name in found if name.startswith("landing/"))} - {
        *("landing/inbox", "landing/custom", "landing/alertmanager")  # come when somebody sends them
    }
    assert set(overdue.values()) == {dg.FreshnessPolicy.time_window(timedelta(hours=80))}


def test_definitions_load_without_any_credential() -> None:
    """A code server starts before anybody has set a token; nothing may be read from the environment on import."""
    program = "from mttr_pipeline.definitions import defs; defs.get_repository_def(); print('loaded')"
    env = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "SYSTEMROOT") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, cwd=empty_folder(), capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "loaded", done.stderr
    assert list(empty_folder().iterdir()) == [], "loading wrote something"


def test_the_workspace_file_loads() -> None:
    """`dagster dev` in a clone opens it without an argument."""
    (origin,) = location_origins_from_yaml_paths([str(REPOSITORY / "workspace.yaml")])
    assert origin.loadable_target_origin.module_name == "mttr_pipeline.definitions"


def test_telemetry_is_off(tmp_path: Path) -> None:
    """Dagster phones home unless told not to: the project's own instance says no, and so does the command without one."""
    settings = yaml.safe_load((REPOSITORY / ".dagster" / "dagster.yaml").read_text(encoding="utf-8"))
    assert settings["telemetry"] == {"enabled": False}
    shutil.copy(REPOSITORY / ".dagster" / "dagster.yaml", tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.telemetry_enabled is False


# -- real runs ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_dagster_runs_the_nightly_job_without_our_command(tmp_path: Path) -> None:
    """As a scheduler does it: the job by name, configuration from the environment, its own instance."""
    (tmp_path / "home").mkdir()
    hear(tmp_path / "data")
    shutil.copy(REPOSITORY / ".dagster" / "dagster.yaml", tmp_path / "home")
    config = tmp_path / "run.yaml"
    config.write_text(yaml.safe_dump({"resources": {"run": {"config": {"as_of": UNTIL.isoformat()}}}}))
    with vendors() as server:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "dagster", "job", "execute"),
                *("-m", "mttr_pipeline.definitions", "-j", "nightly", "-c", str(config)),
            ],
            env=clean_env(
                {**server.env(*CLOUD), "DAGSTER_HOME": str(tmp_path / "home"), "MTTR_DATA_DIR": str(tmp_path / "data")}
            ),
            cwd=empty_folder(),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    assert differences(tmp_path / "data", truth()) == []
    assert "RUN_SUCCESS" in done.stderr


def executed(
    data_dir: Path, job: str = "rebuild", env: dict[str, str] | None = None, months: Sequence[str] = (), **config: Any
) -> dg.ExecuteInProcessResult:
    """A job on fresh definitions with the resource replaced, as an embedding program does it. `months`: the first and the last."""
    resource = RunResource(data_dir=str(data_dir), as_of=UNTIL.isoformat(), **config)
    with patch.dict(os.environ, clean_env(env or {}), clear=True), run_instance() as instance:
        return (
            build_defs(resource_overrides={"run": resource})
            .resolve_job_def(job)
            .execute_in_process(
                instance=instance,
                raise_on_error=False,
                tags=dict(
                    zip(
                        ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end"),
                        months,
                        strict=False,
                    )
                ),
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        )


@contextmanager
def recorded(home: Path) -> Iterator[dg.DagsterInstance]:
    """The records of a DAGSTER_HOME."""
    home.mkdir(exist_ok=True)
    shutil.copy(REPOSITORY / ".dagster" / "dagster.yaml", home)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


def test_old_runs_are_deleted_with_their_files(tmp_path: Path) -> None:
    """Dagster keeps every run for ever: a disk fills up by 3 GB a year. A younger run and one that is not over stay."""

    @dg.asset
    def table() -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata={"dagster/row_count": 1})

    with recorded(tmp_path / "home") as instance:
        ids = [dg.materialize([table], instance=instance).run_id for _ in range(2)]
        open_ = instance.create_run_for_job(build_defs().resolve_job_def("tidy"), status=dg.DagsterRunStatus.STARTED)
        files = {path.stem for path in (tmp_path / "home").rglob("*.db")}
        assert set(ids) <= files
        assert delete_old_runs(instance, 30) == 0 and instance.get_runs_count() == 3
        later = datetime.now(UTC) + timedelta(days=31)
        assert delete_old_runs(instance, 30, later) == 2
        assert [run.run_id for run in instance.get_runs()] == [open_.run_id]
        assert not {path.stem for path in (tmp_path / "home").rglob("*.db")} & set(ids)
        assert [str(path) for path in (tmp_path / "home" / "storage").rglob("*") if path.name in ids] == []


@pytest.mark.parametrize("days", ["", "keep_runs_days = 90"])
def test_old_runs_are_deleted_by_themselves_only_where_it_is_asked_for(tmp_path: Path, days: str) -> None:
    """History that is gone does not come back: nothing is deleted before somebody says so."""
    (tmp_path / "mttr.toml").write_text(f"[dagster]\n{days}\n")
    env = clean_env({"MTTR_CONFIG": str(tmp_path / "mttr.toml")})
    with patch.dict(os.environ, env, clear=True), dg.DagsterInstance.ephemeral() as instance:
        defs = build_defs()
        [weekly] = [s for s in defs.get_repository_def().schedule_defs if s.name == "weekly_tidy"]
        assert (weekly.default_status == dg.DefaultScheduleStatus.RUNNING) == bool(days)
        assert defs.resolve_job_def("tidy").execute_in_process(instance=instance).success


@pytest.mark.slow
def test_a_run_of_cron_is_seen_in_dagster(tmp_path: Path) -> None:
    """Who starts `mttr run` by cron and sets DAGSTER_HOME finds the run, its tables and its checks in the UI; what is older than
    `keep_runs_days` is gone after it."""
    data_dir, home = copy_of(finished_run(), tmp_path / "data"), tmp_path / "home"
    config = tmp_path / "mttr.toml"
    config.write_text("[dagster]\nkeep_runs_days = 30\n")
    with recorded(home) as instance:
        with patch("dagster._core.storage.runs.sql_run_storage.get_current_datetime") as clock:
            clock.return_value = datetime.now(UTC) - timedelta(days=40)
            old = dg.materialize([dg.asset(lambda: None, name="old")], instance=instance).run_id
        mttr("--data-dir", data_dir, "--config", config, "rebuild", *AS_OF, env={"DAGSTER_HOME": str(home)}).ended(0)
        [run] = instance.get_runs()
        assert run.run_id != old and (run.job_name, run.status) == ("rebuild", dg.DagsterRunStatus.SUCCESS)
        made = instance.get_latest_materialization_event(dg.AssetKey(["core", "incidents"]))
        rows = made and made.asset_materialization and made.asset_materialization.metadata["dagster/row_count"].value
        assert made and made.run_id == run.run_id and [(rows,)] == query(data_dir, "SELECT count(*) FROM incidents")


@pytest.mark.slow
def test_months_that_are_chosen_in_the_ui_are_pulled_again(tmp_path: Path) -> None:
    """The job `backfill` asks for the months that were chosen and nothing else, in one run. What is published afterwards has them
    beside what was there, and the next night goes on where the last one ended."""
    data_dir = tmp_path / "data"
    with vendors() as server:
        assert executed(data_dir, "nightly", server.env("pagerduty"), since="2025-09-01").success
        [first] = Landing(data_dir / "landing").manifests("pagerduty")
        server.clear_log()
        result = executed(data_dir, "backfill", server.env("pagerduty"), ("2025-07-01", "2025-08-01"))
        asked = [parse_qs(request.query) for request in server.requests("pagerduty")]
    assert result.success
    made = [
        event.partition for event in result.all_events if event.is_step_materialization and event.asset_key == HISTORY
    ]
    assert made == ["2025-07-01", "2025-08-01"], "the page of the asset shows which months are there"
    windows = {(query["since"][0][:10], query["until"][0][:10]) for query in asked if "since" in query}
    assert windows and all("2025-07-01" <= since <= until <= "2025-09-01" for since, until in windows), windows
    [again] = [m for m in Landing(data_dir / "landing").manifests("pagerduty") if m.extract_id != first.extract_id]
    assert again.status == "complete" and again.records
    assert first.high_water and not again.high_water
    of_both = """SELECT external_id FROM records WHERE source = 'pagerduty' AND detected_at >= '2025-07-02 00:00:00+00'
        AND detected_at < '2025-09-30 00:00:00+00' ORDER BY ALL"""
    assert query(data_dir, of_both) == query(finished_run(), of_both) != []
    older = "FROM records WHERE detected_at < '2025-06-01 00:00:00+00' AND resolved_at IS NOT NULL"  # open ones are always read
    assert query(data_dir, f"SELECT external_id {older}") == []


@pytest.mark.slow
def test_a_month_that_a_source_did_not_give_is_not_there(tmp_path: Path) -> None:
    """The run fails and publishes nothing; what the other source sent is kept, and it is not asked again by a re-execution."""
    data_dir, job = tmp_path / "data", dg.reconstructable(backfill)
    env = {"MTTR_DATA_DIR": str(data_dir), "MTTR_CONFIG": str(tmp_path / "mttr.toml")}
    august = {"dagster/partition": "2025-08-01"}
    (tmp_path / "mttr.toml").write_text("[run]\nretry_minutes = 0\n")
    with vendors(faults={"jira": "unauthorized"}) as refusing, recorded(tmp_path / "home") as instance:
        with patch.dict(os.environ, clean_env({**refusing.env("pagerduty", "jira"), **env}), clear=True):
            first = dg.execute_job(job, instance, tags=august, run_config=AS_OF_THEN)
        [failed] = [event for event in first.all_events if event.is_step_failure]
        told = str(failed.step_failure_data.user_failure_data)
        assert failed.step_key == "history__months" and "from 2025-08 to 2025-09, the last not included" in told
        assert "not read of jira. jira: " in told and not (data_dir / "published").exists()
        with (
            vendors() as server,
            patch.dict(os.environ, clean_env({**server.env("pagerduty", "jira"), **env}), clear=True),
        ):
            again = dg.ReexecutionOptions.from_failure(first.run_id, instance)
            second = dg.execute_job(job, instance, tags=august, reexecution_options=again, run_config=AS_OF_THEN)
            assert second.success
            assert not server.requests("pagerduty") and server.requests("jira")
    assert query(data_dir, "SELECT DISTINCT source FROM records ORDER BY 1") == [("jira",), ("pagerduty",)]


def backfill() -> dg.JobDefinition:
    """The job as a code location has it; MTTR_DATA_DIR says where."""
    return build_defs().resolve_job_def("backfill")


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dg.ExecuteInProcessResult]:
    data_dir = copy_of(finished_run(), tmp_path_factory.mktemp("dagster") / "data")
    damage(data_dir)  # so that a rebuild which does not start over fails
    return data_dir, executed(data_dir)


def damage(data_dir: Path) -> None:
    """Change a line of the ledger in the working database, as a bug would: its counts no longer add up."""
    with duckdb.connect(str(data_dir / "work.duckdb")) as con:
        con.execute("UPDATE ops.loads SET normalised = normalised - 1 WHERE source = 'jira' AND stream = 'issues'")


def test_a_resource_can_be_replaced(rebuilt: tuple[Path, dg.ExecuteInProcessResult]) -> None:
    """`build_defs(resource_overrides)` is the door for tests and for programs that embed the pipeline; also for the job
    `rebuild`, which has a setting of its own."""
    data_dir, result = rebuilt
    assert result.success
    assert latest(data_dir).name != latest(finished_run()).name


def test_a_rebuild_gives_the_same_bytes(rebuilt: tuple[Path, dg.ExecuteInProcessResult]) -> None:
    """The landing zone is all there is. What names its own run differs; test_end_to_end compares the database row by row."""
    left_out = {"mttr.duckdb", "manifest.json", "latest.json"}
    before, after = (content(latest(folder), leave_out=left_out) for folder in (finished_run(), rebuilt[0]))
    assert [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)] == []


def test_every_table_reports_its_rows(rebuilt: tuple[Path, dg.ExecuteInProcessResult]) -> None:
    """Row counts draw the curve on an asset's page. The columns are those that the definitions show, so no run repeats them."""
    data_dir, result = rebuilt
    seen = {
        event.asset_key: event.step_materialization_data.materialization.metadata
        for event in result.all_events
        if event.is_step_materialization and event.asset_key
    }
    models = default_catalog()
    assert {dg.AssetKey(model.table.split(".")) for model in models} <= seen.keys()
    for model in models:
        metadata = seen[dg.AssetKey(model.table.split("."))]
        assert "dagster/column_schema" not in metadata, model.table
        rows = metadata["dagster/row_count"].value
        assert isinstance(rows, int), model.table
        if model.schema == "mart":
            assert query(data_dir, f"SELECT count(*) FROM {model.name}") == [(rows,)], model.table


def test_every_check_is_evaluated_and_passes(rebuilt: tuple[Path, dg.ExecuteInProcessResult]) -> None:
    """A blocking check that is defined but never evaluated would block nothing."""
    evaluated = {(e.asset_key, e.check_name) for e in rebuilt[1].get_asset_check_evaluations()}
    promised = {(dg.AssetKey(model.table.split(".")), name) for model in default_catalog() for name in model.promises()}
    assert promised <= evaluated
    blocking = [e for e in rebuilt[1].get_asset_check_evaluations() if e.blocking]
    assert blocking and all(e.passed for e in blocking)


def without_a_line(data_dir: Path, source: str, stream: str) -> None:
    """Take one record out of a landed file and make the manifest's checksum fit, but not its count."""
    (manifest,) = (data_dir / "landing" / source).glob("*/manifest.json")
    told = json.loads(manifest.read_text())
    file = next(file for file in told["files"] if file["stream"] == stream and file["records"] > 1)
    path = manifest.parent / file["file"]
    lines = (
        zstandard.ZstdDecompressor().stream_reader(path.read_bytes(), read_across_frames=True).read().splitlines(True)
    )
    path.write_bytes(zstandard.compress(b"".join(lines[1:])))
    file["sha256"], file["bytes"] = hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size
    manifest.write_text(json.dumps(told))


def test_counts_that_do_not_add_up_stop_the_publish(tmp_path: Path) -> None:
    """A record that vanished between the vendor and the tables is the one failure that must never be published."""
    data_dir = copy_of(finished_run(), tmp_path / "data")
    before, old = latest(data_dir), content(latest(data_dir))
    without_a_line(data_dir, "jira", "issues")
    result = mttr("--data-dir", data_dir, "rebuild", *AS_OF).ended(1)
    assert "records were landed in issues but" in result.err, result.err
    assert latest(data_dir) == before and content(before) == old


@pytest.mark.slow
def test_a_broken_promise_stops_the_publish_and_is_named(tmp_path: Path) -> None:
    """A blocking check that fails on a real table: exit 1, the check by name, readers see what they saw before."""
    data_dir = copy_of(finished_run(), tmp_path / "data")
    before, old = latest(data_dir), content(latest(data_dir))
    damage(data_dir)
    with vendors() as server:
        result = mttr("--data-dir", data_dir, "run", *AS_OF, env=server.env("jira")).ended(1)
    assert (
        "The check nothing_is_lost of mart.source_runs failed (1 rows break it); nothing was published." in result.err
    )
    assert latest(data_dir) == before and content(before) == old


@pytest.mark.slow
def test_a_summary_that_cannot_be_drawn_takes_nothing_back(tmp_path: Path) -> None:
    """What draws the chart fails after the publish: readers have the new generation, and the exit code says that not all is well."""
    data_dir = copy_of(finished_run(), tmp_path / "data")
    before = latest(data_dir)
    (tmp_path / "sitecustomize.py").write_text(
        "import vl_convert\ndef vegalite_to_png(*_, **__): raise OSError('no fonts')\nvl_convert.vegalite_to_png = vegalite_to_png\n"
    )
    result = process(command("--data-dir", data_dir, "rebuild", *AS_OF), env={"PYTHONPATH": str(tmp_path)}).ended(3)
    assert "report__summary failed: OSError: no fonts; the results are published." in result.err, result.err
    assert latest(data_dir) != before and latest(data_dir).name in result.out


@pytest.mark.parametrize("published", [False, True], ids=["nothing", "by an older release"])
def test_a_summary_that_is_made_alone_says_what_to_run(tmp_path: Path, published: bool) -> None:
    """Somebody materialises the asset by hand before the first night, or before the first one after an update."""
    if published:
        documents = tmp_path / "published" / "old" / "json"
        documents.mkdir(parents=True)
        for name in reports.DOCUMENTS:
            (documents / f"{name}.json").write_text('{"schema_version": 1}')
        (tmp_path / "published" / "latest").symlink_to("old")
    with patch.dict(os.environ, clean_env(), clear=True), run_instance() as instance:
        job = build_defs(
            resource_overrides={"run": RunResource(data_dir=str(tmp_path))}
        ).resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            instance=instance, raise_on_error=False, asset_selection=[dg.AssetKey(["report", "summary"])]
        )
    assert not result.success
    [failed] = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    told = str(failed.user_failure_data and failed.user_failure_data.description)
    assert "run the whole job `nightly` or `rebuild`" in told and ("another release" in told) == published


def test_a_run_that_waits_too_long_for_another_says_so(tmp_path: Path) -> None:
    """The guard between two runs on one data directory, seen from the one that does not get in."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    with FileLock(data_dir / ".lock"):
        result = executed(data_dir, wait_seconds=0.1)
    assert not result.success
    told = [str(getattr(event.event_specific_data, "error", "")) for event in result.all_events]
    assert any("Another run has been using" in text and "start again" in text for text in told)
    assert not (data_dir / "work.duckdb").exists() and not (data_dir / "published").exists()


if __name__ == "__main__":
    print(graph(), end="")


def test_dagster_lets_nothing_into_the_folder_of_the_demo(tmp_path: Path) -> None:
    """`dagster job execute` and the schedule are doors too: they would mix real incidents with invented ones."""
    (tmp_path / ".demo").touch()
    result = executed(tmp_path, "nightly")
    assert not result.success
    told = [str(getattr(event.event_specific_data, "error", "")) for event in result.all_events]
    assert any("holds the data of `mttr demo`" in text for text in told)
    assert not (tmp_path / "landing").exists() and not (tmp_path / "work.duckdb").exists()
