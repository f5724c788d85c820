"""Adaptive layer norm: shifts, scales and gates that depend on the noise level.

Source: Lightricks/LTX-2, ltx_core/model/transformer/adaln.py and timestep_embedding.py.
"""

from math import log

import torch
from torch import nn
from torch.nn import functional as F

from pipelines.ltx.transformer.linear import Linear

# The width of an embedded timestep before the first linear layer, and its longest period over 2 pi.
SINUSOIDS, MAX_PERIOD = 256, 10000


class TimestepEmbedding(nn.Module):
    """Two linear layers from the sinusoids of a timestep to the width of a stream."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear_1 = Linear(SINUSOIDS, width)
        self.linear_2 = Linear(width, width)

    def forward(self, sinusoids: torch.Tensor) -> torch.Tensor:
        embedded: torch.Tensor = self.linear_2(F.silu(self.linear_1(sinusoids)))
        return embedded


class AdaLayerNormSingle(nn.Module):
    """Rows of modulation that all blocks share: each block adds a table of its own to them."""

    def __init__(self, width: int, rows: int) -> None:
        super().__init__()
        self.emb = nn.ModuleDict({"timestep_embedder": TimestepEmbedding(width)})
        self.linear = Linear(width, rows * width)
        self._rows = (-1, rows, 1, width)

    def forward(self, sinusoids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Take (F, 256). Return the rows, (F, rows, 1, D), and the embedding that they come from, (F, 1, 1, D)."""
        embedded = self.emb["timestep_embedder"](sinusoids)
        return self.linear(F.silu(embedded)).view(self._rows), embedded[:, None, None]


def sinusoids(timesteps: torch.Tensor) -> torch.Tensor:
    """Return the cosines, then the sines, of (F,) timesteps at 128 frequencies: (F, 256)."""
    count = SINUSOIDS // 2
    exponents = -log(MAX_PERIOD) * torch.arange(count, dtype=torch.float32, device=timesteps.device) / count
    angles = timesteps.unsqueeze(-1) * exponents.exp()
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def modulation(table: torch.Tensor, rows: torch.Tensor, scales: slice) -> tuple[torch.Tensor, ...]:
    """Add a table, (rows, D), to shared rows, (F, rows, 1, D), and 1 to the `scales` among them.

    Return one (F, 1, D) for each row.
    """
    values = table.unsqueeze(1) + rows
    values[:, scales].add_(1)
    return values.unbind(1)
