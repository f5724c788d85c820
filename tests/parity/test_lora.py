"""Clips with LoRAs equal those of the reference, whatever layout the files have."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.ltx.components import Components
from pipelines.ltx.pipeline import generate
from tests.parity.conftest import DIRECTIONS, load_case
from tests.parity.test_parity import RESULTS, TOLERANCE, Recorder, saved_latents


def test_a_lora_equals_the_reference(checkpoints: dict[str, Path], data: Path, tmp_path: Path, relative_error) -> None:
    case = load_case("lora")

    found = saved_latents(
        case,
        tmp_path,
        checkpoint=checkpoints["bf16"],
        text_encoder=data / "text_encoder",
        upscaler=data / "ltx-tiny-spatial-upscaler-x2.safetensors",
    )

    errors = {name: relative_error(found[name], case.golden[name]) for name in RESULTS}
    print({name: f"{error:.1e}" for name, error in errors.items()})
    assert max(errors.values()) < TOLERANCE


@pytest.mark.parametrize("layout", ["lora-b", "lora-b-diffusers", "lora-b-alpha"])
def test_two_loras_equal_the_reference_in_every_layout(
    layout: str, components: dict[str, Components], relative_error
) -> None:
    case = load_case("lora-two")
    first, second = case.spec.loras
    second = replace(second, path=DIRECTIONS / f"{layout}.safetensors")
    recorder = Recorder()

    generate(components["bf16"], replace(case.spec, loras=(first, second)), recorder)

    errors = {name: relative_error(recorder.kept[name], case.golden[name]) for name in RESULTS}
    print({name: f"{error:.1e}" for name, error in errors.items()})
    assert max(errors.values()) < TOLERANCE
