"""A job's progress, for those who wait for it. Independent of transport and clock."""

from dataclasses import dataclass

# The percentage of a whole render at which each stage begins and ends. These are estimates: 3 steps at full size, with
# four times the tokens, are assumed to take a little longer than the 8 steps before them. 100 means the clip exists.
STAGE_PERCENT = {
    "encode": (0, 5),
    "stage_1": (5, 40),
    "upsample": (40, 42),
    "stage_2": (42, 85),
    "decode": (85, 99),
}


@dataclass(frozen=True)
class JobProgress:
    """A job's position while it waits, then its stage and step.

    position: in the queue, 1 is the next; None while it runs. step, steps: within the stage.
    """

    running: bool = False
    position: int | None = None
    stage: str | None = None
    step: int = 0
    steps: int = 0

    @property
    def percent(self) -> int:
        begin, end = STAGE_PERCENT.get(self.stage or "", (0, 0))
        return begin + (end - begin) * self.step // self.steps if self.steps else begin
