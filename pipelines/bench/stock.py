"""Diffusers' own transformer with the weights of ours, for comparisons."""

from dataclasses import asdict
from typing import Any

import torch

from pipelines.ltx.sampling import State
from pipelines.ltx.text import Context
from pipelines.ltx.transformer.config import FIXED
from pipelines.ltx.transformer.model import Transformer
from weights.names import TRANSFORMER_FROM_DIFFUSERS

DIFFUSERS_PARTS = {published: part for part, published in TRANSFORMER_FROM_DIFFUSERS.items()}


def diffusers_name(published: str) -> str:
    """Return diffusers' name of a tensor of the transformer."""
    return ".".join(DIFFUSERS_PARTS.get(part, part) for part in published.split("."))


def diffusers_transformer(transformer: Transformer) -> Any:
    """Build diffusers' module with the tensors of ours, which must be plain: no FP8 layers, nothing streamed."""
    from diffusers.models.transformers.transformer_ltx2 import LTX2VideoTransformer3DModel

    with torch.device("meta"):
        # The published configuration also names attention that can be perturbed, which the distilled flow never does.
        module = LTX2VideoTransformer3DModel(**asdict(transformer.config), **FIXED, perturbed_attn=True)
    state = {diffusers_name(name): tensor for name, tensor in transformer.state_dict().items()}
    module.load_state_dict(state, assign=True)
    return module.eval().requires_grad_(False)


def diffusers_inputs(
    transformer: Transformer, video: State, audio: State, context: Context, sigma: float
) -> dict[str, Any]:
    """Return the arguments with which diffusers' forward computes what `predict_velocity` does."""
    scale = transformer.config.timestep_scale_multiplier
    timestep = torch.full((1, 1), sigma, device=video.latent.device) * scale
    return {
        "hidden_states": video.latent.to(context.video.dtype),
        "audio_hidden_states": audio.latent.to(context.audio.dtype),
        "encoder_hidden_states": context.video,
        "audio_encoder_hidden_states": context.audio,
        "timestep": timestep * video.denoise_mask[..., 0],
        "audio_timestep": timestep,
        "sigma": timestep.flatten(),
        "audio_sigma": timestep.flatten(),
        "video_coords": video.coords,
        "audio_coords": audio.coords,
        "return_dict": False,
    }
