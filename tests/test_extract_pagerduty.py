"""PagerDuty pulled over HTTP from its simulator: complete, current, cheap, resumable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support import settings_for

from mttr_pipeline.demo import VendorServer, World
from mttr_pipeline.demo.kit.wire import Request, Response
from mttr_pipeline.demo.pagerduty import PagerDutySimulator
from mttr_pipeline.demo.profiles import Rule
from mttr_pipeline.errors import PermanentError, TransientError
from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.landing.store import Landing, new_run_id
from mttr_pipeline.sources.pulling import build_source, pull

NOW = datetime(2026, 10, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=7, until=NOW)


class Puller:
    """Pulls of one account into one landing zone."""

    def __init__(self, server: VendorServer, folder: Path, **options: Any) -> None:
        self.server = server
        self.landing = Landing(folder / "landing")
        configured = {"sources": {"pagerduty": {"requests_per_minute": None, "max_wait_minutes": 1, **options}}}
        self.settings = settings_for(folder, configured, server.env("pagerduty"))

    def __call__(self, as_of: datetime = NOW, **asked: Any) -> Manifest:
        self.server.clear_log()
        source = build_source("pagerduty", self.settings)
        try:
            return pull(source, self.settings, self.landing, new_run_id(), as_of=as_of, **asked)
        finally:
            source.close()

    def rows(self, manifest: Manifest, stream: str) -> list[dict[str, Any]]:
        """All records of a stream as they were landed, in the order of files."""
        found = []
        extract = self.landing.begin("reader", "reader", {})
        extract.folder = self.landing.folder(manifest)
        extract._files = {(f.stream, f.window): f for f in manifest.files}
        for file in manifest.files:
            if file.stream == stream:
                found += [msgspec.json.decode(row) for row in extract.read(stream, file.window)]
        return found

    def newest(self, manifest: Manifest, stream: str) -> dict[str, dict[str, Any]]:
        return {row["id"]: row for row in self.rows(manifest, stream)}

    def paths(self) -> Counter[str]:
        return Counter(line.path for line in self.server.log)


@pytest.fixture
def server(world: World) -> Iterator[VendorServer]:
    with VendorServer([PagerDutySimulator.from_world(world)], clock=NOW, limits=None) as running:
        yield running


@pytest.fixture
def puller(server: VendorServer, tmp_path: Path) -> Puller:
    return Puller(server, tmp_path)


def everything(server: VendorServer, world: World, now: datetime) -> tuple[dict[str, Any], set[str]]:
    """What the account holds, straight from the simulator: incidents by id, ids of log entries."""
    book = server.simulators["pagerduty"]._book_at(now)  # type: ignore[attr-defined]
    entries = {msgspec.json.decode(entry.head + b"}")["id"] for entry in book.entries}
    return {row["id"]: row for row in book.incidents}, entries


def incident(number: int, created: datetime, **more: Any) -> dict[str, Any]:
    stamp = created.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "id": f"Q{number:07d}",
        "type": "incident",
        "incident_number": number,
        "title": f"Incident {number}",
        "created_at": stamp,
        "updated_at": stamp,
        "status": "resolved",
        "urgency": "high",
        "service": {"id": "PS1", "type": "service_reference", "summary": "Checkout"},
        **more,
    }


def log_entry(number: int, at: datetime, of: dict[str, Any]) -> dict[str, Any]:
    reference = {"id": of["id"], "type": "incident_reference", "summary": of["title"]}
    stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"id": f"R{number:07d}", "type": "annotate_log_entry", "created_at": stamp, "incident": reference}


# -- complete ----------------------------------------------------------------------------------------------------------


def test_the_first_pull_has_every_incident_and_log_entry(puller: Puller, world: World) -> None:
    manifest = puller()
    incidents, entries = everything(puller.server, world, NOW)
    assert set(puller.newest(manifest, "incidents")) == set(incidents)
    assert set(puller.newest(manifest, "log_entries")) == entries
    assert {"services", "teams", "priorities"} <= {file.stream for file in manifest.files}
    assert manifest.status == "complete" and manifest.plan["mode"] == "backfill"
    assert manifest.plan["since"] == (NOW - 730 * DAY).isoformat()
    assert manifest.high_water == (NOW - 30 * MINUTE).isoformat()
    assert manifest.attempts[-1].requests == len(puller.server.log) < 80


def test_every_request_speaks_utc_and_never_a_wide_window(puller: Puller) -> None:
    puller()
    asked = [line.query for line in puller.server.log if line.path in ("/incidents", "/log_entries")]
    assert asked and all("time_zone=UTC" in query for query in asked)
    assert all("date_range=all" in query or query.count("Z") >= 2 for query in asked)
    assert all("sort_by=incident_number%3Aasc" in query for query in asked if "is_overview" not in query)


def test_records_are_landed_as_they_came(tmp_path: Path) -> None:
    odd = incident(1, NOW - DAY, title="a\u202eb \U0001f525", unknown={"x": [1.50, None]}, priority=None, summary=None)
    with VendorServer([PagerDutySimulator.from_records([odd])], clock=NOW, limits=None) as server:
        pull_ = Puller(server, tmp_path)
        assert pull_.rows(pull_(), "incidents") == [odd]


def test_seventeen_thousand_incidents_in_one_day_come_whole(tmp_path: Path) -> None:
    """Daily windows are not enough: the listing ends at 10,000."""
    start = NOW - 3 * DAY
    rows = [incident(n, start + (n * 86_400 // 17_000) * timedelta(seconds=1)) for n in range(17_000)]
    with VendorServer([PagerDutySimulator.from_records(rows)], clock=NOW, limits=None) as server:
        pull_ = Puller(server, tmp_path)
        manifest = pull_()
        assert len(pull_.newest(manifest, "incidents")) == 17_000
        assert len(pull_.rows(manifest, "incidents")) == 17_000
        assert len(server.log) < 300
        assert max(f.records for f in manifest.files) <= 10_000


def test_more_than_the_ceiling_in_one_second_stops_the_source(tmp_path: Path) -> None:
    rows = [incident(n, NOW - DAY) for n in range(10_001)]
    with VendorServer([PagerDutySimulator.from_records(rows)], clock=NOW, limits=None) as server:
        pull_ = Puller(server, tmp_path)
        with pytest.raises(PermanentError, match=r"2026-09-30T06:00:00Z.*stops rather than leave records out"):
            pull_()
        assert pull_.landing.manifests("pagerduty")[-1].status == "failed"


@pytest.mark.parametrize("count", [9_999, 10_000])
def test_a_full_second_below_the_ceiling_is_read(tmp_path: Path, count: int) -> None:
    rows = [incident(n, NOW - DAY) for n in range(count)]
    with VendorServer([PagerDutySimulator.from_records(rows)], clock=NOW, limits=None) as server:
        pull_ = Puller(server, tmp_path)
        assert len(pull_.rows(pull_(), "incidents")) == count


@pytest.mark.parametrize("limit", ["since", "until"])
def test_since_and_until_are_half_open(tmp_path: Path, limit: str) -> None:
    edge = NOW - 10 * DAY
    rows = [incident(1, edge - timedelta(seconds=1)), incident(2, edge), incident(3, edge + timedelta(seconds=1))]
    with VendorServer([PagerDutySimulator.from_records(rows)], clock=NOW, limits=None) as server:
        pull_ = Puller(server, tmp_path)
        got = set(pull_.newest(pull_(**{limit: edge}), "incidents"))
    assert got == ({"Q0000002", "Q0000003"} if limit == "since" else {"Q0000001"})


# -- current -----------------------------------------------------------------------------------------------------------


def test_the_second_night_finds_every_late_change_with_few_requests(puller: Puller, world: World) -> None:
    first = puller(NOW)
    puller.server.now = NOW + DAY
    second = puller(NOW + DAY)
    assert second.plan["mode"] == "incremental" and second.plan["since"] == first.high_water
    assert len(puller.server.log) < 15
    state = {**puller.newest(first, "incidents"), **puller.newest(second, "incidents")}
    incidents, entries = everything(puller.server, world, NOW + DAY)
    assert {name: state[name] for name in incidents} == incidents
    logged = set(puller.newest(first, "log_entries")) | set(puller.newest(second, "log_entries"))
    assert entries <= logged


def test_a_change_of_an_incident_older_than_the_history_brings_its_whole_log(tmp_path: Path) -> None:
    old = incident(1, NOW - 900 * DAY, updated_at="2026-10-01T01:00:00Z")
    entries = [log_entry(1, NOW - 900 * DAY, old), log_entry(2, NOW - 899 * DAY, old)]
    late = log_entry(3, NOW + 5 * MINUTE, old)
    with VendorServer([PagerDutySimulator.from_records([old], entries)], clock=NOW, limits=None) as server:
        pull_ = Puller(server, tmp_path)
        assert not pull_.rows(pull_(NOW), "log_entries")
        book = server.simulators["pagerduty"]._book_at(NOW)  # type: ignore[attr-defined]
        grown = PagerDutySimulator.from_records([old], [*entries, late])
        book.entries[:] = grown._book_at(NOW).entries
        book.answers.clear()
        server.now = NOW + DAY
        second = pull_(NOW + DAY)
        assert set(pull_.newest(second, "log_entries")) == {"R0000001", "R0000002", "R0000003"}
        assert set(pull_.newest(second, "incidents")) == {"Q0000001"}


def test_the_mark_never_passes_the_clock_of_the_run_or_the_end_asked_for(puller: Puller) -> None:
    assert puller(NOW - DAY).high_water == (NOW - DAY - 30 * MINUTE).isoformat()
    manifest = puller(NOW, until=NOW - 5 * DAY)  # before what is known: nothing new is known after it
    assert manifest.high_water is None
    assert puller(NOW).plan["since"] == (NOW - DAY - 30 * MINUTE).isoformat()


def test_full_refresh_reads_everything_again(puller: Puller) -> None:
    first = puller(NOW)
    again = puller(NOW, full_refresh=True)
    assert again.plan["mode"] == "full" and again.records == first.records


# -- faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "profile",
    [
        (Rule("reset", share=0.2), Rule("cut", share=0.1), Rule("truncated_json", share=0.1), Rule("html", share=0.1)),
        tuple(Rule("status", share=0.1, argument=status) for status in (408, 425, 500, 502, 503, 504)),
        (Rule("repeated_row", share=0.7, attempts=None),),
    ],
    ids=["broken", "5xx", "repeats"],
)
def test_faults_change_nothing_in_what_is_landed(puller: Puller, world: World, profile: tuple[Rule, ...]) -> None:
    puller.server.set_faults(profile, seed=3)
    manifest = puller(NOW)
    incidents, entries = everything(puller.server, world, NOW)
    assert set(puller.newest(manifest, "incidents")) == set(incidents)
    assert set(puller.newest(manifest, "log_entries")) == entries
    assert "count_differences" not in manifest.facts


def test_rows_that_move_between_pages_are_read_in_smaller_windows(tmp_path: Path) -> None:
    """The listing hides another row on each later page; single pages cannot lose any."""

    class Moving(PagerDutySimulator):
        def handle(self, request: Request, now: datetime) -> Response:
            response = super().handle(request, now)
            if request.path == "/incidents" and int(request.one("offset") or 0) > 0:
                body = msgspec.json.decode(response.body)
                body["incidents"] = body["incidents"][1:]
                response.body = msgspec.json.encode(body)
            return response

    rows = [incident(n, NOW - DAY + n * timedelta(seconds=60)) for n in range(350)]
    source = PagerDutySimulator.from_records(rows)
    with VendorServer([Moving(source._book_at)], clock=NOW, limits=None) as server:
        pull_ = Puller(server, tmp_path)
        assert len(pull_.newest(pull_(), "incidents")) == 350


def test_teams_and_priorities_outside_the_plan_are_no_failure(puller: Puller) -> None:
    puller.server.set_faults(
        tuple(Rule("status", attempts=None, argument=402, path=path) for path in ("/teams", "/priorities"))
    )
    manifest = puller()
    assert manifest.status == "complete"
    assert manifest.facts["counts"] == {"priorities_not_in_plan": 1, "teams_not_in_plan": 1}


def test_a_refused_key_names_the_variable_and_not_the_key(puller: Puller) -> None:
    puller.server.set_faults("unauthorized")
    with pytest.raises(PermanentError, match="PAGERDUTY_TOKEN") as caught:
        puller()
    assert "demo-token" not in str(caught.value)
    failed = puller.landing.manifests("pagerduty")[-1]
    assert failed.status == "failed" and "PAGERDUTY_TOKEN" in (failed.attempts[-1].error or "")
    assert all(b"demo-token" not in path.read_bytes() for path in puller.landing.root.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("token", "told", "untold"),
    [
        (
            "u+unknown",
            "must be a REST API key of this account; accounts in the EU need .*=https://api.eu.pagerduty.com",
            "OAuth",
        ),
        (
            "pdus+_0AB_1f2e3d4c",
            r"PAGERDUTY_TOKEN is an OAuth token \(it begins with pdus\+\): set a REST API key",
            "_0AB",
        ),
    ],
)
def test_a_refused_key_names_the_region_and_the_kind_of_token(
    puller: Puller, token: str, told: str, untold: str
) -> None:
    """A key of an EU account, and a token of an app: both are status 401, and neither is misspelt."""
    env = {**puller.server.env("pagerduty"), "PAGERDUTY_TOKEN": token}
    puller.settings = settings_for(puller.landing.root.parent, None, env)
    with pytest.raises(PermanentError, match=told) as caught:
        puller()
    assert untold not in str(caught.value)


def test_a_vendor_that_is_down_ends_in_a_sentence(puller: Puller) -> None:
    puller = Puller(puller.server, puller.landing.root.parent, max_wait_minutes=0.02)
    puller.server.set_faults("unavailable")
    with pytest.raises(TransientError, match="did not answer"):
        puller()


# -- resume ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [3, 9, 20, 40])
def test_a_pull_that_broke_off_continues_with_the_windows_that_are_missing(puller: Puller, after: int) -> None:
    whole = Puller(puller.server, puller.landing.root.parent / "whole")
    expected = whole()
    wanted = {(f.stream, f.window) for f in expected.files}
    cost = len(puller.server.log)

    puller.server.set_faults((Rule("status", nth=after, argument=403),))
    with pytest.raises(PermanentError):
        puller()
    landed = {(f.stream, f.window) for f in puller.landing.manifests("pagerduty")[-1].files}
    puller.server.set_faults("none")
    manifest = puller()
    assert manifest.status == "complete" and len(manifest.attempts) == 2
    assert {(f.stream, f.window) for f in manifest.files} == wanted
    assert manifest.records == expected.records
    assert len(puller.server.log) <= cost - len(landed)  # at least one request less per window that was landed
    puller.landing.verify(manifest)


def test_an_interrupted_pull_is_taken_up_the_next_night_and_brought_up_to_date(puller: Puller, world: World) -> None:
    class Interrupt:
        seen = 0

        def start(self, source: str) -> None: ...
        def finish(self, source: str) -> None: ...
        def update(self, source: str, stream: str, done: int, total: int, records: int) -> None:
            self.seen += 1
            if self.seen == 10:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        puller(NOW, progress=Interrupt())
    assert puller.landing.manifests("pagerduty") == []  # as after a kill: a journal and no manifest
    puller.server.now = NOW + DAY
    last = puller(NOW + DAY)
    first, second = puller.landing.manifests("pagerduty")
    assert (first.plan["mode"], second.plan["mode"]) == ("backfill", "incremental") and last == second
    state = {**puller.newest(first, "incidents"), **puller.newest(second, "incidents")}
    incidents, entries = everything(puller.server, world, NOW + DAY)
    assert incidents.keys() <= state.keys()
    assert entries <= set(puller.newest(first, "log_entries")) | set(puller.newest(second, "log_entries"))


# -- custom fields -----------------------------------------------------------------------------------------------------


def test_custom_fields_are_read_singly_and_a_deleted_incident_is_counted(tmp_path: Path) -> None:
    fields = [{"id": "F1", "name": "impact_start", "value": "2026-09-30T01:00:00Z"}]
    rows = [incident(n, NOW - DAY + n * MINUTE, custom_fields=fields) for n in range(60)]
    with VendorServer([PagerDutySimulator.from_records(rows)], clock=NOW, limits=None) as server:
        server.set_faults((Rule("status", attempts=None, argument=404, path="/incidents/Q0000007"),))
        pull_ = Puller(server, tmp_path, fields={"impact_start": "occurred_at"})
        manifest = pull_()
        found = pull_.newest(manifest, "incident_fields")
        assert len(found) == 59 and all(row["custom_fields"] == fields for row in found.values())
        assert manifest.facts["counts"]["deleted_between_list_and_detail"] == 1


def test_mapping_a_custom_field_later_reads_the_history_again(puller: Puller) -> None:
    puller(NOW)
    mapped = Puller(puller.server, puller.landing.root.parent, fields={"x": "occurred_at"})
    assert mapped(NOW).plan["mode"] == "backfill"


def test_check_says_who_answers(puller: Puller) -> None:
    source = build_source("pagerduty", puller.settings)
    assert source.check().startswith("ok: PagerDuty reachable at 127.0.0.1:")
    assert source.requests == 1
    source.close()


@pytest.mark.parametrize("reads_all", [False, True])
def test_alerts_are_read_of_incidents_without_a_key(tmp_path: Path, reads_all: bool) -> None:
    """Of what changed, because each costs a request; of the whole history only when it is configured."""
    old = [incident(n, NOW - 9 * DAY, incident_key="k" if n == 1 else None) for n in (1, 2, 3)]
    alerts = {row["id"]: [{"id": f"A{n}", "alert_key": f"key-{n}"} for n in range(120)] for row in old}
    late = [log_entry(n, NOW + timedelta(hours=1), row) for n, row in enumerate(old[:2])]
    simulator = PagerDutySimulator.from_records(old, late, alerts=alerts)
    with VendorServer([simulator], clock=NOW, limits=None) as server:
        puller = Puller(server, tmp_path, alerts=reads_all)
        first = puller.rows(puller(), "incident_alerts")
        assert sorted(row["incidentId"] for row in first) == (["Q0000002", "Q0000003"] if reads_all else [])
        server.clock = NOW + DAY
        second = puller.rows(puller(NOW + DAY), "incident_alerts")
    assert [(row["incidentId"], len(row["alerts"])) for row in second] == [("Q0000002", 120)]
