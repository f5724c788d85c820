"""Describe a video that a clip is made from. Needs no decoder."""

from dataclasses import dataclass, replace
from fractions import Fraction


@dataclass(frozen=True)
class SourceInfo:
    """A video as it is shown.

    num_frames: at `frame_rate`, which is constant and within the limits of clips. stored_rate: the file's own average.
    """

    width: int
    height: int
    num_frames: int
    frame_rate: Fraction
    stored_rate: Fraction
    has_sound: bool = False

    @property
    def duration_s(self) -> Fraction:
        return self.num_frames / self.frame_rate

    def at_rate(self, frame_rate: Fraction) -> "SourceInfo":
        """Return the same video, read at another rate."""
        return replace(self, num_frames=max(1, round(self.duration_s * frame_rate)), frame_rate=frame_rate)
