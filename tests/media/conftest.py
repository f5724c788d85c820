from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from pipelines.spec import Container, GenerationSpec


@pytest.fixture(params=list(Container))
def container(request):
    return request.param


@pytest.fixture
def make_spec() -> Callable[..., GenerationSpec]:
    def make(**changes):
        fields: dict[str, Any] = {"width": 64, "height": 64, "num_frames": 9, "frame_rate": Fraction(24)}
        return GenerationSpec(**{"prompt": "a prompt", "seed": 1, **fields, **changes})

    return make


@pytest.fixture
def make_frames() -> Callable[..., Iterator[np.ndarray]]:
    """Return a function that yields a moving gradient in chunks, the same on every call."""

    def make(spec, chunk=8):
        rows, columns = np.mgrid[: spec.height, : spec.width]
        for start in range(0, spec.num_frames, chunk):
            idx = np.arange(start, min(start + chunk, spec.num_frames))[:, None, None]
            channels = (rows + 3 * idx, columns + 5 * idx, rows + columns + 7 * idx)
            yield np.stack([channel % 256 for channel in channels], axis=-1).astype(np.uint8)

    return make


@pytest.fixture
def make_waveform() -> Callable[..., np.ndarray]:
    """Return a function that makes one tone on the left and another on the right."""

    def make(spec, length=1.0):
        seconds = np.arange(round(spec.duration_s * 48_000 * Fraction(length))) / 48_000
        tones = [0.3 * np.sin(2 * np.pi * hertz * seconds) for hertz in (440, 660)]
        return np.stack(tones).astype(np.float32)

    return make
