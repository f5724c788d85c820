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


class WholeProgress:
    """Report the progress of components that load one after the other as that of all of them."""

    def __init__(self, total_bytes: int, on_progress: OnProgress) -> None:
        self._total_bytes, self._on_progress = total_bytes, on_progress
        self._component, self._before_bytes, self._done_bytes = "", 0, 0

    def __call__(self, component: str, done_bytes: int, total_bytes: int) -> None:
        if component != self._component:
            self._component, self._before_bytes = component, self._done_bytes
        self._done_bytes = self._before_bytes + done_bytes
        self._on_progress(component, self._done_bytes, self._total_bytes)
