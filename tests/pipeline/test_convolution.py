"""Frames stacked for a CPU give the values of a convolution in 3D, in any memory format."""

from itertools import product

import pytest
import torch

from pipelines.ltx.convolution import Subpixels, convolve_joined, convolve_stacked

FORMATS = [torch.contiguous_format, torch.channels_last_3d]


@pytest.mark.parametrize("subpixels", [None, Subpixels(2, 3, 5), Subpixels(1, 3, 5, columns_first=True)])
@torch.inference_mode()
def test_stacked_and_joined_frames_give_the_same_values(subpixels: Subpixels | None) -> None:
    torch.manual_seed(0)
    conv = torch.nn.Conv3d(4, 60, 3, padding=(0, 1, 1))
    frames = torch.randn(1, 4, 5, 6, 7)
    expected = rearranged(torch.nn.functional.conv3d(frames, conv.weight, conv.bias, padding=(0, 1, 1)), subpixels)

    for convolve, memory_format in product([convolve_stacked, convolve_joined], FORMATS):
        window = list(frames.contiguous(memory_format=memory_format).split([1, 3, 1], dim=2))
        convolved = convolve(conv, window, subpixels)

        assert window == []
        torch.testing.assert_close(convolved, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("memory_format", FORMATS)
@torch.inference_mode()
def test_subpixels_keep_the_memory_format(memory_format: torch.memory_format) -> None:
    conv = torch.nn.Conv3d(4, 60, 3, padding=(0, 1, 1))
    conv.weight.data = conv.weight.contiguous(memory_format=memory_format)
    window = [torch.randn(1, 4, 5, 6, 7).contiguous(memory_format=memory_format)]

    assert convolve_joined(conv, window, Subpixels(2, 3, 5)).is_contiguous(memory_format=memory_format)


def rearranged(hidden: torch.Tensor, subpixels: Subpixels | None) -> torch.Tensor:
    """Move each channel to its place, one by one."""
    if subpixels is None:
        return hidden
    t, h, w = subpixels[:3]
    batch, channels, frames, height, width = hidden.shape
    moved = hidden.new_empty(batch, channels // (t * h * w), frames * t, height * h, width * w)
    for c, (i, j, k) in product(range(moved.shape[1]), product(range(t), range(h), range(w))):
        place = k * h + j if subpixels.columns_first else j * w + k
        moved[:, c, i::t, j::h, k::w] = hidden[:, c * t * h * w + i * h * w + place]
    return moved
