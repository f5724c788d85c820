"""Run a producer and a consumer in parallel."""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def consume_in_thread(items: Iterable[T], consume: Callable[[T], None], depth: int = 2) -> None:
    """Call `consume` on every item, in order and in another thread, while the caller's thread advances `items`.

    At most `depth` items wait or are being consumed while the next is produced. An error on either side ends both and
    is raised unchanged; the thread is gone when this returns.
    """
    pending: deque[Future[None]] = deque()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="consume") as executor:
        try:
            for item in items:
                pending.append(executor.submit(consume, item))
                while len(pending) > depth or (pending and pending[0].done()):
                    pending.popleft().result()
            while pending:
                pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
