"""Run a Linear in FP8: by scaled matmul if the hardware has it, else by dequantising.

W = weight * weight_scale. Activations are quantised with the checkpoint's scale (static), or each row with its own
(dynamic), and clamped at 448: without the clamp, larger values become NaN and the picture black.

A row's own scale is a power of two, which multiplies the product after it is rounded and changes none of its digits. So
the card's kernel is that of one scale, which every card has: those with a scale for each row are missing on some.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from pipelines.ltx.low_rank import LowRank, add_low_rank
from weights.errors import WeightsError

FP8 = torch.float8_e4m3fn
FP8_MAX = torch.finfo(FP8).max  # 448

# Ada, Hopper and Blackwell have tensor cores that multiply FP8.
MIN_CAPABILITY = (8, 9)

# Of a row's largest value. For smaller ones the row's scale would be rounded to zero.
SMALLEST_EXPONENT = -118

# A scaled matmul needs both widths to be multiples of this.
ALIGNMENT = 16

# At LTX-2.3's widest, 16384, that many rows are 512 MB in float32.
QUANTIZED_ROWS = 8192


BLOCK = re.compile(r"transformer_blocks\.\d+\.")


class Fp8Mode(StrEnum):
    """`scaled` keeps FP8 weights and multiplies in FP8; `dequantize` converts the weights to the model's dtype.

    `scaled-all` also quantises the blocks that the official file leaves in BF16.
    """

    SCALED = "scaled"
    SCALED_ALL = "scaled-all"
    DEQUANTIZE = "dequantize"


@dataclass(frozen=True)
class Fp8Choice:
    """The mode in force, and why."""

    mode: Fp8Mode
    reason: str


def resolve_fp8_mode(
    name: str, device: torch.device, is_compiled: bool = False, fits_plain: Callable[[], bool] = lambda: False
) -> Fp8Choice:
    """Return the mode of a name, for `auto` by `choose_fp8_mode`. Raises WeightsError if the card cannot have it."""
    capable = has_fp8_arithmetic(device)
    if name == "auto":
        return choose_fp8_mode(device.type == "cuda" and capable, is_compiled, fits_plain)
    if Fp8Mode(name) is not Fp8Mode.DEQUANTIZE and not capable:
        card = torch.cuda.get_device_name(device)
        raise WeightsError(f"{card} does not multiply FP8 (compute capability 8.9 is needed); use --fp8 dequantize")
    return Fp8Choice(Fp8Mode(name), "as set")


def choose_fp8_mode(is_capable_card: bool, is_compiled: bool, fits_plain: Callable[[], bool]) -> Fp8Choice:
    """Choose what is faster and fits.

    is_compiled: whether the blocks of the transformer will be. fits_plain: returns whether the whole model with plain
    weights fits on the device, beside a default clip.
    """
    if not is_capable_card:
        return Fp8Choice(Fp8Mode.DEQUANTIZE, "no card that multiplies FP8")
    if is_compiled:
        return Fp8Choice(Fp8Mode.SCALED, "FP8 layers are faster where the transformer is compiled")
    if fits_plain():
        return Fp8Choice(
            Fp8Mode.DEQUANTIZE, "without --speed compile or graphs FP8 layers are slower than plain ones, which fit"
        )
    return Fp8Choice(Fp8Mode.SCALED, "plain weights do not fit beside a default clip")


def has_fp8_arithmetic(device: torch.device) -> bool:
    """Return whether the device multiplies FP8; torch has a kernel for the CPU."""
    return device.type == "cpu" or torch.cuda.get_device_capability(device) >= MIN_CAPABILITY


class Quantized(NamedTuple):
    """Rows in FP8, (rows, in), and the scale of their values: float32 of shape [], or powers of two, (rows, 1)."""

    rows: torch.Tensor
    scale: torch.Tensor


class Fp8Linear(nn.Module):
    """A Linear with FP8 weights, created on `meta` and filled by the loader.

    x: (..., in) in a float dtype; returns (..., out) in the same dtype. `input_scale` is None if each row is quantised
    by its own largest value. input_group: layers of one owner that have the same number quantise one input
    to the same values. fast_accum: whether the card may add products up in fewer bits than float32. low_rank: as in
    `transformer.linear`.
    """

    weight: torch.Tensor
    weight_scale: torch.Tensor
    input_scale: torch.Tensor | None
    one: torch.Tensor
    bias: nn.Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool, static: bool) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.input_group: int | None = None if static else 0
        self.fast_accum = False
        self.low_rank: LowRank | None = None
        weight = torch.empty(out_features, in_features, dtype=FP8, device="meta")
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.register_buffer("weight_scale", torch.empty((), device="meta"))
        self.register_buffer("input_scale", torch.empty((), device="meta") if static else None)
        # The card's kernel takes its scales as tensors.
        self.register_buffer("one", torch.ones(()), persistent=False)
        self.bias = nn.Parameter(torch.empty(out_features, device="meta"), requires_grad=False) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.multiply(x, self.quantize(x))

    def quantize(self, x: torch.Tensor) -> Quantized:
        """Quantise the rows of x, (..., in)."""
        scale = self.input_scale if self.input_scale is not None else row_scales(x)
        return Quantized(quantize_rows(x, scale), scale)

    def multiply(self, x: torch.Tensor, quantized: Quantized) -> torch.Tensor:
        """Compute the layer from what `quantize` returned for x; x gives shape and dtype."""
        # A card's kernel returns bfloat16, and takes a bias in no other dtype than its own.
        out_dtype = torch.bfloat16 if x.is_cuda else x.dtype
        bias = None if self.bias is None else self.bias.to(out_dtype)
        if self.input_scale is not None:
            product = self._product(quantized.rows, quantized.scale, bias, out_dtype)
        else:
            product = self._product(quantized.rows, self.one, None, out_dtype)
            product = product * quantized.scale if bias is None else torch.addcmul(bias, product, quantized.scale)
        return add_low_rank(product.to(x.dtype).reshape(*x.shape[:-1], self.out_features), x, self.low_rank)

    def _product(
        self, rows: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None, out_dtype: torch.dtype
    ) -> torch.Tensor:
        return torch._scaled_mm(
            rows,
            self.weight.t(),
            scale_a=scale,
            scale_b=self.weight_scale,
            bias=bias,
            out_dtype=out_dtype,
            use_fast_accum=self.fast_accum,
        )


def project(x: torch.Tensor, *linears: nn.Module) -> list[torch.Tensor]:
    """Apply several Linears to one input, which is quantised once for all that quantise it with equal scales."""
    quantized: dict[int, Quantized] = {}
    outputs = []
    for linear in linears:
        if not isinstance(linear, Fp8Linear) or linear.input_group is None:
            outputs.append(linear(x))
            continue
        if linear.input_group not in quantized:
            quantized[linear.input_group] = linear.quantize(x)
        outputs.append(linear.multiply(x, quantized[linear.input_group]))
    return outputs


def group_input_scales(module: nn.Module) -> None:
    """Put the loaded FP8 layers of one owner that have equal input scales into one group.

    They have to be equal in every block: blocks with the same groups share their compiled code.
    """
    layers = {path: layer for path, layer in module.named_modules() if isinstance(layer, Fp8Linear)}
    static = {path: layer.input_scale for path, layer in layers.items() if layer.input_scale is not None}
    # One copy from the card instead of one for each layer.
    values = torch.stack([*static.values()]).tolist() if static else []
    scales = dict(zip(static, values, strict=True))
    # By the name of a layer within a block.
    in_blocks: dict[str, dict[str, float | None]] = defaultdict(dict)
    for path in layers:
        block, name = _split_block(path)
        in_blocks[name][block] = scales.get(path)
    groups: dict[str, list[dict[str, float | None]]] = defaultdict(list)
    for path, layer in layers.items():
        _, name = _split_block(path)
        of_owner = groups[name.rpartition(".")[0]]
        if in_blocks[name] not in of_owner:
            of_owner.append(in_blocks[name])
        layer.input_group = of_owner.index(in_blocks[name])


def _split_block(path: str) -> tuple[str, str]:
    """Return the path of the block that a layer is in, and its name there."""
    block = BLOCK.match(path)
    return (block[0], path[block.end() :]) if block else ("", path)


def use_fast_accumulation(module: nn.Module) -> None:
    """Let the FP8 layers of a module add products up in fewer bits than float32, which is faster on Hopper."""
    for layer in module.modules():
        if isinstance(layer, Fp8Linear):
            layer.fast_accum = True


def row_scales(x: torch.Tensor) -> torch.Tensor:
    """Return for each row of x a power of two that brings its largest value to between 128 and 256: (rows, 1)."""
    largest = torch.linalg.vector_norm(x, torch.inf, -1, keepdim=True, dtype=torch.float32)
    _, exponent = torch.frexp(largest.reshape(-1, 1))
    return torch.exp2(exponent.clamp(min=SMALLEST_EXPONENT) - 8).to(x.dtype)


def quantize_rows(x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Return the rows of x / scale in FP8, clamped: (rows, in). scale: of shape [], or (rows, 1)."""
    width = x.shape[-1]
    if torch.compiler.is_compiling():
        # Inductor makes one kernel of this and of what computes x. `as_strided`, unlike `view`, makes it write the rows
        # once: for a view, it would write them for each layer that multiplies them.
        if scale.dim():
            scale = scale.reshape(*x.shape[:-1], 1)
        quantized = (x.float() / scale).clamp(-FP8_MAX, FP8_MAX).to(FP8).contiguous()
        return quantized.as_strided((quantized.numel() // width, width), (width, 1))
    rows = x.reshape(-1, width)
    # In parts: all rows in float32 would be the largest tensor of a step.
    quantized = torch.empty(rows.shape, dtype=FP8, device=rows.device)
    scales = torch.split(scale.expand(len(rows), 1), QUANTIZED_ROWS)
    parts = torch.split(rows, QUANTIZED_ROWS), scales, torch.split(quantized, QUANTIZED_ROWS)
    for source, of_rows, target in zip(*parts, strict=True):
        target.copy_(source.to(torch.float32, copy=True).div_(of_rows).clamp_(-FP8_MAX, FP8_MAX))
    return quantized


def use_fp8_linears(module: nn.Module, weights: Collection[str], static: Collection[str]) -> int:
    """Replace each named Linear on `meta` with an Fp8Linear; return how many were replaced.

    A Linear whose widths the hardware cannot take stays and gets dequantised weights.
    """
    replaced = 0
    for name in weights:
        path, _, leaf = name.removesuffix(".weight").rpartition(".")
        owner = module.get_submodule(path)
        linear = owner.get_submodule(leaf)
        if not isinstance(linear, nn.Linear) or linear.in_features % ALIGNMENT or linear.out_features % ALIGNMENT:
            continue
        fp8 = Fp8Linear(linear.in_features, linear.out_features, linear.bias is not None, static=name in static)
        owner.add_module(leaf, fp8)
        replaced += 1
    return replaced


def dequantized(linear: Fp8Linear, x: torch.Tensor) -> torch.Tensor:
    """Compute the same layer without quantised activations, as a reference for `forward`."""
    weight = (linear.weight.float() * linear.weight_scale).to(x.dtype)
    return F.linear(x, weight, None if linear.bias is None else linear.bias.to(x.dtype))
