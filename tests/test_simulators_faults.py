"""Faults strike the same requests for the same seed, and an honest retry gets through."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
import requests

from mttr_pipeline.demo import VendorServer, World
from mttr_pipeline.demo.faults import PROFILES, Rule, rules_of

UNTIL = datetime(2026, 10, 1, 6, tzinfo=UTC)
FAILURES = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError, requests.exceptions.JSONDecodeError)
FOR_GOOD = {"down", "unauthorized", "forbidden", "unavailable", "always_html"}


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=2, until=UNTIL, days=20, volumes={"pagerduty": 60, "opsgenie": 10})


def attempt(server: VendorServer, path: str) -> str:
    """`ok`, or how one request went wrong."""
    try:
        response = requests.get(
            server.url("pagerduty") + path, headers={"Authorization": "Token token=demo-token"}, timeout=5
        )
        if response.status_code == 200:
            response.json()
            return "ok"
        return str(response.status_code)
    except FAILURES as error:
        return type(error).__name__


PATHS = [f"/incidents?date_range=all&offset={offset}" for offset in range(12)]


@pytest.mark.parametrize("profile", sorted(PROFILES.keys() - FOR_GOOD - {"slow", "none"}))
def test_a_retry_gets_through(world: World, profile: str) -> None:
    with VendorServer(world, faults=profile, limits=None, seed=5) as server:
        outcomes = [[attempt(server, path) for _ in range(7)] for path in PATHS]
    assert all("ok" in tries for tries in outcomes)
    if profile not in ("latency", "repeated_rows"):
        assert any(outcome != "ok" for tries in outcomes for outcome in tries), "the profile does something"


@pytest.mark.parametrize("profile", sorted(FOR_GOOD))
def test_some_things_never_get_better(world: World, profile: str) -> None:
    with VendorServer(world, faults={"pagerduty": profile}, limits=None) as server:
        assert {attempt(server, PATHS[0]) for _ in range(4)} != {"ok"}
        assert "ok" not in {attempt(server, PATHS[0]) for _ in range(4)}
        other = requests.get(
            server.url("opsgenie") + "/v2/alerts", headers={"Authorization": "GenieKey demo-genie-key"}, timeout=5
        )
        assert other.status_code == 200, "one vendor's trouble is not another's"


def test_same_seed_same_faults(world: World) -> None:
    runs = []
    for seed in (1, 1, 2):
        with VendorServer(world, faults="heavy", limits=None, seed=seed) as server:
            runs.append([attempt(server, path) for path in PATHS + PATHS])
    assert runs[0] == runs[1] != runs[2]


def test_light_throttles_once_early(world: World) -> None:
    with VendorServer(world, faults="light", limits=None) as server:
        outcomes = [attempt(server, "/teams") for _ in range(6)]
        assert "429" in outcomes


def test_shapes_of_trouble(world: World) -> None:
    def one(rule: Rule) -> requests.Response:
        with VendorServer(world, faults=(rule,), limits=None) as server:
            url = server.url("pagerduty") + "/teams"
            return requests.get(url, headers={"Authorization": "Token token=demo-token"}, timeout=5)

    assert not {name for name in one(Rule("throttle_silent")).headers if "limit" in name.lower()}
    limited = one(Rule("throttle", argument=2))
    assert limited.status_code == 429 and limited.headers["Retry-After"] == "2"
    assert limited.headers["ratelimit-remaining"] == "0"
    later = parsedate_to_datetime(one(Rule("retry_after_date", argument=5)).headers["Retry-After"])
    assert 3 < (later - datetime.now(UTC)).total_seconds() < 8
    page = one(Rule("html"))
    assert page.status_code == 200 and page.headers["Content-Type"].startswith("text/html")
    started = time.monotonic()
    assert one(Rule("slow", argument=0.3)).ok and time.monotonic() - started > 0.3
    rows = one(Rule("repeated_row")).json()["teams"]
    assert len({row["id"] for row in rows}) == len(rows) - 1
    assert one(Rule("status", argument=502)).json()["error"]


def test_faults_can_change_while_serving(world: World) -> None:
    with VendorServer(world, limits=None) as server:
        assert attempt(server, "/teams") == "ok"
        server.set_faults("unauthorized")
        assert attempt(server, "/teams") == "401"
        server.set_faults("none")
        assert attempt(server, "/teams") == "ok"
    with pytest.raises(ValueError, match="unknown fault profile"):
        rules_of("nonsense")
