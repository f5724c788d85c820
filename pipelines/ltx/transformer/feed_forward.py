"""The feed-forward layer.

Source: Lightricks/LTX-2, ltx_core/model/transformer/feed_forward.py.
"""

import torch
from torch import nn
from torch.nn import functional as F


class FeedForward(nn.Module):
    """Two linear layers, four times as wide between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # Between them the reference has a dropout for training, `net.1`.
        self.net = nn.Sequential(GeluProjection(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.net(x)
        return output


class GeluProjection(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.proj = nn.Linear(inputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.gelu(self.proj(x), approximate="tanh")
