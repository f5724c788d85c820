"""Count the values that LoRAs put on the device, from their headers."""

import math
from collections import Counter
from collections.abc import Sequence

from weights.lora import CONNECTORS_PREFIX, Linears, Lora

# Compiled code has branches of one rank at all layers, rounded up to a multiple of this: most LoRAs then share it.
RANK_STEP = 32


def branch_values(loras: Sequence[Lora], linears: Linears, uniform: bool) -> int:
    """Return the values of the branches. uniform: whether every layer of the transformer has one of `uniform_rank`."""
    ranks = total_ranks(loras)
    if uniform and ranks:
        transformer = (name for name in linears if not name.startswith(CONNECTORS_PREFIX))
        connectors = {name: rank for name, rank in ranks.items() if name.startswith(CONNECTORS_PREFIX)}
        ranks = Counter(dict.fromkeys(transformer, uniform_rank(loras)) | connectors)
    return sum(rank * sum(linears[name]) for name, rank in ranks.items())


def uniform_rank(loras: Sequence[Lora]) -> int:
    return math.ceil(max(total_ranks(loras).values()) / RANK_STEP) * RANK_STEP


def total_ranks(loras: Sequence[Lora]) -> Counter[str]:
    """Return the rank of all LoRAs together at each layer that they change."""
    ranks: Counter[str] = Counter()
    for lora in loras:
        ranks.update({name: layer.rank for name, layer in lora.layers.items()})
    return ranks
