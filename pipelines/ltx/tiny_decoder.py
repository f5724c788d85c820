"""Show a video latent with a small decoder: TAEHV's, as in taeltx2_3 (https://github.com/madebyollin/taehv).

Its layers have the names and the order of the published file, whose `decoder.N` are those of one sequence; the widths
are read from the tensors' shapes. It reads normalised latents. Here it makes one frame of each latent frame: of each
layer that multiplies frames, the last one is kept.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from pipelines.geometry import SPATIAL_COMPRESSION, TEMPORAL_COMPRESSION
from weights.errors import UnsupportedError
from weights.header import read_header

PREFIX, ENCODER = "decoder.", "encoder."
# The longer side of a frame; larger ones are scaled down on the device.
SIDE = 256

STAGES = 3
BLOCKS_PER_STAGE = 3


class MemBlock(nn.Module):
    """A residual block of two frames: the present one and the one before."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            _conv(2 * width, width), nn.ReLU(), _conv(width, width), nn.ReLU(), _conv(width, width)
        )

    def forward(self, present: torch.Tensor, past: torch.Tensor) -> torch.Tensor:
        joined: torch.Tensor = self.conv(torch.cat([present, past], 1))
        return F.relu(joined + present)


class Grow(nn.Module):
    """Makes `stride` frames of one by its weight; only the last of them is computed."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width * stride, 1, bias=False)
        self._width = width

    def forward(self, frame: torch.Tensor) -> torch.Tensor:
        return F.conv2d(frame, self.conv.weight[-self._width :])


class Clamp(nn.Module):
    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        return torch.tanh(latent / 3) * 3


class TinyDecoder(nn.Module):
    """A viewer of latents. channels: of the latent. widths: of the three stages and behind them."""

    def __init__(self, channels: int, widths: tuple[int, int, int, int], strides: tuple[int, ...], patch: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [Clamp(), _conv(channels, widths[0]), nn.ReLU()]
        for stage in range(STAGES):
            width = widths[stage]
            layers += [MemBlock(width) for _ in range(BLOCKS_PER_STAGE)]
            layers += [
                nn.Upsample(scale_factor=2),
                Grow(width, strides[stage]),
                _conv(width, widths[stage + 1], bias=False),
            ]
        layers += [nn.ReLU(), _conv(widths[-1], 3 * patch**2)]
        self.decoder = nn.Sequential(*layers)
        self._patch = patch

    @torch.inference_mode()
    def frames(self, latent: torch.Tensor) -> torch.Tensor:
        """Convert a normalised latent (1, C, F, h, w) to (F, H, W, 3) uint8, of at most 256 pixels a side."""
        weight = next(self.parameters())
        past: dict[int, torch.Tensor] = {}
        # One by one: all at once would take much more memory.
        return torch.cat([self._frame(each.to(weight.dtype), past) for each in latent.unbind(2)])

    def _frame(self, latent: torch.Tensor, past: dict[int, torch.Tensor]) -> torch.Tensor:
        hidden = latent
        for number, layer in enumerate(self.decoder):
            if isinstance(layer, MemBlock):
                before = past.get(number)
                past[number], hidden = hidden, layer(hidden, torch.zeros_like(hidden) if before is None else before)
            else:
                hidden = layer(hidden)
        picture = F.pixel_shuffle(hidden, self._patch).float()
        scale = SIDE / max(picture.shape[-2:])
        if scale < 1:
            size = [max(1, round(side * scale)) for side in picture.shape[-2:]]
            picture = F.interpolate(picture, size=size, mode="area")
        return (picture.clamp(0, 1) * 255).round().to(torch.uint8).movedim(1, -1)


def load_tiny_decoder(path: Path, channels: int, device: torch.device, dtype: torch.dtype) -> TinyDecoder:
    """Read a .safetensors file. Raises WeightsError if it does not hold this decoder for such latents."""
    tensors = {name: tensor for name, tensor in _read(path).items() if not name.startswith(ENCODER)}
    decoder = _build(path, {name: tuple(tensor.shape) for name, tensor in tensors.items()}, channels)
    expected = decoder.state_dict()
    for name in sorted(expected.keys() | tensors.keys()):
        if name not in tensors:
            raise UnsupportedError(path, f"is no tiny decoder such as taeltx2_3: tensor {name!r} is missing")
        if name not in expected:
            raise UnsupportedError(path, f"is no tiny decoder such as taeltx2_3: it has no tensor {name!r}")
        if tensors[name].shape != expected[name].shape:
            shapes = f"{tuple(tensors[name].shape)}, not {tuple(expected[name].shape)}"
            raise UnsupportedError(path, f"is no tiny decoder such as taeltx2_3: {name} has the shape {shapes}")
    decoder.load_state_dict({name: tensor.to(dtype) for name, tensor in tensors.items()})
    return decoder.to(device, dtype).requires_grad_(False).eval()


def _build(path: Path, shapes: Mapping[str, tuple[int, ...]], channels: int) -> TinyDecoder:
    """Build the decoder for the shapes of the convolutions between its stages."""
    try:
        first = shapes[f"{PREFIX}1.weight"]
        ends = [shapes[f"{PREFIX}{number}.weight"] for number in (8, 14, 20)]
        grown = [shapes[f"{PREFIX}{number}.conv.weight"] for number in (7, 13, 19)]
        outputs = shapes[f"{PREFIX}22.weight"][0]
        widths = (first[0], ends[0][0], ends[1][0], ends[2][0])
        strides = tuple(grow[0] // grow[1] for grow in grown)
    except (KeyError, IndexError, ZeroDivisionError) as exc:
        raise UnsupportedError(path, f"is no tiny decoder such as taeltx2_3: tensor {exc} is missing or has "
                                     "another shape") from exc  # fmt: skip
    if first[1] != channels:
        raise UnsupportedError(path, f"decodes latents of {first[1]} channels, not of {channels}")
    patch = math.isqrt(outputs // 3)
    spatial, temporal = 2**STAGES * patch, math.prod(strides)
    if 3 * patch**2 != outputs or (spatial, temporal) != (SPATIAL_COMPRESSION, TEMPORAL_COMPRESSION):
        raise UnsupportedError(path, f"makes {spatial} pixels and {temporal} frames of one latent pixel, not "
                                     f"{SPATIAL_COMPRESSION} and {TEMPORAL_COMPRESSION}")  # fmt: skip
    if max(widths) > 4096:
        raise UnsupportedError(path, f"is {max(widths)} channels wide, which is no tiny decoder")
    return TinyDecoder(channels, widths, strides, patch)


def _read(path: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    read_header(path)
    tensors: dict[str, torch.Tensor] = load_file(path)
    return tensors


def _conv(inputs: int, outputs: int, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)
