"""Normalised attention guidance (NAG): lead what attention finds in the prompt away from a negative prompt.

Source: arXiv 2505.21179. A model that is distilled to run without guidance can be guided so: within its attention,
with one forward pass.
"""

from typing import NamedTuple

import torch

# Where attention finds nothing, there is nothing to guide.
SMALLEST_NORM = 1e-7


class Negative(NamedTuple):
    """A context that guidance leads a stream away from, and how firmly.

    context: (1, S, D), the encoded negative prompt. strengths: (3,) float32, the scale, alpha and tau of `guide`.
    """

    context: torch.Tensor
    strengths: torch.Tensor


def guide(found: torch.Tensor, avoided: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Return what attention found in the prompt, led away from what it found in the negative prompt: (T, H, d).

    From `avoided` it goes through `found` and as far beyond as `scale` says. There each token's size, summed over all
    heads, is limited to `tau` times what it was; `alpha` is the share of the result, the rest is what was found.
    """
    scale, alpha, tau = strengths
    guided = torch.lerp(avoided, found, scale.to(found.dtype))
    allowed = tau * _size(found) / _size(guided).clamp(min=SMALLEST_NORM)
    guided.mul_(allowed.clamp(max=1).to(found.dtype))
    return torch.lerp(found, guided, alpha.to(found.dtype))


def _size(heads: torch.Tensor) -> torch.Tensor:
    size: torch.Tensor = torch.linalg.vector_norm(heads, ord=1, dim=(-2, -1), keepdim=True, dtype=torch.float32)
    return size
