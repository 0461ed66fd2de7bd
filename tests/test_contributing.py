"""CONTRIBUTING.md and CHANGELOG.md under test: every command works in a copy of this repository, and the walk-through of a new
table gives a published table."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from support_e2e import REPOSITORY, clean_env, query

PAGE = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()]
#: Not run here: they install, pull, or run tests for minutes. CI does all of it; what they name is checked here.
LONG = {
    "python3 -m venv .venv",
    ".venv/bin/pip install -c requirements.txt -e '.[dev,ui]'",
    ".venv/bin/mttr demo",
    ".venv/bin/pytest -n auto",
    ".venv/bin/pytest -n auto -m slow",
    ".venv/bin/pytest tests/test_sqlmodels.py tests/test_dagster.py",
    ".venv/bin/pytest tests/test_reports.py tests/test_report_page.py tests/test_sentences.py tests/test_claims.py",
    ".venv/bin/pytest -m slow tests/test_adding_a_source.py",
    ".venv/bin/python tests/columns.py",
    ".venv/bin/mypy",
    ".ci/run",
}
SLOW = {".venv/bin/mttr --data-dir mttr-demo rebuild", ".venv/bin/pytest tests/test_sqlmodels.py"}


def record(number: int, service: str, events: dict[int, str]) -> dict[str, Any]:
    """A custom record that was detected at 12:00; `events` are keyed by their minutes after it."""
    timeline = [{"event_type": event, "at": f"2026-03-01T12:{minute}:00Z"} for minute, event in events.items()]
    return {"external_id": number, "service": service, "detected_at": "2026-03-01T12:00:00Z", "timeline": timeline}


RECORDS = [
    record(1, "checkout", {10: "resolved", 20: "reopened", 30: "resolved"}),
    record(2, "checkout", {40: "resolved"}),
    record(3, "search", {50: "resolved"}),
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this repository whose `.venv` is the environment of these tests, with a landing zone of three incidents."""
    folder = tmp_path_factory.mktemp("contributing") / "checkout"
    ignored = shutil.ignore_patterns(".git", ".venv", "data", "mttr-demo", "*_cache", "__pycache__")
    shutil.copytree(REPOSITORY, folder, ignore=ignored)
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "three.jsonl").write_text("\n".join(map(json.dumps, RECORDS)), encoding="utf-8")
    run(folder, ".venv/bin/mttr --data-dir mttr-demo import three.jsonl")
    return folder


def run(folder: Path, line: str) -> str:
    """A line of the page in this checkout, as a shell runs it."""
    done = subprocess.run(
        ["bash", "-ec", line],
        cwd=folder,
        env=clean_env({"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


# -- commands ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", COMMANDS)
def test_what_a_command_names_exists(line: str) -> None:
    """A command that nobody runs for a year still breaks: a file moves, an extra is renamed, a tool is dropped."""
    words = shlex.split(line)
    pinned = {name.lower() for name in re.findall(r"(?m)^([\w.-]+)==", (REPOSITORY / "requirements.txt").read_text())}
    for word in words:
        if match := re.fullmatch(r"\.venv/bin/(\w+)", word):
            assert match[1] in {"pip", "python", *PROJECT["scripts"], *pinned}, word
        elif match := re.fullmatch(r"\.\[([\w,]+)\]", word):
            assert set(match[1].split(",")) <= PROJECT["optional-dependencies"].keys()
        elif "/" in word or "." in word.strip("."):
            assert word == ".venv" or (REPOSITORY / word).exists() or importlib.util.find_spec(word), word
    assert words[0] != ".ci/run" or os.access(REPOSITORY / words[0], os.X_OK)


@pytest.mark.parametrize(
    "line",
    [pytest.param(line, marks=[pytest.mark.slow] * (line in SLOW)) for line in COMMANDS if line not in LONG],
)
def test_a_command_works(line: str, checkout: Path) -> None:
    """As it stands on the page. What writes generated files finds them up to date."""
    written = re.findall(r"(?:>|\.reference) (\S+\.\w+)$", line)
    before = {path: path.read_bytes() for path in map(checkout.joinpath, written)}
    run(checkout, line)
    assert {path: path.read_bytes() for path in before} == before


def test_the_commands_left_out_are_on_the_page() -> None:
    """A line that was edited must not fall out of the list and run for minutes, nor stay in it for nothing."""
    assert set(COMMANDS) >= LONG | SLOW


# -- names -------------------------------------------------------------------------------------------------------------


def test_every_name_on_the_page_exists() -> None:
    """Paths, and the constants that a contributor is sent to."""
    spans = set(re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", PAGE, flags=re.M | re.S)))
    paths = {span for span in spans if "/" in span and "<" not in span and not span.startswith("mttr-demo/")}
    new = {path for path in paths if "reopened_services" in path}
    assert len(new) == 1
    assert {path for path in paths - new if not (REPOSITORY / path).exists()} == set()
    for module, function in re.findall(r'"([\w.]+):(\w+)"', PAGE):
        assert callable(getattr(importlib.import_module(module), function))
    code = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "mttr_pipeline").rglob("*.py"))
    constants = {span for span in spans if re.fullmatch(r"[A-Z_]{4,}", span)}
    assert constants
    assert {name for name in constants if not re.search(rf"(?m)^{name}\b.*=", code)} == set()


# -- the walk-through --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_new_table_is_built_checked_documented_and_published(checkout: Path, tmp_path: Path) -> None:
    """The page promises that one file is enough."""
    (sql,) = re.findall(r"```sql\n(.*?)```", PAGE, re.S)
    (name,) = re.findall(r"Save it as `(sql/\w+/\w+\.sql)`", PAGE)
    folder = shutil.copytree(checkout, tmp_path / "checkout", symlinks=True)
    (folder / name).write_text(sql, encoding="utf-8")
    run(folder, ".venv/bin/mttr --data-dir mttr-demo rebuild")
    table = Path(name).stem
    assert query(folder / "mttr-demo", f"FROM {table}") == [("checkout", 2, 1, 50.0), ("search", 1, 0, 0.0)]
    documented = run(folder, ".venv/bin/python -m mttr_pipeline.warehouse.reference")
    assert f"\n## {table}\n" in documented and "reopened / incidents, in percent" in documented
    graph = run(folder, ".venv/bin/python tests/test_dagster.py").splitlines()
    assert {f"asset mart/{table}", f"check mart/{table} reopened_are_incidents"} <= set(graph)


# -- changelog ---------------------------------------------------------------------------------------------------------


def test_the_changelog_has_the_form_it_claims() -> None:
    """Unreleased first, then this version; only the kinds of change that Keep a Changelog knows."""
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"(?m)^## \[(.+?)\]", text)
    assert versions[0] == "Unreleased" and PROJECT["version"] in versions
    kinds = set(re.findall(r"(?m)^### (.+)$", text))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    dated = re.findall(r"(?m)^## \[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d$", text)
    assert len(dated) == len(versions) - 1
