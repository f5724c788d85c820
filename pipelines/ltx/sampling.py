"""The state of a stage and the Euler loop.

Latents, masks and sigmas are float32 whatever the transformer's dtype: in bfloat16 the result was 13 % off after
stage 1. Notation: s is sigma; v the transformer's output; x0 the denoised latent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from pipelines.geometry import LatentGrid
from pipelines.ltx.conditioning import Conditioning, keyframe_coords
from pipelines.ltx.modulation import modulated
from pipelines.ltx.text import Context

if TYPE_CHECKING:
    from diffusers import LTX2VideoTransformer3DModel

OnStep = Callable[[], None]


@dataclass(frozen=True)
class MaskLevels:
    """The distinct values of a denoise mask, (U,), and the index of each token's value, (T,)."""

    values: torch.Tensor
    levels: torch.Tensor


@dataclass
class State:
    """One modality of one stage, packed: the tokens of the grid first, then those of appended keyframes.

    latent, clean: (1, T, C). denoise_mask: (1, T, 1), 1 where the latent is free, 1 - strength where an image
    conditions it. coords: (1, axes, T, 2), [start, end) of each token in seconds and pixels.
    """

    latent: torch.Tensor
    clean: torch.Tensor
    denoise_mask: torch.Tensor
    coords: torch.Tensor

    def noised(self, sigma: float, generator: torch.Generator, dtype: torch.dtype) -> "State":
        """Mix in noise of strength `sigma`, drawn in the model's dtype."""
        noise = torch.randn(self.latent.shape, generator=generator, device=self.latent.device, dtype=dtype).float()
        mixed = sigma * noise + (1 - sigma) * self.latent
        latent = self.denoise_mask * mixed + (1 - self.denoise_mask) * self.clean
        return State(latent, self.clean, self.denoise_mask, self.coords)

    def stepped(self, velocity: torch.Tensor, sigma: float, sigma_next: float) -> "State":
        """Take one Euler step. A token's velocity is relative to its own sigma, s * mask."""
        x0 = self.latent - velocity.float() * (sigma * self.denoise_mask)
        x0 = x0 * self.denoise_mask + self.clean * (1 - self.denoise_mask)
        latent = self.latent + (self.latent - x0) / sigma * (sigma_next - sigma)
        return State(latent, self.clean, self.denoise_mask, self.coords)

    def mask_levels(self) -> MaskLevels:
        return MaskLevels(*torch.unique(self.denoise_mask.flatten(), return_inverse=True))


def prepare_video(
    transformer: "LTX2VideoTransformer3DModel",
    grid: LatentGrid,
    fps: float,
    conditionings: Sequence[Conditioning],
    initial: torch.Tensor,
) -> State:
    """Return the state before noise. `initial`: (1, T, C), zeros in stage 1, the upsampled latent in stage 2.

    An image at frame 0 replaces the first latent frame; any other is appended at its pixel frame.
    """
    device = initial.device
    coords = transformer.rope.prepare_video_coords(1, grid.frames, grid.height, grid.width, device, fps=fps)
    clean = torch.zeros_like(initial)
    mask = torch.ones_like(initial[..., :1])
    appended = [c for c in conditionings if c.frame_idx != 0]
    for first in (c for c in conditionings if c.frame_idx == 0):
        clean[:, : grid.tokens_per_frame] = first.tokens
        mask[:, : grid.tokens_per_frame] = 1 - first.strength
    return State(
        latent=torch.cat([initial, *(torch.zeros_like(c.tokens) for c in appended)], dim=1),
        clean=torch.cat([clean, *(c.tokens for c in appended)], dim=1),
        denoise_mask=torch.cat([mask, *(torch.full_like(c.tokens[..., :1], 1 - c.strength) for c in appended)], dim=1),
        coords=torch.cat([coords, *(keyframe_coords(coords, grid, c.frame_idx, fps) for c in appended)], dim=2),
    )


def prepare_audio(transformer: "LTX2VideoTransformer3DModel", initial: torch.Tensor) -> State:
    """Return the state before noise. `initial`: (1, L, C), zeros in stage 1, stage 1's latent in stage 2."""
    coords = transformer.audio_rope.prepare_audio_coords(1, initial.shape[1], initial.device)
    return State(initial, torch.zeros_like(initial), torch.ones_like(initial[..., :1]), coords)


def denoise(
    transformer: "LTX2VideoTransformer3DModel",
    video: State,
    audio: State,
    context: Context,
    sigmas: Sequence[float],
    on_step: OnStep,
) -> tuple[State, State]:
    """Take Euler steps from the first sigma to the last, with one forward pass each."""
    mask = video.mask_levels()
    for sigma, sigma_next in pairwise(sigmas):
        video_velocity, audio_velocity = predict_velocity(transformer, video, audio, mask, context, sigma)
        video = video.stepped(video_velocity, sigma, sigma_next)
        audio = audio.stepped(audio_velocity, sigma, sigma_next)
        on_step()
    return video, audio


def predict_velocity(
    transformer: "LTX2VideoTransformer3DModel",
    video: State,
    audio: State,
    mask: MaskLevels,
    context: Context,
    sigma: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run one forward pass. `mask` is the video's. Returns (1, T, C) and (1, L, C) in the transformer's dtype."""
    timestep = torch.full((1, 1), sigma, device=video.latent.device) * transformer.config.timestep_scale_multiplier
    with modulated(transformer, timestep.flatten(), mask.levels if len(mask.values) > 1 else None):
        output: tuple[torch.Tensor, torch.Tensor] = transformer(
            hidden_states=video.latent.to(transformer.dtype),
            audio_hidden_states=audio.latent.to(transformer.dtype),
            encoder_hidden_states=context.video,
            audio_encoder_hidden_states=context.audio,
            timestep=timestep * mask.values,
            audio_timestep=timestep,
            sigma=timestep.flatten(),
            audio_sigma=timestep.flatten(),
            video_coords=video.coords,
            audio_coords=audio.coords,
            return_dict=False,
        )
    return output
