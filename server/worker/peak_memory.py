"""The most memory that this process takes while it renders one clip."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# Linux: written to it, 5 sets the peak of the resident memory (VmHWM) back to what it is now.
CLEAR_REFS, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
RESET_PEAK = "5"


class PeakMemory:
    """Measure from now on: on a GPU what torch has allocated there, else the resident memory of this process."""

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
        """Return the peak so far. None where the system does not tell, or could not be told to begin again."""
        if self._device.type == "cuda":
            import torch

            return torch.cuda.max_memory_allocated(self._device)
        return _peak_resident_bytes() if self._is_reset else None


def _peak_resident_bytes() -> int | None:
    with suppress(OSError, ValueError, StopIteration):
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return None
