"""Read a JPEG file's segments: its size, limits on its structure, and whether it is complete without an end marker."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import islice

from PIL.JpegImagePlugin import JpegImageFile

from pipelines.errors import ImageError

# Far above what encoders write: segments hold up to 64 KiB, and a progressive JPEG has about ten scans. Pillow needs
# minutes for 32 MiB of tiny EXIF segments, libjpeg hours for empty scans.
MAX_SEGMENTS = 4096
MAX_SCANS = 100
# Stray bytes between two segments, which decoders skip one by one.
MAX_FILL = 1024

END_MARKER = b"\xff\xd9"

# A marker other than a stuffed zero or a restart marker, which belong to a scan's data.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])", re.DOTALL)
_START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN = 0xD8, 0xD9, 0xDA
_FRAME_HEADERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_COEFFICIENTS = 64

# Different ways to continue a scan that was cut short; the last one for where a restart marker is due.
_RESTARTS = b"".join(bytes([0xFF, marker]) + b"\x55" * 16 for marker in range(0xD0, 0xD8))
_CONTINUATIONS = (b"\x55" * 64, b"\xaa" * 64, bytes(range(1, 129)), _RESTARTS)


@dataclass(frozen=True)
class JpegStructure:
    """The contents of the segments.

    has_end: the file has its end marker.
    """

    width: int
    height: int
    has_end: bool


def read_structure(data: bytes) -> JpegStructure:
    """Read the structure.

    Raises ImageError if a limit is exceeded, struct.error or ValueError if the file is cut short.
    """
    segments = list(islice(_segments(data), MAX_SEGMENTS + 1))
    if len(segments) > MAX_SEGMENTS:
        raise _overloaded(f"{MAX_SEGMENTS} segments")
    scans = [start for marker, start in segments if marker == _START_OF_SCAN]
    if len(scans) > MAX_SCANS:
        raise _overloaded(f"{MAX_SCANS} scans")
    frames = [start for marker, start in segments if marker in _FRAME_HEADERS]
    if not frames:
        raise ValueError("no frame header")
    height, width, components = struct.unpack_from(">HHB", data, frames[-1] + 1)
    has_end = segments[-1][0] == _END_OF_IMAGE
    if not has_end and not _covers_all_coefficients(data, scans, components):
        raise ValueError("scans are missing")
    return JpegStructure(width, height, has_end)


def load_without_end(data: bytes) -> JpegImageFile:
    """Decode a file that has no end marker. Raises ValueError if more than the marker is missing.

    libjpeg makes up the missing data of a scan without telling Pillow. So the data is continued in several ways: the
    pixels stay the same only if the decoder needed none of the added data.
    """
    data = data.rstrip(b"\xff")
    image = _load(data + END_MARKER)
    pixels = image.tobytes()
    if any(_load(data + more + END_MARKER).tobytes() != pixels for more in _CONTINUATIONS):
        raise ValueError("pixels are missing")
    return image


def _load(data: bytes) -> JpegImageFile:
    image = JpegImageFile(BytesIO(data))
    image.load()
    return image


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the marker and the payload's start of each segment, until the end marker or the end of the last scan."""
    position, marker = 2, _START_OF_IMAGE
    while marker != _END_OF_IMAGE:
        limit = len(data) if marker == _START_OF_SCAN else position + MAX_FILL
        match = _MARKER.search(data, position, limit)
        if match is None and marker == _START_OF_SCAN:
            return
        if match is None:
            raise ValueError("a segment is missing")
        marker, position = match[1][0], match.end()
        yield marker, position + 2
        if marker not in (_START_OF_IMAGE, _END_OF_IMAGE):
            position += struct.unpack_from(">H", data, position)[0]


def _covers_all_coefficients(data: bytes, scans: list[int], components: int) -> bool:
    """Return whether the scans together hold every coefficient of every component to its last bit."""
    whole: set[tuple[int, int]] = set()
    for start in scans:
        count = data[start]
        first, last, approximation = struct.unpack_from(">BBB", data, start + 1 + 2 * count)
        if approximation & 0x0F == 0:
            whole |= {(data[start + 1 + 2 * i], k) for i in range(count) for k in range(first, last + 1)}
    return len(whole) >= components * _COEFFICIENTS


def _overloaded(limit: str) -> ImageError:
    return ImageError(f"the JPEG file has more than {limit}: save it again as a plain image, without metadata")
