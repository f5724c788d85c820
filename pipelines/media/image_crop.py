"""Compute the part of a picture that a clip shows: it is scaled to cover the clip and cropped at the centre."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import floor, log

from pipelines.geometry import MAX_LONG_SIDE, MIN_SIDE, snap_size
from pipelines.spec import SIZE_MULTIPLE

# Smaller losses are not reported: clip sides are multiples of 64, and 1280x704 shows 97.8 % of 1280x720.
MAX_LOSS = 0.025


@dataclass(frozen=True)
class Size:
    """A size in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @property
    def area(self) -> int:
        return self.width * self.height


@dataclass(frozen=True)
class Crop:
    """A picture and the clip that shows a part of it."""

    picture: Size
    clip: Size

    @property
    def shown(self) -> Size:
        """Return the size of the part that is shown, in the picture's own pixels."""
        scale = max(self.clip.width / self.picture.width, self.clip.height / self.picture.height)
        return Size(max(1, round(self.clip.width / scale)), max(1, round(self.clip.height / scale)))

    @property
    def loss(self) -> float:
        """Return the part of the picture's area that is not shown, 0 .. 1."""
        return _loss(self.picture, self.clip)

    @property
    def is_reported(self) -> bool:
        return self.loss > MAX_LOSS and self.shown != self.picture

    def __str__(self) -> str:
        whole = whole_size(self.picture, self.clip)
        # No clip shows all of a picture that is thinner than any clip.
        how_much = "it whole" if _loss(self.picture, whole) <= MAX_LOSS else "the most of it"
        return (
            f"the picture has {self.picture} pixels, and a clip of {self.clip} shows the middle {self.shown} of them "
            f"({1 - self.loss:.0%}), the rest is cropped; a clip of {whole} would show {how_much}"
        )


@lru_cache(maxsize=64)
def whole_size(picture: Size, clip: Size) -> Size:
    """Return the size of a clip that shows the whole picture and whose area is nearest to that of `clip`.

    Return the size that shows the most of it if the picture is thinner than any clip.
    """
    losses = {size: _loss(picture, size) for size in _sizes(picture.width / picture.height)}
    enough = max(MAX_LOSS, min(losses.values()))
    return min((size for size, loss in losses.items() if loss <= enough), key=lambda size: _distance(size, clip))


def _loss(picture: Size, clip: Size) -> float:
    ratio = (picture.width * clip.height) / (picture.height * clip.width)
    return 1 - min(ratio, 1 / ratio)


def _distance(size: Size, clip: Size) -> float:
    return abs(log(size.area / clip.area))


def _sizes(aspect: float) -> Iterator[Size]:
    """Yield, for each height that a clip may have, the sizes nearest to `aspect`, width / height."""
    for height in range(MIN_SIDE, MAX_LONG_SIDE + 1, SIZE_MULTIPLE):
        narrow = floor(height * aspect / SIZE_MULTIPLE) * SIZE_MULTIPLE
        for width in (narrow, narrow + SIZE_MULTIPLE):
            yield Size(*snap_size(width, height))
