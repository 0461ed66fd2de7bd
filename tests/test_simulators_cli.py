"""`python -m mttr_pipeline.demo` serves until it is stopped and says where."""

from __future__ import annotations

import subprocess
import sys

import requests


def test_serves_and_prints_exports() -> None:
    command = [sys.executable, "-m", "mttr_pipeline.demo", "--port", "0", "--until", "2026-10-01T06:00:00+00:00"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            lines = [process.stdout.readline().strip() for _ in range(14)]
            env = dict(line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export "))
            assert {
                "PAGERDUTY_TOKEN",
                "PAGERDUTY_API_URL",
                "OPSGENIE_API_KEY",
                "JSM_API_TOKEN",
                "JIRA_EMAIL",
            } <= env.keys()
            answer = requests.get(
                env["PAGERDUTY_API_URL"] + "/incidents?date_range=all&total=true",
                headers={"Authorization": f"Token token={env['PAGERDUTY_TOKEN']}"},
                timeout=10,
            )
            assert answer.json()["total"] > 300
        finally:
            process.terminate()


def test_says_when_the_port_is_taken() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "mttr_pipeline.demo", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as first:
        try:
            assert first.stdout
            first.stdout.readline()
            url = first.stdout.readline().strip() + first.stdout.readline().strip()
            port = url.rsplit(":", 1)[1].split("/")[0]
            second = subprocess.run(
                [sys.executable, "-m", "mttr_pipeline.demo", "--port", port],
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            assert second.returncode == 1 and "--port 0" in second.stderr and "Traceback" not in second.stderr
        finally:
            first.terminate()
