"""Read sizes by name: `resolution` is `1280x720`, `720p`, `4k` or `16:9`, and `aspect_ratio` is `16:9`."""

import re
from dataclasses import dataclass
from fractions import Fraction

from pipelines.geometry import MAX_LONG_SIDE, MIN_SIDE, snap_size
from pipelines.memory import DEFAULT_CLIP
from server.contract.errors import RequestInvalid

# Values that leave the choice to the server.
AUTOMATIC = frozenset({"", "auto", "adaptive"})
# The short side in pixels.
NAMED_SIDES = {"480p": 480, "540p": 540, "720p": 720, "768p": 768, "1080p": 1080, "1440p": 1440, "2160p": 2160}
NAMED_SIDES |= {"4k": 2160}
DEFAULT_RATIO = Fraction(16, 9)
MAX_RATIO = Fraction(MAX_LONG_SIDE, MIN_SIDE)
# Rounding to the grid changes the shape of a named size by at most this much.
SHAPE_TOLERANCE = Fraction(1, 10)

SIZE_ERROR = 'Input should be a size such as "1280x720", "480p", "720p", "1080p", "1440p", "4k", "16:9" or "auto"'
RATIO_ERROR = f'Input should be an aspect ratio such as "16:9", "9:16", "1:1" or "4:3", up to {MAX_RATIO}:1'

_PIXELS = re.compile(r"\s*([0-9]{1,9})\s*[x*\u00d7]\s*([0-9]{1,9})\s*", re.IGNORECASE)
_RATIO = re.compile(r"\s*([0-9]{1,5}(?:\.[0-9]{1,5})?)\s*[:/]\s*([0-9]{1,5}(?:\.[0-9]{1,5})?)\s*")


@dataclass(frozen=True)
class NamedSize:
    """Exactly one of: both sides in pixels, the short side, or the shape (width / height)."""

    pixels: tuple[int, int] | None = None
    short_side: int | None = None
    ratio: Fraction | None = None


def is_automatic(sent: object) -> bool:
    return sent is None or (isinstance(sent, str) and sent.strip().lower() in AUTOMATIC)


def read_named_size(
    resolution: object, aspect_ratio: object, width: object = None, height: object = None
) -> tuple[int, int]:
    """Return the width and height that the names mean, given one side if it was sent. Raises RequestInvalid."""
    size = NamedSize() if resolution is None else _parse_size(resolution)
    if size is None:
        raise RequestInvalid.at(("resolution",), SIZE_ERROR, "resolution_invalid")
    ratio = size.ratio if aspect_ratio is None else _parse_ratio(aspect_ratio)
    if aspect_ratio is not None and ratio is None:
        raise RequestInvalid.at(("aspect_ratio",), RATIO_ERROR, "aspect_ratio_invalid")
    if size.pixels is not None:
        return size.pixels
    if ratio is not None and (sent_width := _pixels(width)):
        return sent_width, snap_size(sent_width, round(sent_width / ratio))[1]
    if ratio is not None and (sent_height := _pixels(height)):
        return snap_size(round(sent_height * ratio), sent_height)[0], sent_height
    return _size_of(size.short_side or DEFAULT_CLIP.height, ratio or DEFAULT_RATIO)


def names_same_size(sent: object, other: object, aspect_ratio: object) -> bool:
    """Return whether two resolutions mean the same size; False if one of them cannot be read."""
    try:
        return agrees(sent, *read_named_size(other, None if is_automatic(aspect_ratio) else aspect_ratio))
    except RequestInvalid:
        return False


def agrees(sent: object, width: object, height: object) -> bool:
    """Return whether a resolution or an aspect ratio matches a width and a height."""
    size, sides = _parse_size(sent), (_pixels(width), _pixels(height))
    if size is None or sides[0] is None or sides[1] is None:
        return False
    if size.short_side is not None:
        used = snap_size(sides[0], sides[1])
        return min(used) == snap_size(size.short_side, size.short_side)[0] or max(used) == MAX_LONG_SIDE
    if size.ratio is not None:
        return abs(Fraction(sides[0], sides[1]) / size.ratio - 1) <= SHAPE_TOLERANCE
    return size.pixels == sides


def _parse_size(sent: object) -> NamedSize | None:
    if not isinstance(sent, str):
        return None
    if pixels := _PIXELS.fullmatch(sent):
        return NamedSize(pixels=(int(pixels[1]), int(pixels[2])))
    if short_side := NAMED_SIDES.get(sent.strip().lower()):
        return NamedSize(short_side=short_side)
    ratio = _parse_ratio(sent)
    return None if ratio is None else NamedSize(ratio=ratio)


def _parse_ratio(sent: object) -> Fraction | None:
    match = _RATIO.fullmatch(sent) if isinstance(sent, str) else None
    if match is None or not (width := Fraction(match[1])) or not (height := Fraction(match[2])):
        return None
    ratio = width / height
    return ratio if 1 / MAX_RATIO <= ratio <= MAX_RATIO else None


def _size_of(short_side: int, ratio: Fraction) -> tuple[int, int]:
    """Return the nearest size on the grid, so that nothing needs to be adjusted later."""
    long_ratio = max(ratio, 1 / ratio)
    long_side = min(round(short_side * long_ratio), MAX_LONG_SIDE)
    short_side = round(long_side / long_ratio)
    return snap_size(long_side, short_side) if ratio >= 1 else snap_size(short_side, long_side)


def _pixels(sent: object) -> int | None:
    """Return a side in pixels, or None if it cannot be read; validation refuses it later."""
    if isinstance(sent, str):
        sent = int(sent) if re.fullmatch("[0-9]{1,9}", sent) else None
    side = int(sent) if isinstance(sent, int | float) and 0 < sent < 10**9 else None
    return side or None
