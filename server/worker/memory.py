"""Measure the memory of this process: now, and the peak while it renders one clip."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from server.worker.messages import Memory

if TYPE_CHECKING:
    import torch

# Linux: writing 5 to clear_refs resets the peak of the resident memory (VmHWM) to its present value.
CLEAR_REFS, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
RESET_PEAK = "5"


def host_memory() -> Memory:
    return Memory(psutil.Process().memory_info().rss)


class PeakMemory:
    """Measures the peak from its creation on: on a GPU torch's allocations there, else the resident memory."""

    def __init__(self, device: "torch.device") -> None:
        self._device, self._is_reset = device, False
        if device.type == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats(device)
            return
        with suppress(OSError):
            CLEAR_REFS.write_text(RESET_PEAK)
            self._is_reset = True

    def read_bytes(self) -> int | None:
        """Return the peak so far, or None if the system does not report it or it could not be reset."""
        if self._device.type == "cuda":
            import torch

            return torch.cuda.max_memory_allocated(self._device)
        return peak_resident_bytes() if self._is_reset else None


def peak_resident_bytes() -> int | None:
    """Return the largest resident memory of this process so far, or since a reset. None: the system does not say."""
    with suppress(OSError, ValueError, StopIteration):
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return None
