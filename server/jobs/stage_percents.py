"""The percentage of a render at which each stage begins and ends, learned from the renders before it."""

from collections.abc import Mapping
from itertools import accumulate

# By stage: where it begins and where it ends. 100 means that the clip exists.
StagePercents = Mapping[str, tuple[int, int]]

# Until a first render has been measured: 3 steps at full size, with four times the tokens, are assumed to take a little
# longer than the 8 steps before them.
FIRST_GUESS: StagePercents = {
    "encode": (0, 5),
    "stage_1": (5, 40),
    "upsample": (40, 42),
    "stage_2": (42, 85),
    "decode": (85, 99),
}
NEWEST_WEIGHT = 0.3
LAST_PERCENT = 99


class StageShares:
    """Each stage's share of a render: a moving average that favours new renders.

    A render with other stages than the ones before it, such as a retake of the sound alone, replaces what was learned.
    """

    def __init__(self) -> None:
        self._shares: dict[str, float] = {}

    def add(self, seconds: Mapping[str, float]) -> None:
        """Learn from a render. seconds: of its stages, in their order."""
        total = sum(seconds.values())
        if total <= 0:
            return
        shares = {stage: spent / total for stage, spent in seconds.items()}
        known = self._shares if list(self._shares) == list(shares) else shares
        self._shares = {
            stage: (1 - NEWEST_WEIGHT) * known[stage] + NEWEST_WEIGHT * share for stage, share in shares.items()
        }

    @property
    def percents(self) -> StagePercents:
        if not self._shares:
            return FIRST_GUESS
        ends = [round(LAST_PERCENT * end) for end in accumulate(self._shares.values())]
        return dict(zip(self._shares, zip([0, *ends], ends, strict=False), strict=True))
