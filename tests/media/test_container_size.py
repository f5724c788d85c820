"""Videos that were cut short, and whole ones that look as if they were."""

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipelines.errors import VideoError
from pipelines.media.source_video import inspect_source

FRAMES = 9
WRITERS = {
    "index first": ("mp4", {"movflags": "faststart"}),
    "fragments": ("mp4", {"movflags": "empty_moov+frag_every_frame"}),
    "webm": ("webm", {}),
    "matroska": ("matroska", {}),
}


def write(kind: str, target: object) -> None:
    container_format, options = WRITERS[kind]
    codec = "libvpx-vp9" if kind == "webm" else "libx264"
    values = np.random.default_rng(0).integers(0, 255, (FRAMES, 64, 64, 3), dtype=np.uint8)
    with av.open(target, "w", format=container_format, options=options) as container:
        stream = container.add_stream(codec, rate=24, width=64, height=64, pix_fmt="yuv420p")
        for index, pixels in enumerate(values):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 24)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("kind", WRITERS)
def test_a_video_that_was_cut_short_anywhere_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "clip"
    write(kind, str(path))
    whole = path.read_bytes()
    assert inspect_source(path).num_frames == FRAMES

    for share in range(1, 32):
        path.write_bytes(whole[: share * len(whole) // 32])
        with pytest.raises(VideoError, match="cut short"):
            inspect_source(path)


class Pipe(io.BytesIO):
    """A file that cannot be written again at an earlier place, as a browser's recorder has one."""

    def seekable(self) -> bool:
        return False


def recorded(path: Path) -> None:
    """Write a WebM that does not say how long it is."""
    pipe = Pipe()
    write("webm", pipe)
    path.write_bytes(pipe.getvalue())


def followed_by_zeros(path: Path) -> None:
    write("index first", str(path))
    path.write_bytes(path.read_bytes() + bytes(100))


def with_a_cut_index(path: Path) -> None:
    """Cut into the box at the end that only helps to seek."""
    write("fragments", str(path))
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"mfra") + 10])


def to_the_end(path: Path) -> None:
    """Give the last box no size: it ends with the file."""
    write("index first", str(path))
    whole = bytearray(path.read_bytes())
    start = whole.rindex(b"mdat") - 4
    whole[start : start + 4] = bytes(4)
    path.write_bytes(whole)


@pytest.mark.parametrize("write_file", [recorded, followed_by_zeros, with_a_cut_index, to_the_end])
def test_a_whole_video_is_read(write_file: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "clip"
    write_file(path)

    assert inspect_source(path).num_frames == FRAMES
