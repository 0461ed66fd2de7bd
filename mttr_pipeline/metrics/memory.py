"""Keeps the memory of freed columns in the process."""

from __future__ import annotations

import ctypes
from functools import cache

# Parameters of mallopt, by their numbers in <malloc.h>. Arrays above 32 MiB still go back to the kernel, as does free memory
# above 1 GiB.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_SETTINGS = {_M_MMAP_THRESHOLD: 32 << 20, _M_TRIM_THRESHOLD: 1 << 30}


@cache
def keep_freed_columns() -> None:
    """Let this process reuse the memory of freed columns.

    By default glibc returns every large freed array to the kernel, which hands it out again page by page and filled with zeros.
    That takes a quarter of the time of statistics over a million incidents. See mallopt(3). Without glibc this does nothing.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for parameter, value in _SETTINGS.items():
        mallopt(parameter, value)
