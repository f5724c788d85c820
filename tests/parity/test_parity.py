"""The results of the pipeline equal those of the reference implementation, in this process and through the command."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipelines.ltx.components import Components
from pipelines.ltx.pipeline import generate
from pipelines.ltx.trace import Trace
from server.cli import main

TOLERANCE = 2e-4
RESULTS = ["stage_1_video", "stage_1_audio", "upsampled_video", "stage_2_video", "stage_2_audio", "waveform"]


class Recorder(Trace):
    def __init__(self) -> None:
        self.kept: dict[str, torch.Tensor] = {}

    def tensors(self, **tensors: torch.Tensor) -> None:
        self.kept.update(tensors)


def test_latents_and_waveform_equal_the_reference(case, components: dict[str, Components], relative_error) -> None:
    recorder = Recorder()
    generate(components[case.checkpoint], case.spec, recorder)

    errors = {name: relative_error(recorder.kept[name], case.golden[name]) for name in RESULTS}
    print(case.name, {name: f"{error:.1e}" for name, error in errors.items()})
    assert max(errors.values()) < TOLERANCE, errors


@pytest.mark.parametrize("case", ["t2v", "keyframes-partial"], indirect=True)
def test_frames_equal_the_reference(case, components: dict[str, Components]) -> None:
    clip = generate(components[case.checkpoint], case.spec, Trace())

    frames = np.concatenate(list(clip.frames)).astype(int)
    assert np.abs(frames - case.golden["frames"].numpy()).max() <= 1


@pytest.mark.parametrize("case", ["t2v"], indirect=True)
def test_contexts_equal_the_reference(case, components: dict[str, Components], relative_error) -> None:
    with torch.inference_mode():
        context = components[case.checkpoint].encode_prompt(case.spec.prompt)

    assert relative_error(context.video, case.golden["context_video"]) < TOLERANCE
    assert relative_error(context.audio, case.golden["context_audio"]) < TOLERANCE


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LTX23_")]:
        monkeypatch.delenv(name)


def saved_latents(case, folder: Path, options: Sequence[str] = (), **weights: Path) -> dict[str, torch.Tensor]:
    """Run `ltx23 generate`, check its clip, and return the latents that it saves."""
    spec = case.spec
    arguments = {
        **{f"--{name.replace('_', '-')}": path for name, path in weights.items()},
        "--device": "cpu",
        "--dtype": "float32",
        "--prompt": spec.prompt,
        "--seed": spec.seed,
        "--width": spec.width,
        "--height": spec.height,
        "--num-frames": spec.num_frames,
        "--fps": float(spec.frame_rate),
        "--save-latents": folder / "latents.safetensors",
        "-o": folder / "clip.mp4",
    }
    args = ["generate", *(str(x) for pair in arguments.items() for x in pair), *options]
    for k in spec.keyframes:
        args += ["--keyframe", f"{k.path}:{k.frame_idx}:{k.strength}:{k.crf}"]
    for lora in spec.loras:
        args += ["--lora", f"{lora.path}:{lora.strength}"]
    assert main(args) == 0
    assert (folder / "clip.mp4").stat().st_size > 0
    return load_file(folder / "latents.safetensors")


@pytest.mark.parametrize("case", ["keyframes-partial", "fp8-weights"], indirect=True)
def test_the_latents_saved_by_the_command_equal_the_reference(
    case, checkpoints, data: Path, tmp_path: Path, relative_error
) -> None:
    found = saved_latents(
        case,
        tmp_path,
        checkpoint=checkpoints[case.checkpoint],
        text_encoder=data / "text_encoder",
        upscaler=data / "ltx-tiny-spatial-upscaler-x2.safetensors",
    )

    assert sorted(found) == sorted(RESULTS)
    assert max(relative_error(found[name], case.golden[name]) for name in RESULTS) < TOLERANCE


@pytest.mark.parametrize("case", ["t2v"], indirect=True)
def test_a_diffusers_folder_alone_gives_latents_equal_to_the_reference(
    case, folder: Path, tmp_path: Path, relative_error
) -> None:
    found = saved_latents(case, tmp_path, checkpoint=folder)

    errors = {name: relative_error(found[name], case.golden[name]) for name in RESULTS}
    print(case.name, {name: f"{error:.1e}" for name, error in errors.items()})
    assert max(errors.values()) < TOLERANCE, errors
