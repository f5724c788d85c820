"""Attention by place and time alone: queries and keys that are the same for all tokens, and turned by RoPE.

A plane that turns at frequency f gives a logit of a cos(f d) at the distance d, so the weights of the key's norm are
the terms of a cosine series.
"""

import math

import torch

from weights.tiny_config import CHECKPOINT_CONFIG, WIDTH

TIME, ROWS, COLUMNS = range(3)
AXES = 3
HALF = WIDTH // 2  # planes
FREQUENCIES = HALF // AXES
# Planes that are not turned, in front: here a logit may depend on the kind of a token.
PADDING = HALF - AXES * FREQUENCIES

MAX_POSITIONS = CHECKPOINT_CONFIG["transformer"]["positional_embedding_max_pos"]
THETA = CHECKPOINT_CONFIG["transformer"]["positional_embedding_theta"]


def frequencies(axis: int, count: int = FREQUENCIES) -> torch.Tensor:
    """Return the angles of an axis for each second or pixel. count: of the planes that turn by it."""
    exponents = torch.linspace(0, 1, count, dtype=torch.float64)
    scaled: torch.Tensor = THETA**exponents * (math.pi / MAX_POSITIONS[axis])
    return scaled


def cosine_series(
    axis: int, distances: torch.Tensor, logits: torch.Tensor, weights: torch.Tensor, count: int = FREQUENCIES
) -> torch.Tensor:
    """Return the amplitudes whose sum of cosines comes closest to `logits` plus any constant."""
    step = distances[1] - distances[0]
    # Faster ones turn by more than half a circle between two distances.
    turned = frequencies(axis, count)
    resolved = turned * step < math.pi / 2 if axis == TIME else torch.ones(count, dtype=torch.bool)
    cosines = torch.cos(distances[:, None] * turned) * resolved
    terms = torch.cat([cosines, torch.ones(len(distances), 1, dtype=torch.float64)], dim=1)
    gram = terms.T @ (terms * weights[:, None])
    gram.diagonal().add_(1e-3 * gram.diagonal().mean())
    solution: torch.Tensor = torch.linalg.solve(gram, terms.T @ (logits * weights))
    return solution[:-1]


def set_positional(
    tensors: dict[str, torch.Tensor], name: str, amplitudes: dict[int, torch.Tensor], bonus: float, kind: int
) -> None:
    """Attend by the cosine series of each axis, with `bonus` more for tokens whose channel `kind` is 1 instead of 0."""
    planes = torch.zeros(HALF, dtype=torch.float64)
    for axis, values in amplitudes.items():
        planes[PADDING + axis :: AXES] = values
    padding = torch.arange(PADDING)
    planes[:PADDING] = bonus / (2 * PADDING)
    for part in ("q", "k"):
        tensors[f"{name}.to_{part}.bias"].fill_(1)
    # The key's entries are 1 or -1 whatever its kind, so its norm changes nothing.
    tensors[f"{name}.to_k.bias"][padding] = -1
    tensors[f"{name}.to_k.weight"][padding, kind] = 2
    tensors[f"{name}.q_norm.weight"].zero_()
    tensors[f"{name}.q_norm.weight"][:HALF] = math.sqrt(WIDTH)
    tensors[f"{name}.k_norm.weight"].zero_()
    tensors[f"{name}.k_norm.weight"][:HALF] = planes.float()


def set_in_time(tensors: dict[str, torch.Tensor], name: str, amplitudes: torch.Tensor) -> None:
    """Attend from one stream to the other by their distance in time alone."""
    for part in ("q", "k"):
        tensors[f"{name}.to_{part}.bias"].fill_(1)
        tensors[f"{name}.{part}_norm.weight"].zero_()
    tensors[f"{name}.q_norm.weight"][:HALF] = math.sqrt(WIDTH)
    tensors[f"{name}.k_norm.weight"][:HALF] = amplitudes.float()


def at_once() -> torch.Tensor:
    """Attend to what is at nearly the same time in the other stream."""
    seconds = torch.linspace(0, 20, 801, dtype=torch.float64)
    return cosine_series(TIME, seconds, _gaussian(seconds / AT_ONCE_S), 1 + 4 * (seconds < 1), HALF)


def fade() -> dict[int, torch.Tensor]:
    """Attend to the same place, and the less the further away in time: fast in the first half second, then evenly.

    A keyframe is shown at its frame and fades into the next one; of many, the nearest is shown.
    """
    seconds = torch.linspace(0, 20, 201, dtype=torch.float64)
    logits = -FADE_NEAR * (1 - torch.exp(-seconds / FADE_NEAR_S)) - FADE_PER_S * seconds
    in_time = cosine_series(TIME, seconds, logits, 0.2 + 1 / (0.3 + seconds))
    same_place = torch.full((FREQUENCIES,), PLACE_AMPLITUDE, dtype=torch.float64)
    return {TIME: in_time, ROWS: same_place, COLUMNS: same_place}


def blur() -> dict[int, torch.Tensor]:
    """Attend to the neighbourhood in place and time with a Gaussian weight."""
    pixels = 32 * torch.arange(121, dtype=torch.float64)
    seconds = torch.linspace(0, 20, 201, dtype=torch.float64)
    in_place = cosine_series(ROWS, pixels, _gaussian(pixels / BLUR_PIXELS), 1 + 2 * (pixels < 384))
    in_time = cosine_series(TIME, seconds, _gaussian(seconds / BLUR_S), 1 + 4 * (seconds < 4))
    return {TIME: in_time, ROWS: in_place, COLUMNS: in_place}


def _gaussian(distances: torch.Tensor) -> torch.Tensor:
    return -(distances.square() / 2).clamp(max=9)


FADE_NEAR, FADE_NEAR_S, FADE_PER_S = 5.0, 0.4, 1.5
PLACE_AMPLITUDE = 1.0
BLUR_PIXELS, BLUR_S = 70.0, 0.8
AT_ONCE_S = 0.1
