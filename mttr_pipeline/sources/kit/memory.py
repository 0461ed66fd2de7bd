"""Memory of a pull: what one thread freed must not stay with it, and what stood there before is not looked through again and again.

What does not belong here: how much is read at once.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

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


@contextmanager
def undisturbed() -> Iterator[None]:
    """Python's search for garbage leaves out the objects that exist already, above all those of modules: a twentieth of a pull."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
