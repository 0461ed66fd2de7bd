"""What takes long to make is made once for all processes that run the tests, and copied by those that change it.

`conftest` opens a folder for one run of pytest, and its workers find it in the environment: the pattern that pytest-xdist documents.
Outside of pytest a process has a folder of its own.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

_VARIABLE = "MTTR_TEST_SHARED"


def scratch() -> Path:
    """A temporary folder that is gone when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="mttr-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def shared_folder() -> Path:
    """The folder of this run of the tests. The first process that asks makes it, and removes it at its end."""
    if _VARIABLE not in os.environ:
        os.environ[_VARIABLE] = str(scratch())
    return Path(os.environ[_VARIABLE])


def made_once(name: str, make: Callable[[Path], object]) -> Path:
    """The folder of that name that `make` filled, in whichever process came first. Read it, copy it; never write into it."""
    folder = shared_folder() / name
    complete = folder.with_suffix(".complete")
    with FileLock(folder.with_suffix(".lock")):
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a process that failed
            folder.mkdir()
            make(folder)
            complete.touch()
    return folder
