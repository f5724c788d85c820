"""Estimate how long a clip will take from the times of earlier clips. Handles seconds and sizes only, no jobs."""

from collections import OrderedDict

from pipelines.spec import GenerationSpec

# The estimate until a first render has been measured.
FIRST_GUESS_S = 10.0
NEWEST_WEIGHT = 0.3
MAX_SIZES = 64


class RenderTimes:
    """A moving average for each clip size that favours new times; unseen sizes are scaled from the nearest one."""

    def __init__(self) -> None:
        self._mean_s: OrderedDict[int, float] = OrderedDict()

    def add(self, spec: GenerationSpec, seconds: float) -> None:
        size = _size(spec)
        mean_s = self._mean_s.pop(size, seconds)
        self._mean_s[size] = (1 - NEWEST_WEIGHT) * mean_s + NEWEST_WEIGHT * seconds
        if len(self._mean_s) > MAX_SIZES:
            self._mean_s.popitem(last=False)

    def estimate_s(self, spec: GenerationSpec) -> float:
        if not self._mean_s:
            return FIRST_GUESS_S
        size = _size(spec)
        nearest = min(self._mean_s, key=lambda seen: max(seen, size) / min(seen, size))
        return self._mean_s[nearest] * size / nearest


def _size(spec: GenerationSpec) -> int:
    return spec.width * spec.height * spec.num_frames
