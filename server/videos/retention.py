"""Which finished videos have to go. Pure: times and sizes in, names out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from server.videos.store import Finished


@dataclass(frozen=True)
class Retention:
    """ttl_s: how long a video is kept once it is finished. max_bytes: what the files of all of them may take."""

    ttl_s: float
    max_bytes: int

    def outdated(self, videos: Sequence[Finished], now: float) -> Iterator[str]:
        """`videos`: the oldest first. The newest clip stays, even where it alone is too large: nobody has seen it."""
        size_bytes = sum(video.size_bytes for video in videos)
        newest = next((video for video in reversed(videos) if video.size_bytes), None)
        for video in videos:
            too_large = size_bytes > self.max_bytes and video.size_bytes > 0 and video is not newest
            if too_large or video.completed_at + self.ttl_s <= now:
                size_bytes -= video.size_bytes
                yield video.id
