"""Change the sample rate of a waveform as the model's training did: torchaudio's Hann-windowed sinc.

Any other resampler gives another latent: libswresample's is 5 % off, scipy's polyphase filter 1 %.
"""

import math

import torch

from pipelines.media.codecs import SAMPLE_RATE
from pipelines.media.sound import Waveform

LOWPASS_WIDTH = 6
ROLLOFF = 0.99


def fit_rate(waveform: Waveform, rates: tuple[int, ...]) -> Waveform:
    """Return a sound at its own rate if that is one of `rates`, else at 48 kHz."""
    if waveform.sample_rate in rates:
        return waveform
    samples = resample(torch.from_numpy(waveform.samples), waveform.sample_rate, SAMPLE_RATE)
    return Waveform(samples.numpy(), SAMPLE_RATE)


def resample(waveform: torch.Tensor, rate: int, new_rate: int) -> torch.Tensor:
    """Return (channels, n) at another rate, rounded up to whole samples."""
    if rate == new_rate:
        return waveform
    divisor = math.gcd(rate, new_rate)
    old, new = rate // divisor, new_rate // divisor
    kernel, width = sinc_kernel(old, new)
    padded = torch.nn.functional.pad(waveform, (width, width + old))
    blocks = torch.nn.functional.conv1d(padded[:, None], kernel.to(waveform.device), stride=old)
    length = math.ceil(new * waveform.shape[-1] / old)
    return blocks.transpose(1, 2).flatten(1)[:, :length]


def sinc_kernel(old: int, new: int) -> tuple[torch.Tensor, int]:
    """Return the kernel of each of the `new` samples in a block of `old`, (new, 1, taps), and how far it reaches back.

    In float32, in this order of operations: in quiet sounds the reference's rounding errors are heard by the logarithm.
    """
    cutoff = min(old, new) * ROLLOFF
    width = math.ceil(LOWPASS_WIDTH * old / cutoff)
    taps = torch.arange(-width, width + old, dtype=torch.float32)[None, None] / old
    places = torch.arange(0, -new, -1, dtype=torch.float32)[:, None, None] / new
    t = ((places + taps) * cutoff).clamp(-LOWPASS_WIDTH, LOWPASS_WIDTH)
    window = torch.cos(t * math.pi / LOWPASS_WIDTH / 2) ** 2
    angle = t * math.pi
    sinc = torch.where(angle == 0, 1.0, angle.sin() / angle)
    return sinc * (window * (cutoff / old)), width
