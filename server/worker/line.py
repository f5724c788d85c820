"""Render jobs: one is on the device, while the file of the one before is finished and the next one is prepared."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from pipelines.errors import Cancelled, ImageError, OutOfMemory, PipelineError, SoundError, SpecError, VideoError
from pipelines.finishing import Finishing
from pipelines.ltx.trace import Trace
from pipelines.media.fragments import Fragments
from pipelines.media.probe import ClipInfo
from server.process.heap import Heap
from server.worker.memory import PeakMemory
from server.worker.messages import Decoded, Done, Failed, FailureKind, FragmentWritten, Generate, Progress, Started
from server.worker.pipe import Pipe
from server.worker.preparer import Preparer

if TYPE_CHECKING:
    import torch

    from server.worker.model import Model
    from server.worker.previewer import Previewer

log = logging.getLogger("ltx23.worker")

# What its file holds, and the seconds of each stage, once it is whole.
Clip = Future[tuple[ClipInfo, dict[str, float]]]


class JobTrace(Trace):
    """Reports each step, and stops between steps when asked to."""

    def __init__(self, pipe: Pipe, job: Generate, previewer: "Previewer") -> None:
        self._pipe, self._job_id, self._previewer = pipe, job.job_id, previewer
        self._duration_s = float(job.spec.duration_s)
        self._stage, self._step, self._steps = "", 0, 0

    def stage(self, name: str, steps: int) -> None:
        self._stage, self._step, self._steps = name, 0, steps
        self._report()

    def step(self, count: int = 1) -> None:
        self._step += count
        self._report()

    def estimate(self, latent: "torch.Tensor") -> None:
        self._previewer.show((self._job_id, self._stage, self._step + 1, self._steps), latent, self._duration_s)

    def writing(self, count: int) -> None:
        self._raise_if_cancelled()

    def _report(self) -> None:
        self._raise_if_cancelled()
        self._pipe.send(Progress(self._job_id, self._stage, self._step, self._steps))

    def _raise_if_cancelled(self) -> None:
        if self._pipe.is_cancelled(self._job_id):
            raise Cancelled("cancelled between steps")


class Line:
    """The three places of a worker: preparing, on the device, finishing. Each has at most one job.

    validate_device: called after an unexpected error; ends the process if the device is lost.
    """

    def __init__(self, pipe: Pipe, model: "Model", previewer: "Previewer", validate_device: Callable[[], None]) -> None:
        self._pipe, self._model, self._previewer, self._validate_device = pipe, model, previewer, validate_device
        preparing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="preparing")
        self._preparer = pipe.preparer = Preparer(preparing, model.prepare_pictures, pipe.is_cancelled)
        self._finishing = Finishing()
        self._heap = Heap()

    def render(self, job: Generate) -> None:
        """Render a job in this thread, until the device is free for the next one."""
        self._pipe.send(Started(job.job_id))
        peak, trace = PeakMemory(self._model.components.device), JobTrace(self._pipe, job, self._previewer)
        started = self._start(job, trace)
        if isinstance(started, Failed):
            self._end(started)
            return
        # The next job resets the peak.
        peak_bytes = peak.read_bytes()
        self._pipe.send(Decoded(job.job_id))
        started.add_done_callback(lambda clip: self._end(self._outcome(job, clip, peak_bytes)))

    def _start(self, job: Generate, trace: Trace) -> Clip | Failed:
        try:
            pictures = self._preparer.take(job.job_id)
            return self._model.start(job.spec, job.path, trace, self._finishing, pictures, self._fragments(job))
        except Exception as exc:
            return self._failed(job, exc)

    def _fragments(self, job: Generate) -> Fragments | None:
        if job.fragments is None:
            return None
        return Fragments(job.fragments, lambda size_bytes: self._pipe.send(FragmentWritten(job.job_id, size_bytes)))

    def _outcome(self, job: Generate, clip: Clip, peak_bytes: int | None) -> Done | Failed:
        try:
            _, timings_s = clip.result()
            return Done(job.job_id, timings_s, job.path.stat().st_size, peak_bytes)
        except Exception as exc:
            return self._failed(job, exc)

    def _failed(self, job: Generate, exc: Exception) -> Failed:
        match exc:
            case Cancelled():
                return Failed(job.job_id, FailureKind.CANCELLED, str(exc))
            case SpecError() | ImageError() | SoundError() | VideoError():
                return Failed(job.job_id, FailureKind.INVALID, str(exc))
            case OutOfMemory():
                log.error("job %s: %s", job.job_id, exc)
                return Failed(job.job_id, FailureKind.OUT_OF_MEMORY, str(exc))
            case PipelineError():
                log.error("job %s: %s", job.job_id, exc)
                return Failed(job.job_id, FailureKind.INTERNAL, str(exc))
        log.error("job %s failed", job.job_id, exc_info=exc)
        self._validate_device()
        return Failed(job.job_id, FailureKind.INTERNAL, "the render failed; the server's log has the reason")

    def _end(self, outcome: Done | Failed) -> None:
        self._pipe.forget(outcome.job_id)
        self._pipe.send(outcome)
        self._heap.trim()
