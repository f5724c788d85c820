"""The published peaks of cards, and the share of them that kernels are assumed to reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

GB, TERA = 10**9, 10**12


class Work(StrEnum):
    """The kinds of matrix work, which have different peaks or reach different shares of them."""

    FP8 = "fp8"
    FP8_FAST = "fp8-fast-accumulation"
    BF16 = "bf16"
    ATTENTION = "attention"
    CONVOLUTION = "convolution"
    FLOAT32 = "float32"


class Arithmetic(StrEnum):
    """Arithmetic of the transformer's Linears.

    `fp8-all-blocks` multiplies in FP8 in every block, the other two in those in which the official file has FP8
    weights. Activations are quantised with the scales of the file (static), or by row with their own (the other two).
    """

    BF16 = "bf16"
    FP8_DYNAMIC = "fp8-dynamic"
    FP8_STATIC = "fp8-static"
    FP8_ALL_BLOCKS = "fp8-all-blocks"


@dataclass(frozen=True)
class Card:
    """A card as its maker publishes it: dense operations, accumulated in float32, at the boost clock.

    fp8_tflops: None if the card does not multiply FP8. float32_tflops: without TF32, which the pipeline does not use.
    reach: the share of the peak that torch's kernels are assumed to get.
    """

    name: str
    fp8_tflops: float | None
    bf16_tflops: float
    float32_tflops: float
    bandwidth_gb_s: float
    memory_gb: int
    link: str
    reach: Mapping[Work, float]
    source: str

    def peak_flops_per_s(self, work: Work) -> float:
        if work in (Work.FP8, Work.FP8_FAST):
            assert self.fp8_tflops is not None
            return self.fp8_tflops * TERA
        return (self.float32_tflops if work is Work.FLOAT32 else self.bf16_tflops) * TERA


# FP8 by `torch._scaled_mm`, attention by FlashAttention 2 or cuDNN, convolutions in torch's default layout. For FP8 and
# BF16, `benchmarks.gpu` measured the products of a block on an H200 with torch 2.11.
DATA_CENTER = {
    Work.FP8: 0.66,
    Work.FP8_FAST: 0.68,
    Work.BF16: 0.75,
    Work.ATTENTION: 0.55,
    Work.CONVOLUTION: 0.35,
    Work.FLOAT32: 0.5,
}
DESKTOP = {
    Work.FP8: 0.70,
    Work.FP8_FAST: 0.70,
    Work.BF16: 0.75,
    Work.ATTENTION: 0.50,
    Work.CONVOLUTION: 0.40,
    Work.FLOAT32: 0.5,
}
# The share of the bandwidth that elementwise kernels are assumed to get.
BANDWIDTH_REACH = 0.85

# What a link to host memory carries in a second, as measured on common machines, rounded.
PCIE_4, PCIE_5 = "PCIe 4.0 x16", "PCIe 5.0 x16"
LINKS = {PCIE_5: 50 * GB, PCIE_4: 25 * GB}

NVIDIA = "https://www.nvidia.com/en-us/data-center"
WHITEPAPER = "NVIDIA's whitepaper on the architecture of"
CARDS = {
    card.name.lower().replace(" ", "-"): card
    for card in (
        Card("H200", 1979, 989, 67, 4800, 141, PCIE_5, DATA_CENTER, f"{NVIDIA}/h200/"),
        Card("H100", 1979, 989, 67, 3350, 80, PCIE_5, DATA_CENTER, f"{NVIDIA}/h100/"),
        Card("RTX PRO 6000", 1007, 504, 126, 1792, 96, PCIE_5, DESKTOP, f"{WHITEPAPER} RTX PRO Blackwell"),
        Card("RTX 5090", 419, 209.5, 104.8, 1792, 32, PCIE_5, DESKTOP, f"{WHITEPAPER} RTX Blackwell"),
        Card("RTX 4090", 330.3, 165.2, 82.6, 1008, 24, PCIE_4, DESKTOP, f"{WHITEPAPER} Ada"),
        Card("L40S", 733, 362, 91.6, 864, 48, PCIE_4, DESKTOP, f"{NVIDIA}/l40s/"),
        Card("A100", None, 312, 19.5, 2039, 80, PCIE_4, DATA_CENTER, f"{NVIDIA}/a100/"),
    )
}
