"""How the memory of columns is kept from one step to the next."""

from __future__ import annotations

import ctypes
from functools import cache

# Numbers of the parameters in <malloc.h>. Arrays of more than 32 MiB, and what lies free beyond a gibibyte, are given back as ever.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_SETTINGS = {_M_MMAP_THRESHOLD: 32 << 20, _M_TRIM_THRESHOLD: 1 << 30}


@cache
def keep_freed_columns() -> None:
    """Let this process use the memory of freed columns again.

    As it comes, glibc returns every freed array of some size to the kernel, which hands it out again page by page and zeroed:
    a quarter of the time of statistics over a million incidents. See mallopt(3). Elsewhere than on glibc nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for parameter, value in _SETTINGS.items():
        mallopt(parameter, value)
