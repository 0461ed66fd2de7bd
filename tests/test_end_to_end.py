"""The whole road, command line to published files, against the vendor simulators over HTTP.

What is compared is never a figure of this program with itself: incidents are held against the world's own truth, runs
against runs that took another road (rebuilt, resumed, alone), files against what a reader of them needs.
"""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb
import jsonschema
import polars as pl
import pytest
from support_e2e import (
    CLOUD,
    TOOLS,
    UNTIL,
    Result,
    clean_env,
    command,
    content,
    copy_of,
    differences,
    differences_alone,
    empty_folder,
    finished_run,
    hear,
    latest,
    misjoined,
    mttr,
    process,
    published,
    query,
    scratch,
    truth,
    vendors,
    world,
)

from mttr_pipeline.reports.schemas import schema

TABLES = (
    *("incidents", "incident_sources", "incident_events", "services", "teams", "mttr_stats", "phase_breakdown"),
    *("data_quality", "quarantine", "source_runs", "metric_definitions"),
)
AS_OF = ("--as-of", UNTIL.isoformat())
TELLS_OF_RUNS = {
    *("mttr.duckdb", "manifest.json", "latest.json", "report.html", "metrics.prom"),
    *("json/summary.json", "json/data_quality.json", "parquet/source_runs.parquet", "parquet/data_quality.parquet"),
}


# -- mttr demo ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo() -> tuple[Path, Result]:
    """The first command of a new user, as a process of its own, with the weather it has by default."""
    data_dir = scratch() / "demo"
    (data_dir / "inbox").mkdir(parents=True)
    (data_dir / "inbox" / "mine.json").write_text("{}")
    (data_dir / ".demo").touch()  # as an earlier demo left it
    return data_dir, process(command("--data-dir", data_dir, "demo"))


def test_the_demo_prints_the_summary_and_where_the_results_are(demo: tuple[Path, Result]) -> None:
    data_dir, result = demo
    result.ended(0)
    assert "Minutes from detected to resolved" in result.out and "SEV1" in result.out
    assert all(source in result.out for source in CLOUD)
    assert f"Published in {data_dir}/published/latest (generation {latest(data_dir).name})" in result.out
    assert result.err.startswith("Simulated PagerDuty, Opsgenie") and "http://127.0.0.1:" in result.err
    assert "\x1b" not in result.text, "colour codes in a pipe"


def test_the_demo_leaves_the_files_that_others_rely_on(demo: tuple[Path, Result]) -> None:
    """CONTRACT of the published folder: names, modes, checksums, and that every file opens with a reader of its kind."""
    folder = latest(demo[0])
    found = set(content(folder))
    assert {"mttr.duckdb", "json/summary.json", "manifest.json"} <= found
    assert {f"parquet/{table}.parquet" for table in TABLES} <= found
    assert stat.S_IMODE((folder / "mttr.duckdb").stat().st_mode) == 0o444
    assert all(stat.S_IMODE((folder / name).stat().st_mode) == 0o644 for name in found - {"mttr.duckdb"})
    assert not list(folder.parent.glob(".*")), "leftovers beside the generation"

    named = json.loads((folder.parent / "latest.json").read_text())
    manifest = json.loads((folder / "manifest.json").read_text())
    assert named["run_id"] == manifest["run_id"] == folder.name
    assert set(manifest["files"]) == found - {"manifest.json"}
    with published(demo[0]) as con:
        rows = {table: con.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0] for table in TABLES}
        assert con.execute("FROM mttr()").fetchall(), "the macros do not run in the published file"
    for table in TABLES:
        frame = pl.read_parquet(folder / "parquet" / f"{table}.parquet")
        assert frame.height == rows[table] == manifest["files"][f"parquet/{table}.parquet"]["rows"]
    jsonschema.validate(json.loads((folder / "json" / "summary.json").read_text()), schema("summary"))


def test_the_demo_never_mixes_with_real_data(demo: tuple[Path, Result], tmp_path: Path) -> None:
    """Invented incidents in the real history, or a demo that wipes it, would be the worst thing this command could do."""
    assert "mttr demo" in mttr("--data-dir", demo[0], "run", env={"PAGERDUTY_TOKEN": "x"}).ended(2).err
    assert (demo[0] / "inbox" / "mine.json").read_text() == "{}", "the demo took what others gave"
    real = copy_of(finished_run(), tmp_path / "real")
    before = content(real)
    assert "real data" in mttr("--data-dir", real, "demo").ended(2).err
    assert content(real) == before


# -- against the truth -------------------------------------------------------------------------------------------------


def test_every_stamp_is_the_truth() -> None:
    """Detected, acknowledged, ... closed, severity, service, team, kind, duplicates, episodes and reopens of every incident, of
    each record alone, and which records are one incident."""
    assert len(truth()) > 600
    assert differences(finished_run(), truth()) == []
    assert differences_alone(finished_run(), [row for row in world().truth(UNTIL) if row.tool in TOOLS]) == []
    assert misjoined(finished_run(), world().incidents(UNTIL, TOOLS)) == []


@pytest.mark.slow
def test_a_data_center_desk_is_read_as_truly(tmp_path: Path) -> None:
    """Search by offset, another changelog, users by name, a Severity field: the other Jira is another vendor."""
    with vendors() as server:
        mttr("--data-dir", tmp_path, "run", *AS_OF, env=server.env("jira-dc")).ended(0)
    assert differences(tmp_path, truth(tools={"jira-dc"})) == []


@pytest.mark.slow
@pytest.mark.parametrize("faults", ["light", "heavy"])
def test_bad_weather_changes_nothing(tmp_path: Path, faults: str) -> None:
    """Throttling, resets, cut answers, repeated rows: the incidents are those of a calm day, to the byte."""
    hear(tmp_path / "d")
    with vendors(faults) as server:
        mttr("--data-dir", tmp_path / "d", "run", *AS_OF, env=server.env(*CLOUD)).ended(0)
    assert same_but_for_the_pulls(tmp_path / "d") == []


def same_but_for_the_pulls(data_dir: Path) -> list[str]:
    """The published files that differ from those of the undisturbed run; what tells of the pulls themselves may."""
    expected = content(latest(finished_run()), leave_out=TELLS_OF_RUNS)
    actual = content(latest(data_dir), leave_out=TELLS_OF_RUNS)
    return sorted(name for name in expected.keys() | actual.keys() if expected.get(name) != actual.get(name))


def test_every_incident_leads_to_its_page() -> None:
    """A breach that somebody is to look into is worth its link: from each vendor, to where people look and not to its API."""
    found = query(
        finished_run(),
        r"SELECT DISTINCT source, regexp_replace(replace(url, external_id, '*'), '([A-Z]+-\d+|=\w+)$', '*') FROM incidents",
    )
    assert sorted(found) == [
        ("alertmanager", "https://prometheus.larkspur.example/graph?g0.expr*"),
        ("jira", "https://larkspur.atlassian.net/browse/*"),
        ("jsm", "https://larkspur.atlassian.net/jira/ops/alerts/*"),
        ("opsgenie", "https://fernway.app.opsgenie.com/alert/detail/*/details"),
        ("opsgenie_incident", "https://fernway.app.opsgenie.com/incident/detail/*"),
        ("pagerduty", "https://larkspur.pagerduty.com/incidents/*"),
    ]
    assert query(finished_run(), "SELECT count(*) FROM target_breaches WHERE url IS NULL") == [(0,)]


def test_nothing_is_lost_on_the_way() -> None:
    """fetched = normalised + duplicates + quarantined, and fetched is what really lies in the landing zone."""
    import zstandard

    for source, run_id, fetched, normalised, duplicates, quarantined in query(
        finished_run(),
        "SELECT source, run_id, records_fetched, records_normalised, duplicates_dropped, quarantined FROM source_runs",
    ):
        folder = finished_run() / "landing" / source / run_id
        lines = sum(
            zstandard.ZstdDecompressor().stream_reader(path.read_bytes(), read_across_frames=True).read().count(b"\n")
            for path in folder.glob("*/*.jsonl.zst")
        )
        assert (fetched, normalised + duplicates + quarantined) == (lines, lines) and lines > 0, source


# -- the next night ----------------------------------------------------------------------------------------------------

READER = """
import sys, duckdb
con = duckdb.connect(sys.argv[1], read_only=True)
count = lambda: con.execute("SELECT count(*), max(resolved_at)::VARCHAR FROM incidents").fetchall()[0]
print(count(), flush=True)
sys.stdin.readline()
print(count(), flush=True)
"""


@dataclass(frozen=True)
class NextNight:
    data_dir: Path
    requests: int
    first: Path
    seen: list[str]


@pytest.fixture(scope="module")
def next_night() -> Iterator[NextNight]:
    """A second run a day later, while an analyst in another process holds the first generation open."""
    data_dir = copy_of(finished_run(), scratch() / "data")
    first = latest(data_dir)
    database = str(data_dir / "published" / "latest" / "mttr.duckdb")
    with (
        vendors(clock=UNTIL + timedelta(days=1)) as server,
        subprocess.Popen(
            [sys.executable, "-c", READER, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as reader,
    ):
        assert reader.stdout and reader.stdin
        seen = [reader.stdout.readline()]
        hear(data_dir, UNTIL + timedelta(days=1), UNTIL)
        as_of = (UNTIL + timedelta(days=1)).isoformat()
        mttr("--data-dir", data_dir, "run", "--as-of", as_of, env=server.env(*CLOUD)).ended(0)
        requests = len([line for line in server.log if line.vendor != "jsm"])
        seen.append(reader.communicate("\n")[0])
    yield NextNight(data_dir, requests, first, seen)


def test_the_next_night_reads_only_what_changed_and_knows_the_new_truth(next_night: NextNight) -> None:
    """Late acknowledgements, resolves, reopens, merges, moves and deletions of old records, with a tenth of the requests.

    (JSM Operations cannot be asked what changed, so its alerts are listed again.)
    """
    full = query(finished_run(), "SELECT sum(requests) FROM source_runs WHERE source <> 'jsm'")[0][0]
    assert 0 < next_night.requests < full / 10
    tomorrow = truth(UNTIL + timedelta(days=1))
    assert {row.source for row in tomorrow if row.deleted} >= {"pagerduty", "opsgenie", "jira"}
    assert differences(next_night.data_dir, tomorrow) == []


def test_the_next_night_adds_no_duplicates_and_both_pulls_add_up(next_night: NextNight) -> None:
    with published(next_night.data_dir) as con:
        assert con.execute(
            "SELECT count(*) - count(DISTINCT (source, external_id, episode)) FROM incidents"
        ).fetchall() == [(0,)]
        runs = con.execute(
            """SELECT source, count(*), bool_and(status = 'complete'),
                bool_and(records_fetched = records_normalised + duplicates_dropped + quarantined)
            FROM source_runs GROUP BY source ORDER BY source"""
        ).fetchall()
    assert runs == [(source, 2, True, True) for source in sorted([*CLOUD, "inbox"])]


def test_an_open_reader_keeps_its_data_and_stops_nobody(next_night: NextNight) -> None:
    """One read-only session on a DuckDB file blocks its writer: the reason why every run makes a file of its own."""
    before, after = next_night.seen
    assert before == after and before.startswith("(")
    assert latest(next_night.data_dir) != next_night.first
    assert next_night.first.is_dir()


# -- the same again ----------------------------------------------------------------------------------------------------


@pytest.mark.slow  # the fast tests have a rebuild of one extract, in test_dagster
def test_a_rebuild_from_the_landing_zone_gives_the_same_bytes(next_night: NextNight, tmp_path: Path) -> None:
    """Also from two extracts on top of each other, and without a trace of the working database."""
    data_dir = copy_of(next_night.data_dir, tmp_path / "copy")
    before = latest(data_dir)
    for path in data_dir.glob("work*.duckdb*"):
        path.unlink()
    as_of = (UNTIL + timedelta(days=1)).isoformat()
    mttr("--data-dir", data_dir, "rebuild", "--as-of", as_of).ended(0)
    after = latest(data_dir)
    assert after != before
    left_out = {
        "mttr.duckdb",
        "manifest.json",
        "latest.json",
    }  # the first is compared by its rows, the others name their own run
    old, new = content(before, leave_out=left_out), content(after, leave_out=left_out)
    assert [name for name in old.keys() | new.keys() if old.get(name) != new.get(name)] == []
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{before}/mttr.duckdb' AS a (READ_ONLY)")
        con.execute(f"ATTACH '{after}/mttr.duckdb' AS b (READ_ONLY)")
        tables = con.execute(
            "SELECT database_name, table_name, comment FROM duckdb_tables() UNION ALL "
            "SELECT database_name, view_name, comment FROM duckdb_views() WHERE NOT internal ORDER BY ALL"
        ).fetchall()
        names = [(table, comment) for database, table, comment in tables if database == "a"]
        assert names == [(table, comment) for database, table, comment in tables if database == "b"]
        for table, _ in names:
            assert con.execute(f"FROM a.{table} EXCEPT ALL FROM b.{table}").fetchall() == [], table
            assert con.execute(f"FROM b.{table} EXCEPT ALL FROM a.{table}").fetchall() == [], table


# -- killed ------------------------------------------------------------------------------------------------------------


def killed_when(arguments: list[str], env: dict[str, str], reached: Callable[[], bool]) -> None:
    """Start a command and kill it without warning at a point that `reached` tells; it is stopped before it is asked twice."""
    with subprocess.Popen(
        arguments, env=clean_env(env), cwd=empty_folder(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        try:
            while running.poll() is None:
                if reached():
                    running.send_signal(signal.SIGSTOP)
                    if reached():
                        return
                    running.send_signal(signal.SIGCONT)
                time.sleep(0.002)
            pytest.fail("the command was over before it could be killed at the chosen point")
        finally:
            running.kill()


@pytest.mark.slow
def test_a_pull_killed_half_way_is_taken_up(tmp_path: Path) -> None:
    """A power cut in the night: nothing is published, nothing that was landed is fetched again, the result is the same."""
    data_dir = tmp_path / "data"
    hear(data_dir)
    with vendors({"opsgenie": "latency"}) as server:

        def some_windows_landed() -> bool:
            journals = list(data_dir.glob("landing/opsgenie/*/journal.jsonl"))
            return bool(journals) and journals[0].read_bytes().count(b"\n") >= 8

        killed_when(command("--data-dir", data_dir, "run", *AS_OF), server.env(*CLOUD), some_windows_landed)
        assert not (data_dir / "published").exists()
        (begun,) = (data_dir / "landing" / "opsgenie").iterdir()
        assert not (begun / "manifest.json").exists()
        landed = {path: path.read_bytes() for path in begun.glob("*/*.jsonl.zst")}
        server.set_faults("none")
        server.clear_log()
        mttr("--data-dir", data_dir, "run", *AS_OF, env=server.env(*CLOUD)).ended(0)
        asked = len(server.requests("opsgenie"))
    assert landed and all(path.read_bytes() == data for path, data in landed.items())
    assert list((data_dir / "landing" / "opsgenie").iterdir()) == [begun]
    told = query(data_dir, "SELECT status, error FROM source_runs WHERE source = 'opsgenie' ORDER BY started_at")
    assert [status for status, _ in told] == ["interrupted", "complete"] and "killed" in told[0][1]
    assert asked < query(finished_run(), "SELECT requests FROM source_runs WHERE source = 'opsgenie'")[0][0]
    assert same_but_for_the_pulls(data_dir) == []


@pytest.mark.slow
@pytest.mark.parametrize("point", ["while tables are made", "while the generation is written"])
def test_a_build_killed_half_way_leaves_latest_where_it_was(tmp_path: Path, point: str) -> None:
    """The working database may be torn, a half-written generation may lie about: readers see the old one, the next run mends."""
    data_dir = copy_of(finished_run(), tmp_path / "data")
    root = data_dir / "published"
    before, old = (root / "latest").readlink().name, content(latest(data_dir))
    started = (data_dir / "work.duckdb").stat().st_mtime_ns

    def reached() -> bool:
        if point == "while tables are made":
            wal = data_dir / "work.duckdb.wal"
            return wal.exists() and wal.stat().st_mtime_ns > started and wal.stat().st_size > 100_000
        return any(path.stat().st_size > 0 for path in root.glob(".*.partial/parquet/*"))

    killed_when(command("--data-dir", data_dir, "rebuild", *AS_OF), {}, reached)
    assert (root / "latest").readlink().name == before and content(latest(data_dir)) == old
    assert [path.name for path in root.iterdir() if path.is_dir() and path.name[0] not in ".l"] == [before]

    mttr("--data-dir", data_dir, "rebuild", *AS_OF).ended(0)
    assert (root / "latest").readlink().name != before and not list(root.glob(".*.partial"))
    assert same_but_for_the_pulls(data_dir) == []


@pytest.mark.slow
def test_two_runs_at_once_come_one_after_the_other(tmp_path: Path) -> None:
    """A long night and an impatient operator: the second waits for the first, and both end well."""
    data_dir = tmp_path / "data"
    with vendors({"jira": "latency"}) as server:
        env = clean_env(server.env("jira"))
        run = command("--data-dir", data_dir, "run", *AS_OF)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": env, "cwd": empty_folder()}
        with subprocess.Popen(run, **pipes) as first, subprocess.Popen(run, **pipes) as second:
            outputs = [first.communicate(), second.communicate()]
            assert (first.returncode, second.returncode) == (0, 0), outputs
    generations = [path for path in (data_dir / "published").iterdir() if path.is_dir() and not path.is_symlink()]
    assert len(generations) == 2
    spans = query(data_dir, "SELECT started_at, finished_at FROM source_runs ORDER BY started_at")
    assert len(spans) == 2 and spans[0][1] < spans[1][0], "they pulled at the same time"
    assert differences(data_dir, truth(tools={"jira"})) == []
