"""Fit the map from a VAE's latents to RGB, by least squares on drawn clips.

Each latent pixel stands for 8 frames of 32 x 32 pixels, the first frame's for one: the map is fitted to their means.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from pipelines.geometry import SPATIAL_COMPRESSION, TEMPORAL_COMPRESSION
from pipelines.ltx.latent_rgb import LatentRgb
from pipelines.ltx.latents import normalize_video
from pipelines.ltx.preview_clips import drawn_clip

if TYPE_CHECKING:
    from diffusers import AutoencoderKLLTX2Video

CLIPS = 16
# Part of the mean square of a channel: keeps channels that the clips do not move from getting large weights.
RIDGE = 1e-3


class PreviewFit:
    """The sums of a least squares fit, in float64 on the host."""

    def __init__(self, channels: int) -> None:
        self._squares = torch.zeros(channels + 1, channels + 1, dtype=torch.float64)
        self._products = torch.zeros(channels + 1, 3, dtype=torch.float64)

    def add(self, latent: torch.Tensor, pixels: torch.Tensor) -> None:
        """Add a clip: its normalised latent (1, C, F, h, w) and its pixels (1, 3, 8F - 7, H, W) in -1 .. 1."""
        rows = latent[0].flatten(1).T.double().cpu()
        rows = torch.cat([rows, torch.ones(len(rows), 1, dtype=torch.float64)], dim=1)
        self._squares += rows.T @ rows
        self._products += rows.T @ block_means(pixels)[0].flatten(1).T.double().cpu()

    def solve(self) -> LatentRgb:
        ridge = RIDGE * self._squares.diagonal().clone()
        ridge[-1] = 0  # the bias
        solution = torch.linalg.solve(self._squares + ridge.clamp(min=0).diag(), self._products).float()
        return LatentRgb(solution[:-1].contiguous(), solution[-1].contiguous())


def block_means(pixels: torch.Tensor) -> torch.Tensor:
    """Average (1, 3, 8F - 7, H, W) over what each latent pixel stands for: (1, 3, F, H / 32, W / 32)."""
    first, rest = pixels[:, :, :1], pixels[:, :, 1:]
    side = SPATIAL_COMPRESSION
    return torch.cat(
        [F.avg_pool3d(first, (1, side, side)), F.avg_pool3d(rest, (TEMPORAL_COMPRESSION, side, side))], dim=2
    )


def fit_preview(vae: "AutoencoderKLLTX2Video", clips: int = CLIPS) -> Iterator[LatentRgb | None]:
    """Fit the map, one clip at each step: yield None after each, and the map at the end."""
    fit = PreviewFit(vae.latents_mean.numel())
    for seed in range(clips):
        _add_clip(fit, vae, seed)
        yield None
    yield fit.solve()


@torch.inference_mode()
def _add_clip(fit: PreviewFit, vae: "AutoencoderKLLTX2Video", seed: int) -> None:
    pixels = torch.from_numpy(drawn_clip(seed)).movedim(-1, 0).unsqueeze(0)
    latent = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode()
    fit.add(normalize_video(latent.float(), vae), pixels)
