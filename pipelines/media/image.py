"""Validate and decode the images that condition a clip to plain RGB, independently of the clip's size."""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile
from pillow_heif.as_plugin import HeifImageFile

from pipelines.errors import ImageError
from pipelines.media.image_color import to_srgb
from pipelines.media.image_format import REMEDY, image_format
from pipelines.media.image_header import broken_image, read_size
from pipelines.media.image_jpeg import load_without_end, read_structure
from pipelines.media.image_limits import MAX_FILE_BYTES, MAX_PIXELS

# Used instead of Image.open, which registers plugins and warns about images that are refused here anyway.
_READERS: Mapping[str, Callable[[BytesIO], Image.Image]] = {
    "PNG": PngImageFile,
    "JPEG": JpegImageFile,
    "WEBP": WebPImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "AVIF": AvifImageFile,
    "HEIF": HeifImageFile,
}

# 32 bits per sample: the file does not say which values are black and white.
_MODES_WITHOUT_RANGE = ("I", "F")

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# What Pillow raises on bad data; Warning, if the process turns warnings into errors.
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
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Warning,
)


@dataclass(frozen=True)
class ImageInfo:
    """An image's format, as Pillow names it, and its size after any rotation that EXIF asks for."""

    format: str
    width: int
    height: int


class OpenImage:
    """An image file within the limits, not decoded yet. Raises ImageError."""

    def __init__(self, data: bytes) -> None:
        _validate_file_size(len(data))
        self.format = image_format(data)
        self._data = data
        size = read_size(self.format, data)
        if size is not None:
            _validate_size(*size)
        with _translated_errors(self.format):
            self._image = _READERS[self.format](BytesIO(data))
            _validate_size(*self._image.size)

    @property
    def size(self) -> tuple[int, int]:
        """Return the stored width and height."""
        return self._image.size

    def decode(self) -> Image.Image:
        """Return the image as sRGB, upright, over black where it is transparent; of an animation, the first frame.

        Raises ImageError.
        """
        with _translated_errors(self.format):
            image = self._load()
            if image.mode in _MODES_WITHOUT_RANGE:
                raise ImageError(f"the {self.format} file has 32 bits a sample: {REMEDY}")
            return _upright(to_srgb(image), _orientation(image))

    def _load(self) -> Image.Image:
        if self.format == "JPEG" and not read_structure(self._data).has_end:
            return load_without_end(self._data)
        self._image.load()
        # Some decoders change the size.
        _validate_size(*self._image.size)
        return self._image


def check_image(data: bytes) -> ImageInfo:
    """Decode the image to its last pixel, and return its format and size. Raises ImageError."""
    opened = OpenImage(data)
    return ImageInfo(opened.format, *opened.decode().size)


def decode_image(data: bytes) -> Image.Image:
    """Return the image as `OpenImage.decode` does. Raises ImageError."""
    return OpenImage(data).decode()


def load_image(path: Path) -> NDArray[np.uint8]:
    """Return the pixels as (H, W, 3). Raises ImageError."""
    try:
        _validate_file_size(path.stat().st_size)
        data = path.read_bytes()
    except OSError as exc:
        raise ImageError(f"the image file cannot be read: {exc.strerror}") from exc
    return np.array(decode_image(data))


def _validate_file_size(size_bytes: int) -> None:
    if size_bytes > MAX_FILE_BYTES:
        limit = f"{MAX_FILE_BYTES} ({MAX_FILE_BYTES / 2**20:g} MiB)"
        raise ImageError(f"the image file has {size_bytes} bytes: send at most {limit}")
    if size_bytes == 0:
        raise ImageError(f"the image is empty: {REMEDY}")


def _validate_size(width: int, height: int) -> None:
    if not width or not height:
        raise ImageError(f"the image has no pixels ({width} x {height}): send one of at least 1 x 1")
    if width * height > MAX_PIXELS:
        raise ImageError(f"the image has {width} x {height} pixels: send at most {MAX_PIXELS // 10**6} megapixels")


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
