"""Recognise the format of an image file by its first bytes, including the formats that are refused."""

import re
from collections.abc import Sequence

from pipelines.errors import ImageError

# Pillow's name of each format, and the one that people know.
ACCEPTED = {
    "PNG": "PNG",
    "JPEG": "JPEG",
    "WEBP": "WebP",
    "GIF": "GIF",
    "BMP": "BMP",
    "TIFF": "TIFF",
    "AVIF": "AVIF",
    "HEIF": "HEIC",
}
SUGGESTED = "PNG, JPEG or WebP file"
REMEDY = f"send a {SUGGESTED}"

# The first bytes of a file, and Pillow's name of the format.
_SIGNATURES: Sequence[tuple[bytes, str]] = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
# The subtype in a RIFF header.
_RIFF = {b"WEBP": "WEBP", b"AVI ": "an AVI video", b"WAVE": "a WAV sound"}
# The brands in the `ftyp` box of an ISO base media file: what kind of file it is.
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})

_REFUSED: Sequence[tuple[bytes, str]] = (
    (b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (b"8BPS", "a Photoshop document"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"\0\0\1\0", "a Windows icon"),
    (b"\x76\x2f\x31\x01", "an OpenEXR image"),
    (b"#?RADIANCE", "a Radiance HDR image"),
    (b"qoif", "a QOI image"),
    (b"DDS ", "a DDS texture"),
    (b"gimp xcf", "a GIMP document"),
    (b"FUJIFILMCCD-RAW", "a camera's raw image"),
    (b"\x1a\x45\xdf\xa3", "a WebM or Matroska video"),
    (b"OggS", "an Ogg file"),
    (b"FLV\1", "a Flash video"),
    (b"\0\0\1\xba", "an MPEG video"),
    (b"ID3", "an MP3 sound"),
    (b"PK\3\4", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
)
_SVG = re.compile(rb"<svg[\s>]", re.IGNORECASE)
_HTML = re.compile(rb"<(!doctype\s+html|html[\s>])", re.IGNORECASE)
_TEXT_BYTES = 4096


def image_format(data: bytes) -> str:
    """Return Pillow's name of the format, one of `ACCEPTED`. Raises ImageError for anything else."""
    found = _known_format(data)
    if found in ACCEPTED:
        return found
    what = found or _refused_format(data)
    if what is None:
        raise ImageError(f"it is not an image of a known format: {REMEDY}")
    raise ImageError(f"it is {what}: {REMEDY}")


def _known_format(data: bytes) -> str | None:
    if data[:4] == b"RIFF":
        return _RIFF.get(data[8:12])
    if data[4:8] == b"ftyp":
        return _iso_media(data)
    # A bitmap's signature is only two letters; the size of its second header distinguishes it from text.
    if data[:2] == b"BM" and data[14:18] in (b"\x0c\0\0\0", b"\x28\0\0\0", b"\x38\0\0\0", b"\x6c\0\0\0", b"\x7c\0\0\0"):
        return "BMP"
    return next((name for signature, name in _SIGNATURES if data.startswith(signature)), None)


def _iso_media(data: bytes) -> str:
    end = min(int.from_bytes(data[:4], "big"), 512)
    brands = [data[8:12], *(data[i : i + 4] for i in range(16, end, 4))]
    if not _AVIF_BRANDS.isdisjoint(brands):
        return "AVIF"
    if not _HEIF_BRANDS.isdisjoint(brands):
        return "HEIF"
    return "a camera's raw image" if brands[0] == b"crx " else "an MP4 or QuickTime video"


def _refused_format(data: bytes) -> str | None:
    for signature, name in _REFUSED:
        if data.startswith(signature):
            return name
    text = data[:_TEXT_BYTES]
    if _SVG.search(text):
        return "an SVG drawing"
    return "an HTML page" if _HTML.match(text.lstrip(b"\xef\xbb\xbf \t\r\n")) else None
