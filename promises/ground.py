"""What the scripts of this folder share: a small company at simulated vendors, the real `mttr` in processes that start at once,
and comparisons of what they published.

A script imports everything once (`warm`) and forks for each command, which saves the seconds that Python, Dagster and Altair take to
start. The forked process runs `mttr` as its console command does. The script itself opens no database and starts no thread,
so that a fork is a whole process; what needs DuckDB runs in a fork too (`forked`).
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib
import json
import os
import pickle
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from mttr_pipeline import __main__ as program

NOW = datetime(2025, 10, 1, 6, tzinfo=UTC)  # in the past of every clock: a pull never calls the real future known
LATER = NOW + timedelta(days=1)
SOURCES = ("pagerduty", "opsgenie", "jsm", "jira")
VOLUMES = {"pagerduty": 24, "opsgenie": 16, "opsgenie_incident": 6, "jsm": 16, "jira": 16, "jira-dc": 0}
_FOREIGN = ("PAGERDUTY_", "OPSGENIE_", "JIRA_", "JSM_", "MTTR_", "DAGSTER_")
_ALWAYS = {"DAGSTER_DISABLE_TELEMETRY": "1", "MTTR_PSEUDONYM_KEY": "the-same-in-all-of-these-folders"}
_WARM = (
    *("mttr_pipeline.cli.main", "mttr_pipeline.cli.files", "mttr_pipeline.defs.execute", "mttr_pipeline.publish"),
    *("mttr_pipeline.intake.importer", "mttr_pipeline.demo.server", "altair", "vl_convert", "jinja2", "scipy.stats"),
)


def warm() -> None:
    """Import what the commands use. From here on, SIGTERM ends the script in order: nothing of it stays mounted or on disk."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for name in _WARM:
        importlib.import_module(name)


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, negative for a signal, and what it wrote. `phases` are those that it came to."""

    code: int
    out: str
    err: str
    phases: str
    seconds: float

    def require(self, code: int = 0) -> Ended:
        """Itself, when that is the exit code and there is no traceback. Raises AssertionError."""
        assert self.code == code and "Traceback" not in self.err, f"exit code {self.code}: {self.out}{self.err}"
        return self


class Process:
    """A forked process that runs `work()`; `mttr` makes one that runs a command.

    `data` is the data directory: what the process does there tells its phase, which `wait_for` waits for and `Ended` holds.
    """

    def __init__(self, work: Callable[[], object], data: Path, env: Mapping[str, str] | None = None) -> None:
        self._said = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self._phases, told = os.pipe()
        self._began = time.monotonic()
        self._seen = ""
        self._code: int | None = None
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._run(work, data, env or {}, told)
        os.close(told)

    def _run(self, work: Callable[[], object], data: Path, env: Mapping[str, str], told: int) -> None:
        code = 70
        try:
            _begin_child()
            for number in (1, 2):
                os.dup2(self._said[number - 1].fileno(), number)
            kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
            os.environ.clear()
            os.environ.update({**kept, **_ALWAYS, **env})
            os.chdir(data.parent)  # there is no mttr.toml
            sys.addaudithook(_Watch(data, told))
            work()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def wait_for(self, phase: str) -> bool:
        """Return when the process comes to a phase (see `_Watch`), or False when it ends before."""
        while phase not in self._seen:
            piece = os.read(self._phases, 100).decode()
            if not piece:
                return False
            self._seen += piece
        return True

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than the process runs."""
        until = time.monotonic() + seconds
        while (rest := until - time.monotonic()) > 0 and select.select([self._phases], [], [], rest)[0]:
            piece = os.read(self._phases, 100).decode()
            if not piece:
                return
            self._seen += piece

    def send(self, number: int) -> None:
        """Send a signal. The process may have ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def end(self, seconds: float = 1200) -> Ended:
        """Wait for the end. Raises AssertionError when it does not come."""
        until = time.monotonic() + seconds
        while not self.is_over():
            if time.monotonic() > until:
                self.send(signal.SIGKILL)
                raise AssertionError(f"a process did not end in {seconds:.0f} s: {self._text(0)}{self._text(1)}")
            time.sleep(0.005)
        took = time.monotonic() - self._began
        while piece := os.read(self._phases, 100).decode():
            self._seen += piece
        os.close(self._phases)
        assert self._code is not None
        ended = Ended(self._code, self._text(0), self._text(1), self._seen, took)
        for file in self._said:
            file.close()
        return ended

    def is_over(self) -> bool:
        """Whether the process has ended."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code is not None

    def _text(self, number: int) -> str:
        self._said[number].seek(0)
        return self._said[number].read().decode(errors="replace")


def _begin_child() -> None:
    """Signals are this process's own; where the system can do it, it is killed when the script ends."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class _Watch:
    """An audit hook: writes a letter when the process comes to a phase, and ends the process at the event that `strike` names.

    l  writes into the landing zone      b  loads and builds      p  writes a generation      s  has moved `latest` to it
    """

    strike: tuple[str, int, int] | None = None  # phase, events from its begin on, signal

    def __init__(self, data: Path, told: int) -> None:
        self._data, self._told = str(data), told
        self._done = ""
        self._left = 0

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if event not in ("open", "os.rename", "os.remove", "os.mkdir", "os.symlink", "os.chmod") or not args:
            return
        path = str(args[1] if event == "os.rename" else args[0])
        if not path.startswith(self._data):
            return
        phase = _phase(event, path[len(self._data) + 1 :], args)
        if phase and phase not in self._done:
            self._done += phase
            with contextlib.suppress(OSError):
                os.write(self._told, phase.encode())
        if _Watch.strike and (_Watch.strike[0] in self._done or _Watch.strike[0] == "0"):
            self._left += 1
            if self._left == _Watch.strike[1]:
                os.kill(os.getpid(), _Watch.strike[2])


def _phase(event: str, name: str, args: tuple[Any, ...]) -> str:
    if name.startswith("landing/") and (event != "open" or str(args[1])[:1] in "wa"):
        return "l"
    if event == "os.remove" and name == "work.mart.duckdb":
        return "b"
    if event == "os.mkdir" and name.startswith("published/."):
        return "p"
    return "s" if event == "os.rename" and name == "published/latest" else ""


def mttr(
    data: Path,
    *arguments: object,
    env: Mapping[str, str] | None = None,
    strike: tuple[str, int, int] | None = None,
    setup: Callable[[], object] | None = None,
) -> Process:
    """`mttr --data-dir DATA ARGUMENTS` under way, in a process of its own.

    strike   a phase ("0" from the start), a number of events and a signal: the process sends it to itself at that event.
             Events are openings, renames, deletions and the like below the data directory.
    setup    what the process does first
    """

    def work() -> None:
        _Watch.strike = strike
        if setup:
            setup()
        sys.argv = ["mttr", "--data-dir", *map(str, (data, *arguments))]
        program.main()

    return Process(work, data, env)


def forked(work: Callable[..., Any], *arguments: Any) -> Any:
    """The result of `work(*arguments)`, which runs in a process of its own. Raises AssertionError with its traceback."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            _begin_child()
            answer: tuple[bool, Any] = (True, work(*arguments))
        except BaseException:
            answer = (False, traceback.format_exc())
        with os.fdopen(writing, "wb") as out:
            pickle.dump(answer, out)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        content = stream.read()
    os.waitpid(pid, 0)
    assert content, f"{work.__name__} died"
    is_fine, value = pickle.loads(content)
    assert is_fine, value
    return value


@contextlib.contextmanager
def vendors(now: datetime = LATER) -> Iterator[dict[str, str]]:
    """The simulated vendors of the small company at an instant, in a process of their own; yields the environment."""
    reading, writing = os.pipe()
    parent, pid = os.getpid(), os.fork()
    if pid == 0:
        from mttr_pipeline.demo import VendorServer, World

        _begin_child()
        os.close(reading)
        with VendorServer(World(4, NOW, days=30, volumes=VOLUMES), faults="none", seed=1, limits=None) as server:
            server.now = now
            os.write(writing, json.dumps(server.env(*SOURCES)).encode())
            while os.getppid() == parent:
                time.sleep(0.5)
        os._exit(0)
    os.close(writing)
    try:
        env = json.loads(os.read(reading, 65536))
        yield env
    finally:
        os.close(reading)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def custom_lines(first: int, n: int, day: int = 1) -> str:
    """That many custom records as JSON Lines. `day` of September is when they were last changed."""
    lines = []
    for number in range(first, first + n):
        at = NOW - timedelta(days=10 + number % 20, minutes=number)
        record = {"external_id": f"own-{number}", "title": f"Version {day}", "severity": f"SEV{number % 4 + 1}"}
        record |= {"service": ("checkout", "search")[number % 2], "detected_at": at.isoformat()}
        record |= {
            "acknowledged_at": (at + timedelta(minutes=4)).isoformat(),
            "updated_at": f"2025-09-{day:02}T00:00:00Z",
        }
        if number % 7:
            record["resolved_at"] = (at + timedelta(minutes=30 + number)).isoformat()
        lines.append(json.dumps(record))
    return "\n".join([*lines, ""])


def copy_of(folder: Path, name: str) -> Path:
    """A copy of a data directory beside it, in place of an older one of that name."""
    target = folder.parent / name
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(folder, target, symlinks=True))


def standing(data: Path) -> str:
    """The id of the generation that readers see, after a look at all of it: both names lead to it, every file has the checksum of
    the manifest, and the database opens. Raises AssertionError. For `forked`."""
    import duckdb

    root = data / "published"
    folder = (root / "latest").resolve(strict=True)
    assert json.loads((root / "latest.json").read_text())["run_id"] == folder.name
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["run_id"] == folder.name
    for name, told in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == told["sha256"], (
            f"{folder / name} is not whole"
        )
    with duckdb.connect(str(folder / "mttr.duckdb"), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM incidents").fetchall()[0][0] > 0
    return folder.name


#: What says when and by which run something was read, in what readers get.
OF_A_RUN = {
    "source_runs": ("run_id", "started_at", "finished_at", "requests"),
    "quarantine": ("detected_in_run", "raw_reference"),
}
#: And what counts how often it was read: a pull after one that came to its end reads some records again.
OF_A_PULL = OF_A_RUN | {"data_quality": ("n", "total", "pct", "status", "threshold")}


def differences(data: Path, expected: Path, leave_out: Mapping[str, tuple[str, ...]], where: str = "true") -> list[str]:
    """The tables of two published databases that differ, as sentences. For `forked`.

    leave_out   table -> columns that are not compared
    where       rows of `source_runs` that are compared
    """
    import duckdb

    found = []
    with duckdb.connect() as con:
        for name, folder in (("found", data), ("expected", expected)):
            con.execute(f"ATTACH '{folder / 'published' / 'latest' / 'mttr.duckdb'}' AS {name} (READ_ONLY)")
        columns: dict[str, dict[str, list[str]]] = {"found": {}, "expected": {}}
        for name, table, column in con.execute(
            """SELECT database_name, table_name, column_name FROM duckdb_columns()
            WHERE database_name IN ('found', 'expected') AND NOT internal ORDER BY ALL"""
        ).fetchall():
            if column not in leave_out.get(table, ()):
                columns[name].setdefault(table, []).append(f'"{column}"')
        if columns["found"] != columns["expected"]:
            return ["the tables or columns are others"]
        for table, names in columns["found"].items():
            rows = f"WHERE {where}" if table == "source_runs" else ""
            one, other = (f"SELECT {', '.join(names)} FROM {of}.{table} {rows}" for of in ("found", "expected"))
            for first, second, sign in ((one, other, "too many"), (other, one, "missing")):
                wrong = con.execute(f"{first} EXCEPT ALL {second}").fetchall()
                if wrong:
                    found.append(f"{table}: {len(wrong)} rows are {sign}, such as {wrong[0]}")
    return found
