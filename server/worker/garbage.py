"""Keep Python's cyclic garbage collector from slowing down a load."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def postponed_gc() -> Iterator[None]:
    """Postpone garbage collection while modules and models load.

    They are half a million objects that stay. Collecting while they load takes a sixth of the tiny model's start and
    frees no more than a few bytes of tensors. Later collections skip them.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        # Collect once: freeze would keep present garbage for ever.
        gc.collect()
        gc.freeze()
