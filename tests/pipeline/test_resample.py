import math

import pytest
import torch

from pipelines.ltx.resample import resample
from pipelines.media.sound_limits import SAMPLE_RATES


@pytest.mark.parametrize("rate", SAMPLE_RATES)
def test_a_tone_stays_itself_at_another_rate(rate: int) -> None:
    def tone(rate: int) -> torch.Tensor:
        return torch.sin(2 * math.pi * 440 * torch.arange(rate // 4) / rate).repeat(2, 1)

    found = resample(tone(rate), rate, 16_000)

    assert found.shape == (2, 4_000)
    assert (found - tone(16_000))[:, 100:-100].abs().max() < 2e-3


def test_lengths_are_rounded_up() -> None:
    assert resample(torch.zeros(2, 100), 44_100, 16_000).shape == (2, 37)


def test_the_same_rate_changes_nothing() -> None:
    samples = torch.rand(2, 50)

    assert torch.equal(resample(samples, 16_000, 16_000), samples)
