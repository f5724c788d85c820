"""The state of a stage and the Euler loop.

Latents, masks and sigmas are float32 whatever the transformer's dtype: in bfloat16 the result was 13 % off after
stage 1. Notation: s is sigma; v the transformer's output; x0 the denoised latent.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch

from pipelines.geometry import LatentGrid
from pipelines.ltx.conditioning import Conditioning, keyframe_coords
from pipelines.ltx.guided import EncodedGuidance
from pipelines.ltx.prompt_keys import PromptKeys
from pipelines.ltx.text import Context
from pipelines.ltx.transformer.block import PromptKeysValues
from pipelines.ltx.transformer.guidance import Negative
from pipelines.ltx.transformer.model import Forward, Modality, RotaryTables, Transformer
from pipelines.ltx.transformer.rope import audio_coords, video_coords

OnStep = Callable[[torch.Tensor], None]


@dataclass(frozen=True)
class Kept:
    """The part of a stream that is given and stays.

    clean: (1, T, C), the latent where it is given. denoise_mask: (1, T, 1), 0 where it is given, 1 elsewhere.
    is_all: whether the whole stream is given: it is *frozen*, and only the other stream is denoised.
    """

    clean: torch.Tensor
    denoise_mask: torch.Tensor
    is_all: bool = False

    @classmethod
    def all(cls, clean: torch.Tensor) -> "Kept":
        """Freeze a stream at this latent, (1, T, C)."""
        return cls(clean, torch.zeros_like(clean[..., :1]), is_all=True)


@dataclass
class State:
    """One modality of one stage, packed: the tokens of the grid first, then those of appended keyframes.

    latent, clean: (1, T, C). denoise_mask: (1, T, 1), 1 where the latent is free, 1 - strength where an image
    conditions it, 0 where it is kept. coords: (1, axes, T, 2), [start, end) of each token in seconds and pixels.
    tokens_per_frame: how many tokens in a row share one value of the mask. is_frozen: whether nothing is denoised.
    """

    latent: torch.Tensor
    clean: torch.Tensor
    denoise_mask: torch.Tensor
    coords: torch.Tensor
    tokens_per_frame: int
    is_frozen: bool = False

    def noised(self, sigma: float, generator: torch.Generator, dtype: torch.dtype) -> "State":
        """Mix in noise of strength `sigma`, drawn in the model's dtype."""
        noise = torch.randn(self.latent.shape, generator=generator, device=self.latent.device, dtype=dtype).float()
        mixed = sigma * noise + (1 - sigma) * self.latent
        return replace(self, latent=self.denoise_mask * mixed + (1 - self.denoise_mask) * self.clean)

    def stepped(self, velocity: torch.Tensor, sigma: float, sigma_next: float) -> "State":
        """Take one Euler step."""
        return self.moved(self.estimate(velocity, sigma), sigma, sigma_next)

    def estimate(self, velocity: torch.Tensor, sigma: float) -> torch.Tensor:
        """Return x0, (1, T, C). A token's velocity is relative to its own sigma, s * mask."""
        x0 = self.latent - velocity.float() * (sigma * self.denoise_mask)
        return x0 * self.denoise_mask + self.clean * (1 - self.denoise_mask)

    def moved(self, x0: torch.Tensor, sigma: float, sigma_next: float) -> "State":
        """Move towards x0, as far as from one sigma to the next."""
        return replace(self, latent=self.latent + (self.latent - x0) / sigma * (sigma_next - sigma))

    def own_sigma(self, sigma: float) -> float:
        """Return the sigma that the transformer is told for this stream: 0 if it is frozen, whatever the other one's.

        So does the reference since August 2026. Before, it was the sigma of the step; the other stream differs by 15 to
        25 %.
        """
        return 0.0 if self.is_frozen else sigma

    def modality(self, own_sigma: torch.Tensor, context: torch.Tensor, negative: Negative | None) -> Modality:
        """Return what the transformer gets of it; `context` has the transformer's dtype."""
        frames = self.latent.reshape(-1, self.tokens_per_frame, self.latent.shape[-1])
        mask = self.denoise_mask[0, :: self.tokens_per_frame, 0]
        # A stride that depends on the size would be another graph for each size.
        return Modality(frames.to(context.dtype), mask.contiguous(), own_sigma, context, negative)


def prepare_video(
    grid: LatentGrid,
    fps: float,
    conditionings: Sequence[Conditioning],
    initial: torch.Tensor,
    kept: Kept | None = None,
) -> State:
    """Return the state before noise. `initial`: (1, T, C), zeros in stage 1, the upsampled latent in stage 2.

    An image at frame 0 replaces the first latent frame; any other is appended at its pixel frame.
    """
    coords = video_coords(grid, fps, initial.device)
    clean, mask = _clean_and_mask(initial, kept)
    appended = [c for c in conditionings if c.frame_idx != 0]
    for first in (c for c in conditionings if c.frame_idx == 0):
        clean[:, : grid.tokens_per_frame] = first.tokens
        mask[:, : grid.tokens_per_frame] = 1 - first.strength
    return State(
        latent=torch.cat([initial, *(torch.zeros_like(c.tokens) for c in appended)], dim=1),
        clean=torch.cat([clean, *(c.tokens for c in appended)], dim=1),
        denoise_mask=torch.cat([mask, *(torch.full_like(c.tokens[..., :1], 1 - c.strength) for c in appended)], dim=1),
        coords=torch.cat([coords, *(keyframe_coords(coords, grid, c.frame_idx, fps) for c in appended)], dim=2),
        tokens_per_frame=grid.tokens_per_frame,
        is_frozen=kept is not None and kept.is_all,
    )


def prepare_audio(initial: torch.Tensor, kept: Kept | None = None) -> State:
    """Return the state before noise. `initial`: (1, L, C), zeros in stage 1, stage 1's latent in stage 2."""
    coords = audio_coords(initial.shape[1], initial.device)
    is_frozen = kept is not None and kept.is_all
    # Each token has its own noise level, so that sound which is kept in part is no other computation.
    return State(initial, *_clean_and_mask(initial, kept), coords, tokens_per_frame=1, is_frozen=is_frozen)


def _clean_and_mask(initial: torch.Tensor, kept: Kept | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tensors that may be written to."""
    if kept is None:
        return torch.zeros_like(initial), torch.ones_like(initial[..., :1])
    return kept.clean.clone(), kept.denoise_mask.clone()


def denoise(
    transformer: Transformer,
    forward: Forward,
    video: State,
    audio: State,
    context: Context,
    sigmas: Sequence[float],
    on_step: OnStep,
    prompt_keys: PromptKeys,
    guidance: EncodedGuidance | None = None,
) -> tuple[State, State]:
    """Take Euler steps from the first sigma to the last, with one forward pass each.

    forward: the transformer's, or what computes the same faster. on_step: called after each with x0 of the video.
    """
    prompt_bytes = transformer.prompt_bytes(context.video.shape[1])
    source: tuple[Hashable, ...] = (context,)
    if guidance is not None:
        prompt_bytes *= 2
        source = (context, guidance.context, guidance.has_audio)
    rotary = transformer.rotary_tables(video.coords, audio.coords)
    for sigma, sigma_next in pairwise(sigmas):
        at = video.own_sigma(sigma), audio.own_sigma(sigma)
        video_velocity, audio_velocity = predict_velocity(
            forward, video, audio, rotary, context, sigma, prompt_keys.at(source, at, prompt_bytes), guidance
        )
        x0 = video.estimate(video_velocity, sigma)
        video = video.moved(x0, sigma, sigma_next)
        audio = audio.stepped(audio_velocity, sigma, sigma_next)
        on_step(x0)
        del x0
    return video, audio


def predict_velocity(
    forward: Forward,
    video: State,
    audio: State,
    rotary: RotaryTables,
    context: Context,
    sigma: float,
    prompt: list[PromptKeysValues] | None = None,
    guidance: EncodedGuidance | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run one forward pass. Returns (1, T, C) and (1, L, C) in the transformer's dtype.

    prompt: as in `Transformer.forward`.
    """
    velocities = forward(*modalities(video, audio, context, sigma, guidance), rotary, prompt)
    video_velocity, audio_velocity = (velocity.flatten(0, 1).unsqueeze(0) for velocity in velocities)
    return video_velocity, audio_velocity


def modalities(
    video: State, audio: State, context: Context, sigma: float, guidance: EncodedGuidance | None = None
) -> tuple[Modality, Modality]:
    """Return what the transformer gets of both streams at a step."""
    sigmas = video.own_sigma(sigma), audio.own_sigma(sigma)
    at = {own: torch.full((1,), own, device=video.latent.device) for own in set(sigmas)}
    negatives = (guidance.video, guidance.audio) if guidance is not None else (None, None)
    return (
        video.modality(at[sigmas[0]], context.video, negatives[0]),
        audio.modality(at[sigmas[1]], context.audio, negatives[1]),
    )
