"""The arithmetic of normalised attention guidance, and its bounds."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.direction import Guidance
from pipelines.errors import SpecError
from pipelines.ltx.transformer.guidance import guide
from pipelines.spec import GenerationSpec


def guide_token(found: np.ndarray, avoided: np.ndarray, scale: float, alpha: float, tau: float) -> np.ndarray:
    """Compute one token as the paper writes it."""
    guided = scale * found - (scale - 1) * avoided
    ratio = np.abs(guided).sum() / np.abs(found).sum()
    if ratio > tau:
        guided = guided * tau / ratio
    return alpha * guided + (1 - alpha) * found


@pytest.mark.parametrize("tau", [1.1, 2.5, 10.0])
def test_equals_the_formula_of_the_paper_token_by_token(tau: float) -> None:
    generator = torch.Generator().manual_seed(1)
    found, avoided = (torch.randn(7, 3, 4, generator=generator) for _ in range(2))

    guided = guide(found, avoided, torch.tensor([5.0, 0.25, tau]))

    for token, one, other in zip(guided, found.double(), avoided.double(), strict=True):
        expected = guide_token(one.numpy(), other.numpy(), 5.0, 0.25, tau)
        np.testing.assert_allclose(token.numpy(), expected, rtol=2e-5, atol=1e-6)


def test_a_token_that_finds_nothing_stays_finite() -> None:
    nothing = torch.zeros(2, 3, 4)

    assert torch.equal(guide(nothing, nothing, torch.tensor([5.0, 0.25, 2.5])), nothing)
    assert torch.equal(guide(nothing, torch.ones(2, 3, 4), torch.tensor([5.0, 0.25, 2.5])), nothing)


def test_rounds_to_the_dtype_of_the_stream() -> None:
    generator = torch.Generator().manual_seed(1)
    found, avoided = (torch.randn(7, 3, 4, generator=generator) for _ in range(2))
    strengths = torch.tensor([5.0, 0.25, 2.5])

    rounded = guide(found.bfloat16(), avoided.bfloat16(), strengths)

    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), guide(found, avoided, strengths), rtol=0.05, atol=0.05)


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("nag_scale", {"scale": -1.0}),
        ("nag_scale", {"scale": 20.5}),
        ("nag_scale", {"scale": float("nan")}),
        ("nag_alpha", {"alpha": -0.1}),
        ("nag_alpha", {"alpha": 1.1}),
        ("nag_tau", {"tau": 0.0}),
        ("nag_tau", {"tau": 11.0}),
    ],
)
def test_a_number_out_of_bounds_is_named(field: str, fields: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as caught:
        Guidance("noise", **fields)
    assert caught.value.field == field


def test_has_no_effect_at_scale_1_or_without_a_negative_prompt(spec: Callable[..., GenerationSpec]) -> None:
    assert Guidance("noise").has_effect
    for neutral in (Guidance("noise", scale=1), Guidance(" \n"), Guidance("noise", alpha=0)):
        assert spec(guidance=neutral).effective_guidance is None
