"""One progress bar for all that a command renders, on a terminal, with the seconds that are left."""

import sys
import time
from typing import Any

from tqdm import tqdm

STAGES = {"encode": "reads the prompt", "upsample": "upsamples", "decode": "decodes"}


class ClipBar:
    """Shows the percent of one clip, or of several of which some are done. Is not shown unless stderr is a terminal."""

    def __init__(self, clips: int = 1) -> None:
        self._clips, self._done = clips, 0
        self._bar: Any = None
        self._began = 0.0

    def show(self, percent: float, what: str, seconds_left: float | None = None, *, show_left: bool = True) -> None:
        """Show how far the clips are that are being rendered, in percent of one clip, and what happens.

        seconds_left: until all of it is done; if None, it is estimated from the time so far. show_left: whether to
        show it.
        """
        if self._bar is None:
            self._began = time.monotonic()
            self._bar = tqdm(
                total=100 * self._clips,
                disable=None,
                leave=False,
                delay=1e-9,  # nothing is shown before there is something to say
                file=sys.stderr,
                bar_format="{percentage:3.0f}%|{bar:30}| {desc}",
            )
        # The total is what tqdm compares with.
        self._bar.n = min(100 * self._done + percent, self._bar.total)
        if seconds_left is None and self._bar.n > 0:
            spent_s = time.monotonic() - self._began
            seconds_left = spent_s * (self._bar.total - self._bar.n) / self._bar.n
        counted = f"clip {min(self._done + 1, self._clips)} of {self._clips}: " if self._clips > 1 else ""
        left = "" if seconds_left is None or not show_left else f", {format_seconds(seconds_left)} left"
        self._bar.set_description_str(f"{counted}{what}{left}")

    def clip_done(self) -> None:
        self._done += 1

    def note(self, text: str) -> None:
        """Print a line to stderr, above the bar."""
        tqdm.write(text, file=sys.stderr)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def describe_step(stage: str | None, step: int, steps: int) -> str:
    """Describe what is done, in a few words."""
    if stage is None:
        return "begins"
    if stage in STAGES:
        return STAGES[stage]
    return f"{stage.replace('_', ' ')}, step {step} of {steps}"


def format_seconds(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
