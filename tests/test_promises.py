"""The scripts in promises/ run, in their short form."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "promises"


@pytest.mark.slow
def test_quiet_nights_stay_quiet_in_pieces(tmp_path: Path) -> None:
    """The script itself judges; here a second piece goes on after the first, and the table has the nights of both."""
    for nights in (10, 10):
        done = subprocess.run(
            [sys.executable, str(FOLDER / "nights.py"), "--nights", str(nights), "--folder", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "growth: nights" in done.stdout
    assert len((tmp_path / "nights.jsonl").read_text().splitlines()) == 20
