"""Clips with LoRAs equal those of the reference, whatever layout the files have."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.parity.conftest import DIRECTIONS, Case, load_case
from tests.parity.test_parity import RESULTS, TOLERANCE, saved_latents


@pytest.fixture
def largest_error(checkpoints, data: Path, tmp_path: Path, relative_error) -> Callable[[Case], float]:
    def error(case: Case) -> float:
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


def test_a_lora_equals_the_reference(largest_error) -> None:
    assert largest_error(load_case("lora")) < TOLERANCE


@pytest.mark.parametrize("layout", ["lora-b", "lora-b-diffusers", "lora-b-alpha"])
def test_two_loras_equal_the_reference_in_every_layout(layout: str, largest_error) -> None:
    case = load_case("lora-two")
    first, second = case.spec.loras
    second = replace(second, path=DIRECTIONS / f"{layout}.safetensors")

    assert largest_error(replace(case, spec=replace(case.spec, loras=(first, second)))) < TOLERANCE
