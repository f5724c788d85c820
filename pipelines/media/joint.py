"""Smooth the joints between frames that were rendered and those of the clip that they were made from.

The VAE does not return quite the frame that it was given, and a frame depends on those after it. So at a joint the
picture would jump. The difference between the clip's last frame and what the VAE made of it is added to the rendered
frames that follow, the less the further away they are, and likewise before the clip goes on. To it comes half of a
small step that was rendered there, without its details: light and colour begin to change slowly.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from math import cos, pi
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.geometry import SPATIAL_COMPRESSION
from pipelines.media.encoders import YuvConverter
from pipelines.media.source_video import to_rgb

Frame = NDArray[np.uint8]
Difference = NDArray[np.float32]

# A latent of the video.
JOINT_FRAMES = 8

# Of 255: a larger step was meant.
MAX_EASED = 4


class Pair(NamedTuple):
    """A frame of the clip, if it has one there, and what was rendered at its place."""

    kept: Frame | None
    rendered: Frame


def join(pairs: Iterable[Pair], anew: range) -> Iterator[Frame]:
    """Yield the frames of `pairs`: those in `anew` as they were rendered, smoothed at both ends, the others as kept."""
    length = min(JOINT_FRAMES, len(anew))
    before: Difference | None = None
    beside: Pair | None = None
    waiting: deque[tuple[int, Frame]] = deque()
    for index, pair in enumerate(pairs):
        if index in anew:
            if beside is not None:
                before, beside = _difference(beside, pair.rendered), None
            waiting.append((index - anew.start, pair.rendered))
            if len(waiting) > length:
                yield _faded(*waiting.popleft(), before, length)
            continue
        assert pair.kept is not None
        if index == anew.start - 1:
            beside = pair
        if index == anew.stop:
            yield from _ending(waiting, before, _difference(pair, waiting[-1][1]), length)
        yield pair.kept
    yield from _ending(waiting, before, None, length)


def _ending(
    waiting: deque[tuple[int, Frame]],
    before: Difference | None,
    after: Difference | None,
    length: int,
) -> Iterator[Frame]:
    """Yield the last frames that were rendered."""
    while waiting:
        position, frame = waiting.popleft()
        yield _faded(len(waiting), _faded(position, frame, before, length), after, length)


def _faded(distance: int, frame: Frame, difference: Difference | None, length: int) -> Frame:
    """Add a share of a difference to a frame that lies `distance` frames from the first one beside the joint."""
    if difference is None or distance >= length:
        return frame
    # Slow at both ends, so that the step at the joint is no larger than those after it.
    share = (1 + cos(pi * (distance + 1) / (length + 1))) / 2
    faded: Frame = np.clip(np.rint(frame + share * difference), 0, 255).astype(np.uint8)
    return faded


def _difference(pair: Pair, neighbour: Frame) -> Difference:
    """Return what to add to the rendered frame beside a joint, `neighbour`; `pair` lies on the other side."""
    assert pair.kept is not None
    rendered = pair.rendered.astype(np.float32)
    step = _without_details(rendered - neighbour)
    eased = np.clip(step / 2, -MAX_EASED, MAX_EASED)
    return (_like(pair.kept, pair.rendered) - rendered + eased).astype(np.float32)


def _without_details(step: Difference) -> Difference:
    """Blur RGB, (H, W, 3), as wide as a latent; of yuv420p, (3 H / 2, W), the luma, without the chroma."""
    if step.ndim == 3:
        return np.stack([_blurred(plane) for plane in np.moveaxis(step, 2, 0)], axis=2)
    blurred, luma = np.zeros_like(step), len(step) * 2 // 3
    blurred[:luma] = _blurred(step[:luma])
    return blurred


def _blurred(plane: Difference) -> Difference:
    height, width = plane.shape
    small = (max(width // SPATIAL_COMPRESSION, 1), max(height // SPATIAL_COMPRESSION, 1))
    image = Image.fromarray(plane).resize(small, Image.Resampling.BOX).resize((width, height))
    return np.asarray(image, np.float32)


def _like(frame: Frame, other: Frame) -> Frame:
    """Return a frame in the layout of another one: RGB or yuv420p."""
    if frame.ndim == other.ndim:
        return frame
    if other.ndim == 3:
        return to_rgb(frame)
    height, width = frame.shape[:2]
    converted: Frame = YuvConverter(width, height, threads=1).convert(np.ascontiguousarray(frame)).to_ndarray()
    return converted
