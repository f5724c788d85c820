"""What a caller may see of the models while they load."""

from collections.abc import Callable

# (component, bytes read so far, bytes in all); no bytes where they are not known.
OnProgress = Callable[[str, int, int], None]


class ByteCounter:
    """Called with the size of each tensor of one component, tells how far it is."""

    def __init__(self, component: str, total: int, on_progress: OnProgress) -> None:
        self._component, self._total, self._on_progress = component, total, on_progress
        self._done = 0

    def __call__(self, size_bytes: int) -> None:
        self._done += size_bytes
        self._on_progress(self._component, self._done, self._total)
