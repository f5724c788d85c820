"""Measure how the memory and open files of a server and its worker grow over many calls."""

import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Protocol

import psutil


class Measured(Protocol):
    @property
    def process(self) -> psutil.Process: ...

    @property
    def worker(self) -> psutil.Process | None: ...


@dataclass(frozen=True)
class Sample:
    calls: int
    resident_bytes: int
    open_files: int


@dataclass
class Growth:
    """Samples of the server and of each worker by pid; a new worker starts a new series."""

    server: list[Sample] = field(default_factory=list)
    workers: dict[int, list[Sample]] = field(default_factory=lambda: defaultdict(list))

    def sample(self, measured: Measured, calls: int) -> None:
        self.server.append(_sample(measured.process, calls))
        worker = measured.worker
        if worker is not None:
            try:
                self.workers[worker.pid].append(_sample(worker, calls))
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                return

    @property
    def longest_worker(self) -> list[Sample]:
        """Return the samples of the worker that lived longest."""
        return max(self.workers.values(), key=lambda samples: samples[-1].calls - samples[0].calls)


def _sample(process: psutil.Process, calls: int) -> Sample:
    return Sample(calls, process.memory_info().rss, process.num_fds())


def slope_bytes_per_call(samples: list[Sample]) -> float:
    """Return the slope of the later half: caches and allocators fill up in the first. NaN for too few samples."""
    late = samples[len(samples) // 2 :]
    if len(late) < 3 or late[0].calls == late[-1].calls:
        return float("nan")
    calls, sizes = [s.calls for s in late], [s.resident_bytes for s in late]
    return statistics.linear_regression(calls, sizes).slope


def describe(name: str, samples: list[Sample]) -> str:
    first, last = samples[0], samples[-1]
    return (
        f"{name}: {first.resident_bytes / 1e6:.1f} -> {last.resident_bytes / 1e6:.1f} MB resident, "
        f"{slope_bytes_per_call(samples) / 1e3:+.2f} kB a call in the later half; open files {first.open_files} -> "
        f"{last.open_files}"
    )
