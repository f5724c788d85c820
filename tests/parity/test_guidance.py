"""Clips with a negative prompt equal those of the reference implementation with NAG in its attention."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipelines.direction import Guidance
from pipelines.ltx.components import Components
from pipelines.ltx.pipeline import generate
from pipelines.spec import GenerationSpec
from tests.parity.conftest import Case, load_case, load_cases
from tests.parity.test_parity import RESULTS, TOLERANCE, Recorder, saved_latents


def results(components: Components, spec: GenerationSpec) -> dict[str, torch.Tensor]:
    recorder = Recorder()
    generate(components, spec, recorder)
    return {name: recorder.kept[name] for name in RESULTS}


@pytest.mark.parametrize("guided", load_cases("nag", "nag-clipped-audio"), ids=lambda case: case.name)
def test_latents_and_waveform_equal_the_reference(
    guided: Case, components: dict[str, Components], relative_error
) -> None:
    found = results(components["bf16"], guided.spec)

    errors = {name: relative_error(found[name], guided.golden[name]) for name in RESULTS}
    print(guided.name, {name: f"{error:.1e}" for name, error in errors.items()})
    assert max(errors.values()) < TOLERANCE, errors


def test_the_latents_saved_by_the_command_equal_the_reference(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path, relative_error
) -> None:
    guided = load_case("nag-clipped-audio")
    guidance = guided.spec.guidance
    assert guidance is not None
    assert guidance.audio
    numbers = {"scale": guidance.scale, "alpha": guidance.alpha, "tau": guidance.tau}
    options = ["--negative-prompt", guidance.negative_prompt, "--nag-audio"]
    found = saved_latents(
        guided,
        tmp_path,
        options=[*options, *(text for name, value in numbers.items() for text in (f"--nag-{name}", str(value)))],
        checkpoint=checkpoints["bf16"],
        text_encoder=data / "text_encoder",
        upscaler=data / "ltx-tiny-spatial-upscaler-x2.safetensors",
    )

    assert max(relative_error(found[name], guided.golden[name]) for name in RESULTS) < TOLERANCE


def test_guidance_without_effect_is_a_plain_run(components: dict[str, Components]) -> None:
    spec = load_case("nag").spec
    plain = results(components["bf16"], replace(spec, guidance=None))

    assert not torch.equal(plain["stage_2_video"], results(components["bf16"], spec)["stage_2_video"])
    for neutral in (
        Guidance("noise", scale=1.0),
        Guidance("noise", scale=0.0),
        Guidance(" "),
        Guidance("noise", alpha=0.0),
    ):
        found = results(components["bf16"], replace(spec, guidance=neutral))
        assert all(torch.equal(found[name], plain[name]) for name in RESULTS), neutral
