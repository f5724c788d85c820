"""Videos that clips are made from: their frames at a constant rate, and the files that are refused."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipelines.errors import VideoError
from pipelines.media.image_crop import Size
from pipelines.media.muxer import mux
from pipelines.media.source_info import SourceInfo
from pipelines.media.source_video import inspect_source, read_frames, read_source_sound, to_rgb
from pipelines.spec import Container, GenerationSpec

FRAMES = 17


def levels(frames: list[np.ndarray]) -> list[int]:
    """Return the red of each frame's middle."""
    return [int(to_rgb(frame)[len(frame) // 3, 20, 0]) for frame in frames]


def write(
    path: Path,
    times: list[Fraction] | None = None,
    codec: str = "libx264",
    size: tuple[int, int] = (128, 64),
    **options: Any,
) -> Path:
    """Write frames of growing lightness, at 24 a second or at these times."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=24, width=size[0], height=size[1], **options)
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1200)
        for i, time_s in enumerate(times or [Fraction(i, 24) for i in range(FRAMES)]):
            frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 12 * i, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(time_s * 1200), Fraction(1, 1200)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("container", Container)
@pytest.mark.parametrize("rate", [Fraction(24), Fraction(24000, 1001), Fraction(25, 2), Fraction(50)])
def test_a_clip_of_this_server_is_read_frame_by_frame(container: Container, rate: Fraction, tmp_path: Path) -> None:
    spec = GenerationSpec("x", 0, 128, 64, FRAMES, rate, container=container)
    frames = np.zeros((FRAMES, 64, 128, 3), np.uint8)
    frames[..., 0] = 15 * np.arange(FRAMES)[:, None, None]
    seconds = np.arange(round(spec.duration_s * 48000)) / 48000
    tone = np.stack([np.sin(2 * np.pi * 440 * seconds) / 2] * 2).astype(np.float32)
    path = tmp_path / f"clip.{container}"
    mux(path, [frames], spec, tone)

    info = inspect_source(path)

    assert info == replace(SourceInfo(128, 64, FRAMES, rate, rate, has_sound=True), stored_rate=info.stored_rate)
    assert abs(info.stored_rate - rate) < Fraction(1, 100)
    read = list(read_frames(path, info))
    assert read[0].shape == (96, 128), "yuv420p, as it is stored"
    assert levels(read) == pytest.approx(list(range(0, 15 * FRAMES, 15)), abs=4)
    sound = read_source_sound(path)
    assert sound is not None
    assert sound.sample_rate == 48000
    assert np.abs(sound.samples[:, 2000 : tone.shape[1] - 2000] - tone[:, 2000:-2000]).max() < 0.05


def test_a_variable_rate_becomes_a_constant_one(tmp_path: Path) -> None:
    # The third frame stays for half a second.
    times = [Fraction(i, 24) for i in range(3)] + [Fraction(i + 12, 24) for i in range(3, 9)]
    path = write(tmp_path / "clip.mp4", times)

    info = inspect_source(path).at_rate(Fraction(24))

    assert info.num_frames == 21
    shown = [0, 1, *[2] * 13, 3, 4, 5, 6, 7, 8]
    assert levels(list(read_frames(path, info))) == pytest.approx([12 * i for i in shown], abs=3)


def test_a_rate_beyond_the_limits_is_read_at_the_limit(tmp_path: Path) -> None:
    info = inspect_source(write(tmp_path / "clip.mp4", [Fraction(i, 100) for i in range(20)]))

    assert (info.frame_rate, info.num_frames) == (Fraction(50), 10)


def test_frames_are_scaled_to_cover_a_size(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mp4")
    info = inspect_source(path)

    assert {frame.shape for frame in read_frames(path, info, Size(64, 64))} == {(64, 64, 3)}
    assert {frame.shape for frame in read_frames(path, info, Size(192, 64))} == {(64, 192, 3)}


def write_text(path: Path) -> Path:
    path.write_text("#EXTM3U\n/etc/passwd\n")
    return path


def write_nothing(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def write_truncated(path: Path) -> Path:
    whole = write(path, options={"crf": "0"}).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def write_damaged(path: Path) -> Path:
    data = bytearray(write(path).read_bytes())
    data[len(data) // 3 :] = bytes(len(data) - len(data) // 3)
    path.write_bytes(data)
    return path


def write_sound(path: Path) -> Path:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 4800), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("write_file", "message"),
    [
        (write_text, "not a video of a known format: send an MP4"),
        (write_nothing, "it is empty: send an MP4"),
        (write_truncated, "it was cut short: [0-9]+ bytes or more are missing; send it complete"),
        (write_damaged, "it is damaged or cut short"),
        (write_sound, "it has no picture"),
        (lambda path: write(path, codec="mjpeg"), "its picture has codec mjpeg: send H.264"),
        (lambda path: write(path, size=(48, 64)), "it is 48x64: each side should have 64 to 4096 pixels"),
        (lambda path: write(path, [Fraction(0), Fraction(121)]), "it is longer than 120 s"),
        (lambda path: write(path, options={"x264-params": "transfer=smpte2084"}), r"it is HDR \(PQ or HLG\)"),
        (lambda path: path, "it cannot be read: No such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(
    write_file: Callable[[Path], Path], message: str, tmp_path: Path
) -> None:
    path = write_file(tmp_path / "clip.mp4")

    with pytest.raises(VideoError, match=message):
        inspect_source(path)
