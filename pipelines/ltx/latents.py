"""Convert latents between packed tokens and grids, and between normalised and the VAE's own scale."""

from typing import TYPE_CHECKING

import torch

from pipelines.geometry import LatentGrid

if TYPE_CHECKING:
    from diffusers import AutoencoderKLLTX2Audio, AutoencoderKLLTX2Video

# The audio latent has 16 mel bins in each of its 8 channels.
AUDIO_MEL_BINS = 16


def pack_video(latent: torch.Tensor) -> torch.Tensor:
    """Rearrange (B, C, F, H, W) to (B, F * H * W, C)."""
    return latent.flatten(2).transpose(1, 2)


def unpack_video(tokens: torch.Tensor, grid: LatentGrid) -> torch.Tensor:
    """Rearrange (B, F * H * W, C) to (B, C, F, H, W)."""
    batch, _, channels = tokens.shape
    return tokens.transpose(1, 2).reshape(batch, channels, grid.frames, grid.height, grid.width)


def unpack_audio(tokens: torch.Tensor) -> torch.Tensor:
    """Rearrange (B, L, C * M) to (B, C, L, M)."""
    batch, length, _ = tokens.shape
    return tokens.reshape(batch, length, -1, AUDIO_MEL_BINS).transpose(1, 2)


def pack_audio(latent: torch.Tensor) -> torch.Tensor:
    """Rearrange (B, C, L, M) to (B, L, C * M)."""
    return latent.transpose(1, 2).flatten(2)


def normalize_video(latent: torch.Tensor, vae: "AutoencoderKLLTX2Video") -> torch.Tensor:
    mean, std = _channel_statistics(latent, vae)
    return (latent - mean) / std


def denormalize_video(latent: torch.Tensor, vae: "AutoencoderKLLTX2Video") -> torch.Tensor:
    mean, std = _channel_statistics(latent, vae)
    return latent * std + mean


def normalize_audio(tokens: torch.Tensor, vae: "AutoencoderKLLTX2Audio") -> torch.Tensor:
    """Undo `denormalize_audio`."""
    mean: torch.Tensor = vae.latents_mean.to(tokens)
    std: torch.Tensor = vae.latents_std.to(tokens)
    return (tokens - mean) / std


def denormalize_audio(tokens: torch.Tensor, vae: "AutoencoderKLLTX2Audio") -> torch.Tensor:
    """Undo the normalisation; the audio VAE's statistics apply to packed tokens."""
    mean: torch.Tensor = vae.latents_mean.to(tokens)
    std: torch.Tensor = vae.latents_std.to(tokens)
    return tokens * std + mean


def _channel_statistics(latent: torch.Tensor, vae: "AutoencoderKLLTX2Video") -> tuple[torch.Tensor, torch.Tensor]:
    shape = (1, -1, 1, 1, 1)
    return vae.latents_mean.to(latent).view(shape), vae.latents_std.to(latent).view(shape)
