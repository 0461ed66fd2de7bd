"""The simulators' answers against the vendors' own OpenAPI documents.

The documents are large and not ours to redistribute; put them into a folder named shared/specs beside the checkout to
run these tests. Where a document contradicts what its vendor is known to answer, the exception is listed here with the
reason, never waved through.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
from jsonschema import Draft4Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from mttr_pipeline.demo import VendorServer, World
from mttr_pipeline.demo.deploys import Deploy
from mttr_pipeline.demo.github import GitHubSimulator, deployments
from mttr_pipeline.demo.github.records import release
from mttr_pipeline.demo.sentry import SentrySimulator
from mttr_pipeline.demo.sentry import records as sentry_records
from mttr_pipeline.demo.sentry.truth import Act, Archived, Episode, ErrorIssue, Errors, Sessions, per_hour

SPECS = Path(__file__).resolve().parent.parent.parent / "shared" / "specs"
pytestmark = pytest.mark.skipif(not SPECS.is_dir(), reason=f"no vendor specifications in {SPECS}")

UNTIL = datetime(2026, 10, 1, 6, tzinfo=UTC)

#: Types of log entry that clients report but the specification does not list.
UNLISTED_ENTRIES = {
    "link_log_entry",
    "priority_change_log_entry",
    "reopen_log_entry",
    "service_change_log_entry",
}
#: Properties that PagerDuty answers as null (open incident, no priority, never merged, no grouping), although the
#: document gives them a type and no `nullable`.
NULL_IN_FACT = {
    "alert_grouping",
    "description",
    "last_incident_timestamp",
    "priority",
    "resolve_reason",
    "resolved_at",
    "support_hours",
}
#: Jira's document forgets that both ends of a change can be empty, and that bulk changelogs hold epoch integers.
JIRA_NULLS = {"from", "to", "fromString", "toString"}


def plain(node: Any) -> Any:
    """A document as plain JSON Schema: nullable becomes a null type, oneOf becomes anyOf.

    The alternatives of a oneOf (reference or full object, kinds of channel) overlap, so exactly one never matches.
    """
    if isinstance(node, list):
        return [plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    turned = {
        name: plain(value) for name, value in node.items() if name not in ("example", "examples", "discriminator")
    }
    if "oneOf" in turned:
        turned.setdefault("allOf", []).append({"anyOf": turned.pop("oneOf")})
    if isinstance(turned.get("properties"), dict):
        for name in (NULL_IN_FACT | JIRA_NULLS) & turned["properties"].keys():
            turned["properties"][name] = {"anyOf": [{"type": "null"}, turned["properties"][name]]}
    if turned.pop("nullable", False):
        return {"anyOf": [{"type": "null"}, turned]}
    return turned


@cache
def document(name: str) -> Any:
    return plain(json.loads((SPECS / name).read_text()))


@cache
def validator(name: str, *path: str) -> Draft4Validator:
    """A validator for one part of a document, whose references go anywhere in it."""
    registry: Registry[Any] = Registry().with_resource("doc:", Resource(document(name), DRAFT4))
    pointer = "/".join(part.replace("~", "~0").replace("/", "~1") for part in path)
    return Draft4Validator({"$ref": f"doc:#/{pointer}"}, registry=registry)


def check(name: str, path: tuple[str, ...], body: Any) -> None:
    errors = [f"{error.json_path}: {error.message[:200]}" for error in validator(name, *path).iter_errors(body)]
    assert not errors, errors[:5]


@pytest.fixture(scope="module")
def server() -> Iterator[VendorServer]:
    with VendorServer(World(seed=7, until=UNTIL), limits=None) as running:
        yield running


def fetch(server: VendorServer, vendor: str, path: str, status: int = 200, body: Any = None) -> Any:
    env = server.env(vendor)
    headers = {
        "pagerduty": {"Authorization": f"Token token={env.get('PAGERDUTY_TOKEN')}"},
        "opsgenie": {"Authorization": f"GenieKey {env.get('OPSGENIE_API_KEY')}"},
        "github": {"Authorization": f"Bearer {env.get('GITHUB_TOKEN')}"},
        "sentry": {"Authorization": f"Bearer {env.get('SENTRY_AUTH_TOKEN')}"},
    }.get(vendor, {})
    auth = (env["JIRA_EMAIL"], env["JIRA_API_TOKEN"]) if vendor == "jira" else None
    method = "POST" if body is not None else "GET"
    answer = requests.request(method, server.url(vendor) + path, headers=headers, auth=auth, json=body, timeout=10)
    assert answer.status_code == status, answer.text
    return answer.json()


# -- PagerDuty -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "query"),
    [
        ("/incidents", "date_range=all&limit=100"),
        ("/incidents", "date_range=all&limit=100&offset=100&total=true"),
        ("/incidents", "date_range=all&limit=100&statuses[]=triggered&statuses[]=acknowledged"),
        ("/incidents", "date_range=all&limit=50&include[]=services&include[]=teams&include[]=priorities"),
        ("/services", ""),
        ("/teams", ""),
        ("/priorities", ""),
    ],
)
def test_pagerduty_lists(server: VendorServer, operation: str, query: str) -> None:
    body = fetch(server, "pagerduty", f"{operation}?{query}")
    assert body[operation[1:]]
    check(
        "pagerduty.json", ("paths", operation, "get", "responses", "200", "content", "application/json", "schema"), body
    )


@pytest.mark.parametrize("include", ["", "&include[]=incidents"])
def test_pagerduty_log_entries(server: VendorServer, include: str) -> None:
    seen: set[str] = set()
    for offset in range(0, 1500, 100):
        window = "since=2026-05-01T00:00:00Z&until=2026-10-01T00:00:00Z&time_zone=UTC"
        body = fetch(server, "pagerduty", f"/log_entries?{window}&limit=100&offset={offset}{include}")
        seen |= {row["type"] for row in body["log_entries"]}
        listed = [row for row in body["log_entries"] if row["type"] not in UNLISTED_ENTRIES]
        # The document names the acknowledgement differently in two places; vendors' clients see the first.
        for row in listed:
            if include:  # in full the incident is what GET /incidents/{id} gives; the document knows references only
                check("pagerduty.json", ("components", "schemas", "Incident"), row["incident"])
                row["incident"] = {**row["incident"], "type": "incident_reference"}
            check("pagerduty.json", ("components", "schemas", "LogEntry"), row)
    assert {"trigger_log_entry", "acknowledge_log_entry", "resolve_log_entry", "annotate_log_entry"} <= seen


def test_pagerduty_single_objects(server: VendorServer) -> None:
    rows = fetch(server, "pagerduty", "/incidents?date_range=all&limit=40")["incidents"]
    for row in rows:
        for suffix in ("", "/notes", "/alerts"):
            body = fetch(server, "pagerduty", f"/incidents/{row['id']}{suffix}")
            operation = "/incidents/{id}" + suffix
            check(
                "pagerduty.json",
                ("paths", operation, "get", "responses", "200", "content", "application/json", "schema"),
                body,
            )


def test_pagerduty_change_events() -> None:
    """The world of the other tests may have none: those of a deploy in each of its ends."""
    world = World(seed=7, until=UNTIL, volumes={}, days=3)
    world.deploys = [
        Deploy(
            tool="pagerduty",
            number=number,
            service="Checkout",
            environment="production",
            story="plain",
            version="1.0",
            sha="a" * 40,
            title="Change",
            author="ana",
            committed=UNTIL,
            requested=UNTIL,
            started=UNTIL,
            finished=UNTIL - timedelta(days=number),
            outcome=outcome,
        )
        for number, outcome in enumerate(("success", "failure", "cancelled"), start=1)
    ]
    with VendorServer(world, limits=None) as server:
        body = fetch(server, "pagerduty", "/change_events?since=2026-09-01T00:00:00Z&limit=100&total=true")
        assert len(body["change_events"]) == 3
        schema = ("paths", "/change_events", "get", "responses", "200", "content", "application/json", "schema")
        check("pagerduty.json", schema, body)
        fetch(server, "pagerduty", "/change_events?since=2026-09-01T00:00:00%2B02:00", 400)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/incidents?since=never", 400), ("/incidents?offset=10000", 400), ("/incidents/QNONE", 404)],
)
def test_pagerduty_errors(server: VendorServer, path: str, status: int) -> None:
    body = fetch(server, "pagerduty", path, status)
    name = {400: "ArgumentError", 404: "NotFound"}[status]
    responses = document("pagerduty.json")["components"]["responses"]
    assert name in responses
    check("pagerduty.json", ("components", "responses", name, "content", "application/json", "schema"), body)


# -- Opsgenie ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "definition"),
    [
        ("/v2/alerts?limit=100", "ListAlertsResponse"),
        ("/v2/alerts?limit=100&offset=100", "ListAlertsResponse"),
        ("/v2/alerts/count", "GetCountAlertsResponse"),
        ("/v1/incidents?limit=100", "ListIncidentsResponse"),
        ("/v2/teams", "ListTeamsResponse"),
    ],
)
def test_opsgenie_lists(server: VendorServer, path: str, definition: str) -> None:
    check("opsgenie.json", ("definitions", definition), fetch(server, "opsgenie", path))


def test_opsgenie_single_objects(server: VendorServer) -> None:
    for row in fetch(server, "opsgenie", "/v2/alerts?limit=30&sort=updatedAt")["data"]:
        base = f"/v2/alerts/{row['id']}"
        check("opsgenie.json", ("definitions", "GetAlertResponse"), fetch(server, "opsgenie", base))
        check("opsgenie.json", ("definitions", "ListAlertLogsResponse"), fetch(server, "opsgenie", base + "/logs"))
        check("opsgenie.json", ("definitions", "ListAlertNotesResponse"), fetch(server, "opsgenie", base + "/notes"))
    for row in fetch(server, "opsgenie", "/v1/incidents")["data"]:
        body = fetch(server, "opsgenie", f"/v1/incidents/{row['id']}")
        check("opsgenie.json", ("definitions", "GetIncidentResponse"), body)
    for path, status in (("/v2/alerts/none", 404), ("/v2/alerts?offset=20000", 422)):
        check("opsgenie.json", ("definitions", "ErrorResponse"), fetch(server, "opsgenie", path, status))


# -- Jira Cloud ----------------------------------------------------------------------------------------------------


def jira_schema(operation: str, method: str = "get") -> tuple[str, ...]:
    return ("paths", operation, method, "responses", "200", "content", "application/json", "schema")


@pytest.mark.parametrize("operation", ["field", "status", "issuetype", "myself", "serverInfo", "project/search"])
def test_jira_site(server: VendorServer, operation: str) -> None:
    operation = f"/rest/api/3/{operation}"
    check("jira_cloud_v3.json", jira_schema(operation), fetch(server, "jira", operation))


def test_jira_search_and_changelogs(server: VendorServer) -> None:
    search = "/rest/api/3/search/jql"
    query = {"jql": "project = ITD", "fields": ["*all"], "expand": "changelog", "maxResults": 100}
    found = fetch(server, "jira", search, body=query)
    check("jira_cloud_v3.json", jira_schema(search, "post"), found)
    check("jira_cloud_v3.json", jira_schema(search), fetch(server, "jira", search + "?jql=project=ITD"))
    ids = [row["id"] for row in found["issues"]]

    bulk = "/rest/api/3/changelog/bulkfetch"
    logs = fetch(server, "jira", bulk, body={"issueIdsOrKeys": ids})
    for log in logs["issueChangeLogs"]:
        for history in log["changeHistories"]:
            history["created"] = str(history["created"])  # the document's own example holds an integer
    check("jira_cloud_v3.json", jira_schema(bulk, "post"), logs)

    one = "/rest/api/3/issue/{issueIdOrKey}"
    page = fetch(server, "jira", f"/rest/api/3/issue/{ids[-1]}/changelog?maxResults=2")
    check("jira_cloud_v3.json", jira_schema(one + "/changelog"), page)
    check("jira_cloud_v3.json", jira_schema(one), fetch(server, "jira", f"/rest/api/3/issue/{ids[-1]}"))
    issues = "/rest/api/3/issue/bulkfetch"
    check(
        "jira_cloud_v3.json",
        jira_schema(issues, "post"),
        fetch(server, "jira", issues, body={"issueIdsOrKeys": ids[:9]}),
    )
    count = "/rest/api/3/search/approximate-count"
    check("jira_cloud_v3.json", jira_schema(count, "post"), fetch(server, "jira", count, body={"jql": "project = ITD"}))


def test_jira_errors(server: VendorServer) -> None:
    for path, status in (("/rest/api/3/search/jql?jql=", 400), ("/rest/api/3/issue/NO-1", 404)):
        body = fetch(server, "jira", path, status)
        check("jira_cloud_v3.json", ("components", "schemas", "ErrorCollection"), body)


# -- GitHub --------------------------------------------------------------------------------------------------------

GITHUB = "github_deployments_subset.json"


@pytest.fixture(scope="module")
def github() -> Iterator[VendorServer]:
    """Deploys of every outcome, a rollback among them, and releases."""
    deploys = []
    outcomes = ("success", "failure", "success", "cancelled", "", "success")
    for number, outcome in enumerate(outcomes):
        at = UNTIL - timedelta(days=9 - number)
        deploys.append(
            Deploy(
                tool="github",
                number=number,
                service="Checkout",
                environment="production",
                story="plain",
                version=f"v{number}",
                sha=f"{0 if number == 5 else number:040x}",
                title=f"Change {number}",
                author="ana",
                committed=at - timedelta(hours=2),
                requested=at,
                started=at + timedelta(minutes=1) if outcome else None,
                finished=at + timedelta(minutes=5) if outcome else None,
                outcome=outcome,
            )
        )
    book = deployments(deploys, UNTIL)
    book.repositories[1].releases = [release(1, book.repositories[1].full_name, "a/b@1+2", UNTIL, UNTIL)]
    with VendorServer([GitHubSimulator.from_records(book.repositories)], limits=None, clock=UNTIL) as running:
        yield running


def test_github_answers(github: VendorServer) -> None:
    """Lists, single objects, every kind of comparison, refusals."""
    place = github.env("github")["GITHUB_REPOS"].split(",")
    checkout, search = f"/repos/{place[0]}", f"/repos/{place[1]}"

    def schema(operation: str) -> tuple[str, ...]:
        return ("paths", operation, "get", "responses", "200", "content", "application/json", "schema")

    base = "/repos/{owner}/{repo}"
    check(GITHUB, ("components", "schemas", "minimal-repository"), fetch(github, "github", checkout))
    rows = fetch(github, "github", f"{checkout}/deployments")
    check(GITHUB, schema(f"{base}/deployments"), rows)
    assert {type(row["payload"]) for row in rows} == {dict, str} and len(rows) == 6
    states = set()
    for row in rows:
        one = f"{checkout}/deployments/{row['id']}"
        check(GITHUB, schema(base + "/deployments/{deployment_id}"), fetch(github, "github", one))
        statuses = fetch(github, "github", f"{one}/statuses")
        check(GITHUB, schema(base + "/deployments/{deployment_id}/statuses"), statuses)
        states |= {status["state"] for status in statuses}
    assert states == {"queued", "in_progress", "success", "failure", "error", "inactive"}
    compared = set()
    for pair in ((0, 2), (2, 0), (2, 2)):
        path = f"{checkout}/compare/{pair[0]:040x}...{pair[1]:040x}"
        found = fetch(github, "github", path)
        check(GITHUB, schema(base + "/compare/{basehead}"), found)
        compared.add(found["status"])
    assert compared == {"ahead", "behind", "identical"}
    releases = fetch(github, "github", f"{search}/releases")
    assert releases
    check(GITHUB, schema(f"{base}/releases"), releases)
    for path in ("/repos/none/none/deployments", f"{checkout}/deployments/1/statuses", f"{checkout}/compare/a...b"):
        check(GITHUB, ("components", "schemas", "basic-error"), fetch(github, "github", path, 404))


# -- Sentry and GlitchTip ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flavour", "name", "operation"),
    [
        ("sentry", "sentry.json", "/api/0/organizations/{organization_id_or_slug}/releases/"),
        ("glitchtip", "glitchtip_subset.json", "/api/0/organizations/{organization_slug}/releases/"),
    ],
)
def test_sentry_answers(flavour: Any, name: str, operation: str) -> None:
    """Releases with and without deploys and commits, and what belongs to one."""
    full, plain_one = "a/b@1+2", "v2"
    at = UNTIL - timedelta(days=2)
    simulator = SentrySimulator.from_records(
        [sentry_records.release(full, at, ("web", "api")), sentry_records.release(plain_one, at)],
        deploys={full: [sentry_records.deploy(n, at, place) for n, place in enumerate(("staging", "production"), 1)]},
        commits={full: [sentry_records.commit("a" * 40, at, "Change")]},
        flavour=flavour,
    )

    def schema(path: str) -> tuple[str, ...]:
        return ("paths", path, "get", "responses", "200", "content", "application/json", "schema")

    base = "/api/0/organizations/acme/releases/"
    with VendorServer([simulator], limits=None, clock=UNTIL) as running:
        rows = fetch(running, "sentry", base)
        assert [row["deployCount"] for row in rows] == [2, 0]
        check(name, schema(operation), rows)
        one = base + "a%2Fb%401%2B2/"
        check(name, schema(operation + "{version}/"), fetch(running, "sentry", one))
        for part in ("deploys", "commits"):
            found = fetch(running, "sentry", f"{one}{part}/")
            assert found
            check(name, schema(f"{operation}{{version}}/{part}/"), found)


@pytest.mark.parametrize("flavour", ["sentry", "glitchtip"])
def test_sentry_errors(flavour: Any) -> None:
    """Issues in each state, lists and one of them, projects, counts, comments, tags and sessions."""
    at = UNTIL - timedelta(days=2)
    hour = timedelta(hours=1)
    note = Act("note", at + hour, "Ana", {"text": "Mitigated: off"})
    ends = [
        [Episode(at)],
        [Episode(at, at + hour, by="Ana"), Episode(at + 2 * hour)],
        [Episode(at, at + hour, "next_release", "Ana", "v2", at)],
        [Episode(at, at + hour, "commit", "Ana", "v2", at)],
    ]
    book = Errors(
        [
            ErrorIssue(
                n,
                "checkout",
                "KeyError",
                at,
                episodes=episodes,
                acts=[note],
                events=per_hour(at, UNTIL, 3),
                first_release="v1",
                assigned=("user", "Ana"),
                tickets=("OPS-1",),
                pages=("https://tickets.example.com/1",),
                tags={"component": "Cart"},
                archived=[Archived(at + hour)] if n == 1 else [],
            )
            for n, episodes in enumerate(ends, 1)
        ],
        [Sessions("v1", "checkout", at, 100, 3)],
        {"checkout": ("Payments",)},
    )
    simulator = SentrySimulator.from_records([], errors=book, flavour=flavour)
    name = "sentry.json" if flavour == "sentry" else "glitchtip_subset.json"
    organization = "organization_id_or_slug" if flavour == "sentry" else "organization_slug"

    def schema(path: str) -> tuple[str, ...]:
        return ("paths", path, "get", "responses", "200", "content", "application/json", "schema")

    base, described = "/api/0/organizations/acme/", f"/api/0/organizations/{{{organization}}}/"
    with VendorServer([simulator], limits=None, clock=UNTIL) as running:
        sort = "date&expand=integrationIssues&expand=sentryAppIssues" if flavour == "sentry" else "-last_seen"
        rows = fetch(running, "sentry", f"{base}issues/?query=&sort={sort}")
        assert len(rows) == 4
        check(name, schema(f"{described}issues/"), rows)
        if flavour == "sentry":
            for row in rows:
                one = fetch(running, "sentry", f"{base}issues/{row['id']}/")
                check(name, schema(f"{described}issues/{{issue_id}}/"), one)
            tag = fetch(running, "sentry", f"{base}issues/1/tags/component/")
            check(name, schema(f"{described}issues/{{issue_id}}/tags/{{key}}/"), tag)
            counted = fetch(running, "sentry", f"{base}sessions/?field=sum(session)&interval=1d&statsPeriod=7d")
            check(name, schema(f"{described}sessions/"), counted)
            fetch(running, "sentry", f"{base}issues/?sort=last_seen", 400)
            return
        fetch(running, "sentry", f"{base}issues/?sort=new", 422)
        fetch(running, "sentry", f"{base}issues/1/", 405)
        check(name, schema(f"{described}projects/"), _projects(fetch(running, "sentry", f"{base}projects/")))
        for part in ("", "comments/", "tags/"):
            check(
                name, schema(f"/api/0/issues/{{issue_id}}/{part}"), fetch(running, "sentry", f"/api/0/issues/1/{part}")
            )
        stats = fetch(running, "sentry", f"{base}issues-stats/?groups=1&groups=2&statsPeriod=14d")
        for row in stats:
            assert row["stats"]["14d"] and row["userCount"] == int(row["count"])
        check(name, schema(f"{described}issues-stats/"), stats)


def _projects(rows: list[Any]) -> list[Any]:
    """Projects with what their document asks for and no reader of errors does."""
    return [{"isMember": True, "scrubIPAddresses": True, **row} for row in rows]
