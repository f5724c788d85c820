"""Compare the size of a media file with what its structure says: FFmpeg takes one that was cut short for a whole one.

Sources: ISO/IEC 14496-12, 4.2 (boxes of MP4); RFC 8794, 4 and 5, and RFC 9559 (elements of Matroska); RFC 3533, 6
(pages of Ogg). MP3 and FLAC files have no such structure; their headers say how long the sound is.
"""

import struct
from pathlib import Path
from typing import BinaryIO

# Boxes that are needed whole; what else may be missing, such as an index at the end, is not used.
_NEEDED_BOXES = frozenset({b"moov", b"moof", b"mdat"})
_BOX_HEADER_BYTES, _LONG_BOX_HEADER_BYTES = 8, 16
# In place of a size: it follows in 64 bits. (0: the box ends with the file.)
_LONG = 1

_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067

_PAGE_HEADER_BYTES = 27

_RIFF_HEADER_BYTES, _CHUNK_HEADER_BYTES = 12, 8
# Programs that write a WAV file to a pipe do not know its size: they write 0, or about the largest that fits.
_UNKNOWN_FROM = 0x7FFF_0000


def missing_bytes(path: Path, demuxer: str) -> int:
    """Return how many bytes a file lacks, by its own structure; 0 if it is whole, or does not say how long it is.

    demuxer: FFmpeg's name of the format.
    """
    find_end = {"mov": _mp4_end, "matroska": _matroska_end, "ogg": _ogg_end, "wav": _wav_end}.get(demuxer)
    if find_end is None:
        return 0
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        return max(0, find_end(file, size_bytes) - size_bytes)


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


def _ogg_end(file: BinaryIO, size_bytes: int) -> int:
    """Return where the last page ends."""
    end = 0
    while end < size_bytes:
        file.seek(end)
        header = file.read(_PAGE_HEADER_BYTES)
        if not header.startswith(b"OggS"):
            break
        segments = header[-1] if len(header) == _PAGE_HEADER_BYTES else 0
        end += _PAGE_HEADER_BYTES + segments + sum(file.read(segments))
    return end


def _wav_end(file: BinaryIO, size_bytes: int) -> int:
    """Return where the samples end; 0 if there are none, or the header does not say."""
    file.seek(_RIFF_HEADER_BYTES)
    while len(header := file.read(_CHUNK_HEADER_BYTES)) == _CHUNK_HEADER_BYTES:
        kind, length = struct.unpack("<4sI", header)
        if kind == b"data":
            return 0 if length >= _UNKNOWN_FROM else file.tell() + int(length)
        # Chunks begin at even places.
        file.seek(length + length % 2, 1)
    return 0
