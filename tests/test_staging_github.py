"""GitHub payloads to the common shape; each case says in its case.toml what would go wrong without it."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from github_cases import DAY, HOUR, MINUTE, NOW, Place, Site, done, site
from msgspec.structs import replace
from staging_cases import built, cases, run_case

from mttr_pipeline.demo import VendorServer, World
from mttr_pipeline.demo.deploys import Deploy
from mttr_pipeline.demo.github import GitHubSimulator
from mttr_pipeline.demo.github.records import release
from mttr_pipeline.sources.registry import registry
from mttr_pipeline.warehouse.conformance import odd_record_problems


@pytest.mark.parametrize("name", cases("github"))
def test_case(name: str, tmp_path: Path) -> None:
    run_case("github", name, tmp_path)


def landed(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """A line of each stream as the pull lands it."""
    place, kit = Place(1, "acme/shop"), Place(2, "acme/kit")
    kit.releases = [release(1, "acme/kit", "v1", NOW - DAY, NOW - DAY)]
    for number in (1, 2):
        place.commit(number, NOW)
        place.deploy(number, NOW.replace(hour=number), *done(NOW.replace(hour=number + 1)))
    with site(folder, place, kit) as here:
        manifest = here.pull()
        return {stream: here.rows(manifest, stream) for stream in IDENTITIES}


IDENTITIES = {
    "repositories": "record.id",
    "deployments": "record.id",
    "deployment_statuses": "deploymentId",
    "comparisons": "deploymentId",
    "releases": "record.id",
}


@pytest.mark.parametrize("stream", IDENTITIES)
def test_odd_records_cost_only_themselves(stream: str, tmp_path: Path) -> None:
    """Every stream, from a record that the pull itself landed."""
    record = landed(tmp_path)[stream][0]
    assert odd_record_problems(registry().sources["github"], stream, record, tmp_path / "odd", IDENTITIES[stream]) == []


def test_the_fixtures_stand_as_the_pull_lands_them(tmp_path: Path) -> None:
    """Were the lines wrapped in another way than here, every case would pass for nothing."""
    lines = {stream: [set(row) for row in rows] for stream, rows in landed(tmp_path / "pull").items()}
    assert lines["repositories"][0] == {"named", "record"}
    assert lines["deployments"][0] == {"parent_id", "record"}
    assert lines["deployment_statuses"][0] == {"deploymentId", "statuses"}
    assert lines["comparisons"][0] == {"deploymentId", "base", "head", "status", "totalCommits", "commits"}
    assert lines["releases"][0] == {"repositoryId", "environment", "record"}


def test_no_person_is_published(tmp_path: Path) -> None:
    """The creator of a deployment is somebody, and no table of deploys has a place for them."""
    streams = {stream: [json.dumps(row).encode() for row in rows] for stream, rows in landed(tmp_path / "pull").items()}
    with built("github", [streams], {}, tmp_path) as warehouse:
        for table in ("raw.github_deployments", "raw.github_deployment_statuses", "staging.github_deploys"):
            assert "octo" not in str(warehouse.con.execute(f"FROM {table}").fetchall())
        assert len(warehouse.con.execute("FROM staging.github_deploys").fetchall()) == 3


# -- the demonstration's facts, through the simulator, the pull and the SQL --------------------------------------------


def drawn_deploys(seed: int, n: int) -> list[Deploy]:
    """A history with failures, cancellations, re-runs, rollbacks, waits, staging, and ends that nothing tells."""
    rng = random.Random(seed)
    found: list[Deploy] = []
    at = NOW - 40 * DAY
    for number in range(n):
        at += rng.randint(20, 900) * MINUTE
        service, environment = rng.choice(["Checkout", "Search"]), rng.choice(["production"] * 4 + ["staging"])
        before = [d for d in found if (d.service, d.environment, d.outcome) == (service, environment, "success")]
        story = rng.choice(["plain"] * 5 + ["fails", "cancelled", "unfinished", "waits", "rerun", "rollback"])
        if story in ("rerun", "rollback") and len(before) < 2:
            story = "plain"
        model = {"rerun": before[-1:], "rollback": before[-2:-1]}.get(story, [])
        started = at + (rng.randint(2, 300) * HOUR if story == "waits" else rng.randint(0, 5) * MINUTE)
        finished = None if story == "unfinished" else started + rng.randint(1, 30) * MINUTE
        found.append(
            Deploy(
                tool="github",
                number=number,
                service=service,
                environment=environment,
                story=story,
                version=model[0].version if model else f"v{number}",
                sha=model[0].sha if model else f"{number + 1:040x}",
                title=model[0].title if model else f"Change {number} of {service}",
                author="ana",
                committed=model[0].committed if model else at - rng.randint(30, 3_000) * MINUTE,
                requested=at,
                started=started,
                finished=finished,
                outcome={"fails": "failure", "cancelled": "cancelled", "unfinished": ""}.get(story, "success"),
                takes_back=before[-1].number if story == "rollback" else None,
            )
        )
    return found


def expected(deploys: Sequence[Deploy], now: datetime) -> dict[str, tuple[object, ...]]:
    """What the table must say of each at `now`: the facts, and nothing that has not happened yet."""
    found = {}
    for deploy in deploys:
        if deploy.requested > now:
            continue
        over = deploy.ends_by(now)
        started = deploy.started if deploy.started and deploy.started <= now else None
        found[str(4_000_000 + deploy.number)] = (
            *(deploy.service.lower(), deploy.environment, deploy.version, deploy.sha),
            *(deploy.outcome if over else None, deploy.title),
            *(stamp(at) for at in (deploy.requested, started, deploy.finished if over else None)),
        )
    return found


def stamp(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=None) if at else None


COLUMNS = "service, environment, version, sha, status, title, requested_at, started_at, finished_at"


@pytest.mark.parametrize("seed", [1, 2])
def test_every_deploy_is_told_as_it_was(seed: int, tmp_path: Path) -> None:
    """On the first night and on a later one, after two pulls; among it lead times and rollbacks."""
    deploys = drawn_deploys(seed, 120)
    world = World(seed=7, until=NOW, volumes={})
    world.deploys = [*deploys, replace(deploys[0], tool="another", number=999)]
    simulator = GitHubSimulator.from_world(world)
    with VendorServer([simulator], clock=NOW, limits=None) as server:
        here = Site(server, tmp_path / "pulls", None)
        extracts = []
        for now in (NOW, NOW + 20 * DAY):
            server.now = now
            manifest = here.pull(now)
            streams = [stream for stream in IDENTITIES if stream != "releases"]
            extracts.append({one: [json.dumps(row).encode() for row in here.rows(manifest, one)] for one in streams})
            with built("github", extracts, {}, tmp_path / f"{now:%d}") as warehouse:
                query = f"SELECT external_id, {COLUMNS} FROM staging.github_deploys"
                rows = {row[0]: row[1:] for row in warehouse.con.execute(query).fetchall()}
                assert rows == expected(deploys, now)
                told = "SELECT external_id, first_commit_at, says_rollback FROM staging.github_deploys"
                check_commits(deploys, now, {row[0]: row[1:] for row in warehouse.con.execute(told).fetchall()})


def check_commits(
    deploys: Sequence[Deploy], now: datetime, told: dict[str, tuple[datetime | None, bool | None]]
) -> None:
    """Of the production deploys that succeeded, in the order in which they ended."""
    seen = 0
    for service in ("Checkout", "Search"):
        line = [d for d in deploys if (d.service, d.environment, d.outcome) == (service, "production", "success")]
        line = sorted((d for d in line if d.ends_by(now)), key=lambda d: (d.finished, d.number))
        order: dict[str, datetime | None] = {}
        for deploy in line:
            order.setdefault(deploy.sha, deploy.finished)
        for base, head in pairwise(line):
            first, is_back = told[str(4_000_000 + head.number)]
            is_new = order[head.sha] == head.finished
            assert first == (stamp(head.committed) if is_new else None), head
            assert is_back == (None if base.sha == head.sha else not is_new), head
            seen += 1
    assert seen > 20
