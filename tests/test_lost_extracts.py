"""What was complete once and is lost is missed: an operator must not find out from a figure that is too small."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from support import AS_OF, land_custom

from mttr_pipeline.cli.main import main
from mttr_pipeline.errors import ContractError
from mttr_pipeline.intake.undo import give_up
from mttr_pipeline.landing.completed import FILE, require
from mttr_pipeline.landing.manifest import MANIFEST_VERSION
from mttr_pipeline.landing.store import Extract, Landing

PLAN = {"mode": "backfill", "since": "2025-01-01T00:00:00+00:00", "until": "2026-01-01T00:00:00+00:00"}
RECORD = {"external_id": "one", "detected_at": "2026-01-01T00:00:00Z", "resolved_at": "2026-01-01T01:00:00Z"}


def pulled(landing: Landing, name: str, plan: dict[str, str] = PLAN) -> Extract:
    extract = landing.begin("pagerduty", name, plan)
    extract.land("teams", "all", [json.dumps({"id": f"of {name}", "name": "Team"}).encode()])
    extract.finish()
    return extract


def complaint(landing: Landing) -> str | None:
    try:
        require(landing.root, landing.manifests())
    except ContractError as error:
        return str(error)
    return None


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


@pytest.mark.parametrize("lost", ["manifest.json", "teams/00001.jsonl.zst", "."])
def test_a_lost_extract_is_named_with_its_remedy(landing: Landing, lost: str) -> None:
    extract = pulled(landing, "run-1")
    assert complaint(landing) is None
    path = extract.folder / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    said = complaint(landing) or ""
    assert said.startswith("pagerduty: the extract run-1 with 1 records was complete")
    assert "mttr run --source pagerduty --since 2025-01-01T00:00:00+00:00 --full-refresh" in said


def test_a_pull_that_was_killed_is_not_missed(landing: Landing) -> None:
    killed = landing.begin("pagerduty", "run-1", PLAN)
    killed.land("teams", "all", [b"{}"])
    shutil.rmtree(killed.folder)
    failed = landing.begin("pagerduty", "run-2", PLAN)
    failed.fail("the vendor was down")
    shutil.rmtree(failed.folder)
    assert complaint(landing) is None


def test_reading_the_whole_range_again_is_a_remedy_and_less_is_none(landing: Landing) -> None:
    shutil.rmtree(pulled(landing, "run-1").folder)
    pulled(landing, "run-2", {**PLAN, "since": "2025-02-01T00:00:00+00:00"})
    pulled(landing, "run-3", {**PLAN, "mode": "incremental"})
    assert complaint(landing) is not None
    pulled(landing, "run-4", {**PLAN, "mode": "full", "until": "2026-01-02T00:00:00+00:00"})
    assert complaint(landing) is None


def test_a_lost_import_can_be_given_up(landing: Landing, tmp_path: Path) -> None:
    extract = landing.begin("custom", "run-1", {"files": ["a.csv"]})
    extract.land("records", "a", [b"{}"])
    extract.finish()
    shutil.rmtree(extract.folder)
    assert "mttr import --undo run-1" in (complaint(landing) or "")
    undone = CliRunner().invoke(main, ["--data-dir", str(tmp_path), "import", "--undo", "run-1"])
    assert undone.exit_code == 0 and "with 1 line." in undone.output
    assert complaint(landing) is None and give_up(landing, "run-1") is None


def test_the_list_takes_up_what_is_older_than_it_and_survives_a_torn_line(landing: Landing) -> None:
    first = pulled(landing, "run-1")
    (landing.root.parent / FILE).unlink()
    assert complaint(landing) is None
    with (landing.root.parent / FILE).open("ab") as listed:
        listed.write(b'\n{"source":"pagerd')
    pulled(landing, "run-2", {**PLAN, "mode": "incremental"})
    shutil.rmtree(first.folder)
    assert "run-1" in (complaint(landing) or "")
    shutil.rmtree(landing.root / "pagerduty" / "run-2")
    assert "1 more is lost too" in (complaint(landing) or "")


@pytest.mark.slow
def test_neither_run_nor_rebuild_publishes_without_what_is_lost(tmp_path: Path) -> None:
    """Through the real doors; what was published before stays."""
    landing = Landing(tmp_path / "landing")
    land_custom(landing, [RECORD])
    mttr = CliRunner()
    assert mttr.invoke(main, ["--data-dir", str(tmp_path), "rebuild", "--as-of", AS_OF.isoformat()]).exit_code == 0
    before = (tmp_path / "published" / "latest").resolve()
    next(landing.root.glob("custom/*/manifest.json")).unlink()
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "more.jsonl").write_text(json.dumps(RECORD | {"external_id": "two"}))
    for command in ("run", "rebuild"):
        result = mttr.invoke(main, ["--data-dir", str(tmp_path), command, "--as-of", AS_OF.isoformat()])
        assert result.exit_code == 1 and "custom: the extract" in result.output
        assert (tmp_path / "published" / "latest").resolve() == before


def test_a_manifest_of_a_later_version_is_refused(landing: Landing) -> None:
    """It may mean something else by the same names."""
    path = pulled(landing, "run-1").folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": MANIFEST_VERSION + 1}))
    with pytest.raises(ContractError, match=f"has version {MANIFEST_VERSION + 1}, written by a newer mttr_pipeline"):
        landing.manifests()
