"""Dagster as a company runs it: web server, code server and daemon as processes of their own, asked through its GraphQL."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
import requests
from support_e2e import REPOSITORY, clean_env

T = TypeVar("T")
LOCATION = "mttr_pipeline.definitions"
_DECIDED = "dagster/will_retry"
_OVER = {"SUCCESS", "FAILURE", "CANCELED"}
_RUNS = "{runsOrError {... on Runs {results {runId jobName status tags {key value}}}}}"
_LAUNCH = """mutation ($params: ExecutionParams!) {launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess {run {runId}} ... on PythonError {message}}}"""
_ASSETS = "query ($job: PipelineSelector!) {assetNodes(pipeline: $job) {assetKey {path}}}"
_BACKFILL = """mutation ($params: LaunchBackfillParams!) {launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess {backfillId} ... on PythonError {message}}}"""
_STATUS = "query ($id: String!) {partitionBackfillOrError(backfillId: $id) {... on PartitionBackfill {status}}}"


def until(found: Callable[[], T | None], seconds: float = 180) -> T:
    """What comes at last; asks twice a second."""
    deadline = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < deadline, f"nothing after {seconds} seconds"
        time.sleep(0.5)
    return answer


@dataclass
class Live:
    """A running `dagster dev`."""

    address: str
    home: Path

    def ask(self, query: str, **variables: Any) -> Any:
        """The data of an answer."""
        answer = requests.post(
            f"{self.address}/graphql", json={"query": query, "variables": variables}, timeout=60
        ).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def runs(self) -> list[dict[str, Any]]:
        """All runs, the newest first, tags as a dictionary."""
        found = self.ask(_RUNS)["runsOrError"]["results"]
        return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]

    def launch(self, job: str, config: Mapping[str, Any] | None = None) -> str:
        """Start a job as the Launchpad does; gives the id of the run."""
        selector = {"repositoryLocationName": LOCATION, "repositoryName": "__repository__", "pipelineName": job}
        params = {"selector": selector, "runConfigData": config or {}, "mode": "default"}
        return str(self.ask(_LAUNCH, params=params)["launchRun"]["run"]["runId"])

    def ended(self, run_id: str) -> dict[str, Any]:
        """A run, once it is over, and once it is decided whether it is tried again where it failed."""

        def found() -> dict[str, Any] | None:
            (run,) = [run for run in self.runs() if run["runId"] == run_id]
            return run if run["status"] in _OVER and (run["status"] != "FAILURE" or _DECIDED in run["tags"]) else None

        return until(found)

    def seen(self, sensor: str, run_id: str) -> None:
        """Wait until a sensor of failed runs has looked at this one, whatever it told."""
        said = f'Sensor "{sensor}" acted on run status FAILURE of run {run_id}'
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            until(lambda: any(said in (entry.message or entry.user_message) for entry in instance.all_logs(run_id)))

    def backfill(self, job: str, first: str, last: str) -> dict[str, Any]:
        """Choose partitions from `first` to `last` of a job, as its dialog does; gives the one run of them, once all is over."""
        where = {"repositoryLocationName": LOCATION, "repositoryName": "__repository__"}
        selector, parts = where | {"pipelineName": job}, {"partitionSetName": f"{job}_partition_set"}
        assets = [node["assetKey"] for node in self.ask(_ASSETS, job=selector)["assetNodes"]]
        params = {
            "assetSelection": assets,
            "partitionNames": [first, last],
            "selector": parts | {"repositorySelector": where},
        }
        launched = self.ask(_BACKFILL, params=params)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        name = launched["backfillId"]
        until(lambda: self.ask(_STATUS, id=name)["partitionBackfillOrError"]["status"].startswith("COMPLETED"), 300)
        runs = [run for run in self.runs() if run["tags"].get("dagster/backfill") == name]
        assert len(runs) == 1, runs
        return runs[0]


def end_process(live: Live, run_id: str) -> None:
    """Kill the process of a run, as the system does when memory runs out, once it says which it is."""
    with dg.DagsterInstance.from_config(str(live.home)) as instance:
        said = until(
            lambda: [
                found[1]
                for entry in instance.all_logs(run_id)
                if (found := re.search(r"Started process for run \(pid: (\d+)\)", entry.message))
            ]
        )
    os.kill(int(said[0]), signal.SIGKILL)


@contextmanager
def dagster_dev(home: Path, env: Mapping[str, str], settings: str = "") -> Iterator[Live]:
    """`dagster dev` with our instance settings, and all its processes ended afterwards."""
    home.mkdir(exist_ok=True)
    text = (REPOSITORY / ".dagster" / "dagster.yaml").read_text(encoding="utf-8")
    (home / "dagster.yaml").write_text(text + settings)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("dagster")
    with (home / "log.txt").open("w") as log:
        started = subprocess.Popen(
            [program, "dev", "-m", LOCATION, "-h", "127.0.0.1", "-p", str(port)],
            env=clean_env({"DAGSTER_HOME": str(home), "PYTHONPATH": str(REPOSITORY), **env}),
            cwd=home,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    live = Live(f"http://127.0.0.1:{port}", home)
    try:
        until(lambda: _answers(live, started), 120)
        yield live
    finally:
        os.killpg(started.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            started.wait(60)
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)


def _answers(live: Live, started: subprocess.Popen[bytes]) -> bool:
    assert started.poll() is None, "dagster dev ended"
    try:
        return bool(live.ask("{version}"))
    except requests.ConnectionError:
        return False
