"""Images that condition a clip: limits, and decoding to plain RGB. Knows nothing of a clip's size."""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from pipelines.errors import ImageError
from pipelines.media.image_header import ImageInfo, broken_image, read_header

MAX_FILE_BYTES = 32 * 2**20
MAX_PIXELS = 64_000_000

# Not Image.open: that adds plugins to Pillow's registry, and a warning for what is refused here anyway.
_READERS: Mapping[str, Callable[[BytesIO], Image.Image]] = {
    "PNG": PngImageFile,
    "JPEG": JpegImageFile,
    "WEBP": WebPImageFile,
}

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# What Pillow lets through on bad bytes; a warning, where the process turns warnings into errors.
_PILLOW_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    EOFError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Warning,
)


def check_image(data: bytes) -> ImageInfo:
    """Check the limits without decoding. Raises ImageError."""
    _validate_file_size(len(data))
    info = read_header(data)
    _validate_size(info.width, info.height)
    return info


def decode_image(data: bytes) -> Image.Image:
    """The image as RGB, upright, over black where it is transparent; an animation's first frame. Raises ImageError."""
    info = check_image(data)
    with _translated_errors(info.format):
        image = _READERS[info.format](BytesIO(data))
        _validate_size(*image.size)
        image.load()
        return _upright(_to_rgb(image), _orientation(image))


def load_image(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3). Raises ImageError."""
    try:
        _validate_file_size(path.stat().st_size)
        data = path.read_bytes()
    except OSError as exc:
        raise ImageError(f"the image file cannot be read: {exc.strerror}") from exc
    return np.array(decode_image(data))


def _validate_file_size(size_bytes: int) -> None:
    if size_bytes > MAX_FILE_BYTES:
        raise ImageError(f"the image file has {size_bytes} bytes: send at most {MAX_FILE_BYTES} (32 MiB)")
    if size_bytes == 0:
        raise ImageError("the image is empty: send a PNG, JPEG or WebP file")


def _validate_size(width: int, height: int) -> None:
    if not width or not height:
        raise ImageError(f"the image has no pixels ({width} x {height}): send one of at least 1 x 1")
    if width * height > MAX_PIXELS:
        raise ImageError(f"the image has {width} x {height} pixels: send at most 64 megapixels")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return _from_16_bit(image).convert("RGB")
    if image.has_transparency_data:
        premultiplied = image.convert("RGBA").convert("RGBa")
        return Image.merge("RGB", premultiplied.split()[:3])
    return image.convert("RGB")


def _from_16_bit(image: Image.Image) -> Image.Image:
    samples = np.asarray(image)
    grey = (samples >> 8).astype(np.uint8)
    if "transparency" in image.info:
        grey[samples == image.info["transparency"]] = 0
    return Image.fromarray(grey)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except _PILLOW_ERRORS:
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    transposition = _TRANSPOSITIONS.get(orientation)
    return image if transposition is None else image.transpose(transposition)


@contextmanager
def _translated_errors(image_format: str) -> Iterator[None]:
    try:
        yield
    except ImageError:
        raise
    except _PILLOW_ERRORS as exc:
        raise broken_image(image_format) from exc
