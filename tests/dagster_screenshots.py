"""Pictures of Dagster's UI as an operator sees it, on data of simulated vendors. No test: it is for whoever looks at the UI.

python tests/dagster_screenshots.py /tmp/pictures

Makes a DAGSTER_HOME of its own, with a good night, one whose source failed, one whose check failed, and a backfill, opens the UI on
it and takes a picture of each, and of the columns of a table. Takes about two minutes.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch
from urllib.request import urlopen

import dagster as dg
import duckdb
from chromium import Chromium, Page
from support_e2e import CLOUD, REPOSITORY, UNTIL, clean_env, finished_run, mttr, vendors

from mttr_pipeline.defs import build_defs
from mttr_pipeline.defs.resources import RunResource

LOCATION = "mttr_pipeline.definitions"


def nights(data_dir: Path, home: Path) -> dict[str, str]:
    """What happened -> id of its run."""
    found: dict[str, str] = {}
    run = ("--data-dir", data_dir, "run", "--as-of", UNTIL.isoformat())
    with dg.DagsterInstance.from_config(str(home)) as instance, vendors() as server:
        env = {**server.env(*CLOUD), "DAGSTER_HOME": str(home)}
        mttr(*run, env=env).ended(0)
        found["good night"] = instance.get_runs(limit=1)[0].run_id
        found["backfill"] = _backfill(instance, data_dir, server.env("pagerduty"))
        with vendors(faults={"pagerduty": "unauthorized"}) as refusing:
            mttr(*run, env={**refusing.env(*CLOUD), "DAGSTER_HOME": str(home)}).ended(3)
        found["failed source"] = instance.get_runs(limit=1)[0].run_id
        with duckdb.connect(str(data_dir / "work.duckdb")) as con:
            con.execute("UPDATE ops.loads SET normalised = normalised - 1 WHERE source = 'jira' AND stream = 'issues'")
        mttr(*run, env=env).ended(1)
        found["failed check"] = instance.get_runs(limit=1)[0].run_id
    return found


def _backfill(instance: dg.DagsterInstance, data_dir: Path, env: dict[str, str]) -> str:
    resource = RunResource(data_dir=str(data_dir), as_of=UNTIL.isoformat())
    with patch.dict(os.environ, clean_env(env), clear=True):
        job = build_defs(resource_overrides={"run": resource}).resolve_job_def("backfill")
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        return job.execute_in_process(instance=instance, partition_key="2025-08-01", run_config=quiet).run_id


@contextmanager
def webserver(home: Path) -> Iterator[str]:
    """The address of Dagster's UI."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(sys.executable).with_name("dagster-webserver")
    server = subprocess.Popen(
        [program, "-m", LOCATION, "-h", "127.0.0.1", "-p", str(port)],
        env=clean_env({"DAGSTER_HOME": str(home), "PYTHONPATH": str(REPOSITORY)}),
        cwd=home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(120):
            try:
                urlopen(f"http://127.0.0.1:{port}/server_info", timeout=2).close()
                break
            except OSError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def show(page: Page, address: str, text: str) -> None:
    """Open an address and wait until the page says this."""
    page.call("Page.navigate", url=address)
    for _ in range(60):
        time.sleep(0.5)
        if text in (page.evaluate("document.body ? document.body.innerText : ''") or ""):
            break
    else:
        print(f"{address} does not say {text!r}")
    time.sleep(2)  # what is drawn after the words


def choose_months(page: Page, address: str, months: str) -> None:
    """As far as the button that launches them."""
    show(page, f"{address}/locations/{LOCATION}/jobs/backfill/partitions", "Total partitions")
    for text in ("Materialize", "Confirm", "Show all partitions"):
        button = f"[...document.querySelectorAll('button')].findLast(b => b.innerText.trim().startsWith('{text}'))"
        for _ in range(20):
            if page.evaluate(f"!!{button} && !{button}.disabled"):
                page.evaluate(f"{button}.click()")
                break
            time.sleep(0.5)  # nothing is asked to confirm where every source was pulled once
        time.sleep(2)
    page.evaluate("(i => {i.focus(); i.select()})([...document.querySelectorAll('input[type=text]')].at(-1))")
    page.call("Input.insertText", text=months)
    page.press("Enter")
    time.sleep(3)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        home, data_dir = Path(scratch) / "home", Path(scratch) / "data"
        home.mkdir()
        settings = (REPOSITORY / ".dagster" / "dagster.yaml").read_text(encoding="utf-8")
        (home / "dagster.yaml").write_text(settings + "nux:\n  enabled: false\n")  # no invitation in front of the page
        shutil.copytree(finished_run(), data_dir, symlinks=True)
        runs = nights(data_dir, home)
        blank = Path(scratch) / "blank.html"
        blank.write_text("<p></p>")
        pages = {name: (f"/runs/{run}", "Run of") for name, run in runs.items()}
        pages["failed source, the asset"] = ("/assets/landing/pagerduty?view=checks", "fresh")
        pages["backfill, the months"] = ("/assets/history/months?view=partitions", "2025-08-01")
        pages["columns"] = ("/assets/core/incidents?view=overview", "Column name")
        pages["lineage"] = ("/assets/core/incidents?view=lineage&lineageScope=upstream&lineageDepth=2", "golden")
        with webserver(home) as address, Chromium() as browser, browser.page(blank, 1600, 1200) as page:
            for name, (path, text) in pages.items():
                show(page, address + path, text)
                print(page.screenshot(folder / f"{name.replace(',', '').replace(' ', '_')}.png"))
            choose_months(page, address, "[2025-06-01...2025-08-01]")
            print(page.screenshot(folder / "backfill_a_range_is_chosen.png"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
