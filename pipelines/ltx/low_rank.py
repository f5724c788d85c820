"""Add LoRAs to a linear layer: as a low-rank branch beside its weight, which stays as it is.

Merged into FP8 weights, weak LoRAs would be lost in rounding; and a branch can be exchanged between two clips.
"""

from typing import NamedTuple

import torch
from torch.nn import functional as F


class LowRank(NamedTuple):
    """The matrices of a branch: down (rank, in) and up (out, rank), which includes every scale."""

    down: torch.Tensor
    up: torch.Tensor


def add_low_rank(output: torch.Tensor, x: torch.Tensor, branch: LowRank | None) -> torch.Tensor:
    """Add the branch's part of a layer to its output, which belongs to the caller. x: (..., in). output: (..., out)."""
    if branch is None:
        return output
    inner = F.linear(x, branch.down)
    if torch.compiler.is_compiling():  # Inductor makes one kernel of this sum and of what follows.
        return output + F.linear(inner, branch.up)
    # In place: a second tensor of the output's size would be the largest of a step.
    rows = output.view(-1, output.shape[-1])
    torch.addmm(rows, inner.view(-1, inner.shape[-1]), branch.up.t(), out=rows)
    return output
