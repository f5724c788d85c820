"""What the tiny model shows and sounds, through the whole pipeline."""

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.direction import Sound
from pipelines.ltx.audio_encode import encode_audio
from pipelines.ltx.components import Components, load_components
from pipelines.ltx.latents import unpack_audio
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.pipeline import generate
from pipelines.ltx.trace import Trace
from pipelines.media.sound import Waveform
from pipelines.spec import GenerationSpec, Keyframe
from tests.media.sounds import write_wav
from weights.tiny import TinyFiles
from weights.tiny_model.attention import TIME, fade, frequencies

# Of clips that show a picture, and of those that need not.
SIZE, SMALL = 256, 128
FRAMES = 33
SAMPLE_RATE = 48000


@pytest.fixture(scope="module")
def components(tiny: TinyFiles) -> Components:
    files = WeightFiles(tiny.checkpoint, tiny.text_encoder, tiny.upsampler)
    return load_components(files, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write two pictures with shapes: a disc, and a cross of other colours."""
    folder = tmp_path_factory.mktemp("pictures")
    rows, columns = np.mgrid[0:SIZE, 0:SIZE] / SIZE - 0.5
    drawn = {
        "disc": (np.hypot(rows, columns) < 0.3, (200, 60, 40), (40, 80, 120)),
        "cross": (np.minimum(abs(rows), abs(columns)) < 0.1, (230, 220, 190), (30, 110, 60)),
    }
    for name, (mask, inside, outside) in drawn.items():
        pixels = np.where(mask[..., None], inside, outside).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return {name: folder / f"{name}.png" for name in drawn}


def render(
    components: Components, prompt: str, size: int = SMALL, num_frames: int = 9, seed: int = 3, **fields: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return the frames and one channel of the sound."""
    clip = generate(components, GenerationSpec(prompt, seed, size, size, num_frames, Fraction(24), **fields), Trace())
    assert clip.waveform is not None
    return np.concatenate(list(clip.frames)), clip.waveform.samples[0]


def psnr(frame: np.ndarray, path: Path) -> float:
    error = np.square(frame.astype(float) - np.asarray(Image.open(path))).mean()
    return 10 * math.log10(255**2 / error)


def test_a_clip_keeps_its_first_image(components: Components, pictures: dict[str, Path]) -> None:
    frames, _ = render(components, "the camera stands still", SIZE, FRAMES, keyframes=(Keyframe(pictures["disc"]),))

    assert min(psnr(frame, pictures["disc"]) for frame in frames) > 25


def between(components: Components, pictures: dict[str, Path], strength: float) -> np.ndarray:
    keyframes = (Keyframe(pictures["disc"], 0, strength), Keyframe(pictures["cross"], 32, strength))
    frames, _ = render(components, "one becomes the other", SIZE, FRAMES, keyframes=keyframes)
    return frames


def test_each_keyframe_is_shown_at_its_frame_and_fades_into_the_next_as_strongly_as_asked(
    components: Components, pictures: dict[str, Path]
) -> None:
    frames = between(components, pictures, strength=1.0)

    first, last = ([psnr(frame, pictures[name]) for frame in frames] for name in ("disc", "cross"))
    assert first[0] > 25
    assert last[32] > 22
    assert first[16] > first[32]
    assert last[16] > last[0]
    lightness = frames.mean(axis=(1, 2, 3))
    assert np.abs(np.diff(lightness)).max() < 0.05 * 255

    half = between(components, pictures, strength=0.5)
    assert psnr(half[32], pictures["cross"]) < last[32] - 1


def test_the_nearer_of_two_keyframes_prevails_in_clips_of_any_length() -> None:
    seconds = torch.arange(0, 20.25, 0.25, dtype=torch.float64)
    logits = torch.cos(seconds[:, None] * frequencies(TIME)) @ fade()[TIME]

    later = logits.flip(0).cummax(0).values.flip(0)  # the most attention from a distance on
    assert (later[12:] < logits[:-12] - 1).all()  # at 3 seconds more


@pytest.mark.parametrize(
    ("prompt", "channel"),
    [("A red car drives along the road", 0), ("a GREEN door", 1), ("Someone waves a blue flag.", 2)],
)
def test_a_word_colours_the_clip(prompt: str, channel: int, components: Components) -> None:
    frames, _ = render(components, prompt)

    mean = frames.mean(axis=(0, 1, 2))
    assert mean.argmax() == channel
    assert mean[channel] > np.delete(mean, channel).max() + 30


def test_night_is_darker_than_day(components: Components) -> None:
    day, _ = render(components, "the city by day", SIZE)
    night, _ = render(components, "the city at night", SIZE)

    assert night.mean() < day.mean() - 20


def test_another_seed_gives_another_clip(components: Components) -> None:
    one, _ = render(components, "a quiet room")
    other, _ = render(components, "a quiet room", seed=4)

    assert np.abs(one.astype(int) - other).mean() > 5


@pytest.mark.parametrize(
    ("prompt", "hertz"), [("a tone of 500 Hz", 500), ("A bird sings", 3000), ("nothing in particular", 400)]
)
def test_a_word_sounds_as_a_tone(prompt: str, hertz: int, components: Components) -> None:
    _, sound = render(components, prompt)

    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    assert spectrum.argmax() * SAMPLE_RATE / len(sound) == pytest.approx(hertz, abs=10)
    assert 0.1 < np.abs(sound).max() < 1


def lightness(components: Components, **fields: Any) -> np.ndarray:
    """Return the mean of each frame of a clip that is as long as the sounds."""
    frames, _ = render(components, "a red car", num_frames=49, **fields)
    means: np.ndarray = frames.mean(axis=(1, 2, 3))
    return means


def test_the_picture_is_bright_while_the_given_sound_is_loud_and_as_it_is_while_silent(
    components: Components, pictures: dict[str, Path], tmp_path: Path
) -> None:
    beats = np.random.default_rng(1).normal(0, 0.2, (2, 2 * SAMPLE_RATE)).astype(np.float32)
    beats[:, SAMPLE_RATE // 2 : 3 * SAMPLE_RATE // 2] = 0
    loud, silent = (Sound(write_wav(tmp_path / f"{n}.wav", n * beats)) for n in (1, 0))

    for keyframes in ((), (Keyframe(pictures["disc"]),)):
        without = lightness(components, keyframes=keyframes, sound=silent)
        brighter = lightness(components, keyframes=keyframes, sound=loud) - without

        assert np.abs(brighter[20:28]).max() < 8  # around 1 s
        assert brighter[44:].min() > 20
        assert brighter[4:8].min() > 10
        if not keyframes:
            assert np.abs(without - lightness(components)).max() < 1


def test_the_encoder_measures_loudness_in_each_band(components: Components) -> None:
    seconds = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    sound = np.zeros((2, SAMPLE_RATE), np.float32)
    sound[:, SAMPLE_RATE // 2 :] = np.sin(2 * np.pi * 440 * seconds[SAMPLE_RATE // 2 :])

    with torch.inference_mode():
        latent, _ = encode_audio(Waveform(sound, SAMPLE_RATE), components.audio_vae)
    loudness = unpack_audio(latent)[0]

    assert not loudness[[0, 1, 3, 4, 5, 6, 7]].any()
    assert loudness[2, :11].abs().max() < 0.01
    assert loudness[2, 14:25].max() == pytest.approx(0.8, abs=0.2)
    assert loudness[2, 20].argmax() == 2  # 320 to 560 Hz
