"""What a clip can be told beside its prompt and images."""

from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from pathlib import Path

from pipelines.errors import SpecError


@dataclass(frozen=True)
class Sound:
    """A sound that drives the picture and is the clip's track, from `start_s` on; silence follows where it ends.

    Raises SpecError when a field is out of bounds.
    """

    path: Path
    start_s: float = 0.0

    def __post_init__(self) -> None:
        if not (isfinite(self.start_s) and self.start_s >= 0):
            raise SpecError("audio_start", f"must be 0 or more seconds, got {self.start_s:g}")

    def length_from_start_s(self, length_s: Fraction) -> Fraction:
        """Return what is left of a sound of this length. Raises SpecError if nothing is."""
        if self.start_s >= length_s:
            end = f"the end of the sound, which is {float(length_s):.3f} s long"
            raise SpecError("audio_start", f"must be before {end}, got {self.start_s:g}")
        return length_s - Fraction(self.start_s)
