"""Sound files for tests."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray


def tone(duration_s: float, rate: int = 48_000, channels: int = 2, hz: float = 440.0) -> NDArray[np.float32]:
    """Return a tone of peak 0.5, a little quieter in each further channel."""
    wave = 0.5 * np.sin(2 * np.pi * hz * np.arange(round(duration_s * rate)) / rate)
    return np.stack([wave * (1 - 0.1 * i) for i in range(channels)]).astype(np.float32)


def write_sound(
    path: Path, samples: NDArray[Any], rate: int, codec: str, container: str, sample_format: str, layout: str = ""
) -> Path:
    """Encode (channels, n) samples of the dtype that `sample_format` has, packed or planar."""
    layout = layout or {1: "mono", 2: "stereo", 6: "5.1"}[len(samples)]
    packed = samples if sample_format.endswith("p") else samples.T.reshape(1, -1)
    with av.open(str(path), "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=rate, layout=layout, options={"strict": "experimental"})
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(packed), format=sample_format, layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            file.mux(packet)
    return path


def write_wav(path: Path, samples: NDArray[np.float32], rate: int = 48_000) -> Path:
    """Write 16-bit PCM."""
    whole = np.clip(np.round(samples * 32768), -32768, 32767).astype(np.int16)
    return write_sound(path, whole, rate, "pcm_s16le", "wav", "s16")
