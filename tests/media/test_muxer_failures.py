"""A clip that fails leaves no file, no temporary file and no thread."""

import resource
import threading
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
import pytest

from pipelines.errors import Cancelled, MuxError
from pipelines.media.muxer import mux


@pytest.fixture(autouse=True)
def nothing_left(tmp_path):
    threads = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == threads
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def clip_path(tmp_path):
    return tmp_path / "clip"


@contextmanager
def full_disk(size_bytes=None):
    """Limit the size of this process's files to `size_bytes`, or when the test calls `fill`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(size_bytes):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))

    try:
        if size_bytes is not None:
            fill(size_bytes)
        yield fill
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def noise(spec):
    generator = np.random.default_rng(0)
    for _ in range(spec.num_frames):
        yield generator.integers(0, 256, (1, spec.height, spec.width, 3), dtype=np.uint8)


@pytest.mark.parametrize("frames_before", [0, 1, 8])
@pytest.mark.parametrize("error", [Cancelled("stop"), OSError("of the producer"), KeyboardInterrupt()], ids=repr)
def test_an_error_of_the_frames_is_raised_unchanged(
    container, frames_before, error, clip_path, make_spec, make_frames, make_waveform
):
    spec = make_spec(container=container)

    def frames():
        yield from list(make_frames(spec, chunk=1))[:frames_before]
        raise error

    with pytest.raises(type(error)) as caught:
        mux(clip_path, frames(), spec, make_waveform(spec))
    assert caught.value is error


@pytest.mark.parametrize("num_frames", [9, 49], ids=["at the very end", "on the way"])
def test_a_full_disk_is_an_error(container, num_frames, clip_path, make_spec):
    spec = make_spec(container=container, num_frames=num_frames, generate_audio=False)
    with full_disk(20 * 1024), pytest.raises(MuxError, match="File too large") as caught:
        mux(clip_path, noise(spec), spec, None)
    assert isinstance(caught.value.__cause__, OSError)


def test_a_full_disk_does_not_hide_the_error_of_the_frames(container, clip_path, make_spec):
    spec = make_spec(container=container, num_frames=25, generate_audio=False)

    def frames():
        yield from list(noise(spec))[:10]
        fill(1)
        raise Cancelled("stop")

    with full_disk() as fill, pytest.raises(Cancelled):
        mux(clip_path, frames(), spec, None)


@pytest.mark.parametrize("parent", ["missing", "file"])
def test_a_folder_that_cannot_be_written_to_fails_before_the_first_frame(container, parent, tmp_path, make_spec):
    spec = make_spec(container=container)
    if parent == "file":
        (tmp_path / parent).write_bytes(b"")
    asked = []

    def frames():
        asked.append(True)
        yield from noise(spec)

    with pytest.raises(MuxError, match=r"cannot be written: (No such file|Not a directory)"):
        mux(tmp_path / parent / "clip", frames(), spec, None)
    assert asked == []
    (tmp_path / "file").unlink(missing_ok=True)


def test_a_folder_at_the_clips_path_is_an_error(container, clip_path, make_spec, make_frames):
    spec = make_spec(container=container)
    clip_path.mkdir()
    with pytest.raises(MuxError, match="Is a directory"):
        mux(clip_path, make_frames(spec), spec, None)
    clip_path.rmdir()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (slice(0, 8), "has 9 frames, got 8"),
        (slice(0, 0), "has 9 frames, got 0"),
        ([*range(9), 0], "has 9 frames, got more"),
    ],
    ids=["one-less", "none", "one-more"],
)
@pytest.mark.parametrize("chunk", [1, 20])
def test_a_wrong_number_of_frames_is_an_error(container, rows, message, chunk, clip_path, make_spec, make_frames):
    spec = make_spec(container=container)
    frames = np.concatenate(list(make_frames(spec)))[rows]
    chunks = [frames[i : i + chunk] for i in range(0, len(frames), chunk)]
    with pytest.raises(MuxError, match=message):
        mux(clip_path, chunks, spec, None)


def test_an_endless_iterator_of_frames_is_stopped(container, clip_path, make_spec):
    def frames():
        while True:
            yield np.zeros((4, 64, 64, 3), np.uint8)

    with pytest.raises(MuxError, match="has 9 frames, got more"):
        mux(clip_path, frames(), make_spec(container=container), None)


@pytest.mark.parametrize(
    "chunk",
    [
        np.zeros((9, 64, 32, 3), np.uint8),
        np.zeros((9, 3, 64, 64), np.uint8),
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((9, 64, 64), np.uint8),
        np.zeros((9, 96, 32), np.uint8),
        np.zeros((9, 64, 64, 4), np.uint8),
        np.zeros((9, 64, 64, 3), np.float32),
    ],
    ids=lambda chunk: f"{chunk.dtype}-{chunk.shape}",
)
def test_frames_of_another_shape_or_type_are_an_error(container, chunk, clip_path, make_spec):
    with pytest.raises(MuxError, match=r"must be uint8 of shape \(n, 64, 64, 3\) or \(n, 96, 64\)"):
        mux(clip_path, [chunk], make_spec(container=container), None)


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.zeros((1, 9000), np.float32), "shape"),
        (np.zeros(9000, np.float32), "shape"),
        (np.zeros((9000, 2), np.float32), "shape"),
        (np.zeros((2, 9000), np.int16), "float32"),
        (np.full((2, 9000), np.nan, np.float32), "finite"),
        (np.full((2, 9000), np.inf, np.float32), "finite"),
    ],
    ids=["mono", "flat", "transposed", "int16", "nan", "infinity"],
)
def test_an_invalid_waveform_is_an_error(container, waveform, message, clip_path, make_spec, make_frames):
    spec = make_spec(container=container)
    with pytest.raises(MuxError, match=message):
        mux(clip_path, make_frames(spec), spec, waveform)


def test_a_frame_rate_that_no_container_supports_is_an_error(container, clip_path, make_spec, make_frames):
    spec = make_spec(container=container, frame_rate=Fraction(2**40 + 1, 2**36))
    with pytest.raises(MuxError, match="frame rate"):
        mux(clip_path, make_frames(spec), spec, None)


def test_an_existing_clip_survives_a_failure(container, clip_path, make_spec):
    clip_path.write_bytes(b"the one before")
    with pytest.raises(MuxError):
        mux(clip_path, [], make_spec(container=container), None)
    assert clip_path.read_bytes() == b"the one before"
    clip_path.unlink()
