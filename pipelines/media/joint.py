"""Smooth the joints between frames that were rendered and those of the clip that they were made from.

The VAE does not return quite the frame that it was given, and a frame depends on those after it. So at a joint the
picture would jump. The difference between the clip's last frame and what the VAE made of it is added to the rendered
frames that follow, the less the further away they are, and likewise before the clip goes on.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from math import cos, pi
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.media.encoders import YuvConverter
from pipelines.media.source_video import to_rgb

Frame = NDArray[np.uint8]

# A latent of the video.
JOINT_FRAMES = 8


class Pair(NamedTuple):
    """A frame of the clip, if it has one there, and what was rendered at its place."""

    kept: Frame | None
    rendered: Frame


def join(pairs: Iterable[Pair], anew: range) -> Iterator[Frame]:
    """Yield the frames of `pairs`: those in `anew` as they were rendered, smoothed at both ends, the others as kept."""
    length = min(JOINT_FRAMES, len(anew))
    before: NDArray[np.int16] | None = None
    waiting: deque[tuple[int, Frame]] = deque()
    for index, pair in enumerate(pairs):
        if index in anew:
            waiting.append((index - anew.start, pair.rendered))
            if len(waiting) > length:
                yield _faded(*waiting.popleft(), before, length)
            continue
        assert pair.kept is not None
        if index == anew.start - 1:
            before = _difference(pair)
        if index == anew.stop:
            yield from _ending(waiting, before, _difference(pair), length)
        yield pair.kept
    yield from _ending(waiting, before, None, length)


def _ending(
    waiting: deque[tuple[int, Frame]],
    before: NDArray[np.int16] | None,
    after: NDArray[np.int16] | None,
    length: int,
) -> Iterator[Frame]:
    """Yield the last frames that were rendered."""
    while waiting:
        position, frame = waiting.popleft()
        yield _faded(len(waiting), _faded(position, frame, before, length), after, length)


def _faded(distance: int, frame: Frame, difference: NDArray[np.int16] | None, length: int) -> Frame:
    """Add a share of a difference to a frame that lies `distance` frames from the first one beside the joint."""
    if difference is None or distance >= length:
        return frame
    # Slow at both ends, so that the step at the joint is no larger than those after it.
    share = (1 + cos(pi * (distance + 1) / (length + 1))) / 2
    faded: Frame = np.clip(np.rint(frame + share * difference), 0, 255).astype(np.uint8)
    return faded


def _difference(pair: Pair) -> NDArray[np.int16]:
    assert pair.kept is not None
    return _like(pair.kept, pair.rendered).astype(np.int16) - pair.rendered


def _like(frame: Frame, other: Frame) -> Frame:
    """Return a frame in the layout of another one: RGB or yuv420p."""
    if frame.ndim == other.ndim:
        return frame
    if other.ndim == 3:
        return to_rgb(frame)
    height, width = frame.shape[:2]
    converted: Frame = YuvConverter(width, height, threads=1).convert(np.ascontiguousarray(frame)).to_ndarray()
    return converted
