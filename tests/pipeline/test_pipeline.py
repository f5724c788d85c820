"""What generate() reports, how it stops, and the effect of its settings."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.errors import Cancelled, SpecError
from pipelines.ltx.components import Components, load_components
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.pipeline import generate
from pipelines.ltx.trace import Trace
from pipelines.render import render
from pipelines.spec import GenerationSpec, Keyframe
from weights.tiny import TinyFiles

MakeSpec = Callable[..., GenerationSpec]


class Recorder(Trace):
    def __init__(self) -> None:
        self.stages: list[tuple[str, int]] = []
        self.steps: list[str] = []
        self.kept: dict[str, torch.Tensor] = {}

    def stage(self, name: str, steps: int) -> None:
        self.stages.append((name, steps))

    def step(self, count: int = 1) -> None:
        self.steps += [self.stages[-1][0]] * count

    def tensors(self, **tensors: torch.Tensor) -> None:
        self.kept.update(tensors)


def run(components: Components, spec: GenerationSpec) -> tuple[Recorder, np.ndarray]:
    recorder = Recorder()
    clip = generate(components, spec, recorder)
    return recorder, np.concatenate(list(clip.frames))


def test_every_stage_and_step_is_reported(components: Components, spec: MakeSpec) -> None:
    recorder, frames = run(components, spec())

    assert [name for name, _ in recorder.stages] == ["encode", "stage_1", "upsample", "stage_2", "decode"]
    counted = [(name, recorder.steps.count(name)) for name, _ in recorder.stages]
    assert counted == recorder.stages
    assert counted == [("encode", 1), ("stage_1", 8), ("upsample", 1), ("stage_2", 3), ("decode", 9)]
    assert frames.shape == (9, 64, 128, 3)


class Estimates(Recorder):
    def __init__(self) -> None:
        super().__init__()
        self.estimates: list[tuple[str, torch.Tensor]] = []

    def estimate(self, latent: torch.Tensor) -> None:
        self.estimates.append((self.stages[-1][0], latent.clone()))


def test_each_step_gives_its_estimate_of_the_clean_latent(
    components: Components, spec: MakeSpec, tmp_path: Path
) -> None:
    """Without the tokens of a keyframe behind the first frame. The last one of a stage is its result."""
    Image.new("RGB", (128, 64), (200, 60, 40)).save(tmp_path / "image.png")
    trace = Estimates()

    list(generate(components, spec(keyframes=(Keyframe(tmp_path / "image.png", 8),)), trace).frames)

    assert [name for name, _ in trace.estimates] == ["stage_1"] * 8 + ["stage_2"] * 3
    for name, last in (("stage_1", 7), ("stage_2", 10)):
        torch.testing.assert_close(trace.estimates[last][1], trace.kept[f"{name}_video"], rtol=0, atol=1e-6)
    result = trace.kept["stage_1_video"]
    errors = [(latent - result).square().mean().item() for name, latent in trace.estimates if name == "stage_1"]
    # What is noised at first is as far from the result as noise; the estimate is not.
    assert max(errors) < 0.5 * (torch.randn_like(result) - result).square().mean().item()


def test_a_single_stage_runs_8_steps_at_full_size_without_the_upsampler(components: Components, spec: MakeSpec) -> None:
    recorder, frames = run(replace(components, upsampler=None), spec(stages=1))

    assert recorder.stages[:2] == [("encode", 1), ("stage_1", 8)]
    assert set(recorder.kept) == {"stage_1_video", "stage_1_audio", "waveform"}
    assert recorder.kept["stage_1_video"].shape == (1, 128, 2, 2, 4)
    assert frames.shape == (9, 64, 128, 3)


def test_two_stages_without_an_upsampler_are_refused(components: Components, spec: MakeSpec) -> None:
    with pytest.raises(SpecError, match="needs the latent upsampler"):
        generate(replace(components, upsampler=None), spec(), Trace())


def test_without_sound_the_picture_is_the_same(components: Components, spec: MakeSpec) -> None:
    with_sound, frames = run(components, spec())
    silent = generate(components, spec(generate_audio=False), Trace())

    assert "waveform" in with_sound.kept
    assert silent.waveform is None
    assert np.array_equal(np.concatenate(list(silent.frames)), frames)


def test_the_default_clip_is_not_a_flat_picture(components: Components, spec: MakeSpec) -> None:
    _, frames = run(components, spec())

    assert 40 < frames.mean() < 215
    assert frames.std() > 10


@pytest.mark.parametrize("stop_at", ["encode", "stage_1", "upsample", "stage_2"])
def test_a_trace_can_stop_the_render_between_steps(stop_at: str, components: Components, spec: MakeSpec) -> None:
    class Stop(Recorder):
        def step(self, count: int = 1) -> None:
            super().step(count)
            if self.stages[-1][0] == stop_at:
                raise Cancelled

    trace = Stop()
    with pytest.raises(Cancelled):
        generate(components, spec(), trace)
    assert trace.steps.count(stop_at) == 1


def test_a_stop_while_decoding_leaves_no_file(components: Components, spec: MakeSpec, tmp_path: Path) -> None:
    class Stop(Recorder):
        def step(self, count: int = 1) -> None:
            if self.stages[-1][0] == "decode":
                raise Cancelled

    with pytest.raises(Cancelled):
        render(components, spec(), tmp_path / "clip.mp4", Stop())
    assert list(tmp_path.iterdir()) == []


def test_render_times_every_stage(components: Components, spec: MakeSpec, tmp_path: Path) -> None:
    info, timings_s = render(components, spec(), tmp_path / "clip.mp4", Trace())

    assert info.num_frames == 9
    assert list(timings_s) == ["encode", "denoise", "decode", "mux"]
    assert all(seconds > 0 for seconds in timings_s.values())


def test_a_keyframe_of_strength_0_at_frame_0_changes_nothing(
    components: Components, spec: MakeSpec, tmp_path: Path
) -> None:
    path = tmp_path / "red.png"
    Image.new("RGB", (80, 60), "red").save(path)

    plain, _ = run(components, spec())
    ignored, _ = run(components, spec(keyframes=(Keyframe(path, strength=0.0),)))
    kept, _ = run(components, spec(keyframes=(Keyframe(path),)))

    torch.testing.assert_close(ignored.kept["stage_2_video"], plain.kept["stage_2_video"], rtol=0, atol=1e-5)
    assert not torch.allclose(kept.kept["stage_2_video"], plain.kept["stage_2_video"], atol=1e-2)


def test_a_prompt_is_encoded_once(components: Components, spec: MakeSpec) -> None:
    with torch.inference_mode():
        first = components.encode_prompt("once upon a time")
        again = components.encode_prompt("  once upon a time ")
        other = components.encode_prompt("twice upon a time")

    assert first is again
    assert not torch.allclose(first.video, other.video)


def test_bfloat16_latents_are_close_to_float32(random_tiny: TinyFiles, spec: MakeSpec) -> None:
    """The limit of 2 % is for random weights. A tensor of the wrong dtype, or sigmas in bfloat16, would exceed it."""
    files = WeightFiles(random_tiny.checkpoint, random_tiny.text_encoder, random_tiny.upsampler)

    exact, _ = run(load_components(files, torch.device("cpu"), torch.float32), spec())
    rounded, _ = run(load_components(files, torch.device("cpu"), torch.bfloat16), spec())

    for name in ("stage_1_video", "stage_1_audio", "stage_2_video", "stage_2_audio"):
        difference = (rounded.kept[name] - exact.kept[name]).norm() / exact.kept[name].norm()
        assert difference < 0.02, name
