"""JSM Operations pulled over HTTP from its simulator: complete, with child records, and current without a listing by change."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support import landed_rows, settings_for

from mttr_pipeline.demo import VendorServer, World
from mttr_pipeline.demo.jsm import JsmSimulator
from mttr_pipeline.demo.kit.wire import Request, Response, answer
from mttr_pipeline.demo.profiles import Rule
from mttr_pipeline.errors import ConfigError, PermanentError
from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.landing.store import Landing, new_run_id
from mttr_pipeline.sources.jsm.search import Search
from mttr_pipeline.sources.kit.alert_pull import AlertPull
from mttr_pipeline.sources.pulling import build_source, pull
from mttr_pipeline.sources.registry import load_settings

NOW = datetime(2026, 10, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
API = "/jsm/ops/api/"


class Site:
    """A site on a server and pulls of it into one landing zone."""

    def __init__(self, server: VendorServer, folder: Path, **options: Any) -> None:
        self.server = server
        self.landing = Landing(folder / "landing")
        configured = {"sources": {"jsm": {"max_wait_minutes": 1, **options}}}
        self.settings = settings_for(folder, configured, server.env("jsm"))

    def pull(self, as_of: datetime = NOW, **asked: Any) -> Manifest:
        self.server.clear_log()
        self.server.now = as_of
        source = build_source("jsm", self.settings)
        try:
            return pull(source, self.settings, self.landing, new_run_id(), as_of=as_of, **asked)
        finally:
            source.close()

    def check(self) -> str:
        source = build_source("jsm", self.settings)
        try:
            return source.check()
        finally:
            source.close()

    def rows(self, manifest: Manifest, stream: str) -> list[Any]:
        return landed_rows(self.landing, manifest, stream)

    def ids(self, manifest: Manifest, stream: str) -> list[str]:
        """Sorted: windows are landed in the order in which their threads come to an end."""
        return sorted(row["id"] for row in self.rows(manifest, stream))

    def paths(self, ending: str = "") -> list[str]:
        return [line.path.partition("/v1/")[2] for line in self.server.log if line.path.endswith(ending)]


@contextmanager
def site(simulator: JsmSimulator, folder: Path, **options: Any) -> Iterator[Site]:
    with VendorServer([simulator], clock=NOW, limits=None) as server:
        yield Site(server, folder, **options)


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


def log(at: datetime, text: str) -> dict[str, Any]:
    return {"log": text, "logType": "system", "logTime": iso(at), "owner": "system"}


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=7, until=NOW)


# -- complete ----------------------------------------------------------------------------------------------------------


def test_the_first_pull_has_everything(world: World, tmp_path: Path) -> None:
    simulator = JsmSimulator.from_world(world)
    with site(simulator, tmp_path) as here:
        book = simulator._book_at(NOW)
        manifest = here.pull()
        assert sorted(here.ids(manifest, "alerts")) == sorted(row["id"] for row in book.alerts)
        assert {row["id"]: row for row in here.rows(manifest, "alert_details")} == {
            row["id"]: row for row in book.alerts
        }
        for stream, rows in (("alert_logs", book.logs), ("alert_notes", book.notes)):
            landed = Counter(row["parent_id"] for row in here.rows(manifest, stream))
            assert landed == {name: len(found) for name, found in rows.items() if found}
        assert here.rows(manifest, "teams") == book.teams
        assert manifest.facts["site"]["alert_dates"] == {"createdAt": "epoch_ms", "updatedAt": None}
        assert set(manifest.facts["site"]["open_alerts"]) == {a["id"] for a in book.alerts if a["status"] == "open"}
        assert all(line.path.startswith(API) and line.status in (200, 400) for line in here.server.log)


def test_links_are_not_followed_and_the_secret_is_not_landed(world: World, tmp_path: Path) -> None:
    with site(JsmSimulator.from_world(world), tmp_path) as here:
        here.pull()
        token = here.settings.account("jsm").access.token.get_secret_value().encode()
        assert all(token not in path.read_bytes() for path in here.landing.root.rglob("*.json*"))
        assert all("limit=" not in line.query for line in here.server.log), "only size means anything"


def shrunk(monkeypatch: pytest.MonkeyPatch, by: int) -> None:
    """The ceiling of 20,000 and the page of 100, `by` times smaller on both sides."""
    monkeypatch.setattr("mttr_pipeline.demo.jsm.simulator.CEILING", 20_000 // by)
    monkeypatch.setattr(Search, "ceiling", 20_000 // by - 1)
    monkeypatch.setattr("mttr_pipeline.demo.jsm.simulator.MAX_SIZE", 10)
    monkeypatch.setattr(Search, "page_size", 10)
    monkeypatch.setattr(AlertPull, "rows_per_window", 10_000 // by)


def test_windows_are_split_before_the_ceiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """25,000 alerts in two days, at a hundredth of the size."""
    shrunk(monkeypatch, 100)
    rows = [alert(n, NOW - 2 * DAY + n * 691 * SECOND) for n in range(250)]
    with site(JsmSimulator.from_records(rows), tmp_path, details=False) as here:
        manifest = here.pull()
        assert sorted(here.ids(manifest, "alerts")) == [row["id"] for row in rows]
        refused = [line.query for line in here.server.log if line.status != 200]
        assert all("updatedAt" in query for query in refused), "only the probe is refused"
        assert max(file.records for file in manifest.files) <= 199


@pytest.mark.slow
def test_25_000_alerts_in_two_days(tmp_path: Path) -> None:
    rows = [alert(n, NOW - 2 * DAY + n * 6.9 * SECOND) for n in range(25_000)]
    with site(JsmSimulator.from_records(rows), tmp_path, details=False) as here:
        # The lists alone: 50,000 requests for child records would show nothing more
        here.server.simulators["jsm"] = NoChildren(here.server.simulators["jsm"]._book_at)
        manifest = here.pull()
        assert sorted(here.ids(manifest, "alerts")) == [row["id"] for row in rows]
        assert not manifest.facts.get("count_differences")


class NoChildren(JsmSimulator):
    """Counts as known that no alert has logs or notes: answered without looking."""

    def handle(self, request: Request, now: datetime) -> Response:
        if request.path.endswith(("/logs", "/notes")):
            return answer({"values": [], "links": {}})
        return super().handle(request, now)


@pytest.mark.parametrize("ranges", [True, False])
def test_more_alerts_in_a_second_than_the_ceiling_stop_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ranges: bool
) -> None:
    shrunk(monkeypatch, 100)
    rows = [alert(n, NOW - DAY) for n in range(201)]
    simulator = JsmSimulator.from_records(rows, ranges=ranges)
    with site(simulator, tmp_path) as here, pytest.raises(PermanentError, match="second"):
        here.pull()
    assert here.landing.manifests("jsm")[-1].status == "failed"


def test_pages_that_are_shorter_than_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest size is not documented: a smaller page moves the offset by what it holds."""
    monkeypatch.setattr("mttr_pipeline.demo.jsm.simulator.MAX_SIZE", 20)
    rows = [alert(n, NOW - DAY + n * SECOND) for n in range(75)]
    with site(JsmSimulator.from_records(rows), tmp_path, details=False) as here:
        assert here.ids(here.pull(), "alerts") == [row["id"] for row in rows]


def test_logs_and_notes_longer_than_a_page_are_whole(tmp_path: Path) -> None:
    logs = [log(NOW - DAY + n * SECOND, f"entry {n}") for n in range(250)]
    notes = [{"id": str(n), "note": f"note {n}", "owner": "x", "createdAt": iso(NOW - DAY)} for n in range(130)]
    simulator = JsmSimulator.from_records([alert(1, NOW - DAY)], logs={"a-000001": logs}, notes={"a-000001": notes})
    with site(simulator, tmp_path) as here:
        manifest = here.pull()
        assert [row["record"] for row in here.rows(manifest, "alert_logs")] == logs
        assert [row["record"] for row in here.rows(manifest, "alert_notes")] == notes
        assert {row["parent_id"] for row in here.rows(manifest, "alert_logs")} == {"a-000001"}


class FirstPageForEver(JsmSimulator):
    """Ignores `after`, as the live site ignores `offset`: the first page again, with the same key."""

    def handle(self, request: Request, now: datetime) -> Response:
        request.query.pop("after", None)
        return super().handle(request, now)


def test_a_key_that_comes_back_is_an_error_and_no_endless_loop(tmp_path: Path) -> None:
    logs = {"a-000001": [log(NOW - DAY + n * SECOND, f"entry {n}") for n in range(250)]}
    source = JsmSimulator.from_records([alert(1, NOW - DAY)], logs=logs)
    with site(FirstPageForEver(source._book_at), tmp_path) as here:
        with pytest.raises(PermanentError, match="does not end"):
            here.pull()
        assert len(here.paths("/logs")) < 10


class EmptyInBetween(JsmSimulator):
    """The second page of a log is empty the first time it is asked for, and says that there is more."""

    asked = 0

    def handle(self, request: Request, now: datetime) -> Response:
        response = super().handle(request, now)
        if request.path.endswith("/logs") and "after" in request.query:
            self.asked += 1
            if self.asked == 1:
                body = msgspec.json.decode(response.body)
                shown = request.one("after")
                body["links"] = {"next": f"/v1/alerts/a-000001/logs?size=100&after={shown}x"}
                response.body = msgspec.json.encode({**body, "values": []})
            elif request.query["after"][-1].endswith("x"):
                request.query["after"] = [request.query["after"][-1].removesuffix("x")]
                return super().handle(request, now)
        return response


def test_an_empty_page_that_says_there_is_more_is_not_the_end(tmp_path: Path) -> None:
    logs = {"a-000001": [log(NOW - DAY + n * SECOND, f"entry {n}") for n in range(250)]}
    source = JsmSimulator.from_records([alert(1, NOW - DAY)], logs=logs)
    with site(EmptyInBetween(source._book_at), tmp_path) as here:
        manifest = here.pull()
        assert [row["record"] for row in here.rows(manifest, "alert_logs")] == logs["a-000001"]


def test_an_empty_site_is_no_error(tmp_path: Path) -> None:
    with site(JsmSimulator.from_records(team_rows=[]), tmp_path) as here:
        assert here.pull().records == 0
        assert here.pull(NOW + DAY).status == "complete"


# -- how the site reads dates ------------------------------------------------------------------------------------------


class Dialect(JsmSimulator):
    """A site that reads dates in its own way: `rewrite` changes the parameters into those that the base reads."""

    rewrite: Callable[[dict[str, list[str]]], None]

    def handle(self, request: Request, now: datetime) -> Response:
        try:
            self.rewrite(request.query)
        except ValueError as error:
            return Response(400, self.error(400, str(error)))
        return super().handle(request, now)


def seconds(query: dict[str, list[str]]) -> None:
    if "query" in query:
        query["query"] = [re.sub(r"\b(\d{9,})\b", lambda m: str(int(m[1]) * 1000), query["query"][-1])]


def day_first(query: dict[str, list[str]]) -> None:
    if re.search(r"At [<>]=? ?\d", query.get("query", [""])[-1]):
        raise ValueError("Query is not valid: dates are dd-MM-yyyyTHH:mm:ss")


def only_ranges(query: dict[str, list[str]]) -> None:
    if "At" in query.get("query", [""])[-1]:
        raise ValueError("Query is not valid: no dates here")


def ranges_in_seconds(query: dict[str, list[str]]) -> None:
    only_ranges(query)
    for name in ("from", "to"):
        if name in query:
            query[name] = [str(int(query[name][-1]) * 1000)]


@pytest.mark.parametrize(
    ("rewrite", "way"),
    [(seconds, "epoch_s"), (day_first, "day_first"), (only_ranges, "range_ms"), (ranges_in_seconds, "range_s")],
)
def test_how_dates_are_written_is_found_out_once(tmp_path: Path, rewrite: Any, way: str) -> None:
    rows = [alert(n, NOW - 60 * DAY + n * DAY) for n in range(59)]
    simulator = Dialect(JsmSimulator.from_records(rows)._book_at)
    simulator.rewrite = rewrite  # type: ignore[method-assign]
    with site(simulator, tmp_path, details=False) as here:
        first = here.pull()
        assert here.ids(first, "alerts") == [row["id"] for row in rows]
        assert first.facts["site"]["alert_dates"]["createdAt"] == way
        second = here.pull(NOW + DAY)
        assert second.facts["site"] == first.facts["site"]
        assert not any(line.status == 400 for line in here.server.log), "what was probed is not probed again"


def nothing(query: dict[str, list[str]]) -> None:
    for name in ("query", "from", "to"):
        query.pop(name, None)


def test_a_site_without_any_search_is_listed_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [alert(n, NOW - 60 * DAY + n * DAY) for n in range(50)]
    simulator = Dialect(JsmSimulator.from_records(rows)._book_at)
    simulator.rewrite = nothing  # type: ignore[method-assign]
    with site(simulator, tmp_path, details=False) as here:
        assert here.ids(here.pull(), "alerts") == [row["id"] for row in rows]
        assert len(here.rows(here.pull(NOW + DAY), "alerts")) == 50
        assert not here.paths("/logs"), "nothing changed, so no child record is read"
        shrunk(monkeypatch, 500)
        with pytest.raises(PermanentError, match="cannot be split"):
            here.pull(NOW + 2 * DAY)


class GrandTotal(JsmSimulator):
    """A site whose `count` is that of all alerts, whatever is searched."""

    def handle(self, request: Request, now: datetime) -> Response:
        response = super().handle(request, now)
        if request.path.endswith("/alerts") and response.status == 200:
            body = msgspec.json.decode(response.body)
            response.body = msgspec.json.encode({**body, "count": 105_516})
        return response


def test_a_count_of_everything_is_not_taken_for_that_of_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrunk(monkeypatch, 100)
    rows = [alert(n, NOW - 2 * DAY + n * 691 * SECOND) for n in range(250)]
    with site(GrandTotal(JsmSimulator.from_records(rows)._book_at), tmp_path, details=False) as here:
        manifest = here.pull()
        assert sorted(set(here.ids(manifest, "alerts"))) == [row["id"] for row in rows]
        assert manifest.facts["site"]["count_is_of_the_search"] is False


# -- current -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"updated_searchable": True}])
def test_the_second_night_knows_what_a_first_pull_would_know(
    world: World, tmp_path: Path, options: dict[str, Any]
) -> None:
    simulator = JsmSimulator.from_world(world, **options)
    with site(simulator, tmp_path) as here:
        pulls = [here.pull()]
        cost = len(here.server.log)
        pulls.append(here.pull(NOW + DAY))
        assert pulls[1].plan["mode"] == "incremental"
        assert len(here.server.log) < cost / 4
        book = simulator._book_at(NOW + DAY)
        for stream, wanted in (
            ("alert_details", {row["id"]: row for row in book.alerts}),
            ("alerts", {row["id"]: row["updatedAt"] for row in book.alerts}),
        ):
            newest = {row["id"]: row for manifest in pulls for row in here.rows(manifest, stream)}
            found = {name: newest[name] for name in wanted}
            assert wanted == (
                found if stream == "alert_details" else {name: row["updatedAt"] for name, row in found.items()}
            )
        logs = {
            (row["parent_id"], row["record"]["log"], row["record"]["logTime"])
            for manifest in pulls
            for row in here.rows(manifest, "alert_logs")
        }
        assert all((name, row["log"], row["logTime"]) in logs for name, rows in book.logs.items() for _, row in rows)


@pytest.mark.parametrize("relist_requests", [200, 0])
def test_an_old_alert_acknowledged_late_is_found(tmp_path: Path, relist_requests: int) -> None:
    rows = [alert(n, NOW - 60 * DAY + n * DAY, status="open") for n in range(40)]
    rows += [alert(n, NOW - 60 * DAY + n * SECOND) for n in range(40, 90)]
    logs: dict[str, list[dict[str, Any]]] = {}
    simulator = JsmSimulator.from_records(rows, logs=logs)
    with site(simulator, tmp_path, details=False, relist_requests=relist_requests) as here:
        here.pull()
        change(simulator, 3, NOW + 3600 * SECOND, acknowledged=True, ackTime=iso(NOW + 3600 * SECOND))
        change(simulator, 5, NOW + 7200 * SECOND, status="closed", closeTime=iso(NOW + 7200 * SECOND))
        second = here.pull(NOW + DAY)
        found = {row["id"]: row for row in here.rows(second, "alerts")}
        assert found["a-000003"]["ackTime"] == iso(NOW + 3600 * SECOND)
        assert found["a-000005"]["status"] == "closed"
        assert {path.split("/")[1] for path in here.paths("/logs")} == {"a-000003", "a-000005"}
        assert "a-000005" not in second.facts["site"]["open_alerts"] and len(second.facts["site"]["open_alerts"]) == 39
        if not relist_requests:
            assert "a-000050" not in found, "closed ones that are not recent are left alone"
            third = here.pull(NOW + 2 * DAY)
            assert not here.paths("/logs") and third.facts["site"]["open_alerts"] == second.facts["site"]["open_alerts"]


def change(simulator: JsmSimulator, place: int, at: datetime, **values: Any) -> None:
    """Change an alert of a fixed site."""
    book = simulator._book_at(at)
    book.alerts[place].update(updatedAt=iso(at), **values)
    book.answers.clear()


def test_closed_alerts_are_looked_at_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """40 old alerts, pages of 10, two of them a night: a change after the close is found within a round, once."""
    shrunk(monkeypatch, 1)
    rows = [alert(n, NOW - 700 * DAY + n * 17 * DAY) for n in range(40)]
    simulator = JsmSimulator.from_records(rows)
    with site(simulator, tmp_path, details=False, relist_requests=2) as here:
        here.pull()
        for place in (2, 35):
            change(simulator, place, NOW + 3600 * SECOND, priority="P1")
        found: list[tuple[int, str]] = []
        for night in range(1, 6):
            manifest = here.pull(NOW + night * DAY)
            found += [(night, row["id"]) for row in here.rows(manifest, "alerts") if row["priority"] == "P1"]
            read = {path.split("/")[1] for path in here.paths("/logs")}
            assert read == {name for when, name in found if when == night} or night > 2, "their logs, when first seen"
            assert len(here.paths("/alerts")) < 12
        assert {name for night, name in found if night <= 2} == {"a-000002", "a-000035"}


def test_a_search_that_does_not_know_open_alerts_lists_everything(tmp_path: Path) -> None:
    rows = [alert(n, NOW - 60 * DAY + n * DAY, status="open") for n in range(40)]
    simulator = Dialect(JsmSimulator.from_records(rows)._book_at)

    def refuse(query: dict[str, list[str]]) -> None:
        if "status" in query.get("query", [""])[-1]:
            raise ValueError("Query is not valid: status")

    simulator.rewrite = refuse  # type: ignore[method-assign]
    with site(simulator, tmp_path, details=False, relist_requests=0) as here:
        here.pull()
        change(simulator, 3, NOW + 3600 * SECOND, status="closed")
        second = here.pull(NOW + DAY)
        assert second.facts["counts"]["alerts_listed_again_in_full"] == 1
        assert {row["id"]: row["status"] for row in here.rows(second, "alerts")}["a-000003"] == "closed"


def test_an_open_alert_that_was_deleted_is_forgotten(tmp_path: Path) -> None:
    rows = [alert(n, NOW - 60 * DAY + n * DAY, status="open") for n in range(5)]
    simulator = JsmSimulator.from_records(rows)
    with site(simulator, tmp_path, details=False, relist_requests=0) as here:
        here.pull()
        del simulator._book_at(NOW).alerts[2]
        simulator._book_at(NOW).answers.clear()
        second = here.pull(NOW + DAY)
        assert second.facts["counts"]["open_alerts_deleted"] == 1
        assert len(second.facts["site"]["open_alerts"]) == 4


# -- refusals and faults -----------------------------------------------------------------------------------------------


def test_a_missing_scope_is_named(tmp_path: Path) -> None:
    with site(JsmSimulator.from_records([], scopes=()), tmp_path) as here:
        with pytest.raises(PermanentError, match=r"lacks a scope.*read:ops-alert:jira-service-management"):
            here.check()
        with pytest.raises(PermanentError, match="read:ops-alert:jira-service-management"):
            here.pull()


def test_teams_are_not_worth_failing_for(tmp_path: Path) -> None:
    simulator = JsmSimulator.from_records([alert(1, NOW - DAY)], scopes=("read:ops-alert",))
    with site(simulator, tmp_path) as here:
        manifest = here.pull()
        assert manifest.facts["counts"]["teams_not_readable"] == 1 and here.ids(manifest, "alerts") == ["a-000001"]


def test_wrong_credentials_say_what_to_check(tmp_path: Path) -> None:
    simulator = JsmSimulator.from_records([alert(1, NOW - DAY)])
    with site(simulator, tmp_path) as here:
        assert here.check().endswith("1 alerts")
        simulator.token = "another"
        with pytest.raises(PermanentError, match="JSM_EMAIL and JSM_API_TOKEN") as refusal:
            here.check()
        assert here.settings.account("jsm").access.token.get_secret_value() not in str(refusal.value)


def test_another_site_is_read_from_its_beginning(tmp_path: Path) -> None:
    simulator = JsmSimulator.from_records([alert(1, NOW - 90 * DAY)])
    with site(simulator, tmp_path) as here:
        first = here.pull()
        assert first.plan["scope"]["cloud_id"] == here.settings.account("jsm").access.cloud_id
        other = here.settings.account("jsm").access.model_copy(update={"cloud_id": "other"})
        elsewhere = replace(here.settings.account("jsm"), access=other)
        here.settings = replace(here.settings, accounts=(elsewhere,))
        with pytest.raises(PermanentError, match="JSM_CLOUD_ID"):
            here.pull(NOW + DAY)
        assert here.landing.manifests("jsm")[-1].plan["mode"] == "backfill"


def test_faults_change_nothing_in_what_is_landed(tmp_path: Path) -> None:
    rows = [alert(n, NOW - DAY + n * SECOND) for n in range(130)]
    logs = {row["id"]: [log(NOW - DAY, "Alert acknowledged via web")] for row in rows}
    with site(JsmSimulator.from_records(rows, logs=logs), tmp_path, details=False) as here:
        here.server.set_faults(
            (Rule("reset", share=0.1), Rule("status", share=0.1, argument=503), Rule("cut", share=0.1))
        )
        manifest = here.pull()
        assert sorted(here.ids(manifest, "alerts")) == [row["id"] for row in rows]
        assert len(here.rows(manifest, "alert_logs")) == 130


@pytest.mark.parametrize("after", [9, 40])
def test_a_pull_that_broke_off_continues_with_what_is_missing(tmp_path: Path, after: int) -> None:
    rows = [alert(n, NOW - 50 * DAY + n * 3600 * SECOND) for n in range(200)]
    with site(JsmSimulator.from_records(rows), tmp_path) as here:
        here.server.set_faults((Rule("status", nth=after, argument=403, path="/alerts"),))
        with pytest.raises(PermanentError, match="operations role"):
            here.pull()
        failed = here.landing.manifests("jsm")[-1]
        here.server.set_faults("none")
        manifest = here.pull()
        assert len(manifest.attempts) == 2
        assert {(f.stream, f.window) for f in failed.files} <= {(f.stream, f.window) for f in manifest.files}
        assert len(here.rows(manifest, "alert_details")) == 200
        done = {row["id"] for row in here.rows(failed, "alert_details")}
        asked = {path.split("/")[1] for path in here.paths() if path.count("/") == 1 and path.startswith("alerts/")}
        assert not asked & done, "finished details are not read again"


# -- settings ----------------------------------------------------------------------------------------------------------

WHOLE = {"JSM_CLOUD_ID": "6ac9f1f4-2c59", "JSM_EMAIL": "bot@example.com", "JSM_API_TOKEN": "t0ken"}


def test_the_source_is_on_when_its_variables_are_set() -> None:
    assert not load_settings({}).enabled and not load_settings({"JSM_EMAIL": "bot@example.com"}).enabled
    settings = load_settings({**WHOLE, "OPSGENIE_API_KEY": "x"})
    assert [account.name for account in settings.enabled] == ["jsm", "opsgenie"]
    assert settings.account("jsm").access.url == "https://api.atlassian.com"
    assert "t0ken" not in repr(settings)


@pytest.mark.parametrize("missing", WHOLE)
def test_a_missing_variable_is_named(missing: str) -> None:
    with pytest.raises(ConfigError, match=f"not set: {missing}"):
        load_settings({name: value for name, value in WHOLE.items() if name != missing})


def test_a_cloud_id_that_is_an_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="JSM_CLOUD_ID"):
        load_settings({**WHOLE, "JSM_CLOUD_ID": "https://acme.atlassian.net"})
