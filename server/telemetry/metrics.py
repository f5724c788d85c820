"""Count requests, jobs and rewrites in a registry of this server's own.

The values of labels come from tables in this code, never from a client.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest

from enhancer.enhancement import Result
from server.edge.exchange import Exchange
from server.jobs.job import Job, JobCancelled, JobError
from server.jobs.supervisor import SILENT
from server.worker.messages import FromWorker, Progress

REQUEST_BUCKETS_S = (0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
WAIT_BUCKETS_S = (0.01, 0.1, 1, 5, 15, 30, 60, 120, 300, 600, 1800)
STAGE_BUCKETS_S = (0.01, 0.05, 0.25, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)
STEP_BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16)

DONE = "done"
OUTCOMES = (DONE, "refused", "render_failed", "out_of_memory", "deadline_exceeded", "cancelled", "not_ready")
# Why a worker is killed: its job did not stop at the deadline or when cancelled, or it sent no sign of life.
KILL_REASONS = ("deadline_exceeded", "cancelled", SILENT)
ENHANCE = "enhance"
STAGES = (ENHANCE, "encode", "denoise", "decode", "mux")
# The denoising stages: their steps have one size.
STEP_STAGES = ("stage_1", "stage_2")


class Metrics:
    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "ltx23_http_requests", "Requests answered", ["method", "route", "status"], registry=registry
        )
        self._request_s = Histogram(
            "ltx23_http_request_seconds",
            "From a request's head to the end of its answer",
            ["method", "route"],
            buckets=REQUEST_BUCKETS_S,
            registry=registry,
        )
        self._body_bytes = Counter(
            "ltx23_http_response_bytes", "Bytes of answers, without headers", ["route"], registry=registry
        )
        self._jobs = _counter(registry, "ltx23_jobs", "Jobs taken on, by how they ended", outcome=OUTCOMES)
        self._kills = _counter(
            registry, "ltx23_worker_kills", "Workers killed, by why they had to be", reason=KILL_REASONS
        )
        self._frames = Counter("ltx23_frames_rendered", "Frames of finished clips", registry=registry)
        self._wait_s = Histogram(
            "ltx23_queue_wait_seconds", "From admission to start", buckets=WAIT_BUCKETS_S, registry=registry
        )
        self._stage_s = _histogram(registry, "ltx23_stage_seconds", "Of a clip, by stage", STAGE_BUCKETS_S, STAGES)
        self._step_s = _histogram(registry, "ltx23_step_seconds", "Of a denoising step", STEP_BUCKETS_S, STEP_STAGES)
        self._enhancements = _counter(
            registry, "ltx23_enhancements", "Prompts to be enhanced, by what became of them", result=tuple(Result)
        )
        self._steps = StepTimes(time.monotonic)

    def exposition(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def on_exchange(self, exchange: Exchange) -> None:
        self._requests.labels(exchange.method, exchange.route, exchange.status).inc()
        self._request_s.labels(exchange.method, exchange.route).observe(exchange.seconds)
        self._body_bytes.labels(exchange.route).inc(exchange.body_bytes)

    def on_event(self, event: FromWorker) -> None:
        if isinstance(event, Progress):
            step_s = self._steps.measure(event)
            if step_s is not None and event.stage in STEP_STAGES:
                self._step_s.labels(event.stage).observe(step_s)

    def on_job(self, job: Job) -> None:
        job.ended.add_done_callback(lambda ended: self._on_end(job, ended))

    def on_kill(self, reason: str) -> None:
        self._kills.labels(reason).inc()

    def on_enhancement(self, result: Result, seconds: float) -> None:
        self._enhancements.labels(result).inc()
        self._stage_s.labels(ENHANCE).observe(seconds)

    def _on_end(self, job: Job, ended: "asyncio.Future[Mapping[str, float]]") -> None:
        outcome = outcome_of(ended)
        self._steps.forget(job.key)
        self._jobs.labels(outcome).inc()
        if job.started_at is not None:
            self._wait_s.observe(job.queued_s)
        if outcome == DONE:
            self._frames.inc(job.spec.delivered_frames)
            self._on_timings(ended.result())

    def _on_timings(self, timings_s: Mapping[str, float]) -> None:
        for stage in STAGES:
            if stage in timings_s:
                self._stage_s.labels(stage).observe(timings_s[stage])


class StepTimes:
    """Measures the steps of running jobs from their progress messages."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: dict[str, tuple[Progress, float]] = {}

    def measure(self, progress: Progress) -> float | None:
        """Return the seconds of the step that ends now; None at the beginning of a stage."""
        now = self._clock()
        before, before_at = self._last.get(progress.job_id, (None, now))
        self._last[progress.job_id] = progress, now
        if before is None or before.stage != progress.stage:
            return None
        count = progress.step - before.step
        return (now - before_at) / count if count > 0 else None

    def forget(self, job_id: str) -> None:
        """Forget a job that has ended."""
        self._last.pop(job_id, None)


def outcome_of(ended: "asyncio.Future[Mapping[str, float]]") -> str:
    """Return DONE or the error's code."""
    if ended.cancelled():
        return JobCancelled.code
    error = ended.exception()
    return error.code if isinstance(error, JobError) else DONE


def _counter(registry: CollectorRegistry, name: str, text: str, **label: tuple[str, ...]) -> Counter:
    """Create a counter whose label has all its values from the start: an alert needs the 0 before the 1."""
    ((label_name, values),) = label.items()
    counter = Counter(name, text, [label_name], registry=registry)
    for value in values:
        counter.labels(value)
    return counter


def _histogram(
    registry: CollectorRegistry, name: str, text: str, buckets: tuple[float, ...], stages: tuple[str, ...]
) -> Histogram:
    histogram = Histogram(name, text, ["stage"], buckets=buckets, registry=registry)
    for stage in stages:
        histogram.labels(stage)
    return histogram
