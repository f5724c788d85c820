"""Clips whose sound is given: the track is that sound, and the picture follows it."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from pipelines.direction import Sound
from pipelines.errors import SpecError
from pipelines.ltx.components import Components
from pipelines.ltx.pipeline import generate
from pipelines.ltx.trace import Trace
from pipelines.media.codecs import FORMATS
from pipelines.media.probe import verify_clip
from pipelines.media.sound import read_track
from pipelines.media.sound_limits import SAMPLE_RATES
from pipelines.render import render
from pipelines.spec import Container, GenerationSpec, Keyframe
from tests.media.sounds import tone, write_wav

MakeSpec = Callable[..., GenerationSpec]


def track_of(clip: Path) -> tuple[np.ndarray, int]:
    with av.open(str(clip)) as container:
        found = read_track(container, container.streams.audio[0], Fraction(0))
    return found.samples, found.sample_rate


@pytest.mark.parametrize("rate", SAMPLE_RATES)
@pytest.mark.parametrize("container", list(Container))
def test_the_track_is_the_given_sound_at_its_rate_if_the_container_has_it(
    container: Container, rate: int, components: Components, spec: MakeSpec, tmp_path: Path
) -> None:
    given = tone(1.0, rate)
    sound = Sound(write_wav(tmp_path / "sound.wav", given, rate), 0.25)
    wanted = spec(width=64, sound=sound, container=container)
    clip = tmp_path / "clip"

    render(components, wanted, clip, Trace())

    verify_clip(clip, wanted)
    found, found_rate = track_of(clip)
    rates = FORMATS[container].sample_rates
    assert found_rate == (rate if rate in rates else 48_000)
    expected = tone(1.0, found_rate)[:, found_rate // 4 :][:, : round(wanted.duration_s * found_rate)]
    inner = slice(found_rate // 20, expected.shape[1] - found_rate // 20)
    assert np.abs(found[:, inner] - expected[:, inner]).max() < 0.1


def test_a_shorter_sound_is_followed_by_silence(components: Components, spec: MakeSpec, tmp_path: Path) -> None:
    sound = Sound(write_wav(tmp_path / "sound.wav", tone(0.2, channels=1)))

    clip = generate(components, spec(sound=sound, num_frames=17), Trace())

    assert clip.waveform is not None
    samples = clip.waveform.samples
    assert samples.shape == (2, 34_000)
    assert np.array_equal(samples[0], samples[1])
    assert np.abs(samples[:, :9_600]).max() > 0.49
    assert not samples[:, 9_600:].any()


def test_without_sound_the_file_is_silent(components: Components, spec: MakeSpec, tmp_path: Path) -> None:
    sound = Sound(write_wav(tmp_path / "sound.wav", tone(0.2)))
    wanted = spec(sound=sound, generate_audio=False)

    info, _ = render(components, wanted, tmp_path / "clip.mp4", Trace())

    assert not info.has_audio


class StepCounter(Trace):
    def __init__(self) -> None:
        self.steps: dict[str, int] = {}
        self.done: dict[str, int] = {}

    def stage(self, name: str, steps: int) -> None:
        self.steps[name], self.done[name] = steps, 0

    def step(self, count: int = 1) -> None:
        self.done[list(self.done)[-1]] += count


def test_steps_are_counted_with_the_sound(components: Components, spec: MakeSpec, tmp_path: Path) -> None:
    image = tmp_path / "image.png"
    Image.new("RGB", (64, 64), "red").save(image)
    counter = StepCounter()
    sound = Sound(write_wav(tmp_path / "sound.wav", tone(0.2)))

    clip = generate(components, spec(sound=sound, keyframes=(Keyframe(image),)), counter)

    assert len(list(clip.frames)) > 0
    assert counter.steps["encode"] == 3
    assert counter.done == counter.steps


@pytest.mark.parametrize("start_s", [-0.1, float("nan"), float("inf")])
def test_a_start_that_is_none_is_refused(start_s: float) -> None:
    with pytest.raises(SpecError, match="audio_start: must be 0 or more seconds"):
        Sound(Path("sound.wav"), start_s)


def test_a_start_beyond_the_end_names_the_length() -> None:
    with pytest.raises(SpecError, match=r"audio_start: must be before the end of the sound, which is 1.250 s long"):
        Sound(Path("sound.wav"), 1.25).left_of_s(Fraction(5, 4))
