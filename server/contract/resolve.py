"""Resolve a parsed body: fill in every default, and record every change to what was sent."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines.direction import Sound
from pipelines.geometry import MIN_SIDE, max_size, snap_size
from pipelines.media.source_info import SourceInfo
from pipelines.memory import ClipSize
from pipelines.spec import SIZE_MULTIPLE, TAIL_GUARD_FRAMES, Container, GenerationSpec, Keyframe
from server.contract.adjustments import Adjustment, Report
from server.contract.errors import relocated
from server.contract.guidance import resolve_guidance
from server.contract.ignored import report_ignored
from server.contract.images import ResolvedImage, resolve_images
from server.contract.loras import KnownLora, resolve_loras
from server.contract.names.aliases import read_names
from server.contract.names.envelope import unwrap
from server.contract.names.sent import SentRequest
from server.contract.scalars import RANDOM_SEED
from server.contract.sound import ResolvedSound, left_s, report_sound, resolve_sound
from server.contract.source import ClipShape, ResolvedSource, resolve_source
from server.contract.source_images import resolve_source_images
from server.contract.tail_guard import note_tail_guard, resolve_tail_guard
from server.contract.timing import resolve_timing
from server.contract.wire import FIXED_SEED, GenerateRequest

NO_LORAS: Mapping[str, KnownLora] = {}


@dataclass(frozen=True)
class ResolvedRequest:
    """The clip to make.

    spec: with the prompt as sent, and without the images and the sound, whose files are not written yet.
    """

    spec: GenerationSpec
    images: tuple[ResolvedImage, ...]
    enhance_prompt: bool
    adjustments: tuple[Adjustment, ...]
    requested_duration_s: float | None = None
    sound: ResolvedSound | None = None
    source: ResolvedSource | None = None

    @property
    def clip_size(self) -> ClipSize:
        """Return the size that determines the clip's memory. It does not depend on the paths of the images."""
        return ClipSize.of(to_spec(self, [Path()] * len(self.images), self.spec.prompt))


def draw_seed() -> int:
    """Return a random seed below 2**32, so that JavaScript keeps every digit."""
    return secrets.randbelow(2**32)


def resolve_request(
    raw: Mapping[str, Any],
    *,
    strict: bool = False,
    random_seed: Callable[[], int] = draw_seed,
    sound_s: Fraction | None = None,
    loras: Mapping[str, KnownLora] = NO_LORAS,
    source: ResolvedSource | None = None,
    source_info: SourceInfo | None = None,
) -> ResolvedRequest:
    """Resolve a request's fields. Raises RequestInvalid if it cannot be served or, if strict, would be adjusted.

    sound_s: the length of the sound that `find_sound` returns. loras: those of the server, by name. source: what
    `find_source` returns, and what it holds.
    """
    unwrapped = unwrap(raw, strict=strict)
    with relocated(unwrapped.as_sent):
        resolved = _resolve(read_names(unwrapped.fields), strict, random_seed, sound_s, loras, source_info)
    sound = resolved.sound
    return replace(
        resolved,
        source=source,
        sound=None if sound is None else replace(sound, loc=unwrapped.as_sent(sound.loc)),
        images=tuple(replace(image, loc=unwrapped.as_sent(image.loc)) for image in resolved.images),
        adjustments=unwrapped.adjustments + resolved.adjustments,
    )


def _resolve(
    sent: SentRequest,
    strict: bool,
    random_seed: Callable[[], int],
    sound_s: Fraction | None,
    loras: Mapping[str, KnownLora],
    source_info: SourceInfo | None,
) -> ResolvedRequest:
    request = sent.read_as(GenerateRequest)
    report = Report(sent)
    sound = resolve_sound(request, sent)
    images: tuple[ResolvedImage, ...] = ()
    if source_info is None:
        width, height = _resolve_size(request, report)
        sound_s = left_s(sound_s, request, sent)
        timing = resolve_timing(request, width, height, report, sound_s)
        report_sound(request, sent, sound_s, timing, (width, height), report)
        images = resolve_images(request, sent, timing, report)
        shape = ClipShape(width, height, timing.num_frames, timing.frame_rate)
    else:
        shape = resolve_source(request, sent, source_info, report)
        images = resolve_source_images(request, sent, shape, report)
    guidance = resolve_guidance(request, report)
    is_guarded = resolve_tail_guard(request, sent, shape, images, report)
    notes = (note_tail_guard(request.tail_guard, shape),) if is_guarded else ()
    report_ignored(request, sent, report)
    if strict:
        report.raise_if_any()
    spec = GenerationSpec(
        prompt=request.prompt,
        seed=_resolve_seed(request, random_seed),
        width=shape.width,
        height=shape.height,
        num_frames=shape.num_frames + TAIL_GUARD_FRAMES * is_guarded,
        frame_rate=shape.frame_rate,
        generate_audio=request.generate_audio,
        container=Container(request.video_format),
        guidance=guidance,
        loras=resolve_loras(request, sent, loras),
        source=shape.source,
        tail_guard=is_guarded,
        embed_metadata=bool(request.embed_metadata),
    )
    adjustments = report.adjustments + notes
    return ResolvedRequest(spec, images, request.enhance_prompt, adjustments, request.duration, sound)


def _resolve_size(request: GenerateRequest, report: Report) -> tuple[int, int]:
    size = snap_size(request.width, request.height)
    limits = max_size(request.width, request.height)
    for field, sent, used, limit in zip(
        ("width", "height"), (request.width, request.height), size, limits, strict=True
    ):
        if used != sent:
            report.add(field, used, f"the nearest multiple of {SIZE_MULTIPLE} within {MIN_SIDE} .. {limit} is {used}")
    return size


def _resolve_seed(request: GenerateRequest, random_seed: Callable[[], int]) -> int:
    """Return the seed that was sent, the fixed one if random seeds are switched off, or a random one."""
    if request.seed is None and not request.use_random_seed:
        return FIXED_SEED
    return random_seed() if request.seed in (None, RANDOM_SEED) else request.seed


def to_spec(
    resolved: ResolvedRequest,
    image_paths: Sequence[Path],
    prompt: str,
    stages: int = 2,
    sound_path: Path = Path(),
    source_path: Path = Path(),
) -> GenerationSpec:
    """Return the specification to render.

    image_paths: one per image. prompt: the enhanced one, if there is one. sound_path, source_path:
    of the sound and of the clip that it is made from, if there are any.
    """
    keyframes = tuple(
        Keyframe(path, image.frame_idx, image.strength, image.crf)
        for path, image in zip(image_paths, resolved.images, strict=True)
    )
    sound = None if resolved.sound is None else Sound(sound_path, resolved.sound.start_s)
    source = resolved.spec.source
    if source is not None:
        source = replace(source, path=source_path)
    return replace(resolved.spec, prompt=prompt, keyframes=keyframes, stages=stages, sound=sound, source=source)


def wants_json(raw: Mapping[str, Any]) -> bool:
    """Return whether a request that was resolved before asked for JSON."""
    sent = unwrap(raw).fields.get("return_json") or False
    return GenerateRequest.model_validate({"prompt": "any", "return_json": sent}).return_json


def wants_stream(raw: Mapping[str, Any]) -> bool:
    """Return whether a request, which may be invalid, asks for events."""
    sent = unwrap(raw).fields.get("stream") or False
    with suppress(ValidationError):
        return GenerateRequest.model_validate({"prompt": "any", "stream": sent}).stream
    return False
