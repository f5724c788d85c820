"""The video VAE as it works on a still picture: every convolution over time is a plain one.

A clip shows nothing but pictures that stand still or fade into each other, so this is all that has to be trained.
`weights.tiny_vae` makes the whole VAE of its weights. Parameters have the published names; kernels are matrices,
(outputs, inputs * rows * columns), which is what the optimiser works on.
"""

from collections.abc import Mapping
from math import prod
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from weights.published import STRIDES

KERNEL = 3
NORM_EPS = 1e-8


class Kernel(nn.Module):
    def __init__(self, inputs: int, outputs: int, gain: float) -> None:
        super().__init__()
        fan_in = inputs * KERNEL**2
        self.weight = nn.Parameter(torch.randn(outputs, fan_in) * gain * fan_in**-0.5)
        self.bias = nn.Parameter(torch.zeros(outputs))


class Conv(nn.Module):
    """A 3 x 3 convolution, under the name that it has inside a convolution over time."""

    def __init__(self, inputs: int, outputs: int, gain: float = 1.0) -> None:
        super().__init__()
        self.conv = Kernel(inputs, outputs, gain)
        self.inputs, self.outputs = inputs, outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kernel = self.conv.weight.view(self.outputs, self.inputs, KERNEL, KERNEL)
        return F.conv2d(x, kernel, self.conv.bias, padding=KERNEL // 2)


class ResBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = Conv(width, width), Conv(width, width, gain=0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = self.conv2(activate(self.conv1(activate(x))))
        return x + added


class ResBlocks(nn.Module):
    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.res_blocks = nn.ModuleList(ResBlock(width) for _ in range(count))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.res_blocks:
            x = block(x)
        return x


class Downsampler(nn.Module):
    """Move pixels, and the equal frames of a still picture, to channels; add means of the input's."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int, int]) -> None:
        super().__init__()
        self._time, self.space, self._outputs = stride[0], stride[1], outputs
        self.conv = Conv(inputs, outputs // prod(stride))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        moved = self._to_channels(x)
        means = moved.view(len(x), self._outputs, -1, *moved.shape[2:]).mean(2)
        return self._to_channels(self.conv(x)) + means

    def _to_channels(self, x: torch.Tensor) -> torch.Tensor:
        moved = F.pixel_unshuffle(x, self.space)
        split = moved.view(len(x), x.shape[1], 1, self.space**2, *moved.shape[2:])
        return split.expand(-1, -1, self._time, -1, -1, -1).flatten(1, 3)


class Upsampler(nn.Module):
    """Move channels to pixels. The frames that a published one makes of each are equal."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int, int]) -> None:
        super().__init__()
        self.space = stride[1]
        self.conv = Conv(inputs, outputs * self.space**2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.pixel_shuffle(self.conv(x), self.space)


class Encoder(nn.Module):
    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        width = config["encoder_base_channels"]
        self.conv_in = Conv(config["in_channels"] * config["patch_size"] ** 2, width)
        self.down_blocks = nn.ModuleList()
        for kind, params in config["encoder_blocks"]:
            if kind == "res_x":
                self.down_blocks.append(ResBlocks(width, params["num_layers"]))
            else:
                outputs = width * params["multiplier"]
                self.down_blocks.append(Downsampler(width, outputs, STRIDES[kind.removesuffix("_res")]))
                width = outputs
        self.conv_out = Conv(width, config["latent_channels"] + 1)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        x: torch.Tensor = self.conv_in(patches)
        for block in self.down_blocks:
            x = block(x)
        latent: torch.Tensor = self.conv_out(activate(x))
        return latent[:, :-1]  # the last is the variance


class Decoder(nn.Module):
    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        blocks = config["decoder_blocks"]
        width = config["decoder_base_channels"] * prod(p["multiplier"] for kind, p in blocks if kind != "res_x")
        self.conv_in = Conv(config["latent_channels"], width)
        self.up_blocks = nn.ModuleList()
        for kind, params in reversed(blocks):
            if kind == "res_x":
                self.up_blocks.append(ResBlocks(width, params["num_layers"]))
            else:
                outputs = width // params["multiplier"]
                self.up_blocks.append(Upsampler(width, outputs, STRIDES[kind]))
                width = outputs
        self.conv_out = Conv(width, config["out_channels"] * config["patch_size"] ** 2)

    def features(self, latent: torch.Tensor) -> torch.Tensor:
        x: torch.Tensor = self.conv_in(latent)
        for block in self.up_blocks:
            x = block(x)
        return activate(x)

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        patches: torch.Tensor = self.conv_out(self.features(latent))
        return patches


class PictureVAE(nn.Module):
    """config: that of a published VAE."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        self._patch: int = config["patch_size"]
        self.encoder, self.decoder = Encoder(config), Decoder(config)

    def to_patches(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the pixels of 4 x 4 patches as channels, (B, 48, H / 4, W / 4)."""
        return _transposed_patches(F.pixel_unshuffle(pictures, self._patch), self._patch)

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """Take (B, 3, H, W) in -1 .. 1. Return the mean of the latent, (B, 128, H / 32, W / 32)."""
        latent: torch.Tensor = self.encoder(self.to_patches(pictures))
        return latent

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        return F.pixel_shuffle(_transposed_patches(self.decoder(latent), self._patch), self._patch)


def activate(x: torch.Tensor) -> torch.Tensor:
    """Norm each pixel by its channels' mean square, then apply SiLU."""
    return F.silu(x * torch.rsqrt(x.square().mean(1, keepdim=True) + NORM_EPS))


def _transposed_patches(x: torch.Tensor, patch: int) -> torch.Tensor:
    """Swap rows and columns inside of patches: the published channels have columns first."""
    batch, channels, height, width = x.shape
    return x.view(batch, -1, patch, patch, height, width).transpose(2, 3).reshape(batch, channels, height, width)
