"""Read the size of a PNG, JPEG or WebP image from its structure, without decoding or decompressing anything.

Files that are built to be slow, with endless chunks, segments or scans, are refused before a decoder sees them.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from pipelines.errors import ImageError
from pipelines.media.image_jpeg import read_structure

# Far above what encoders write: libpng's IDAT chunks hold 8 KiB.
MAX_PNG_CHUNKS = 65_536

_PNG_SIGNATURE_BYTES = 8


def read_size(image_format: str, data: bytes) -> tuple[int, int] | None:
    """Return the stored width and height, or None if only Pillow can read them.

    Raises ImageError if the file is cut short or damaged, or has more parts than any encoder writes.
    """
    reader = _READERS.get(image_format)
    if reader is None:
        return None
    try:
        return reader(data)
    except ImageError:
        raise
    except (struct.error, ValueError, IndexError) as exc:
        raise broken_image(image_format) from exc


def broken_image(image_format: str) -> ImageError:
    return ImageError(f"the {image_format} file is cut short or damaged: send it complete, or save it again")


def _png_size(data: bytes) -> tuple[int, int]:
    kinds = list(islice(_png_chunk_kinds(data), MAX_PNG_CHUNKS + 1))
    if len(kinds) > MAX_PNG_CHUNKS:
        raise ImageError(
            f"the PNG file has more than {MAX_PNG_CHUNKS} chunks: save it again as a plain image, without metadata"
        )
    if kinds[0] != b"IHDR":
        raise ValueError("no header")
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _png_chunk_kinds(data: bytes) -> Iterator[bytes]:
    position, kind = _PNG_SIGNATURE_BYTES, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        (checksum,) = struct.unpack_from(">I", data, end)
        is_critical = kind[:1].isupper()
        if is_critical and checksum != zlib.crc32(memoryview(data)[position + 4 : end]):
            raise ValueError("wrong checksum")
        yield kind
        position = end + 4


def _jpeg_size(data: bytes) -> tuple[int, int]:
    structure = read_structure(data)
    return structure.width, structure.height


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
    raise ValueError("no picture")


_READERS: Mapping[str, Callable[[bytes], tuple[int, int]]] = {
    "PNG": _png_size,
    "JPEG": _jpeg_size,
    "WEBP": _webp_size,
}
