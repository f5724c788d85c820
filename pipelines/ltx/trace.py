"""What a caller may see of a generation while it runs, and where it may stop it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class Trace:
    """Told of each stage, step and result. Any method may raise (`Cancelled`), which ends the generation."""

    def stage(self, name: str, steps: int) -> None:
        """A stage begins: encode, stage_1, upsample, stage_2, decode."""

    def step(self, count: int = 1) -> None:
        """So many more steps of the stage are done; in decode a step is a frame."""

    def tensors(self, **tensors: "torch.Tensor") -> None:
        """Results by name: the latents of each stage and the waveform."""
