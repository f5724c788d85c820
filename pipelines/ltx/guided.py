"""Encode a negative prompt for the transformer."""

from dataclasses import dataclass

import torch

from pipelines.direction import Guidance
from pipelines.ltx.text import Context, PromptEncoder
from pipelines.ltx.transformer.guidance import Negative


@dataclass(frozen=True)
class EncodedGuidance:
    """A guidance on the device. context: of the negative prompt. strengths: as in `Negative`."""

    context: Context
    strengths: torch.Tensor
    has_audio: bool

    @classmethod
    def of(cls, guidance: Guidance, encode_prompt: PromptEncoder) -> "EncodedGuidance":
        context = encode_prompt(guidance.negative_prompt)
        strengths = torch.tensor([guidance.scale, guidance.alpha, guidance.tau], device=context.video.device)
        return cls(context, strengths, guidance.audio)

    @property
    def video(self) -> Negative:
        return Negative(self.context.video, self.strengths)

    @property
    def audio(self) -> Negative | None:
        """Return the sound's. Its strengths are a copy, because compiled code differs where a tensor is given twice."""
        return Negative(self.context.audio, self.strengths.clone()) if self.has_audio else None
