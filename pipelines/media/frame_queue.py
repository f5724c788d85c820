"""Hand frames from the thread that decodes them to the thread that writes them."""

import threading
from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


class FramesUnread(Exception):
    """The reader takes no more frames; its own error says why."""


class FramesAborted(Exception):
    """The writer has no more frames, although the clip is not complete; its own error says why."""


class FrameQueue:
    """Chunks of frames in order, from one writer to one reader.

    max_bytes: the most that waits; a larger chunk waits alone.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._chunks: deque[NDArray[np.uint8]] = deque()
        self._changed = threading.Condition()
        self._is_complete = self._is_aborted = self._is_unread = False

    def put(self, chunk: NDArray[np.uint8]) -> None:
        """Wait for room and add a chunk. Raises FramesUnread."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_unread or self._has_room(chunk.nbytes))
            self._raise_if_unread()
            self._chunks.append(chunk)
            self._changed.notify_all()

    def complete(self) -> None:
        """End the clip after the chunks so far. Raises FramesUnread."""
        with self._changed:
            self._raise_if_unread()
            self._is_complete = True
            self._changed.notify_all()

    def abort(self) -> None:
        """Make the reader raise FramesAborted."""
        with self._changed:
            self._is_aborted = True
            self._changed.notify_all()

    def leave(self) -> None:
        """Make the writer raise FramesUnread, and release the chunks that wait."""
        with self._changed:
            self._is_unread = True
            self._chunks.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the chunks until the clip is complete. Raises FramesAborted."""
        while (chunk := self._take()) is not None:
            yield chunk

    def _take(self) -> NDArray[np.uint8] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_aborted or self._is_complete or self._chunks)
            if self._is_aborted:
                raise FramesAborted
            if not self._chunks:
                return None
            self._changed.notify_all()
            return self._chunks.popleft()

    def _has_room(self, size_bytes: int) -> bool:
        return not self._chunks or sum(chunk.nbytes for chunk in self._chunks) + size_bytes <= self._max_bytes

    def _raise_if_unread(self) -> None:
        if self._is_unread:
            raise FramesUnread
