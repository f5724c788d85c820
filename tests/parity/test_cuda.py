"""The results on a GPU equal those of the reference implementation; skipped without a GPU."""

from typing import Any

import pytest
import torch

from pipelines.ltx.components import Components
from pipelines.ltx.pipeline import generate
from tests.parity.conftest import CASES, SOUND_CASES, Case, load_case, load_sound_case
from tests.parity.test_parity import RESULTS, TOLERANCE, Recorder

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture(params=[*CASES, *SOUND_CASES])
def case(request: pytest.FixtureRequest) -> Case:
    return load_sound_case(request.param) if request.param in SOUND_CASES else load_case(request.param)


@pytest.fixture
def noise_of_the_cpu(case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the noise on the CPU, as it was for the goldens: from one seed, a GPU draws another."""
    randn, generator = torch.randn, torch.Generator().manual_seed(case.spec.seed)

    def draw(size: torch.Size, *, device: torch.device, dtype: torch.dtype, **others: Any) -> torch.Tensor:
        return randn(size, generator=generator, dtype=dtype).to(device)

    monkeypatch.setattr(torch, "randn", draw)


def test_results_equal_the_reference(
    case, components_on_gpu: dict[str, Components], noise_of_the_cpu, relative_error
) -> None:
    recorder = Recorder()
    generate(components_on_gpu[case.checkpoint], case.spec, recorder)

    errors = {name: relative_error(recorder.kept[name].cpu(), case.golden[name]) for name in RESULTS}
    print(case.name, {name: f"{error:.1e}" for name, error in errors.items()})
    assert max(errors.values()) < TOLERANCE, errors
