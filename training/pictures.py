"""Draw the pictures that the video VAE is trained on: nothing but seeds, so there is no licence to list.

Dead leaves: opaque shapes of all sizes, each with its own colour, shading and texture, cover each other. Their edges
and spectra are close to a photograph's.
"""

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

# Drawn at twice the size, then halved, which softens the edges.
OVERSAMPLING = 2

# Radii of leaves as shares of the picture: every octave has as many.
MIN_RADIUS, MAX_RADIUS = 0.012, 0.7
LEAVES = (40, 400)

NOISE_TILES, NOISE_SIDE = 24, 512


def pictures(count: int, side: int, seed: int) -> np.ndarray:
    """Return (count, side, side, 3) uint8."""
    return np.stack([picture(np.random.default_rng((seed, i)), side) for i in range(count)])


def cached_pictures(folder: Path, count: int, side: int, seed: int) -> np.ndarray:
    """Draw them once and keep them in a file."""
    path = folder / f"pictures-{count}-{side}-{seed}.npy"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        np.save(path, pictures(count, side, seed))
    drawn: np.ndarray = np.load(path, mmap_mode="r")
    return drawn


def picture(rng: np.random.Generator, side: int) -> np.ndarray:
    """Return (side, side, 3) uint8."""
    canvas_side = side * OVERSAMPLING
    palette = _palette(rng)
    canvas = Image.fromarray(_surface(rng, canvas_side, canvas_side, palette))
    count = int(np.exp(rng.uniform(*np.log(LEAVES))))
    # A share of the leaves lies behind the plane of focus.
    blurred = int(count * rng.choice([0.0, 0.3, 0.7]))
    for i in range(count):
        if i == blurred:
            canvas = canvas.filter(ImageFilter.GaussianBlur(rng.uniform(1, 8)))
        _add_leaf(rng, canvas, palette)
    halved = canvas.resize((side, side), Image.Resampling.BOX)
    if rng.random() < 0.4:
        halved = halved.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    return _lit(rng, np.asarray(halved))


def _palette(rng: np.random.Generator) -> np.ndarray:
    """Return (8, 3) in 0 .. 1: mostly grey values that vary a lot, with a few hues."""
    lightness = rng.uniform(0.02, 0.98, (8, 1))
    hues = rng.normal(0, 1, (3, 3))
    hues -= hues.mean(axis=1, keepdims=True)
    chroma = rng.gamma(1.2, rng.choice([0.02, 0.06, 0.12]), (8, 1))
    return np.clip(lightness + chroma * hues[rng.integers(0, 3, 8)], 0, 1)


def _surface(rng: np.random.Generator, height: int, width: int, palette: np.ndarray) -> np.ndarray:
    """Return one material, (height, width, 3) uint8: a colour with shading and texture."""
    colour = palette[rng.integers(len(palette))] + rng.normal(0, 0.03, 3)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    slope = rng.normal(0, 0.15, 2) * rng.integers(0, 2)
    light = 1 + slope[0] * (rows / height - 0.5) + slope[1] * (columns / width - 0.5)
    material = colour * light[..., None]
    kind = rng.random()
    if kind < 0.55:
        material = material + _fractal_noise(rng, height, width)
    elif kind < 0.7:
        material = material + _stripes(rng, rows, columns)[..., None] * rng.normal(1, 0.2, 3)
    return np.asarray(np.clip(material * 255, 0, 255), dtype=np.uint8)


def _fractal_noise(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return (height, width, 3) noise, mostly grey: a piece of a tile, repeated where it is too small."""
    tile = _noise_tile(int(rng.integers(NOISE_TILES)))
    top, left = rng.integers(0, NOISE_SIDE, 2)
    rows, columns = np.arange(top, top + height) % NOISE_SIDE, np.arange(left, left + width) % NOISE_SIDE
    piece = tile[rows[:, None], columns] * rng.gamma(2, 0.04)
    return np.asarray(piece[..., None] * rng.normal(1, 0.15, 3), dtype=np.float32)


@cache
def _noise_tile(index: int) -> np.ndarray:
    """Return noise with variance 1 whose amplitude falls with a power of the frequency; its edges fit together."""
    rng = np.random.default_rng((NOISE_SIDE, index))
    frequency = np.hypot(np.fft.fftfreq(NOISE_SIDE)[:, None], np.fft.rfftfreq(NOISE_SIDE)[None])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((NOISE_SIDE, NOISE_SIDE))) / frequency ** rng.uniform(0.6, 2)
    noise = np.fft.irfft2(spectrum, s=(NOISE_SIDE, NOISE_SIDE))
    return np.asarray(noise / noise.std(), dtype=np.float32)


def _stripes(rng: np.random.Generator, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    angle, period = rng.uniform(0, np.pi), np.exp(rng.uniform(np.log(6), np.log(80)))
    wave = np.sin((rows * np.sin(angle) + columns * np.cos(angle)) * (2 * np.pi / period))
    sharpness = rng.choice([1.0, 8.0])
    return np.asarray(np.tanh(sharpness * wave) * rng.gamma(2, 0.06), dtype=np.float32)


def _add_leaf(rng: np.random.Generator, canvas: Image.Image, palette: np.ndarray) -> None:
    side = canvas.width
    radius = side * np.exp(rng.uniform(np.log(MIN_RADIUS), np.log(MAX_RADIUS)))
    aspect = np.exp(rng.normal(0, 0.6))
    width, height = (int(max(4, min(2 * side, 2 * radius * f))) for f in (aspect**0.5, aspect**-0.5))
    left, top = (int(rng.uniform(0, side) - extent / 2) for extent in (width, height))
    mask = _shape(rng, width, height)
    # Only what lies on the canvas is drawn.
    box = (max(0, left), max(0, top), min(side, left + width), min(side, top + height))
    if box[0] >= box[2] or box[1] >= box[3]:
        return
    mask = mask.crop((box[0] - left, box[1] - top, box[2] - left, box[3] - top))
    canvas.paste(Image.fromarray(_surface(rng, mask.height, mask.width, palette)), box[:2], mask)


def _shape(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Return the mask of an ellipse, a polygon or a stroke."""
    mask = Image.new("L", (width, height))
    draw = ImageDraw.Draw(mask)
    kind = rng.random()
    if kind < 0.35:
        draw.ellipse((0, 0, width - 1, height - 1), fill=255)
    elif kind < 0.8:
        corners = int(rng.integers(3, 9))
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        reach = rng.uniform(0.4, 1, corners)
        x, y = (0.5 + 0.5 * reach * np.cos(angles)) * width, (0.5 + 0.5 * reach * np.sin(angles)) * height
        draw.polygon([(float(a), float(b)) for a, b in zip(x, y, strict=True)], fill=255)
    else:
        points = [(float(rng.uniform(0, width)), float(rng.uniform(0, height))) for _ in range(int(rng.integers(2, 6)))]
        draw.line(points, fill=255, width=max(1, int(min(width, height) * rng.uniform(0.02, 0.2))), joint="curve")
    if rng.random() < 0.15:
        mask = mask.filter(ImageFilter.GaussianBlur(rng.uniform(1, 0.1 * min(width, height) + 2)))
    return mask


def _lit(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """Apply a camera's gamma, contrast, tint and grain."""
    linear = (pixels / 255.0) ** np.exp(rng.normal(0, 0.25))
    linear = (linear - 0.5) * rng.uniform(0.5, 1.3) + rng.uniform(0.35, 0.6)
    linear = linear * rng.normal(1, 0.06, 3) + rng.normal(0, rng.choice([0.0, 0.004, 0.015]), linear.shape)
    return np.asarray(np.clip(linear * 255, 0, 255).round(), dtype=np.uint8)
