"""The simulated JSM Operations site over real HTTP: what is known of the real one, and the vendor's description of it.

The description (a subset of the vendor's OpenAPI document) is not ours to redistribute; put it into a folder named
shared/specs beside the checkout to run the tests that need it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from mttr_pipeline.demo import VendorServer, World
from mttr_pipeline.demo.jsm import CLOUD_ID, JsmSimulator

SPEC = Path(__file__).resolve().parents[2] / "shared" / "specs" / "jsm_ops_alerts_subset.yaml"
UNTIL = datetime(2026, 10, 1, 6, tzinfo=UTC)


class Client:
    def __init__(self, server: VendorServer) -> None:
        env = server.env("jsm")
        self.base = f"{env['JSM_API_URL']}/jsm/ops/api/{env['JSM_CLOUD_ID']}"
        self.auth = (env["JSM_EMAIL"], env["JSM_API_TOKEN"])

    def get(self, path: str, status: int = 200, **query: Any) -> Any:
        answer = requests.get(self.base + path, params=query, auth=self.auth, timeout=10)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=7, until=UNTIL)


@pytest.fixture(scope="module")
def client(world: World) -> Iterator[Client]:
    with VendorServer(world, limits=None) as server:
        yield Client(server)


def pages(client: Client, path: str, **query: Any) -> list[dict[str, Any]]:
    """Everything, by following the links the way they are meant: relative to the API."""
    rows: list[dict[str, Any]] = []
    body = client.get(path, **query)
    while True:
        rows += body["values"]
        if "next" not in body["links"]:
            return rows
        assert body["links"]["next"].startswith("/v1/")
        body = client.get(body["links"]["next"])


def test_pages_lose_nothing(client: Client, world: World) -> None:
    rows = pages(client, "/v1/alerts", size=7, sort="createdAt", order="asc")
    alive = [row for row in world.truth() if row.tool == "jsm" and not row.deleted]
    assert [row["id"] for row in rows] == [row.external_id for row in sorted(alive, key=lambda row: row.detected_at)]
    assert client.get("/v1/alerts")["count"] == len(rows)


def test_size_and_limit(client: Client) -> None:
    assert len(client.get("/v1/alerts", limit=3)["values"]) == 20, "limit means nothing"
    assert len(client.get("/v1/alerts", size=500)["values"]) <= 100


def test_the_ceiling(client: Client) -> None:
    error = client.get("/v1/alerts", 400, offset=19_900, size=100)
    assert "20000" in error["errors"][0]["title"]
    assert client.get("/v1/alerts", offset=19_899, size=100)["values"] == []


def test_no_listing_by_change(client: Client) -> None:
    client.get("/v1/alerts", 400, sort="updatedAt")
    client.get("/v1/alerts", 400, query="updatedAt > 1790820845120")
    assert all(row["status"] == "open" for row in client.get("/v1/alerts", query="status:open")["values"])


def test_the_list_is_thinner_than_the_alert(client: Client) -> None:
    row = client.get("/v1/alerts", size=1)["values"][0]
    whole = client.get(f"/v1/alerts/{row['id']}")
    assert row.items() <= whole.items() and "extraProperties" in whole and "extraProperties" not in row
    assert client.get("/v1/alerts/alias", alias=whole["alias"])["alias"] == whole["alias"]
    assert "report" not in whole and "lastOccuredAt" in whole


def test_stamps_are_instants_at_the_top(client: Client, world: World) -> None:
    truth = {row.external_id: row for row in world.truth() if row.tool == "jsm"}
    acked = 0
    for row in pages(client, "/v1/alerts", size=100):
        known = truth[row["id"]]
        ack = datetime.fromisoformat(row["ackTime"]) if "ackTime" in row else None
        close = datetime.fromisoformat(row["closeTime"]) if "closeTime" in row else None
        assert (ack, close) == (known.acknowledged_at, known.resolved_at)
        acked += ack is not None
    assert acked > 20


def test_logs_are_paged_by_after_alone(client: Client) -> None:
    for row in pages(client, "/v1/alerts", size=100):
        path = f"/v1/alerts/{row['id']}/logs"
        whole = client.get(path, size=100)["values"]
        assert pages(client, path, size=2) == whole
        assert client.get(path, size=2, offset=2)["values"] == whole[:2], "an offset gives the first page again"
        assert all(set(entry) == {"log", "logType", "logTime", "owner"} for entry in whole)
    client.get(path, 400, after="nonsense")


def test_refusals(client: Client) -> None:
    assert client.get("/v1/alerts/none", 404)["errors"][0]["code"] == "NOT_FOUND"
    wrong = requests.get(client.base + "/v1/alerts", headers={"Authorization": "GenieKey x"}, timeout=10)
    assert wrong.status_code == 401 and wrong.json()["code"] == 401
    assert (
        requests.get(client.base.replace(CLOUD_ID, "x") + "/v1/alerts", auth=client.auth, timeout=10).status_code == 404
    )
    with VendorServer([JsmSimulator.from_records([], scopes=())], limits=None) as server:
        assert "scope does not match" in Client(server).get("/v1/alerts", 401)["message"]


def test_teams_come_in_an_envelope_of_their_own(client: Client) -> None:
    assert [team["teamName"] for team in client.get("/v1/teams")["platformTeams"]] == ["Fernway Warehouse"]


# -- the vendor's description --------------------------------------------------------------------------------------


def check(name: str, body: Any) -> None:
    """`body` against one schema; nothing may be in it that the schema does not know."""
    import yaml
    from jsonschema import Draft4Validator

    schemas = yaml.safe_load(SPEC.read_text(encoding="utf-8"))["components"]["schemas"]

    def closed(node: Any) -> Any:
        if isinstance(node, list):
            return [closed(item) for item in node]
        if not isinstance(node, dict):
            return node
        turned = {key: closed(value) for key, value in node.items()}
        if isinstance(turned.get("properties"), dict):
            turned.setdefault("additionalProperties", False)
        return turned

    document = {"components": {"schemas": closed(schemas)}, "$ref": f"#/components/schemas/{name}"}
    errors = [f"{error.json_path}: {error.message[:200]}" for error in Draft4Validator(document).iter_errors(body)]
    assert not errors, errors[:5]


@pytest.mark.skipif(
    not SPEC.is_file(), reason="the vendor's description (shared/specs beside the checkout) is not here"
)
def test_answers_are_as_described(client: Client) -> None:
    listed = client.get("/v1/alerts", size=100)
    check("ListAlertResponse", listed)
    for row in listed["values"][:20]:
        check("AlertResponse", client.get(f"/v1/alerts/{row['id']}"))
        check("AlertLogsResponse", client.get(f"/v1/alerts/{row['id']}/logs"))
        check("GetAlertNotesResponse", client.get(f"/v1/alerts/{row['id']}/notes"))
    check("ErrorResponses", client.get("/v1/alerts", 400, offset=19_999))
    check("ErrorResponses", client.get("/v1/alerts/none", 404))
    check("ErrorMessage", requests.get(client.base + "/v1/alerts", timeout=10).json())
