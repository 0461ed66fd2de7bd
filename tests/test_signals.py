"""Ctrl-C and SIGTERM end a command within five seconds wherever it is, and leave nothing that the next one stumbles over.

Real processes and real signals. The states are found by what the command has written so far, not by the clock.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support_e2e import REPOSITORY, Result, clean_env, command, mttr, process
from test_hostile_vendors import vendors

from mttr_pipeline.defs.resources import held
from mttr_pipeline.landing.manifest import interrupted_attempts
from mttr_pipeline.landing.store import Landing

KEPT = "what was landed is kept, and the next run goes on from there."
BOTH = pytest.mark.parametrize(
    ("number", "code", "name"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")]
)


@contextlib.contextmanager
def started(arguments: list[str], env: dict[str, str] | None = None, cwd: Path | None = None) -> Iterator[Any]:
    """A process of its own, killed at the end if it still runs."""
    path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    running = subprocess.Popen(
        arguments,
        env={**clean_env(env), "PYTHONPATH": path},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def ended(running: subprocess.Popen[str], number: int, ready: Callable[[], object]) -> Result:
    """Send the signal when it is `ready`, and see how the process ends, within five seconds of its own."""
    for _ in range(3000):
        if ready():
            break
        assert running.poll() is None, running.communicate()
        time.sleep(0.02)
    running.send_signal(number)
    began = time.monotonic()
    out, err = running.communicate(timeout=60)
    assert time.monotonic() - began < 5.5, err  # half a second for a machine under load
    return Result(running.returncode, out, err)


def vendor(server: Any, folder: Path) -> dict[str, str]:
    return {
        "PAGERDUTY_TOKEN": "x",
        "PAGERDUTY_API_URL": f"http://127.0.0.1:{server.port}",
        "MTTR_DATA_DIR": str(folder / "data"),
    }


# -- the process -------------------------------------------------------------------------------------------------------

STUBBORN = """
import sys, time
from mttr_pipeline import interrupts
interrupts.GRACE = float(sys.argv[1])
with interrupts.watched(lambda number: print("heard", number, file=sys.stderr, flush=True)):
    while True:
        try:
            print("ready", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            pass
"""


@BOTH
def test_work_that_does_not_end_is_ended(number: int, code: int, name: str) -> None:
    """Code of others may catch everything, or hang in C where no exception gets in."""
    with started([sys.executable, "-c", STUBBORN, "0.4"]) as running:
        assert running.stdout.readline() == "ready\n"
        result = ended(running, number, lambda: True)
    assert (result.code, result.err) == (code, f"heard {int(number)}\n")


def test_a_second_signal_ends_the_process_at_once() -> None:
    with started([sys.executable, "-c", STUBBORN, "3600"]) as running:
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGTERM)
        assert running.stderr.readline() == f"heard {int(signal.SIGTERM)}\n"
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(0.3)
        assert ended(running, signal.SIGINT, lambda: True).code == 143


BEGINNING = """
import os, signal, sys, threading
from mttr_pipeline import __main__
start = threading.Thread.start
def struck(thread):
    start(thread)
    if thread.name == "signals":
        os.kill(os.getpid(), signal.SIGTERM)
threading.Thread.start = struck
sys.argv = ["mttr", "compact"]
__main__.main()
"""


@pytest.mark.slow
def test_a_signal_while_a_command_begins_to_listen_ends_it_as_any_other(tmp_path: Path) -> None:
    """It came as `Aborted!` with exit code 1 when the handler stood before the thread that hears signals."""
    with started([sys.executable, "-c", BEGINNING], cwd=tmp_path) as running:
        out, err = running.communicate(timeout=60)
    assert running.returncode == 143 and "mttr: Ended by SIGTERM." in err and "Aborted" not in err, out + err


# -- pulling -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "answer",
    [
        lambda connection, _: vendors.send(connection, {}, "503 Busy", Retry_After=500),
        vendors.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b" "),
    ],
    ids=["a wait before a retry", "a slow response"],
)
@BOTH
def test_a_pull_ends(tmp_path: Path, answer: Any, number: int, code: int, name: str) -> None:
    server = vendors.Hostile(answer)
    with started(command("run"), vendor(server, tmp_path), tmp_path) as running:
        result = ended(running, number, lambda: len(server.asked) > 2)
    server.close()
    assert (result.code, result.err) == (code, f"mttr: Ended by {name}; {KEPT}\n")
    assert not (tmp_path / "data" / "published").exists()
    (extract,) = Landing(tmp_path / "data" / "landing").folders("pagerduty")
    assert [attempt.error for attempt in interrupted_attempts(extract)] == [
        f"Ended by {name}; the next run resumes this pull."
    ]
    with held(tmp_path / "data", 0):
        pass


@pytest.mark.slow
def test_a_command_that_waits_for_another_one_ends(tmp_path: Path) -> None:
    server = vendors.Hostile(lambda connection, _: vendors.send(connection, {}))
    (tmp_path / "data").mkdir()
    with held(tmp_path / "data", 0), started(command("run"), vendor(server, tmp_path), tmp_path) as running:
        assert "waiting for it to end" in running.stderr.readline()
        result = ended(running, signal.SIGINT, lambda: True)
    assert (result.code, result.err) == (130, f"mttr: Ended by Ctrl-C; {KEPT}\n")
    server.close()


# -- everything after it -----------------------------------------------------------------------------------------------


LINE = '{"external_id": "a%d", "detected_at": "2026-01-01T00:00:00Z", "resolved_at": "2026-01-01T01:00:00Z"}\n'


@pytest.mark.slow
def test_a_rebuild_ends_in_any_state_and_the_next_one_is_whole(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "a.jsonl"
    file.write_text(LINE % 1, encoding="utf-8")
    mttr("--data-dir", data, "import", file).ended(0)
    for pattern in ("work.mart.duckdb", "published/.*.partial"):  # loading and building; publishing
        with started(command("--data-dir", data, "rebuild"), cwd=tmp_path) as running:
            result = ended(running, signal.SIGTERM, lambda pattern=pattern: list(data.glob(pattern)))
        assert (result.code, result.err) == (143, f"mttr: Ended by SIGTERM; {KEPT}\n")
        assert not list(
            data.glob("published/[!.]*")
        )  # a hidden folder may be left, if the drawing of a chart had to be killed
    mttr("--data-dir", data, "rebuild").ended(0)
    assert sorted(path.name[0] for path in data.glob("published/*")) == [
        "2",
        "l",
        "l",
    ]  # the generation, and two links to it


@pytest.mark.slow
@BOTH
def test_an_import_ends_and_nothing_of_it_counts(tmp_path: Path, number: int, code: int, name: str) -> None:
    file = tmp_path / "many.jsonl"
    file.write_text("".join(LINE % number for number in range(600_000)), encoding="utf-8")
    data = tmp_path / "data"
    with started(command("--data-dir", data, "import", file), cwd=tmp_path) as running:
        result = ended(running, number, lambda: list(data.glob("landing/custom/*/records/*.part")))
    assert result.code == code
    assert result.err == f"mttr: Ended by {name}; import the files again: what was taken already counts once.\n"
    (manifest,) = Landing(data / "landing").manifests()
    (attempt,) = manifest.attempts
    assert (attempt.status, attempt.error) == ("failed", f"Ended by {name}; nothing of it is loaded.")
    file.write_text(LINE % 1, encoding="utf-8")
    process(command("--data-dir", data, "import", file), cwd=tmp_path).ended(0)


@pytest.mark.slow
def test_a_demonstration_ends(tmp_path: Path) -> None:
    with started(command("--data-dir", tmp_path / "data", "demo"), cwd=tmp_path) as running:
        result = ended(running, signal.SIGINT, lambda: list(tmp_path.glob("data/landing/*/*/*/*.zst")))
    assert result.code == 130 and result.err.endswith(f"\nmttr: Ended by Ctrl-C; {KEPT}\n"), result.err
    with held(tmp_path / "data", 0):
        pass


DAGSTER = """
import sys, dagster as dg
from mttr_pipeline.defs.resources import RunResource
from mttr_pipeline.sources.pulling import build_source, pull

@dg.asset
def query(run: RunResource):
    con = run.warehouse.con
    print("ready", flush=True)
    con.execute("SELECT count(*) FROM range(100000000) AS a, range(10000) AS b WHERE a.range * b.range % 7 = 3")

@dg.asset
def response(run: RunResource):
    print("ready", flush=True)
    pull(build_source("pagerduty", run.settings), run.settings, run.landing, run.id, as_of=run.clock)

asset = {"query": query, "response": response}[sys.argv[1]]
with dg.DagsterInstance.ephemeral() as instance:
    result = dg.materialize([asset], instance=instance, resources={"run": RunResource()}, raise_on_error=False)
    print([event.event_type_value for event in result.all_events if event.is_failure], flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("state", ["query", "response"])
def test_a_step_ends_when_dagster_cancels_the_run(tmp_path: Path, state: str) -> None:
    """Dagster sends SIGINT to the process of the run and raises in the step. DuckDB alone would calculate to its end, days later."""
    server = vendors.Hostile(vendors.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b" "))
    with started([sys.executable, "-c", DAGSTER, state], vendor(server, tmp_path), tmp_path) as running:
        assert running.stdout.readline() == "ready\n"
        time.sleep(0.5)
        result = ended(running, signal.SIGINT, lambda: True)
    server.close()
    # Whichever of the two the step hears first: Dagster's exception, or the end of its query.
    assert "DagsterExecutionInterruptedError" in result.err or "Query interrupted" in result.err, result.text
    assert "PIPELINE_FAILURE" in result.out, result.text
    with held(tmp_path / "data", 0):
        pass
