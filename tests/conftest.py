"""What holds for every test.

- No example of a property test has a time limit, because machines are of different speed.
- Temporary files are kept in memory where there is room: the tests flush thousands of small databases, and would wait for the
  disk for a quarter of their time. TMPDIR decides otherwise.
- What takes long to make is made once for all workers, see `sharing`.
- Ctrl-C works in a suite that a shell runs in the background, where it is ignored: Dagster hands that on to SIGTERM, and programs
  that a test starts and ends would inherit it.
- The files that take longest start first, so that no worker is left with one of them at the end.
- There is a worker more than there are cores: a quarter of the time, tests wait for servers that hold them up on purpose.
"""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from sharing import shared_folder

settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

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


def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` means."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """pytest-xdist hands out files in the order in which it finds them."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))
