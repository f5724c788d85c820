"""The status of the server and its workers at one moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from server.jobs.loading import LoadingStatus
from server.worker.messages import Memory, ModelInfo


class State(StrEnum):
    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    FAILED = "failed"


@dataclass(frozen=True)
class WorkerStatus:
    """The status of one worker.

    device: as named in the settings. loading: the progress while the model loads.
    load_error: why the model could not be loaded; None once it has loaded.
    """

    device: str
    state: State
    running: bool
    model: ModelInfo | None
    memory: Memory | None
    loading: LoadingStatus | None
    load_error: str | None
    restarts: int


@dataclass(frozen=True)
class Status:
    """The status of the server.

    queued: the number of waiting jobs. capacity: how many may wait. running: the number of running jobs.
    """

    state: State
    queued: int
    capacity: int
    running: int
    admits: bool
    workers: tuple[WorkerStatus, ...]

    @property
    def model(self) -> ModelInfo | None:
        """Return the model of the first worker that has loaded one; it is kept when that worker ends."""
        return next((worker.model for worker in self.workers if worker.model is not None), None)

    @property
    def loading(self) -> LoadingStatus | None:
        """Return the progress of the first worker that loads, if none is ready."""
        if self.state is not State.LOADING:
            return None
        return next(worker.loading for worker in self.workers if worker.loading is not None)

    @property
    def restarts(self) -> int:
        return sum(worker.restarts for worker in self.workers)

    @property
    def load_error(self) -> str | None:
        """Return why no worker could load, by device if there are several; None if one is ready or may still be."""
        if self.state is not State.FAILED:
            return None
        if len(self.workers) == 1:
            return self.workers[0].load_error
        return "; ".join(f"{worker.device}: {worker.load_error}" for worker in self.workers)


def joint_state(workers: Sequence[WorkerStatus]) -> State:
    """Return the best state of any worker."""
    states = {worker.state for worker in workers}
    return next(state for state in (State.READY, State.LOADING, State.FAILED, State.DRAINING) if state in states)
