"""The body of POST /enhance: a prompt to rewrite without rendering, perhaps with images."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field

from server.contract.errors import relocated
from server.contract.images import ResolvedImage, decode_input_image, decode_keyframe
from server.contract.limits import IMAGE
from server.contract.names.aliases import read_names
from server.contract.names.envelope import unwrap
from server.contract.names.sent import SentRequest
from server.contract.scalars import Prompt, Seconds, Seed, Text
from server.contract.wire import KeyframeList, WireModel

DEFAULT_DURATION_S = 5.0


class EnhancePromptRequest(WireModel):
    """A prompt to rewrite. The answer is the prompt that `POST /generate` with the same fields would use."""

    prompt: Prompt = Field(description="What the clip should show, and how it should sound.")
    input_image_b64: Text | None = Field(
        default=None, description=f"The first frame, which the rewrite should match: {IMAGE}"
    )
    keyframes: KeyframeList | None = Field(
        default=None, description="As in `POST /generate`; the rewrite should match the first of them."
    )
    duration: Seconds | None = Field(
        default=None, description=f"Length of the clip in seconds; {DEFAULT_DURATION_S:g} if omitted."
    )
    seed: Seed = Field(default=0, description="A different seed may give a different rewrite.")


@dataclass(frozen=True)
class ResolvedEnhance:
    """A validated request. image: the first of the clip. has_keyframes: true if more images follow it."""

    prompt: str
    image: ResolvedImage | None
    has_keyframes: bool
    duration_s: float
    seed: int


def resolve_enhance(raw: Mapping[str, Any]) -> ResolvedEnhance:
    """Validate the fields and fill in defaults. Raises RequestInvalid."""
    unwrapped = unwrap(raw)
    with relocated(unwrapped.as_sent):
        sent = read_names(unwrapped.fields)
        request = sent.read_as(EnhancePromptRequest)
        image = _first_image(request, sent)
    return ResolvedEnhance(
        prompt=request.prompt,
        image=None if image is None else replace(image, loc=unwrapped.as_sent(image.loc)),
        has_keyframes=len(request.keyframes or ()) > 1,
        duration_s=request.duration or DEFAULT_DURATION_S,
        seed=request.seed,
    )


def _first_image(request: EnhancePromptRequest, sent: SentRequest) -> ResolvedImage | None:
    if request.keyframes:
        # -1 is the last frame, so negative numbers sort last.
        i, first = min(enumerate(request.keyframes), key=lambda pair: (pair[1].frame_idx < 0, pair[1].frame_idx))
        return decode_keyframe(first, 0, ("keyframes", i, "image_b64"), sent)
    return None if request.input_image_b64 is None else decode_input_image(request.input_image_b64, sent)
