"""PagerDuty change events pulled over HTTP: off by default, within what the vendor keeps, and read once."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from deploy_cases import DAY, MINUTE, NOW, Site, company
from support import slow

from mttr_pipeline.demo import VendorServer, World
from mttr_pipeline.demo.kit.wire import Request
from mttr_pipeline.demo.pagerduty import PagerDutyError, PagerDutySimulator
from mttr_pipeline.demo.pagerduty.changes import change_id, listed
from mttr_pipeline.sources.pagerduty import SOURCE
from mttr_pipeline.warehouse.conformance import odd_record_problems


def site(server: VendorServer, folder: Path, *patterns: str) -> Site:
    return Site("pagerduty", server, folder, change_events=list(patterns))


def change(number: int, at: datetime, summary: str = "Deployed checkout", **more: Any) -> dict[str, Any]:
    return {
        "id": f"01C{number:05d}",
        "type": "change_event",
        "summary": summary,
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "integration": {"id": "PEYSGVF", "type": "inbound_integration_reference"},
        "services": [{"id": "PEYSGRV", "type": "service_reference", "summary": "Checkout"}],
        "custom_details": {"version": "1.2"},
        "links": [],
        **more,
    }


def account(changes: list[dict[str, Any]]) -> PagerDutySimulator:
    return PagerDutySimulator.from_records([], changes=changes)


def test_none_are_read_by_default(tmp_path: Path) -> None:
    """Who does not use them pays no request for them."""
    with VendorServer([account([change(1, NOW - DAY)])], clock=NOW, limits=None) as server:
        here = site(server, tmp_path)
        here.pull()
        assert here.asked("/change_events") == [] and server.log


def test_what_the_vendor_keeps_is_read_once(tmp_path: Path) -> None:
    """The history goes back two years, change events 90 days: older windows would be empty, one request each. The next night reads
    the last days again, because a sender may deliver late; what was read and is gone at the vendor stays."""
    changes = [change(n, NOW - n * DAY) for n in range(1, 130)]
    with VendorServer([account(changes)], clock=NOW, limits=None) as server:
        here = site(server, tmp_path, "^Deployed")
        first = here.pull()
        assert here.ids(first, "change_events") == [row["id"] for row in changes[:90]]
        asked = here.asked("/change_events")
        assert min(ask["since"][0] for ask in asked) == "2026-07-03T06:00:00Z"
        assert all(end.endswith("Z") for ask in asked for end in (*ask["since"], *ask["until"])), "others are refused"
        server.now = NOW + DAY
        late = change(500, NOW - 2 * DAY)  # delivered after the first night
        server.simulators["pagerduty"]._book_at(NOW).changes.append(late)
        second = here.pull(NOW + DAY)
        assert late["id"] in here.ids(second, "change_events") and len(here.rows(second, "change_events")) < 20
        assert len(here.deploys()) == 91


def test_switched_on_later_all_that_is_kept_is_read(tmp_path: Path) -> None:
    """And no other history again. After a break, too: what happened meanwhile would be missing."""
    changes = [change(n, NOW - n * DAY) for n in range(1, 80)]
    with VendorServer([account(changes)], clock=NOW, limits=None) as server:
        here = site(server, tmp_path)
        here.pull()
        here.configure(change_events=["^Deployed"])
        second = here.pull(NOW + DAY)
        assert second.plan["mode"] == "incremental" and len(here.ids(second, "change_events")) == 79
        here.configure()
        here.pull(NOW + 2 * DAY)
        here.configure(change_events=["^Deployed"])
        assert len(here.ids(here.pull(NOW + 3 * DAY), "change_events")) == 79


def test_windows_are_split_before_the_ceiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mttr_pipeline.demo.pagerduty.simulator.CEILING", 200)
    monkeypatch.setattr("mttr_pipeline.sources.pagerduty.pages.CEILING", 200)
    monkeypatch.setattr("mttr_pipeline.sources.pagerduty.pages.TARGET_ROWS", 150)
    changes = [change(n, NOW - 3 * DAY + n * MINUTE) for n in range(900)]
    with VendorServer([account(changes)], clock=NOW, limits=None) as server:
        here = site(server, tmp_path, "^Deployed")
        assert here.ids(here.pull(), "change_events") == [row["id"] for row in changes]
        assert {line.status for line in server.log} == {200}


def test_a_time_that_is_not_in_utc_is_refused() -> None:
    """The simulator plays the trap, so that a pull that falls into it fails here."""
    with pytest.raises(PagerDutyError):
        listed(Request("GET", "/change_events", "since=2026-09-01T00:00:00%2B02:00", {}, b"", ""), [], NOW)


@pytest.mark.parametrize("profile", ["none", *slow("heavy")])
def test_two_nights_are_a_full_pull(tmp_path: Path, profile: str) -> None:
    """Every deploy of the company that is over, with its end to the second, whatever goes wrong meanwhile."""
    world = World(seed=7, until=NOW, volumes={}, days=3)
    world.deploys = [msgspec.structs.replace(one, tool="pagerduty") for one in company(NOW + 2 * DAY)]
    with VendorServer([PagerDutySimulator.from_world(world)], clock=NOW, limits=None, faults=profile) as server:
        nights = site(server, tmp_path / "nights", "PDEPLOYS")
        full = site(server, tmp_path / "full", "PDEPLOYS")
        nights.pull(NOW, since=NOW - 50 * DAY)
        server.now = NOW + DAY
        nights.pull(NOW + DAY)
        full.pull(NOW + DAY, since=NOW - 50 * DAY)
        columns = "external_id, service, environment, version, sha, status, finished_at"
        expected = sorted(
            (
                *(change_id(one), one.service, one.environment, one.version, one.sha, one.outcome),
                one.finished.replace(microsecond=0, tzinfo=None),
            )
            for one in world.deploys
            if one.finished and one.ends_by(NOW + DAY)
        )
        assert nights.deploys(columns) == full.deploys(columns) == expected and len(expected) > 80


def test_odd_records_harm_no_other(tmp_path: Path) -> None:
    assert odd_record_problems(SOURCE, "change_events", change(1, NOW), tmp_path) == []
