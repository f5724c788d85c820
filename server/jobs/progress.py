"""How far a job is, for whoever waits for it. Knows no transport and no clock."""

from dataclasses import dataclass

# Of a whole render, in percent, where a stage begins and ends. Not measured: 3 steps at full size, with four times the
# tokens, are taken to last a little longer than the 8 before them. 100 is for a clip that is there.
STAGE_PERCENT = {
    "encode": (0, 5),
    "stage_1": (5, 40),
    "upsample": (40, 42),
    "stage_2": (42, 85),
    "decode": (85, 99),
}


@dataclass(frozen=True)
class JobProgress:
    """position: in the queue, 1 is the next; None while it runs. step, steps: of the stage."""

    running: bool = False
    position: int | None = None
    stage: str | None = None
    step: int = 0
    steps: int = 0

    @property
    def percent(self) -> int:
        begin, end = STAGE_PERCENT.get(self.stage or "", (0, 0))
        return begin + (end - begin) * self.step // self.steps if self.steps else begin
