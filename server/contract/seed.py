"""The seed of the noise: sent, drawn, or the fixed one."""

import secrets
from collections.abc import Callable

from server.contract.report import Report
from server.contract.wire import GenerateRequest

# What `use_random_seed: false` without a seed stands for.
FIXED_SEED = 42


def draw_seed() -> int:
    """Below 2**32, so that JavaScript keeps every digit."""
    return secrets.randbelow(2**32)


def resolve_seed(request: GenerateRequest, report: Report, random_seed: Callable[[], int]) -> int:
    asks_for_random = request.use_random_seed and "use_random_seed" in request.model_fields_set
    if request.seed is not None and not asks_for_random:
        return request.seed
    if not request.use_random_seed:
        return FIXED_SEED
    drawn = random_seed()
    if request.seed is not None:
        report.add("seed", drawn, "use_random_seed was sent as true, so the seed is drawn")
    return drawn
