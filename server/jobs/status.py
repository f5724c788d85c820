"""What the server says of itself and its workers at a moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from server.messages import Memory, ModelInfo


class State(StrEnum):
    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    FAILED = "failed"


@dataclass(frozen=True)
class WorkerStatus:
    """device: as the settings name it. load_error: why the model could not be loaded; None once it could."""

    device: str
    state: State
    running: bool
    model: ModelInfo | None
    memory: Memory | None
    load_error: str | None
    restarts: int


@dataclass(frozen=True)
class Status:
    """queued: jobs that wait. capacity: how many may. running: how many run."""

    state: State
    queued: int
    capacity: int
    running: int
    admits: bool
    workers: tuple[WorkerStatus, ...]

    @property
    def model(self) -> ModelInfo | None:
        """Of the first worker that has loaded it, now or before it ended."""
        return next((worker.model for worker in self.workers if worker.model is not None), None)

    @property
    def restarts(self) -> int:
        return sum(worker.restarts for worker in self.workers)

    @property
    def load_error(self) -> str | None:
        """Why no worker could load; which is which, where there are several. None while one is ready, or may be."""
        if self.state is not State.FAILED:
            return None
        if len(self.workers) == 1:
            return self.workers[0].load_error
        return "; ".join(f"{worker.device}: {worker.load_error}" for worker in self.workers)


def joint_state(workers: Sequence[WorkerStatus]) -> State:
    """Of the one that is furthest: what it can do, the server can."""
    states = {worker.state for worker in workers}
    return next(state for state in (State.READY, State.LOADING, State.FAILED, State.DRAINING) if state in states)
