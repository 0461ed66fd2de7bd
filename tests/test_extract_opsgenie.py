"""Opsgenie pulled over HTTP from its simulator: complete, with child records, whatever way the account reads dates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support import landed_rows, settings_for

from mttr_pipeline.demo import VendorServer, World
from mttr_pipeline.demo.kit.wire import Request, Response
from mttr_pipeline.demo.opsgenie import OpsgenieSimulator
from mttr_pipeline.demo.profiles import Rule
from mttr_pipeline.errors import PermanentError
from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.landing.store import Landing, new_run_id
from mttr_pipeline.sources.kit.alert_pull import AlertPull
from mttr_pipeline.sources.opsgenie.search import Search
from mttr_pipeline.sources.pulling import build_source, pull

NOW = datetime(2026, 10, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


class Account:
    """An account on a server and pulls of it into one landing zone."""

    def __init__(self, server: VendorServer, folder: Path, **options: Any) -> None:
        self.server = server
        self.landing = Landing(folder / "landing")
        configured = {"sources": {"opsgenie": {"max_wait_minutes": 1, **options}}}
        self.settings = settings_for(folder, configured, server.env("opsgenie"))

    def pull(self, as_of: datetime = NOW, **asked: Any) -> Manifest:
        self.server.clear_log()
        source = build_source("opsgenie", self.settings)
        try:
            return pull(source, self.settings, self.landing, new_run_id(), as_of=as_of, **asked)
        finally:
            source.close()

    def rows(self, manifest: Manifest, stream: str) -> list[Any]:

        return landed_rows(self.landing, manifest, stream)

    def ids(self, manifest: Manifest, stream: str) -> list[str]:
        """Sorted: windows are landed in the order in which their threads come to an end."""
        return sorted(row["id"] for row in self.rows(manifest, stream))


@contextmanager
def account(simulator: OpsgenieSimulator, folder: Path, **options: Any):  # type: ignore[no-untyped-def]
    with VendorServer([simulator], clock=NOW, limits=None) as server:
        yield Account(server, folder, **options)


def iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def alert(number: int, created: datetime, updated: datetime | None = None, **more: Any) -> dict[str, Any]:
    return {
        "id": f"a-{number:06d}",
        "tinyId": str(number),
        "message": f"Alert {number}",
        "status": "closed",
        "createdAt": iso(created),
        "updatedAt": iso(updated or created),
        "priority": "P2",
        **more,
    }


def log(at: datetime, kind: str) -> dict[str, Any]:
    return {"log": kind, "type": kind, "owner": "x", "createdAt": iso(at), "offset": f"{at.timestamp():.0f}_{kind}"}


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=7, until=NOW)


# -- complete ----------------------------------------------------------------------------------------------------------


def test_the_first_pull_has_everything(world: World, tmp_path: Path) -> None:
    with account(OpsgenieSimulator.from_world(world), tmp_path) as site:
        book = site.server.simulators["opsgenie"]._book_at(NOW)
        manifest = site.pull()
        alerts = [row for row in book.alerts if row]
        assert sorted(site.ids(manifest, "alerts")) == sorted(row["id"] for row in alerts)
        assert {row["id"]: row for row in site.rows(manifest, "alert_details")} == {row["id"]: row for row in alerts}
        logs = Counter(row["parent_id"] for row in site.rows(manifest, "alert_logs"))
        assert logs == {row["id"]: len(book.logs[row["id"]]) for row in alerts if book.logs.get(row["id"])}
        assert sorted(site.ids(manifest, "incidents")) == sorted(row["id"] for row in book.incidents)
        entries = Counter(row["parent_id"] for row in site.rows(manifest, "incident_timelines"))
        assert entries == {name: len(rows) for name, rows in book.timelines.items() if rows}
        assert len(site.rows(manifest, "services")) == len(book.services)
        assert len(site.rows(manifest, "teams")) == len(book.teams)
        assert manifest.facts["site"]["alert_dates"] == {"createdAt": "epoch_ms"}


def test_no_key_that_paging_links_echo_is_landed(world: World, tmp_path: Path) -> None:
    with account(OpsgenieSimulator.from_world(world), tmp_path) as site:
        site.pull()
        key = site.settings.account("opsgenie").access.key.get_secret_value().encode()
        assert site.server.requests("opsgenie") and all("apiKey" not in line.query for line in site.server.log)
        assert all(key not in path.read_bytes() for path in site.landing.root.rglob("*.json*"))


def test_windows_are_split_before_the_ceiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """25,000 alerts in two days, at a hundredth of the size: ceiling 200, 250 alerts."""
    monkeypatch.setattr("mttr_pipeline.demo.opsgenie.simulator.CEILING", 200)
    monkeypatch.setattr("mttr_pipeline.demo.opsgenie.simulator.MAX_LIMIT", 10)
    monkeypatch.setattr(Search, "ceiling", 200)
    monkeypatch.setattr(Search, "page_size", 10)
    monkeypatch.setattr(AlertPull, "rows_per_window", 100)
    rows = [alert(n, NOW - 2 * DAY + n * 691 * SECOND) for n in range(250)]
    with account(OpsgenieSimulator.from_records(rows), tmp_path, details=False) as site:
        manifest = site.pull()
        assert site.ids(manifest, "alerts") == [row["id"] for row in rows]
        assert all(line.status == 200 for line in site.server.log)
        assert max(file.records for file in manifest.files) <= 200


def test_more_alerts_in_a_second_than_the_ceiling_stop_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Search, "ceiling", 200)
    rows = [alert(n, NOW - DAY) for n in range(201)]
    monkeypatch.setattr(AlertPull, "rows_per_window", 100)
    with account(OpsgenieSimulator.from_records(rows), tmp_path) as site, pytest.raises(PermanentError, match="second"):
        site.pull()


def test_logs_longer_than_a_page_are_whole(tmp_path: Path) -> None:
    logs = [log(NOW - DAY + n * SECOND, "notified") for n in range(250)]
    simulator = OpsgenieSimulator.from_records([alert(1, NOW - DAY)], logs={"a-000001": logs})
    with account(simulator, tmp_path) as site:
        manifest = site.pull()
        assert [row["record"] for row in site.rows(manifest, "alert_logs")] == logs


def test_timelines_longer_than_a_page_are_whole(tmp_path: Path) -> None:
    incident = {"id": "i-1", "message": "Down", "createdAt": iso(NOW - DAY), "updatedAt": iso(NOW - DAY)}
    entries = [{"id": f"e{n}", "group": "incident", "type": "X", "eventTime": iso(NOW - DAY)} for n in range(230)]
    with account(OpsgenieSimulator.from_records([], [incident], timelines={"i-1": entries}), tmp_path) as site:
        manifest = site.pull()
        assert [row["record"] for row in site.rows(manifest, "incident_timelines")] == entries


def test_an_empty_account_is_no_error(tmp_path: Path) -> None:
    with account(OpsgenieSimulator.from_records([], services=[], teams=[]), tmp_path) as site:
        manifest = site.pull()
        assert manifest.status == "complete" and manifest.records == 0
        assert site.pull(NOW + DAY).records == 0


# -- how the account reads dates ---------------------------------------------------------------------------------------


class Dialect(OpsgenieSimulator):
    """An account that reads dates in its own way: `rewrite` turns its way into milliseconds, which the base reads."""

    rewrite: Callable[[str], str]

    def handle(self, request: Request, now: datetime) -> Response:
        if "query" in request.query:
            try:
                request.query["query"] = [self.rewrite(request.query["query"][-1])]
            except ValueError as error:
                return Response(422, self.error(422, str(error)))
        return super().handle(request, now)


def seconds(query: str) -> str:
    return re.sub(r"\b(\d{9,})\b", lambda m: str(int(m[1]) * 1000), query)


def day_first(query: str) -> str:
    if re.search(r"[<>]=? ?\d", query):
        raise ValueError("Query is not valid: dates are dd-MM-yyyyTHH:mm:ss")
    return query


def ignored(query: str) -> str:
    return ""


def in_another_zone(query: str) -> str:
    return re.sub(r"\b(\d{12,})\b", lambda m: str(int(m[1]) + 3_600_000), query)


@pytest.mark.parametrize(("rewrite", "name"), [(seconds, "epoch_s"), (day_first, "day_first")])
def test_the_encoding_of_dates_is_found_out_once(tmp_path: Path, rewrite: Callable[[str], str], name: str) -> None:
    rows = [alert(n, NOW - 9 * DAY + n * DAY) for n in range(9)]
    simulator = Dialect(OpsgenieSimulator.from_records(rows)._book_at)
    simulator.rewrite = rewrite  # type: ignore[method-assign]
    with account(simulator, tmp_path, details=False) as site:
        first = site.pull(NOW)
        assert site.ids(first, "alerts") == [row["id"] for row in rows]
        assert first.facts["site"]["alert_dates"]["createdAt"] == name
        site.pull(NOW + DAY)
        probes = len(site.server.log)
        third = site.pull(NOW + 2 * DAY)
        assert len(site.server.log) < probes, "what was probed is not probed again"
        assert third.facts["site"]["alert_dates"] == {"createdAt": name, "updatedAt": name}


@pytest.mark.parametrize("rewrite", [ignored, in_another_zone])
def test_a_search_that_does_not_understand_dates_stops_the_source(
    tmp_path: Path, rewrite: Callable[[str], str]
) -> None:
    rows = [alert(n, NOW - 9 * DAY + n * DAY) for n in range(9)]
    simulator = Dialect(OpsgenieSimulator.from_records(rows)._book_at)
    simulator.rewrite = rewrite  # type: ignore[method-assign]
    if rewrite is in_another_zone:  # the quoted form would still be right
        simulator.rewrite = lambda query: in_another_zone(day_first(query) if '"' not in query else "x:y")
    with account(simulator, tmp_path) as site, pytest.raises(PermanentError, match="supported date formats"):
        site.pull()


# -- current -----------------------------------------------------------------------------------------------------------


def test_the_second_night_reads_only_what_changed(world: World, tmp_path: Path) -> None:
    with account(OpsgenieSimulator.from_world(world), tmp_path) as site:
        first = site.pull(NOW)
        cost = len(site.server.log)
        site.server.now = NOW + DAY
        second = site.pull(NOW + DAY)
        assert second.plan["mode"] == "incremental"
        assert len(site.server.log) < cost / 5
        book = site.server.simulators["opsgenie"]._book_at(NOW + DAY)
        details = {row["id"]: row for m in (first, second) for row in site.rows(m, "alert_details")}
        wanted = {row["id"]: row for row in book.alerts if row}
        assert {name: details[name] for name in wanted} == wanted
        incidents = {row["id"]: row for m in (first, second) for row in site.rows(m, "incidents")}
        assert {row["id"]: incidents[row["id"]] for row in book.incidents} == {row["id"]: row for row in book.incidents}


def no_updated(query: str) -> str:
    if "updatedAt" in query:
        raise ValueError("Query is not valid: field [updatedAt] is not searchable")
    return query


@pytest.mark.parametrize("sortable", [True, False])
def test_without_a_search_by_change_an_old_alert_closed_late_is_found(tmp_path: Path, sortable: bool) -> None:
    """First by walking the sort order back to the mark; where that does not hold, by listing everything again."""
    rows = [alert(n, NOW - 60 * DAY + n * DAY, status="open") for n in range(50)]
    simulator = Dialect(OpsgenieSimulator.from_records(rows)._book_at)
    simulator.rewrite = no_updated  # type: ignore[method-assign]
    if not sortable:
        plain = Dialect.handle

        def handle(request: Request, now: datetime) -> Response:
            request.query.pop("sort", None)
            request.query["order"] = ["asc"]
            return plain(simulator, request, now)

        simulator.handle = handle  # type: ignore[method-assign]
    with account(simulator, tmp_path, details=False) as site:
        site.pull(NOW)
        rows[3].update(status="closed", updatedAt=iso(NOW + 3600 * SECOND))
        simulator._book_at(NOW).alerts[3].update(rows[3])
        simulator._book_at(NOW).answers.clear()
        second = site.pull(NOW + DAY)
        found = {row["id"]: row for row in site.rows(second, "alerts")}
        assert found["a-000003"]["status"] == "closed"
        asked = {line.path.split("/")[3] for line in site.server.log if line.path.endswith("/logs")}
        assert asked == {"a-000003"}, "child records only for what changed"


# -- faults ------------------------------------------------------------------------------------------------------------


def test_an_alert_deleted_between_list_and_detail_is_counted(tmp_path: Path) -> None:
    rows = [alert(n, NOW - DAY + n * SECOND) for n in range(5)]
    with account(OpsgenieSimulator.from_records(rows), tmp_path) as site:
        site.server.set_faults((Rule("status", attempts=None, argument=404, path="/v2/alerts/a-000002"),))
        manifest = site.pull()
        assert len(site.rows(manifest, "alerts")) == 5 and len(site.rows(manifest, "alert_details")) == 4
        assert manifest.facts["counts"]["deleted_between_list_and_detail"] == 3  # details, logs, notes


@pytest.mark.parametrize("status", [402, 403])
def test_a_plan_without_incidents_is_noted(world: World, tmp_path: Path, status: int) -> None:
    with account(OpsgenieSimulator.from_world(world), tmp_path) as site:
        site.server.set_faults((Rule("status", attempts=None, argument=status, path="/v1/incidents"),))
        manifest = site.pull(since=NOW - 5 * DAY)
        assert manifest.status == "complete" and manifest.facts["counts"]["incidents_not_in_plan"] == 1
        assert site.rows(manifest, "alerts")


def test_faults_change_nothing_in_what_is_landed(tmp_path: Path) -> None:
    rows = [alert(n, NOW - DAY + n * SECOND) for n in range(130)]
    logs = {row["id"]: [log(NOW - DAY, "ack")] for row in rows}
    with account(OpsgenieSimulator.from_records(rows, logs=logs), tmp_path, details=False) as site:
        site.server.set_faults(
            (Rule("reset", share=0.1), Rule("status", share=0.1, argument=503), Rule("cut", share=0.1))
        )
        manifest = site.pull()
        assert sorted(site.ids(manifest, "alerts")) == [row["id"] for row in rows]
        assert len(site.rows(manifest, "alert_logs")) == 130


@pytest.mark.parametrize(
    ("said", "told", "untold"),
    [
        (
            "Api key is not authorized, use an API key from an API integration",
            "key of another kind of integration",
            "needs read access to the account",
        ),
        (
            "You are not authorized to access this resource",
            "needs read access to the account, not to a team",
            "another kind of integration",
        ),
    ],
)
def test_a_forbidden_key_is_told_by_its_cause(tmp_path: Path, said: str, told: str, untold: str) -> None:
    """Both have status 403: a key of, say, a Prometheus integration is no matter of a team's rights.

    What is told also names the address that refused first, which of several that are asked at once is left to chance.
    """
    simulator = OpsgenieSimulator.from_records([alert(1, NOW - DAY)], logs={})
    body = f'{{"message":"{said}","code":40301}}'.encode()
    simulator.handle = lambda request, now: Response(403, body)  # type: ignore[method-assign]
    with account(simulator, tmp_path) as site:
        with pytest.raises(PermanentError, match=told) as caught:
            site.pull()
        assert untold not in str(caught.value)


@pytest.mark.parametrize("after", [8, 30, 100])
def test_a_pull_that_broke_off_continues_with_what_is_missing(tmp_path: Path, after: int) -> None:
    rows = [alert(n, NOW - 50 * DAY + n * 3600 * SECOND) for n in range(200)]
    with account(OpsgenieSimulator.from_records(rows, logs={}), tmp_path) as site:
        site.server.set_faults((Rule("status", nth=after, argument=403, path="/v2/alerts"),))
        with pytest.raises(PermanentError, match="read access"):
            site.pull()
        failed = site.landing.manifests("opsgenie")[-1]
        site.server.set_faults("none")
        manifest = site.pull()
        assert len(manifest.attempts) == 2
        assert {(f.stream, f.window) for f in failed.files} <= {(f.stream, f.window) for f in manifest.files}
        assert len(site.rows(manifest, "alert_details")) == 200
        again = Counter((line.path, line.query) for line in site.server.log)
        assert max(again.values()) == 1
        done = {row["id"] for row in site.rows(failed, "alert_details")}
        asked = {line.path.split("/")[3] for line in site.server.log if line.path.count("/") == 3}
        assert not asked & done, "finished details are not read again"


def test_the_alerts_of_an_incident_are_read_when_it_changes(tmp_path: Path) -> None:
    """One record with both lists, so an alert that is taken off is gone; the second night asks about changed incidents only."""
    created = NOW - 3 * DAY
    incidents = [
        {
            "id": f"i-{n}",
            "message": "x",
            "createdAt": iso(created),
            "updatedAt": iso(created if n else NOW),
            "status": "open",
        }
        for n in range(2)
    ]
    many = [f"a-{n}" for n in range(250)]
    of = {"i-0": {"associated-alert-ids": many, "responder-alert-ids": ["r-1"]}}
    with account(OpsgenieSimulator.from_records([], incidents, alerts_of=of), tmp_path) as site:
        first = sorted(site.rows(site.pull(), "incident_alerts"), key=lambda row: row["incidentId"])
        assert first == [
            {"incidentId": "i-0", "associated": many, "responders": ["r-1"]},
            {"incidentId": "i-1", "associated": [], "responders": []},
        ]
        del many[:]
        second = site.rows(site.pull(NOW + DAY), "incident_alerts")
        assert second == [{"incidentId": "i-0", "associated": [], "responders": ["r-1"]}]


def test_an_account_without_lists_of_alerts_is_read_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor's reference does not know these requests; no incident counts as deleted because of them."""
    simulator = OpsgenieSimulator.from_records(
        [], [{"id": "i-1", "message": "x", "createdAt": iso(NOW - DAY), "updatedAt": iso(NOW - DAY), "status": "open"}]
    )
    answer = simulator.handle

    def without(request: Request, now: datetime) -> Response:
        return (
            Response(404, simulator.error(404, "Not found")) if "-alert-ids" in request.path else answer(request, now)
        )

    monkeypatch.setattr(simulator, "handle", without)
    with account(simulator, tmp_path) as site:
        manifest = site.pull()
    assert manifest.facts["counts"]["incident_alerts_not_readable"] == 1
    assert site.ids(manifest, "incidents") == ["i-1"]
    assert site.rows(manifest, "incident_alerts") == site.rows(manifest, "tombstones") == []
