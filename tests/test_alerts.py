"""What is told and when: conditions from the tables, once when they begin and once when they are over, whatever happens in between.

The nights here are the real SQL of `alerts` over a table of conditions, the real file of what was told, and a real receiver.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from receivers import Web, web
from support import rows
from support_e2e import REPOSITORY, UNTIL, every_byte, finished_run, latest, mttr, query

from mttr_pipeline import alerts, reports, told
from mttr_pipeline.alerts.messages import News, of_digest, of_news
from mttr_pipeline.alerts.telling import Answer
from mttr_pipeline.config.alert_places import alert_places
from mttr_pipeline.config.clock import parse_clock
from mttr_pipeline.config.sections import WEEKDAYS
from mttr_pipeline.defs.resources import RunResource
from mttr_pipeline.defs.telling import failed_run, run_failed
from mttr_pipeline.defs.telling import told as told_asset
from mttr_pipeline.errors import ContractError
from mttr_pipeline.warehouse.catalog import default_catalog

SECRET = "Zq7xV3nK9bW5tR8yL2"
FIRST = datetime(2026, 11, 2, 3, 15, tzinfo=UTC)  # a Monday
STALE = ("source_stale", "acme", "acme is stale.")
MISSED = ("target_missed", "SEV1", "SEV1 missed its target.")


# -- nights ------------------------------------------------------------------------------------------------------------


@dataclass
class Company:
    """A data directory, a receiver, and the nights so far."""

    folder: Path
    receiver: Web
    when: datetime = FIRST - timedelta(days=1)
    places: list[alerts.Place] = field(default_factory=list)

    def table(self, holding: Sequence[tuple[str, str, str]], as_of: datetime) -> duckdb.DuckDBPyConnection:
        """The table `alerts` of a run with this clock, made as the warehouse makes it."""
        con = duckdb.connect(config={"threads": 1})
        con.execute("SET TimeZone = 'UTC'; CREATE SCHEMA config; CREATE SCHEMA mart")
        con.execute("CREATE TABLE config.run AS SELECT ?::TIMESTAMP AS as_of", [as_of.replace(tzinfo=None)])
        con.execute(f"CREATE TABLE config.alert_history ({told.HISTORY})")
        for row in told.history(self.folder, as_of):
            con.execute("INSERT INTO config.alert_history VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        con.execute("CREATE TABLE mart.alert_conditions (condition VARCHAR, scope VARCHAR, sentence VARCHAR)")
        for condition in holding:
            con.execute("INSERT INTO mart.alert_conditions VALUES (?, ?, ?)", list(condition))
        model = default_catalog()["mart.alerts"]
        con.execute(f"CREATE TABLE mart.alerts AS {model.sql}")
        for promise in model.asserts.values():
            assert con.execute(f"SELECT count(*) FROM mart.alerts WHERE NOT ({promise})").fetchall() == [(0,)], promise
        return con

    def night(
        self, *holding: tuple[str, str, str], hours: float = 24, digest: alerts.Digest | None = None
    ) -> list[str]:
        """One run, so long after the one before; gives the lines that the receiver got."""
        self.when += timedelta(hours=hours)
        with self.table(holding, self.when) as con:
            alerts.note(con, self.folder, self.places, self.when)
        return self.tell(digest)

    def tell(self, digest: alerts.Digest | None = None) -> list[str]:
        """What a telling without a run sends: after a crash, or after a failed run."""
        before = len(self.receiver.got)
        self.answers: list[Answer] = alerts.tell(self.folder, self.places, self.when, digest)
        return [line for body in self.receiver.bodies[before:] for line in lines(body)]


def lines(body: dict[str, Any]) -> list[str]:
    """`began acme` of every line of an alert, the kind of every other message."""
    return [f"{one['state']} {one['scope']}" for one in body["alerts"]] or [body["kind"]]


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with web() as receiver:
        yield Company(tmp_path, receiver, places=places_at(receiver))


def places_at(receiver: Web) -> list[alerts.Place]:
    return alerts.places_of(alert_places({"ALERT_WEBHOOK_URL": f"{receiver.address}/{SECRET}"}))


def test_told_once_when_it_begins_and_once_when_it_is_over(company: Company) -> None:
    """Never in between; over only after two nights without it."""
    assert company.night(STALE) == ["began acme"]
    assert company.night(STALE) == []
    assert company.night() == []
    assert company.night(STALE) == [], "one night without it is no end"
    assert company.night() == []
    assert company.night() == ["over acme"]
    assert company.night() == []
    assert company.night(STALE, MISSED) == ["began acme", "began SEV1"], "it began again"
    first = company.receiver.bodies[0]["alerts"][0]
    assert (first["sentence"], first["began_at"]) == ("acme is stale.", "2026-11-02T03:15:00Z")


def test_a_second_run_of_a_night_is_no_night(company: Company) -> None:
    """A run that somebody repeats after an hour would end a condition at once."""
    company.night(STALE)
    assert [company.night(hours=24), company.night(hours=1), company.night(hours=10)] == [[], [], []]
    assert company.night(hours=2) == ["over acme"]


def test_nothing_is_told_twice_after_a_restart(company: Company) -> None:
    """All that is known stands in the file."""
    company.night(STALE)
    fresh = Company(company.folder, company.receiver, company.when, places_at(company.receiver))
    assert fresh.night(STALE) == []
    assert [fresh.night(), fresh.night()] == [[], ["over acme"]]


def test_a_crash_before_telling_loses_nothing_and_one_before_keeping_repeats(company: Company) -> None:
    """What the tables say is kept before the publish; that a place was told is kept after it answered."""
    company.when += timedelta(days=1)
    with company.table([STALE], company.when) as con:
        alerts.note(con, company.folder, company.places, company.when)  # and then the process dies
    assert company.night() == ["began acme"], "the night after, in which it does not hold any more"
    assert company.night() == ["over acme"]
    noted = (company.folder / told.FILE).read_bytes()
    assert company.night(MISSED) == ["began SEV1"]
    identity = company.receiver.bodies[-1]["alerts"][0]["id"]
    (company.folder / told.FILE).write_bytes(noted)  # it dies before it keeps that
    assert company.night(MISSED, hours=0) == ["began SEV1"]
    assert company.receiver.bodies[-1]["alerts"][0]["id"] == identity, "so that a receiver can tell a repetition"


def test_a_receiver_that_is_down_hears_it_later(company: Company) -> None:
    """Also what was over in the meantime. The other place hears it once."""
    with web(500) as down:
        company.places = [
            *places_at(company.receiver),
            *alerts.places_of(alert_places({"ALERT_SLACK_WEBHOOK_URL": down.address})),
        ]
        assert company.night(STALE) == ["began acme"]
        assert [bool(answer.wrong) for answer in company.answers] == [False, True]
        assert [company.night(MISSED), company.night(MISSED)] == [["began SEV1"], ["over acme"]]
        down.status, before = 200, len(down.got)
        assert company.night(MISSED) == []
        (body,) = down.bodies[before:]
    said = [line[: line.index("(") - 1] for line in body["text"].split("\n\n")[1:]]
    assert said == ["New: Source is stale", "New: Target missed", "Over: Source is stale"]


def test_a_failed_run_says_nothing_about_the_other_conditions(company: Company) -> None:
    """It is told once over all the nights that fail, and it ends none of the others."""
    company.night(STALE)
    for _ in range(3):
        company.when += timedelta(days=1)
        failure = alerts.Failure(f"The disk is full. token={SECRET} of a@x.example")
        alerts.note_failure(company.folder, [failure], company.places, company.when)
        company.tell()
    assert [lines(body) for body in company.receiver.bodies] == [["began acme"], ["began run"]]
    sentence = company.receiver.bodies[1]["alerts"][0]["sentence"]
    assert re.fullmatch(r"The disk is full\. token=?\[hidden\] of <e-mail>", sentence), sentence
    assert company.night(STALE) == []
    assert company.night(STALE) == ["over run"]


def test_a_report_about_the_past_is_the_same_as_it_was(company: Company) -> None:
    """What came later is not in it, and it changes nothing: the same clock gives the same table."""
    nights: list[tuple[tuple[str, str, str], ...]] = [(STALE,), (STALE, MISSED), (MISSED,), (), (STALE,), ()]
    first = []
    for holding in nights:
        with company.table(holding, company.when + timedelta(days=1)) as con:
            first.append(con.execute("FROM mart.alerts").fetchall())
        company.night(*holding)
    kept = (company.folder / told.FILE).read_bytes()
    for n, holding in enumerate(nights):
        with company.table(holding, FIRST + timedelta(days=n)) as con:
            assert con.execute("FROM mart.alerts").fetchall() == first[n]
            if n < len(nights) - 1:
                alerts.note(con, company.folder, company.places, FIRST + timedelta(days=n))
    assert (company.folder / told.FILE).read_bytes() == kept
    assert any(row[4:8] != (None, None, None, []) for row in first[-1])


def test_nobody_is_told_without_a_place_and_the_conditions_are_kept(company: Company) -> None:
    """They are listed, and a place that comes later hears those in force, not those that are over."""
    company.places = []
    assert [company.night(MISSED), company.night(), company.night(), company.night(STALE)] == [[], [], [], []]
    listed = json.loads(mttr("--data-dir", company.folder, "alerts", "--format", "json").ended(0).out)
    assert [(row["condition"], row["told_at"], row["places"]) for row in listed] == [("source_stale", None, [])]
    company.places = places_at(company.receiver)
    assert company.night(STALE) == ["began acme"]
    shown = mttr("--data-dir", company.folder, "alerts").ended(0).out
    assert all(text in shown for text in ("Source is stale", "acme is stale.", "2026-11-05 03:15", "webhook"))
    assert SECRET not in shown
    assert "source_stale,acme" in mttr("--data-dir", company.folder, "alerts", "--format", "csv").ended(0).out


def test_a_damaged_file_is_a_sentence_and_stops_nothing(company: Company) -> None:
    """Readers get their figures; who tells says what to do."""
    (company.folder / told.FILE).write_text("{")
    assert told.history(company.folder, FIRST) == []
    with pytest.raises(
        ContractError, match=r"alerts\.json, which says what people were told, cannot be read .* delete it"
    ):
        alerts.tell(company.folder, company.places, FIRST)
    (answer,) = alerts.tell_failure(company.folder, [alerts.Failure("It failed.")], company.places, FIRST)
    assert answer.wrong is None
    assert company.receiver.bodies[-1]["alerts"][0]["sentence"] == "It failed."


def test_the_file_is_private_and_bounded(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """It grows by a line per condition for years."""
    monkeypatch.setattr(told, "MOST", 2)
    for scope in "abcd":
        company.night(("source_stale", scope, f"{scope} is stale."))
    company.night(), company.night()
    assert [episode.scope for episode in told.read(company.folder).episodes] == ["c", "d"]
    assert (company.folder / told.FILE).stat().st_mode & 0o777 == 0o600


# -- the digest --------------------------------------------------------------------------------------------------------


def digest(weekday: str = "monday", zone: str = "UTC") -> alerts.Digest:
    return alerts.Digest(weekday, zone, lambda: "The answer.\n\nOpen now: 3.")


def test_the_digest_is_told_once_a_week(company: Company) -> None:
    """On its day, or with the next run where that night failed or the receiver was down; a new place waits for the day."""
    assert company.night(digest=digest("tuesday")) == [], "a new place on a Monday"
    assert [company.night(digest=digest("tuesday")) for _ in range(6)] == [["digest"], [], [], [], [], []]
    company.receiver.status = 500
    company.night(hours=48, digest=digest("tuesday"))
    company.receiver.status = 200
    assert company.night(digest=digest("tuesday")) == ["digest"], "a day late"
    assert company.night(hours=5 * 24, digest=digest("tuesday")) == []
    assert company.night(digest=digest("tuesday")) == ["digest"], "and the next week on its day again"
    assert company.receiver.bodies[-1]["text"] == "Incident metrics: weekly digest\n\nThe answer.\n\nOpen now: 3."


def test_the_day_of_the_digest_is_one_of_the_reporting_zone() -> None:
    late = datetime(2026, 11, 1, 23, 30, tzinfo=UTC)  # a Sunday, and Monday already in Berlin
    assert digest().due_on(late) == date(2026, 10, 26)
    assert digest(zone="Europe/Berlin").due_on(late) == date(2026, 11, 2)


def test_every_sentence_of_the_digest_stands_on_the_page() -> None:
    """Nothing is claimed that the page does not claim; where data is red, that comes first."""
    generation = latest(finished_run())
    page = html.unescape(re.sub(r"<[^>]+>", "", (generation / "report.html").read_text(encoding="utf-8")))
    documents = reports.read(generation)
    text = reports.plain(documents)
    paragraphs = text.split("\n\n")
    assert paragraphs[0].startswith("Half of the incidents") and "<" not in text and len(paragraphs) > 6
    for paragraph in paragraphs:  # a card stands there as title, figure and sentences, one under the other
        assert re.sub(r"\W", "", paragraph) in re.sub(r"\W", "", page), paragraph
    documents["summary"]["traffic_light"]["light"] = "red"
    assert reports.plain(documents).startswith("Do not rely on these figures yet: see data quality.")
    assert of_digest(text).text.startswith("Incident metrics: weekly digest\n\nHalf")


# -- conditions --------------------------------------------------------------------------------------------------------

CALM = """
CREATE SCHEMA config; CREATE SCHEMA core; CREATE SCHEMA mart;
CREATE TABLE config.run AS SELECT TIMESTAMP '2026-11-02 03:15:00' AS as_of;
CREATE TABLE config.alerts AS SELECT false AS services, 10 AS abandoned_incidents;
CREATE TABLE core.target_windows AS SELECT 'last30' AS name, TIMESTAMP '2026-10-03 03:15:00' AS window_start;
CREATE TABLE mart.target_compliance AS
    SELECT make_timestamptz(epoch_us(window_start)) AS window_start, 'SEV1' AS severity, service, 9 AS incidents_count,
        3 AS within_target, false AS is_missed
    FROM core.target_windows, (VALUES (NULL), ('Checkout')) AS s(service);
CREATE TABLE mart.downtime AS
    SELECT 'service' AS scope, 'Checkout' AS scope_value, make_timestamptz(epoch_us(window_start)) AS window_start, 1 AS n,
        100.0::DOUBLE AS error_budget_used_pct FROM core.target_windows;
CREATE TABLE mart.source_runs AS
    SELECT 'acme' AS source, 'r1' AS run_id, TIMESTAMPTZ '2026-11-01 03:15:00Z' AS started_at, 'complete' AS status,
        NULL::VARCHAR AS error, TIMESTAMPTZ '2026-10-31 15:15:00Z' AS data_as_of;
CREATE TABLE mart.data_quality AS SELECT 'acme' AS source, 'last_pull_failed' AS dq_check, 1 AS n;
CREATE TABLE mart.changes AS
    SELECT 'basic' AS calculation_type, scope, scope_value, 'no detectable change' AS verdict, false AS is_mixed,
        false AS hangs_on_abandoned, 0.0123::DOUBLE AS q, 40 AS n, 52 AS previous_n
    FROM (VALUES ('all', 'all'), ('severity', 'SEV2'), ('service', 'Checkout'), ('team', 'Web')) AS s(scope, scope_value);
CREATE TABLE mart.data_quality_status AS
    SELECT 'all' AS source, 'amber' AS light, 'Usable, with 1 warning: this.' AS headline, 1 AS warnings;
CREATE TABLE mart.abandoned_incidents AS SELECT range AS incident_id FROM range(10);
"""
PULL = "INSERT INTO mart.source_runs VALUES ('{}', 'r2', '2026-11-02 03:15:00Z', '{}', {}, {})"
OFTEN = "missed its target more often than the goal allows: 3 of 9 incidents within target."
SLOWER = "is slower than in the previous 30 days (log-rank test: q 0.012; n = 40, and 52 in the previous 30 days)."
#: What happens in the night, and the sentences that follow: true there, and absent without it.
HAPPENS = [
    ("SELECT 1", []),
    (
        "UPDATE mart.target_compliance SET is_missed = true",
        [f"target_missed SEV1: In the last 30 days, SEV1 {OFTEN}"],
    ),
    (
        "UPDATE mart.target_compliance SET is_missed = service IS NOT NULL; UPDATE config.alerts SET services = true",
        [f"target_missed SEV1 of Checkout: In the last 30 days, SEV1 of Checkout {OFTEN}"],
    ),
    ("UPDATE mart.target_compliance SET is_missed = true, window_start = NULL", []),
    (
        "UPDATE mart.downtime SET error_budget_used_pct = 1234.56, n = 2",
        ["error_budget_over Checkout: In the last 30 days, Checkout used 1,234.6 % of its error budget, in 2 outages."],
    ),
    ("UPDATE mart.downtime SET error_budget_used_pct = 500, window_start = NULL", []),
    (
        "UPDATE mart.source_runs SET data_as_of = data_as_of - INTERVAL 1 SECOND",
        ["source_stale acme: acme is stale: data as of 2026-10-31 15:14 UTC."],
    ),
    (
        PULL.format("acme", "failed", "'Acme: it refused.'", "'2026-11-01 03:15:00Z'"),
        ["source_stale acme: acme is stale: data as of 2026-11-01 03:15 UTC. Acme: it refused."],
    ),
    (PULL.format("other", "failed", "NULL", "NULL"), ["source_stale other: other has never been pulled successfully."]),
    ("UPDATE mart.data_quality SET n = 0;" + PULL.format("acme", "failed", "'x'", "'2026-11-01 03:15:00Z'"), []),
    (PULL.format("custom", "failed", "NULL", "'2020-01-01 03:15:00Z'"), []),
    (
        "UPDATE mart.changes SET verdict = 'slower'",
        [
            f"recovery_slower SEV2: Over all durations, recovery of SEV2 {SLOWER}",
            f"recovery_slower all: Over all durations, recovery {SLOWER}",
        ],
    ),
    ("UPDATE mart.changes SET verdict = 'slower', is_mixed = scope = 'all', hangs_on_abandoned = scope <> 'all'", []),
    ("UPDATE mart.changes SET verdict = 'slower', calculation_type = 'service_restore'", []),
    (
        "UPDATE mart.data_quality_status SET light = 'red', headline = 'Not reliable, with 1 warning: this.'",
        ["data_quality_red all: Do not rely on these figures yet. Not reliable, with 1 warning: this."],
    ),
    ("UPDATE mart.data_quality_status SET light = 'red', source = 'acme'", []),
    (
        "INSERT INTO mart.abandoned_incidents VALUES (11)",
        ["abandoned_incidents all: 11 open incidents are abandoned, the limit is 10."],
    ),
]


@pytest.mark.parametrize(("happens", "sentences"), HAPPENS)
def test_a_condition_holds_where_it_is_true_and_nowhere_else(happens: str, sentences: list[str]) -> None:
    """Each just beyond its limit, and each alone."""
    model = default_catalog()["mart.alert_conditions"]
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(CALM)
        con.execute(happens)
        found = rows(con, model.sql)
        assert [f"{row['condition']} {row['scope']}: {row['sentence']}" for row in found] == sentences
        assert all(row["condition"] in alerts.CONDITIONS for row in found) and list(model.columns) == [
            *("condition", "scope", "sentence", "n", "as_of")
        ]


def test_every_condition_is_made_worded_and_explained() -> None:
    """docs/operations.md tells what to do about each message, and names no other."""
    catalog = default_catalog()
    known = {
        name: set(re.findall(r"'(\w+)'", catalog[f"mart.{name}"].asserts["known_condition"]))
        for name in ("alert_conditions", "alerts")
    }
    assert known == {
        "alert_conditions": alerts.CONDITIONS.keys() - {"run_failed", "job_failed", "check_failed"},
        "alerts": alerts.CONDITIONS.keys(),
    }
    assert {text.split()[0] for _, sentences in HAPPENS for text in sentences} == known["alert_conditions"]
    page = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"(?ms)^### `(\w+)`: [^\n]+\n(.*?)(?=^#|\Z)", page))
    assert sections.keys() == alerts.CONDITIONS.keys()
    for name, text in sections.items():
        condition = alerts.CONDITIONS[name]
        assert f"### `{name}`: {condition.title}\n" in page
        assert "**Means:**" in text and "**Do:**" in text and condition.ended("<scope>") in text, name


def test_what_is_over_is_said_in_a_sentence() -> None:
    """For every condition, with what it is about."""
    for condition in alerts.CONDITIONS.values():
        episode = told.Episode(condition.name, "checkout", "It holds.", FIRST, FIRST, FIRST + timedelta(days=2))
        (line,) = of_news([News(episode, is_over=True)]).lines
        assert line.startswith(f"Over: {condition.title} (2026-11-04 03:15 UTC). ") and line.endswith("for two nights.")


# -- runs --------------------------------------------------------------------------------------------------------------


@contextmanager
def missed_target(folder: Path) -> Iterator[tuple[Path, Web, dict[str, str]]]:
    """A data directory with records that miss their target, whose texts name the receiver, and the environment that tells it."""
    with web() as receiver:
        env = {
            "ALERT_WEBHOOK_URL": f"{receiver.address}/hooks/{SECRET}",
            "ALERT_WEBHOOK_SECRET": f"key-{SECRET[::-1]}",
            "ALERT_SMTP_URL": f"smtp://ops:pw{SECRET[3:]}Q@127.0.0.1:9/?from=night@x.example&to=day@x.example",
        }
        secrets = (env["ALERT_WEBHOOK_URL"], env["ALERT_WEBHOOK_SECRET"], f"pw{SECRET[3:]}Q")
        now = datetime.now(UTC).replace(microsecond=0)
        records = [
            {
                "external_id": str(n),
                "title": f"{secrets[n % 3]} is slow for day@x.example",
                "severity": "SEV1",
                "service": "Checkout",
                "detected_at": (now - timedelta(days=n + 1)).isoformat(),
                "resolved_at": (now - timedelta(days=n + 1) + timedelta(hours=2)).isoformat(),
            }
            for n in range(8)
        ]
        env["MTTR_CONFIG"] = str(folder / "mttr.toml")
        (folder / "mttr.toml").write_text(f'[alerts]\ndigest = "{WEEKDAYS[now.weekday()]}"\n')
        (folder / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
        mttr("--data-dir", folder / "data", "import", folder / "records.jsonl").ended(0)
        yield folder / "data", receiver, env


@pytest.mark.slow
def test_a_night_that_goes_wrong_reaches_a_person(tmp_path: Path) -> None:
    """The real command, a place that takes the message and one that is down: the run succeeds, says so, and shows no secret."""
    with missed_target(tmp_path) as (data, receiver, env):
        done = mttr("--data-dir", data, "run", env=env).ended(0)
        assert "Mail: the server refused the connection" in done.err and "told after the next run" in done.err
        assert {path for path, _, _ in receiver.got} == {f"/hooks/{SECRET}"}
        assert [lines(body) for body in receiver.bodies] == [["began SEV1"], ["digest"]]
        assert "8 recovered, 0 still open" in receiver.bodies[1]["text"]
        assert query(data, "SELECT condition, scope, told_at, places FROM alerts") == [
            ("target_missed", "SEV1", None, [])
        ]
        listed = json.loads(mttr("--data-dir", data, "alerts", "--format", "json").ended(0).out)
        assert [(row["scope"], row["places"]) for row in listed] == [("SEV1", ["webhook"])]
        # A run that cannot start, in a folder that says so: told once.
        (data / "published").rename(data / "elsewhere")
        (data / "published").write_text("in the way")
        for _ in range(2):
            failed = mttr("--data-dir", data, "run", env=env).ended(2)
        assert [lines(body) for body in receiver.bodies[2:]] == [["began run"]]
        assert "is no folder" in receiver.bodies[2]["alerts"][0]["sentence"]
    titles = {
        title
        for (title,) in duckdb.sql(f"SELECT title FROM '{data}/elsewhere/latest/parquet/incidents.parquet'").fetchall()
    }
    assert len(titles) == 2 and all("[hidden]" in title and "<e-mail>" in title for title in titles)
    shown = (done.text + failed.text).encode()
    written = [
        (path, text) for path, text in every_byte(data) if "landing" not in path.parts and "work" not in path.name
    ]
    assert any(path.name == told.FILE for path, _ in written)
    for path, text in [*written, (tmp_path, shown)]:
        assert not any(word.encode() in text for word in (SECRET, SECRET[::-1], SECRET[3:], "day@x.example")), path


def test_the_asset_tells_what_was_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone too, as a person materialises it: every place once, the digest of what is published; one that is down is a warning."""
    (tmp_path / "published").symlink_to(finished_run() / "published")
    (tmp_path / "mttr.toml").write_text(f'[alerts]\ndigest = "{WEEKDAYS[datetime.now(UTC).weekday()]}"\n')
    run = RunResource(data_dir=str(tmp_path), config_file=str(tmp_path / "mttr.toml"))
    with web(500) as receiver:
        monkeypatch.setenv("ALERT_WEBHOOK_URL", receiver.address)
        alerts.note_failure(tmp_path, [alerts.Failure("It failed.")], places_at(receiver), datetime.now(UTC))
        found = []
        for status in (500, 200, 200):
            receiver.status = status
            result = dg.materialize([told_asset], resources={"run": run})
            (check,) = result.get_asset_check_evaluations()
            (made,) = result.asset_materializations_for_node("published__told")
            found.append((result.success, check.passed, made.metadata["messages_webhook"].value))
    assert found == [(True, False, 0), (True, True, 2), (True, True, 0)]
    assert [lines(body) for body in receiver.bodies] == [["began run"], ["began run"], ["digest"]]
    assert "\n\nHalf of the incidents of the last 30 days were resolved within" in receiver.bodies[2]["text"]


def test_a_broken_configuration_is_told_from_the_environment_alone(tmp_path: Path) -> None:
    """The file that is broken says nothing about places. A typing error in a report about the past is nobody's alert."""
    (tmp_path / "mttr.toml").write_text("[outliers]\nhuors = 1\n")
    with web() as receiver:
        env = {"ALERT_WEBHOOK_URL": receiver.address}
        base = ("--config", tmp_path / "mttr.toml", "--data-dir", tmp_path, "run")
        mttr(*base, "--as-of", UNTIL.isoformat(), env=env).ended(2)
        assert receiver.got == []
        mttr(*base, env=env).ended(2)
        assert "unknown key 'outliers.huors'" in receiver.bodies[0]["alerts"][0]["sentence"]


def test_dagster_tells_a_failed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its sensor, which also sees a process that died; not of the demonstration, nor of a report about the past."""

    @dg.op
    def breaks() -> None:
        raise dg.Failure("The check nothing_is_lost of mart.source_runs failed.")

    @dg.job(name="nightly", resource_defs={"run": RunResource.configure_at_launch()})
    def nightly() -> None:
        breaks()

    with web() as receiver, dg.DagsterInstance.ephemeral() as instance:
        monkeypatch.setenv("ALERT_WEBHOOK_URL", receiver.address)
        for more in ({"simulated": True}, {"as_of": UNTIL.isoformat()}, {}, {}):
            config = {"resources": {"run": {"config": {"data_dir": str(tmp_path), **more}}}}
            result = nightly.execute_in_process(run_config=config, instance=instance, raise_on_error=False)
            context = dg.build_run_status_sensor_context(
                "failed_run", result.get_run_failure_event(), instance, instance.get_run_by_id(result.run_id)
            ).for_run_failure()
            failed_run(context)
    assert [body["alerts"][0]["sentence"] for body in receiver.bodies] == [
        "The check nothing_is_lost of mart.source_runs failed."
    ]


def test_a_failure_whose_folder_cannot_be_written_is_told_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That may be why the run failed. A wrong address of a place is a sentence, not a crash."""
    with web() as receiver:
        monkeypatch.setenv("ALERT_WEBHOOK_URL", receiver.address)
        assert run_failed(tmp_path / "not" / "there", ["It failed."]) == []
        assert run_failed(tmp_path, ["It failed."], parse_clock("2020-01-01", "--as-of").isoformat()) == []
        monkeypatch.setenv("ALERT_SMTP_URL", "smtp://x")
        (wrong,) = run_failed(tmp_path, ["It failed."])
    assert len(receiver.got) == 1 and wrong.startswith("ALERT_SMTP_URL needs")


@pytest.mark.slow
def test_a_rebuild_and_the_demonstration_tell_nobody(tmp_path: Path) -> None:
    """Neither what is invented nor a second look at the same records is news, and nothing is kept of them."""
    with missed_target(tmp_path) as (data, receiver, env):
        mttr("--data-dir", data, "rebuild", env=env).ended(0)
        mttr("--data-dir", data, "run", "--as-of", UNTIL.isoformat(), env=env).ended(0)
        mttr("--data-dir", tmp_path / "demo", "demo", "--faults", "none", env=env, cwd=tmp_path).ended(0)
    assert receiver.got == []
    assert not any((folder / told.FILE).exists() for folder in (data, tmp_path / "demo"))
    assert query(tmp_path / "demo", "SELECT count(*) FROM alerts WHERE told_at IS NOT NULL") == [(0,)]


def test_what_is_published_is_listed_where_nobody_was_told() -> None:
    """Of the demonstration, of a report about the past, or before the first night."""
    listed = json.loads(mttr("--data-dir", finished_run(), "alerts", "--format", "json").ended(0).out)
    published = query(
        finished_run(),
        "SELECT condition, scope FROM alerts WHERE ended_at IS NULL ORDER BY began_at DESC, condition, scope",
    )
    assert [(row["condition"], row["scope"]) for row in listed] == published and published
    assert mttr("--data-dir", Path("/nowhere"), "alerts").ended(2).err.startswith("mttr: Nothing is published in ")


# -- metrics.prom ------------------------------------------------------------------------------------------------------


def test_metrics_are_openmetrics_and_the_figures_of_the_tables() -> None:
    """By the official parser, which refuses wrong types, units and names; each figure beside its n."""
    text = (latest(finished_run()) / "metrics.prom").read_text(encoding="utf-8")
    assert text.endswith("\n# EOF\n")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    page = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in families), "undocumented"
    assert all(family.documentation for family in families.values())
    assert all(
        family.unit == ("seconds" if name.endswith("_seconds") else "ratio")
        for name, family in families.items()
        if family.unit
    )
    assert {name for name in families if name.endswith(("_seconds", "_ratio"))} == {
        n for n, f in families.items() if f.unit
    }
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert found["mttr_as_of_timestamp_seconds",] == UNTIL.timestamp()
    for severity, median, events, n in query(
        finished_run(),
        """SELECT scope_value, km_median * 60, n_events, n_open FROM mttr_stats
        WHERE calculation_type = 'basic' AND scope IN ('all', 'severity') AND window_end = as_of""",
    ):
        assert found.get(("mttr_typical_recovery_seconds", severity)) == median
        assert (found["mttr_incidents_recovered", severity], found["mttr_incidents_censored", severity]) == (events, n)
    for source, light in query(finished_run(), "SELECT source, light FROM data_quality_status"):
        assert found["mttr_data_quality_light", source, light] == 1
    records = query(finished_run(), "SELECT source, count(*) FROM incident_sources GROUP BY source")
    assert records and all(found["mttr_source_records", source] == n for source, n in records)
    assert found["mttr_source_last_pull_complete", "pagerduty"] == 1
    assert found["mttr_source_pull_duration_seconds", "pagerduty"] > 0
