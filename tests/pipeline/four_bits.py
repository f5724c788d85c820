"""Force either of bitsandbytes' two ways to multiply by 4-bit weights on a CPU, whatever this machine's CPU supports.

With avx512_bf16 a layer repacks its weight and its scales at its first input and multiplies by a kernel of that
instruction set. The repacking is plain torch and runs here as it is. The kernel does not run without the instruction;
in its place the packed weight is unpacked and multiplied by torch.
"""

from copy import copy

import pytest
import torch
from bitsandbytes import functional


def force_avx512_bf16(monkeypatch: pytest.MonkeyPatch, has_it: bool) -> list[tuple[int, ...]]:
    """Return a list to which the shape of each packed weight is added when it is used."""
    used: list[tuple[int, ...]] = []

    def multiply(
        A: torch.Tensor,  # bitsandbytes' own names
        B: torch.Tensor,
        out: torch.Tensor | None = None,
        state: functional.QuantState | None = None,
    ) -> torch.Tensor:
        assert state is not None
        assert out is None
        used.append(tuple(state.shape))
        return torch.nn.functional.linear(A, _unpacked(B, state).to(A.dtype))

    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: has_it)
    if has_it:
        monkeypatch.setattr(functional, "gemv_4bit", multiply)
    return used


def _unpacked(weight: torch.Tensor, state: functional.QuantState) -> torch.Tensor:
    scales = state.absmax.T.reshape(-1).float()
    plain, restored = functional._convert_weight_packed_for_cpu_inverse(weight, copy(state))
    restored.absmax, restored.nested = scales, False
    return functional.dequantize_4bit(plain, restored)
