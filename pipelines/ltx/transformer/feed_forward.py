"""The feed-forward layer.

Source: Lightricks/LTX-2, ltx_core/model/transformer/feed_forward.py.
"""

import torch
from torch import nn
from torch.nn import functional as F

from pipelines.ltx.transformer.linear import Linear

# Kernels that index with 32 bits take no more. 3840x2176 has more from 129 frames on, or with 121 and a later keyframe.
MAX_VALUES = 2**31 - 1


class FeedForward(nn.Module):
    """Two linear layers, four times as wide between them."""

    def __init__(self, width: int, max_values: int = MAX_VALUES) -> None:
        super().__init__()
        self._max_values, self._between = max_values, 4 * width
        # Between them the reference has a dropout for training, `net.1`.
        self.net = nn.Sequential(GeluProjection(width, 4 * width), nn.Identity(), Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute (F, P, D), in parts if what lies between the layers has too many values."""
        frames = max(1, self._max_values // (x.shape[1] * self._between))
        if x.shape[0] <= frames:
            output: torch.Tensor = self.net(x)
            return output
        return torch.cat([self.net(part) for part in torch.split(x, frames)])


class GeluProjection(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.proj = Linear(inputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.gelu(self.proj(x), approximate="tanh")
