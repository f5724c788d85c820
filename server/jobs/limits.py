"""Limits on the jobs that a server takes on, independent of the settings they come from."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits on jobs and workers.

    queue_size: waiting jobs, not counting the running one.
    deadline_s: how long a render may take.
    grace_s: the time between a cancellation and a kill.
    heartbeat_s: how long a worker may be silent before it is considered dead.
    owner_waiting, owner_jobs: how many jobs of one API key may wait, and may wait or run; None: no limit of this kind.
    Jobs without a key have no such limits.
    retry_after_s: how long a client is told to wait if there is no room; None: estimated from earlier clips.
    is_shared: whether there are several owners now; owner_waiting applies only then.
    """

    queue_size: int = 8
    deadline_s: float = 600.0
    grace_s: float = 10.0
    heartbeat_s: float = 60.0
    owner_waiting: int | None = None
    owner_jobs: int | None = None
    retry_after_s: int | None = None
    is_shared: Callable[[], bool] = lambda: True
