"""Shared by the programs that render with the tiny model and fail in a stage; not a program itself."""

from collections.abc import Callable

from protocol import Pipe

from pipelines.ltx.trace import Trace
from server.process.torch_environment import wait_passively
from server.worker.garbage import postponed_gc
from server.worker.messages import Done, Generate
from server.worker.model import Model, load_model


def load(pipe: Pipe) -> Model:
    wait_passively()
    with postponed_gc():
        return load_model(pipe.config, lambda *_: None)


def render(pipe: Pipe, model: Model, job: Generate, trace: Trace) -> None:
    """Render a job and report it; raises PipelineError."""
    pipe.begin(job)
    timings_s = model.render(job.spec, job.path, trace)
    pipe.send(Done(job.job_id, timings_s, job.path.stat().st_size))


class InStage(Trace):
    """Call `commit` when a stage begins; for `mux`, when the last frame has been decoded."""

    def __init__(self, name: str, commit: Callable[[], None]) -> None:
        self._name, self._commit = name, commit
        self._left: int | None = None

    def stage(self, name: str, steps: int) -> None:
        if name == self._name:
            self._commit()
        self._left = steps if name == "decode" else None

    def step(self, count: int = 1) -> None:
        if self._left is not None:
            self._left -= count
        if self._left == 0 and self._name == "mux":
            self._commit()
