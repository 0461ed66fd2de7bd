"""What the end-to-end tests share: the `mttr` command in this process or its own, a world with a known truth, the
published database, and one finished run that modules copy instead of repeating it.

`UNTIL` lies in the past of every clock these tests may meet, because a pull never calls the real future known.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import zstandard
from sharing import made_once, scratch

from mttr_pipeline.cli.main import main
from mttr_pipeline.demo import LINKED, Truth, VendorServer, World, deliver
from mttr_pipeline.demo.true_incidents import Incident

REPOSITORY = Path(__file__).parents[1]
UNTIL = datetime(2025, 10, 1, 6, tzinfo=UTC)
CLOUD = ("pagerduty", "opsgenie", "jsm", "jira")
TOOLS = (*CLOUD, "opsgenie_incident", "alertmanager")  # what these vendors hold, and what is only sent
_FOREIGN = ("PAGERDUTY_", "OPSGENIE_", "JIRA_", "JSM_", "MTTR_", "DAGSTER_", "ALERT_")


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    def ended(self, code: int) -> Result:
        """Itself, when that is the exit code and no traceback was shown."""
        assert self.code == code, f"exit code {self.code} instead of {code}:\n{self.out}\n{self.err}"
        assert "Traceback" not in self.text, self.text
        return self


#: Else every data directory makes a key of its own, and people have other pseudonyms in each.
ONE_KEY = {"MTTR_PSEUDONYM_KEY": "the-same-in-all-of-these-folders"}


def clean_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without anything that configures this program, plus `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {**kept, "DAGSTER_DISABLE_TELEMETRY": "1", **ONE_KEY, **(extra or {})}


@functools.cache
def empty_folder() -> Path:
    """A working directory without an `mttr.toml`."""
    return scratch()


def mttr(*arguments: object, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Result:
    """The real command line in this process: saves the second that Python and Dagster take to start."""
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.dict(os.environ, clean_env(env), clear=True),
        contextlib.chdir(cwd or empty_folder()),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main([str(argument) for argument in arguments])
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    return Result(code, out.getvalue(), err.getvalue())


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "mttr_pipeline", *map(str, arguments)]


def process(arguments: Iterable[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Result:
    """A command as a process of its own."""
    done = subprocess.run(
        list(arguments),
        env=clean_env(env),
        cwd=cwd or empty_folder(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


@functools.cache
def world() -> World:
    return World(1, UNTIL, linked=LINKED)


@contextlib.contextmanager
def vendors(faults: Any = "none", **options: Any) -> Iterator[VendorServer]:
    """The vendors of `world()`, without a request budget."""
    with VendorServer(world(), faults=faults, seed=1, limits=None, **options) as server:
        yield server


@functools.cache
def finished_run() -> Path:
    """A data directory after one nightly run at UNTIL. Read it, copy it; never write into it."""
    return made_once("finished-run", _nightly_run)


def hear(data_dir: Path, until: datetime = UNTIL, since: datetime | None = None) -> None:
    """Put into the inbox what the monitors of `world()` have sent."""
    deliver(world(), data_dir / "inbox", until, since)


def _nightly_run(data_dir: Path) -> None:
    hear(data_dir)
    with vendors() as server:
        mttr("--data-dir", data_dir, "run", "--as-of", UNTIL.isoformat(), env=server.env(*CLOUD)).ended(0)


def copy_of(data_dir: Path, target: Path) -> Path:
    shutil.copytree(data_dir, target, symlinks=True)
    return target


def latest(data_dir: Path) -> Path:
    return (data_dir / "published" / "latest").resolve(strict=True)


@contextlib.contextmanager
def published(data_dir: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The newest published database, opened as an analyst opens it."""
    with duckdb.connect(str(latest(data_dir) / "mttr.duckdb"), read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        yield con


def query(data_dir: Path, sql: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
    with published(data_dir) as con:
        return con.execute(sql, values or []).fetchall()


def content(folder: Path, *, leave_out: Iterable[str] = ()) -> dict[str, bytes]:
    """Name -> bytes of every file of a generation."""
    left_out = set(leave_out)
    return {
        name: path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (name := path.relative_to(folder).as_posix()) not in left_out
    }


def every_byte(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below a folder, compressed ones unpacked too."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            yield path, data
            if path.suffix == ".zst":
                yield path, zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()


# -- the truth ---------------------------------------------------------------------------------------------------------

#: column of `incidents` -> attribute of Truth
COMPARED = {
    "title": "title",
    "kind": "kind",
    "severity": "severity",
    "severity_source": "severity_source",
    "service": "service",
    "team": "team",
    "occurred_at": "occurred_at",
    "detected_at": "counted_detected_at",
    "acknowledged_at": "counted_acknowledged_at",
    "investigating_at": "investigating_at",
    "root_cause_found_at": "root_cause_found_at",
    "mitigated_at": "mitigated_at",
    "first_resolved_at": "first_resolved_at",
    "resolved_at": "resolved_at",
    "closed_at": "closed_at",
    "reopen_count": "reopen_count",
    "ack_count": "ack_count",
    "resolution_kind": "resolution_kind",
    "affected_users": "affected_users",
    "revenue_impact": "revenue_impact",
}


def truth(now: datetime = UNTIL, tools: Collection[str] = TOOLS) -> list[Truth]:
    """What a run at `now` must find of these tools; by default of all but the Data Center desk."""
    return shown(world(), now, tools)


#: Stamps of an incident that say which source they come from.
SOURCED = (
    "occurred",
    "detected",
    "acknowledged",
    "investigating",
    "root_cause_found",
    "mitigated",
    "resolved",
    "closed",
)


def differences(data_dir: Path, truth: Iterable[Truth]) -> list[str]:
    """Every value of `incidents` that is not the truth's, every incident that is missing or too many; of merged records, which have
    no incident, those of `records`."""
    columns = ", ".join(f"i.{name}" for name in COMPARED)
    found = query(
        data_dir,
        f"""SELECT i.source, i.external_id, i.episode, NULL, i.flap_count, {columns} FROM incidents AS i
        UNION ALL
        SELECT i.source, i.external_id, i.episode, target.external_id, i.flap_count, {columns}
        FROM records AS i JOIN incidents AS target ON target.incident_id = i.incident_id WHERE i.role = 'duplicate'""",
    )
    rows = [row for row in truth if not row.deleted]
    return _untrue(found, [row for row in rows if not row.flap_of], rows, COMPARED)


def differences_alone(data_dir: Path, truth: Iterable[Truth]) -> list[str]:
    """The same of `records`: what each record says by itself, whatever it is linked to."""
    columns = ", ".join(COMPARED)
    found = query(data_dir, f"SELECT source, external_id, episode, NULL, flap_count, {columns} FROM records")
    rows = [row for row in truth if not row.deleted]
    names = {name: attribute.removeprefix("counted_") for name, attribute in COMPARED.items()}
    return _untrue([(*row[:3], None, *row[4:]) for row in found], rows, rows, names, alone=True)


def _untrue(
    found: list[tuple[Any, ...]],
    expected: list[Truth],
    rows: list[Truth],
    compared: Mapping[str, str],
    *,
    alone: bool = False,
) -> list[str]:
    """The differences of rows (source, external_id, episode, duplicate_of, flap_count, the compared columns)."""
    followers = {(row.tool, row.flap_of) for row in rows if row.flap_of}
    actual_rows = {row[:3]: row[3:] for row in found}
    by_key = {(row.source, row.external_id, row.episode): row for row in expected}
    told = [f"{key} is missing" for key in by_key.keys() - actual_rows.keys()]
    told += [f"{key} is not in the truth" for key in actual_rows.keys() - by_key.keys()]
    told += [f"{key} is there twice" for key, n in Counter(row[:3] for row in found).items() if n > 1]
    for key, row in by_key.items():
        if key not in actual_rows:
            continue
        duplicate_of, flaps, *values = actual_rows[key]
        names = {**compared} if alone else {**compared, "duplicate_of": "duplicate_of"}
        if (row.tool, row.external_id) in followers:  # its stamps are those of the whole row of flaps
            told += [f"{key}: a flap is not counted"] if flaps != 1 else []
            names = {name: name for name in ("title", "severity", "service", "team", "kind")} | {
                "detected_at": compared["detected_at"]
            }
        actual = dict(zip(compared, values, strict=True)) | {"duplicate_of": duplicate_of}
        if row.duplicate_of:  # that it was merged says nothing about who ended it
            names.pop("resolution_kind", None)
        if row.source.startswith("jira"):  # the desk has no acknowledgements of its own to count
            names.pop("ack_count", None)
        told += [
            f"{key} {name}: {actual[name]} instead of {getattr(row, attribute)}"
            for name, attribute in names.items()
            if actual[name] != getattr(row, attribute)
        ]
    return sorted(told)


def misjoined(data_dir: Path, incidents: Iterable[Incident]) -> list[str]:
    """Every incident that is made of other records than in truth (a false or missed merge), or has a stamp from another source or
    other conflicts."""
    expected = {(one.row.source, one.row.external_id, one.row.episode): one for one in incidents}
    found: dict[tuple[Any, ...], set[tuple[Any, ...]]] = {}
    for *primary, source, external_id, episode in query(
        data_dir,
        """SELECT i.source, i.external_id, i.episode, m.source, m.external_id, m.episode
        FROM incident_sources AS m JOIN incidents AS i ON i.incident_id = m.incident_id""",
    ):
        found.setdefault(tuple(primary), set()).add((source, external_id, episode))
    told = [
        f"{key} is made of {sorted(found.get(key, []))} instead of {sorted(expected[key].records if key in expected else [])}"
        for key in found.keys() | expected.keys()
        if found.get(key) != (set(expected[key].records) if key in expected else None)
    ]
    conflicts: dict[tuple[Any, ...], set[tuple[Any, ...]]] = {}
    for *primary, stamp, chosen, other in query(
        data_dir,
        """SELECT i.source, i.external_id, i.episode, c.stamp, c.chosen_source, c.other_source
        FROM incident_conflicts AS c JOIN incidents AS i ON i.incident_id = c.incident_id""",
    ):
        conflicts.setdefault(tuple(primary), set()).add((stamp, chosen, other))
    told += [
        f"{key} has the conflicts {sorted(conflicts.get(key, []))} instead of {sorted(one.conflicts)}"
        for key, one in expected.items()
        if conflicts.get(key, set()) != one.conflicts
    ]
    columns = ", ".join(f"{stamp}_source" for stamp in SOURCED)
    for *identity, in_values in query(data_dir, f"SELECT source, external_id, episode, [{columns}] FROM incidents"):
        key = tuple(identity)
        if key in expected:
            wanted = [expected[key].sources.get(f"{stamp}_at") for stamp in SOURCED]
            told += [f"{key} has its stamps from {in_values} instead of {wanted}"] if in_values != wanted else []
    return sorted(told)


def shown(world: World, now: datetime, tools: Collection[str] | None = None) -> list[Truth]:
    """What `differences` is to find of a world with links: each incident once, and the records that were merged, came back or
    were deleted."""
    rows = [row for row in world.truth(now) if tools is None or row.tool in tools]
    own = [row for row in rows if row.duplicate_of or row.flap_of or row.deleted]
    incidents = [one.row for one in world.incidents(now, tools)]
    return own + [row for row in incidents if not (row.duplicate_of or row.flap_of)]
