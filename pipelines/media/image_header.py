"""Format and size of an image from its structure alone: nothing is decoded and nothing decompressed.

Refuses here, before a decoder sees them, the files that are built to be slow: endless chunks, segments and scans.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from pipelines.errors import ImageError

# Far above what encoders write: libpng's IDAT chunks hold 8 KiB, JPEG segments up to 64 KiB, and a progressive JPEG
# has about ten scans. Pillow takes minutes over 32 MiB of tiny EXIF segments, libjpeg hours over empty scans.
MAX_PNG_CHUNKS = 65_536
MAX_JPEG_SEGMENTS = 4096
MAX_JPEG_SCANS = 100
# Stray bytes between two segments, which decoders skip one by one.
MAX_JPEG_FILL = 1024

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Neither a stuffed zero nor a restart marker, both of which belong to a scan's data.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])", re.DOTALL)
_JPEG_START_OF_IMAGE, _JPEG_END_OF_IMAGE, _JPEG_START_OF_SCAN = 0xD8, 0xD9, 0xDA
_JPEG_FRAME_HEADERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True)
class ImageInfo:
    """`format` is Pillow's name; the size is the one stored, before any rotation that EXIF asks for."""

    format: str
    width: int
    height: int


def read_header(data: bytes) -> ImageInfo:
    """Raises ImageError when `data` is no PNG, JPEG or WebP file, or one that is cut short or damaged."""
    image_format, read_size = _reader(data)
    try:
        width, height = read_size(data)
    except struct.error as exc:
        raise broken_image(image_format) from exc
    return ImageInfo(image_format, width, height)


def broken_image(image_format: str) -> ImageError:
    return ImageError(f"the {image_format} file is cut short or damaged: send it complete, or save it again")


def _reader(data: bytes) -> tuple[str, Callable[[bytes], tuple[int, int]]]:
    if data.startswith(_PNG_SIGNATURE):
        return "PNG", _png_size
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG", _jpeg_size
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP", _webp_size
    raise ImageError("it is not an image of a known format: send a PNG, JPEG or WebP file")


def _png_size(data: bytes) -> tuple[int, int]:
    kinds = list(islice(_png_chunk_kinds(data), MAX_PNG_CHUNKS + 1))
    if len(kinds) > MAX_PNG_CHUNKS:
        raise _overloaded("PNG", f"{MAX_PNG_CHUNKS} chunks")
    if kinds[0] != b"IHDR":
        raise broken_image("PNG")
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _png_chunk_kinds(data: bytes) -> Iterator[bytes]:
    position, kind = len(_PNG_SIGNATURE), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        (checksum,) = struct.unpack_from(">I", data, end)
        is_critical = kind[:1].isupper()
        if is_critical and checksum != zlib.crc32(memoryview(data)[position + 4 : end]):
            raise broken_image("PNG")
        yield kind
        position = end + 4


def _jpeg_size(data: bytes) -> tuple[int, int]:
    size, scans = None, 0
    segments = list(islice(_jpeg_segments(data), MAX_JPEG_SEGMENTS + 1))
    if len(segments) > MAX_JPEG_SEGMENTS:
        raise _overloaded("JPEG", f"{MAX_JPEG_SEGMENTS} segments")
    for marker, start in segments:
        scans += marker == _JPEG_START_OF_SCAN
        if marker in _JPEG_FRAME_HEADERS:
            height, width = struct.unpack_from(">HH", data, start + 1)
            size = width, height
    if scans > MAX_JPEG_SCANS:
        raise _overloaded("JPEG", f"{MAX_JPEG_SCANS} scans")
    if size is None:
        raise broken_image("JPEG")
    return size


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """The marker and the start of the payload of every segment, up to the end of the image."""
    position, marker = 2, _JPEG_START_OF_IMAGE
    while marker != _JPEG_END_OF_IMAGE:
        limit = len(data) if marker == _JPEG_START_OF_SCAN else position + MAX_JPEG_FILL
        match = _JPEG_MARKER.search(data, position, limit)
        if match is None:
            raise broken_image("JPEG")
        marker, position = match[1][0], match.end()
        yield marker, position + 2
        if marker not in (_JPEG_START_OF_IMAGE, _JPEG_END_OF_IMAGE):
            position += struct.unpack_from(">H", data, position)[0]


def _webp_size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", data, 24)
        return (high_width << 16 | low_width) + 1, (high_height << 16 | low_height) + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise broken_image("WebP")


def _overloaded(image_format: str, limit: str) -> ImageError:
    return ImageError(
        f"the {image_format} file has more than {limit}: save it again as a plain image, without metadata"
    )
