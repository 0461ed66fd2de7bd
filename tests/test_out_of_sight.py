"""Not in the list is not deleted: what an audit makes of issues that a search does not show any more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support import build_all, open_warehouse, rows, settings_for, slow

from mttr_pipeline.demo import VendorServer
from mttr_pipeline.demo.jira import Flavour, JiraSimulator
from mttr_pipeline.demo.kit.wire import Request, Response
from mttr_pipeline.demo.pagerduty import PagerDutySimulator
from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.sources.pulling import build_source, pull
from mttr_pipeline.warehouse.known import WarehouseRecords

NOW = datetime(2026, 10, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)
SIZES = {"ARC": 7, "HID": 7, "DEL": 8, "MOV": 2, "OPS": 4}  # archived, hidden from us, deleted, retyped, as before


def site_of(sizes: dict[str, int], *, is_retyped: bool = False) -> list[dict[str, Any]]:
    """So many incidents of each project."""
    found = []
    for place, (project, size) in enumerate(sizes.items(), 1):
        for number in range(1, size + 1):
            kind = "Task" if is_retyped and project == "MOV" else "Incident"
            at = f"{NOW - 20 * DAY + number * timedelta(hours=1):%Y-%m-%dT%H:%M:%S.000+0000}"
            fields = {
                "summary": f"{project} {number}",
                "issuetype": {"id": "1" if kind == "Incident" else "2", "name": kind},
                "project": {"id": str(place), "key": project},
                "status": {"id": "10", "name": "Done", "statusCategory": {"id": 3, "key": "done"}},
                "created": at,
                "updated": at,
                "resolutiondate": at,
            }
            changelog = {"histories": [], "total": 0}
            found.append(
                {
                    "id": str(100 * place + number),
                    "key": f"{project}-{number}",
                    "fields": fields,
                    "changelog": changelog,
                }
            )
    return found


class Site(JiraSimulator):
    """A site whose search shows another book than single reads do."""

    listed: Callable[[datetime], Any] | None = None

    def handle(self, request: Request, now: datetime) -> Response:
        before = self._book_at
        if self.listed is not None and "/search" in request.path:
            self._book_at = self.listed
        try:
            return super().handle(request, now)
        finally:
            self._book_at = before


def book(issues: list[dict[str, Any]], flavour: Flavour) -> Callable[[datetime], Any]:
    return JiraSimulator.from_issues(issues, flavour)._book_at


class Nights:
    """Pulls of one site into one data directory."""

    def __init__(self, server: VendorServer, folder: Path, source: str = "jira") -> None:
        self.server, self.folder = server, folder
        (self.name,) = server.simulators
        env = {**server.env(self.name), "JIRA_JQL": "issuetype = Incident"}
        self.source = source
        self.settings = settings_for(folder, {"sources": {source: {"max_wait_minutes": 1}}}, env)
        self.landing = Landing(folder / "landing")

    def pull(self, night: int) -> Manifest:
        """One night; the requests of the night before are forgotten."""
        self.server.clear_log()
        warehouse = open_warehouse(self.folder, as_of=NOW + night * DAY, after_nothing=True)
        source = build_source(self.source, self.settings)
        try:
            warehouse.load(self.landing)
            loaded = WarehouseRecords(warehouse, self.source)
            return pull(source, self.settings, self.landing, f"run-{night}", as_of=NOW + night * DAY, loaded=loaded)
        finally:
            source.close()
            warehouse.close()

    def read(self, night: int) -> tuple[dict[str, int], dict[str, Any]]:
        """The records that count by project, and the finding."""
        warehouse = open_warehouse(self.folder, as_of=NOW + night * DAY, after_nothing=True)
        try:
            warehouse.load(self.landing)
            build_all(warehouse, only=["figures.findings_out_of_sight"])
            query = "SELECT split_part(key, '-', 1) AS project, count(*) AS n FROM core.vendor_records GROUP BY 1"
            (found,) = rows(warehouse.con, "FROM figures.findings_out_of_sight")
            return {row["project"]: row["n"] for row in rows(warehouse.con, query)}, found
        finally:
            warehouse.close()


@pytest.mark.parametrize("flavour", ["cloud", *slow("dc")])
def test_archived_and_hidden_issues_stay_and_deleted_ones_go(tmp_path: Path, flavour: Flavour) -> None:
    """An archived project took its whole history with it, under a green light. Few issues of each project are asked for."""
    everything = site_of(SIZES)
    simulator = Site(book(everything, flavour), flavour)
    with VendorServer([simulator], clock=NOW, limits=None) as server:
        nights = Nights(server, tmp_path)
        nights.pull(0)
        assert nights.read(0) == (SIZES, {**nights.read(0)[1], "n": 0, "examples": None})

        kept = {name: SIZES[name] for name in ("ARC", "MOV", "OPS")}
        there = [row for row in site_of(SIZES, is_retyped=True) if row["fields"]["project"]["key"] in kept]
        deleted_project = site_of({**SIZES, "DEL": SIZES["DEL"] + 1})  # one issue is left, so the project is still seen
        there += [row for row in deleted_project if row["key"] == f"DEL-{SIZES['DEL'] + 1}"]
        simulator._book_at = book(there, flavour)
        simulator.listed = book([row for row in there if not row["key"].startswith("ARC")], flavour)
        manifest = nights.pull(1)
        assert manifest.facts["out_of_sight"] == {"ARC": 7, "HID": 7}
        asked = [entry for entry in server.log if "/issue/" in entry.path and "bulkfetch" not in entry.path]
        assert 0 < len(asked) <= 5 * len(SIZES)
        counted, finding = nights.read(1)
        assert counted == {"ARC": 7, "HID": 7, "OPS": 4, "DEL": 1}
        assert (finding["n"], finding["level"], finding["examples"]) == (14, "warn", ["ARC: 7", "HID: 7"])

        simulator._book_at, simulator.listed = book(everything, flavour), None
        nights.pull(2)
        counted, finding = nights.read(2)
        assert counted == {**SIZES, "DEL": SIZES["DEL"]} and finding["n"] == 0


def test_incidents_of_a_hidden_service_stay(tmp_path: Path) -> None:
    """PagerDuty answers 404 for a deleted incident and for one of a service that this account lost sight of. An hour's change of
    permissions took the history of the service with it.
    """
    at = f"{NOW - 20 * DAY:%Y-%m-%dT%H:%M:%SZ}"

    def account(services: dict[str, int]) -> PagerDutySimulator:
        incidents = [
            {"id": f"{name}{n}", "incident_number": n, "title": "t", "status": "resolved", "urgency": "high"}
            | {"created_at": at, "updated_at": at, "resolved_at": at, "service": {"id": name, "summary": name}}
            for name, size in services.items()
            for n in range(size)
        ]
        there = [{"id": name, "summary": name, "name": name, "teams": []} for name in services]
        return PagerDutySimulator.from_records(incidents, services=there)

    simulator = account({"HID": 3, "DEL": 2, "ALL": 2, "OPS": 2})
    with VendorServer([simulator], clock=NOW, limits=None) as server:
        nights = Nights(server, tmp_path, "pagerduty")
        nights.pull(0)
        # One of DEL and every one of ALL is deleted: both services are still seen. HID is gone with its service.
        simulator._book_at = account({"DEL": 1, "ALL": 0, "OPS": 2})._book_at
        assert nights.pull(1).facts["out_of_sight"] == {"HID": 3}
        warehouse = open_warehouse(tmp_path, as_of=NOW + DAY, after_nothing=True)
        try:
            warehouse.load(nights.landing)
            build_all(warehouse, only=["figures.findings_out_of_sight"])
            found = rows(warehouse.con, "SELECT external_id FROM core.vendor_records ORDER BY 1")
            assert [row["external_id"] for row in found] == ["DEL0", "HID0", "HID1", "HID2", "OPS0", "OPS1"]
            (finding,) = rows(warehouse.con, "FROM figures.findings_out_of_sight")
            assert (finding["n"], finding["level"], finding["examples"]) == (3, "warn", ["HID: 3"])
        finally:
            warehouse.close()
