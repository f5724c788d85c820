"""Name the colours of a frame."""

import colorsys
from collections import Counter

import numpy as np
from PIL import Image

SMALL = (48, 32)
BLACK_VALUE, WHITE_VALUE, GREY_SATURATION = 0.25, 0.78, 0.18
PINK_SATURATION, PINK_VALUE, BROWN_VALUE = 0.6, 0.7, 0.62

# Hues in degrees up to which a name goes.
HUES = ((15, "red"), (44, "orange"), (70, "yellow"), (165, "green"), (200, "cyan"), (255, "blue"), (315, "purple"),
        (345, "pink"), (360, "red"))  # fmt: skip


def dominating_colour(frame: np.ndarray) -> str:
    """Return the name that most pixels have. frame: (H, W, 3) uint8."""
    pixels = np.asarray(Image.fromarray(frame).resize(SMALL, Image.Resampling.BOX)).reshape(-1, 3) / 255
    return Counter(colour_name(*map(float, pixel)) for pixel in pixels).most_common(1)[0][0]


def colour_name(red: float, green: float, blue: float) -> str:
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    if value < BLACK_VALUE:
        return "black"
    if saturation < GREY_SATURATION:
        return "white" if value > WHITE_VALUE else "grey"
    name = next(name for limit, name in HUES if hue * 360 <= limit)
    if name in ("red", "purple") and saturation < PINK_SATURATION and value > PINK_VALUE and not 200 < hue * 360 < 290:
        return "pink"
    if name == "orange" and value < BROWN_VALUE:
        return "brown"
    return name


def lightness(frame: np.ndarray) -> float:
    """Return the mean luma in 0 .. 1."""
    return float(frame.mean(axis=(0, 1)) @ (0.299, 0.587, 0.114) / 255)
