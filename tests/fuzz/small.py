"""Replace valid sizes and lengths in a body by the smallest, so that its clip is cheap. Invalid values stay."""

import math
from typing import Any

SMALL: dict[str, Any] = {"width": 256, "height": 256, "num_frames": 9, "generate_audio": False}


def made_small(body: dict[str, Any]) -> dict[str, Any]:
    sent = {name: value for name, value in body.items() if value is not None}
    small = {name: _smaller(name, value) for name, value in sent.items()}
    return SMALL | small


def _smaller(name: str, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        return value
    if name in ("width", "height") and 0 < value <= 16_384 and value == int(value):
        return 256
    if name in ("num_frames", "frames") and value > 0 and value == int(value):
        return 9
    if name == "duration" and value >= 0:
        return 0
    return value
