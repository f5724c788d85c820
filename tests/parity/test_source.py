"""Clips that are made from another one equal the reference's, through the command."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipelines.ltx.components import Components
from pipelines.ltx.video_encode import encode_video
from pipelines.media.probe import probe
from pipelines.media.source_video import inspect_source, read_frames, read_source_sound, to_rgb
from server.cli import main
from tests.parity.conftest import DIRECTED_CASES, DIRECTIONS

CLIP = DIRECTIONS / "clip.mp4"
CASES = {name: fields for name, fields in DIRECTED_CASES.items() if "clip" in fields}
TOLERANCE = 2e-4


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LTX23_")]:
        monkeypatch.delenv(name)


def source_options(fields: dict[str, Any]) -> list[str]:
    if "continue_frames" in fields:
        return ["--continue-from", f"{CLIP}:{fields['continue_frames']}"]
    start, end = fields["retake"]
    kept = [] if fields.get("regenerate_video", True) else ["--retake-keep", "video"]
    return ["--retake", f"{CLIP}:{start}:{end}", *kept, "--stages", str(fields.get("retake_stages", 1))]


@pytest.mark.parametrize("name", CASES)
def test_the_latents_saved_by_the_command_equal_the_reference(
    name: str, checkpoints, data: Path, tmp_path: Path, relative_error
) -> None:
    fields, golden = CASES[name], load_file(DIRECTIONS / f"golden-{name}.safetensors")
    options = {
        "--checkpoint": checkpoints["bf16"],
        "--text-encoder": data / "text_encoder",
        "--upscaler": data / "ltx-tiny-spatial-upscaler-x2.safetensors",
        "--device": "cpu",
        "--dtype": "float32",
        "--prompt": fields["prompt"],
        "--seed": fields["seed"],
        "--num-frames": fields["num_frames"],
        "--save-latents": tmp_path / "latents.safetensors",
        "-o": tmp_path / "clip.mp4",
    }

    assert main(["generate", *(str(x) for pair in options.items() for x in pair), *source_options(fields)]) == 0

    found = load_file(tmp_path / "latents.safetensors")
    results = [name for name in golden if name.startswith(("stage_", "upsampled_"))] + ["waveform"]
    errors = {name: relative_error(found[name], golden[name]) for name in results}
    print(name, {name: f"{error:.1e}" for name, error in errors.items()})
    assert max(errors.values()) < TOLERANCE, errors
    assert probe(tmp_path / "clip.mp4").num_frames == (41 if name == "continue" else 25)


def test_the_clip_is_read_as_by_the_reference(components: dict[str, Components], relative_error) -> None:
    golden = load_file(DIRECTIONS / "golden-retake.safetensors")
    frames = [to_rgb(frame) for frame in read_frames(CLIP, inspect_source(CLIP))]
    sound = read_source_sound(CLIP, from_zero=True)
    assert sound is not None

    pixels = (torch.from_numpy(frame).permute(2, 0, 1) / 127.5 - 1 for frame in frames)
    with torch.inference_mode():
        latent = encode_video(pixels, components["bf16"].video_vae, torch.device("cpu"))

    assert np.array_equal(np.stack(frames), golden["input_frames"].numpy())
    assert np.array_equal(sound.samples[:, :50000], golden["input_audio"].numpy())
    assert relative_error(latent, golden["input_video_latent"]) < TOLERANCE
