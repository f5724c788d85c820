"""Clips with LoRAs equal those of the reference, whatever layout the files have."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pipelines.direction import LoraStrength
from pipelines.spec import GenerationSpec, Keyframe
from tests.parity.test_parity import RESULTS, TOLERANCE, saved_latents

PROMPT = "A red fox runs through deep snow at dawn."


@dataclass(frozen=True)
class LoraCase:
    spec: GenerationSpec
    golden: dict[str, torch.Tensor]


@pytest.fixture
def make_case(data: Path) -> Callable[..., LoraCase]:
    def make(name: str, seed: int, keyframes: tuple[Keyframe, ...] = (), **strengths: float) -> LoraCase:
        folder = data / "directions"
        loras = tuple(
            LoraStrength(file, folder / f"{file.replace('_', '-')}.safetensors", strength)
            for file, strength in strengths.items()
        )
        spec = GenerationSpec(PROMPT, seed, 192, 128, 17, Fraction(24), keyframes, loras=loras)
        return LoraCase(spec, load_file(folder / f"golden-{name}.safetensors"))

    return make


@pytest.fixture
def largest_error(checkpoints, data: Path, tmp_path: Path, relative_error) -> Callable[[LoraCase], float]:
    def error(case: LoraCase) -> float:
        found = saved_latents(
            case,
            tmp_path,
            checkpoint=checkpoints["bf16"],
            text_encoder=data / "text_encoder",
            upscaler=data / "ltx-tiny-spatial-upscaler-x2.safetensors",
        )
        errors = {name: relative_error(found[name], case.golden[name]) for name in RESULTS}
        print({name: f"{error:.1e}" for name, error in errors.items()})
        return max(errors.values())

    return error


def test_a_lora_equals_the_reference(make_case, largest_error) -> None:
    assert largest_error(make_case("lora", 3011, lora_a=0.8)) < TOLERANCE


@pytest.mark.parametrize("layout", ["lora_b", "lora_b_diffusers", "lora_b_alpha"])
def test_two_loras_equal_the_reference_in_every_layout(layout: str, make_case, largest_error, data: Path) -> None:
    case = make_case("lora-two", 3012, (Keyframe(data / "image-a.png"),), lora_a=1.0, **{layout: -0.5})

    assert largest_error(case) < TOLERANCE
