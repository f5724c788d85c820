"""A parsed body with every default resolved, and every change to what was sent on record."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines.memory import ClipSize
from pipelines.spec import Container, GenerationSpec, Keyframe
from server.contract.adjustments import Adjustment
from server.contract.aliases import SentRequest, read_names
from server.contract.errors import FieldError, RequestInvalid
from server.contract.ignored import report_ignored
from server.contract.images import ResolvedImage, resolve_images
from server.contract.report import Report
from server.contract.seed import draw_seed, resolve_seed
from server.contract.size import resolve_size
from server.contract.timing import resolve_timing
from server.contract.wire import GenerateRequest

# Where pydantic's own words would name our classes.
MESSAGES = {"model_type": "Input should be an object"}


@dataclass(frozen=True)
class ResolvedRequest:
    """What will be made. Sizes in pixels; `prompt` as it was sent."""

    prompt: str
    width: int
    height: int
    num_frames: int
    frame_rate: Fraction
    seed: int
    images: tuple[ResolvedImage, ...]
    generate_audio: bool
    container: Container
    enhance_prompt: bool
    return_json: bool
    adjustments: tuple[Adjustment, ...]
    requested_duration_s: float | None = None


def resolve_request(
    raw: Mapping[str, Any], *, strict: bool = False, random_seed: Callable[[], int] = draw_seed
) -> ResolvedRequest:
    """Raises RequestInvalid: for what cannot be served, and when strict for whatever would be adjusted."""
    sent = read_names(raw)
    request = _validate(sent)
    report = Report(sent)
    width, height = resolve_size(request, report)
    timing = resolve_timing(request, width, height, report)
    seed = resolve_seed(request, report, random_seed)
    images = resolve_images(request, sent, timing.num_frames, report)
    report_ignored(request, sent, report)
    if strict:
        report.raise_if_any()
    return ResolvedRequest(
        prompt=request.prompt,
        width=width,
        height=height,
        num_frames=timing.num_frames,
        frame_rate=timing.frame_rate,
        seed=seed,
        images=images,
        generate_audio=request.generate_audio,
        container=Container(request.video_format),
        enhance_prompt=request.enhance_prompt,
        return_json=request.return_json,
        adjustments=report.adjustments,
        requested_duration_s=request.duration,
    )


def to_spec(resolved: ResolvedRequest, image_paths: Sequence[Path], prompt: str, stages: int = 2) -> GenerationSpec:
    """`image_paths`: the file of each of `resolved.images`. `prompt`: the enhanced one, where there is one."""
    return GenerationSpec(
        prompt=prompt,
        seed=resolved.seed,
        width=resolved.width,
        height=resolved.height,
        num_frames=resolved.num_frames,
        frame_rate=resolved.frame_rate,
        keyframes=tuple(
            Keyframe(path, image.frame_idx, image.strength, image.crf)
            for path, image in zip(image_paths, resolved.images, strict=True)
        ),
        generate_audio=resolved.generate_audio,
        container=resolved.container,
        stages=stages,
    )


def clip_size(resolved: ResolvedRequest) -> ClipSize:
    """What decides on the memory that it takes, before there is a spec."""
    return ClipSize(
        width=resolved.width,
        height=resolved.height,
        num_frames=resolved.num_frames,
        frame_rate=resolved.frame_rate,
        is_conditioned=bool(resolved.images),
        later_keyframes=sum(image.frame_idx > 0 for image in resolved.images),
        has_audio=resolved.generate_audio,
    )


def _validate(sent: SentRequest) -> GenerateRequest:
    try:
        return GenerateRequest.model_validate(sent.values)
    except ValidationError as exc:
        errors = exc.errors(include_url=False, include_context=False, include_input=False)
        raise RequestInvalid(
            [FieldError(sent.as_sent(e["loc"]), MESSAGES.get(e["type"], e["msg"]), e["type"]) for e in errors]
        ) from exc
