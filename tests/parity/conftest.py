"""Results of the reference implementation (goldens), and the files that they were computed from."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pipelines.direction import Continuation, Guidance, LoraStrength, Retake, Sound
from pipelines.ltx.components import Components, load_components
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.speed import Speed, speed_up
from pipelines.spec import GenerationSpec, Keyframe
from tests.diffusers_folder import write_folder

DATA = Path(__file__).parent / "data"
CASES: dict[str, dict[str, Any]] = json.loads((DATA / "cases.json").read_text())["cases"]

DIRECTIONS = DATA / "directions"
DIRECTED_CASES: dict[str, dict[str, Any]] = json.loads((DIRECTIONS / "cases.json").read_text())["cases"]
SOUND_CASES = ("audio-driven", "audio-driven-image")


@dataclass(frozen=True)
class Case:
    name: str
    checkpoint: str
    spec: GenerationSpec
    golden: dict[str, torch.Tensor]


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the checkpoint files by the names that the cases use."""
    bf16 = DATA / "ltx-tiny-distilled-bf16.safetensors"
    fp8 = tmp_path_factory.mktemp("parity") / "ltx-tiny-distilled-fp8.safetensors"
    part = DATA / "ltx-tiny-distilled-fp8.model-part.safetensors"
    rest = {name: tensor for name, tensor in load_file(bf16).items() if not name.startswith("model.")}
    with safe_open(part, framework="pt") as file:
        metadata = file.metadata()
    save_file(load_file(part) | rest, fp8, metadata=metadata)
    return {"bf16": bf16, "fp8": fp8}


@pytest.fixture(scope="session")
def components(checkpoints: dict[str, Path]) -> dict[str, Components]:
    return _load_all(checkpoints, torch.device("cpu"))


@pytest.fixture(scope="session", params=[Speed.EAGER, Speed.GRAPHS])
def components_on_gpu(request: pytest.FixtureRequest, checkpoints: dict[str, Path]) -> dict[str, Components]:
    torch._dynamo.reset()
    loaded = _load_all(checkpoints, torch.device("cuda"))
    return {name: speed_up(components, request.param, with_loras=True) for name, components in loaded.items()}


def _load_all(checkpoints: dict[str, Path], device: torch.device) -> dict[str, Components]:
    return {name: load_components(_files(path), device, torch.float32) for name, path in checkpoints.items()}


def _files(checkpoint: Path) -> WeightFiles:
    return WeightFiles(checkpoint, DATA / "text_encoder", DATA / "ltx-tiny-spatial-upscaler-x2.safetensors")


@pytest.fixture(scope="session")
def folder(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the BF16 checkpoint as a diffusers folder, with its text encoder and upsampler."""
    return write_folder(_files(checkpoints["bf16"]), tmp_path_factory.mktemp("diffusers") / "folder")


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return load_case(request.param)


def load_case(name: str) -> Case:
    """Return a case, with or without directions."""
    fields, folder = (DIRECTED_CASES[name], DIRECTIONS) if name in DIRECTED_CASES else (CASES[name], DATA)
    spec = replace(spec_of(fields), **directions_of(fields))
    return Case(name, fields.get("checkpoint", "bf16"), spec, load_file(folder / f"golden-{name}.safetensors"))


def load_cases(*names: str) -> list[Case]:
    return [load_case(name) for name in names]


def spec_of(fields: Mapping[str, Any]) -> GenerationSpec:
    """Return the specification of a case, with its images."""
    return GenerationSpec(
        **{name: fields[name] for name in ("prompt", "seed", "width", "height", "num_frames")},
        frame_rate=Fraction(fields["fps"]),
        keyframes=tuple(
            Keyframe(DATA / k["image"], k["frame_idx"], k["strength"], k["crf"]) for k in fields.get("keyframes", [])
        ),
    )


def directions_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the specification that a case has beside those of every clip."""
    found: dict[str, Any] = {}
    if "negative_prompt" in fields:
        found["guidance"] = Guidance(fields["negative_prompt"], **fields["nag"])
    if "audio" in fields:
        found["sound"] = Sound(DIRECTIONS / fields["audio"], fields.get("audio_start", 0.0))
    if "loras" in fields:
        found["loras"] = tuple(LoraStrength(k["file"], DIRECTIONS / k["file"], k["strength"]) for k in fields["loras"])
    if "retake" in fields:
        start_s, end_s = fields["retake"]
        has_video = fields.get("regenerate_video", True)
        found["source"] = Retake(DIRECTIONS / fields["clip"], fields["num_frames"], start_s, end_s, has_video)
        found["stages"] = fields.get("retake_stages", 1)
    elif "clip" in fields:
        found["source"] = Continuation(DIRECTIONS / fields["clip"], fields["num_frames"], fields["continue_frames"])
    return found


@pytest.fixture(scope="session")
def data() -> Path:
    return DATA


@pytest.fixture(scope="session")
def relative_error() -> Callable[[torch.Tensor, torch.Tensor], float]:
    def error(found: torch.Tensor, golden: torch.Tensor) -> float:
        assert found.shape == golden.shape
        return float((found - golden).abs().max() / golden.abs().max())

    return error
