"""Bound a model's config, which may come from anybody: modules are built from it before a tensor is compared."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weights.errors import UnsupportedError

# Beyond every width, rate and RoPE base of LTX-2.3 and Gemma 3, and beyond every count of layers and list of blocks.
MAX_NUMBER = 10_000_000
MAX_LAYERS = 256
MAX_ITEMS = 1000

COUNTS_LAYERS = re.compile("layers|blocks|depth")


def validate_config(path: Path, config: Mapping[str, Any]) -> None:
    """Raise UnsupportedError that names the entry when the config asks for more than any model has."""
    waiting: list[tuple[str, Any]] = list(config.items())
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(f"{key}.{name}", item) for name, item in value.items()]
        elif isinstance(value, list):
            if len(value) > MAX_ITEMS:
                raise _refused(path, key, f"a list of {len(value):,}")
            waiting += [(key, item) for item in value]
        elif isinstance(value, int | float):
            largest = MAX_LAYERS if COUNTS_LAYERS.search(key.rpartition(".")[2]) else MAX_NUMBER
            if not abs(value) <= largest:
                raise _refused(path, key, f"above {largest:,}")


def _refused(path: Path, key: str, what: str) -> UnsupportedError:
    return UnsupportedError(path, f"its config is not that of a model of LTX-2.3: {key[:100]!r} is {what}")
