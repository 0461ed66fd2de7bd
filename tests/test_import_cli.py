"""`mttr import` as a command: what it prints, and the exit code of every way to use it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support import file_size_limit

from mttr_pipeline.cli.main import main
from mttr_pipeline.intake.presets import house_presets
from mttr_pipeline.landing.store import Landing

FIXTURES = Path(__file__).parent / "fixtures" / "imports"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("MTTR_DATA_DIR", "MTTR_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["--data-dir", "data", "import", *map(str, arguments)])


def test_an_import_prints_its_id_and_the_id_takes_it_back(folder: Path) -> None:
    """Nobody can take back what has no name."""
    landed = run("--as", "pagerduty-csv", FIXTURES / "pagerduty.csv")
    assert landed.exit_code == 0 and "Landed 3 custom records from 1 file" in landed.output
    (extract,) = re.findall(r"`mttr import --undo (\S+)`", landed.output)
    undone = run("--undo", extract)
    assert undone.exit_code == 0 and f"Took back 3 lines of the import {extract}" in undone.output
    assert [manifest.status for manifest in Landing(folder / "data" / "landing").manifests()] == ["undone"]
    again = run("--undo", extract)
    assert again.exit_code == 2 and "is taken back already" in again.output and again.output.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "No file was named"),
        (("--undo", "x"), "There is no import 'x' that can be taken back; there are none."),
        (("--undo", "x", "file.csv"), "--undo takes an import back and reads no file"),
        (("--as", "nothing", "file.csv"), "There is no preset 'nothing'; known: grafana-webhook, jira-csv"),
        (("--as", "", "file.csv"), "--as is empty"),
        ((FIXTURES / "opsgenie.csv",), "has no column external_id"),
        ((FIXTURES / "jira-search.json",), "no record has an external_id"),
    ],
)
def test_wrong_use_is_one_sentence_and_writes_nothing(
    folder: Path, arguments: tuple[object, ...], sentence: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2 and sentence in result.output and result.output.count("\n") == 1
    assert not (folder / "data" / "landing").exists()


def test_a_preset_of_mttr_toml_is_found(folder: Path) -> None:
    """Also under the name of one of the house, which it then replaces."""
    (folder / "mttr.toml").write_text('[imports.jira-csv]\ncolumns = { external_id = "Issue id", title = "Summary" }\n')
    assert run("--as", "jira-csv", FIXTURES / "jira.csv").exit_code == 0


def test_the_help_names_every_preset() -> None:
    said = "".join(CliRunner().invoke(main, ["import", "--help"]).output.split())  # lines break at hyphens
    assert all(name in said for name in house_presets()) and "--undo" in said


def test_a_full_disk_is_one_sentence_and_nothing_is_taken(folder: Path) -> None:
    """It was an unforeseen failure. Afterwards the same import works."""
    with file_size_limit(200):
        result = run("--as", "pagerduty-csv", FIXTURES / "pagerduty.csv")
    assert result.exit_code == 1 and result.output.count("\n") == 1
    assert "data/landing cannot be written (File too large); free the disk" in result.output
    assert "No record of this import is taken." in result.output
    assert run("--as", "pagerduty-csv", FIXTURES / "pagerduty.csv").exit_code == 0
    assert [manifest.status for manifest in Landing(folder / "data" / "landing").manifests()][-1] == "complete"
