"""Results of damaged weights are refused, and a clip that runs out of memory releases what it took."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.errors import OutOfMemory, OutputError
from pipelines.ltx.components import Components, load_components
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.trace import Trace
from pipelines.render import render
from pipelines.spec import GenerationSpec
from server.worker.messages import ModelInfo
from server.worker.model import Model
from weights.tiny import TinyFiles
from weights.tiny_config import CHECKPOINT_CONFIG

MakeSpec = Callable[..., GenerationSpec]


@pytest.fixture
def damaged(tiny: TinyFiles, tmp_path: Path) -> Callable[..., Components]:
    def load(name: str, value: float) -> Components:
        tensors = load_file(tiny.checkpoint)
        tensors[name] = torch.full_like(tensors[name], value)
        path = tmp_path / "damaged.safetensors"
        save_file(tensors, path, {"config": json.dumps(CHECKPOINT_CONFIG)})
        files = WeightFiles(path, tiny.text_encoder, tiny.upsampler)
        return load_components(files, torch.device("cpu"), torch.float32)

    return load


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("model.diffusion_model.proj_out.bias", float("nan"), "stage_1: the transformer computed values that are no"),
        ("model.diffusion_model.audio_proj_out.bias", float("inf"), "stage_1: the transformer computed values"),
        ("vocoder.vocoder.conv_pre.bias", float("nan"), "decode: the vocoder computed values that are no numbers"),
        ("vae.decoder.conv_out.conv.bias", -100.0, "decode: every frame is black"),
        ("vae.decoder.conv_out.conv.bias", float("nan"), "decode: every frame is black"),
    ],
)
def test_no_black_or_broken_clip_is_written(
    name: str, value: float, message: str, damaged: Callable[..., Components], spec: MakeSpec, tmp_path: Path
) -> None:
    path = tmp_path / "clip.mp4"

    with pytest.raises(OutputError, match=message):
        render(damaged(name, value), spec(), path, Trace())
    assert not path.exists()


class RunsOut(Trace):
    """Raise an error in the middle of the second step, as torch does when the device is full."""

    def __init__(self, error: type[Exception]) -> None:
        self._error, self._steps = error, 0

    def step(self, count: int = 1) -> None:
        self._steps += 1
        if self._steps == 3:
            raise self._error("full")


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError])
def test_running_out_of_memory_fails_only_one_clip(
    error: type[Exception], components: Components, spec: MakeSpec, tmp_path: Path
) -> None:
    model = Model(components, ModelInfo("tiny", True, "cpu", "float32"))

    with pytest.raises(OutOfMemory, match="ran out of memory for 128x64 with 9 frames; a smaller or shorter clip"):
        model.render(spec(), tmp_path / "clip.mp4", RunsOut(error))
    assert list(tmp_path.iterdir()) == []
    model.render(spec(), tmp_path / "clip.mp4", Trace())
    assert (tmp_path / "clip.mp4").stat().st_size > 1000
