"""The body of POST /enhance: words, and perhaps an image, to rewrite without rendering anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field, ValidationError

from server.contract.base64_image import decode_image
from server.contract.errors import FieldError, RequestInvalid
from server.contract.images import ResolvedImage
from server.contract.scalars import Prompt, Seconds, Seed, Text
from server.contract.wire import WireModel

DEFAULT_DURATION_S = 5.0


class EnhancePromptRequest(WireModel):
    """A prompt to rewrite. What `POST /generate` with the same fields would use comes back."""

    prompt: Prompt = Field(description="What the clip is to show, and how it is to sound.")
    input_image_b64: Text | None = Field(
        default=None, description="The first frame, which the rewrite then fits: PNG, JPEG or WebP in base64."
    )
    duration: Seconds | None = Field(default=None, description="Seconds that the clip will last; 5 when omitted.")
    seed: Seed = Field(default=0, description="Another seed may be another rewrite.")


@dataclass(frozen=True)
class ResolvedEnhance:
    prompt: str
    image: ResolvedImage | None
    duration_s: float
    seed: int


def resolve_enhance(raw: Mapping[str, Any]) -> ResolvedEnhance:
    """Raises RequestInvalid."""
    try:
        request = EnhancePromptRequest.model_validate(raw)
    except ValidationError as exc:
        errors = exc.errors(include_url=False, include_context=False, include_input=False)
        raise RequestInvalid([FieldError(e["loc"], e["msg"], e["type"]) for e in errors]) from exc
    duration_s = DEFAULT_DURATION_S if request.duration is None else float(request.duration)
    return ResolvedEnhance(request.prompt, _image(request.input_image_b64), duration_s, request.seed)


def _image(text: str | None) -> ResolvedImage | None:
    if text is None:
        return None
    try:
        return ResolvedImage(decode_image(text), 0, 1.0, 0, ("input_image_b64",))
    except ValueError as exc:
        raise RequestInvalid.at(("input_image_b64",), str(exc), "image_invalid") from exc
