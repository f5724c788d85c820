"""Decide which finished videos to delete, from their times and sizes alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Finished:
    """The facts that decide how long a video is kept."""

    id: str
    completed_at: float
    size_bytes: int


@dataclass(frozen=True)
class Retention:
    """How long finished videos are kept.

    ttl_s: the time that a video is kept after it finished. max_bytes: what the files of all videos may take.
    """

    ttl_s: float
    max_bytes: int

    def surplus(self, oldest_first: Iterable[Finished], total_bytes: int, newest_id: str | None) -> Iterator[str]:
        """Yield the ids of the oldest clips until the rest takes no more than `max_bytes`.

        The newest clip stays, even if it alone is too large: nobody has seen it yet.
        """
        for video in oldest_first:
            if total_bytes <= self.max_bytes:
                return
            if video.size_bytes and video.id != newest_id:
                total_bytes -= video.size_bytes
                yield video.id
