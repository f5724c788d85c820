"""Report progress while models load."""

from collections.abc import Callable

# (component, bytes read so far, bytes in all); 0 bytes in all if unknown.
OnProgress = Callable[[str, int, int], None]


class ByteCounter:
    """Add up the sizes of one component's tensors and report the progress."""

    def __init__(self, component: str, total: int, on_progress: OnProgress) -> None:
        self._component, self._total, self._on_progress = component, total, on_progress
        self._done = 0

    def __call__(self, size_bytes: int) -> None:
        self._done += size_bytes
        self._on_progress(self._component, self._done, self._total)
