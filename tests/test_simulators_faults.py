"""Faults strike the same requests for the same seed, and an honest retry gets through."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
import requests
from support import slow
from support_e2e import mttr

from mttr_pipeline.demo import VendorServer, World
from mttr_pipeline.demo.profiles import PROFILES, Rule, rules_of

UNTIL = datetime(2026, 10, 1, 6, tzinfo=UTC)
FAILURES = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError, requests.exceptions.JSONDecodeError)
FOR_GOOD = {"down", "unauthorized", "forbidden", "unavailable", "always_html"}
#: Profiles that no single request of PagerDuty's list shows.
ELSEWHERE = {
    *("latency", "repeated_rows", "repeated_token", "token_expired", "endless_token", "empty_pages", "rows_vanish"),
    *("rows_appear", "deleted_while_read", "indexed_late"),
}


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


@pytest.mark.parametrize(
    "profile", [*sorted(PROFILES.keys() - FOR_GOOD - {"slow", "latency", "none"}), *slow("latency")]
)
def test_a_retry_gets_through(world: World, profile: str) -> None:
    with VendorServer(world, faults=profile, limits=None, seed=5) as server:
        outcomes = [[attempt(server, path) for _ in range(7)] for path in PATHS]
    assert all("ok" in tries for tries in outcomes)
    if profile not in ELSEWHERE:
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


# -- data that move while they are read --------------------------------------------------------------------------------


def listed(server: VendorServer, offset: int) -> list[str]:
    response = requests.get(
        f"{server.url('pagerduty')}/incidents?date_range=all&limit=10&offset={offset}",
        headers={"Authorization": "Token token=demo-token"},
        timeout=5,
    )
    return [row["id"] for row in response.json()["incidents"]]


def searched(server: VendorServer, token: str | None = None, **more: object) -> requests.Response:
    body = {"jql": "created >= 1700000000000", "maxResults": 5, **({"nextPageToken": token} if token else {}), **more}
    url = server.url("jira") + "/rest/api/3/search/jql"
    return requests.post(url, json=body, auth=("demo@example.com", "demo-jira-token"), timeout=5)


def test_rows_shift_between_pages_once(world: World) -> None:
    """A page read again shows what it should have shown: the move itself is over."""
    with VendorServer(world, limits=None) as server:
        true = listed(server, 0), listed(server, 10)
        for profile, first in (("rows_vanish", true[1][1]), ("rows_appear", true[0][-1])):
            server.set_faults(profile)
            assert listed(server, 0) == true[0], "the first page cannot shift"
            assert listed(server, 10)[0] == first
            assert listed(server, 10) == true[1]


def test_page_tokens_of_every_kind(jira: World) -> None:
    with VendorServer(jira, limits=None) as server:
        first = searched(server).json()
        token = first["nextPageToken"]
        following = searched(server, token).json()
        server.set_faults((Rule("repeated_token"),))
        assert searched(server, token).json()["nextPageToken"] == token
        assert searched(server, token).json() == following
        server.set_faults((Rule("token_refused"),))
        assert searched(server).json() == first, "a search without a token has none that could expire"
        assert searched(server, token).status_code == 400
        assert searched(server, token).json() == following
        server.set_faults((Rule("empty_page"),))
        for asked, page in ((None, first), (token, following)):
            empty = searched(server, asked).json()
            assert (empty["issues"], empty["isLast"]) == ([], False)
            assert searched(server, empty["nextPageToken"]).json()["issues"] in ([], page["issues"])


def test_a_vanished_record_is_found_nowhere_but_in_the_list(world: World) -> None:
    with VendorServer(world, faults="deleted_while_read", limits=None) as server:
        names = [name for offset in range(0, 60, 10) for name in listed(server, offset)]
        server.set_faults((Rule("vanished", share=0.3, attempts=None),))
        answers = {
            name: {attempt(server, f"/incidents/{name}{part}") for part in ("", "/log_entries")} for name in names
        }
    assert set(map(frozenset, answers.values())) == {frozenset({"ok"}), frozenset({"404"})}


def test_the_index_of_a_search_lags_behind(jira: World) -> None:
    """A change of the last minutes is not found, though the issue itself shows it."""
    fact = max((fact for case in jira.of("jira") for fact in case.facts if fact.at <= UNTIL), key=lambda fact: fact.at)
    with VendorServer(jira, limits=None, clock=fact.at) as server:
        since = int(fact.at.timestamp() * 1000)
        query = {"jql": f"updated >= {since}", "fields": ["updated"]}
        assert searched(server, **query).json()["issues"]
        server.set_faults("indexed_late")
        assert not searched(server, **query).json()["issues"]


@pytest.fixture(scope="module")
def jira() -> World:
    return World(seed=2, until=UNTIL, days=20, volumes={"jira": 30})


def test_the_help_of_the_demo_names_every_profile() -> None:
    """A profile that the help leaves out is one that nobody finds."""
    text = " ".join(mttr("demo", "--help").ended(0).out.split())
    assert all(re.search(rf"[ ,]{re.escape(name)}[,.]", text) for name in PROFILES), text
