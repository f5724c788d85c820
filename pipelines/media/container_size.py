"""Compare a video file's size with what its structure says: FFmpeg takes one that was cut short for a whole one.

Sources: ISO/IEC 14496-12, 4.2 (boxes); RFC 8794, 4 and 5 (EBML), and RFC 9559 (Matroska).
"""

from pathlib import Path
from typing import BinaryIO

# Boxes that a clip needs whole; what else may be missing, such as an index at the end, is not used.
_NEEDED_BOXES = frozenset({b"moov", b"moof", b"mdat"})
_BOX_HEADER_BYTES, _LONG_BOX_HEADER_BYTES = 8, 16
# In place of a size: it follows in 64 bits. (0: the box ends with the file.)
_LONG = 1

_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067


def missing_bytes(path: Path, demuxer: str) -> int:
    """Return how many bytes a file lacks, by its own structure; 0 if it is whole, or does not say how long it is.

    demuxer: `mov` or `matroska`.
    """
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        end = _mp4_end(file, size_bytes) if demuxer == "mov" else _matroska_end(file, size_bytes)
    return max(0, end - size_bytes)


def _mp4_end(file: BinaryIO, size_bytes: int) -> int:
    """Return where the last box ends that is needed, which may be beyond the file."""
    end = 0
    while end + _BOX_HEADER_BYTES <= size_bytes:
        file.seek(end)
        header = file.read(_LONG_BOX_HEADER_BYTES)
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if length == _LONG:
            length = int.from_bytes(header[8:], "big")
        if length < _BOX_HEADER_BYTES or (end + length > size_bytes and kind not in _NEEDED_BOXES):
            break
        end += length
    return end


def _matroska_end(file: BinaryIO, size_bytes: int) -> int:
    """Return where the last element ends: the segment, or its last cluster if the segment does not say."""
    end = 0
    while end < size_bytes:
        file.seek(end)
        identifier, length = _number(file, keeps_marker=True), _number(file)
        start = file.tell()
        if identifier == _SEGMENT and length is None:
            end = start
        elif identifier is None or length is None or (end == 0 and identifier != _EBML):
            break
        else:
            end = start + length
    return end


def _number(file: BinaryIO, keeps_marker: bool = False) -> int | None:
    """Read a number of variable length; None if it is missing or says that a size is unknown.

    keeps_marker: whether the bit that tells the length belongs to the number, as in identifiers.
    """
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    number = int.from_bytes(first + file.read(more), "big")
    marker = 1 << (7 * (more + 1))
    if keeps_marker:
        return number
    return None if number == 2 * marker - 1 else number - marker
