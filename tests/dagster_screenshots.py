"""Pictures of Dagster's UI as an operator sees it, on data of simulated vendors. No test: it is for whoever looks at the UI.

python tests/dagster_screenshots.py /tmp/pictures

Makes a DAGSTER_HOME of its own, with a good night, a backfill, a night whose source failed and one whose check failed, and takes
pictures of each before the next one begins, because an asset shows its newest run only. Then the layers as a graph, and one column
of a mart down to what the vendor sent, table by table: Dagster draws columns as a graph in Dagster+ only. Takes some minutes.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch
from urllib.request import urlopen

import dagster as dg
import duckdb
from chromium import Chromium, Page
from support_e2e import CLOUD, REPOSITORY, UNTIL, clean_env, hear, mttr, vendors

from mttr_pipeline.defs import build_defs
from mttr_pipeline.defs.resources import RunResource

LOCATION = "mttr_pipeline.definitions"
MART, SENT = ("mart/records", "resolved_at"), ("raw/pagerduty_log_entries", "created_at")
Column = tuple[str, str]
"""Asset and column."""


def nights(data_dir: Path, home: Path) -> Iterator[tuple[str, str]]:
    """What happened and the id of its run, each as soon as it has."""
    run = ("--data-dir", data_dir, "run", "--as-of", UNTIL.isoformat())
    hear(data_dir)
    with dg.DagsterInstance.from_config(str(home)) as instance, vendors() as server:
        env = {**server.env(*CLOUD), "DAGSTER_HOME": str(home)}
        mttr(*run, env=env).ended(0)
        yield "good night", instance.get_runs(limit=1)[0].run_id
        yield "backfill", _backfill(instance, data_dir, server.env("pagerduty"))
        server.set_faults({"pagerduty": "unauthorized"})
        mttr(*run, env=env).ended(3)
        yield "failed source", instance.get_runs(limit=1)[0].run_id
        server.set_faults("none")
        with duckdb.connect(str(data_dir / "work.duckdb")) as con:
            con.execute("UPDATE ops.loads SET normalised = normalised - 1 WHERE source = 'jira' AND stream = 'issues'")
        mttr(*run, env=env).ended(1)
        yield "failed check", instance.get_runs(limit=1)[0].run_id


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
        said = page.evaluate("document.body ? document.body.innerText : ''") or ""
        if text in said and "Loading run logs" not in said:
            break
    else:
        print(f"{address} does not say {text!r}")
    time.sleep(2)  # what is drawn after the words


def way(start: Column, end: Column) -> list[Column]:
    """The shortest way from a column down to one that it is made of, by times where it may choose."""
    made_of: dict[Column, list[Column]] = {}
    for spec in build_defs(for_people=True).resolve_all_asset_specs():
        known = spec.metadata.get("dagster/column_lineage", dg.TableColumnLineage({})).deps_by_column
        for name, deps in known.items():
            found = [("/".join(dep.asset_key.path), dep.column_name) for dep in deps]
            made_of["/".join(spec.key.path), name] = sorted(found, key=lambda column: not column[1].endswith("_at"))
    open_, seen = deque([[start]]), {start}
    while open_:
        path = open_.popleft()
        if path[-1] == end:
            return path
        above = [column for column in made_of.get(path[-1], ()) if column not in seen]
        seen.update(above)
        open_.extend([*path, column] for column in above)
    raise SystemExit(f"{start} is not made of {end}")


def press_button(page: Page, text: str) -> None:
    """The last button that begins so, once it can be pressed; nothing where there is none for ten seconds."""
    button = f"[...document.querySelectorAll('button')].findLast(b => b.innerText.trim().startsWith('{text}'))"
    for _ in range(20):
        if page.evaluate(f"!!{button} && !{button}.disabled"):
            page.evaluate(f"{button}.click()")
            break
        time.sleep(0.5)
    time.sleep(2)


def fill(page: Page, field: str, text: str) -> None:
    """Write into the last field that a selector finds."""
    page.evaluate(f"(i => {{i.focus(); i.select()}})([...document.querySelectorAll('{field}')].at(-1))")
    page.call("Input.insertText", text=text)


def choose_months(page: Page, address: str, months: str) -> None:
    """As far as the button that launches them."""
    show(page, f"{address}/locations/{LOCATION}/jobs/backfill/partitions", "Total partitions")
    for text in ("Materialize", "Confirm", "Show all partitions"):
        press_button(page, text)  # nothing is asked to confirm where every source was pulled once
    fill(page, "input[type=text]", months)
    page.press("Enter")
    time.sleep(3)


#: What happened -> pictures of it: name, address, what the page says once it is there.
PAGES = {
    "good night": [("run", "/runs/{run}", "Run of"), ("all runs", "/runs", "nightly")],
    "backfill": [
        ("run", "/runs/{run}", "Run of"),
        ("months", "/assets/history/months?view=partitions", "2025-08-01"),
    ],
    "failed source": [
        ("run, the step", "/runs/{run}?selection=landing__pagerduty&logs=step%3Alanding__pagerduty", "PagerDuty"),
        ("all runs", "/runs", "nightly"),
        ("check", "/assets/landing/pagerduty?view=checks", "fresh"),
        ("asset", "/assets/landing/pagerduty?view=overview", "Latest"),
        ("generation", "/assets/published/generation?view=checks", "every_source"),
    ],
    "failed check": [
        ("run, the check", "/runs/{run}?logs=nothing_is_lost", "Run of"),
        ("check", "/assets/mart/source_runs?view=checks&checkDetail=nothing_is_lost", "nothing_is_lost"),
    ],
}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> None:
        print(page.screenshot(folder / f"{name.replace(',', '').replace(' ', '_').replace('/', '.')}.png"), flush=True)

    with tempfile.TemporaryDirectory() as scratch:
        home, data_dir, blank = (Path(scratch) / name for name in ("home", "data", "blank.html"))
        home.mkdir()
        settings = (REPOSITORY / ".dagster" / "dagster.yaml").read_text(encoding="utf-8")
        (home / "dagster.yaml").write_text(settings + "nux:\n  enabled: false\n")  # no invitation in front of the page
        blank.write_text("<p></p>")
        with webserver(home) as address, Chromium() as browser, browser.page(blank, 1600, 1200) as page:
            for happened, run in nights(data_dir, home):
                for name, path, text in PAGES[happened]:
                    show(page, address + path.format(run=run), text)
                    take(page, f"{happened}, {name}")
                if happened == "failed source":
                    show(page, f"{address}/runs/{run}", "Run of")
                    press_button(page, "View tags and config")
                    take(page, f"{happened}, tags of the run")
            choose_months(page, address, "[2025-06-01...2025-08-01]")
            take(page, "backfill, a range is chosen")
            show(page, f"{address}/asset-groups", "staging")
            take(page, "lineage, layers")
            for number, (table, column) in enumerate(way(MART, SENT)):
                show(page, f"{address}/assets/{table}?view=overview", "Column name")
                fill(page, 'input[placeholder="Filter columns"]', column)
                time.sleep(1)
                take(page, f"lineage {number}, {table}.{column}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
