"""Metrics that are read from the server's state when they are scraped."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from enhancer.enhancement import EnhancerState, EnhancerStatus
from server.jobs.status import State, Status, WorkerStatus
from server.worker.messages import ModelInfo


@dataclass(frozen=True)
class StateCollector(Collector):
    status: Callable[[], Status]
    enhancer: Callable[[], EnhancerState]

    def describe(self) -> list[Metric]:
        """Return nothing: the registry would otherwise ask for values before there are any."""
        return []

    def collect(self) -> Iterator[Metric]:
        status = self.status()
        yield _gauge("ltx23_ready", "1 while requests are rendered", status.state is State.READY)
        yield _gauge("ltx23_queue_depth", "Jobs that wait", status.queued)
        yield _gauge("ltx23_queue_capacity", "Jobs that may wait", status.capacity)
        yield _gauge("ltx23_running", "Jobs that run", status.running)
        yield _gauge("ltx23_workers", "Workers, one for each device", len(status.workers))
        ready = sum(worker.state is State.READY for worker in status.workers)
        yield _gauge("ltx23_workers_ready", "Workers that have loaded the model", ready)
        yield CounterMetricFamily(
            "ltx23_worker_restarts", "Workers started in place of one that ended", status.restarts
        )
        yield from _memory(status.workers)
        yield from _model(status.model)
        yield _enhancer(self.enhancer().status)


def _gauge(name: str, text: str, value: float | None) -> Metric:
    """Return a gauge; without a value if there is none."""
    return GaugeMetricFamily(name, text, None if value is None else float(value))


def _memory(workers: Sequence[WorkerStatus]) -> Iterator[Metric]:
    """Return the memory by worker number, for the workers that report it."""
    resident = _by_worker("ltx23_worker_resident_bytes", "Host memory of a worker")
    allocated = _by_worker("ltx23_gpu_allocated_bytes", "GPU memory that a worker's tensors take")
    total = _by_worker("ltx23_gpu_total_bytes", "Memory of a worker's GPU")
    for number, memory in enumerate(worker.memory for worker in workers):
        if memory is not None:
            resident.add_metric([str(number)], memory.resident_bytes)
        if memory is not None and memory.device_allocated_bytes is not None:
            allocated.add_metric([str(number)], memory.device_allocated_bytes)
        if memory is not None and memory.device_total_bytes is not None:
            total.add_metric([str(number)], memory.device_total_bytes)
    yield from (resident, allocated, total)


def _by_worker(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["worker"])


def _model(model: ModelInfo | None) -> Iterator[Metric]:
    info = GaugeMetricFamily("ltx23_model_info", "The model that is loaded", labels=["checkpoint", "device", "dtype"])
    sizes = GaugeMetricFamily("ltx23_model_size_bytes", "Parameters, by dtype", labels=["dtype"])
    if model is not None:
        info.add_metric([model.checkpoint, model.device, model.dtype], 1)
        for dtype, size in model.size_bytes.items():
            sizes.add_metric([dtype], size)
    yield info
    yield sizes


def _enhancer(current: EnhancerStatus) -> Metric:
    family = GaugeMetricFamily("ltx23_enhancer_status", "1 for the state the enhancer is in", labels=["status"])
    for status in EnhancerStatus:
        family.add_metric([status], status is current)
    return family
