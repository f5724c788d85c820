"""A clip that a worker is still writing, for any number of readers. Independent of transport."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

PIECE_BYTES = 64 * 1024


class ClipCut(Exception):
    """The clip ends here, although it is not whole: its render failed, was cancelled, or the server stops."""


class LiveClip:
    """The clip in fragments at `path`. Each reader begins at its first byte, and waits for more until it ends.

    Readers are not waited for: the bytes are in the file, which lasts for those who have opened it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._size_bytes = 0
        self._is_whole: bool | None = None
        self._changed = asyncio.Event()

    @property
    def has_ended(self) -> bool:
        return self._is_whole is not None

    def grow(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self._wake()

    def end(self, *, is_whole: bool) -> None:
        """Let readers end after what is there, as a whole clip or with ClipCut. Only the first call counts."""
        if self._is_whole is None:
            self._is_whole = is_whole
            self._wake()

    async def open(self) -> "LiveReader | None":
        """Wait for the first bytes, and return a reader; None if the clip has ended."""
        while not self._size_bytes and not self.has_ended:
            await self._changed.wait()
        return None if self.has_ended else LiveReader(self, os.open(self.path, os.O_RDONLY | os.O_CLOEXEC))

    async def wait_beyond(self, position: int) -> int:
        """Wait until there are bytes beyond `position`, and return the size; `position` at the end. Raises ClipCut."""
        while self._size_bytes <= position:
            if self._is_whole:
                return position
            if self._is_whole is not None:
                raise ClipCut
            await self._changed.wait()
        return self._size_bytes

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class LiveReader:
    """An open file of a LiveClip. To be closed."""

    def __init__(self, clip: LiveClip, fd: int) -> None:
        self._clip, self._fd = clip, fd

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the clip from its beginning to its end, as it grows. Raises ClipCut."""
        position = 0
        while (size_bytes := await self._clip.wait_beyond(position)) > position:
            # Without a thread: it was just written, and is in memory.
            piece = os.pread(self._fd, min(size_bytes - position, PIECE_BYTES), position)
            if not piece:
                raise ClipCut
            position += len(piece)
            yield piece

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
