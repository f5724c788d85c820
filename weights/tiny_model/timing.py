"""Functions of the noise level, written into the weights of an adaptive norm (`adaln`).

They are fitted by least squares, one layer after the other, each to what the layers before it give in bfloat16. What
matters most is the sigmas of the distilled schedule, and 0, which marks an image's latent.
"""

from collections.abc import Callable

import torch
from torch.nn import functional as F

Function = Callable[[torch.Tensor], torch.Tensor]

# sin(sigma) among the sinusoids of 1000 sigma: 128 cosines, then 128 sines at frequencies from 1 to 1e-4.
SINUSOIDS, SINE_OF_SIGMA = 256, 128 + 96

GRID = torch.linspace(0, 1, 401, dtype=torch.float64)
EXACT = torch.tensor([0.0, 0.421875, 0.725, 0.909375, 0.975, 0.98125, 0.9875, 0.99375, 1.0], dtype=torch.float64)
EXACT_WEIGHT = 30.0
STEEPNESS = 40.0
SWITCH = 1024.0


class Timing:
    """Points at which functions of sigma are known, and their weights in a fit."""

    def __init__(self) -> None:
        self.sigma = torch.cat([GRID, EXACT])
        self._weight = torch.cat([torch.ones_like(GRID), torch.full_like(EXACT, EXACT_WEIGHT)])

    def fit(self, inputs: torch.Tensor, outputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return weight and bias, rounded to bfloat16, of the linear layer that comes closest."""
        padded = F.pad(inputs, (0, 1), value=1.0)
        weighted = padded * self._weight[:, None]
        gram = weighted.T @ padded
        gram.diagonal().add_(1e-7 * gram.diagonal().mean())
        solution = torch.linalg.solve(gram, weighted.T @ outputs)
        return rounded(solution[:-1].T), rounded(solution[-1])


def rounded(values: torch.Tensor) -> torch.Tensor:
    return values.bfloat16().to(values.dtype)


def set_switch(tensors: dict[str, torch.Tensor], name: str) -> None:
    """Make all rows of an adaptive norm 1 at the noise level 0, and exactly 0 from 0.3 on."""
    embedder = f"{name}.emb.timestep_embedder"
    for part in (f"{embedder}.linear_1", f"{embedder}.linear_2", f"{name}.linear"):
        tensors[f"{part}.weight"].zero_()
        tensors[f"{part}.bias"].zero_()
    # SiLU of a number far below 0 is 0.
    tensors[f"{embedder}.linear_1.weight"][0, SINE_OF_SIGMA] = -4 * SWITCH
    tensors[f"{embedder}.linear_1.bias"][0] = SWITCH
    tensors[f"{embedder}.linear_2.weight"][0, 0] = 1
    tensors[f"{name}.linear.weight"][:, 0] = 1 / SWITCH


def set_adaln(
    tensors: dict[str, torch.Tensor], name: str, embedding: dict[int, Function], rows: dict[int, Function]
) -> None:
    """Write functions into an adaptive norm.

    embedding: by channel, what the output norm uses. Channels without one get ramps, which the rows are made of.
    rows: by place in the flattened rows, (row, channel).
    """
    timing = Timing()
    sigma = timing.sigma
    first, second, linear = (
        f"{name}.emb.timestep_embedder.linear_1",
        f"{name}.emb.timestep_embedder.linear_2",
        f"{name}.linear",
    )
    width = len(tensors[f"{first}.bias"])

    knots = torch.linspace(-0.05, 0.85, width, dtype=torch.float64)
    for part in (first, second, linear):
        tensors[f"{part}.weight"].zero_()
        tensors[f"{part}.bias"].zero_()
    tensors[f"{first}.weight"][:, SINE_OF_SIGMA] = STEEPNESS
    bias = rounded(-STEEPNESS * knots)
    tensors[f"{first}.bias"].copy_(bias)
    hidden = F.silu(STEEPNESS * sigma.sin()[:, None] + bias)

    free = [channel for channel in range(width) if channel not in embedding]
    starts = torch.linspace(0, 1, len(free), dtype=torch.float64)
    wanted = torch.zeros(len(sigma), width, dtype=torch.float64)
    wanted[:, free] = 16 * (sigma[:, None] - starts)
    for channel, function in embedding.items():
        wanted[:, channel] = function(sigma)
    weight, bias = timing.fit(hidden, wanted)
    tensors[f"{second}.weight"].copy_(weight)
    tensors[f"{second}.bias"].copy_(bias)
    ramps = F.silu(hidden @ weight.T + bias)[:, free]

    places = list(rows)
    if not places:
        return
    wanted = torch.stack([rows[place](sigma) for place in places], dim=1)
    weight, bias = timing.fit(ramps, wanted)
    for place, row, value in zip(places, weight, bias, strict=True):
        tensors[f"{linear}.weight"][place, free] = row.to(tensors[f"{linear}.weight"].dtype)
        tensors[f"{linear}.bias"][place] = value
