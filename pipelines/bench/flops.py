"""Count the matrix work of denoising a clip, and measure how fast the device multiplies matrices at most."""

from collections import Counter
from collections.abc import Sequence
from typing import Self

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from pipelines.bench.timing import seconds
from pipelines.ltx.fp8 import FP8
from pipelines.ltx.trace import Trace
from pipelines.render import TIMING_BY_STAGE

aten = torch.ops.aten

Shape = Sequence[int]


def cpu_attention_flops(query: Shape, key: Shape, value: Shape, *args: object, **kwargs: object) -> int:
    return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]


# Torch's own table has only the attention kernels of cards.
CPU_ATTENTION = {aten._scaled_dot_product_flash_attention_for_cpu: cpu_attention_flops}

# Rows and columns of the product that is measured: large enough for a card of the data centre, and for a CPU.
CARD_SIDE, CPU_SIDE = 8192, 2048
CARD_RUNS, CPU_RUNS = 20, 3


class FlopTrace(Trace):
    """Counts the matrix FLOPs of denoising while a clip is rendered, from the shapes, by the dtype that is multiplied.

    Counting slows the clip down. `dtype` is that of the model; only scaled FP8 layers multiply in another one.
    """

    def __init__(self, inner: Trace, dtype: torch.dtype) -> None:
        self.flops: Counter[torch.dtype] = Counter()
        self._inner, self._dtype = inner, dtype
        self._mode: FlopCounterMode | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop()

    def stage(self, name: str, steps: int) -> None:
        self._inner.stage(name, steps)
        self._stop()
        if TIMING_BY_STAGE[name] == "denoise":
            self._mode = FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION)
            self._mode.__enter__()  # type: ignore[no-untyped-call]

    def step(self, count: int = 1) -> None:
        self._inner.step(count)

    def _stop(self) -> None:
        if self._mode is None:
            return
        self._mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        for operation, flops in self._mode.get_flop_counts().get("Global", {}).items():
            self.flops[FP8 if operation is aten._scaled_mm else self._dtype] += flops
        self._mode = None


@torch.inference_mode()
def matmul_flops_per_s(device: torch.device, dtype: torch.dtype) -> float:
    """Return the FLOPs per second of one large product of two square matrices, the device's practical peak."""
    is_cuda = device.type == "cuda"
    side, runs = (CARD_SIDE, CARD_RUNS) if is_cuda else (CPU_SIDE, CPU_RUNS)
    plain = torch.bfloat16 if is_cuda else torch.float32
    left, right = (torch.randn(side, side, device=device, dtype=plain).to(dtype) for _ in range(2))
    scale = torch.ones((), device=device)

    def multiply() -> torch.Tensor:
        if dtype == FP8:
            return torch._scaled_mm(left, right.t(), scale_a=scale, scale_b=scale, out_dtype=plain)
        return left @ right.t()

    return 2 * side**3 / seconds(multiply, device, runs)
