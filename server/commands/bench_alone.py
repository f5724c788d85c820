"""Compare with diffusers, each in a process of its own: how long it takes to start, and its memory at the peak."""

import gc
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import psutil

from pipelines.ltx.trace import Trace
from pipelines.spec import GenerationSpec
from server.worker.memory import peak_resident_bytes
from server.worker.messages import WorkerConfig

if TYPE_CHECKING:
    import torch

    from pipelines.bench.comparison import Pairs


T = TypeVar("T")


@dataclass(frozen=True)
class Alone:
    """Start and memory of a process that loaded a model and rendered a clip.

    start_s: until the model was loaded, from the start of the process; CPU seconds on a CPU. peak_gb: of the device;
    None if the system does not report it.
    """

    start_s: float
    peak_gb: float | None


@dataclass(frozen=True)
class AloneComparison:
    """Start and memory of one process for each side."""

    start_s: "Pairs"
    peak_gb: "Pairs | None"


def compare_alone(config: WorkerConfig, spec: GenerationSpec, folder: Path) -> AloneComparison | None:
    """Return None unless the checkpoint is the tiny model or a diffusers folder; diffusers loads no other kind."""
    from pipelines.bench.comparison import Pairs

    gc.collect()
    is_tiny = config.checkpoint is None
    stock = config.checkpoint or folder / "diffusers"
    if not is_tiny and not (stock / "model_index.json").is_file():
        return None
    ours = in_process(run_ours, config, spec, folder, stock if is_tiny else None)
    other = in_process(run_diffusers, config, stock, spec, folder)
    peaks = None if ours.peak_gb is None or other.peak_gb is None else Pairs.of([(ours.peak_gb, other.peak_gb)])
    return AloneComparison(Pairs.of([(ours.start_s, other.start_s)]), peaks)


def in_process(function: Callable[..., T], *args: object) -> T:
    with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as executor:
        return executor.submit(function, *args).result()


def run_ours(config: WorkerConfig, spec: GenerationSpec, folder: Path, stock: Path | None) -> Alone:
    """Measure ours. stock: where to write the model for diffusers, once it is measured."""
    from server.worker.model import load_model, resolve_files

    model = load_model(config, lambda component, done, total: None)
    start_s = _process_seconds(model.components.device)
    model.render(spec, folder / "ours.mp4", Trace())
    alone = Alone(start_s, _peak_gb(model.components.device))
    if stock is not None:
        from pipelines.bench.stock_flow import write_stock_folder

        _silence()
        write_stock_folder(model.components, resolve_files(config).text_encoder, stock)
    return alone


def run_diffusers(config: WorkerConfig, stock: Path, spec: GenerationSpec, folder: Path) -> Alone:
    from pipelines.bench.stock_flow import load_stock_flow
    from server.worker.device import resolve_device
    from server.worker.model import resolve_dtype

    _silence()
    device = resolve_device(config.device)
    flow = load_stock_flow(stock, spec, device, resolve_dtype(config.dtype, device))
    start_s = _process_seconds(device)
    flow.write(flow.decode(flow.denoise()), folder / "diffusers.mp4")
    return Alone(start_s, _peak_gb(device))


def _silence() -> None:
    """Drop the progress bars and warnings of libraries; errors are raised in the process that waits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _process_seconds(device: "torch.device") -> float:
    from pipelines.render import synchronize

    synchronize(device)
    return time.time() - psutil.Process().create_time() if device.type == "cuda" else time.process_time()


def _peak_gb(device: "torch.device") -> float | None:
    import torch

    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else peak_resident_bytes()
    return None if peak is None else peak / 1e9
