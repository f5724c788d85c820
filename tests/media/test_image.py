"""Pictures in every format and colour space decode to the same RGB."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from pipelines.errors import ImageError
from pipelines.media.image import check_image, decode_image, load_image
from tests.media.icc import cmyk_profile, grey_profile, rgb_profile

# For writing HEIC files; the tested code reads them without it.
pillow_heif.register_heif_opener()

# Red and green above blue and white, 64 x 48: large enough for JPEG and lossy WebP to keep the middle of each field.
QUADRANTS = np.zeros((48, 64, 3), np.uint8)
QUADRANTS[:24, :32] = (200, 30, 40)
QUADRANTS[:24, 32:] = (20, 180, 60)
QUADRANTS[24:, :32] = (30, 50, 190)
QUADRANTS[24:, 32:] = (230, 230, 230)
PICTURE = Image.fromarray(QUADRANTS)


def saved(image, image_format="PNG", **options):
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def png_chunk(kind, data=b""):
    return struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour_type, rows, *chunks):
    """Return a PNG of a kind that Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    body = [png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", pixels), png_chunk(b"IEND")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def centres(image):
    """Return the colours in the middle of the four fields."""
    width, height = image.size
    return [image.getpixel((width * x // 4, height * y // 4)) for y in (1, 3) for x in (1, 3)]


def pixels(data):
    return np.asarray(decode_image(data)).tolist()


@pytest.mark.parametrize(
    ("data", "tolerance"),
    [
        (saved(PICTURE), 0),
        (saved(PICTURE.quantize(16, dither=Image.Dither.NONE)), 0),
        (saved(PICTURE.convert("RGBA")), 0),
        (saved(PICTURE, "WEBP", lossless=True), 0),
        (saved(PICTURE, "WEBP", quality=90), 12),
        (saved(PICTURE, "JPEG", quality=95), 12),
        (saved(PICTURE, "JPEG", quality=95, progressive=True), 12),
        (saved(PICTURE.convert("CMYK"), "JPEG", quality=95), 12),
        (saved(PICTURE, "GIF"), 0),
        (saved(PICTURE, "BMP"), 0),
        (saved(PICTURE, "TIFF"), 0),
        (saved(PICTURE, "TIFF", compression="tiff_lzw"), 0),
        (saved(PICTURE, "TIFF", compression="jpeg"), 40),
        (saved(PICTURE.convert("CMYK"), "TIFF"), 1),
        (saved(PICTURE, "AVIF", quality=95), 12),
        (saved(PICTURE, "HEIF", quality=95), 12),
    ],
    ids=[
        *("png", "palette", "opaque alpha", "webp lossless", "webp", "jpeg", "progressive", "cmyk"),
        *("gif", "bmp", "tiff", "tiff lzw", "tiff jpeg", "tiff cmyk", "avif", "heic"),
    ],
)
def test_every_format_decodes_to_the_same_colours(data, tolerance):
    image = decode_image(data)
    assert (image.mode, image.size) == ("RGB", PICTURE.size)
    assert np.array(centres(image)) == pytest.approx(np.array(centres(PICTURE)), abs=tolerance)


def test_the_inks_of_an_adobe_jpeg_are_stored_inverted():
    image = Image.new("CMYK", (64, 64), (0, 255, 255, 0))
    data = saved(image, "JPEG", quality=95)
    assert b"Adobe" in data
    assert decode_image(data).getpixel((32, 32)) == pytest.approx((255, 0, 0), abs=4)


OVER_BLACK = {
    "1 bit": (saved(Image.new("1", (1, 1), 1)), [255, 255, 255]),
    "grey": (saved(Image.new("L", (1, 1), 77)), [77, 77, 77]),
    "grey with alpha": (saved(Image.new("LA", (1, 1), (200, 128))), [100, 100, 100]),
    "alpha": (saved(Image.new("RGBA", (1, 1), (200, 100, 50, 128))), [100, 50, 25]),
    "transparent": (saved(Image.new("RGBA", (1, 1), (200, 100, 50, 0))), [0, 0, 0]),
    "transparent webp": (
        saved(Image.new("RGBA", (1, 1), (200, 100, 50, 0)), "WEBP", lossless=True, exact=True),
        [0, 0, 0],
    ),
    "16-bit grey": (saved(Image.fromarray(np.full((1, 1), 0x1234, np.uint16))), [0x12] * 3),
    "16-bit white": (saved(Image.fromarray(np.full((1, 1), 0xFFFF, np.uint16))), [255] * 3),
    "16-bit transparent grey": (png(1, 1, 16, 0, [b"\x12\x34"], png_chunk(b"tRNS", b"\x12\x34")), [0, 0, 0]),
    "16-bit grey beside the transparent one": (
        png(1, 1, 16, 0, [b"\x12\x35"], png_chunk(b"tRNS", b"\x12\x34")),
        [0x12] * 3,
    ),
    "16-bit RGB": (png(1, 1, 16, 2, [b"\x12\x34\x56\x78\x9a\xbc"]), [0x12, 0x56, 0x9A]),
    "16-bit grey with alpha": (png(1, 1, 16, 4, [b"\xff\xff\x80\x00"]), [128, 128, 128]),
    "16-bit RGBA": (png(1, 1, 16, 6, [b"\xff\xff\x80\x00\x00\x00\x80\x00"]), [128, 64, 0]),
    "transparent colour": (png(1, 1, 8, 2, [b"\x0a\x14\x1e"], png_chunk(b"tRNS", b"\0\x0a\0\x14\0\x1e")), [0, 0, 0]),
    "transparent grey": (png(1, 1, 8, 0, [b"\x0a"], png_chunk(b"tRNS", b"\0\x0a")), [0, 0, 0]),
    "2-bit grey": (png(1, 1, 2, 0, [b"\x40"]), [85, 85, 85]),
    "palette with a transparent entry": (
        png(1, 1, 8, 3, [b"\1"], png_chunk(b"PLTE", b"abcdef"), png_chunk(b"tRNS", b"\xff\0")),
        [0, 0, 0],
    ),
    "palette with alpha": (
        png(1, 1, 8, 3, [b"\1"], png_chunk(b"PLTE", bytes([0, 0, 0, 90, 60, 30])), png_chunk(b"tRNS", b"\0\x80")),
        [45, 30, 15],
    ),
}


@pytest.mark.parametrize(("data", "expected"), OVER_BLACK.values(), ids=OVER_BLACK)
def test_transparent_pixels_are_blended_with_black(data, expected):
    assert pixels(data) == [[expected]]


ORIENTED = {
    1: PICTURE,
    2: PICTURE.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: PICTURE.rotate(180),
    4: PICTURE.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: PICTURE.transpose(Image.Transpose.TRANSPOSE),
    6: PICTURE.rotate(90, expand=True),
    7: PICTURE.transpose(Image.Transpose.TRANSVERSE),
    8: PICTURE.rotate(-90, expand=True),
}


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", list(ORIENTED))
def test_the_exif_orientation_is_applied(orientation, image_format):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options_of: dict[str, dict[str, Any]] = {"PNG": {}, "JPEG": {"quality": 95}, "WEBP": {"lossless": True}}
    data = saved(ORIENTED[orientation], image_format, exif=exif, **options_of[image_format])
    image = decode_image(data)
    assert image.size == PICTURE.size
    assert np.array(centres(image)) == pytest.approx(np.array(centres(PICTURE)), abs=12)
    assert (check_image(data).width, check_image(data).height) == PICTURE.size


@pytest.mark.parametrize("value", [0, 9, 6000])
def test_an_invalid_orientation_is_ignored(value):
    exif = Image.Exif()
    exif[0x0112] = value
    assert decode_image(saved(PICTURE, exif=exif)).size == PICTURE.size


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12"])
def test_broken_exif_is_ignored(exif):
    for image_format in ("PNG", "JPEG", "WEBP"):
        assert decode_image(saved(PICTURE, image_format, exif=exif)).size == PICTURE.size


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (saved(PICTURE, "AVIF", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"), (48, 64)),
        (saved(PICTURE, "TIFF", tiffinfo={0x0112: 6}), (48, 64)),
    ],
    ids=["avif", "tiff"],
)
def test_the_orientation_of_other_formats_is_applied(data, size):
    upright = decode_image(data)
    assert upright.size == (check_image(data).width, check_image(data).height) == size
    assert np.array(centres(upright)) == pytest.approx(np.array(centres(ORIENTED[8])), abs=12)


def test_a_heic_file_rotated_by_its_container_is_rotated_once():
    """An iPhone writes the EXIF orientation as well; it must not be applied again."""
    turned = ORIENTED[6].copy()
    turned.getexif()[0x0112] = 6
    data = saved(turned, "HEIF", exif=turned.getexif().tobytes(), quality=95)
    assert np.array(centres(decode_image(data))) == pytest.approx(np.array(centres(PICTURE)), abs=12)


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "GIF", "TIFF", "AVIF"])
def test_the_first_frame_of_an_animation_is_used(image_format):
    others = [Image.new("RGB", PICTURE.size, (i, i, i)) for i in range(3)]
    options = {"quality": 100} if image_format == "AVIF" else {} if image_format == "TIFF" else {"lossless": True}
    data = saved(PICTURE, image_format, save_all=True, append_images=others, **options)
    assert np.array(centres(decode_image(data))) == pytest.approx(np.array(centres(PICTURE)), abs=4)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"])
def test_check_image_returns_format_and_size(image_format):
    info = check_image(saved(PICTURE, image_format))
    assert (info.format, info.width, info.height) == (image_format, 64, 48)


SRGB = ImageCms.createProfile("sRGB")


def as_srgb(image, profile):
    """Convert an image to sRGB as a colour-managed viewer does."""
    return ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), SRGB, outputMode="RGB")


@pytest.mark.parametrize(
    ("image_format", "options", "tolerance"),
    [
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("TIFF", {}, 0),
        ("JPEG", {"quality": 95}, 12),
        ("AVIF", {"quality": 95}, 12),
        ("HEIF", {"quality": 95}, 12),
    ],
)
def test_a_colour_profile_is_applied(image_format, options, tolerance):
    expected = centres(as_srgb(PICTURE, rgb_profile()))
    image = decode_image(saved(PICTURE, image_format, icc_profile=rgb_profile(), **options))
    assert np.abs(np.array(expected) - np.array(centres(PICTURE))).max() > 20
    assert np.array(centres(image)) == pytest.approx(np.array(expected), abs=tolerance)


def test_the_profile_of_srgb_changes_nothing():
    profile = ImageCms.ImageCmsProfile(SRGB).tobytes()
    assert pixels(saved(PICTURE, icc_profile=profile)) == QUADRANTS.tolist()


def test_the_profile_is_applied_before_transparency():
    colour = as_srgb(Image.new("RGB", (1, 1), (200, 100, 50)), rgb_profile()).getpixel((0, 0))
    data = saved(Image.new("RGBA", (1, 1), (200, 100, 50, 128)), icc_profile=rgb_profile())
    assert pixels(data) == [[[pytest.approx(value * 128 / 255, abs=1) for value in colour]]]


PROFILES_OF_OTHER_SPACES = {
    "grey": (saved(Image.new("L", (1, 1), 77), icc_profile=grey_profile(1.0)), [149] * 3),
    "grey with alpha": (saved(Image.new("LA", (1, 1), (77, 128)), icc_profile=grey_profile(1.0)), [75] * 3),
    "16-bit grey": (
        saved(Image.fromarray(np.full((1, 1), 77 << 8, np.uint16)), icc_profile=grey_profile(1.0)),
        [149] * 3,
    ),
    "paper": (saved(Image.new("CMYK", (1, 1)), "TIFF", icc_profile=cmyk_profile()), [255] * 3),
    "ink": (saved(Image.new("CMYK", (1, 1), (255, 0, 0, 0)), "TIFF", icc_profile=cmyk_profile()), [0] * 3),
}


@pytest.mark.parametrize(("data", "expected"), PROFILES_OF_OTHER_SPACES.values(), ids=PROFILES_OF_OTHER_SPACES)
def test_profiles_of_grey_and_cmyk_are_applied(data, expected):
    assert pixels(data) == [[[pytest.approx(value, abs=1) for value in expected]]]


@pytest.mark.parametrize(
    "profile",
    [b"no profile", rgb_profile()[:200], bytes(500), grey_profile(1.0), cmyk_profile()],
    ids=["text", "cut short", "zeros", "of grey", "of ink"],
)
def test_a_profile_that_does_not_fit_is_ignored(profile):
    assert pixels(saved(PICTURE, icc_profile=profile)) == QUADRANTS.tolist()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}], ids=str)
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_without_its_end_marker_is_accepted(missing, options):
    data = saved(PICTURE, "JPEG", quality=95, **options)
    assert pixels(data[:-missing]) == pixels(data)


def test_large_metadata_does_not_change_the_colours(tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add_text("workflow", "a" * 3_000_000)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = saved(PICTURE, pnginfo=text, icc_profile=profile)
    assert centres(decode_image(data)) == centres(PICTURE)


def test_load_image_reads_a_file(tmp_path):
    path = tmp_path / "image"
    path.write_bytes(saved(PICTURE))
    array = load_image(path)
    assert array.dtype == np.uint8
    assert array.flags.writeable
    assert (array == QUADRANTS).all()


def test_load_image_names_a_missing_file(tmp_path):
    with pytest.raises(ImageError, match="cannot be read: No such file"):
        load_image(tmp_path / "missing")
