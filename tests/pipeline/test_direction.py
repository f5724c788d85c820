"""Which frames and which sound a retake renders anew."""

from pathlib import Path

import pytest

from pipelines.direction import Continuation, Retake
from pipelines.errors import SpecError


def retake(start_s: float, end_s: float, clip_frames: int = 25) -> Retake:
    return Retake(Path("clip.mp4"), clip_frames, start_s, end_s)


@pytest.mark.parametrize(
    ("start_s", "end_s", "frames"),
    [
        (0.4, 0.65, range(9, 17)),
        (0.0, 0.01, range(1)),
        (0.0, 0.05, range(9)),
        (9 / 24, 17 / 24, range(9, 17)),
        (9 / 24, 17.1 / 24, range(9, 25)),
        (0.9, 60.0, range(17, 25)),
    ],
)
def test_frames_are_rendered_anew_by_whole_latents(start_s: float, end_s: float, frames: range) -> None:
    assert retake(start_s, end_s).frames(24.0) == frames


def test_sound_is_rendered_anew_by_whole_latents() -> None:
    assert retake(0.4, 0.65).audio_latents(26) == range(10, 17)
    assert retake(0.4, 0.65).sound_s(26) == pytest.approx((0.37, 0.65))


@pytest.mark.parametrize(("clip_frames", "num_frames"), [(1, 9), (9, 9), (10, 17), (120, 121), (121, 121)])
def test_a_clip_of_any_length_is_rendered_with_its_last_frame_repeated(clip_frames: int, num_frames: int) -> None:
    assert retake(0, 1, clip_frames).num_frames == num_frames


@pytest.mark.parametrize(("start_s", "end_s"), [(0.5, 0.5), (0.6, 0.5), (-0.1, 0.5), (float("nan"), 1.0)])
def test_a_part_that_is_none_is_refused(start_s: float, end_s: float) -> None:
    with pytest.raises(SpecError, match=r"retake: must start at 0 s or later and end after it starts"):
        retake(start_s, end_s)


def test_a_retake_of_nothing_is_refused() -> None:
    with pytest.raises(SpecError, match="must render the video or the audio anew"):
        Retake(Path("clip.mp4"), 25, 0.0, 1.0, video=False, audio=False)


@pytest.mark.parametrize(("context_frames", "message"), [(8, "8k \\+ 1 frames, got 8"), (33, "at most the 25 frames")])
def test_a_context_that_the_clip_does_not_have_is_refused(context_frames: int, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Continuation(Path("clip.mp4"), 25, context_frames)
