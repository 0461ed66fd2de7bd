"""Dagster as a company runs it: web server, code server and daemon as processes of their own, asked through its GraphQL."""

from __future__ import annotations

import os
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

import requests
from support_e2e import REPOSITORY, clean_env

T = TypeVar("T")
LOCATION = "mttr_pipeline.definitions"
_OVER = {"SUCCESS", "FAILURE", "CANCELED"}
_RUNS = "{runsOrError {... on Runs {results {runId jobName status tags {key value}}}}}"
_LAUNCH = """mutation ($params: ExecutionParams!) {launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess {run {runId}} ... on PythonError {message}}}"""
_BACKFILL = """mutation ($params: LaunchBackfillParams!) {launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess {backfillId} ... on PythonError {message}}}"""


def until(found: Callable[[], T], seconds: float = 180) -> T:
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

    def ask(self, query: str, **variables: Any) -> Any:
        """The data of an answer."""
        answer = requests.post(f"{self.address}/graphql", json={"query": query, "variables": variables}, timeout=60).json()
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
        """A run, once it is over."""
        return until(lambda: next((r for r in self.runs() if r["runId"] == run_id and r["status"] in _OVER), None))


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
    live = Live(f"http://127.0.0.1:{port}")
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
