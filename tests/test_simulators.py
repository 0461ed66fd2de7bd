"""The simulated vendors over real HTTP: limits, ceilings, refusals and surprises that an extractor must cope with."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from mttr_pipeline.demo import Limit, VendorServer, World
from mttr_pipeline.demo.jira import JiraSimulator
from mttr_pipeline.demo.opsgenie import OpsgenieSimulator
from mttr_pipeline.demo.pagerduty import PagerDutySimulator
from mttr_pipeline.demo.pagerduty.simulator import CEILING

FIXTURES = Path(__file__).parent / "fixtures" / "simulators"
UNTIL = datetime(2026, 10, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)


class Client:
    """One vendor with its credentials."""

    def __init__(self, server: VendorServer, vendor: str) -> None:
        self.base = server.url(vendor)
        self.session = requests.Session()
        self.session.trust_env = False
        env = server.env(vendor)
        if vendor == "pagerduty":
            self.session.headers["Authorization"] = f"Token token={env['PAGERDUTY_TOKEN']}"
        elif vendor == "opsgenie":
            self.session.headers["Authorization"] = f"GenieKey {env['OPSGENIE_API_KEY']}"
        elif vendor == "jira":
            self.session.auth = (env["JIRA_EMAIL"], env["JIRA_API_TOKEN"])
        else:
            self.session.headers["Authorization"] = f"Bearer {env['JIRA_PERSONAL_TOKEN']}"

    def get(self, path: str, status: int = 200, **query: Any) -> Any:
        response = self.session.get(self.base + path, params=query, timeout=10)
        assert response.status_code == status, response.text
        return response.json()

    def post(self, path: str, body: Any, status: int = 200) -> Any:
        response = self.session.post(self.base + path, json=body, timeout=10)
        assert response.status_code == status, response.text
        return response.json()


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=7, until=UNTIL)


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[VendorServer]:
    with VendorServer(world, limits=None) as running:
        yield running


@pytest.fixture(scope="module")
def pagerduty(server: VendorServer) -> Client:
    return Client(server, "pagerduty")


@pytest.fixture(scope="module")
def opsgenie(server: VendorServer) -> Client:
    return Client(server, "opsgenie")


@pytest.fixture(scope="module")
def jira(server: VendorServer) -> Client:
    return Client(server, "jira")


@pytest.fixture(scope="module")
def jira_dc(server: VendorServer) -> Client:
    return Client(server, "jira-dc")


def pd_pages(client: Client, path: str, name: str, **query: Any) -> list[dict[str, Any]]:
    """All pages of a classic listing."""
    rows: list[dict[str, Any]] = []
    while True:
        page = client.get(path, offset=len(rows), limit=100, **query)
        rows += page[name]
        if not page["more"]:
            return rows


# -- PagerDuty -----------------------------------------------------------------------------------------------------


def test_pagerduty_pages_lose_nothing(pagerduty: Client, world: World) -> None:
    rows = pd_pages(pagerduty, "/incidents", "incidents", date_range="all", sort_by="incident_number:asc")
    numbers = [row["incident_number"] for row in rows]
    assert numbers == sorted(set(numbers))
    alive = [row for row in world.truth() if row.tool == "pagerduty" and not row.deleted and row.episode == 1]
    assert {row["id"] for row in rows} == {row.external_id for row in alive}
    assert pagerduty.get("/incidents", date_range="all", total="true")["total"] == len(rows)


def test_pagerduty_defaults_that_hide_rows(pagerduty: Client) -> None:
    """25 rows, one month, and nothing at all for a range over six months."""
    page = pagerduty.get("/incidents")
    assert page["limit"] == 25 and page["total"] is None and len(page["incidents"]) == 25 and page["more"] is True
    month = pagerduty.get("/incidents", total="true")["total"]
    everything = pagerduty.get("/incidents", total="true", date_range="all")["total"]
    assert 0 < month < everything / 4
    wide = pagerduty.get("/incidents", total="true", since="2026-01-01T00:00:00Z", until="2026-10-01T00:00:00Z")
    assert wide["total"] == 0 and wide["incidents"] == []
    assert pagerduty.get("/incidents", limit=10_000, date_range="all")["limit"] == 100


def test_pagerduty_ceiling(pagerduty: Client) -> None:
    error = pagerduty.get("/incidents", 400, date_range="all", offset=CEILING - 50, limit=51)["error"]
    assert error["code"] == 2002 and "10000" in error["errors"][0]
    assert pagerduty.get("/incidents", date_range="all", offset=CEILING - 50, limit=50)["incidents"] == []


@pytest.mark.parametrize("query", [{"since": "yesterday"}, {"until": "2026-13-01"}, {"limit": "many"}])
def test_pagerduty_bad_arguments(pagerduty: Client, query: dict[str, str]) -> None:
    assert pagerduty.get("/incidents", 400, **query)["error"]["code"] == 2001


def test_pagerduty_naive_range_is_local_time(pagerduty: Client) -> None:
    """Without an offset a time is read in the account's zone, here two hours ahead of UTC."""
    naive = pagerduty.get("/incidents", since="2026-09-01T02:00:00", until="2026-09-08T02:00:00", limit=100)
    plain = pagerduty.get("/incidents", since="2026-09-01T00:00:00Z", until="2026-09-08T00:00:00Z", limit=100)
    in_utc = pagerduty.get(
        "/incidents", since="2026-09-01T00:00:00", until="2026-09-08T00:00:00", limit=100, time_zone="UTC"
    )
    assert [row["id"] for row in naive["incidents"]] == [row["id"] for row in plain["incidents"]] != []
    assert in_utc["incidents"] == plain["incidents"]


def test_pagerduty_filters(pagerduty: Client) -> None:
    service = pagerduty.get("/services", query="check")["services"][0]
    some = {"date_range": "all", "limit": 100}
    for row in pagerduty.get("/incidents", **some, **{"service_ids[]": service["id"]})["incidents"]:
        assert row["service"]["summary"] == "Checkout"
    for row in pagerduty.get("/incidents", **some, **{"urgencies[]": "high"})["incidents"]:
        assert row["urgency"] == "high"
    pair = {"statuses[]": ["triggered", "acknowledged"]}
    opened = pagerduty.get("/incidents", **some, **pair)["incidents"]
    assert opened and {row["status"] for row in opened} <= {"triggered", "acknowledged"}
    assert pagerduty.get("/incidents", 400, **{"statuses[]": "open"})["error"]["code"] == 2001
    full = pagerduty.get("/incidents", **some, **{"include[]": ["services", "priorities"]})["incidents"]
    assert full[0]["service"]["type"] == "service" and {row["priority"]["type"] for row in full if row["priority"]} == {
        "priority"
    }


def test_pagerduty_resolved_incidents_forget_who_took_them(pagerduty: Client) -> None:
    rows = pd_pages(pagerduty, "/incidents", "incidents", date_range="all")
    resolved = [row for row in rows if row["status"] == "resolved"]
    assert resolved and all(row["acknowledgements"] == row["assignments"] == [] for row in resolved)
    assert any(row["acknowledgements"] for row in rows if row["status"] == "acknowledged")
    assert any(row["resolve_reason"] for row in resolved)
    assert any(row["priority"] is None for row in rows)


def test_pagerduty_log_entries_tell_the_true_stamps(pagerduty: Client, world: World) -> None:
    """First acknowledgement, last resolve and responder notes, read from the feed alone, are the world's."""
    since, until = world.start - DAY, world.until
    entries: list[dict[str, Any]] = []
    while since < until:
        window = {"since": since.isoformat(), "until": min(since + 30 * DAY, until + DAY).isoformat()}
        entries += pd_pages(pagerduty, "/log_entries", "log_entries", time_zone="UTC", **window)
        since += 30 * DAY
    assert len({entry["id"] for entry in entries}) == len(entries)
    by_incident: dict[str, list[dict[str, Any]]] = {}
    for entry in sorted(entries, key=lambda entry: entry["created_at"]):
        by_incident.setdefault(entry["incident"]["id"], []).append(entry)

    def stamps(identity: str, kind: str, prefix: str = "") -> list[datetime]:
        return [
            datetime.fromisoformat(entry["created_at"])
            for entry in by_incident[identity]
            if entry["type"] == f"{kind}_log_entry"
            and (not prefix or entry["channel"]["summary"].lower().startswith(prefix))
        ]

    single = [row for row in world.truth() if row.tool == "pagerduty" and not row.deleted]
    several = {row.external_id for row in single if row.episode > 1}
    assert several
    for row in single:
        if row.external_id in several:
            continue
        acks, resolves = stamps(row.external_id, "acknowledge"), stamps(row.external_id, "resolve")
        assert row.acknowledged_at == min(acks, default=None)
        if row.resolved_at:
            assert row.resolved_at == resolves[-1]
        assert row.root_cause_found_at == min(stamps(row.external_id, "annotate", "root cause found:"), default=None)
        assert row.mitigated_at == min(stamps(row.external_id, "annotate", "mitigated:"), default=None)


def test_pagerduty_log_entries_newest_first_and_with_incidents(pagerduty: Client) -> None:
    window = {"since": "2026-09-01T00:00:00Z", "until": "2026-09-20T00:00:00Z", "time_zone": "UTC", "limit": 100}
    rows = pagerduty.get("/log_entries", **window)["log_entries"]
    assert [row["created_at"] for row in rows] == sorted((row["created_at"] for row in rows), reverse=True)
    assert rows[0]["incident"]["type"] == "incident_reference"
    full = pagerduty.get("/log_entries", **window, **{"include[]": "incidents"})["log_entries"]
    assert full[0]["incident"]["type"] == "incident" and "updated_at" in full[0]["incident"]
    overview = pagerduty.get("/log_entries", **window, is_overview="true", total="true")
    everything = pagerduty.get("/log_entries", **window, total="true")
    assert 0 < overview["total"] < everything["total"]
    local = pagerduty.get("/log_entries", **{**window, "time_zone": ""})["log_entries"]
    assert local[0]["created_at"].endswith("+02:00")


def test_pagerduty_single_incident(pagerduty: Client, world: World) -> None:
    row = pagerduty.get("/incidents", date_range="all", limit=1)["incidents"][0]
    assert pagerduty.get(f"/incidents/{row['id']}")["incident"] == row
    assert pagerduty.get(f"/incidents/{row['incident_number']}")["incident"]["id"] == row["id"]
    assert pagerduty.get("/incidents/QNOTHERE", 404)["error"]["code"] == 2100
    own = pagerduty.get(f"/incidents/{row['id']}/log_entries", limit=100, time_zone="UTC")["log_entries"]
    assert own[-1]["type"] == "trigger_log_entry" or own[-1]["created_at"] == row["created_at"]
    noted = next(case for case in world.of("pagerduty") if any(fact.text for fact in case.facts))
    notes = pagerduty.get(f"/incidents/{noted.id}/notes")["notes"]
    assert notes and datetime.fromisoformat(notes[0]["created_at"]).utcoffset() != timedelta(0)


def test_pagerduty_odd_records_as_they_are(tmp_path: Path) -> None:
    odd = json.loads((FIXTURES / "pagerduty_odd.json").read_text())
    simulator = PagerDutySimulator.from_records(odd["incidents"], odd["log_entries"])
    with VendorServer([simulator], clock=UNTIL, limits=None) as server:
        client = Client(server, "pagerduty")
        assert client.get("/incidents", **{"team_ids[]": "P1"})["incidents"] == []
        assert client.get("/incidents", sort_by="resolved_at:desc")["incidents"] == odd["incidents"]
        window = {"since": "2026-09-20T00:00:00Z", "until": "2026-09-21T00:00:00Z", "time_zone": "UTC"}
        assert client.get("/log_entries", **window)["log_entries"] == odd["log_entries"]
        full = client.get("/log_entries", **window, **{"include[]": "incidents"})["log_entries"]
        assert full[0]["incident"] == odd["incidents"][0]


# -- Opsgenie ------------------------------------------------------------------------------------------------------


def og_pages(client: Client, path: str, **query: Any) -> list[dict[str, Any]]:
    """All pages by offset."""
    rows: list[dict[str, Any]] = []
    while True:
        page = client.get(path, offset=len(rows), limit=100, **query)
        rows += page["data"]
        if "next" not in page["paging"]:
            return rows


def test_opsgenie_pages_lose_nothing(opsgenie: Client, world: World) -> None:
    rows = og_pages(opsgenie, "/v2/alerts", sort="createdAt", order="asc")
    alive = {row.external_id for row in world.truth() if row.tool == "opsgenie" and not row.deleted}
    assert len(rows) == len(alive) and {row["id"] for row in rows} == alive
    assert opsgenie.get("/v2/alerts/count")["data"]["count"] == len(rows)
    assert len(opsgenie.get("/v2/alerts")["data"]) == 20
    incidents = og_pages(opsgenie, "/v1/incidents", order="asc")
    assert {row["id"] for row in incidents} == {row.external_id for row in world.truth() if row.tool[9:] == "incident"}
    assert opsgenie.get("/v1/incidents")["totalCount"] == len(incidents)


def test_opsgenie_list_is_thinner_than_the_alert(opsgenie: Client) -> None:
    row = opsgenie.get("/v2/alerts", limit=1)["data"][0]
    whole = opsgenie.get(f"/v2/alerts/{row['id']}")["data"]
    assert not {"details", "description", "entity"} & row.keys() and {"details", "description"} <= whole.keys()
    by_tiny = opsgenie.get(f"/v2/alerts/{row['tinyId']}", identifierType="tiny")["data"]
    assert by_tiny["id"] == row["id"]
    assert opsgenie.get("/v2/alerts/nothing", 404)["message"]


def test_opsgenie_query(opsgenie: Client) -> None:
    low = int(datetime(2026, 8, 1, tzinfo=UTC).timestamp() * 1000)
    high = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp() * 1000)
    query = f"createdAt >= {low} AND createdAt < {high}"
    rows = og_pages(opsgenie, "/v2/alerts", query=query, order="asc")
    assert rows and {row["createdAt"][:7] for row in rows} == {"2026-08"}
    assert opsgenie.get("/v2/alerts/count", query=query)["data"]["count"] == len(rows)
    opened = og_pages(opsgenie, "/v2/alerts", query="status:open")
    assert opened and {row["status"] for row in opened} == {"open"}
    mixed = og_pages(opsgenie, "/v2/alerts", query=f"(status: open OR priority: P1) AND NOT createdAt<{low}")
    assert mixed and all(row["status"] == "open" or row["priority"] == "P1" for row in mixed)
    late = og_pages(opsgenie, "/v2/alerts", query=f"updatedAt>{high}", sort="updatedAt")
    assert [row["id"] for row in late] and all(row["updatedAt"] > "2026-09" for row in late)
    assert "not" in opsgenie.get("/v2/alerts", 422, query="colour: red")["message"]


@pytest.mark.parametrize("path", ["/v2/alerts", "/v1/incidents", "/v1/services"])
def test_opsgenie_ceiling(opsgenie: Client, path: str) -> None:
    assert "20000" in opsgenie.get(path, 422, offset=19_950, limit=51)["message"]
    assert opsgenie.get(path, offset=19_950, limit=50)["data"] == []


def test_opsgenie_links_repeat_the_key(opsgenie: Client) -> None:
    """Old documentation shows it, so whoever stores page envelopes stores a secret."""
    page = opsgenie.get("/v2/alerts", limit=10, query="status: closed")
    assert "apiKey=" in page["paging"]["next"] and page["paging"]["next"].startswith("http")
    assert "status" in page["paging"]["next"]


def test_opsgenie_logs_by_opaque_offset(opsgenie: Client, world: World) -> None:
    case = next(case for case in world.of("opsgenie") if case.story == "reack" and case.created < UNTIL - 9 * DAY)
    whole = opsgenie.get(f"/v2/alerts/{case.id}/logs", order="asc")["data"]
    paged: list[dict[str, Any]] = []
    offset = None
    while True:
        query = {"offset": offset, "direction": "next"} if offset else {}
        page = opsgenie.get(f"/v2/alerts/{case.id}/logs", limit=2, order="asc", **query)
        paged += page["data"]
        if "next" not in page["paging"]:
            break
        offset = page["data"][-1]["offset"]
    assert paged == whole and len(whole) > 4
    texts = " | ".join(row["log"] for row in whole)
    assert "created" in texts and "UnAcknowledged" in texts and "closed" in texts
    acknowledged = [fact.at for fact in case.facts if fact.kind == "acknowledged"]
    logged = [row["createdAt"] for row in whole if row["log"].startswith("Alert acknowledged")]
    assert [datetime.fromisoformat(at) for at in logged] == acknowledged
    newest = opsgenie.get(f"/v2/alerts/{case.id}/logs")["data"]
    assert newest == whole[::-1]


def test_opsgenie_report_is_relative(opsgenie: Client, world: World) -> None:
    truth = {row.external_id: row for row in world.truth() if row.tool == "opsgenie"}
    for row in og_pages(opsgenie, "/v2/alerts"):
        expected, report = truth[row["id"]], row.get("report", {})
        created = datetime.fromisoformat(row["createdAt"])
        ack = created + timedelta(milliseconds=report["ackTime"]) if "ackTime" in report else None
        close = created + timedelta(milliseconds=report["closeTime"]) if "closeTime" in report else None
        assert (ack, close) == (expected.acknowledged_at, expected.resolved_at)


def test_opsgenie_incident_timeline(opsgenie: Client, world: World) -> None:
    """Resolves come from the timeline; the acknowledgement that a resolve fires is the API's, nobody's."""
    truth = {row.external_id: row for row in world.truth() if row.tool == "opsgenie_incident"}
    for identity, expected in truth.items():
        entries = opsgenie.get(f"/v2/incident-timelines/{identity}/entries", limit=100)["data"]["entries"]
        at = {entry["type"]: datetime.fromisoformat(entry["eventTime"]) for entry in entries}
        acks = [
            datetime.fromisoformat(entry["eventTime"])
            for entry in entries
            if entry["type"] == "ResponderAlertAcked" and entry["actor"]["type"] == "user"
        ]
        assert at.get("IncidentResolved") == expected.resolved_at and at.get("IncidentClosed") == expected.closed_at
        assert min(acks, default=None) == expected.acknowledged_at
        row = opsgenie.get(f"/v1/incidents/{identity}")["data"]
        assert datetime.fromisoformat(row["impactStartDate"]) == expected.occurred_at
        if expected.closed_at:
            assert datetime.fromisoformat(row["updatedAt"]) != expected.resolved_at
    few = opsgenie.get(f"/v2/incident-timelines/{identity}/entries", group="custom,incident")["data"]["entries"]
    assert {entry["group"] for entry in few} <= {"custom", "incident"}


def test_opsgenie_own_records() -> None:
    alert = {"id": "a-1", "createdAt": None, "status": "odd", "tags": None, "message": None, "description": "x"}
    simulator = OpsgenieSimulator.from_records([alert], logs={"a-1": []})
    with VendorServer([simulator], clock=UNTIL, limits=None) as server:
        client = Client(server, "opsgenie")
        assert client.get("/v2/alerts", query="status: odd")["data"][0]["createdAt"] is None
        assert client.get("/v2/alerts", query="tag: prod")["data"] == []
        assert client.get("/v2/alerts/a-1/logs")["data"] == []


# -- Jira ----------------------------------------------------------------------------------------------------------


def jql_pages(client: Client, jql: str, size: int = 30, **body: Any) -> list[dict[str, Any]]:
    """All pages by token."""
    rows: list[dict[str, Any]] = []
    token = None
    while True:
        more = {"nextPageToken": token} if token else {}
        page = client.post("/rest/api/3/search/jql", {"jql": jql, "maxResults": size, **body, **more})
        rows += page["issues"]
        token = page.get("nextPageToken")
        assert page["isLast"] == (token is None)
        if not token:
            return rows


def test_jira_old_search_is_gone(jira: Client) -> None:
    assert "CHANGE-2046" in jira.get("/rest/api/3/search", 410, jql="project = ITD")["errorMessages"][0]
    assert "CHANGE-2046" in jira.post("/rest/api/2/search", {"jql": "project = ITD"}, 410)["errorMessages"][0]


def test_jira_token_pages_lose_nothing(jira: Client, world: World) -> None:
    rows = jql_pages(jira, 'issuetype = "[System] Incident" ORDER BY created ASC, id ASC', fields=["created"])
    created = [row["fields"]["created"] for row in rows]
    assert created == sorted(created)
    alive = {row.external_id for row in world.truth() if row.tool == "jira" and not row.deleted}
    assert {row["id"] for row in rows} == alive and len(rows) == len(alive)
    assert jira.post("/rest/api/3/search/approximate-count", {"jql": "project = ITD"})["count"] > len(rows)


def test_jira_shows_ids_only_unless_asked(jira: Client) -> None:
    row = jira.get("/rest/api/3/search/jql", jql="project = ITD", maxResults=1)["issues"][0]
    assert row.keys() == {"id"}
    row = jira.get("/rest/api/3/search/jql", jql="project = ITD", maxResults=1, fields="summary,status")["issues"][0]
    assert row["fields"].keys() == {"summary", "status"}
    row = jira.post("/rest/api/3/search/jql", {"jql": "project = ITD", "fields": ["*all", "-summary"]})["issues"][0]
    assert "summary" not in row["fields"] and "created" in row["fields"]


@pytest.mark.parametrize(
    "jql",
    ["", "ORDER BY created", "project = NOPE", "issuetype in (Incident)", "status = Sleeping", "project =", "a b c"],
)
def test_jira_refuses(jira: Client, jql: str) -> None:
    assert jira.post("/rest/api/3/search/jql", {"jql": jql}, 400)["errorMessages"][0]


def test_jira_refuses_foreign_tokens(jira: Client) -> None:
    token = jira.post("/rest/api/3/search/jql", {"jql": "project = ITD", "maxResults": 1})["nextPageToken"]
    for stray in (token, "rubbish"):
        jira.post("/rest/api/3/search/jql", {"jql": "project = 10003", "nextPageToken": stray}, 400)


def test_jira_embedded_changelog_is_cut(jira: Client, world: World) -> None:
    case = next(case for case in world.of("jira") if case.story == "chatty" and case.created < UNTIL - 9 * DAY)
    query = {"jql": f"id = {case.id}", "fields": ["status"], "expand": "changelog"}
    embedded = jira.post("/rest/api/3/search/jql", query)["issues"][0]["changelog"]
    assert len(embedded["histories"]) == 40 < embedded["total"]
    whole: list[dict[str, Any]] = []
    while len(whole) < embedded["total"]:
        page = jira.get(f"/rest/api/3/issue/{case.id}/changelog", startAt=len(whole), maxResults=20)
        whole += page["values"]
        assert page["isLast"] == (len(whole) == page["total"])
    assert embedded["histories"] == whole[::-1][:40]


def test_jira_bulk_changelogs_split_and_mix_stamps(jira: Client, world: World) -> None:
    ids = [row["id"] for row in jql_pages(jira, "project = ITD", fields=["id"])]
    found: dict[str, list[dict[str, Any]]] = {}
    pages: list[set[str]] = []
    token = None
    while True:
        more = {"nextPageToken": token} if token else {}
        page = jira.post("/rest/api/3/changelog/bulkfetch", {"issueIdsOrKeys": ids, "maxResults": 100, **more})
        pages.append({log["issueId"] for log in page["issueChangeLogs"]})
        for log in page["issueChangeLogs"]:
            found.setdefault(log["issueId"], []).extend(log["changeHistories"])
        token = page.get("nextPageToken")
        if not token:
            break
    assert pages[0] & pages[1], "an issue whose history goes on on the next page"
    stamps = {type(history["created"]) for histories in found.values() for history in histories}
    assert stamps == {int, str}
    identity = max(found, key=lambda name: len(found[name]))
    total = jira.get(f"/rest/api/3/issue/{identity}/changelog")["total"]
    assert len(found[identity]) == total
    slim = jira.post("/rest/api/3/changelog/bulkfetch", {"issueIdsOrKeys": ids, "fieldIds": ["status"]})
    items = [item for log in slim["issueChangeLogs"] for row in log["changeHistories"] for item in row["items"]]
    assert {item["fieldId"] for item in items} == {"status"}
    jira.post("/rest/api/3/changelog/bulkfetch", {"issueIdsOrKeys": []}, 400)


def test_jira_bulk_issues(jira: Client) -> None:
    some = [row["id"] for row in jql_pages(jira, "project = ITD")][:3]
    answer = jira.post("/rest/api/3/issue/bulkfetch", {"issueIdsOrKeys": [*some, "ITD-99999"], "fields": ["summary"]})
    assert {row["id"] for row in answer["issues"]} == set(some)
    assert answer["issueErrors"][0]["id"] == "ITD-99999"
    jira.post("/rest/api/3/issue/bulkfetch", {"issueIdsOrKeys": ["1"] * 101}, 400)


def jira_changes(client: Client, row: dict[str, Any]) -> list[dict[str, Any]]:
    histories = client.get(f"/rest/api/3/issue/{row['id']}/changelog")["values"]
    return [{**item, "at": datetime.fromisoformat(log["created"])} for log in histories for item in log["items"]]


def test_jira_changelog_tells_the_true_stamps(jira: Client, world: World) -> None:
    truth = [row for row in world.truth() if row.tool == "jira" and not row.deleted]
    several = {row.external_id for row in truth if row.episode > 1}
    rows = {row["id"]: row for row in jql_pages(jira, "project = ITD", fields=["*all"])}
    checked = 0
    for expected in truth:
        if expected.external_id in several:
            continue
        row = rows[expected.external_id]
        changes = jira_changes(jira, row)
        status = {name: [c["at"] for c in changes if c["toString"] == name] for name in ("Resolved", "Closed")}
        assert datetime.fromisoformat(row["fields"]["created"]) == expected.detected_at
        if expected.resolved_at:
            assert status["Resolved"][-1] == expected.resolved_at
            if expected.closed_at:
                assert status["Closed"][-1] == expected.closed_at
        first = [c["at"] for c in changes if c["field"] in ("assignee", "status") and c["toString"] != "Resolved"]
        assert expected.acknowledged_at == min(first, default=None)
        checked += 1
    assert checked > 50


def test_jira_dates_in_jql(jira: Client) -> None:
    """A quoted date is local time of the user, an epoch is not."""
    zone = jira.get("/rest/api/3/myself")["timeZone"]
    assert zone == "America/New_York"
    at = datetime(2026, 8, 1, 4, tzinfo=UTC)
    epoch = jql_pages(jira, f"created >= {int(at.timestamp() * 1000)} ORDER BY id")
    local = jql_pages(jira, 'created >= "2026-08-01 00:00" ORDER BY id')
    assert epoch == local != []
    done = jql_pages(jira, "statusCategory = Done AND resolved IS NOT EMPTY", fields=["status"])
    assert {row["fields"]["status"]["statusCategory"]["key"] for row in done} == {"done"}
    rest = jql_pages(jira, "project in (ITD) AND NOT statusCategory = done OR key = ITD-101", fields=["status"])
    assert any(row["key"] == "ITD-101" for row in rest)


def test_jira_dc(jira_dc: Client, world: World) -> None:
    assert jira_dc.get("/rest/api/2/serverInfo")["deploymentType"] == "Server"
    page = jira_dc.get("/rest/api/2/search", jql="project = PAY ORDER BY key", expand="changelog", maxResults=5000)
    assert page["maxResults"] == 1000 and page["total"] == len(page["issues"])
    alive = {row.external_id for row in world.truth() if row.tool == "jira-dc" and not row.deleted}
    assert {row["id"] for row in page["issues"]} == alive
    row = max(page["issues"], key=lambda issue: issue["changelog"]["total"])
    assert len(row["changelog"]["histories"]) == row["changelog"]["total"]
    assert {"name", "key"} <= row["fields"]["reporter"].keys()
    second = jira_dc.post("/rest/api/2/search", {"jql": "project = PAY", "startAt": 10, "maxResults": 10})
    assert (second["startAt"], second["maxResults"], len(second["issues"])) == (10, 10, 10)
    assert jira_dc.get("/rest/api/2/search", jql="")["total"] == page["total"]
    assert jira_dc.session.get(jira_dc.base + "/rest/api/3/search/jql", timeout=10).status_code == 404


@pytest.mark.parametrize("flavour", ["cloud", "dc"])
def test_jira_serves_given_issues(flavour: Any) -> None:
    issues = json.loads((FIXTURES / "dc_issues.json").read_text())
    simulator = JiraSimulator.from_issues(issues, flavour, page_cap=1)
    with VendorServer([simulator], clock=UNTIL, limits=None) as server:
        client = Client(server, simulator.name)
        if flavour == "dc":
            first = client.get("/rest/api/2/search", jql="project in (OLD) ORDER BY id", expand="changelog")
            assert (first["total"], first["maxResults"], len(first["issues"])) == (2, 1, 1)
            assert first["issues"][0] == issues[0]
            return
        rows = jql_pages(client, "project = OLD ORDER BY id", fields=["*all"])
        assert [row["key"] for row in rows] == ["OLD-1", "OLD-2"]
        assert rows[0]["fields"]["assignee"].keys() == {"accountId", "accountType", "displayName", "active"}
        logs = client.post("/rest/api/3/changelog/bulkfetch", {"issueIdsOrKeys": ["501", "502"]})["issueChangeLogs"]
        assert [log["issueId"] for log in logs] == ["501"] and len(logs[0]["changeHistories"]) == 3
        names = {row["name"]: row["statusCategory"]["key"] for row in client.get("/rest/api/3/status")}
        assert names == {"Closed": "done", "Open": "new", "In Progress": "indeterminate", "Resolved": "done"}


# -- all of them ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vendor", "path", "wrong"),
    [
        ("pagerduty", "/incidents", "Token token= demo-token"),
        ("pagerduty", "/incidents", "Bearer demo-token"),
        ("opsgenie", "/v2/alerts", "demo-genie-key"),
        ("jira", "/rest/api/3/myself", "Bearer demo-jira-token"),
        ("jira-dc", "/rest/api/2/myself", "Basic ZGVtbzpkZW1v"),
    ],
)
def test_wrong_credentials(server: VendorServer, vendor: str, path: str, wrong: str) -> None:
    response = requests.get(server.url(vendor) + path, headers={"Authorization": wrong}, timeout=10)
    assert response.status_code == 401 and response.json()


def test_rate_limits(world: World) -> None:
    """The budget is counted and told in the vendor's own headers."""
    limits = {name: Limit(3, 3600) for name in ("pagerduty", "opsgenie", "jira", "jira-dc")}
    with VendorServer(world, limits=limits) as server:
        seen: dict[str, list[requests.Response]] = {}
        paths = {"pagerduty": "/teams", "opsgenie": "/v2/teams", "jira": "/rest/api/3/field"}
        for vendor, path in {**paths, "jira-dc": "/rest/api/2/field"}.items():
            client = Client(server, vendor)
            seen[vendor] = [client.session.get(client.base + path, timeout=10) for _ in range(4)]
            assert [response.status_code for response in seen[vendor]] == [200, 200, 200, 429]
        first, last = seen["pagerduty"][0].headers, seen["pagerduty"][-1]
        assert (first["ratelimit-limit"], first["ratelimit-remaining"]) == ("3", "2")
        assert int(last.headers["ratelimit-reset"]) >= 1 and last.json()["error"]["code"] == 2020
        assert seen["opsgenie"][-1].headers["X-RateLimit-State"] == "THROTTLED"
        assert int(seen["jira"][-1].headers["Retry-After"]) >= 1
        assert seen["jira-dc"][0].headers["X-RateLimit-Interval-Seconds"]


def test_rate_limit_comes_back(world: World) -> None:
    """A spent budget is full again once the vendor's window is over, however slow the machine."""
    with VendorServer(world, limits={"pagerduty": Limit(1, 0.2)}) as server:
        client = Client(server, "pagerduty")
        assert client.session.get(client.base + "/teams", timeout=10).status_code == 200
        time.sleep(0.25)
        assert client.session.get(client.base + "/teams", timeout=10).status_code == 200


def test_log_and_prefixes(world: World) -> None:
    with VendorServer(world, limits=None) as server:
        Client(server, "pagerduty").get("/teams", limit=2)
        Client(server, "opsgenie").get("/v2/teams/none", 404)
        lines = [(line.vendor, line.method, line.path, line.query, line.status) for line in server.log]
        assert lines == [("pagerduty", "GET", "/teams", "limit=2", 200), ("opsgenie", "GET", "/v2/teams/none", "", 404)]
        assert server.counts == {"pagerduty": 1, "opsgenie": 1} and len(server.requests("pagerduty")) == 1
        assert requests.get(server.address + "/nobody/x", timeout=10).status_code == 404
        assert server.env()["JIRA_URL"].endswith("/jira") and "JIRA_PERSONAL_TOKEN" not in server.env()
        assert server.env("jira-dc").keys() == {"JIRA_URL", "JIRA_PERSONAL_TOKEN"}
        server.clear_log()
        assert server.log == []


def test_compressed_answers(world: World) -> None:
    with VendorServer(world, limits=None, compress=True) as server:
        client = Client(server, "pagerduty")
        response = client.session.get(client.base + "/incidents", timeout=10)
        assert response.headers["Content-Encoding"] == "gzip" and len(response.json()["incidents"]) == 25
