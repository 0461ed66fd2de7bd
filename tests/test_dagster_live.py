"""Dagster's own daemon, web server and code server as processes: who is told, what is tried again, what months become."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

import dagster as dg
import duckdb
import pytest
from filelock import FileLock
from live_dagster import Live, dagster_dev, end_process, until
from receivers import Web, web
from support_e2e import latest, mttr, query, vendors

from mttr_pipeline.demo.server import VendorServer

pytestmark = pytest.mark.slow
RECORD = {"external_id": "1", "detected_at": "2026-10-01T00:00:00Z", "resolved_at": "2026-10-01T01:00:00Z"}


@dataclass
class Company:
    """A running instance with one source and one receiver of alerts."""

    live: Live
    vendor: VendorServer
    receiver: Web
    data_dir: Path
    settings: Path

    def told(self, condition: str) -> list[str]:
        """The sentences of this condition that the receiver got."""
        found = [one for body in self.receiver.bodies for one in body["alerts"]]
        return [one["sentence"] for one in found if (one["condition"], one["state"]) == (condition, "began")]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    pytest.importorskip("dagster_webserver")
    folder = tmp_path_factory.mktemp("live")
    (folder / "record.jsonl").write_text(json.dumps(RECORD))
    mttr("--data-dir", folder / "data", "import", folder / "record.jsonl").ended(0)
    (folder / "mttr.toml").write_text("")
    with vendors() as vendor, web() as receiver:
        env = {
            **vendor.env("pagerduty"),
            "MTTR_DATA_DIR": str(folder / "data"),
            "MTTR_CONFIG": str(folder / "mttr.toml"),
            "ALERT_WEBHOOK_URL": receiver.address,
        }
        with dagster_dev(folder / "home", env) as live:
            yield Company(live, vendor, receiver, folder / "data", folder / "mttr.toml")


def test_a_run_whose_process_died_is_tried_again_and_nobody_is_told(company: Company) -> None:
    """`run_retries` of .dagster/dagster.yaml. The other run that it waits for keeps it where it is until it is killed."""
    company.data_dir.mkdir(exist_ok=True)
    with FileLock(company.data_dir / ".lock"):
        first = company.live.launch("rebuild")
        end_process(company.live, first)
        died = company.live.ended(first)
    assert died["status"] == "FAILURE" and died["tags"]["dagster/will_retry"] == "true"
    again = until(lambda: [r for r in company.live.runs() if r["tags"].get("dagster/parent_run_id") == first])
    assert company.live.ended(again[0]["runId"])["status"] == "SUCCESS"
    assert query(company.data_dir, "SELECT external_id FROM records") == [("1",)]
    assert company.receiver.got == []


def test_failed_runs_are_told_once_and_not_tried_again(company: Company) -> None:
    """Two nights that cannot begin, and months that cannot be read: one message for each kind, by the daemon's sensors."""
    company.settings.write_text("[outliers]\nhuors = 1\n")
    nights = [company.live.ended(company.live.launch("nightly")) for _ in range(2)]
    assert {night["tags"]["dagster/will_retry"] for night in nights} == {"false"}
    company.live.ended(company.live.launch("rebuild"))
    (job,) = until(lambda: company.told("job_failed"))
    assert job.startswith("The job rebuild failed. ") and "unknown key 'outliers.huors'" in job
    (run,) = company.told("run_failed")
    assert "unknown key 'outliers.huors'" in run
    company.settings.write_text("")


def test_a_range_of_months_is_one_run(company: Company) -> None:
    """What the dialog of the UI sends: one window to the vendor, one publish, and a month of the asset for each."""
    company.vendor.clear_log()
    run = company.live.backfill("backfill", "2025-07-01", "2025-08-01")
    assert (run["jobName"], run["status"]) == ("backfill", "SUCCESS")
    asked = [parse_qs(request.query) for request in company.vendor.requests("pagerduty")]
    windows = {(found["since"][0][:10], found["until"][0][:10]) for found in asked if "since" in found}
    assert windows and all("2025-07-01" <= since <= until <= "2025-09-01" for since, until in windows)
    assert query(company.data_dir, "SELECT count(*) > 0 FROM records WHERE source = 'pagerduty'") == [(True,)]
    with dg.DagsterInstance.from_config(str(company.live.home)) as instance:
        assert instance.get_materialized_partitions(dg.AssetKey(["history", "months"])) == {"2025-07-01", "2025-08-01"}


def test_a_step_that_failed_is_told_once(company: Company) -> None:
    """Months that the vendor refuses to give: the step fails and nothing is published. Both sensors look at the run, one tells."""
    before, checks = latest(company.data_dir), company.told("check_failed")
    company.vendor.set_faults({"pagerduty": "unauthorized"})
    run = company.live.backfill("backfill", "2025-07-01", "2025-07-01")
    company.vendor.set_faults("none")
    assert run["status"] == "FAILURE" and latest(company.data_dir) == before
    for sensor in ("failed_run", "failed_checks"):
        company.live.seen(sensor, run["runId"])
    (sentence,) = [one for one in company.told("job_failed") if one.startswith("The job backfill failed. ")]
    assert "The months from 2025-07 to 2025-08, the last not included, were not read of pagerduty." in sentence
    assert company.told("check_failed") == checks


def test_a_check_that_stopped_the_publish_is_told_once(company: Company) -> None:
    """In a run that is no night, by the sensor of checks alone: a record was lost after it was loaded."""
    before, jobs = latest(company.data_dir), company.told("job_failed")
    with duckdb.connect(str(company.data_dir / "work.duckdb")) as con:
        damaged = "UPDATE ops.loads SET normalised = normalised - 1 WHERE source = 'pagerduty' AND stream = 'incidents'"
        assert con.execute(damaged).fetchone() != (0,)
    run = company.live.backfill("backfill", "2025-07-01", "2025-07-01")
    assert run["status"] == "FAILURE" and latest(company.data_dir) == before
    for sensor in ("failed_run", "failed_checks"):
        company.live.seen(sensor, run["runId"])
    (sentence,) = company.told("check_failed")
    assert sentence.startswith("The check nothing_is_lost of mart.source_runs failed (")
    assert sentence.endswith("); nothing was published.")
    assert company.told("job_failed") == jobs
