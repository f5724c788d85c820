"""Wait for what nothing announces, and leave the processor to the server meanwhile."""

import time
from collections.abc import Callable
from typing import TypeVar

import httpx

INTERVAL_S = 0.05

Found = TypeVar("Found")


def wait_for(look: Callable[[], Found | None]) -> Found:
    """Return the first result of `look` that is true."""
    while not (found := look()):
        time.sleep(INTERVAL_S)
    return found


def wait_for_queue(client: httpx.Client, **queue: int) -> None:
    wait_for(lambda: queue.items() <= client.get("/health").json()["queue"].items())
