"""The results on a GPU equal those of the reference implementation; skipped without a GPU."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines.ltx.components import Components
from pipelines.ltx.latent_preview import Finish, start_preview
from pipelines.ltx.latent_rgb import LatentRgb
from pipelines.ltx.pipeline import generate
from pipelines.ltx.trace import Trace
from pipelines.spec import GenerationSpec
from tests.parity.conftest import CASES, DIRECTED_CASES, Case, load_case
from tests.parity.test_parity import RESULTS, TOLERANCE, Recorder

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture(params=[*CASES, *DIRECTED_CASES])
def case(request: pytest.FixtureRequest) -> Case:
    return load_case(request.param)


@pytest.fixture(autouse=True)
def noise_of_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the noise on the CPU, as it was for the goldens: from one seed, a GPU draws another."""
    randn = torch.randn
    on_cpu: dict[torch.Generator, torch.Generator] = {}

    def draw(size: torch.Size, *, generator: torch.Generator, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
        if generator not in on_cpu:
            on_cpu[generator] = torch.Generator().manual_seed(generator.initial_seed())
        return randn(size, generator=on_cpu[generator], dtype=dtype).to(device)

    monkeypatch.setattr(torch, "randn", draw)


def results(components: Components, spec: GenerationSpec) -> dict[str, torch.Tensor]:
    recorder = Recorder()
    generate(components, spec, recorder)
    return {name: recorder.kept[name].cpu() for name in RESULTS if name in recorder.kept}


def test_results_equal_the_reference(case: Case, components_on_gpu: dict[str, Components], relative_error) -> None:
    found = results(components_on_gpu[case.checkpoint], case.spec)

    errors = {name: relative_error(latent, case.golden[name]) for name, latent in found.items()}
    print(case.name, {name: f"{error:.1e}" for name, error in errors.items()})
    assert {"stage_1_video", "stage_1_audio", "waveform"} <= errors.keys()
    assert max(errors.values()) < TOLERANCE, errors


def test_loras_change_from_clip_to_clip(
    components: dict[str, Components], components_on_gpu: dict[str, Components], relative_error
) -> None:
    spec = load_case("t2v").spec
    first, second = load_case("lora-two").spec.loras

    for loras in ((first,), (second,), (first, second), (), (second,), (first,)):
        changed = replace(spec, loras=loras)
        found, expected = results(components_on_gpu["bf16"], changed), results(components["bf16"], changed)
        assert max(relative_error(found[name], expected[name]) for name in RESULTS) < TOLERANCE, loras


def test_previews_equal_those_of_the_cpu(
    components: dict[str, Components], components_on_gpu: dict[str, Components]
) -> None:
    spec = load_case("keyframes-first-last").spec
    channels = components["bf16"].transformer.config.in_channels
    weight = torch.linspace(-0.3, 0.3, channels * 3).reshape(channels, 3)

    expected = previews(components["bf16"], spec, weight)
    found = previews(components_on_gpu["bf16"], spec, weight)

    assert len(found) == len(expected) == 8 + 3
    for preview, exact in zip(found, expected, strict=True):
        assert np.abs(preview.astype(int) - exact).max() <= 1


def previews(components: Components, spec: GenerationSpec, weight: torch.Tensor) -> list[np.ndarray]:
    """Return what a preview shows after each step. All are waited for at the end, when later steps have run."""
    viewer = LatentRgb(weight, torch.zeros(3)).to(components.device)
    started: list[Finish] = []

    class Watching(Trace):
        def estimate(self, latent: torch.Tensor) -> None:
            started.append(start_preview(viewer, latent))

    generate(components, spec, Watching())
    return [finish() for finish in started]
