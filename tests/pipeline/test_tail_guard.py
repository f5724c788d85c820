"""Eight frames more than asked for, which are rendered after the end and cut off."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.direction import Continuation, Retake, Sound
from pipelines.errors import SpecError
from pipelines.ltx.components import Components
from pipelines.ltx.pipeline import generate
from pipelines.ltx.trace import Trace
from pipelines.memory import ClipSize
from pipelines.render import render
from pipelines.spec import GenerationSpec, Keyframe

Spec = Callable[..., GenerationSpec]


class Steps(Trace):
    """Counts the steps of each stage, and the latent frames of the estimates."""

    def __init__(self) -> None:
        self.wanted: dict[str, int] = {}
        self.taken: dict[str, int] = {}
        self.estimated: set[int] = set()
        self._stage = ""

    def stage(self, name: str, steps: int) -> None:
        self._stage, self.wanted[name], self.taken[name] = name, steps, 0

    def step(self, count: int = 1) -> None:
        self.taken[self._stage] += count

    def estimate(self, latent: torch.Tensor) -> None:
        self.estimated.add(latent.shape[2])


@pytest.fixture
def keyframes(tmp_path: Path) -> tuple[Keyframe, ...]:
    for name, colour in (("first", "red"), ("last", "blue")):
        Image.new("RGB", (128, 64), colour).save(tmp_path / f"{name}.png")
    return (Keyframe(tmp_path / "first.png"), Keyframe(tmp_path / "last.png", 8))


def frames(components: Components, spec: GenerationSpec, trace: Trace) -> np.ndarray:
    return np.concatenate(list(generate(components, spec, trace).frames))


def test_the_clip_is_the_longer_one_without_its_last_frames(
    components: Components, spec: Spec, keyframes: tuple[Keyframe, ...]
) -> None:
    longer = spec(num_frames=17, keyframes=keyframes)
    steps, unguarded = Steps(), Steps()

    guarded = frames(components, spec(num_frames=17, keyframes=keyframes, tail_guard=True), steps)

    assert len(guarded) == 9
    assert np.array_equal(guarded, frames(components, longer, unguarded)[:9])
    # Blue, as the keyframe of the last frame is.
    assert guarded[-1, ..., 2].mean() > guarded[-1, ..., 0].mean() + 50
    assert steps.taken == steps.wanted == unguarded.wanted
    assert (steps.estimated, unguarded.estimated) == ({2}, {3})


@pytest.mark.parametrize("generate_audio", [True, False])
def test_the_file_has_the_length_that_was_asked_for(
    components: Components, spec: Spec, tmp_path: Path, generate_audio: bool
) -> None:
    guarded = spec(num_frames=17, tail_guard=True, generate_audio=generate_audio)

    info, _ = render(components, guarded, tmp_path / "clip.mp4", Trace())

    assert (info.num_frames, info.has_audio) == (9, generate_audio)
    assert guarded.duration_s == Fraction(9, 24)


def test_memory_counts_what_is_rendered(spec: Spec) -> None:
    assert ClipSize.of(spec(num_frames=25, tail_guard=True)).num_frames == 25


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("num_frames", {"num_frames": 9}),
        ("keyframes.0.frame_idx", {"num_frames": 17, "keyframes": (Keyframe(Path("image.png"), 9),)}),
        ("tail_guard", {"num_frames": 25, "source": Retake(Path("clip.mp4"), 25, 0, 1)}),
        ("tail_guard", {"num_frames": 25, "source": Continuation(Path("clip.mp4"), 25)}),
    ],
)
def test_refuses_what_makes_no_sense(spec: Spec, field: str, fields: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as caught:
        spec(tail_guard=True, **fields)
    assert caught.value.field == field


def test_may_be_used_with_a_given_sound(spec: Spec) -> None:
    assert spec(num_frames=17, tail_guard=True, sound=Sound(Path("song.wav"))).delivered_frames == 9
