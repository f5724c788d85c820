"""Memory that was freed and that the C library keeps, given back to the system. Knows only glibc."""

import ctypes
from collections.abc import Callable
from typing import Any

# Of other C libraries there is none, and they keep less.
_malloc_trim: Callable[[int], Any] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)


def trim_heap() -> None:
    """Takes a millisecond. Without it one image of 64 megapixels stays in a process for ever, freed and unused."""
    if _malloc_trim is not None:
        _malloc_trim(0)
