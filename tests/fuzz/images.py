"""Image files that are damaged, state a wrong size, or are slow or large to decode."""

import io
import struct
import zlib
from functools import cache

from hypothesis import strategies as st
from PIL import Image

from tests.http.conftest import picture, png


@cache
def whole() -> tuple[bytes, ...]:
    """Return one valid image of each kind that decoders distinguish."""
    exif = Image.Exif()
    exif[0x0112] = 6
    grey = io.BytesIO()
    Image.linear_gradient("L").resize((32, 32)).convert("I;16").save(grey, "PNG")
    palette = io.BytesIO()
    Image.new("P", (32, 32)).save(palette, "PNG", transparency=0)
    cmyk = io.BytesIO()
    Image.new("CMYK", (32, 32), (10, 20, 30, 40)).save(cmyk, "JPEG")
    return (
        picture("PNG"),
        picture("PNG", exif=exif),
        grey.getvalue(),
        palette.getvalue(),
        picture("JPEG", exif=exif),
        picture("JPEG", progressive=True),
        cmyk.getvalue(),
        picture("WEBP"),
        picture("WEBP", lossless=True, exif=exif),
    )


def _flipped(image: bytes, bits: list[int]) -> bytes:
    data = bytearray(image)
    for bit in bits:
        data[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(data)


def _spliced(image: bytes, start: int, length: int, piece: bytes) -> bytes:
    start %= len(image)
    return image[:start] + piece + image[start + length :]


def _repeated(image: bytes, start: int, length: int, times: int) -> bytes:
    start %= len(image)
    return image[:start] + image[start : start + length] * times + image[start + length :]


def _png_of_size(width: int, height: int) -> bytes:
    return png(width, height, zlib.compress(b"\0" * 4096))


def _jpeg_of_size(width: int, height: int) -> bytes:
    data = bytearray(picture("JPEG"))
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, height, width)
    return bytes(data)


def _webp_of_size(width: int, height: int) -> bytes:
    extended = struct.pack("<4sIB3xHBHB", b"VP8X", 10, 0, width, 0, height, 0)
    return struct.pack("<4sI4s", b"RIFF", 4 + len(extended), b"WEBP") + extended


def _png_text_bomb(megabytes: int) -> bytes:
    """Return a PNG with a comment that decompresses to a thousand times its size."""
    data = b"zTXt" + b"note\0\0" + zlib.compress(b"\0" * (megabytes << 20))
    chunk = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    plain = picture("PNG")
    return plain[:33] + chunk + plain[33:]


def _exif_bomb(entries: int, count: int) -> bytes:
    """Return a JPEG whose EXIF directory has many huge entries and links to itself."""
    directory = struct.pack("<H", entries) + struct.pack("<HHII", 0x0112, 3, count, 8) * min(entries, 5000)
    exif = (b"Exif\0\0II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 8))[:65_000]
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    plain = picture("JPEG")
    return plain[:2] + segment + plain[2:]


originals = st.sampled_from(range(9)).map(lambda index: whole()[index])
places = st.integers(0, 5000)
sides = st.sampled_from([0, 1, 2, 8000, 8001, 32_767, 65_535]) | st.integers(0, 65_535)

images = st.one_of(
    st.builds(lambda image, end: image[: end % len(image)], originals, places),
    st.builds(_flipped, originals, st.lists(st.integers(0, 40_000), min_size=1, max_size=8)),
    st.builds(_spliced, originals, places, st.integers(0, 64), st.binary(max_size=64)),
    st.builds(_repeated, originals, places, st.integers(1, 400), st.integers(2, 300)),
    st.builds(_png_of_size, sides, sides),
    st.builds(_jpeg_of_size, sides, sides),
    st.builds(_webp_of_size, sides, sides),
    st.builds(_png_text_bomb, st.integers(1, 64)),
    st.builds(_exif_bomb, st.integers(0, 65_535), st.sampled_from([0, 1, 2**31, 2**32 - 1])),
    st.builds(
        lambda start, noise: start + noise,
        st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP"]),
        st.binary(max_size=300),
    ),
)
