"""Return freed memory that glibc keeps to the system."""

import ctypes
from collections.abc import Callable
from typing import Any

import psutil

_C = ctypes.CDLL(None)

# Other C libraries lack these functions, and keep less memory.
_malloc_trim: Callable[[int], Any] | None = getattr(_C, "malloc_trim", None)
_mallopt: Callable[[int, int], Any] | None = getattr(_C, "mallopt", None)

# glibc, malloc.h
M_ARENA_MAX = -8

# More than a small clip of the tiny model allocates and frees: returning that memory and allocating it again took a
# twentieth of each render. With 48 MB that was so for 256x256 and 25 frames.
KEPT_BYTES = 128 * 2**20


def keep_one_heap() -> None:
    """Limit the process to one heap. Call it before any thread starts.

    By default malloc gives threads heaps of their own, up to 8 per core, and `Heap.trim` does not return the end of
    these, up to 64 MB each. An encoder's threads would fill such heaps and leave them.
    """
    if _mallopt is not None:
        _mallopt(M_ARENA_MAX, 1)


class Heap:
    """The heap of this process."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._trimmed_bytes = 0

    def trim(self) -> None:
        """Return free memory if the process has grown by more than KEPT_BYTES since the last call.

        Without it, the memory of one 64-megapixel image stays in the process after it is freed.
        """
        if _malloc_trim is not None and self._resident_bytes() > self._trimmed_bytes + KEPT_BYTES:
            _malloc_trim(0)
            self._trimmed_bytes = self._resident_bytes()

    def _resident_bytes(self) -> int:
        resident: int = self._process.memory_info().rss
        return resident
