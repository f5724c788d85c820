"""Measure how long something takes on a device."""

import time
from collections.abc import Callable

import torch

from pipelines.render import synchronize

WARM_UPS = 3


def seconds(call: Callable[[], object], device: torch.device, runs: int = 20) -> float:
    """Return the mean seconds of a call by the clock, after a few that are not counted."""
    for _ in range(WARM_UPS):
        call()
    synchronize(device)
    start = time.perf_counter()
    for _ in range(runs):
        call()
    synchronize(device)
    return (time.perf_counter() - start) / runs


def busy_seconds(call: Callable[[], object], device: torch.device) -> float:
    """Return the seconds that one call keeps the device busy: those of the clock on a card, else the CPU's."""
    start = busy_clock(device)
    call()
    return busy_clock(device) - start


def busy_clock(device: torch.device) -> float:
    """Return the seconds up to now: of the clock with the card's work done, or of the CPU, of all threads.

    Other programs on the same cores change a CPU time less than a time by the clock.
    """
    if device.type != "cuda":
        return time.process_time()
    synchronize(device)
    return time.perf_counter()
