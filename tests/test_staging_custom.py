"""Custom records to the common shape; each case says in its case.toml what would go wrong without it."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from staging_cases import AS_OF, built, cases, run_case
from support import settings_for

from mttr_pipeline.landing.store import Landing
from mttr_pipeline.warehouse.database import Warehouse


@pytest.mark.parametrize("name", cases("custom"))
def test_case(name: str, tmp_path: Path) -> None:
    run_case("custom", name, tmp_path)


def test_a_new_severity_map_judges_old_imports_anew(tmp_path: Path) -> None:
    """A user sees the quarantine, adds the word to mttr.toml and runs again: without a new import the record must come in."""
    record = {"external_id": "C-1", "severity": "critical", "detected_at": "2026-10-01T00:00:00Z"}
    line = json.dumps({"file": "a.jsonl", "line": 1, "record": record}).encode()
    with built("custom", [{"records": [line]}], {}, tmp_path) as warehouse:
        assert warehouse.con.execute("SELECT count(*) FROM ops.quarantine").fetchall() == [(1,)]
    mapped = {"sources": {"custom": {"severity": {"Critical": "SEV1"}}}}
    again = Warehouse(tmp_path / "work.duckdb", settings_for(tmp_path, mapped), AS_OF + timedelta(days=1), "run-2")
    try:
        again.load(Landing(tmp_path / "landing"))
        assert again.con.execute("SELECT external_id, severity FROM raw.custom_records").fetchall() == [
            ("C-1", "critical")
        ]
        assert again.con.execute("SELECT count(*) FROM ops.quarantine").fetchall() == [(0,)]
    finally:
        again.close()
