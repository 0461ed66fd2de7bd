"""The scripts in promises/ run, in their short form; each judges itself. Those that have a test file of their own are not here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "promises"

pytestmark = pytest.mark.slow


def shown(script: str, *options: str) -> str:
    """What a script prints when it keeps its promise."""
    done = subprocess.run(
        [sys.executable, str(FOLDER / script), *options], capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_quiet_nights_stay_quiet_in_pieces(tmp_path: Path) -> None:
    """The script itself judges; here a second piece goes on after the first, and the table has the nights of both."""
    for _ in range(2):
        out = shown("nights.py", "--nights", "10", "--folder", str(tmp_path))
    assert "growth: nights" in out
    assert len((tmp_path / "nights.jsonl").read_text().splitlines()) == 20


def test_a_killed_run_harms_nothing() -> None:
    """Kills in a row while a rebuild works, one of them while it publishes."""
    out = shown("kills.py", "rebuild", "--cases", "1")
    assert "in publish" in out and "0 cases broken" in out


def test_a_killed_pull_harms_nothing() -> None:
    """Killed while four vendors answer: the next run pulls what is missing. Case 45 is one kill, early in the run."""
    out = shown("kills.py", "run", "--from", "45", "--cases", "1")
    assert out.startswith("run 45: run SIGKILL in ") and "0 cases broken" in out


def test_readers_see_one_generation_each() -> None:
    """While generations are published and deleted."""
    assert "\n300 reads, " in shown("readers.py", "--reads", "300", "--readers", "2")


def test_a_full_disk_costs_a_sentence_and_no_data() -> None:
    """The size of files is limited, because only root can make a small disk: a pull that cannot write, then a whole run."""
    assert "1 cases, 0 broken; 1 full in" in shown("disk_full.py", "--limit", "--cases", "1")


def test_two_writers_lose_nothing() -> None:
    """An import while past months are merged."""
    assert "1 pairs, " in shown("writers.py", "--from", "14", "--cases", "1")


def test_spoilt_files_and_bodies_harm_nobody() -> None:
    """Vendors' records have tests of their own, which use the same payloads (`test_poison.py`)."""
    assert "0 broken" in shown("fuzz.py", "--cases", "1", "--size", "800")
