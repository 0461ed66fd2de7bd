"""Memory of many threads: what one of them freed must not stay with it.

What does not belong here: how much is read at once.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress

_ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h
_ARENAS = 2


def share_memory() -> bool:
    """Let all threads allocate from two arenas, where the C library is glibc; gives whether it took that.

    By default, each thread gets an arena of its own, up to eight for each core, and what it frees stays there: eight threads that
    read pages keep about 25 MiB from what comes after the pull. See mallopt(3), M_ARENA_MAX.
    """
    with suppress(AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return bool(ctypes.CDLL(None).mallopt(_ARENA_MAX, _ARENAS))
    return False
