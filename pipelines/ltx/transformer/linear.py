"""A linear layer that LoRAs may change."""

import torch
from torch import nn
from torch.nn import functional as F

from pipelines.ltx.low_rank import LowRank, add_low_rank


class Linear(nn.Linear):
    """low_rank: what LoRAs add to its output, or None."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        self.low_rank: LowRank | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return add_low_rank(F.linear(x, self.weight, self.bias), x, self.low_rank)
