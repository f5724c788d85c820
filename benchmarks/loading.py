"""Measure how fast and in how much memory a checkpoint loads: `python -m benchmarks.loading [--blocks N] [--dir DIR]`.

Writes a scaled-FP8 transformer in the published layout, with the widths of the 22B model, fewer blocks, and random
weights. Loads it as the server does, FP8 kept, onto the CPU; then reads the same file from front to back into memory,
and once more into a small reused buffer. Prints the seconds of each, the ratio to the first, and the host memory in use
beyond the loaded weights.
"""

import argparse
import os
import platform
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import torch

from benchmarks.synthetic import write_checkpoint
from pipelines.ltx.build import build_module
from pipelines.ltx.fp8 import use_fp8_linears
from weights.architecture import transformer_kwargs
from weights.checkpoint import open_single
from weights.full_config import full_config
from weights.full_model import TEXT_LAYERS
from weights.header import read_header
from weights.load import load_module
from weights.names import MODEL, TRANSFORMER
from weights.quantization import fp8_weights

T = TypeVar("T")

READ_BYTES = 16 * 2**20
RUNS = 3
CONFIG = full_config()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--dir", type=Path, help="where the file is written (default: the system's temporary folder)")
    args = parser.parse_args()
    config = CONFIG["transformer"] | {"num_layers": args.blocks}
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        path = Path(folder) / "fp8.safetensors"
        write_checkpoint(path, CONFIG | {"transformer": config}, TEXT_LAYERS, TRANSFORMER.takes, is_fp8)
        size_gb = path.stat().st_size / 1e9
        print(f"{platform.machine()}, {os.cpu_count()} cores: {args.blocks} blocks, {size_gb:.2f} GB of scaled FP8")
        for _ in range(RUNS):
            # Run each in its own process: memory that one has freed would distort the next.
            load_s, beyond_mb = in_process(timed_load, path, config)
            read_s, discard_s = in_process(seconds, read, path), in_process(seconds, discard, path)
            print(f"load {load_s:.2f} s, plain read into memory {read_s:.2f} s (discarded: {discard_s:.2f} s)")
            print(
                f"  {read_s / load_s:.0%} of its speed (aim: 80 %), {beyond_mb:.0f} MB beyond the weights (aim: 1074)"
            )


def is_fp8(name: str) -> bool:
    """Select every matrix of every block."""
    return name.startswith(f"{MODEL}transformer_blocks.") and name.endswith(".weight") and "norm" not in name


def load(path: Path, config: dict[str, object]) -> torch.nn.Module:
    checkpoint = open_single(read_header(path))
    transformer = build_module("transformer", transformer_kwargs(config, CONFIG["audio_vae"]))
    fp8 = fp8_weights(checkpoint)
    use_fp8_linears(transformer, [TRANSFORMER.rename(name) for name in fp8], [TRANSFORMER.rename(name) for name in fp8])
    load_module(transformer, checkpoint, TRANSFORMER, torch.device("cpu"), torch.bfloat16)
    return transformer


def read(path: Path) -> None:
    kept = torch.empty(path.stat().st_size, dtype=torch.uint8).numpy().data
    with path.open("rb", buffering=0) as file:
        for start in range(0, len(kept), READ_BYTES):
            file.readinto(kept[start : start + READ_BYTES])


def discard(path: Path) -> None:
    buffer = bytearray(READ_BYTES)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def load_imports(config: dict[str, object]) -> None:
    """Import the model's classes first: it takes seconds."""
    import safetensors.torch  # noqa: F401

    build_module("transformer", transformer_kwargs(config | {"num_layers": 1}, CONFIG["audio_vae"]))


def timed_load(path: Path, config: dict[str, object]) -> tuple[float, float]:
    """Return the seconds, and the peak of private memory, in MB, beyond what is held afterwards."""
    load_imports(config)
    before = private_bytes()
    with peak_of(private_bytes) as peak:
        start = time.perf_counter()
        transformer = load(path, config)
        load_s = time.perf_counter() - start
    weights = sum(parameter.nbytes for parameter in transformer.parameters())
    return load_s, (peak[0] - before - weights) / 1e6


def in_process(call: Callable[..., T], *args: object) -> T:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(call, *args).result()


def seconds(call: Callable[[Path], None], path: Path) -> float:
    start = time.perf_counter()
    call(path)
    return time.perf_counter() - start


def private_bytes() -> int:
    """Return the resident memory that is the process's own, without mapped files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


@contextmanager
def peak_of(measure: Callable[[], int]) -> Iterator[list[int]]:
    peak, done = [measure()], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], measure())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


if __name__ == "__main__":
    main()
