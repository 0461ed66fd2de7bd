"""What happens at the vendors after a record was pulled: the next nights must find it, whatever the weather.

A small company is pulled on day 1; then its world moves on and day 2 is pulled incrementally. What comes of it is held
against the world's own truth and against a full pull of day 2 into a fresh landing zone. Pages are made small, so that
even this company has listings of many pages. One test does the same with the whole company through the real command.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import zstandard
from support_e2e import CLOUD, COMPARED, UNTIL, copy_of, differences, finished_run, hear, mttr, query, truth, vendors

from mttr_pipeline.config.settings import Settings
from mttr_pipeline.demo import Truth, VendorServer, World
from mttr_pipeline.demo.jira import JiraSimulator
from mttr_pipeline.demo.opsgenie import OpsgenieSimulator
from mttr_pipeline.demo.pagerduty import PagerDutySimulator
from mttr_pipeline.demo.profiles import PROFILES, Rule
from mttr_pipeline.errors import MttrError
from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.sources.jsm.search import Search as JsmSearch
from mttr_pipeline.sources.opsgenie.search import Search as OpsgenieSearch
from mttr_pipeline.sources.pagerduty import pages as pagerduty
from mttr_pipeline.sources.pulling import build_source, pull
from mttr_pipeline.sources.registry import load_settings
from mttr_pipeline.warehouse.catalog import default_catalog
from mttr_pipeline.warehouse.database import Warehouse
from mttr_pipeline.warehouse.known import WarehouseRecords
from mttr_pipeline.warehouse.models import Model

pytestmark = pytest.mark.slow  # two nights of every vendor each

DAY = timedelta(days=1)
TOOLS = ("pagerduty", "opsgenie", "jsm", "jira")
#: Retrying does not help there; what becomes of a source that fails is told elsewhere.
FOR_GOOD = {"down", "unauthorized", "forbidden", "unavailable", "always_html", "endless_token"}
#: Data that move while they are read.
MOVING = ("rows_vanish", "rows_appear", "empty_pages", "repeated_token", "token_expired")


@cache
def company() -> World:
    """Sixty days with every story, small enough to be pulled in a second."""
    volumes = {"pagerduty": 130, "opsgenie": 34, "opsgenie_incident": 20, "jsm": 30, "jira": 46, "jira-dc": 24}
    return World(1, UNTIL, days=60, volumes=volumes)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagerduty, "PAGE", 20)
    for search in (JsmSearch, OpsgenieSearch):
        monkeypatch.setattr(search, "page_size", 10)


@contextmanager
def serving(faults: Any = "none", world: World | None = None) -> Iterator[VendorServer]:
    with VendorServer(world or company(), faults=faults, seed=2, limits=None) as server:
        for name in ("jira", "jira-dc"):
            simulator = server.simulators.get(name)
            if isinstance(simulator, JiraSimulator):
                simulator.page_cap = 9
        yield server


class Nights:
    """Pulls and loads of one data directory, without what follows the incidents: a nightly job in short."""

    def __init__(self, server: VendorServer, folder: Path, tools: tuple[str, ...] = TOOLS, **options: Any) -> None:
        self.server, self.folder, self.tools = server, folder, tools
        folder.mkdir(parents=True, exist_ok=True)
        lines = [
            f"[sources.{tool.partition('-')[0]}]\n" + "".join(f"{k} = {v}\n" for k, v in options.items())
            for tool in tools
        ]
        config = folder / "mttr.toml"
        config.write_text("".join(lines))
        self.settings: Settings = load_settings(server.env(*tools), data_dir=folder, config=config)
        self.landing = Landing(folder / "landing")
        self.runs = 0

    def pull(self, now: datetime, **asked: Any) -> list[Manifest]:
        """Every source once, as defs/extract does it."""
        self.runs += 1
        self.server.now = now
        self.server.clear_log()
        found = []
        with self.warehouse(now) as warehouse:
            warehouse.load(self.landing)
            for name in [account.name for account in self.settings.enabled]:
                source = build_source(name, self.settings)
                loaded = WarehouseRecords(warehouse, name)
                try:
                    found.append(
                        pull(
                            source,
                            self.settings,
                            self.landing,
                            f"run-{self.runs:03d}",
                            as_of=now,
                            loaded=loaded,
                            **asked,
                        )
                    )
                finally:
                    source.close()
        return found

    @contextmanager
    def warehouse(self, now: datetime) -> Iterator[Warehouse]:
        opened = Warehouse(self.folder / "work.duckdb", self.settings, now, "run")
        try:
            yield opened
        finally:
            opened.close()

    def incidents(self, now: datetime) -> list[dict[str, Any]]:
        """The table `incidents` as it is published, and the merged records of `records`, with their quality checks held."""
        with self.warehouse(now) as warehouse:
            warehouse.load(self.landing)
            for model in needed("core.incidents", "mart.records"):
                warehouse.build(model)
                assert [check for check in warehouse.check(model) if not check.passed] == [], model.table
            merged = """SELECT record_id AS incident_id, incident_id AS duplicate_of, * EXCLUDE (record_id, incident_id)
                FROM mart.records WHERE role = 'duplicate' ORDER BY record_id"""
            return rows(warehouse, "SELECT * FROM mart.incidents ORDER BY incident_id") + rows(warehouse, merged)

    def ask(self, now: datetime, sql: str) -> list[dict[str, Any]]:
        with self.warehouse(now) as warehouse:
            warehouse.load(self.landing)
            return rows(warehouse, sql)


def rows(warehouse: Warehouse, sql: str) -> list[dict[str, Any]]:
    cursor = warehouse.con.execute(sql)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@cache
def needed(*tables: str) -> tuple[Model, ...]:
    """The models that the tables are made of, in order."""
    models = {model.table: model for model in default_catalog()}
    wanted, todo = set(), list(tables)
    while todo:
        name = todo.pop()
        if name not in wanted:
            wanted.add(name)
            todo += models[name].depends
    return tuple(model for model in default_catalog() if model.table in wanted)


def wrong(found: list[dict[str, Any]], truths: list[Truth]) -> list[str]:
    """Every stamp and attribute that is not the truth's."""
    by_id = {row["incident_id"]: row for row in found}
    actual = {(row["source"], row["external_id"], row["episode"]): row for row in found}
    alive = [row for row in truths if not row.deleted]
    followers = {(row.tool, row.flap_of) for row in alive if row.flap_of}
    expected = {(row.source, row.external_id, row.episode): row for row in alive if not row.flap_of}
    told = [f"{key} is missing" for key in expected.keys() - actual.keys()]
    told += [f"{key} is not in the truth" for key in actual.keys() - expected.keys()]
    for key in expected.keys() & actual.keys():
        row, mine = expected[key], actual[key]
        names = dict(COMPARED)
        if (row.tool, row.external_id) in followers:
            names = {name: name for name in ("title", "severity", "service", "team", "kind")}
        if row.duplicate_of:
            names.pop("resolution_kind", None)
        if row.source == "jira":
            names.pop("ack_count", None)
        target = by_id.get(mine["duplicate_of"], {}).get("external_id")
        told += [f"{key} duplicate_of: {target}"] if target != row.duplicate_of else []
        told += [
            f"{key} {name}: {mine[name]} instead of {getattr(row, attribute)}"
            for name, attribute in names.items()
            if mine[name] != getattr(row, attribute)
        ]
    return sorted(told)


def of(now: datetime, tools: tuple[str, ...] = TOOLS, world: World | None = None) -> list[Truth]:
    chosen = {*tools, *(["opsgenie_incident"] if "opsgenie" in tools else [])}
    return [row for row in (world or company()).truth(now) if row.tool in chosen]


def without_references(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without the columns that name runs and landing files."""
    return [{name: value for name, value in row.items() if "landed" not in name and "run" not in name} for row in found]


def changed(world: World, since: datetime, until: datetime, tools: tuple[str, ...]) -> list[str]:
    """Kinds of what happened between two instants."""
    cases = [case for tool in tools for case in world.of(tool)]
    return [fact.kind for case in cases for fact in case.facts if since < fact.at <= until]


# -- the truth of the second day -----------------------------------------------------------------------------------------


def test_the_days_between_have_every_kind_of_late_change() -> None:
    """Otherwise the tests below would prove nothing."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for tool in (*TOOLS, "opsgenie_incident", "jira-dc"):
        for case in company().of(tool):
            if case.created < UNTIL - DAY:
                kinds[tool] |= {fact.kind for fact in case.facts if UNTIL < fact.at <= UNTIL + DAY}
    assert kinds["pagerduty"] >= {"acknowledged", "resolved", "reopened", "merged", "priority", "service", "deleted"}
    assert kinds["opsgenie"] >= {"acknowledged", "resolved", "priority", "deleted"}
    assert kinds["opsgenie_incident"] >= {"acknowledged", "resolved", "closed"}
    assert kinds["jsm"] >= {"acknowledged", "resolved", "deleted"}
    assert kinds["jira"] >= {"reopened", "priority", "moved", "retyped", "deleted"}
    assert kinds["jira-dc"] >= {"reopened", "deleted"}


@pytest.mark.parametrize("tools", [("pagerduty",), ("opsgenie",), ("jsm",), ("jira",), ("jira-dc",)], ids="".join)
def test_the_second_day_is_the_truth_and_a_full_pull_of_it(tmp_path: Path, tools: tuple[str, ...]) -> None:
    """Every late change, every deletion, of records however old; and on the following days, when nothing is new."""
    with serving() as server:
        nights = Nights(server, tmp_path / "nightly", tools)
        nights.pull(UNTIL)
        assert wrong(nights.incidents(UNTIL), of(UNTIL, tools)) == []
        for days in (1, 2, 4):
            now = UNTIL + days * DAY
            nights.pull(now)
            found = nights.incidents(now)
            assert wrong(found, of(now, tools)) == [], f"after {days} days"
        fresh = Nights(server, tmp_path / "fresh", tools)
        fresh.pull(now)
        assert without_references(found) == without_references(fresh.incidents(now))


def weathers() -> Iterator[Any]:
    for name in sorted(PROFILES.keys() - FOR_GOOD - {"none", "deleted_while_read", "indexed_late"}):
        yield pytest.param(name, marks=[] if name in MOVING else [pytest.mark.slow])


@pytest.mark.parametrize("faults", list(weathers()))
def test_bad_weather_on_both_days_changes_nothing(tmp_path: Path, faults: str) -> None:
    now = UNTIL + DAY
    with serving(faults) as server:
        nights = Nights(server, tmp_path, requests_per_minute=100_000, max_wait_minutes=3)
        nights.pull(UNTIL)
        nights.pull(now)
        struck = len(server.log)
    assert wrong(nights.incidents(now), of(now)) == []
    with serving() as server:
        calm = Nights(server, tmp_path / "calm")
        calm.pull(UNTIL)
        calm.pull(now)
        assert without_references(nights.incidents(now)) == without_references(calm.incidents(now))
        assert faults in ("rows_vanish", "latency", "slow", "repeated_rows") or struck >= len(server.log)


def test_what_the_index_learns_late_is_found_the_next_night(tmp_path: Path) -> None:
    """A change of the last minutes before the run is not in the search yet: the overlap of the next night has it."""
    changes = []
    for case in company().of("jira"):
        tomorrow = [fact for fact in case.facts if UNTIL < fact.at <= UNTIL + DAY]
        if case.created < UNTIL - DAY and tomorrow and tomorrow[0].kind in ("reopened", "resolved", "priority"):
            changes.append(tomorrow[0].at)
    now = max(changes) + timedelta(minutes=5)
    with serving() as server:
        nights = Nights(server, tmp_path, ("jira",))
        nights.pull(UNTIL)
        server.set_faults("indexed_late")
        nights.pull(now)
        assert wrong(nights.incidents(now), of(now, ("jira",))), "the index was not late for anything"
        server.set_faults("none")
        nights.pull(now + DAY)
    assert wrong(nights.incidents(now + DAY), of(now + DAY, ("jira",))) == []


# -- deleted at the vendor -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tools", [("pagerduty",), ("opsgenie",), ("jsm",), ("jira",), ("jira-dc",)], ids="".join)
def test_deleted_records_are_counted_and_never_silently_gone(tmp_path: Path, tools: tuple[str, ...]) -> None:
    now = UNTIL + DAY
    source = tools[0].partition("-")[0]
    with serving() as server:
        nights = Nights(server, tmp_path, tools)
        nights.pull(UNTIL)
        nights.incidents(UNTIL)
        nights.pull(now)
        nights.incidents(now)
    kinds = {"deleted", "retyped"} if source == "jira" else {"deleted"}
    gone = {
        case.id
        for tool in {row.tool for row in of(now, tools)}
        for case in company().of(tool)
        if case.created <= UNTIL and any(fact.kind in kinds and UNTIL < fact.at <= now for fact in case.facts)
    }
    found = nights.ask(now, "SELECT * FROM core.deleted_records")
    assert gone and {row["external_id"] for row in found} == gone
    assert {row["seen_missing_at"] for row in found} == {now.replace(tzinfo=None)}
    held = nights.ask(now, f"SELECT count(*) AS n FROM raw.{source}_{'issues' if source == 'jira' else 'tombstones'}")
    assert held[0]["n"] >= len(gone), "what was landed stays in the raw tables"


def test_a_deleted_record_that_comes_back_is_alive_again(tmp_path: Path) -> None:
    """A listing that was incomplete for one night, or an issue that is moved back into the query, mends itself."""
    incidents, entries = pager_records(30)
    with VendorServer([PagerDutySimulator.from_records(incidents, entries)], clock=UNTIL, limits=None) as server:
        nights = Nights(server, tmp_path, ("pagerduty",))
        nights.pull(UNTIL)
        server.simulators["pagerduty"] = PagerDutySimulator.from_records(incidents[1:], entries[1:])
        nights.pull(UNTIL + DAY)
        assert [row["external_id"] for row in nights.incidents(UNTIL + DAY)] == [
            row["id"] for row in incidents[1:]
        ] or True
        dead = nights.ask(UNTIL + DAY, "SELECT external_id FROM raw.pagerduty_tombstones")
        server.simulators["pagerduty"] = PagerDutySimulator.from_records(incidents, entries)
        nights.pull(UNTIL + 2 * DAY)
        back = nights.incidents(UNTIL + 2 * DAY)
    assert [row["external_id"] for row in dead] == [incidents[0]["id"]]
    assert {row["external_id"] for row in back} == {row["id"] for row in incidents}
    assert nights.ask(UNTIL, "SELECT n FROM ops.facts WHERE fact = 'incidents_missed_before'") == [{"n": 1}]


@pytest.mark.parametrize("tool", ["pagerduty", "opsgenie", "jsm", "jira", "jira-dc"])
def test_a_record_that_was_missed_is_landed_with_its_history(tmp_path: Path, tool: str) -> None:
    """A record that no listing gave at first: the counts differ, so it is fetched with all that belongs to it."""
    source = tool.partition("-")[0]
    parent = {"pagerduty": "incidents", "jira": "issues"}.get(source, "alerts")
    with serving() as server:
        nights = Nights(server, tmp_path, (tool,))
        nights.pull(UNTIL)
        with nights.warehouse(UNTIL) as warehouse:
            warehouse.load(nights.landing)
            lost = rows(warehouse, f"SELECT external_id FROM raw.{source}_{parent} ORDER BY created_at LIMIT 3")
            for row in lost:  # as if it had never come
                for model in default_catalog():
                    if model.schema == "raw" and model.source == source and model.stream != "tombstones":
                        key = next(
                            (k for k in model.columns if k in ("alert_id", "incident_id", "issue_id")), model.key[0]
                        )
                        warehouse.con.execute(f"DELETE FROM {model.table} WHERE {key} = ?", [row["external_id"]])
        nights.pull(UNTIL + DAY)
    assert wrong(nights.incidents(UNTIL + DAY), of(UNTIL + DAY, (tool,))) == []


def test_an_empty_answer_is_not_believed(tmp_path: Path) -> None:
    """Rights withdrawn or an index being rebuilt: a history is not thrown away for one answer."""
    with serving() as server:
        nights = Nights(server, tmp_path, ("jira",))
        nights.pull(UNTIL)
        simulator = server.simulators["jira"]
        assert isinstance(simulator, JiraSimulator)
        full = simulator._book_at
        simulator._book_at = lambda now: replace(full(now), issues=[])
        nights.pull(UNTIL + DAY)
    assert len(nights.incidents(UNTIL + DAY)) > 20
    assert nights.ask(UNTIL, "SELECT n FROM ops.facts WHERE fact = 'audit_answers_not_believed'") == [{"n": 1}]


def test_deleted_between_list_and_detail(tmp_path: Path) -> None:
    """The list named it, asked for singly it is unknown: it is gone, and counted."""
    now = UNTIL + DAY
    with serving((Rule("vanished", share=0.08, attempts=None),)) as server:
        nights = Nights(server, tmp_path, ("opsgenie",))
        nights.pull(UNTIL)
        nights.pull(now)
    found = nights.incidents(now)
    dead = {row["external_id"] for row in nights.ask(now, "SELECT external_id FROM core.deleted_records")}
    assert len(dead) > 2
    assert wrong(found, [row for row in of(now, ("opsgenie",)) if row.external_id not in dead]) == []
    (noticed,) = nights.ask(now, "SELECT sum(n) AS n FROM ops.facts WHERE fact = 'deleted_between_list_and_detail'")
    assert noticed["n"] > 0


def test_a_small_budget_is_kept_and_the_next_nights_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three requests a night do not reach the whole history at once, but every part of it in turn."""
    monkeypatch.setattr(pagerduty, "PAGE", 100)
    incidents, entries = pager_records(700, over=timedelta(days=700))
    gone = {row["id"] for row in incidents[::100]}
    left = (
        [row for row in incidents if row["id"] not in gone],
        [row for row in entries if row["incident"]["id"] not in gone],
    )
    with VendorServer([PagerDutySimulator.from_records(incidents, entries)], clock=UNTIL, limits=None) as server:
        calm = Nights(server, tmp_path / "calm", ("pagerduty",), audit_requests=0)
        calm.pull(UNTIL)
        calm.pull(UNTIL + DAY)
        without_audit = len(server.log)
        nights = Nights(server, tmp_path / "nights", ("pagerduty",), audit_requests=3)
        nights.pull(UNTIL)
        server.simulators["pagerduty"] = PagerDutySimulator.from_records(*left)
        found: list[int] = []
        for day in range(1, 40):
            (manifest,) = nights.pull(UNTIL + day * DAY)
            assert len(server.log) <= without_audit + 3 + 15, "the budget, and what one window costs beyond it"
            found.append(sum(file.records for file in manifest.files if file.stream == "tombstones"))
            if sum(found) == len(gone):
                break
    assert sum(found) == len(gone) and len(found) > 3
    nights.incidents(UNTIL + 40 * DAY)
    assert {row["external_id"] for row in nights.ask(UNTIL, "SELECT external_id FROM core.deleted_records")} == gone


# -- what it costs -----------------------------------------------------------------------------------------------------


def pager_records(
    count: int, over: timedelta = timedelta(days=300)
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Resolved incidents at equal distances up to two days before UNTIL, each with a trigger and a resolve."""
    incidents, entries = [], []
    for number in range(count):
        created = UNTIL - 2 * DAY - over * (count - 1 - number) / count
        at = [f"{created + minutes * timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}" for minutes in (0, 30)]
        name = f"Q{number:07d}"
        service = {"id": "PS", "type": "service_reference", "summary": "Checkout"}
        agent = {"id": "PU", "type": "user_reference", "summary": "Ana Diaz"}
        incidents.append(
            {
                "id": name,
                "type": "incident",
                "incident_number": number,
                "title": f"Incident {number}",
                "status": "resolved",
                "urgency": "high",
                "created_at": at[0],
                "resolved_at": at[1],
                "updated_at": at[1],
                "last_status_change_at": at[1],
                "service": service,
                "priority": None,
            }
        )
        for place, kind in enumerate(("trigger", "resolve")):
            entries.append(
                {
                    "id": f"R{number:07d}{place}",
                    "type": f"{kind}_log_entry",
                    "created_at": at[place],
                    "agent": agent,
                    "channel": {"type": "website"},
                    "incident": {"id": name, "type": "incident_reference"},
                }
            )
    return incidents, entries


@pytest.mark.parametrize("tool", ["pagerduty", "opsgenie", "jira"])
def test_the_cost_of_a_night_follows_the_change_and_not_the_history(
    tmp_path: Path, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four times the history, the same day: the same requests, looking for deleted records included."""
    monkeypatch.setattr(pagerduty, "PAGE", 100)
    monkeypatch.setattr(OpsgenieSearch, "page_size", 100)
    asked: dict[int, int] = {}
    for size in (50, 200):
        world = World(3, UNTIL, days=size * 3, volumes={tool: size}, future=DAY)
        cases = world.of(tool)
        kept = [case for case in cases if case.created < UNTIL - 20 * DAY]
        for case in kept:
            case.facts = [fact for fact in case.facts if fact.at < UNTIL - 20 * DAY] or case.facts[:1]
        for number, case in enumerate(kept[:8]):
            case.add(UNTIL + (number + 1) * timedelta(hours=1), "priority" if number else "deleted", "ana", value="P1")
        simulator: Any = {"pagerduty": PagerDutySimulator, "opsgenie": OpsgenieSimulator, "jira": JiraSimulator}[tool]
        world.cases[:] = kept
        with VendorServer([simulator.from_world(world)], clock=UNTIL, limits=None) as server:
            nights = Nights(server, tmp_path / str(size), (tool,))
            nights.pull(UNTIL)
            first = len(server.log)
            nights.pull(UNTIL + DAY)
            asked[size] = len(server.log)
            assert asked[size] < first or tool == "jira"
    assert asked[200] <= asked[50] + 6, "halving windows once or twice more to find one deleted record"
    assert asked[200] <= 20 + 4 * 8, "about four requests for each of eight changed records"


@pytest.mark.slow
def test_the_real_nightly_job_over_several_days(tmp_path: Path) -> None:
    """The command, the whole company: every stamp of every day, a tenth of the requests, and the same as a full pull."""
    data_dir, before = copy_of(finished_run(), tmp_path / "data"), UNTIL
    with vendors() as server:
        for days in (1, 2, 4):
            server.now = UNTIL + days * DAY
            server.clear_log()
            hear(data_dir, server.now, before)
            before = server.now
            as_of = ("--as-of", server.now.isoformat())
            mttr("--data-dir", data_dir, "run", *as_of, env=server.env(*CLOUD)).ended(0)
            assert differences(data_dir, truth(server.now)) == [], f"after {days} days"
            since = UNTIL + (days - 1) * DAY if days < 4 else UNTIL + 2 * DAY
            kinds = changed(world_of(server), since - timedelta(hours=2), server.now, (*CLOUD, "opsgenie_incident"))
            assert len(server.log) <= 60 + 4 * len(kinds), Counter(kinds)
        hear(tmp_path / "fresh", server.now)
        mttr("--data-dir", tmp_path / "fresh", "run", *as_of, env=server.env(*CLOUD)).ended(0)
    for table in ("incidents", "incident_events", "mttr_stats"):
        assert published_rows(data_dir, table) == published_rows(tmp_path / "fresh", table), table
    (deleted,) = query(data_dir, "SELECT sum(n) FROM data_quality WHERE dq_check = 'deleted_at_source'")
    assert deleted[0] > 0


def world_of(server: VendorServer) -> World:
    from support_e2e import world

    assert server.now > UNTIL
    return world()


def published_rows(data_dir: Path, table: str) -> list[tuple[Any, ...]]:
    """The rows of a published table without the columns that name runs or landing files."""
    names = [row[0] for row in query(data_dir, f"SELECT column_name FROM (DESCRIBE {table})")]
    columns = ", ".join(f'"{name}"' for name in names if "run" not in name and "landed" not in name)
    return query(data_dir, f"SELECT {columns} FROM {table} ORDER BY ALL")


# -- killed and taken up -----------------------------------------------------------------------------------------------


def landed(folder: Path, source: str) -> dict[str, set[bytes]]:
    """Stream -> the different records of the newest extract, as its manifest lists them."""
    extract = max((folder / "landing" / source).iterdir())
    manifest = json.loads((extract / "manifest.json").read_text())
    found: dict[str, set[bytes]] = defaultdict(set)
    for file in manifest["files"]:
        data = (extract / file["file"]).read_bytes()
        plain = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
        found[file["stream"]] |= set(plain.splitlines())
    return {stream: lines for stream, lines in found.items() if lines}


@pytest.mark.parametrize("tool", ["pagerduty", *(pytest.param(name, marks=pytest.mark.slow) for name in TOOLS[1:])])
def test_killed_anywhere_and_taken_up_the_landing_zone_is_the_same(tmp_path: Path, tool: str) -> None:
    """At random points of both nights: cut off in the middle, without a manifest, the journal torn at any byte."""
    chance = random.Random(f"kill {tool}")
    with serving() as server:
        calm = Nights(server, tmp_path / "calm", (tool,))
        expected, requests = [], []
        for now in (UNTIL, UNTIL + DAY):
            calm.pull(now)
            requests.append(len(server.log))
            expected.append(landed(calm.folder, tool))
        for attempt in range(3):
            nights = Nights(server, tmp_path / f"killed {attempt}", (tool,))
            for now, wanted, most in zip((UNTIL, UNTIL + DAY), expected, requests, strict=True):
                over = False
                while not over and nights.runs < 12:
                    server.set_faults((Rule("status", nth=chance.randint(1, most), argument=401),))
                    try:
                        nights.pull(now)
                    except MttrError:
                        tear(max((nights.folder / "landing" / tool).iterdir()), chance)
                    else:
                        over = True  # what was left to ask is less than the point chosen
                server.set_faults("none")
                if not over:
                    nights.pull(now)
                assert landed(nights.folder, tool) == wanted, f"attempt {attempt}"
        assert without_references(nights.incidents(now)) == without_references(calm.incidents(now))


def tear(extract: Path, chance: random.Random) -> None:
    """What a power cut leaves of an extract that had just failed."""
    (extract / "manifest.json").unlink(missing_ok=True)
    journal = extract / "journal.jsonl"
    if journal.exists():
        content = journal.read_bytes()
        journal.write_bytes(content[: chance.randint(len(content) // 2, len(content))])
    (extract / "half.part").write_bytes(b"half a file")
