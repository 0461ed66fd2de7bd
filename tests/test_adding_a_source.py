"""Sources of other packages: the toy of `toy_source` from HTTP to the report without a change here, packages with a fault each,
and `docs/adding-a-source.md`, which walks through the toy.

The commands run in few processes, because starting one takes longer than what it does.
"""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support import build_all, open_warehouse
from support_e2e import REPOSITORY, every_byte, latest, query
from support_plugins import (
    PAGE,
    TOY,
    Seen,
    ToyApi,
    in_a_process,
    install,
    page_commands,
    serving,
    stamp,
    toy_files,
    write_package,
)

from mttr_pipeline.config.settings import settings_of
from mttr_pipeline.intake.received import possible_senders
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.sources.kit.declare import Fields, Source, Webhook
from mttr_pipeline.sources.registry import registry
from mttr_pipeline.warehouse.catalog import default_catalog, house_models, macros_of
from mttr_pipeline.warehouse.conformance import odd_record_problems
from mttr_pipeline.warehouse.reference import GENERATED, gathered_tables
from mttr_pipeline.warehouse.trial import try_out

pytestmark = pytest.mark.slow  # whole runs with about 50 packages

FIRST = datetime(2025, 10, 1, 6, tzinfo=UTC)
SECOND = FIRST + timedelta(days=1)
SEVERITIES = {"Critical": "SEV1", "high": "SEV2", "Normal": "SEV3", "LOW": "SEV4", "blocker": "SEV1", "Odd": "SEV3"}


def ticket(number: int, opened: datetime, **more: Any) -> dict[str, Any]:
    """Taken after 5 minutes, fixed after an hour."""
    history = [("taken", 5, None), ("commented", 20, "Mitigated: restarted"), ("fixed", 60, None)]
    return {
        "id": f"T-{number:03}",
        "title": f"Ticket {number}",
        "url": f"https://toy.example/T-{number:03}",
        "severity": [*SEVERITIES][number % len(SEVERITIES)],
        "status": "fixed",
        "service": "Checkout",
        "team": "Payments",
        "queue": "operations",
        "created_at": stamp(opened),
        "updated_at": stamp(opened + timedelta(hours=1)),
        "history": [
            {
                "id": str(place),
                "action": action,
                "happened_at": stamp(opened + timedelta(minutes=minutes)),
                "person": "Mira",
                "comment": comment,
            }
            for place, (action, minutes, comment) in enumerate(history)
        ],
        **more,
    }


def tickets() -> list[dict[str, Any]]:
    """More in the newest window than the API lists in one go, two in older ones, one of another queue, one without an id."""
    newest = [ticket(number, FIRST - timedelta(hours=12 * number + 2)) for number in range(130)]
    older = [ticket(200, FIRST - timedelta(days=400)), ticket(201, FIRST - timedelta(days=729))]
    other = ticket(300, FIRST - timedelta(days=3), queue="sales")
    return [*newest, *older, other, ticket(301, FIRST - timedelta(days=4), id="")]


@dataclass
class Nights:
    """What came of two nights: how the commands ended, the questions that the API answered, and the published results."""

    api: ToyApi
    data_dir: Path
    first: Seen
    first_questions: list[dict[str, str]]
    first_results: Path
    taken_out: dict[str, list[tuple[Any, ...]]]
    second: Seen
    second_questions: list[dict[str, str]]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip installed the toy into."""
    folder = tmp_path_factory.mktemp("installed")
    install(folder)
    return folder


@pytest.fixture(scope="session")
def nights(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """A night with the toy. Then it is taken out, and comes back for a second night among packages that cannot be used."""
    home, bad = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("bad")
    write_bad_packages(bad)
    api = ToyApi("toy-secret", tickets())
    eu = ToyApi("eu-secret", [ticket(number, FIRST - timedelta(days=number + 1)) for number in range(3)])
    with serving(api, eu):
        variables = {
            "TOY_TOKEN": api.token,
            "TOY_API_URL": api.address,
            "TOY_EU_TOKEN": eu.token,
            "TOY_EU_API_URL": eu.address,
            "MTTR_DATA_DIR": str(home / "data"),
            "MTTR_CONFIG": str(TOY / "mttr.toml"),  # for Dagster
        }
        helps = {"help": ["--help"], "run help": ["run", "--help"]}
        first = in_a_process([installed], {**helps, **night(FIRST)}, variables, REPOSITORY)
        first_questions = api.take_questions()
        shutil.copytree(home / "data" / "published", home / "first" / "published", symlinks=True)
        taken_out = built_without_the_toy(home / "data")
        change(api)
        (home / "second.toml").write_text((TOY / "mttr.toml").read_text() + SECTIONS, encoding="utf-8")
        (home / "misspelt.toml").write_text("[sources.pagerduty]\ncolour = 1\n", encoding="utf-8")
        variables |= {**OTHER_CREDENTIALS, "NOISY_TOKEN": eu.token, "NOISY_API_URL": eu.address}
        variables |= {"MTTR_CONFIG": str(home / "second.toml")}
        more = {
            "misspelt": ["--config", str(home / "misspelt.toml"), "doctor"],
            "unusable": ["run", "--source", "imports"],
            "without tables": ["--data-dir", str(home / "other"), "run", "--source", "binds"],
            "raising": ["--debug", "--data-dir", str(home / "other"), "run", "--source", "unforeseen"],
        }
        lines = {**night(SECOND, home / "second.toml"), **more, "nothing set": ["run"]}
        second = in_a_process([installed, bad], lines, variables, home, without_variables=["nothing set"])
    return Nights(api, home / "data", first, first_questions, home / "first", taken_out, second, api.take_questions())


def night(at: datetime, config: Path | None = None) -> dict[str, list[str]]:
    """The commands of the page, at this clock, with its configuration file or another one."""
    doctor, run = page_commands("mttr")
    for words in (doctor, run):
        words[words.index("--config") + 1] = str(config or words[words.index("--config") + 1])
    assert (doctor[-1], run[-1]) == ("doctor", "run")
    return {"doctor": doctor, "run": [*run, "--as-of", at.isoformat()], "stats": ["stats", "--format", "json"]}


def change(api: ToyApi) -> None:
    """What happens before the second night: an old ticket is reopened and fixed again, and there is a new one."""
    reopened = next(found for found in api.tickets if found["id"] == "T-007")
    at, again = SECOND - timedelta(hours=9), SECOND - timedelta(hours=7)
    reopened["history"] += [
        {"id": "8", "action": "reopened", "happened_at": stamp(at), "person": "Mira"},
        {"id": "9", "action": "fixed", "happened_at": stamp(again), "person": "Mira"},
    ]
    reopened["updated_at"] = stamp(again)
    api.tickets.append(ticket(400, SECOND - timedelta(hours=5)))


def built_without_the_toy(data_dir: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What the tables hold when this process, which has no toy, loads the landing zone and builds and checks everything."""
    questions = {
        "incidents": "SELECT count(*) FROM mart.incidents",
        "quarantine": "SELECT source, reason FROM mart.quarantine ORDER BY ALL",
        "lost": "SELECT source FROM mart.source_runs "
        "WHERE records_fetched <> records_normalised + duplicates_dropped + quarantined",
    }
    warehouse = open_warehouse(data_dir, as_of=FIRST)
    try:
        warehouse.load(Landing(data_dir / "landing"))
        build_all(warehouse)
        return {name: warehouse.con.execute(question).fetchall() for name, question in questions.items()}
    finally:
        warehouse.close()


# -- the toy -----------------------------------------------------------------------------------------------------------


def test_doctor_checks_the_toy_and_its_second_account(nights: Nights) -> None:
    doctor = nights.first.results["doctor"].ended(0).out
    host = nights.api.address.removeprefix("http://")
    assert f"Toy Tickets reachable at {host}, 133 tickets" in doctor
    assert "Toy Tickets (toy_eu) reachable at " in doctor


def test_help_names_the_toy(nights: Nights) -> None:
    """Whoever installs a source sees how to switch it on."""
    general, run = (" ".join(nights.first.results[name].ended(0).out.split()) for name in ("help", "run help"))
    assert "Toy Tickets: TOY_TOKEN and TOY_API_URL" in general
    assert re.search(r"Only this source or account of one \(repeatable\): [a-z, ]*\btoy\.", run)


def test_the_first_night_publishes_every_ticket(nights: Nights) -> None:
    """Paging, splitting, the setting of the toy, the vocabulary and the history, against the tickets themselves."""
    nights.first.results["run"].ended(0)
    found = query(
        nights.first_results,
        """SELECT external_id, title, url, severity, service, team, status, strftime(detected_at, '%c'),
            date_diff('minute', detected_at, acknowledged_at), date_diff('minute', detected_at, mitigated_at),
            date_diff('minute', detected_at, resolved_at)
        FROM incidents WHERE source = 'toy' ORDER BY external_id""",
    )
    expected = [
        (t["id"], t["title"], t["url"], SEVERITIES[t["severity"]], "Checkout", "Payments", "resolved")
        for t in sorted(tickets(), key=lambda t: str(t["id"]))
        if t["queue"] == "operations" and t["id"]
    ]
    assert [row[:7] for row in found] == expected and len(expected) == 132
    assert {row[8:] for row in found} == {(5, None, 60)}, "the toy maps no comment to a stamp"
    eu = query(nights.first_results, "SELECT external_id, episode FROM incidents WHERE source = 'toy_eu' ORDER BY ALL")
    assert eu == [("T-000", 1), ("T-001", 1), ("T-002", 1)], "the same ids in another account are other incidents"


def test_every_table_knows_the_toy(nights: Nights) -> None:
    """Events, runs, findings and quarantine: the same accounting as for a source of this project."""
    folder = nights.first_results
    events = "SELECT event_type, count(*) FROM incident_events WHERE source = 'toy' GROUP BY 1 ORDER BY 1"
    assert query(folder, events) == [("acknowledged", 132), ("detected", 132), ("note", 132), ("resolved", 132)]
    runs = "SELECT status, records_fetched, records_normalised, duplicates_dropped, quarantined FROM source_runs"
    assert query(folder, f"{runs} WHERE source = 'toy'") == [("complete", 133, 132, 0, 1)]
    assert query(folder, "SELECT reason FROM quarantine WHERE source = 'toy'") == [("no id",)]
    unmapped = "SELECT n, total, examples[1] FROM data_quality WHERE source = 'toy' AND dq_check = 'unmapped_severity'"
    odd = sum(t["severity"] == "Odd" and t["id"] != "" and t["queue"] == "operations" for t in tickets())
    assert query(folder, unmapped) == [(odd, 132, "Odd")]


def test_the_report_names_the_toy(nights: Nights) -> None:
    page = (latest(nights.first_results) / "report.html").read_text(encoding="utf-8")
    assert re.search(r'<th scope="row">toy</th><td>complete', page)
    assert re.search(r'<th scope="row">toy_eu</th><td>complete', page)


def test_no_window_is_larger_than_the_api_lists(nights: Nights) -> None:
    """The API refuses rows beyond its limit: the newest window holds more, so it is split, and every row is read once."""
    windows = {
        (asked["created_since"], asked["created_until"]) for asked in nights.first_questions if "created_since" in asked
    }
    assert len(windows) > 730 // 90 + 1
    assert {asked["queue"] for asked in nights.first_questions} == {"operations"}


def test_the_second_night_asks_for_changes_only(nights: Nights) -> None:
    """What changed is there, and the history is not read again."""
    pulled = [asked for asked in nights.second_questions if int(asked["limit"]) > 1]
    assert pulled and all(asked["changed_since"] >= stamp(FIRST - timedelta(days=1)) for asked in pulled)
    folder = nights.data_dir
    counted = "SELECT count(*), count(*) FILTER (WHERE external_id = 'T-400') FROM incidents WHERE source = 'toy'"
    assert query(folder, counted) == [(134, 1)]
    assert query(folder, "SELECT episode FROM incidents WHERE external_id = 'T-007' ORDER BY 1") == [(1,), (2,)]
    modes = {json.loads(path.read_text())["mode"] for path in nights.data_dir.glob("landing/toy/*/plan.json")}
    assert modes == {"backfill", "incremental"}


def test_dagster_shows_the_toy(nights: Nights) -> None:
    """Its assets are made like those of this project; an installed source is no reason for a warning."""
    streams = ("landing/{}", "raw/{}_tickets", "raw/{}_tombstones")
    tables = ("staging/{}_records", "staging/{}_events", "staging/{}_words")
    wanted = {name.format(account) for name in (*streams, *tables) for account in ("toy", "toy_eu")}
    assert wanted <= set(nights.first.assets)
    assert nights.first.warnings == []


def test_the_token_is_nowhere(nights: Nights) -> None:
    said = "".join(result.text for seen in (nights.first, nights.second) for result in seen.results.values())
    assert nights.api.token not in said
    assert [path for path, data in every_byte(nights.data_dir) if nights.api.token.encode() in data] == []


# -- taken out and put back --------------------------------------------------------------------------------------------


def test_a_source_that_is_taken_out_does_not_stop_a_run(nights: Nights) -> None:
    """Its records stay in the landing zone. They are counted, not published, and no check objects."""
    reason = "{} records of a stream that no installed and configured source reads"
    assert nights.taken_out == {
        "incidents": [(0,)],
        "quarantine": [("toy", reason.format(133)), ("toy_eu", reason.format(3))],
        "lost": [],
    }


def test_a_source_that_is_installed_again_is_back(nights: Nights) -> None:
    folder = nights.data_dir
    assert query(folder, "SELECT count(*) FROM incidents WHERE source = 'toy'") == [(134,)]
    assert query(folder, "SELECT count(*) FROM incidents WHERE source = 'toy_eu'") == [(3,)]
    assert query(folder, "SELECT reason FROM quarantine WHERE source = 'toy'") == [("no id",)]


# -- packages that cannot be used --------------------------------------------------------------------------------------

INIT = "__init__.py"
RECORDS, EVENTS = "sql/staging/{}/records.sql", "sql/staging/{}/events.sql"
Edit = Callable[[str], str | bytes]


def swap(old: str, new: str) -> Edit:
    """The text with one thing in it replaced."""

    def edit(text: str) -> str:
        assert old in text, old
        return text.replace(old, new)

    return edit


def whole(text: str | bytes) -> Edit:
    return lambda _: text


@dataclass(frozen=True)
class Fault:
    """A copy of the toy with one fault: the file that is edited, how, and what the sentence about it says."""

    name: str
    said: str
    file: str = INIT
    edit: Edit = lambda text: text

    @property
    def sentence(self) -> str:
        return f"The source {self.name} of the package mttr-{self.name} cannot be used: {self.said}."


#: By what is wrong. In a sentence, DuckDB's and Python's own words are left open.
FAULTS = {
    "a missing import": Fault(
        "imports",
        "its module cannot be imported (ModuleNotFoundError: No module named 'nowhere')",
        edit=whole("import nowhere"),
    ),
    "a syntax error": Fault(
        "syntax", "its module cannot be imported (SyntaxError: ...)", edit=whole("SOURCE = Source(")
    ),
    "a module that exits": Fault(
        "exits", "its module cannot be imported (SystemExit: 0)", edit=whole("print('rubbish')\nraise SystemExit(0)")
    ),
    "a module that raises": Fault("raises", "its module cannot be imported (KeyError: 1)", edit=whole("{}[1]")),
    "nothing of that name": Fault(
        "unnamed", "its module cannot be imported (AttributeError: ...)", edit=whole("A = 1")
    ),
    "no source": Fault("text", "mttr_text:SOURCE is no mttr_pipeline source", edit=whole("SOURCE = 'toy'")),
    "a declaration of other types": Fault(
        "types", "yields in its declaration: ...", edit=swap('("records", "events", "words")', '"records"')
    ),
    "a name of ours": Fault("pagerduty", "the name pagerduty is taken"),
    "the name of imported records": Fault("custom", "the name custom is taken"),
    "the name of received bodies": Fault("inbox", "the name inbox is taken"),
    "the variables of the program": Fault("alert", "the name alert is taken"),
    "a name that another source yields": Fault("opsgenie_incident", "the name opsgenie_incident is taken"),
    "a variable of ours": Fault("jira_api", "the environment variable JIRA_API_TOKEN is taken"),
    "a finding of ours": Fault(
        "finds",
        "the finding alerts_left_out_by_alertmanager is taken",
        edit=lambda text: swap(
            "words={", 'findings={"alerts_left_out_by_alertmanager": Finding("info", "m")}, words={'
        )(text.replace("import Source", "import Finding, Source")),
    ),
    "no name": Fault("Bad-Name", "its name 'Bad-Name' is not lower case letters, digits and _"),
    "no SQL": Fault("without", "it ships no SQL; ...", edit=swap('    sql=Path(__file__).parent / "sql",\n', "")),
    "an empty folder of SQL": Fault("empty", "it ships no SQL; ...", edit=swap('/ "sql"', '/ "nothing"')),
    "SQL of another source": Fault(
        "others",
        "The declaration of others yields events, records, words, but no SQL does",
        edit=swap('.parent / "sql"', '.parent.parent / "mttr_twin" / "sql"'),
    ),
    "yields what nothing gathers": Fault("yields", "it yields invoices, ...", edit=swap('"words")', '"invoices")')),
    "a yield without SQL": Fault(
        "lacks",
        "The declaration of lacks yields services, but no SQL does",
        edit=swap('"words")', '"words", "services")'),
    ),
    "SQL that is not declared": Fault(
        "more", "The SQL of more yields words, which its declaration does not say", edit=swap(', "words")', ")")
    ),
    "options of another kind": Fault(
        "options",
        "options in its declaration: must be a subclass of SourceOptions",
        edit=swap("options=ToyOptions", "options=dict"),
    ),
    "a setting without a default": Fault(
        "defaults",
        "its setting queue has no valid default",
        edit=swap("queue: Text | None = Field(None, ", "queue: Text = Field("),
    ),
    "a word without a meaning": Fault(
        "words", "its words are wrong: 'severity.Low': must be 'SEV1', ...", edit=swap('"Low": "SEV4"', '"Low": "SEV9"')
    ),
    "credentials that cannot be read": Fault(
        "credentials",
        "its credentials cannot be read (AttributeError: ...)",
        edit=swap("if token is None:", "if token.get_secret_value() is None:"),
    ),
    "connect without a module": Fault(
        "connects",
        "connect = 'mttr_connects.push:Toy' names nothing (ModuleNotFoundError: No module named 'mttr_connects.push')",
        edit=swap(".pull:Toy", ".push:Toy"),
    ),
    "connect without a class": Fault(
        "classless",
        "connect = 'mttr_classless.pull:Doll' names nothing (AttributeError: ...)",
        edit=swap(":Toy", ":Doll"),
    ),
    "connect to something else": Fault(
        "constant",
        "connect = 'mttr_constant.pull:PAGE' names an object without check, extract, close",
        edit=swap(":Toy", ":PAGE"),
    ),
    "a class that is called otherwise": Fault(
        "called",
        "connect = 'mttr_called.pull:Toy' is not called as Class(name, access, options, variables=...) (TypeError: ...)",
        "pull.py",
        swap("*, variables:", "*, environment:"),
    ),
    "a broken header": Fault(
        "header",
        "sql/staging/header/records.sql: the header is no valid TOML: ...",
        RECORDS,
        swap('yields = "records"', "yields ="),
    ),
    "a header of other types": Fault(
        "typed", "sql/staging/typed/records.sql cannot be read: ...", RECORDS, swap('[["external_id"]]', "5")
    ),
    "no text": Fault("binary", "sql/staging/binary/records.sql cannot be read: ...", RECORDS, whole(b"/*\xff*/")),
    "a header that yields what nothing gathers": Fault(
        "gathers",
        "sql/staging/gathers/records.sql yields invoices, ...",
        RECORDS,
        swap('yields = "records"', 'yields = "invoices"'),
    ),
    "columns that are owed": Fault(
        "owes",
        "sql/staging/owes/records.sql yields records of owes without the columns kind, severity",
        RECORDS,
        lambda text: re.sub(r"(?m)^(kind|severity) = .*\n|^    'incident' AS kind,\n|^    s\.severity,\n", "", text),
    ),
    "a table that is there already": Fault(
        "pagerduty_log", "pagerduty_log makes the table raw.pagerduty_log_entries, ..."
    ),
    "a later layer": Fault(
        "later",
        "sql/staging/later/events.sql selects from core.incidents, which is in a later layer",
        EVENTS,
        swap("FROM entries", "FROM entries WHERE EXISTS (FROM core.incidents)"),
    ),
    "an unknown table": Fault(
        "unknown",
        "sql/staging/unknown/events.sql selects from raw.unknown_comments, which no file makes",
        EVENTS,
        swap("FROM entries", "FROM entries SEMI JOIN raw.${source}_comments USING (external_id)"),
    ),
    "tables in a circle": Fault(
        "circle",
        "The SQL files depend on each other in a circle: ...",
        EVENTS,
        swap("FROM entries", "FROM entries SEMI JOIN staging.events USING (external_id)"),
    ),
    "the table of another source": Fault(
        "curious",
        "sql/staging/curious/events.sql selects from raw.toy_tickets, which no file makes",
        EVENTS,
        swap("FROM entries", "FROM entries SEMI JOIN raw.toy_tickets USING (external_id)"),
    ),
    "SQL that cannot be bound": Fault(
        "binds",
        'sql/staging/binds/records.sql cannot run: Binder Error: ..."titel"...',
        RECORDS,
        swap("t.title", "t.titel AS title"),
    ),
    "SQL that cannot be parsed": Fault(
        "parses", "sql/staging/parses/records.sql cannot run: Parser Error: ...", RECORDS, swap("SELECT\n", "SELEC\n")
    ),
    "a column of another type": Fault(
        "casts",
        "sql/staging/casts/events.sql yields the column happened_at of events as VARCHAR; its type is TIMESTAMP",
        EVENTS,
        lambda text: text.replace("    created_at AS happened_at", "    created_at::VARCHAR AS happened_at").replace(
            "instant(entry.happened_at)", "entry.happened_at"
        ),
    ),
    "a column that is not documented": Fault(
        "documents",
        "staging.documents_records has the columns ..., but its header documents ...",
        RECORDS,
        swap("    t.title,", "    t.title, t.history,"),
    ),
    "a check that cannot run": Fault(
        "checks",
        "sql/staging/checks/records.sql: the check unique_number cannot run: ...",
        RECORDS,
        swap('[["external_id"]]', '[["number"]]'),
    ),
    "a raw table without a key": Fault(
        "keyless",
        "sql/raw/keyless/tickets.sql: the header does not say which columns are the key",
        "sql/raw/{}/tickets.sql",
        swap('key = ["external_id"]\n', ""),
    ),
    "a raw table that cannot reject": Fault(
        "rejects",
        "sql/raw/rejects/tickets.sql lacks the columns reject_reason",
        "sql/raw/{}/tickets.sql",
        lambda text: re.sub(r"(?s)reject_reason = .*?\n|    CASE\n.*?END AS reject_reason,\n", "", text),
    ),
    "macros that cannot run": Fault(
        "macros",
        "sql/macros/macros.sql cannot run: Parser Error: ...",
        "sql/macros/{}.sql",
        whole("CREATE MACRO half(x) AS"),
    ),
    "a macro of ours": Fault(
        "replaces",
        "sql/macros/replaces.sql makes the macro instant, which is there already",
        "sql/macros/{}.sql",
        whole("CREATE OR REPLACE MACRO instant(text, zone := NULL) AS NULL;"),
    ),
}
#: What an mttr.toml says about sources that cannot be used.
SECTIONS = """
[sources.imports]
anything = 1
[sources.imports_eu]
kind = "imports"
[sources.binds_eu]
kind = "binds"
"""
OTHER_CREDENTIALS = {
    "UNFORESEEN_TOKEN": "x",
    "UNFORESEEN_API_URL": "http://127.0.0.1:9",
    "BINDS_TOKEN": "x",
    "BINDS_API_URL": "http://127.0.0.1:9",
}


#: Records with the columns that are needed, and no other.
NEEDED = """/*
description = "Tickets."
yields = "records"
[columns]
source = "the account"
external_id = "id"
title = "title"
kind = "always incident"
severity = "SEV1..SEV4"
landed_in = "landing file"
*/
SELECT '${source}' AS source, external_id, title, 'incident' AS kind, 'SEV2' AS severity, landed_in FROM raw.${source}_tickets
"""


def write_bad_packages(folder: Path) -> None:
    """Every fault; a package that takes the toy's name; one that prints, and works with the columns that are needed; one that
    raises when it is to be pulled."""
    for fault in FAULTS.values():
        files: dict[str, str | bytes] = dict(toy_files(fault.name))
        edited = fault.file.format(fault.name)
        files[edited] = fault.edit(str(files.get(edited, "")))
        if fault.name == "pagerduty_log":
            files["sql/raw/pagerduty_log/entries.sql"] = files["sql/raw/pagerduty_log/tickets.sql"]
        write_package(folder, f"mttr-{fault.name}", fault.name, files)
    write_package(folder, "mttr-twin", "toy", toy_files("toy"))
    noisy = toy_files("noisy")
    noisy |= {INIT: f"{noisy[INIT]}\nprint('rubbish')\n", RECORDS.format("noisy"): NEEDED}
    write_package(folder, "mttr-noisy", "noisy", noisy)
    raising = toy_files("unforeseen")
    raising["pull.py"] = swap("        token = ", "        raise RuntimeError('no luck')\n        token = ")(
        raising["pull.py"]
    )
    write_package(folder, "mttr-unforeseen", "unforeseen", raising)


def says(text: str, sentence: str) -> int:
    """How often a text, its white space aside, holds the sentence; `...` stands for anything."""
    pattern = ".*?".join(re.escape(" ".join(part.split())) for part in sentence.split("..."))
    return len(re.findall(pattern, " ".join(text.split())))


@pytest.mark.parametrize("name", FAULTS)
def test_a_package_that_cannot_be_used_is_one_sentence(nights: Nights, name: str) -> None:
    """It names the source and the package: in doctor, after a run, and in the log when Dagster loads the definitions."""
    doctor, run = nights.second.results["doctor"], nights.second.results["run"]
    sentence = FAULTS[name].sentence
    assert says(doctor.out, sentence) == 1
    assert sum(says(line, sentence) for line in run.err.splitlines()) == 1, run.err
    assert sum(says(line, sentence) for line in nights.second.warnings) == 1


def test_the_others_are_published(nights: Nights) -> None:
    """Exit code 3: the results are there, and a source is missing."""
    doctor, run = nights.second.results["doctor"], nights.second.results["run"]
    assert doctor.code == 1
    run.ended(3)
    assert "Toy Tickets reachable at" in doctor.out and "noisy" in doctor.out
    assert query(nights.data_dir, "SELECT DISTINCT source FROM incidents ORDER BY 1") == [
        ("noisy",),
        ("toy",),
        ("toy_eu",),
    ]
    assert len([line for line in run.err.splitlines() if line.startswith("mttr: ")]) == len(FAULTS) + 2
    assert len(nights.second.warnings) == len(FAULTS) + 1


def test_of_two_packages_with_one_name_one_works(nights: Nights) -> None:
    sentence = "The source toy of the package mttr-twin cannot be used: the name toy is taken."
    assert says(nights.second.results["doctor"].out, sentence) == says(nights.second.results["run"].err, sentence) == 1


def test_the_needed_columns_are_enough(nights: Nights) -> None:
    """What a source leaves out is filled in, and no check of a later table objects."""
    found = query(nights.data_dir, "SELECT severity, severity_source, service FROM incidents WHERE source = 'noisy'")
    assert found == [("SEV2", "field", None)] * 3


def test_what_a_package_prints_is_not_in_our_output(nights: Nights) -> None:
    """A program may read it: `mttr stats --format json`."""
    doctor, run, stats = (nights.second.results[name] for name in ("doctor", "run", "stats"))
    assert "rubbish" not in doctor.text + run.text + stats.text
    assert json.loads(stats.ended(0).out)


def test_a_source_that_raises_when_it_is_pulled_is_stale(nights: Nights) -> None:
    """A fault that shows only with credentials costs this source, not the run."""
    doctor, run = nights.second.results["doctor"], nights.second.results["run"]
    sentence = (
        "unforeseen: the source failed in an unforeseen way (RuntimeError: no luck). Start with --debug to see where."
    )
    assert says(doctor.out, sentence) == 1
    assert says(run.err, f"mttr: unforeseen is stale: {sentence}") == 1
    alone = nights.second.results["raising"]
    assert alone.code == 1 and says(alone.err, f"Every source failed, nothing was published. {sentence}") >= 1
    assert "mttr_unforeseen/pull.py" in alone.err, "--debug shows where"


def test_a_source_without_tables_is_not_pulled(nights: Nights) -> None:
    """It has credentials: to pull what nothing reads would cost the vendor's requests for nothing."""
    assert "landing/binds" not in nights.second.assets and "landing/noisy" in nights.second.assets


def test_settings_of_a_source_that_cannot_be_used_stop_nothing(nights: Nights) -> None:
    """Its section, and an account of it, wait for the day it works. A section of ours is read, whatever claims its name."""
    assert "imports_eu" not in nights.second.results["doctor"].out
    said = nights.second.results["misspelt"].ended(2).err + nights.second.results["misspelt"].out
    assert "unknown key 'sources.pagerduty.colour'" in said


def test_a_source_that_cannot_be_used_cannot_be_chosen(nights: Nights) -> None:
    said = nights.second.results["unusable"].ended(2).err
    assert says(said, f"mttr: --source: {FAULTS['a missing import'].sentence}") == 1


def test_a_run_without_any_source_says_which_cannot_be_used(nights: Nights) -> None:
    """Otherwise whoever installed only that package is told to set credentials that are set."""
    said = nights.second.results["nothing set"].ended(2).err
    assert "No source is configured" in said
    assert says(said, FAULTS["a missing import"].sentence) == 1


def test_a_run_of_nothing_but_that_source_publishes_nothing(nights: Nights) -> None:
    """An empty result would replace a good one."""
    said = nights.second.results["without tables"].ended(1).err
    assert says(said, "Every source failed, nothing was published.") == 1
    assert says(said, FAULTS["SQL that cannot be bound"].sentence) == 1
    assert not (nights.data_dir.parent / "other" / "published").exists()


# -- received bodies ---------------------------------------------------------------------------------------------------


def test_a_source_of_another_package_does_not_take_the_bodies_of_ours() -> None:
    """Every body is shown to every source: one that takes all, or that raises, must not cost the others theirs."""

    def raises(fields: Fields) -> bool:
        raise KeyError("event")

    others = {
        name: Source(name=name, title=name, yields=(), webhook=Webhook("body", recognises), package="p")
        for name, recognises in (("a_all", lambda fields: True), ("a_raises", raises))
    }
    accounts = settings_of({}, {**others, **registry().sources}, {}, data_dir=Path()).accounts
    alert = {"version": msgspec.Raw(b'"4"'), "alerts": msgspec.Raw(b"[]")}
    assert [account.name for account in possible_senders(alert, accounts)] == ["alertmanager"]
    assert [account.name for account in possible_senders({"mine": msgspec.Raw(b"1")}, accounts)] == ["a_all"]


# -- the trial ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", registry().sources)
def test_our_own_sources_pass_the_trial(name: str) -> None:
    """A rule that our own SQL breaks would be too strict for that of others."""
    catalog = default_catalog()
    source = next(member.source for member in catalog.members if member.name == name)
    models = [model for model in catalog if model.account == name]
    contracts = [model for model in house_models() if model.gathered]
    assert models
    try_out(source, models, contracts, macros_of(member for member in catalog.members if member.name != name))


# -- odd records -------------------------------------------------------------------------------------------------------


def test_odd_records_cost_only_themselves(toy: Source, tmp_path: Path) -> None:
    """What every package can ask of its own source, as docs/adding-a-source.md shows it."""
    assert odd_record_problems(toy, "tickets", ticket(1, FIRST), tmp_path) == []


@pytest.mark.parametrize(
    ("sound", "careless", "told"),
    [
        (
            "    instant(created_at) AS created_at",
            "    created_at::TIMESTAMP AS created_at",
            "could not convert|Conversion Error",
        ),
        ("comment VARCHAR)[]'\n})", "comment VARCHAR)[]'\n})\nWHERE title IS NOT NULL", "can be read back"),
    ],
)
def test_sql_that_odd_records_stop_is_found(toy: Source, tmp_path: Path, sound: str, careless: str, told: str) -> None:
    """An exception, and records that are left out in silence."""
    shutil.copytree(TOY / "mttr_toy" / "sql", tmp_path / "sql")
    path = tmp_path / "sql" / "raw" / "toy" / "tickets.sql"
    text = path.read_text(encoding="utf-8")
    assert sound in text
    path.write_text(text.replace(sound, careless), encoding="utf-8")
    (problem,) = odd_record_problems(replace(toy, sql=tmp_path / "sql"), "tickets", ticket(1, FIRST), tmp_path)
    assert re.search(told, problem), problem


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Source:
    """Its declaration, as its own tests import it."""
    monkeypatch.syspath_prepend(TOY)
    found: Source = import_module("mttr_toy").SOURCE
    return found


# -- docs/adding-a-source.md -------------------------------------------------------------------------------------------

BLOCKS = [
    match for match in re.finditer(r"^```(\w+)\n(.*?)^```", PAGE, re.M | re.S) if match[1] in ("python", "sql", "toml")
]


def named_file(block: re.Match[str]) -> Path:
    """The file of the toy that the page names last before a block, of the kind of the block."""
    suffix = {"python": "py"}.get(block[1], block[1])
    names = re.findall(rf"`((?:mttr_toy/[\w/]+|pyproject|mttr)\.{suffix})`", PAGE[: block.start()])
    return TOY / str(names[-1])


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"line {PAGE[: block.start()].count(chr(10)) + 1}")
def test_a_block_of_the_page_stands_in_the_file_that_it_names(block: re.Match[str]) -> None:
    """An example that was copied once and never run again is worse than none. Methods stand on the page without their indent."""
    content = named_file(block).read_text(encoding="utf-8")
    assert any(textwrap.indent(block[2], indent) in content for indent in ("", "    "))


def test_the_page_shows_every_file_of_the_toy() -> None:
    """A new file of the toy needs a place on the page."""
    shown = {named_file(block).relative_to(TOY).as_posix() for block in BLOCKS}
    files = {path.relative_to(TOY).as_posix() for path in TOY.rglob("*") if path.suffix in (".py", ".sql", ".toml")}
    assert shown == files


def test_the_page_explains_every_part_of_a_declaration() -> None:
    """`package` is not declared: it is where the source was found."""
    explained = re.findall(r"^\| `(\w+)` \| ", PAGE.split("## The declaration")[1].split("###")[0], re.M)
    assert {*explained} == {part.name for part in fields(Source)} - {"package"}
    webhook = re.findall(r"^- `(\w+)` ", PAGE.split("## Webhooks")[1].split("\n## ")[0], re.M)
    assert {*webhook} <= {part.name for part in fields(Webhook)} and webhook


def test_the_tables_on_the_page_are_the_present_ones() -> None:
    """To update them: `python -m mttr_pipeline.warehouse.reference docs/adding-a-source.md`."""
    assert PAGE.partition(GENERATED)[2] == gathered_tables()


def test_what_the_page_names_exists() -> None:
    """Paths of this repository, and the sentence about a fault, which is that of a package above."""
    paths = re.findall(r"`((?:mttr_pipeline|sql|tests|docs)/[\w/.-]+)`", PAGE)
    assert paths and [path for path in paths if not (REPOSITORY / path).exists()] == []
    assert FAULTS["columns that are owed"].sentence.replace("owes", "toy") in PAGE
