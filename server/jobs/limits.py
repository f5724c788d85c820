"""How much a server takes on, apart from the settings that it comes from."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """queue_size: jobs waiting, the running one not counted. grace_s: between a cancellation and a kill.

    heartbeat_s: how long a worker may be silent before it is taken for dead.
    owner_waiting, owner_jobs: how many jobs of one API key may wait, and may wait or run. None: as many as there is
    room for. Jobs without a key have no owner and no limits of this kind.
    is_shared: whether there are several owners now; owner_waiting applies only then.
    """

    queue_size: int = 8
    deadline_s: float = 600.0
    grace_s: float = 10.0
    heartbeat_s: float = 60.0
    owner_waiting: int | None = None
    owner_jobs: int | None = None
    is_shared: Callable[[], bool] = lambda: True
