"""Convert decoded pixels to uint8 frames, on the device that decoded them."""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional as F

# From RGB in 0 .. 255 to limited-range BT.709: luma in 16 .. 235, chroma in 16 .. 240.
RGB_TO_YUV = (
    (0.2126 * 219 / 255, 0.7152 * 219 / 255, 0.0722 * 219 / 255),
    (-0.2126 / 1.8556 * 224 / 255, -0.7152 / 1.8556 * 224 / 255, 0.5 * 224 / 255),
    (0.5 * 224 / 255, -0.7152 / 1.5748 * 224 / 255, -0.0722 / 1.5748 * 224 / 255),
)
BLACK_YUV = (16, 128, 128)

# Bicubic scaling to half the size, as the encoder's converter does it (swscale's default, a parameter of 0.6), with the
# chroma sample in the middle of its four pixels.
HALVING_TAPS = (-0.0140625, -0.0421875, 0.1203125, 0.4359375, 0.4359375, 0.1203125, -0.0421875, -0.0140625)

# swscale keeps values between its two passes in 15 bits, 7 of them behind the point.
BETWEEN_PASSES_MAX = 32767 / 128

Convert = Callable[[torch.Tensor], torch.Tensor]


def convert_for(device: torch.device) -> Convert:
    """Return the conversion for the encoder: to YUV on a GPU, which halves the bytes that leave it.

    On a CPU the encoder's own converter takes a fraction of the time.
    """
    return to_yuv420p if device.type == "cuda" else to_rgb


def to_rgb(chunk: torch.Tensor) -> torch.Tensor:
    """Convert (1, 3, n, H, W) in -1 .. 1 to (n, H, W, 3) uint8, rounded."""
    return _to_255(chunk).round_().to(torch.uint8).permute(1, 2, 3, 0).contiguous()


def to_yuv420p(chunk: torch.Tensor) -> torch.Tensor:
    """Convert (1, 3, n, H, W) in -1 .. 1 to (n, 3 H / 2, W) uint8: the luma's rows, then both chroma planes.

    NaN becomes black, as an integer's conversion makes it in RGB.
    """
    rgb = _to_255(chunk).nan_to_num_()
    matrix, black = rgb.new_tensor(RGB_TO_YUV), rgb.new_tensor(BLACK_YUV)
    yuv = torch.addmm(black[:, None], matrix, rgb.flatten(1)).view_as(rgb)
    del rgb
    luma, chroma = yuv[0], _halve(_halve(yuv[1:], -1).clamp_(max=BETWEEN_PASSES_MAX), -2)
    planes = (luma.flatten(1), chroma[0].flatten(1), chroma[1].flatten(1))
    frames = torch.cat([plane.round().clamp_(0, 255).to(torch.uint8) for plane in planes], dim=1)
    return frames.view(len(frames), -1, luma.shape[-1])


def is_black(frame: np.ndarray) -> bool:
    """Return whether no pixel of a frame, (H, W, 3) or (3 H / 2, W), is lighter than black."""
    if frame.ndim == 3:
        return not frame.any()
    return bool((frame[: 2 * len(frame) // 3] <= BLACK_YUV[0]).all())


def _to_255(chunk: torch.Tensor) -> torch.Tensor:
    # In place after the first: a chunk of a large clip is hundreds of megabytes.
    return chunk[0].float().mul(127.5).add_(127.5).clamp_(0, 255)


def _halve(planes: torch.Tensor, dim: int) -> torch.Tensor:
    """Scale (c, n, H, W) to half the size in one dimension, repeating the planes' edges."""
    size = [1, 1, 1, 1]
    size[dim] = len(HALVING_TAPS)
    stride = [1, 1]
    stride[dim] = 2
    margin = len(HALVING_TAPS) // 2 - 1
    padding = (margin, margin, 0, 0) if dim == -1 else (0, 0, margin, margin)
    padded = F.pad(planes.flatten(0, 1)[:, None], padding, mode="replicate")
    halved = F.conv2d(padded, planes.new_tensor(HALVING_TAPS).view(size), stride=stride)
    return halved.view(*planes.shape[:2], *halved.shape[-2:])
