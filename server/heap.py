"""Memory that was freed and that the C library keeps, given back to the system. Knows only glibc."""

import ctypes
from collections.abc import Callable
from typing import Any

import psutil

_C = ctypes.CDLL(None)

# Of other C libraries there are none, and they keep less.
_malloc_trim: Callable[[int], Any] | None = getattr(_C, "malloc_trim", None)
_mallopt: Callable[[int, int], Any] | None = getattr(_C, "mallopt", None)

# glibc, malloc.h
M_ARENA_MAX = -8

# More than a small clip of the tiny model takes and frees: to have that back from the system each time took a twentieth
# of its render.
KEPT_BYTES = 48 * 2**20


def keep_one_heap() -> None:
    """To be called before there are threads: malloc would give them heaps of their own, up to 8 for each core.

    `Heap.trim` does not give back the end of these, up to 64 MB of each. An encoder's threads fill one and leave it.
    """
    if _mallopt is not None:
        _mallopt(M_ARENA_MAX, 1)


class Heap:
    """This process's own."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._trimmed_bytes = 0

    def trim(self) -> None:
        """Give back what is free, if the process has grown since the last time by more than is worth keeping.

        Without it one image of 64 megapixels stays in a process for ever, freed and unused.
        """
        if _malloc_trim is not None and self._resident_bytes() > self._trimmed_bytes + KEPT_BYTES:
            _malloc_trim(0)
            self._trimmed_bytes = self._resident_bytes()

    def _resident_bytes(self) -> int:
        resident: int = self._process.memory_info().rss
        return resident
