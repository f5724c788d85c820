"""Encode a few small frames as an animation."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ANIMATION_MEDIA_TYPE = "image/webp"
# The least and the most of the longer side, in pixels.
MIN_SIDE, MAX_SIDE = 96, 256
QUALITY = 60


def encode_animation(frames: "NDArray[np.uint8]", duration_s: float) -> bytes:
    """Encode (n, h, w, 3) RGB as an endless animated WebP of 96 to 256 pixels; one frame as a still one."""
    from PIL import Image  # The server, which only names the media type, does not load it.

    height, width = frames.shape[1:3]
    longer = max(height, width)
    scale = min(max(longer, MIN_SIDE), MAX_SIDE) / longer
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    pictures = [Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC) for frame in frames]
    file = io.BytesIO()
    # The quickest method: it is made after each step, beside the render.
    options = {"quality": QUALITY, "method": 0}
    if len(pictures) == 1:
        pictures[0].save(file, "WEBP", **options)
    else:
        frame_ms = max(1, round(1000 * duration_s / len(pictures)))
        pictures[0].save(file, "WEBP", save_all=True, append_images=pictures[1:], duration=frame_ms, loop=0, **options)
    return file.getvalue()
