"""The video VAE: trained on still pictures by `training.vae`, with kernels over time put around its plain ones.

The encoder takes each frame for itself. The decoder fades from one latent frame to the next.
"""

from typing import NamedTuple

import torch

from weights.tiny_config import DECODER_STRIDES, TRAINED

KERNEL = 3

# A kernel over three frames that sees one of them alone: in the causal encoder the last, in the decoder the middle.
LAST, MIDDLE = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.0, 1.0, 0.0])

# The two frames that an upsampler makes of one: each lies a quarter of the way to a neighbour.
HALVES = torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.75, 0.25]])

STATISTICS = "per_channel_statistics."


class FlatColours(NamedTuple):
    """The normalised latent of a picture of one colour: bias (128,) + weight (128, 3) @ RGB in -1 .. 1."""

    weight: torch.Tensor
    bias: torch.Tensor


def trained_tensors() -> dict[str, torch.Tensor]:
    """Return what `training` exports, in float32."""
    from safetensors.torch import load_file

    return {name: tensor.float() for name, tensor in load_file(TRAINED).items()}


def video_vae_tensors(trained: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors of the published VAE without its prefix."""
    parts = {name: tensor for name, tensor in trained.items() if name.startswith((STATISTICS, "encoder.", "decoder."))}
    return {name: _over_time(name, tensor) for name, tensor in parts.items()}


def _over_time(name: str, tensor: torch.Tensor) -> torch.Tensor:
    stride = _decoder_stride(name)
    if name.startswith(STATISTICS):
        return tensor
    if name.endswith(".bias"):
        return tensor if stride is None else _repeated_over_time(tensor, stride)
    kernel = tensor.view(len(tensor), -1, 1, KERNEL, KERNEL)
    if name.startswith("encoder."):
        return kernel * LAST.view(1, 1, -1, 1, 1)
    if stride is None or stride[0] == 1:
        return kernel * MIDDLE.view(1, 1, -1, 1, 1)
    taps = HALVES.repeat_interleave(stride[1] * stride[2], 0).repeat(len(tensor) // (stride[1] * stride[2]), 1)
    return _repeated_over_time(kernel, stride) * taps.view(-1, 1, KERNEL, 1, 1)


def _repeated_over_time(tensor: torch.Tensor, stride: tuple[int, int, int]) -> torch.Tensor:
    """Turn rows of (outputs, rows, columns) into rows of (outputs, frames, rows, columns), with equal frames."""
    frames, area = stride[0], stride[1] * stride[2]
    return tensor.view(-1, 1, area, *tensor.shape[1:]).repeat_interleave(frames, 1).flatten(0, 2)


def _decoder_stride(name: str) -> tuple[int, int, int] | None:
    """Return the stride of the upsampler that a tensor belongs to."""
    parts = name.split(".")
    if parts[:2] != ["decoder", "up_blocks"] or parts[3] != "conv":
        return None
    return DECODER_STRIDES[int(parts[2]) // 2]
