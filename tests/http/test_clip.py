"""The file has the requested properties."""

from collections.abc import Callable
from fractions import Fraction

import pytest


@pytest.mark.parametrize(
    ("fps", "rate"),
    [
        (None, Fraction(24)),
        (23.976, Fraction(24000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (12.5, Fraction(25, 2)),
        (50, Fraction(50)),
    ],
)
def test_the_frame_rate_is_exact(generate: Callable, fps: float | None, rate: Fraction) -> None:
    with generate(fps=fps).open() as file:
        video = file.streams.video[0]
        assert video.average_rate == rate
        assert video.duration * video.time_base == 9 / rate


def test_frames_and_duration_derive_the_frame_rate(generate: Callable) -> None:
    clip = generate(duration=0.7)

    assert (clip.headers["x-ltx-fps"], clip.headers["x-ltx-duration"]) == ("12.857143", "0.7")
    with clip.open() as file:
        assert file.streams.video[0].average_rate == Fraction(90, 7)


@pytest.mark.parametrize(
    ("fields", "frames"),
    [
        ({"duration": 0.1}, 9),
        ({"duration": 0.7}, 17),
        ({"duration": 1, "fps": 8}, 9),
        ({"duration": 1, "fps": 16.5}, 17),
        ({"frames": 17}, 17),
        ({"frames": 33, "num_frames": 9.0}, 9),
    ],
)
def test_the_file_has_the_requested_number_of_frames(generate: Callable, fields: dict, frames: int) -> None:
    clip = generate(**{"num_frames": None} | fields)

    assert clip.headers["x-ltx-frames"] == str(frames)
    with clip.open() as file:
        assert sum(1 for _ in file.decode(video=0)) == frames


def test_the_file_has_the_requested_size(generate: Callable) -> None:
    clip = generate(width=300, height=400)

    with clip.open() as file:
        assert (file.streams.video[0].width, file.streams.video[0].height) == (320, 384)
    assert (clip.headers["x-ltx-width"], clip.headers["x-ltx-height"]) == ("320", "384")


@pytest.mark.parametrize(("container", "codecs"), [("mp4", ["h264", "aac"]), ("webm", ["vp9", "opus"])])
def test_the_file_has_the_requested_container(generate: Callable, container: str, codecs: list[str]) -> None:
    with generate(video_format=container, generate_audio=True).open() as file:
        assert container in file.format.name
        assert [stream.codec_context.codec.canonical_name for stream in file.streams] == codecs


@pytest.mark.parametrize("container", ["mp4", "webm"])
def test_sound_can_be_left_out(generate: Callable, container: str) -> None:
    with generate(video_format=container, generate_audio=False).open() as file:
        assert [stream.type for stream in file.streams] == ["video"]
