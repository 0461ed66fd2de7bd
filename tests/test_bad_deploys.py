"""Bad input about deploys, of all sources that tell of them, over the road to the tables: each is a finding, a name or a value as it
was sent, and the deploy beside it is unharmed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from deploy_cases import DAY, HOUR, MINUTE, NOW
from github_cases import Place
from support import build_all, open_warehouse, rows, settings_for
from test_extract_gitlab import SHOP, by_api, deployment
from test_extract_sentry import Organization

from mttr_pipeline.demo import VendorServer
from mttr_pipeline.demo.github import GitHubSimulator
from mttr_pipeline.demo.gitlab import GitLabSimulator
from mttr_pipeline.intake.importer import import_files
from mttr_pipeline.landing.store import Landing, new_run_id
from mttr_pipeline.sources.pulling import build_source, pull

NAME = "a/b@1+2"
AT = NOW - 5 * DAY
SOURCES = ("github", "gitlab", "sentry", "cdevents")


def of_github() -> GitHubSimulator:
    place = Place(1, "acme/shop")
    place.deploy(1, AT, ("success", AT + HOUR), ref=NAME)
    place.deploy(2, AT, ("success", AT + HOUR), environment="prod-eu")
    place.deploy(3, AT, ("in_progress", AT + MINUTE))  # nothing says that it is over
    place.deploy(
        4, AT, ("in_progress", AT + 3 * HOUR), ("success", AT + 2 * HOUR)
    )  # a status of a machine whose clock is ahead
    place.deploy(5, NOW + DAY, ("success", NOW + DAY))  # the server's clock is ahead of ours
    return GitHubSimulator.from_records([place])


def of_gitlab() -> GitLabSimulator:
    backwards = {"id": 1, "started_at": "2026-09-26T09:00:00.000Z", "finished_at": "2026-09-26T08:00:00.000Z"}
    tagged = deployment(1, AT)
    deploys = [
        {**tagged, "ref": NAME, "deployable": {**tagged["deployable"], "tag": True}},
        deployment(2, AT, environment={"id": 2, "name": "prod-eu"}),
        by_api(3, AT, AT + 40 * HOUR),  # it was over somewhere in almost two days
        deployment(4, AT, deployable=backwards),
        deployment(5, NOW + DAY),
    ]
    return GitLabSimulator.from_records({SHOP: deploys})


def of_sentry() -> Any:
    here = Organization(flavour="glitchtip")
    for number in range(1, 6):
        here.release(NAME if number == 1 else f"v{number}", AT)
    end = AT + HOUR
    here.deploy(NAME, AT, dateFinished=end.isoformat())
    here.deploy("v2", AT, "prod-eu", dateFinished=end.isoformat())
    here.deploy("v3", AT, dateCreated=None)
    here.deploy("v4", AT, dateStarted=(end + HOUR).isoformat(), dateFinished=end.isoformat())
    here.deploy("v5", NOW + DAY, dateFinished=(NOW + DAY).isoformat())
    return here.simulator


def cdevent(name: str, environment: str, at: Any, version: str = "1") -> dict[str, Any]:
    context = {"specversion": "0.5.0", "id": name, "source": "/ci", "type": "dev.cdevents.service.deployed.0.3.0"}
    artifact = f"pkg:generic/shop@{version.replace('/', '%2F').replace('@', '%40').replace('+', '%2B')}"
    content = {"environment": {"id": environment}, "artifactId": artifact}
    return {"context": {**context, "timestamp": at}, "subject": {"id": "shop", "content": content}}


EVENTS = [
    cdevent("1", "production", AT.isoformat(), NAME),
    cdevent("2", "prod-eu", AT.isoformat()),
    cdevent("3", "production", None),
    cdevent("5", "production", (NOW + DAY).isoformat()),
]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """Tables after one night of all sources."""
    folder: Path = tmp_path_factory.mktemp("bad")
    landing = Landing(folder / "landing")
    with VendorServer([of_github(), of_gitlab(), of_sentry()], clock=NOW + 2 * DAY, limits=None) as server:
        settings = settings_for(folder, {}, server.env("github", "gitlab", "sentry"))
        for name in SOURCES[:3]:
            source = build_source(name, settings)
            pull(source, settings, landing, new_run_id(), as_of=NOW)
            source.close()
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in EVENTS))
    import_files([folder / "events.jsonl"], landing, new_run_id(), accounts=settings.accounts)
    warehouse = open_warehouse(folder, as_of=NOW, after_nothing=True)
    try:
        warehouse.load(landing)
        build_all(warehouse, ["mart.data_quality", "mart.deploys", "mart.quarantine"])
        return {name: rows(warehouse.con, f"FROM mart.{name}") for name in ("data_quality", "deploys", "quarantine")}
    finally:
        warehouse.close()


@pytest.fixture
def deploys(tables: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """Source and last digit of the id -> deploy."""
    return {(row["source"], row["external_id"][-1]): row for row in tables["deploys"]}


def finding(tables: Any, check: str, source: str) -> tuple[int, Any]:
    (row,) = [row for row in tables["data_quality"] if (row["dq_check"], row["source"]) == (check, source)]
    return row["n"], row["examples"]


@pytest.mark.parametrize("source", SOURCES)
def test_a_release_with_every_sign_in_its_name(deploys: Any, source: str) -> None:
    """`a/b@1+2` is read, asked about and shown as it is; the deploy counts."""
    row = deploys[source, "1"]
    assert (row["version"], row["is_production"], row["status"]) == (NAME, True, "success")
    assert row["finished_at"] is not None


@pytest.mark.parametrize("source", SOURCES)
def test_an_environment_nobody_mapped(tables: Any, deploys: Any, source: str) -> None:
    """It is not production, and a finding with its name."""
    assert deploys[source, "2"]["is_production"] is False
    assert finding(tables, "unmapped_environment", source) == (1, ["prod-eu"])


@pytest.mark.parametrize("source", SOURCES)
def test_a_deploy_without_a_finish(tables: Any, deploys: Any, source: str) -> None:
    """Nothing stands in for it. GitHub dates every status, so one without is not over; an event without a time cannot be read."""
    if source == "cdevents":
        told = {row["external_id"]: row["reason"] for row in tables["quarantine"] if row["stream"] == source}
        assert told == {"/ci#3": "context.timestamp is missing"}
        assert (source, "3") not in deploys
        return
    row = deploys[source, "3"]
    assert row["finished_at"] is None
    assert row["status"] == (None if source == "github" else "success")
    assert finding(tables, "deploy_without_finish", source)[0] == (0 if source == "github" else 1)


@pytest.mark.parametrize("source", SOURCES[:3])
def test_a_deploy_that_ends_before_it_starts(tables: Any, deploys: Any, source: str) -> None:
    """Two machines with two clocks: the finish counts, the start does not. CDEvents have one time."""
    row = deploys[source, "4"]
    assert row["finished_at"] is not None and row["started_at"] is None
    assert finding(tables, "deploy_ends_before_start", source)[0] == 1


@pytest.mark.parametrize("source", SOURCES)
def test_a_deploy_of_tomorrow(deploys: Any, source: str) -> None:
    """A server whose clock is ahead: what has not happened yet is in no figure, and comes when it has."""
    assert (source, "5") not in deploys
