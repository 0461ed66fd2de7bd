"""Post-mortems and follow-up actions of Jira: pulled over HTTP from a site that holds them, until they are rows of follow_ups.

Each test says what would go wrong without it. What the tables make of these rows is tested in test_learning.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mart_cases import rows
from staging_cases import staging_of
from support import AS_OF, landed_rows, settings_for

from mttr_pipeline.config.settings import Settings
from mttr_pipeline.demo import VendorServer, World
from mttr_pipeline.demo.jira import Flavour, JiraSimulator
from mttr_pipeline.demo.kit.wire import Request, Response
from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.landing.store import Landing, new_run_id
from mttr_pipeline.sources.pulling import build_source, pull
from mttr_pipeline.warehouse.catalog import default_catalog
from mttr_pipeline.warehouse.database import Warehouse

NOW = datetime(2026, 10, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)
FLAVOURS: list[Flavour] = ["cloud", "dc"]


class Strict(JiraSimulator):
    """A site that refuses a query which names an issue that it does not have, as real ones do. `asked` counts queries for ids."""

    gone: tuple[str, ...] = ()
    asked = 0

    def handle(self, request: Request, now: datetime) -> Response:
        if b"id in (" in request.body:
            self.asked += 1
            if any(name.encode() in request.body for name in self.gone):
                return Response(400, self.error(400, "An issue with this key does not exist for field 'id'."))
        return super().handle(request, now)


class Site:
    """A Jira on a server, and pulls of it into a landing zone."""

    def __init__(self, server: VendorServer, folder: Path, **options: Any) -> None:
        self.server, self.folder = server, folder
        self.options = options
        self.landing = Landing(folder / "landing")

    def settings(self, **more: Any) -> Settings:
        env = self.server.env(next(iter(self.server.simulators)))
        return settings_for(self.folder, {"sources": {"jira": {**self.options, **more}}}, env)

    def pull(self, as_of: datetime, **more: Any) -> Manifest:
        self.server.clear_log()
        self.server.now = as_of
        settings = self.settings(**more)
        source = build_source("jira", settings)
        try:
            return pull(source, settings, self.landing, new_run_id(), as_of=as_of)
        finally:
            source.close()

    def follow_ups(self) -> set[tuple[Any, ...]]:
        """Kind, id, ticket, due, completed and whether a test was added."""
        query = """SELECT kind, external_id, incident_id, due_at::TIMESTAMPTZ, completed_at::TIMESTAMPTZ, is_test
            FROM staging.jira_follow_ups"""
        return {tuple(row.values()) for row in self.rows(staging_of("jira"), query)}

    def rows(self, tables: Sequence[str], query: str, as_of: datetime = AS_OF) -> list[dict[str, Any]]:
        """What a query finds after these tables were made of everything that has landed. Every promise was checked."""
        warehouse = Warehouse(self.folder / f"{new_run_id()}.duckdb", self.settings(), as_of, "run")
        try:
            warehouse.load(self.landing)
            needed = set(tables).union(*(default_catalog().upstream(table) for table in tables))
            for model in default_catalog():
                if model.table in needed:
                    warehouse.build(model)
                    assert [check for check in warehouse.check(model) if not check.passed] == [], model.table
            return rows(warehouse, query)
        finally:
            warehouse.close()


def us(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1_000) * 1_000


def truth(world: World, tool: str, now: datetime) -> set[tuple[Any, ...]]:
    """The rows that the site holds at `now`."""
    present = {case.id for case in world.of(tool) if case.until(now)}
    found: set[tuple[Any, ...]] = set()
    for review in world.reviews:
        if review.tool == tool and review.created <= now:
            for incident in set(review.incidents) & present:
                completed = review.completed if review.completed and review.completed <= now else None
                found.add(("post_mortem", review.id, incident, None, us(completed), False))
                for action in review.actions:
                    if action.created <= now:
                        done = action.completed if action.completed and action.completed <= now else None
                        is_test = action.is_test and action.created + timedelta(minutes=1) <= now
                        found.add(("action", action.id, incident, us(action.due), us(done), is_test))
    return found


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=7, until=NOW, days=120, future=6 * DAY, volumes={"jira": 60, "jira-dc": 40}, reviews=0.9)


def test_reviews_change_no_incident(world: World) -> None:
    """They stand beside the history: what the pipeline must find is the same with and without them."""
    without = World(seed=7, until=NOW, days=120, future=6 * DAY, volumes={"jira": 60, "jira-dc": 40})
    assert world.truth() == without.truth()
    assert len(world.reviews) > 10 and any(len(review.incidents) > 1 for review in world.reviews)
    assert {review.completed is None for review in world.reviews} == {True, False}


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_nights_have_what_a_full_pull_has(world: World, tmp_path: Path, flavour: Flavour) -> None:
    """Post-mortems and actions that are made, changed and completed between the nights; each night reads what changed."""
    tool = "jira" if flavour == "cloud" else "jira-dc"
    with VendorServer([JiraSimulator.from_world(world, flavour)], clock=NOW, limits=None) as server:
        site = Site(server, tmp_path / "nights")
        first = site.pull(NOW - 20 * DAY)
        for days in range(-18, 6, 3):
            site.pull(NOW + days * DAY)
        last = site.pull(NOW + 5 * DAY)
        full = Site(server, tmp_path / "full")
        whole = full.pull(NOW + 5 * DAY)
        expected = truth(world, tool, NOW + 5 * DAY)
        assert full.follow_ups() == expected
        assert site.follow_ups() == expected
        # What did not change is not read: two hours of overlap are little beside 120 days.
        assert (
            len(landed_rows(site.landing, last, "post_mortems"))
            < len(landed_rows(full.landing, whole, "post_mortems")) / 4
        )
        incidents = {row["id"] for row in landed_rows(full.landing, whole, "issues")}
        reviews = {
            row["id"] for stream in ("post_mortems", "actions") for row in landed_rows(full.landing, whole, stream)
        }
        assert reviews and not incidents & reviews
        assert first.facts["site"]["follow_ups"]["query"].startswith("issuetype in (")


def test_a_night_asks_for_a_hundred_open_actions_at_once(world: World, tmp_path: Path) -> None:
    """The cost of a night follows what is open and what changed, not the history."""
    simulator = Strict.from_world(world)
    with VendorServer([simulator], clock=NOW, limits=None) as server:
        site = Site(server, tmp_path)
        manifest = site.pull(NOW)
        assert len(manifest.facts["site"]["follow_ups"]["open"]) > 3
        simulator.asked = 0
        site.pull(NOW + timedelta(minutes=1))
    assert simulator.asked <= 2  # those of post-mortems in the overlap, and those that are open


def test_another_type_is_read_from_the_beginning(world: World, tmp_path: Path) -> None:
    """Somebody maps a type on the second day: its old issues are post-mortems too."""
    with VendorServer([JiraSimulator.from_world(world)], clock=NOW, limits=None) as server:
        site = Site(server, tmp_path, type={"[System] Post-incident review": "other"})
        first = site.pull(NOW)
        assert landed_rows(site.landing, first, "post_mortems") == []
        assert first.facts["counts"]["no_post_mortem_type"] == 1
        assert site.follow_ups() == set()
        site.options = {}
        second = site.pull(NOW + timedelta(hours=1))
        assert second.plan["mode"] == "incremental"
        assert site.follow_ups() == truth(world, "jira", NOW + timedelta(hours=1))


def test_a_query_of_the_user_selects_post_mortems(world: World, tmp_path: Path) -> None:
    """Where post-mortems are plain tasks of a project, a query finds them."""
    with VendorServer([JiraSimulator.from_world(world)], clock=NOW, limits=None) as server:
        site = Site(
            server, tmp_path, post_mortem_jql='issuetype = "[System] Post-incident review" AND status = Resolved'
        )
        manifest = site.pull(NOW)
        found = landed_rows(site.landing, manifest, "post_mortems")
    assert {row["fields"]["status"]["name"] for row in found} == {"Resolved"}


def test_an_action_that_is_gone_spoils_no_batch(world: World, tmp_path: Path) -> None:
    """One deleted issue makes a query for a hundred fail: the others are read all the same."""
    simulator = Strict.from_world(world)
    actions = [
        action.id
        for review in world.reviews
        for action in review.actions
        if review.tool == "jira" and action.created < NOW
    ]
    simulator.gone = (actions[3],)
    with VendorServer([simulator], clock=NOW, limits=None) as server:
        manifest = Site(server, tmp_path).pull(NOW)
        found = {row["id"] for row in landed_rows(Landing(tmp_path / "landing"), manifest, "actions")}
    assert found == set(actions) - {actions[3]}
    assert manifest.facts["counts"]["actions_not_readable"] == 1


def test_incidents_are_learned_from_as_the_company_did(world: World, tmp_path: Path) -> None:
    """From the requests to the published table: each severe incident that was resolved has its row, with a review or without."""
    now = NOW
    with VendorServer([JiraSimulator.from_world(world)], clock=now, limits=None) as server:
        site = Site(server, tmp_path)
        site.pull(now)
        found = site.rows(
            ["mart.follow_ups"],
            """SELECT i.external_id AS incident, f.external_id, f.completed_at, f.is_wanted, i.source
            FROM mart.follow_ups AS f JOIN mart.incidents AS i USING (incident_id) WHERE f.kind = 'post_mortem'""",
            now,
        )
    written = {
        (incident, review.id, us(review.completed) if review.completed and review.completed <= now else None)
        for review in world.reviews
        if review.tool == "jira" and review.created <= now
        for incident in review.incidents
    }
    counted = [one.row for one in world.incidents(now, ["jira"]) if one.row.kind == "incident" and one.row.episode == 1]
    severe = {row.external_id for row in counted if row.severity in ("SEV1", "SEV2") and row.resolved_at is not None}
    assert severe and {row["incident"] for row in found if row["is_wanted"]} >= severe
    told = {(row["incident"], row["external_id"], row["completed_at"]) for row in found if row["external_id"]}
    assert told and told <= written
    best = {incident for incident, _, _ in written if incident in severe}
    assert best <= {incident for incident, _, _ in told}


def test_who_noticed_an_incident_is_mapped(tmp_path: Path) -> None:
    """A field goes before the kind of reporter; a word that no map contains is told, and the reporter is no substitute for it."""
    told = [
        ("Customer report", "atlassian"),
        ("Kunde", "app"),
        (None, "customer"),
        (None, "app"),
        (None, None),
        ("Nobody", None),
    ]
    issues = []
    for number, (word, account) in enumerate(told, 1):
        fields: dict[str, Any] = {
            "summary": f"Issue {number}",
            "issuetype": {"id": "1", "name": "Incident"},
            "customfield_7": word,
        }
        fields |= {"created": "2026-09-01T10:00:00.000+0000", "updated": "2026-09-01T10:00:00.000+0000"}
        fields |= {"project": {"id": "1", "key": "OPS"}, "status": {"id": "1", "name": "Open"}}
        fields["reporter"] = (
            {"accountId": str(number), "accountType": account, "displayName": "Somebody"} if account else None
        )
        issues.append(
            {"id": str(number), "key": f"OPS-{number}", "fields": fields, "changelog": {"total": 0, "histories": []}}
        )
    simulator = JiraSimulator.from_issues(issues, fields=[{"id": "customfield_7", "name": "Detected by"}])
    with VendorServer([simulator], clock=NOW, limits=None) as server:
        site = Site(server, tmp_path, detection={"Kunde": "customer", "customer-report": "customer"})
        manifest = site.pull(NOW)
        query = "SELECT external_id, detected_by FROM core.vendor_records ORDER BY external_id"
        found = site.rows(["core.vendor_records"], query)
        findings = site.rows(
            ["figures.findings_words"], "FROM figures.findings_words WHERE dq_check = 'unmapped_detection'"
        )
    assert [row["detected_by"] for row in found] == ["customer", "customer", "customer", "monitor", None, None]
    assert [(row["n"], row["total"], row["examples"]) for row in findings] == [(1, 5, ["Nobody"])]
    assert manifest.facts["counts"]["no_post_mortem_type"] == 1
