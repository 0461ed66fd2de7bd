"""GitHub payloads to the common shape; each case says in its case.toml what would go wrong without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from github_cases import DAY, NOW, Place, done, site
from staging_cases import built, cases, run_case

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
