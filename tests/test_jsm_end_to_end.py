"""Jira Service Management from request to published table: Operations alerts and incidents, two nights, against the truth."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support_e2e import UNTIL, differences, mttr, query, truth, vendors, world

from mttr_pipeline.demo import VendorServer
from mttr_pipeline.demo.jira.fields import SLA_RESOLUTION, SLA_RESPONSE

pytestmark = pytest.mark.slow  # whole runs

DAY = timedelta(days=1)


TOOLS = ("jsm", "jira")


def night(server: VendorServer, data_dir: Path) -> None:
    env = server.env("jsm", "jira")
    mttr("--data-dir", data_dir, "run", "--as-of", server.now.isoformat(), env=env).ended(0)


@pytest.mark.parametrize("faults", ["none", pytest.param("heavy", marks=pytest.mark.slow)])
def test_two_nights_tell_the_truth(tmp_path: Path, faults: str) -> None:
    with vendors(faults) as server:
        night(server, tmp_path)
        assert differences(tmp_path, truth(UNTIL, TOOLS)) == []
        first = server.counts["jsm"]
        server.clear_log()
        server.now = UNTIL + DAY
        night(server, tmp_path)
        assert differences(tmp_path, truth(server.now, TOOLS)) == []
        assert server.counts["jsm"] < first / 4
        assert_slas(tmp_path, server)
    assert query(tmp_path, "SELECT count(*) FROM quarantine") == [(0,)]
    assert query(tmp_path, "SELECT team FROM teams WHERE list_contains(sources, 'jsm')") == [("Fernway Warehouse",)]


def assert_slas(data_dir: Path, server: VendorServer) -> None:
    """The vendor's cycles, as it keeps them, and none of its figures among ours."""
    issues: list[Any] = server.simulators["jira"]._book_at(server.now).issues  # type: ignore[attr-defined]
    wanted = {}
    for issue in issues:
        if issue["fields"]["issuetype"]["name"] != "[System] Incident":
            continue
        for field in (SLA_RESOLUTION, SLA_RESPONSE):
            sla = issue["fields"][field]
            cycles = [*sla["completedCycles"], *([sla["ongoingCycle"]] if sla["ongoingCycle"] else [])]
            for place, cycle in enumerate(cycles, 1):
                wanted[issue["id"], sla["name"], place] = (
                    cycle["startTime"]["epochMillis"],
                    cycle["stopTime"]["epochMillis"] if "stopTime" in cycle else None,
                    cycle["breached"],
                    cycle["elapsedTime"]["millis"] / 60_000,
                    "stopTime" not in cycle,
                )
    found = query(
        data_dir,
        """SELECT external_id, name, cycle, epoch_ms(started_at), epoch_ms(stopped_at), breached, elapsed_minutes, is_ongoing
        FROM vendor_sla""",
    )
    assert {row[:3]: row[3:] for row in found} == wanted
    assert any(ongoing for *_, ongoing in wanted.values()) and any(place == 2 for *_, place in wanted)


def test_responders_of_major_incidents(tmp_path: Path) -> None:
    with vendors() as server:
        night(server, tmp_path)
    major = {case.id for case in world().of("jira") if case.major and case.issue_type == "incident"}
    called = query(
        tmp_path, "SELECT DISTINCT external_id FROM incident_responders WHERE source = 'jira' AND kind = 'team'"
    )
    assert {name for (name,) in called} == {
        row.external_id
        for row in world().truth(UNTIL)
        if row.tool == "jira" and row.external_id in major and not row.deleted
    }
