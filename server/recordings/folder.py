"""The folder of a recording: written by one process at a time, a whole line at a time; read into memory but its bodies.

A line is written once its bodies are. What a kill can leave is removed when the folder is opened again: the beginning
of a line, or of a body's file. Readers ignore both.
"""

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from server.recordings.errors import RecordingError
from server.recordings.exchange import BODIES, INDEX, Exchange, exchange_from_line, to_line
from weights.disk import PART_SUFFIX


class RecordingFolder:
    """A folder to write to, locked for this process until `close`. Raises RecordingError."""

    def __init__(self, root: Path, index: str = INDEX) -> None:
        self.root, self.bodies = root, root / BODIES
        try:
            self.bodies.mkdir(parents=True, exist_ok=True)
            self._index = os.open(root / index, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as exc:
            raise RecordingError(f"{root}: cannot be written to: {exc.strerror or exc}") from exc
        try:
            fcntl.flock(self._index, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._repair()
        except OSError as exc:
            os.close(self._index)
            if isinstance(exc, BlockingIOError):
                raise RecordingError(f"{root}: another process records into it; choose another folder") from exc
            raise RecordingError(f"{root}: cannot be written to: {exc.strerror or exc}") from exc

    def append(self, record: BaseModel) -> None:
        """Write one line, or nothing if it does not fit on the disk. Raises OSError."""
        line, size_bytes = to_line(record), os.fstat(self._index).st_size
        try:
            while line:
                line = line[os.write(self._index, line) :]
        except OSError:
            os.ftruncate(self._index, size_bytes)
            raise

    def close(self) -> None:
        os.close(self._index)

    def _repair(self) -> None:
        """Remove what a killed process had only begun to write."""
        size_bytes = os.fstat(self._index).st_size
        written = os.pread(self._index, size_bytes, 0)
        os.ftruncate(self._index, written.rfind(b"\n") + 1)
        for part in self.bodies.glob(f"*{PART_SUFFIX}"):
            part.unlink(missing_ok=True)


def read_exchanges(root: Path) -> Sequence[Exchange]:
    """Return the exchanges in the order in which they ended. Raises RecordingError, which names what is wrong."""
    try:
        lines = (root / INDEX).read_bytes().split(b"\n")
    except OSError as exc:
        raise RecordingError(f"{root / INDEX}: cannot be read: {exc.strerror or exc}") from exc
    # What follows the last line end is empty, or a line that was not finished.
    return [_read(root, line, number) for number, line in enumerate(lines[:-1], 1) if line.strip()]


def _read(root: Path, line: bytes, number: int) -> Exchange:
    try:
        exchange = exchange_from_line(line)
        body = exchange.answer.body
        if body is not None and (size_bytes := (root / body.file).stat().st_size) != body.bytes:
            raise ValueError(f"{body.file}: should have {body.bytes} bytes, and has {size_bytes}")
    except (ValueError, OSError) as exc:
        raise RecordingError(f"{root / INDEX}, line {number}: {exc}") from exc
    return exchange
