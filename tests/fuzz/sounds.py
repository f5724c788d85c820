"""Sound files that are damaged, cut short, or state a wrong size."""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from tests.media.sounds import tone, write_sound
from tests.media.test_sound import FORMATS


@cache
def whole() -> tuple[bytes, ...]:
    """Return one valid sound of each format."""
    files = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (codec, container, sample_format) in FORMATS.items():
            samples = tone(0.4)
            stored = np.round(samples * 32768).astype(np.int16) if sample_format == "s16" else samples
            path = write_sound(Path(folder) / name, stored, 48_000, codec, container, sample_format)
            files.append(path.read_bytes())
    return tuple(files)


def _flipped(sound: bytes, bits: list[int]) -> bytes:
    data = bytearray(sound)
    for bit in bits:
        data[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(data)


def _spliced(sound: bytes, start: int, length: int, piece: bytes) -> bytes:
    start %= len(sound)
    return sound[:start] + piece + sound[start + length :]


originals = st.sampled_from(range(len(FORMATS))).map(lambda index: whole()[index])
places = st.integers(0, 5000)

sounds = st.one_of(
    st.builds(lambda sound, end: sound[: end % len(sound)], originals, places),
    # Most of what a header says is in its first bytes.
    st.builds(_flipped, originals, st.lists(st.integers(0, 2_000), min_size=1, max_size=8)),
    st.builds(_flipped, originals, st.lists(st.integers(0, 40_000), min_size=1, max_size=8)),
    st.builds(_spliced, originals, places, st.integers(0, 64), st.binary(max_size=64)),
    st.builds(
        lambda start, noise: start + noise,
        st.sampled_from([b"RIFF\0\0\0\0WAVE", b"fLaC", b"OggS", b"ID3", b"\xff\xfb\x90", b"\0\0\0\x20ftypM4A "]),
        st.binary(max_size=300),
    ),
)
