"""What was rendered, joined with the clip that it was made from."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipelines.direction import Continuation, Retake
from pipelines.media.joint import JOINT_FRAMES, MAX_EASED
from pipelines.media.muxer import mux
from pipelines.media.sound import Waveform
from pipelines.media.source_video import read_frames, read_source_sound, source_info, to_rgb
from pipelines.media.splice import CROSSFADE_S, splice_frames, splice_sound
from pipelines.spec import GenerationSpec

RATE = 48000
SPEC = GenerationSpec("x", 0, 128, 64, 25, Fraction(24))
RENDERED = np.full((25, 64, 128, 3), 200, np.uint8)
# (4 * 26 - 3) mel frames of 10 ms
RENDERED_SOUND = Waveform(np.full((2, 101 * 480), 0.5, np.float32), RATE)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 25 frames and their sound."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    frames = np.zeros_like(RENDERED)
    frames[..., 1] = 5 * np.arange(25)[:, None, None]
    tone = np.sin(2 * np.pi * 330 * np.arange(50000) / RATE).astype(np.float32) / 4
    mux(path, [frames], SPEC, np.stack([tone, tone]))
    return path


def spliced(spec: GenerationSpec, rendered: np.ndarray = RENDERED) -> list[np.ndarray]:
    return [frame for chunk in splice_frames(spec, iter([rendered[:4], rendered[4:]])) for frame in chunk]


def rendered_beside(kept: list[np.ndarray], first: int) -> np.ndarray:
    """Return what a model renders that returns the kept frames as they are, from `first` on."""
    rendered = RENDERED.copy()
    rendered[first : first + len(kept)] = [to_rgb(frame) for frame in kept]
    return rendered


def sound_of(spec: GenerationSpec, rendered: Waveform | None) -> np.ndarray:
    sound = splice_sound(spec, rendered)
    assert sound is not None
    assert sound.sample_rate == RATE
    return sound.samples


def kept_sound(clip: Path, samples: int = 50000) -> np.ndarray:
    sound = read_source_sound(clip)
    assert sound is not None
    return sound.samples[:, :samples]


def test_a_retake_keeps_every_other_frame_and_sample(clip: Path) -> None:
    spec = replace(SPEC, source=Retake(clip, 25, 0.4, 0.65))

    kept = list(read_frames(clip, source_info(spec)))
    rendered = rendered_beside(kept, 0)
    rendered[9:17] = RENDERED[9:17]
    frames, sound = spliced(spec, rendered), sound_of(spec, RENDERED_SOUND)

    for i, frame in enumerate(frames):
        if 9 <= i < 17:
            assert np.abs(frame.astype(int) - RENDERED[0]).max() <= MAX_EASED
        else:
            assert np.array_equal(frame, kept[i]), i
    before, fade, after = round(0.37 * RATE), round(CROSSFADE_S * RATE), round(0.65 * RATE)
    whole = kept_sound(clip)
    assert np.array_equal(sound[:, :before], whole[:, :before])
    assert np.array_equal(sound[:, after:], whole[:, after:])
    assert (sound[:, before + fade : after - fade] == 0.5).all()
    assert np.abs(np.diff(sound[:, before - 10 : after + 10])).max() < 0.05


def test_a_retake_of_the_sound_keeps_every_frame_and_renders_none(clip: Path) -> None:
    spec = replace(SPEC, source=Retake(clip, 25, 0.4, 0.65, video=False))

    frames = list(splice_frames(spec, iter(())))

    assert all(map(np.array_equal, (frame[0] for frame in frames), read_frames(clip, source_info(spec))))


def test_a_retake_of_the_picture_keeps_every_sample(clip: Path) -> None:
    spec = replace(SPEC, source=Retake(clip, 25, 0.4, 0.65, audio=False))

    sound = sound_of(spec, None)

    assert np.array_equal(sound, kept_sound(clip))


def test_a_continuation_follows_the_clip_without_its_context(clip: Path) -> None:
    spec = replace(SPEC, source=Continuation(clip, 25, 9))

    kept = list(read_frames(clip, source_info(spec)))
    frames, sound = spliced(spec, rendered_beside(kept[-9:], 0)), sound_of(spec, RENDERED_SOUND)

    assert len(frames) == spec.delivered_frames == 41
    assert all(map(np.array_equal, frames[:25], read_frames(clip, source_info(spec))))
    assert all(np.array_equal(frame, RENDERED[0]) for frame in frames[25 + JOINT_FRAMES :])
    assert sound.shape == (2, round(Fraction(41, 24) * RATE))
    fade = round(CROSSFADE_S * RATE)
    assert np.array_equal(sound[:, : 50000 - fade], kept_sound(clip, 50000 - fade))
    # The sound is rendered to the last whole mel frame.
    end = round(Fraction(16, 24) * RATE) + RENDERED_SOUND.samples.shape[1]
    assert (sound[:, 50000:end] == 0.5).all()
    assert np.abs(np.diff(sound[:, :end])).max() < 0.05


def test_a_silent_clip_stays_silent_until_it_is_continued(clip: Path, tmp_path: Path) -> None:
    silent = tmp_path / "silent.mp4"
    mux(silent, [RENDERED], replace(SPEC, generate_audio=False), None)
    spec = replace(SPEC, source=Continuation(silent, 25, 9))

    sound = sound_of(spec, RENDERED_SOUND)

    assert not sound[:, : 50000 - round(CROSSFADE_S * RATE)].any()
    assert np.abs(np.diff(sound[:, :80000])).max() < 0.01


def test_a_clip_of_its_own_is_passed_on(clip: Path) -> None:
    assert all(map(np.array_equal, spliced(SPEC), RENDERED))
    assert splice_sound(SPEC, RENDERED_SOUND) is RENDERED_SOUND
