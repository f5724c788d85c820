"""Draw clips for the fit of a preview: nothing but seeds, so there is no hub to ask and no licence to list.

Opaque shapes of all sizes and colours move over each other in front of a gradient. Their colours fill the cube of RGB
more evenly than a photograph's.
"""

import numpy as np

NUM_FRAMES, SIDE = 9, 256
SHAPES = 40


def drawn_clip(seed: int) -> np.ndarray:
    """Return (NUM_FRAMES, SIDE, SIDE, 3) float32 in -1 .. 1."""
    rng = np.random.default_rng((SIDE, seed))
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE
    palette = _palette(rng)
    corners = palette[rng.integers(len(palette), size=3)]
    still = corners[0] + (corners[1] - corners[0]) * rows[..., None] + (corners[2] - corners[0]) * columns[..., None]
    clip = np.repeat(still[None], NUM_FRAMES, axis=0)
    for _ in range(SHAPES):
        _draw_shape(rng, clip, palette[rng.integers(len(palette))])
    texture = rng.normal(0, rng.choice([0.0, 0.02, 0.08]), (1, SIDE, SIDE, 1))
    drawn: np.ndarray = np.clip(clip + texture, -1, 1).astype(np.float32)
    return drawn


def _palette(rng: np.random.Generator) -> np.ndarray:
    """Return (12, 3): greys with a few hues, or colours from all of the cube."""
    grey = rng.uniform(-1, 1, (12, 1))
    spread = rng.choice([0.1, 0.4, 1.0])
    colours: np.ndarray = np.clip(grey * (1 - spread / 2) + spread * rng.uniform(-1, 1, (12, 3)), -1, 1)
    return colours


def _draw_shape(rng: np.random.Generator, clip: np.ndarray, colour: np.ndarray) -> None:
    """Draw an ellipse or a rectangle that moves through all frames."""
    line = np.arange(SIDE, dtype=np.float32) / SIDE
    radii = np.exp(rng.uniform(np.log(0.02), np.log(0.35))) * np.exp(rng.normal(0, 0.4, 2))
    start, speed = rng.uniform(-0.1, 1.1, 2), rng.normal(0, 0.01, 2) * rng.integers(0, 2)
    power = rng.choice([2, 20])
    for i, frame in enumerate(clip):
        row, column = start + speed * i
        rows, columns = np.abs((line - row) / radii[0]) ** power, np.abs((line - column) / radii[1]) ** power
        frame[rows[:, None] + columns < 1] = colour
