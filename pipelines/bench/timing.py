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
    """Return the seconds that one call keeps the device busy: between two CUDA events, or CPU seconds of all threads.

    Other programs on the same cores change a CPU time less than a time by the clock.
    """
    if device.type != "cuda":
        start = time.process_time()
        call()
        return time.process_time() - start
    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    before.record()
    call()
    after.record()
    after.synchronize()
    return float(before.elapsed_time(after)) / 1e3
