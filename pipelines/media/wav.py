"""Read the structure of a WAV file: FFmpeg takes one that was cut short for a whole one."""

import struct
from pathlib import Path
from typing import BinaryIO

_RIFF_HEADER_BYTES, _CHUNK_HEADER_BYTES = 12, 8
# Programs that write to a pipe do not know the size: they write 0, or about the largest that fits.
_UNKNOWN_FROM = 0x7FFF_0000


def is_cut_short(path: Path) -> bool:
    """Return whether a WAV file has fewer bytes of samples than its header says."""
    with path.open("rb") as file:
        size_bytes = _data_bytes(file)
        missing = file.tell() + size_bytes - path.stat().st_size
    return size_bytes < _UNKNOWN_FROM and missing > 0


def _data_bytes(file: BinaryIO) -> int:
    """Return the stated size of the samples, and leave the file where they begin; 0 if there are none."""
    file.seek(_RIFF_HEADER_BYTES)
    while len(header := file.read(_CHUNK_HEADER_BYTES)) == _CHUNK_HEADER_BYTES:
        kind, size_bytes = struct.unpack("<4sI", header)
        if kind == b"data":
            found: int = size_bytes
            return found
        # Chunks begin at even places.
        file.seek(size_bytes + size_bytes % 2, 1)
    return 0
