"""Let a caller observe a generation while it runs, and stop it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class Trace:
    """Callbacks for each stage, step and result. Any of them may raise (`Cancelled`), which ends the generation."""

    def stage(self, name: str, steps: int) -> None:
        """A stage begins: encode, stage_1, upsample, stage_2 or decode."""

    def step(self, count: int = 1) -> None:
        """`count` more steps of the stage are done; in decode a step is a frame."""

    def estimate(self, latent: "torch.Tensor") -> None:
        """Receive the clean video latent as the step that is about to be reported estimates it, (1, C, F, h, w).

        It is normalised, and without the tokens of keyframes. It must not be changed.
        """

    def writing(self, count: int) -> None:
        """`count` more frames are about to be written. Called in the thread that writes them."""

    def tensors(self, **tensors: "torch.Tensor") -> None:
        """Receive results by name: the latents of each stage and the waveform."""
