"""Everything that goes wrong at night: each ends in a sentence that names the thing and the remedy, in the exit code a cron
job can act on, and with no published or landed data lost. `Result.ended` also checks that no traceback was shown.
"""

from __future__ import annotations

import base64
import json
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support_e2e import (
    CLOUD,
    UNTIL,
    clean_env,
    command,
    content,
    copy_of,
    differences,
    every_byte,
    finished_run,
    latest,
    mttr,
    process,
    published,
    query,
    truth,
    vendors,
    world,
)

from mttr_pipeline.demo import VendorServer, World
from mttr_pipeline.demo.jira import JiraSimulator
from mttr_pipeline.demo.jsm import JsmSimulator
from mttr_pipeline.demo.opsgenie import OpsgenieSimulator
from mttr_pipeline.demo.pagerduty import PagerDutySimulator

pytestmark = pytest.mark.slow  # whole runs that go wrong

AS_OF = ("--as-of", UNTIL.isoformat())

#: A source gives up after a second or two instead of after 15 minutes.
IMPATIENT = "".join(f"[sources.{name}]\nmax_wait_minutes = 0.02\n" for name in CLOUD)


@pytest.fixture
def impatient(tmp_path: Path) -> Path:
    path = tmp_path / "impatient.toml"
    path.write_text(IMPATIENT)
    return path


@pytest.fixture
def earlier(tmp_path: Path) -> Iterator[Path]:
    """A data directory with a published generation, which must be the same after the test."""
    data_dir = copy_of(finished_run(), tmp_path / "data")
    folder, before = latest(data_dir), content(latest(data_dir))
    yield data_dir
    assert latest(data_dir) == folder and content(folder) == before, "what was published before has changed"


def sentence(text: str) -> str:
    """The lines of stderr as one, and it must be the program that speaks."""
    assert text.startswith("mttr: "), text
    return " ".join(text.split())


# -- the vendor --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "faults", "told"),
    [
        ("pagerduty", "unauthorized", ("PAGERDUTY_TOKEN",)),
        ("jira", "always_html", ("web page instead of JSON", "JIRA_URL")),
        pytest.param("opsgenie", "unauthorized", ("OPSGENIE_API_KEY",), marks=pytest.mark.slow),
        pytest.param("jsm", "unauthorized", ("JSM_API_TOKEN",), marks=pytest.mark.slow),
        pytest.param("jira", "unauthorized", ("JIRA_API_TOKEN",), marks=pytest.mark.slow),
        pytest.param("pagerduty", "always_html", ("web page", "PAGERDUTY_API_URL"), marks=pytest.mark.slow),
        pytest.param("opsgenie", "always_html", ("web page", "OPSGENIE_API_URL"), marks=pytest.mark.slow),
        pytest.param("pagerduty", "unavailable", ("503",), marks=pytest.mark.slow),
    ],
)
def test_a_refused_or_broken_vendor(
    earlier: Path, impatient: Path, source: str, faults: str, told: tuple[str, ...]
) -> None:
    """The only source fails: nothing is published, and the message names the variable to look at."""
    with vendors(faults) as server:
        result = mttr("--data-dir", earlier, "--config", impatient, "run", *AS_OF, env=server.env(source))
    text = sentence(result.ended(1).err)
    assert all(word in text for word in told), text
    assert "nothing was published" in text


def test_an_unreachable_host(earlier: Path, impatient: Path) -> None:
    """Nobody listens there: the address is named, so that a typing error shows."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {"PAGERDUTY_TOKEN": "a-token", "PAGERDUTY_API_URL": f"http://127.0.0.1:{port}/pd"}
    text = sentence(mttr("--data-dir", earlier, "--config", impatient, "run", *AS_OF, env=env).ended(1).err)
    assert f"127.0.0.1:{port}" in text and "PAGERDUTY_API_URL" in text, text


def test_every_source_down_publishes_nothing(earlier: Path, impatient: Path) -> None:
    """Old rows under a new date would look fresh: with no source left the run fails, and says what failed."""
    with vendors("down") as server:
        result = mttr("--data-dir", earlier, "--config", impatient, "run", *AS_OF, env=server.env(*CLOUD))
    text = sentence(result.ended(1).err)
    assert "Every source failed" in text and all(source in text.lower() for source in CLOUD)
    landed = list((earlier / "landing").glob("*/*/manifest.json"))
    failed = [path for path in landed if json.loads(path.read_text())["status"] == "failed"]
    assert len(failed) == len(CLOUD) and len(landed) == 2 * len(CLOUD) + 1, (
        "each failure is on record, and what was landed before is there"
    )


def test_one_source_down_while_the_others_work(tmp_path: Path, impatient: Path) -> None:
    """Exit 3: published, with the rows that the failing source had; who reads the data can see how old they are."""
    data_dir = copy_of(finished_run(), tmp_path / "data")
    before = latest(data_dir)
    with vendors({"pagerduty": "unauthorized"}) as server:
        result = mttr("--data-dir", data_dir, "--config", impatient, "run", *AS_OF, env=server.env(*CLOUD)).ended(3)
    assert "pagerduty is stale" in result.err and "stale" not in result.out, (
        "what went wrong belongs in the mail of cron"
    )
    assert "PAGERDUTY_TOKEN" in result.err
    assert latest(data_dir) != before
    assert differences(data_dir, truth()) == []
    rows = query(
        data_dir,
        """SELECT source, status, error IS NOT NULL, data_as_of = max(data_as_of) OVER () FROM source_runs WHERE source <> 'inbox'
        QUALIFY row_number() OVER (PARTITION BY source ORDER BY started_at DESC) = 1 ORDER BY source""",
    )
    assert rows == [
        (source, *(("failed", True) if source == "pagerduty" else ("complete", False)), True)
        for source in sorted(CLOUD)
    ]
    summary = json.loads((latest(data_dir) / "json" / "summary.json").read_text())
    told = {source["source"]: (source["status"], bool(source["error"])) for source in summary["sources"]}
    assert told == {source: ("failed", True) if source == "pagerduty" else ("complete", False) for source in CLOUD}
    assert "failed" in result.out, "the table at the end of the run hides it"


def test_an_empty_history_is_no_data_and_not_zero_minutes(tmp_path: Path) -> None:
    """A new account: the run succeeds, counts are 0, every figure is NULL."""
    empty = World(1, UNTIL, volumes={})
    with VendorServer(empty, limits=None) as server:
        mttr("--data-dir", tmp_path, "run", *AS_OF, env=server.env(*CLOUD)).ended(0)
    with published(tmp_path) as con:
        assert con.execute("SELECT count(*) FROM incidents").fetchall() == [(0,)]
        rows = con.execute(
            "SELECT incidents_matched, incidents_analyzed, mean_minutes, median_minutes, p95_minutes, std_dev_minutes "
            "FROM mttr_stats WHERE calculation_type = 'basic' AND scope = 'all'"
        ).fetchall()
        assert rows and set(rows) == {(0, 0, None, None, None, None)}
        assert con.execute("SELECT incidents_matched, mean_minutes FROM mttr()").fetchall() == [(0, None)]
        assert con.execute("SELECT count(*) FROM source_runs WHERE status = 'complete'").fetchall() == [(len(CLOUD),)]
    summary = json.loads((latest(tmp_path) / "json" / "summary.json").read_text())
    assert summary["incidents"]["current_count"] == 0 and summary["current_mttr"]["mean_minutes"] is None


def odd_vendors() -> VendorServer:
    """One sound record each, and records with a null where the vendor's documentation promises a value."""
    pagerduty = {
        "id": "PGOOD",
        "type": "incident",
        "incident_number": 1,
        "title": "sound",
        "status": "resolved",
        "created_at": "2025-09-01T10:00:00Z",
        "updated_at": "2025-09-01T11:00:00Z",
        "resolved_at": "2025-09-01T11:00:00Z",
        "last_status_change_at": "2025-09-01T11:00:00Z",
        "urgency": "high",
        "service": {"id": "PSVC001", "summary": "Checkout", "type": "service_reference"},
    }
    alert: dict[str, Any] = {
        "id": "good-1",
        "tinyId": "1",
        "message": "sound",
        "status": "closed",
        "acknowledged": False,
        "priority": "P2",
        "createdAt": "2025-09-01T10:00:00Z",
        "updatedAt": "2025-09-01T11:00:00Z",
        "tags": [],
        "report": {"closeTime": 3_600_000},
    }
    issue = {
        "id": "1001",
        "key": "OPS-1",
        "fields": {
            "summary": "sound",
            "created": "2025-09-01T10:00:00.000+0000",
            "updated": "2025-09-01T11:00:00.000+0000",
            "issuetype": {"id": "1", "name": "Incident"},
            "project": {"id": "10", "key": "OPS", "name": "Operations"},
            "status": {"id": "5", "name": "Resolved", "statusCategory": {"id": 3, "key": "done", "name": "Done"}},
            "priority": {"id": "2", "name": "High"},
            "resolutiondate": "2025-09-01T11:00:00.000+0000",
        },
        "changelog": {"histories": []},
    }
    naive = {**issue["fields"], "created": "2025-09-01T10:00:00.000"}
    status = {"field": "status", "from": "1", "fromString": "Open", "to": "5", "toString": "Resolved"}
    history = {"id": "77", "created": None, "author": None, "items": [{**status, "fieldtype": "jira"}]}
    acknowledged = {"id": "R1", "type": "acknowledge_log_entry", "created_at": "2025-09-01T10:05:00Z", "agent": None}
    return VendorServer(
        [
            PagerDutySimulator.from_records(
                [
                    pagerduty,
                    {
                        **pagerduty,
                        "id": "PNULLS",
                        "incident_number": 2,
                        "title": None,
                        "service": None,
                        "urgency": None,
                    },
                    {**pagerduty, "id": "PNAIVE", "incident_number": 3, "created_at": "2025-09-01T10:00:00"},
                    {**pagerduty, "id": "PNEVER", "incident_number": 4, "created_at": "2025-09-31T10:00:00Z"},
                ],
                [
                    {**acknowledged, "channel": None, "incident": {"id": "PGOOD"}},
                    {**acknowledged, "id": "R2", "incident": None},
                ],
            ),
            OpsgenieSimulator.from_records(
                [
                    alert,
                    {**alert, "id": "nulls", "tinyId": "2", "priority": None, "tags": None, "message": None},
                    {**alert, "id": "naive", "tinyId": "3", "createdAt": "2025-09-01T10:00:00"},
                ]
            ),
            JiraSimulator.from_issues(
                [
                    issue,
                    {**issue, "id": "1002", "key": "OPS-2", "fields": naive},
                    {**issue, "id": "1003", "key": "OPS-3", "changelog": {"histories": [history]}},
                ],
                "cloud",
            ),
        ],
        clock=UNTIL,
        limits=None,
    )


# -- the configuration -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[sources.pagerduty\n", ("no valid TOML", "line 1")),
        ("[sources.pagerduty]\nconections = 3\n", ("'sources.pagerduty.conections'", "connections")),
        ("[surces]\n", ("'surces'", "sources", "outliers")),
        ('[sources.jira]\ntoken = "hunter2hunter2"\n', ("'sources.jira.token'",)),
        ("[outliers]\nhours = -1\n", ("'outliers.hours'", "from 0.001 to 87600")),
        ('reporting_time_zone = "Mars/Olympus"\n', ("reporting_time_zone", "IANA")),
        ('[sources.jsm]\nweb_url = "acme.atlassian.net"\n', ("'sources.jsm.web_url'", "https://")),
        ('[sources.jira.status]\nParked = "sleeping"\n', ("sources.jira.status.Parked", "'paused'")),
    ],
)
def test_a_broken_configuration_file(tmp_path: Path, content: str, told: tuple[str, ...]) -> None:
    """Named with the key as it stands in the file, and what is known there; nothing is started."""
    path = tmp_path / "mttr.toml"
    path.write_text(content)
    env = {"PAGERDUTY_TOKEN": "x"}
    text = sentence(mttr("--data-dir", tmp_path / "data", "run", env=env, cwd=tmp_path).ended(2).err)
    assert "mttr.toml" in text and all(word in text for word in told), text
    assert "hunter2" not in text and not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({}, ("No source is configured", "PAGERDUTY_TOKEN", "mttr demo")),
        ({"PAGERDUTY_TOKEN": "   "}, ("No source is configured",)),
        ({"PAGERDUTY_TOKEN": "two words-hunter2"}, ("PAGERDUTY_TOKEN", "white space")),
        ({"JIRA_API_TOKEN": "hunter2", "JIRA_URL": "https://jira.example"}, ("JIRA_EMAIL",)),
        ({"JIRA_PERSONAL_TOKEN": "hunter2"}, ("JIRA_URL",)),
        ({"JIRA_PERSONAL_TOKEN": "hunter2", "JIRA_URL": "jira.example"}, ("JIRA_URL", "https://")),
        (
            {
                "JIRA_PERSONAL_TOKEN": "hunter2",
                "JIRA_API_TOKEN": "hunter3",
                "JIRA_EMAIL": "me@example.com",
                "JIRA_URL": "https://jira.example",
            },
            ("JIRA_API_TOKEN", "JIRA_PERSONAL_TOKEN"),
        ),
        (
            {"JIRA_PERSONAL_TOKEN": "hunter2", "JIRA_URL": "https://admin:hunter2@jira.example"},
            ("JIRA_URL", "password"),
        ),
        (
            {"PAGERDUTY_TOKEN": "hunter2", "PAGERDUTY_API_URL": "https://x.example/?token=hunter2"},
            ("PAGERDUTY_API_URL",),
        ),
        ({"MTTR_CONFIG": "nowhere.toml", "PAGERDUTY_TOKEN": "hunter2"}, ("nowhere.toml", "MTTR_CONFIG")),
    ],
)
def test_a_wrong_environment(tmp_path: Path, env: dict[str, str], told: tuple[str, ...]) -> None:
    """Exit 2 before anything is started, the variable by name, its value never."""
    result = mttr("--data-dir", tmp_path / "data", "run", env=env).ended(2)
    assert all(word in sentence(result.err) for word in told), result.err
    assert "hunter" not in result.text and not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--as-of", "yesterday"), ("--as-of", "'yesterday'", "2026-01-31")),
        (("--since", "31.1.2026"), ("--since",)),
        (("--until", ""), ("--until",)),
        (("--since", "2025-02-01", "--until", "2025-01-01"), ("--since", "--until")),
        (("--source", "servicenow"), ("servicenow", "pagerduty")),
        (("--source", "jira"), ("jira", "credentials")),
    ],
)
def test_wrong_options(tmp_path: Path, options: tuple[str, ...], told: tuple[str, ...]) -> None:
    with vendors() as server:
        result = mttr("--data-dir", tmp_path, "run", *options, env=server.env("pagerduty")).ended(2)
        assert not server.log, "a request was made"
    assert all(word in sentence(result.err) for word in told), result.err
    assert not (tmp_path / "published").exists()


# -- the disk ----------------------------------------------------------------------------------------------------------


def test_a_data_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """Below a regular file nobody can write, not even root; every command says so in the same words."""
    (tmp_path / "file").touch()
    (tmp_path / "one.jsonl").write_text('{"external_id": "1", "detected_at": "2025-01-01T00:00:00Z"}\n')
    for arguments in (["run"], ["demo"], ["import", tmp_path / "one.jsonl"]):
        result = mttr("--data-dir", tmp_path / "file" / "data", *arguments, env={"PAGERDUTY_TOKEN": "x"}).ended(2)
        text = sentence(result.err)
        assert str(tmp_path / "file" / "data") in text and "--data-dir" in text, text


def a_landing_file(data_dir: Path, source: str, stream: str) -> Path:
    return next(
        path for path in sorted((data_dir / "landing" / source).glob(f"*/{stream}/*")) if path.stat().st_size > 99
    )


def test_a_corrupt_landing_file_is_named_and_its_remedy_works(earlier: Path, tmp_path: Path) -> None:
    """One flipped byte: not one row of that file is trusted, the old generation stays, and what the message says helps."""
    path = a_landing_file(earlier, "jira", "issues")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    text = sentence(mttr("--data-dir", earlier, "rebuild", *AS_OF).ended(1).err)
    assert str(path) in text and "sha256" in text and "--full-refresh" in text, text

    mended = copy_of(earlier, tmp_path / "mended")
    extract = path.parents[1]
    assert f"move the folder {extract.name} out of landing/jira" in text
    (mended / "landing" / "jira" / extract.name).rename(tmp_path / "moved-away")
    remedy = text.split("run `mttr ")[1].split("`")[0].split()
    with vendors() as server:
        mttr("--data-dir", mended, *remedy, *AS_OF, env=server.env(*CLOUD)).ended(0)
    assert differences(mended, truth()) == []


def test_a_landing_file_that_is_gone(earlier: Path) -> None:
    path = a_landing_file(earlier, "pagerduty", "incidents")
    path.unlink()
    text = sentence(mttr("--data-dir", earlier, "rebuild", *AS_OF).ended(1).err)
    assert str(path) in text and "is missing or was changed" in text, text


@pytest.mark.parametrize("job", ["run", "rebuild"])
def test_a_corrupt_manifest(earlier: Path, job: str) -> None:
    """Cut short by a full disk, say: the file is named and so is the remedy, whichever job meets it first."""
    (path,) = (earlier / "landing" / "jira").glob("*/manifest.json")
    path.write_text(path.read_text()[:200])
    with vendors() as server:
        result = mttr("--data-dir", earlier, job, *AS_OF, env=server.env(*CLOUD))
    text = sentence(result.ended(1).err)
    assert str(path) in text and "move its folder out" in text, text


def test_a_working_database_that_cannot_be_one(tmp_path: Path) -> None:
    """A torn file is made anew (test_warehouse); what is no file is not deleted, and the remedy is said."""
    (tmp_path / "landing").mkdir()
    (tmp_path / "work.duckdb").mkdir()
    text = sentence(mttr("--data-dir", tmp_path, "rebuild", *AS_OF).ended(1).err)
    assert str(tmp_path / "work.duckdb") in text and "delete it and run `mttr rebuild`" in text, text


@pytest.mark.parametrize("name", ["work.duckdb", "work.mart.duckdb"])
def test_a_working_database_that_somebody_holds_open(earlier: Path, name: str) -> None:
    """A curious person with a database browser: the run says whose doing it is instead of waiting or breaking the file."""
    hold = "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.readline()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(earlier / name)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        text = sentence(mttr("--data-dir", earlier, "rebuild", *AS_OF).ended(1).err)
        holder.communicate(b"\n")
    assert name in text and "end the program that holds it" in text, text


def test_a_disk_that_is_full_while_tables_are_made(tmp_path: Path) -> None:
    """No file may grow beyond 5 MB: the remedy is to free the disk, and the night after that needs no other help."""
    data_dir = copy_of(finished_run(), tmp_path / "data")
    folder, before = latest(data_dir), content(latest(data_dir))
    rebuild = command("--data-dir", data_dir, "rebuild", *AS_OF)
    result = process(["sh", "-c", f"ulimit -f 10000; exec {shlex.join(rebuild)}"])
    text = sentence(result.ended(1).err)
    assert "Could not write file" in text and "nothing was published. Free the disk and run again." in text, text
    assert latest(data_dir) == folder and content(folder) == before
    process(rebuild).ended(0)
    assert latest(data_dir) != folder


@pytest.mark.slow
def test_results_that_cannot_be_written(tmp_path: Path) -> None:
    """The disk under `published` is gone: a sentence before a night of pulling, not after it."""
    data_dir = copy_of(finished_run(), tmp_path / "data")
    (data_dir / "published").rename(tmp_path / "published")
    (data_dir / "published").touch()
    text = sentence(mttr("--data-dir", data_dir, "rebuild", *AS_OF).ended(2).err)
    assert f"{data_dir / 'published'} is no folder" in text and "move it away" in text, text


# -- records -----------------------------------------------------------------------------------------------------------


def test_records_that_break_the_vendors_promises(tmp_path: Path) -> None:
    """A null or nonsense in one record costs that record or that value, never the run; what is left out is listed."""
    with odd_vendors() as server:
        mttr("--data-dir", tmp_path, "run", *AS_OF, env=server.env()).ended(0)
    with published(tmp_path) as con:
        found = dict(con.execute("SELECT external_id, (resolved_at - detected_at)::VARCHAR FROM incidents").fetchall())
        quarantined = {
            (source, name): reason
            for source, name, reason, reference in con.execute(
                "SELECT source, external_id, reason, raw_reference FROM quarantine"
            ).fetchall()
            if reason and reference
        }
        lost = con.execute(
            "SELECT sum(records_fetched - records_normalised - duplicates_dropped - quarantined), sum(quarantined) "
            "FROM source_runs"
        ).fetchall()
    assert found == dict.fromkeys(("PGOOD", "PNULLS", "good-1", "nulls", "1001", "1003"), "01:00:00")
    assert {
        ("pagerduty", "PNAIVE"),
        ("pagerduty", "PNEVER"),
        ("pagerduty", "R2"),
        ("opsgenie", "naive"),
        ("jira", "1002"),
    } <= quarantined.keys()
    assert lost == [(0, len(quarantined))]


# -- secrets -----------------------------------------------------------------------------------------------------------

SECRETS = ("pd-5ecret-u+Y7", "0psgen1e-5ecret", "AT4TT-jsm-5ecret=", "AT4TT-j1ra-5ecret=")


def everything_that_tells(*, texts: list[str], folders: list[Path]) -> Iterator[tuple[str, bytes]]:
    for text in texts:
        yield "output", text.encode()
    for folder in folders:
        for path, data in every_byte(folder):
            yield str(path), data


@pytest.mark.parametrize(
    "faults",
    [
        "unauthorized",
        pytest.param("light", marks=pytest.mark.slow),
        pytest.param("always_html", marks=pytest.mark.slow),
    ],
)
def test_no_secret_is_left_anywhere(tmp_path: Path, impatient: Path, faults: str) -> None:
    """Not on the terminal with --debug, not in the landing zone (an old Opsgenie echoes the key in its paging links), not in
    a manifest, a database or a run record of Dagster: searched for in the bytes, in every encoding that is sent.
    """
    simulators = [
        PagerDutySimulator.from_world(world()),
        OpsgenieSimulator.from_world(world()),
        JsmSimulator.from_world(world()),
        JiraSimulator.from_world(world(), "cloud"),
    ]
    simulators[0].token, simulators[1].key, simulators[2].token, simulators[3].token = SECRETS
    home, data_dir = tmp_path / "home", tmp_path / "data"
    home.mkdir()
    with VendorServer(simulators, clock=UNTIL, faults=faults, seed=1, limits=None) as server:
        env = server.env()
        assert set(SECRETS) <= set(env.values()) and simulators[1].echo_key
        # Which request a light fault falls on depends on the threads: one that is hit twice must be tried a third time.
        config = () if faults == "light" else ("--config", impatient)
        arguments = command("--data-dir", data_dir, *config, "--debug", "run", *AS_OF)
        result = process(arguments, env={**env, "DAGSTER_HOME": str(home)})
        texts = [result.text, mttr("--data-dir", data_dir, *config, "doctor", env=env).text]
    assert result.code == (0 if faults == "light" else 1), result.text
    assert len(result.err) > 1000 and list(home.rglob("*.db")), "neither a log nor a run record to search"

    forms = [secret.encode() for secret in SECRETS] + [b"5ecret%3D", b"u%2BY7"]
    forms += [base64.b64encode(secret.encode()).rstrip(b"=") for secret in SECRETS]
    forms += [base64.b64encode(f"{env['JIRA_EMAIL']}:{secret}".encode()) for secret in SECRETS]
    found = [
        (name, form)
        for name, data in everything_that_tells(texts=texts, folders=[data_dir, home])
        for form in forms
        if form in data
    ]
    assert found == []
    databases = [*data_dir.glob("work*.duckdb"), *data_dir.glob("published/2*/mttr.duckdb")]
    assert databases or faults != "light"
    for database in databases:  # compressed inside, so ask
        with duckdb.connect(str(database), read_only=True) as con:
            for schema, table in con.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall():
                hits = con.execute(f"""SELECT count(*) FROM {schema}."{table}" AS t WHERE t::VARCHAR LIKE '%5ecret%'""")
                assert hits.fetchall() == [(0,)], f"{database.name} {schema}.{table}"


def test_debug_shows_the_traceback_and_nothing_else_does(tmp_path: Path) -> None:
    """--debug is the one way to a traceback; without it a programming error is a sentence too."""
    assert "Traceback" in process(command("--debug", "--data-dir", tmp_path, "run")).err
    mttr("--data-dir", tmp_path, "run").ended(2)


def test_secrets_are_no_part_of_what_ps_shows() -> None:
    """No option takes a credential: command lines are visible to every user of the machine."""
    help_text = "".join(mttr(name, "--help").ended(0).out for name in ("run", "rebuild", "demo", "import", "doctor"))
    assert not any(word in help_text.lower() for word in ("--token", "--key", "--password", "--api-key"))
    assert "PAGERDUTY_TOKEN" not in clean_env()
