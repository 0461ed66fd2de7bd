"""Opsgenie payloads to the common shape; each case says in its case.toml what would go wrong without it."""

import json
from pathlib import Path

import pytest
from staging_cases import FOLDER, cases, run_case

from mttr_pipeline.landing.store import wrap_child


@pytest.mark.parametrize("name", cases("opsgenie"))
def test_case(name: str, tmp_path: Path) -> None:
    run_case("opsgenie", name, tmp_path)


def test_the_fixtures_stand_as_the_landing_zone_writes_them() -> None:
    """Children do not name their parent; were they wrapped in another way than here, every case would pass for nothing."""
    lines = (FOLDER / "opsgenie" / "alert_history" / "1" / "alert_logs.jsonl").read_bytes().splitlines()
    for line in lines:
        content = json.loads(line)
        assert json.loads(wrap_child(content["parent_id"], json.dumps(content["record"]).encode())) == content
