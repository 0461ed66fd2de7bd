"""What holds for every test.

- No example of a property test has a time limit, because machines are of different speed.
- Temporary files are kept in memory where there is room: the tests flush thousands of small databases, and would wait for the
  disk for a quarter of their time. TMPDIR decides otherwise.
- What takes long to make is made once for all workers, see `sharing`.
- The files that take longest start first, so that no worker is left with one of them at the end.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from sharing import shared_folder

settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")

MEMORY, ROOM = Path("/dev/shm"), 4 << 30
if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)
shared_folder()  # before pytest-xdist starts its workers, which inherit it

LONGEST = (
    "test_end_to_end",
    "test_dagster",
    "test_data_quality",
    "test_cli",
    "test_macros",
    "test_publish",
    "test_fold",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """pytest-xdist hands out files in the order in which it finds them."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))
