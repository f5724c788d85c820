"""Keep x264 from instructions with which its output varies."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

# Linux on x86 lists the instruction sets under `flags`.
CPU_INFO = Path("/proc/cpuinfo")

# With AVX-512, x264 165 plans the quality of blocks (mbtree) from memory that it has not set, wherever the width is an
# odd multiple of 64 pixels: the same frames gave other bytes each time. With AVX2 they do not, and take no longer.
WITHOUT_AVX512 = {"x264-params": "asm=AVX2"}


@cache
def instruction_options() -> Mapping[str, str]:
    """Return options that keep x264 from using AVX-512; none on a CPU without it."""
    try:
        return WITHOUT_AVX512 if has_avx512(CPU_INFO.read_text()) else {}
    except OSError:
        return {}


def has_avx512(cpu_info: str) -> bool:
    flags = next((line for line in cpu_info.splitlines() if line.startswith("flags")), "")
    return "avx512bw" in flags.split()
