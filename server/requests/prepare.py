"""Validate a request and make it a PreparedRequest. Every error in a request is found here, before it is queued."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from enhancer.enhancement import Enhancement
from pipelines.errors import SpecError
from pipelines.media.image_crop import Size
from pipelines.media.source_info import SourceInfo
from pipelines.prompt_cut import MAX_TOKENS
from pipelines.spec import Container
from server.contract.adjustments import Adjustment
from server.contract.errors import RequestInvalid
from server.contract.images import report_crops
from server.contract.resolve import ResolvedRequest, draw_seed, resolve_request, to_spec
from server.contract.sound import find_sound
from server.contract.source import ResolvedSource, find_source
from server.requests.body import RequestBody
from server.requests.context import RequestContext
from server.requests.enhancement import enhance_request, enhancement_adjustments
from server.requests.source import clip_of, inspect_clip, written
from server.services import Services
from server.uploads.checks import check_images
from server.uploads.files import write_images, write_sound
from server.uploads.sounds import measure_sound
from server.videos.prepared import PreparedRequest

# Nothing of the clip is changed, so strict handling does not refuse it.
UNSIGNED = Adjustment("video_format", "webm", "webm", "a webm cannot hold a C2PA manifest: it is not signed")


async def accept_request(services: Services, context: RequestContext, body: RequestBody) -> ResolvedRequest:
    """Resolve a request and check that the queue has room for it now. Its images are not checked yet.

    Raises RequestInvalid, QueueFull or NotReady.
    """
    resolved = await resolve_body(
        services, context, body, before_decoding=lambda: services.dispatcher.validate_admits(context.owner)
    )
    services.dispatcher.validate_admits(context.owner)
    return resolved


async def resolve_body(
    services: Services, context: RequestContext, body: RequestBody, before_decoding: Callable[[], None] = lambda: None
) -> ResolvedRequest:
    """Resolve a request. Its images are not checked. Raises RequestInvalid.

    A sound is, because the clip may be as long as it, and so is a clip that this one is made from. before_decoding: is
    called before either, and may raise.
    """
    source, source_info = await asyncio.to_thread(find_source, body.fields), None
    if source is not None:
        before_decoding()
        source_info = await inspect_clip(
            services.media_checker, services.workspace, source, services.videos, context.owner
        )
    sound, sound_s = await asyncio.to_thread(find_sound, body.fields), None
    if sound is not None:
        before_decoding()
        sound_s = await measure_sound(services.media_checker, services.workspace, sound, context.owner)
    resolved = await asyncio.to_thread(_resolve, services, context, body, sound_s, source, source_info)
    return replace(resolved, adjustments=body.adjustments + resolved.adjustments)


def _resolve(
    services: Services,
    context: RequestContext,
    body: RequestBody,
    sound_s: Fraction | None,
    source: ResolvedSource | None,
    source_info: SourceInfo | None,
) -> ResolvedRequest:
    resolved = resolve_request(
        body.fields,
        strict=context.is_strict,
        random_seed=lambda: services.run_values.seed(draw_seed()),
        sound_s=sound_s,
        loras=services.loras.entries(services.dispatcher.status.model),
        source=source,
        source_info=source_info,
    )
    _validate_fits(services, resolved)
    if services.settings.c2pa_key is not None and resolved.spec.container is Container.WEBM:
        return replace(resolved, adjustments=(*resolved.adjustments, UNSIGNED))
    return resolved


async def prepare_request(
    services: Services, context: RequestContext, resolved: ResolvedRequest, folder: Path
) -> PreparedRequest:
    """Check the images and return what to render, with the prompt enhanced if the request asks for it.

    Images and the sound are written into `folder`, which must last as long as the job. If cancelled, all work has
    stopped on return. Raises RequestInvalid for an image or, if strict, for any adjustment; EnhancerError if a required
    rewrite fails; QueueFull; and NotReady if the server stops or no worker can measure the prompt.
    """
    strict = context.is_strict
    image_paths = await write_images(folder, [image.data for image in resolved.images])
    sound_path = Path() if resolved.sound is None else await write_sound(folder, resolved.sound.data)
    source, source_path = resolved.source, Path()
    if source is not None:
        source_path = await written(source, await clip_of(source, services.videos, context.owner), folder)
    pictures = await check_images(services.media_checker, resolved.images, image_paths, context.owner)
    crops = report_crops(resolved.images, pictures, Size(resolved.spec.width, resolved.spec.height), strict=strict)
    enhancement, enhance_s = Enhancement(resolved.spec.prompt), 0.0
    if resolved.enhance_prompt:
        # Do not rewrite the prompt of a clip that would not be accepted.
        services.dispatcher.validate_admits(context.owner)
        begun = time.monotonic()
        enhancement = await enhance_request(services, context, resolved, image_paths)
        enhance_s = time.monotonic() - begun
    name = "the enhanced prompt" if enhancement.enhanced else "the prompt"
    cuts = await report_cut(services, "prompt", name, enhancement.prompt, strict=strict)
    if resolved.spec.guidance is not None:
        negative_prompt = resolved.spec.guidance.negative_prompt
        cuts += await report_cut(services, "negative_prompt", "the negative prompt", negative_prompt, strict=strict)
    return PreparedRequest(
        spec=to_spec(resolved, image_paths, enhancement.prompt, services.settings.stages, sound_path, source_path),
        original_prompt=resolved.spec.prompt,
        enhanced=enhancement.enhanced,
        adjustments=resolved.adjustments + crops + enhancement_adjustments(enhancement) + cuts,
        enhance_s=enhance_s,
        requested_duration_s=resolved.requested_duration_s,
        from_video=None if source is None else source.video_id,
    )


async def report_cut(services: Services, field: str, name: str, prompt: str, *, strict: bool) -> tuple[Adjustment, ...]:
    """Return the adjustment for a prompt that is longer than what is read, if it is. Raises RequestInvalid if strict.

    name: what the prompt is called in the message. Raises NotReady.
    """
    cut = await services.dispatcher.find_cut(prompt)
    if cut is None:
        return ()
    if strict:
        raise RequestInvalid.at((field,), f"Should be shorter: {name} has {cut}", "adjustment_refused")
    return (Adjustment(field, f"{cut.tokens} tokens", f"{MAX_TOKENS} tokens", f"{name} has {cut}"),)


def _validate_fits(services: Services, resolved: ResolvedRequest) -> None:
    """Raise RequestInvalid if the clip does not fit on every device, because any of them may render it.

    While the model loads, sizes are unknown, but then no request is accepted anyway.
    """
    loras = resolved.spec.loras
    names = tuple(lora.name for lora in loras if lora.strength)
    models = [worker.model for worker in services.dispatcher.status.workers]
    try:
        for model in models:
            if model is not None and model.plan is not None:
                lora_bytes = services.loras.lora_bytes(loras, model) if names else 0
                model.plan.validate(replace(resolved.clip_size, lora_bytes=lora_bytes, lora_names=names))
    except SpecError as exc:
        loc = ("loras",) if exc.field == "loras" else ()
        raise RequestInvalid.at(loc, exc.message, "does_not_fit") from exc
