"""Rotary position embedding: where each token lies, and the angles by which attention turns its query and key.

Source: Lightricks/LTX-2, ltx_core/model/transformer/rope.py, `split` with frequencies in float64; positions as in
ltx_core/components/patchifiers.py.
"""

from collections.abc import Sequence
from math import pi
from typing import NamedTuple

import torch
from torch.nn import functional as F

from pipelines.geometry import SPATIAL_COMPRESSION, TEMPORAL_COMPRESSION, LatentGrid

# The audio VAE: 16 kHz samples, 160 to a mel frame, 4 mel frames to a latent.
SAMPLE_RATE, SAMPLES_PER_MEL_FRAME, MEL_FRAMES_PER_LATENT = 16000, 160, 4


class RotaryTable(NamedTuple):
    """The cosine and sine of each token's angles, float32: (T, H, d / 2) for heads of width d."""

    cos: torch.Tensor
    sin: torch.Tensor


def video_coords(grid: LatentGrid, fps: float, device: torch.device) -> torch.Tensor:
    """Return [start, end) of each latent in seconds, pixel rows and pixel columns: (1, 3, T, 2).

    The first latent frame stands for one pixel frame, each other one for eight.
    """
    counts = (grid.frames, grid.height, grid.width)
    steps = (TEMPORAL_COMPRESSION, SPATIAL_COMPRESSION, SPATIAL_COMPRESSION)
    time, rows, columns = (
        torch.arange(count + 1, dtype=torch.float32, device=device) * step
        for count, step in zip(counts, steps, strict=True)
    )
    time = (time + 1 - TEMPORAL_COMPRESSION).clamp(min=0) / fps
    edges = (time, rows, columns)
    starts = torch.meshgrid(*(edge[:-1] for edge in edges), indexing="ij")
    ends = torch.meshgrid(*(edge[1:] for edge in edges), indexing="ij")
    return torch.stack([torch.stack(starts), torch.stack(ends)], dim=-1).flatten(1, 3).unsqueeze(0)


def audio_coords(length: int, device: torch.device) -> torch.Tensor:
    """Return [start, end) of each audio latent in seconds: (1, 1, L, 2)."""
    edges = torch.arange(length + 1, dtype=torch.float32, device=device) * MEL_FRAMES_PER_LATENT
    edges = (edges + 1 - MEL_FRAMES_PER_LATENT).clamp(min=0) * SAMPLES_PER_MEL_FRAME / SAMPLE_RATE
    return torch.stack([edges[:-1], edges[1:]], dim=-1).view(1, 1, length, 2)


def rotary_table(
    coords: torch.Tensor, max_positions: Sequence[float], width: int, heads: int, theta: float
) -> RotaryTable:
    """Return the angles of every token.

    coords: (1, axes, T, 2); a token lies in the middle of its bounds. max_positions: per axis, the position that is
    taken for 1. width: of all heads together. The frequencies are spread over the heads, and each serves every axis;
    what remains of the width is not turned.
    """
    middle = coords[0].mean(dim=-1)  # (axes, T)
    axes = len(max_positions)
    scale = torch.tensor(max_positions, dtype=torch.float32, device=coords.device)
    exponents = torch.linspace(0, 1, width // (2 * axes), dtype=torch.float64, device=coords.device)
    frequencies = (theta**exponents * (pi / 2)).float()
    fractions = middle.T / scale * 2 - 1  # (T, axes), in -1 .. 1
    angles = (fractions.unsqueeze(1) * frequencies.unsqueeze(1)).flatten(1)  # (T, frequencies * axes)
    angles = F.pad(angles, (width // 2 - angles.shape[1], 0)).view(len(angles), heads, -1)
    return RotaryTable(angles.cos(), angles.sin())


def rotate(x: torch.Tensor, table: RotaryTable) -> torch.Tensor:
    """Turn (T, H, d) in the planes (i, i + d / 2), computed in float32."""
    halves = x.view(*x.shape[:-1], 2, -1)
    turned = halves * table.cos.unsqueeze(-2)
    if torch.compiler.is_compiling():  # Inductor makes one kernel of this and of the norm before it.
        first = torch.addcmul(turned[..., 0, :], halves[..., 1, :], table.sin, value=-1)
        second = torch.addcmul(turned[..., 1, :], halves[..., 0, :], table.sin)
        turned = torch.stack([first, second], dim=-2)
    else:
        turned[..., 0, :].addcmul_(halves[..., 1, :], table.sin, value=-1)
        turned[..., 1, :].addcmul_(halves[..., 0, :], table.sin)
    return turned.flatten(-2).to(x.dtype)
