"""Read whether an MP3 file says how long it is; otherwise FFmpeg guesses from its size and its bit rate."""

from pathlib import Path

_ID3_HEADER_BYTES = 10
# In the first frame, behind its header, its side information and perhaps a checksum.
_MARKS = (b"Xing", b"Info")
_FIRST_FRAME_BYTES = 64


def states_length(path: Path) -> bool:
    """Return whether the first frame of an MP3 file counts the others, as LAME and others write it."""
    with path.open("rb") as file:
        tag = file.read(_ID3_HEADER_BYTES)
        file.seek(_ID3_HEADER_BYTES + _synchsafe(tag[6:]) if tag[:3] == b"ID3" else 0)
        start = file.read(_FIRST_FRAME_BYTES)
    return any(mark in start for mark in _MARKS)


def _synchsafe(size: bytes) -> int:
    """Read a number of 7 bits in each byte."""
    number = 0
    for byte in size:
        number = number << 7 | byte & 0x7F
    return number
