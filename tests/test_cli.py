"""The `mttr` command as a person and a cron job meet it: help, version, options, what goes to which stream, exit codes.

What goes wrong and how that is told is in test_bad_input.
"""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import duckdb
import pytest
from filelock import FileLock, Timeout
from support_e2e import (
    CLOUD,
    UNTIL,
    clean_env,
    command,
    copy_of,
    empty_folder,
    finished_run,
    latest,
    mttr,
    process,
    query,
    vendors,
)

from mttr_pipeline import __version__
from mttr_pipeline.cli import main as cli
from mttr_pipeline.cli.doctor import _published
from mttr_pipeline.cli.main import main
from mttr_pipeline.defs.resources import held
from mttr_pipeline.sources.registry import load_settings

AS_OF = ("--as-of", UNTIL.isoformat())

#: What scripts and cron jobs call; more may be added, none of these may go.
PROMISED = {
    "demo": set(),
    "run": {"--source", "--since", "--until", "--full-refresh", "--as-of"},
    "rebuild": {"--as-of"},
    "import": {"FILE..."},
    "stats": {
        *("--type", "--severity", "--service", "--team", "--start", "--end", "--start-stamp", "--end-stamp"),
        *("--include-outliers", "--outlier-hours", "--by", "--format"),
    },
    "links": {"--accept", "--refuse", "--by", "--why", "--format"},
    "doctor": set(),
}


def test_every_promised_command_and_option_is_there() -> None:
    assert PROMISED.keys() <= main.commands.keys()
    top = mttr("--help").ended(0).out
    assert all(option in top for option in ("--data-dir", "--config", "--debug", "--version", "--help"))
    for name, options in PROMISED.items():
        text = mttr(name, "--help").ended(0).out
        assert name in top and all(option in text for option in options), name


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_and_option_has_help(name: str) -> None:
    """An option without a sentence is one that nobody dares to use."""
    found = main.commands[name]
    assert found.help and found.get_short_help_str(200)
    assert [option.name for option in found.params if isinstance(option, click.Option) and not option.help] == []
    lines = mttr(name, "--help").ended(0).out.splitlines()
    assert max(map(len, lines)) <= 100
    assert mttr(name, "-h").ended(0).out.splitlines() == lines


def test_the_version_is_that_of_the_package() -> None:
    assert mttr("--version").ended(0).out.strip() == f"mttr, version {__version__}"


def test_the_command_and_the_module_are_the_same() -> None:
    """`python -m mttr_pipeline` for where the scripts folder is on no path; the installed command for everybody else."""
    by_module = process(command("--help")).ended(0).out
    script = shutil.which("mttr", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    assert script, "the console command is not installed"
    by_script = process([script, "--help"]).ended(0).out
    assert by_module.split("\n", 1)[1] == by_script.split("\n", 1)[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nonsense"], ("'nonsense'", " --help`")),
        (["--nonsense", "run"], ("'--nonsense'",)),
        (["run", "--nonsense"], ("'--nonsense'", " run --help`")),
        (["run", "--sinc", "2026-01-01"], ("'--since'",)),
        (["run", "--source"], ("'--source'", "argument")),
        (["import"], ("FILE",)),
        (["stats", "--format", "xml"], ("'--format'", "'json'")),
        (["stats", "more"], ("more", " stats --help`")),
        (["rebuild", "--as-of", "0001-01-01"], ("--as-of", "'0001-01-01'", "2000 to 2099")),
        (["rebuild", "--as-of", "2100-01-01"], ("--as-of",)),
        (["run", "--as-of", "1999-12-31T23:00:00-02:00", "--since", "1999-12-31"], ("--since",)),
    ],
)
def test_bad_usage_is_one_sentence_and_ends_with_2(arguments: list[str], told: tuple[str, ...]) -> None:
    """A log of cron has one line for it, which says where to look; also what our library for options objects to."""
    result = mttr(*arguments).ended(2)
    assert re.fullmatch(r"mttr: [^\n]+\.\n", result.err), result.err
    assert all(word in result.err for word in told) and not result.out, result.err


EMPTY = [
    *(
        ["stats", option, ""]
        for option in sorted(PROMISED["stats"] - {"--include-outliers", "--format", "--outlier-hours"})
    ),
    *(["run", option, " "] for option in ("--source", "--since", "--until", "--as-of")),
    *(["rebuild", "--as-of", ""], ["demo", "--faults", ""], ["import", ""]),
    *(["--data-dir", "", "rebuild"], ["--config", "", "rebuild"]),
]


@pytest.mark.parametrize("arguments", EMPTY, ids=" ".join)
def test_an_empty_value_is_not_the_same_as_none(arguments: list[str]) -> None:
    """`--start "$UNSET"` in a script asks for a window; the whole history would look like an answer to that."""
    result = mttr(*arguments).ended(2)
    name = next((word for word in arguments if word.startswith("--")), "FILE...")
    assert result.err == f"mttr: {name} is empty; give it a value or leave it out.\n" and not result.out


# -- import and rebuild ------------------------------------------------------------------------------------------------

RECORDS: list[dict[str, str]] = [
    {"severity": "SEV1", "detected_at": "2025-09-01T10:00:00Z", "resolved_at": "2025-09-01T10:30:00Z"},
    {"severity": "SEV2", "detected_at": "2025-09-02T10:00:00Z", "resolved_at": "2025-09-02T11:30:00Z"},
    {"severity": "SEV2", "detected_at": "2025-09-03T10:00:00Z"},
    {"severity": "huge", "detected_at": "2025-09-04T10:00:00Z"},
]
SERVICES = ["[/pay] :fire:", "search", "search", "search"]
TIMES = {name: RECORDS[0][name] for name in ("detected_at", "resolved_at")}


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Custom records alone, without any vendor: `mttr import`, then `mttr rebuild`."""
    folder = tmp_path_factory.mktemp("imported")
    records = [
        {"external_id": str(number), "service": service, **record}
        for number, (service, record) in enumerate(zip(SERVICES, RECORDS, strict=True), start=1)
    ]
    (folder / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    told = mttr("--data-dir", folder / "data", "import", folder / "records.jsonl").ended(0)
    assert "Landed 4 custom records from 1 file" in told.out and "mttr rebuild" in told.out and not told.err
    result = mttr("--data-dir", folder / "data", "rebuild", *AS_OF).ended(0)
    assert "Published in" in result.out and not result.err
    worst = "Not reliable, with 2 warnings; the most important: custom, 1 of 4: records that could not be read; see"
    assert result.out.startswith(f" data quality  \N{BLACK DIAMOND} red: {worst}")  # before any figure
    return folder / "data"


FIGURES = ("mean", "median", "p95")


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[str, Path], str]:
    """A company whose severities differ: SEV1 misses its target, SEV2 has 20 durations, SEV3 an outlier, SEV4 19 durations and
    incidents without a usable one. The options of a command about it, and what `mttr rebuild` printed."""
    hours = {
        "SEV1": [6] * 6 + [0.1] * 6,
        "SEV2": [0.5] * 20,
        "SEV3": [1, 1, 1, 1, 196],
        "SEV4": [0.5] * 19 + [-0.5] * 2,
    }
    began = datetime(2025, 9, 1, 10, tzinfo=UTC)
    records: list[dict[str, str]] = [
        {
            "severity": severity,
            "detected_at": began.isoformat(),
            "resolved_at": (began + timedelta(hours=took)).isoformat(),
        }
        for severity, all_hours in hours.items()
        for took in all_hours
    ]
    records.append({"severity": "SEV4", "occurred_at": TIMES["detected_at"], "resolved_at": TIMES["resolved_at"]})
    folder = tmp_path_factory.mktemp("company")
    (folder / "records.jsonl").write_text(
        "".join(json.dumps({"external_id": str(n), "service": f"s{n % 7}", **r}) + "\n" for n, r in enumerate(records))
    )
    base = ("--data-dir", folder / "data")
    mttr(*base, "import", folder / "records.jsonl").ended(0)
    return base, mttr(*base, "rebuild", *AS_OF).ended(0).out


def test_the_summary_adds_up_and_shows_no_percentile_of_a_few(company: tuple[tuple[str, Path], str]) -> None:
    """Incidents that end before they start, or start nowhere, are in no other column; a 95th percentile of 19 is a maximum."""
    base, out = company
    assert out.index("Minutes from detected to resolved") < out.index(
        "data quality  \N{BLACK UP-POINTING TRIANGLE} amber"
    )
    found = {tuple(line.split()) for line in out.splitlines()}
    columns = ("incidents", "analysed", "open", "outliers", "other", "outlier", "minutes")
    assert ("scope", "window", *columns, *FIGURES) in found
    assert ("SEV2", "all", "20", "20", "0", "0", "0", "-", "30.0", "30.0", "30.0") in found
    assert ("SEV4", "all", "22", "19", "0", "0", "3", "-", "30.0", "30.0", "-") in found

    lines = mttr(*base, "stats", "--by", "service").ended(0).out.splitlines()
    assert lines[2].split()[:7] == ["matched", "analysed", "open", "outliers", "other", "outlier", "minutes"]
    counts = [[int(word) for word in line.split()[1:6]] for line in lines[4:] if line.strip()]
    assert len(counts) == 7 and all(matched == sum(parts) for matched, *parts in counts)
    assert sum(other for *_, other in counts) == 3
    assert any(" %" in line for line in lines[4:])


def test_import_then_rebuild_publishes(imported: Path) -> None:
    assert query(imported, "SELECT external_id FROM incidents ORDER BY ALL") == [("1",), ("2",), ("3",)]
    ((external_id, reason, reference),) = query(imported, "SELECT external_id, reason, raw_reference FROM quarantine")
    assert external_id == "4" and "severity" in reason and reference.endswith("records.jsonl:4)"), reference
    assert query(imported, "SELECT incidents_matched, incidents_analyzed, mean_minutes FROM mttr()") == [(3, 2, 60.0)]


@pytest.mark.slow
def test_an_import_waits_for_the_next_run_to_be_seen(imported: Path, tmp_path: Path) -> None:
    """Importing publishes nothing by itself, and replaces a record that is imported again."""
    data_dir = copy_of(imported, tmp_path / "data")
    before = latest(data_dir)
    again = tmp_path / "again.csv"
    again.write_text("external_id,severity,detected_at,resolved_at\n3,SEV2,2025-09-03T10:00:00Z,2025-09-03T10:06:00Z\n")
    mttr("--data-dir", data_dir, "import", again).ended(0)
    assert latest(data_dir) == before
    mttr("--data-dir", data_dir, "rebuild", *AS_OF).ended(0)
    assert query(data_dir, "SELECT incidents_analyzed, mean_minutes FROM mttr()") == [(3, 42.0)]


def test_a_rebuild_without_anything_says_what_fills_it(tmp_path: Path) -> None:
    assert "mttr import" in mttr("--data-dir", tmp_path, "rebuild").ended(2).err


def test_what_the_outlier_rule_hides_and_what_misses_its_target_is_said(company: tuple[tuple[str, Path], str]) -> None:
    """Beside every mean in the summary and in `mttr stats`: how many, and their part of the minutes. A miss only with its test."""
    base, told = company
    found = {tuple(line.split()) for line in told.splitlines()}
    assert ("SEV3", "all", "5", "4", "0", "1", "0", "98.0", "%", "60.0", "60.0", "-") in found
    assert (
        "\n targets       within target in the last 90 days: SEV1 6 of 12, SEV2 20 of 20, SEV3 4 of 5, SEV4 19 of 19. "
        "SEV1 missed its target more often than the goal allows.\n"
    ) in told
    severity = ("stats", "--severity", "SEV3")
    for options in (severity, ("stats", "--by", "severity")):
        assert "98.0 %" in mttr(*base, *options).ended(0).out
    (answer,) = json.loads(mttr(*base, *severity, "--format", "json").ended(0).out)
    assert (answer["excluded_outlier"], answer["outlier_minutes_share"]) == (1, 0.98)
    (line,) = csv.DictReader(io.StringIO(mttr(*base, *severity, "--format", "csv").ended(0).out))
    assert (line["excluded_outlier"], line["outlier_minutes_share"]) == ("1", "0.98")


# -- stats -------------------------------------------------------------------------------------------------------------


def test_stats_prints_the_figures_of_the_published_file(imported: Path) -> None:
    """The same calculation as the macro, in three forms; JSON and CSV to the last digit."""
    base = ("--data-dir", imported, "stats")
    table = mttr(*base).ended(0).out
    assert "60.0" in table
    (row,) = json.loads(mttr(*base, "--format", "json").ended(0).out)
    assert (row["incidents_matched"], row["mean_minutes"], row["excluded_open"]) == (3, 60.0, 1)
    (line,) = csv.DictReader(io.StringIO(mttr(*base, "--format", "csv", "--severity", "SEV1").ended(0).out))
    assert (line["incidents_matched"], float(line["mean_minutes"])) == ("1", 30.0)
    (none,) = json.loads(mttr(*base, "--format", "json", "--team", "nobody").ended(0).out)
    assert none["mean_minutes"] is None and none["detection_mean_minutes"] is None and none["detection_n"] == 0


ASKED = (
    *("--type", "service_restore", "--severity", "SEV1", "--severity", "SEV2", "--service", "search", "--by", "month"),
    *("--start", "2025-09-01T02:00+02:00", "--end", "2026-01-01", "--outlier-hours", "24"),
)


def test_stats_says_what_it_calculated(imported: Path) -> None:
    """A number that is copied out of a terminal or a file must carry what it means."""
    base = ("--data-dir", imported, "stats")
    (said,) = json.loads(mttr(*base, *ASKED, "--format", "json").ended(0).out)
    ((definitions,),) = query(imported, "SELECT DISTINCT definition_hash FROM metric_definitions")
    basis = {
        "calculation_type": "service_restore",
        "start_stamp": "detected_at",
        "end_stamp": "mitigated_at",
        "by": "month",
        "filters": {"severities": ["SEV1", "SEV2"], "services": ["search"], "teams": None},
        "window": {"start": "2025-09-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"},
        "outliers": {"excluded": True, "limit_hours": 24.0},
        "phase_model": "coarse",
        "as_of": "2025-10-01T06:00:00Z",
        "definition_hash": definitions,
    }
    assert {name: said[name] for name in basis} == basis
    assert said["scope_value"] == "2025-09-01" and "incidents_matched" in said

    (line,) = csv.DictReader(io.StringIO(mttr(*base, *ASKED, "--format", "csv").ended(0).out))
    assert line["window_start"] == "2025-09-01T00:00:00Z" and line["filters_services"] == '["search"]'
    assert (line["outliers_excluded"], line["filters_teams"], line["scope_value"]) == ("true", "", "2025-09-01")
    assert {name: line[name] for name in ("calculation_type", "end_stamp", "definition_hash")} == {
        name: basis[name] for name in ("calculation_type", "end_stamp", "definition_hash")
    }

    (caption, *_) = mttr(*base, *ASKED).ended(0).out.splitlines()
    assert caption == (
        "Minutes from detected to mitigated (service_restore), as of 2025-10-01 06:00 UTC: severity SEV1 or SEV2, "
        "service search, from 2025-09-01 00:00 UTC, before 2026-01-01 00:00 UTC; outliers: longer than 24 h; "
        f"phases: coarse model; definitions {definitions}"
    )
    plain = mttr(*base, "--include-outliers", "--start-stamp", "acknowledged_at").ended(0).out.splitlines()[0]
    assert "from acknowledged to resolved (custom)" in plain and ": all incidents; no outlier rule;" in plain


def test_where_nothing_matches_stats_says_so(imported: Path) -> None:
    """In words for a person; a program finds no row."""
    base = ("--data-dir", imported, "stats", "--by", "service", "--team", "nobody")
    assert mttr(*base).ended(0).out.splitlines()[1:] == ["no incident matches"]
    assert json.loads(mttr(*base, "--format", "json").ended(0).out) == []
    text = mttr(*base, "--format", "csv").ended(0).out
    assert list(csv.reader(io.StringIO(text)))[1:] == [] and "scope_value,incidents_matched" in text


def test_stats_shows_names_as_they_are(imported: Path) -> None:
    """A service named like a colour code of the terminal library must neither vanish nor end the command."""
    assert "[/pay] :fire:" in mttr("--data-dir", imported, "stats", "--by", "service").ended(0).out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ("--type", "fastest"),
            "--type: there is no variant 'fastest'; use basic, service_restore, full_recovery, custom",
        ),
        (("--type", "fastest", "--start-stamp", "detected_at", "--end-stamp", "closed_at"), "'fastest'; use basic"),
        (("--type", "custom"), "--type custom needs --start-stamp and --end-stamp too"),
        (("--type", "custom", "--start-stamp", "acknowledged_at"), "--type custom needs --end-stamp too"),
        (("--type", "custom", "--end-stamp", "acknowledged_at"), "--type custom needs --start-stamp too"),
        (("--severity", "SEV9"), "SEV1"),
        (("--by", "colour"), "severity"),
        (("--start", "yesterday"), "--start"),
        (("--start-stamp", "detected_at", "--end-stamp", "detected_at"), "--start-stamp and --end-stamp are both"),
        (("--start-stamp", "resolved_at"), "--start-stamp and --end-stamp are both resolved_at"),
        (("--start-stamp", "born_at", "--end-stamp", "resolved_at"), "detected_at"),
        (("--outlier-hours", "-1"), "--outlier-hours must be a number above 0, not -1"),
        (("--outlier-hours", "0"), "not 0"),
        (("--outlier-hours", "nan"), "not nan"),
        (("--outlier-hours", "inf"), "not inf"),
        (("--outlier-hours", "24", "--include-outliers"), "--include-outliers leaves nothing out"),
    ],
)
def test_stats_names_what_it_does_not_understand(imported: Path, options: tuple[str, ...], told: str) -> None:
    assert told in mttr("--data-dir", imported, "stats", *options).ended(2).err


def test_stats_before_anything_is_published(tmp_path: Path) -> None:
    assert "mttr run" in mttr("--data-dir", tmp_path, "stats").ended(2).err


# -- doctor ------------------------------------------------------------------------------------------------------------


def findings(text: str) -> dict[str, str]:
    """Name -> what is said about it, one line each."""
    lines = [re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in text.splitlines()]
    assert all(len(line) == 2 for line in lines), text
    return dict(lines)


def test_the_doctor_without_credentials(tmp_path: Path) -> None:
    """Nothing is wrong with a machine that has no source yet: it says how each is switched on."""
    found = findings(mttr("--data-dir", tmp_path, "doctor").ended(0).out)
    assert set(found) == {
        "versions",
        "configuration",
        "data directory",
        "inbox",
        "alerts",
        "github",
        "gitlab",
        "sentry",
        "slack",
        *CLOUD,
    }
    assert all(said.startswith("ok") for said in found.values())
    assert "PAGERDUTY_TOKEN" in found["pagerduty"] and "JIRA_PERSONAL_TOKEN" in found["jira"]


def test_the_doctor_asks_every_source_once(tmp_path: Path) -> None:
    """One cheap request per source: a check that costs a minute's budget would not be run before the night."""
    with vendors() as server:
        env = server.env(*CLOUD)
        result = mttr("--data-dir", tmp_path, "doctor", env=env).ended(0)
        assert {name: len(server.requests(name)) for name in CLOUD} == dict.fromkeys(CLOUD, 1)
    found = findings(result.out)
    assert all(found[name].startswith("ok") for name in CLOUD), found
    secrets = [value for name, value in env.items() if name.endswith(("TOKEN", "KEY"))]
    assert len(secrets) == 4 and not any(secret in result.text for secret in secrets)
    assert not (tmp_path / "landing").exists()


def test_the_doctor_compares_the_newest_generation_with_its_manifest(tmp_path: Path) -> None:
    """Root may write into a file of mode 0444, and then readers see what nobody published."""
    data_dir = copy_of(finished_run(), tmp_path / "data")
    generation = latest(data_dir)
    settings = load_settings({}, data_dir=data_dir)
    (whole,) = _published(settings)
    assert whole.ok and whole.text == f"{generation.name}, every file as its manifest says"
    for name in ("report.html", "mttr.duckdb"):
        (generation / name).chmod(0o644)
    (generation / "report.html").write_text("another")
    (generation / "json" / "trend.json").unlink()
    with duckdb.connect(str(generation / "mttr.duckdb")) as con:
        con.execute("DROP TABLE teams")
    (generation / "mttr.duckdb.wal").touch()
    (found,) = _published(settings)
    assert (found.ok, found.exit_code) == (False, 1) and "run `mttr rebuild`" in found.text
    assert "json/trend.json is missing; mttr.duckdb was changed; report.html was changed; and 1 more" in found.text
    (generation / "manifest.json").unlink()
    (found,) = _published(settings)
    assert "manifest.json is missing or cannot be read" in found.text


def test_the_doctor_finds_what_is_wrong(tmp_path: Path) -> None:
    """Refused by one vendor, unwritable elsewhere: exit 1, the line says what to do, the other lines are still there. A wrong
    configuration file is 2, as for every other command."""
    with vendors({"opsgenie": "unauthorized"}) as server:
        result = mttr("--data-dir", tmp_path, "doctor", env=server.env(*CLOUD)).ended(1)
    found = findings(result.out)
    assert "OPSGENIE_API_KEY" in found["opsgenie"] and not found["opsgenie"].startswith("ok")
    assert found["pagerduty"].startswith("ok") and "demo-genie-key" not in result.text

    (tmp_path / "file").touch()
    found = findings(mttr("--data-dir", tmp_path / "file" / "data", "doctor").ended(1).out)
    assert "--data-dir" in found["data directory"]
    found = findings(mttr("--config", tmp_path / "none.toml", "doctor").ended(2).out)
    assert "none.toml" in found["configuration"]


# -- demo --------------------------------------------------------------------------------------------------------------


def test_the_demo_waits_for_whoever_uses_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It empties the landing zone: under another demo that is reading it, that would be somebody's lost run."""
    (tmp_path / "landing" / "jira").mkdir(parents=True)
    (tmp_path / "landing" / "jira" / "kept").touch()
    (tmp_path / ".demo").touch()
    monkeypatch.setattr(cli, "WAIT_SECONDS", 0.1)
    with FileLock(tmp_path / ".lock"):
        result = mttr("--data-dir", tmp_path, "demo").ended(1)
    assert "Another run" in result.err and "start again" in result.err
    assert (tmp_path / "landing" / "jira" / "kept").exists()


def test_the_demo_keeps_its_folder_until_its_run_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the emptying and the run nobody may come in, and the run itself is let in."""

    def run(*_: object) -> int:
        assert not (tmp_path / "landing").exists() and (tmp_path / ".demo").exists()
        with pytest.raises(Timeout):
            FileLock(tmp_path / ".lock").acquire(timeout=0)
        with held(tmp_path, 0):
            pass
        with pytest.raises(Timeout):
            FileLock(tmp_path / ".lock").acquire(timeout=0)
        return cli.DONE

    monkeypatch.setattr(cli, "execute", run)
    mttr("--data-dir", tmp_path, "demo").ended(0)
    FileLock(tmp_path / ".lock").acquire(timeout=0)


def test_the_demo_has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever tries the demo where real data are kept, or with MTTR_DATA_DIR set, must not meet invented incidents there."""
    seen = []
    monkeypatch.setattr(cli, "execute", lambda given, settings, *_: seen.append(settings.data_dir) or cli.DONE)
    mttr("demo", env={"MTTR_DATA_DIR": str(tmp_path / "real")}, cwd=tmp_path).ended(0)
    assert seen == [Path("mttr-demo")] and (tmp_path / "mttr-demo" / ".demo").exists()
    assert not (tmp_path / "real").exists() and not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", ["notes.txt", "work.duckdb", "published/latest.json", "inbox/body.json", ".hidden"])
def test_the_demo_touches_nothing_that_it_did_not_write(tmp_path: Path, name: str) -> None:
    """A folder with anything else in it is somebody's: it is refused whole, before anything is marked or removed."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    assert "did not write" in mttr("--data-dir", tmp_path, "demo").ended(2).err
    assert path.read_text() == "mine" and not (tmp_path / ".demo").exists()


def test_the_demo_keeps_what_others_put_beside_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A note, a database of one's own and bodies in the inbox stay; records that were imported there stop it."""
    monkeypatch.setattr(cli, "execute", lambda *_: cli.DONE)
    (tmp_path / ".demo").touch()
    kept = [tmp_path / "notes.txt", tmp_path / "work_mine.duckdb", tmp_path / "inbox" / "body.json"]
    (tmp_path / "inbox").mkdir()
    for path in [*kept, tmp_path / "work.duckdb", tmp_path / "work.mart.duckdb.wal"]:
        path.write_text("x")
    mttr("--data-dir", tmp_path, "demo").ended(0)
    assert all(path.exists() for path in kept) and not list(tmp_path.glob("work.*"))
    imported = tmp_path / "landing" / "custom" / "x"
    imported.mkdir(parents=True)
    assert "did not write (custom)" in mttr("--data-dir", tmp_path, "demo").ended(2).err
    assert imported.exists()


@pytest.mark.parametrize("command", [("run",), ("import", "one.jsonl")])
def test_no_door_lets_real_records_into_the_folder_of_the_demo(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Real incidents among invented ones would be wrong in every figure, and the next demo would delete them."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / ".demo").touch()
    (tmp_path / "one.jsonl").write_text('{"external_id": "1", "detected_at": "2026-01-01T00:00:00Z"}')
    result = mttr("--data-dir", "data", *command, env={"PAGERDUTY_TOKEN": "x"}, cwd=tmp_path).ended(2)
    assert "mttr demo" in result.err and "--data-dir" in result.err
    assert [path.name for path in (tmp_path / "data").iterdir()] == [".demo"]


def test_stats_says_where_the_results_of_the_demo_are(tmp_path: Path) -> None:
    """After `mttr demo` the next command of a newcomer reads the default folder, which has nothing."""
    missing = mttr("stats", cwd=tmp_path).ended(2).err
    assert "Nothing is published" in missing and "mttr-demo" not in missing
    (tmp_path / "mttr-demo" / "published" / "g").mkdir(parents=True)
    (tmp_path / "mttr-demo" / "published" / "latest").symlink_to("g")
    assert "mttr --data-dir mttr-demo stats" in mttr("stats", cwd=tmp_path).ended(2).err


# -- the terminal ------------------------------------------------------------------------------------------------------


def on_a_terminal(arguments: list[str], env: dict[str, str]) -> str:
    """What a command writes to a terminal, control codes and all."""
    near, far = pty.openpty()
    chunks = []
    with subprocess.Popen(arguments, stdout=far, stderr=far, stdin=far, env=env, cwd=empty_folder()) as running:
        os.close(far)
        while True:
            try:
                chunk = os.read(near, 4096)
            except OSError:  # Linux says so when the other side is closed
                break
            if not chunk:
                break
            chunks.append(chunk)
    os.close(near)
    assert running.returncode == 0, b"".join(chunks).decode()
    return b"".join(chunks).decode()


@pytest.mark.slow
def test_progress_is_shown_on_a_terminal(tmp_path: Path) -> None:
    """A first pull takes minutes: a person wants to see it move. (That a pipe gets none of it is seen in every other test.)"""
    with vendors({"jira": "latency"}) as server:
        env = clean_env({**server.env("jira"), "TERM": "xterm", "COLUMNS": "100"})
        seen = on_a_terminal(command("--data-dir", tmp_path, "run", *AS_OF), env)
    assert "jira issues" in seen and "records" in seen and "━" in seen, seen[:2000]
