"""Memory that was freed and that the C library keeps, given back to the system. Knows only glibc."""

import ctypes
from collections.abc import Callable
from typing import Any

_C = ctypes.CDLL(None)

# Of other C libraries there are none, and they keep less.
_malloc_trim: Callable[[int], Any] | None = getattr(_C, "malloc_trim", None)
_mallopt: Callable[[int, int], Any] | None = getattr(_C, "mallopt", None)

# glibc, malloc.h
M_ARENA_MAX = -8


def keep_one_heap() -> None:
    """To be called before there are threads: malloc would give them heaps of their own, up to 8 for each core.

    `trim_heap` does not give back the end of these, up to 64 MB of each. An encoder's threads fill one and leave it.
    """
    if _mallopt is not None:
        _mallopt(M_ARENA_MAX, 1)


def trim_heap() -> None:
    """Takes a millisecond. Without it one image of 64 megapixels stays in a process for ever, freed and unused."""
    if _malloc_trim is not None:
        _malloc_trim(0)
