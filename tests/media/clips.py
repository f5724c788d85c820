"""Clips to make others from."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from pipelines.media.muxer import mux
from pipelines.spec import GenerationSpec

# Two colours, that no prompt of the tests asks for.
LEFT, RIGHT = (200, 40, 160), (30, 160, 60)


def write_clip(path: Path, num_frames: int = 33, size: tuple[int, int] = (256, 256)) -> Path:
    """Write a clip whose halves have a colour each, with a tone, at 24 frames a second."""
    width, height = size
    spec = GenerationSpec("x", 0, width, height, num_frames, Fraction(24))
    frames = np.empty((num_frames, height, width, 3), np.uint8)
    frames[:, :, : width // 2], frames[:, :, width // 2 :] = LEFT, RIGHT
    tone = np.sin(2 * np.pi * 440 * np.arange(round(spec.duration_s * 48000)) / 48000) / 4
    mux(path, [frames], spec, np.stack([tone, tone]).astype(np.float32))
    return path
