"""Diffusers' own transformer with the weights of ours, for comparisons."""

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import repeat
from typing import Any

import torch

from pipelines.bench.step import Step
from pipelines.bench.timing import busy_seconds
from pipelines.errors import OutOfMemory
from pipelines.ltx.sampling import State
from pipelines.ltx.text import Context
from pipelines.ltx.transformer.config import FIXED
from pipelines.ltx.transformer.model import Transformer
from weights.names import TRANSFORMER_FROM_DIFFUSERS

DIFFUSERS_PARTS = {published: part for part, published in TRANSFORMER_FROM_DIFFUSERS.items()}

PAIRS = 5


@dataclass(frozen=True)
class Comparison:
    """One denoising step, ours and diffusers': medians of the pairs in seconds of the device, and of their ratios."""

    ours_s: float
    diffusers_s: float
    ratio: float


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


@torch.inference_mode()
def compare_with_diffusers(step: Step) -> Comparison:
    """Run one step with each in turn, in pairs. Raises OutOfMemory."""
    module = diffusers_transformer(step.transformer)
    inputs = diffusers_inputs(step.transformer, step.video, step.audio, step.context, step.sigma)
    device = step.video.latent.device
    try:
        pairs = run_pairs(step.velocity, lambda: module(**inputs), device)
    except (torch.OutOfMemoryError, MemoryError) as exc:
        raise OutOfMemory("the device ran out of memory in the comparison with diffusers") from exc
    ours, theirs = zip(*pairs, strict=True)
    ratio = statistics.median(mine / other for mine, other in pairs)
    return Comparison(statistics.median(ours), statistics.median(theirs), ratio)


def run_pairs(
    ours: Callable[[], object], theirs: Callable[[], object], device: torch.device
) -> list[tuple[float, float]]:
    """Return the seconds of both in each pair, after one of each that is not counted."""
    ours(), theirs()
    return [(busy_seconds(ours, device), busy_seconds(theirs, device)) for _ in repeat(None, PAIRS)]
