"""The scripts in promises/ run, in their short form."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "promises"


@pytest.mark.slow
def test_quiet_nights_stay_quiet() -> None:
    """The script itself judges; here it must come to its end and print a line for each tenth of the nights."""
    done = subprocess.run(
        [sys.executable, str(FOLDER / "nights.py"), "--nights", "20"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "growth: nights" in done.stdout and len(done.stdout.splitlines()) == 12
