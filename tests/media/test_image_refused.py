"""Images that are refused, always with an ImageError that says why."""

import io
import random
import struct
import zlib
from contextlib import suppress

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageFile

from pipelines.errors import ImageError
from pipelines.media.image import check_image, decode_image, load_image
from pipelines.media.image_limits import MAX_FILE_BYTES

# For writing HEIC files; the tested code reads them without it.
pillow_heif.register_heif_opener()

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def saved(image, image_format, **options):
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def textured():
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((48, 36), Image.Resampling.BICUBIC)


def samples():
    image, exif = textured(), Image.Exif()
    exif[0x0112] = 6
    return {
        "png": saved(image, "PNG", exif=exif),
        "palette": saved(image.quantize(16), "PNG", transparency=b"\0\x80"),
        "grey16": saved(Image.fromarray(np.asarray(image)[..., 0].astype(np.uint16) << 8), "PNG"),
        "apng": saved(image, "PNG", save_all=True, append_images=[image.rotate(90)]),
        "jpeg": saved(image, "JPEG", exif=exif),
        "progressive": saved(image, "JPEG", progressive=True),
        "cmyk": saved(image.convert("CMYK"), "JPEG"),
        "restarts": saved(image, "JPEG", restart_marker_blocks=3),
        "webp": saved(image, "WEBP", exif=exif),
        "lossless": saved(image, "WEBP", lossless=True),
        "animation": saved(image, "WEBP", save_all=True, append_images=[image.rotate(90)]),
        "gif": saved(image, "GIF"),
        "bmp": saved(image, "BMP"),
        "tiff": saved(image, "TIFF"),
        "lzw": saved(image, "TIFF", compression="tiff_lzw"),
        "avif": saved(image, "AVIF"),
        "heic": saved(image, "HEIF"),
    }


SAMPLES = samples()


def png_chunk(kind, data=b""):
    return struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width, height, depth=8, colour_type=2):
    return png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))


def png(*chunks):
    return PNG_SIGNATURE + b"".join(chunks) + png_chunk(b"IEND")


def jpeg_segment(marker, payload=b""):
    return bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload


def jpeg_of_size(width, height):
    data = SAMPLES["jpeg"]
    start = data.index(b"\xff\xc0") + 5
    return data[:start] + struct.pack(">HH", height, width) + data[start + 4 :]


def bmp_of_size(width, height):
    data = SAMPLES["bmp"]
    return data[:18] + struct.pack("<ii", width, height) + data[26:]


def tiff_of_size(width, height):
    """Change the size in a TIFF; Pillow writes width and height as the first two entries of the directory."""
    data = SAMPLES["tiff"]
    directory = struct.unpack_from("<I", data, 4)[0]
    for tag, side, at in ((256, width, directory + 2), (257, height, directory + 14)):
        assert struct.unpack_from("<H", data, at)[0] == tag
        data = data[: at + 8] + struct.pack("<I", side) + data[at + 12 :]
    return data


def iso_media_of_size(name, width, height):
    """Change the size in an AVIF or HEIC file, which is in a box called ispe."""
    data = SAMPLES[name]
    start = data.index(b"ispe") + 8
    return data[:start] + struct.pack(">II", width, height) + data[start + 8 :]


def with_metadata(data, metadata):
    """Insert metadata before the picture: after a PNG's header or a JPEG's first marker."""
    start = 33 if data.startswith(PNG_SIGNATURE) else 2
    return data[:start] + metadata + data[start:]


PIXELS = png_chunk(b"IDAT", zlib.compress(b"\0abc"))
COMPRESSED_20_MB = zlib.compress(bytes(20_000_000))


REFUSED = {
    "empty": (b"", "is empty"),
    "text": (b"not an image", "known format"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "it is an SVG drawing: send a PNG, JPEG or WebP file"),
    "svg document": (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a fox -->\n<svg\nwidth='9'/>", "an SVG drawing"),
    "html": (b"\n<!DOCTYPE html><html></html>", "an HTML page"),
    "pdf": (b"%PDF-1.7\n", "a PDF document"),
    "jpeg xl": (b"\xff\x0a\xfa\x7f", "a JPEG XL image"),
    "jpeg xl container": (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image"),
    "jpeg 2000": (saved(textured(), "JPEG2000"), "a JPEG 2000 image"),
    "photoshop": (b"8BPS\0\1" + bytes(20), "a Photoshop document"),
    "icon": (saved(textured(), "ICO"), "a Windows icon"),
    "mp4": (b"\0\0\0\x1cftypisom\0\0\2\0isomiso2mp41", "an MP4 or QuickTime video"),
    "webm": (b"\x1a\x45\xdf\xa3" + bytes(20), "a WebM or Matroska video"),
    "avi": (b"RIFF\0\0\0\0AVI LIST", "an AVI video"),
    "other riff": (b"RIFF\0\0\0\0abcd", "known format"),
    "text that begins as a bitmap": (b"BM is how a bitmap begins", "known format"),
    "gif bomb": (SAMPLES["gif"][:6] + b"\xff" * 4 + SAMPLES["gif"][10:], "65535 x 65535 pixels"),
    "bmp bomb": (bmp_of_size(65_000, 65_000), "65000 x 65000 pixels"),
    "tiff bomb": (tiff_of_size(65_000, 65_000), "65000 x 65000 pixels"),
    "avif bomb": (iso_media_of_size("avif", 16_000, 16_000), "16000 x 16000 pixels"),
    "heic that lies about its size": (iso_media_of_size("heic", 16_000, 16_000), "cut short or damaged"),
    "tiff without range": (saved(Image.new("F", (3, 3)), "TIFF"), "32 bits a sample"),
    "over 32 MiB": (SAMPLES["png"] + bytes(MAX_FILE_BYTES), "at most 33554432"),
    "no width": (png(png_header(0, 9), PIXELS), r"no pixels \(0 x 9\)"),
    "no height": (png(png_header(9, 0), PIXELS), r"no pixels \(9 x 0\)"),
    "jpeg without height": (jpeg_of_size(48, 0), r"no pixels \(48 x 0\)"),
    "just over 64 megapixels": (png(png_header(8001, 8000), PIXELS), "8001 x 8000 pixels: send at most 64 megapixels"),
    "png bomb": (png(png_header(2**31 - 1, 2**31 - 1), PIXELS), "64 megapixels"),
    "jpeg bomb": (jpeg_of_size(65_000, 65_000), "64 megapixels"),
    "webp bomb": (SAMPLES["webp"][:24] + b"\xff\xff\xff" * 2 + SAMPLES["webp"][30:], "16777216 x 16777216 pixels"),
    "png with a second header": (png(png_header(1, 1), png_header(30_000, 30_000), PIXELS), "30000 x 30000 pixels"),
    "png that does not begin with its header": (png(PIXELS, png_header(1, 1)), "cut short or damaged"),
    "png of an unknown depth": (png(png_header(1, 1, depth=3), PIXELS), "cut short or damaged"),
    "png without its palette": (png(png_header(1, 1, colour_type=3), PIXELS), "cut short or damaged"),
    "png that is not deflated": (png(png_header(1, 1), png_chunk(b"IDAT", b"not deflated")), "cut short or damaged"),
    "png without pixels": (png(png_header(1, 1)), "cut short or damaged"),
    "webp of an unknown kind": (SAMPLES["webp"][:12] + b"VP9 " + SAMPLES["webp"][16:], "cut short or damaged"),
    "jpeg without a picture": (b"\xff\xd8\xff\xd9", "cut short or damaged"),
    "endless chunks": (with_metadata(SAMPLES["png"], png_chunk(b"teXt") * 70_000), "more than 65536 chunks"),
    "endless segments": (
        with_metadata(SAMPLES["jpeg"], jpeg_segment(0xE1, b"Exif\0\0a") * 5000),
        "more than 4096 segments",
    ),
    "filled jpeg": (with_metadata(SAMPLES["jpeg"], jpeg_segment(0xFE) + bytes(5000)), "cut short or damaged"),
    "endless scans": (SAMPLES["jpeg"][:-2] + jpeg_segment(0xDA) * 101 + b"\xff\xd9", "more than 100 scans"),
    "text bomb": (
        with_metadata(SAMPLES["png"], png_chunk(b"zTXt", b"a\0\0" + COMPRESSED_20_MB)),
        "cut short or damaged",
    ),
    "profile bomb": (
        with_metadata(SAMPLES["png"], png_chunk(b"iCCP", b"a\0\0" + COMPRESSED_20_MB)),
        "cut short or damaged",
    ),
    "international text bomb": (
        with_metadata(SAMPLES["png"], png_chunk(b"iTXt", b"a\0\1\0\0\0" + COMPRESSED_20_MB)),
        "cut short or damaged",
    ),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED)
def test_an_invalid_image_is_refused_with_the_reason(data, message, tmp_path):
    with pytest.raises(ImageError, match=message):
        decode_image(data)
    path = tmp_path / "image"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=message):
        load_image(path)


@pytest.mark.parametrize("data", [png(png_header(30_000, 30_000), PIXELS), jpeg_of_size(30_000, 30_000)])
def test_limits_are_checked_without_decoding(data):
    with pytest.raises(ImageError, match="30000 x 30000"):
        check_image(data)


# Bytes at the end that only mark the end: a JPEG's end marker, a GIF's trailer.
END_BYTES = {"jpeg": 2, "progressive": 2, "cmyk": 2, "restarts": 2, "gif": 2}


@pytest.mark.parametrize("name", list(SAMPLES))
def test_an_image_truncated_anywhere_is_refused(name):
    data = SAMPLES[name]
    decode_image(data)
    for length in range(0, len(data) - END_BYTES.get(name, 0), 1 if len(data) < 2000 else 3):
        with pytest.raises(ImageError):
            decode_image(data[:length])


@pytest.mark.parametrize("name", ["png", "palette", "grey16"])
def test_a_png_with_any_wrong_byte_in_its_pixels_is_refused(name):
    data = SAMPLES[name]
    start = data.index(b"IDAT")
    for position in range(start, len(data), 7):
        damaged = bytearray(data)
        damaged[position] ^= 0x55
        with pytest.raises(ImageError):
            decode_image(bytes(damaged))


def with_valid_checksums(data):
    """Recompute the checksums of a PNG, so that damage reaches the decoder."""
    chunks, position = [], 8
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        chunks.append(png_chunk(kind, data[position + 8 : position + 8 + length]))
        position += 12 + length
    return data[:8] + b"".join(chunks)


def damaged(data, generator):
    damaged = bytearray(data)
    for _ in range(generator.choice((1, 2, 5, 20))):
        position = generator.randrange(len(damaged) if generator.random() < 0.5 else min(120, len(damaged)))
        length = generator.randrange(1, 9)
        replacement = generator.randbytes(generator.choice((0, length, length, length, 2 * length)))
        damaged[position : position + length] = replacement
    result = bytes(damaged)
    return with_valid_checksums(result) if result.startswith(PNG_SIGNATURE) else result


@pytest.mark.parametrize("name", list(SAMPLES))
def test_a_damaged_image_decodes_or_raises_image_error(name):
    generator = random.Random(name)
    refused = 0
    for _ in range(300):
        try:
            assert decode_image(damaged(SAMPLES[name], generator)).mode == "RGB"
        except ImageError:
            refused += 1
    assert refused > 0


def pillow_settings():
    return Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, set(Image.ID)


def test_the_settings_of_pillow_are_not_changed():
    before = pillow_settings()
    for data in (*SAMPLES.values(), SAMPLES["jpeg"][:500], jpeg_of_size(9000, 9000)):
        with suppress(ImageError):
            decode_image(data)
    assert pillow_settings() == before
