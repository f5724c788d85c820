"""Python's collector of objects that hold each other, out of the way of a load."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collecting_later() -> Iterator[None]:
    """Imports and models are half a million objects that stay. To look for garbage among them as they come takes a
    sixth of the tiny model's start, and finds no more than a few bytes of tensors. Later collections leave them out.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        # Once, or what is garbage now would stay for ever.
        gc.collect()
        gc.freeze()
