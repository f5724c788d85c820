"""How long finished videos are kept. Pure: times and sizes in, names out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Finished:
    """What decides on how long a video is kept."""

    id: str
    completed_at: float
    size_bytes: int


@dataclass(frozen=True)
class Retention:
    """ttl_s: how long a video is kept once it is finished. max_bytes: what the files of all of them may take."""

    ttl_s: float
    max_bytes: int

    def surplus(self, oldest_first: Iterable[Finished], total_bytes: int, newest_id: str | None) -> Iterator[str]:
        """Yield the ids of the oldest clips until the others take no more than they may.

        The newest clip stays, even where it alone is too large: nobody has seen it.
        """
        for video in oldest_first:
            if total_bytes <= self.max_bytes:
                return
            if video.size_bytes and video.id != newest_id:
                total_bytes -= video.size_bytes
                yield video.id
