"""A request's body, checked and made an order. Everything that can be wrong with it is found here, before it waits."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pipelines.errors import ImageError, SpecError
from pipelines.media.image import decode_image
from server.contract import (
    Adjustment,
    FieldError,
    RequestInvalid,
    ResolvedImage,
    ResolvedRequest,
    clip_size,
    resolve_request,
    to_spec,
)
from server.engine import Engine
from server.orders import Order
from server.workspace import write_images

# One image at a time, whoever sent it: 64 megapixels are several hundred megabytes while they are decoded.
IMAGE_CHECKS = ThreadPoolExecutor(1, thread_name_prefix="image-check")
NO_ENHANCER = "no prompt enhancer is configured; the prompt was used as it came"


async def accept_request(engine: Engine, raw: Mapping[str, Any], strict: bool) -> ResolvedRequest:
    """Raises RequestInvalid."""
    # Off the event loop: megabytes of base64 take a while.
    resolved = await asyncio.to_thread(resolve_request, raw, strict=strict)
    if strict and resolved.enhance_prompt:
        raise RequestInvalid.at(("enhance_prompt",), NO_ENHANCER, "adjustment_refused")
    _validate_fits(engine, resolved)
    await _check_images(resolved.images)
    return resolved


async def prepare_order(engine: Engine, resolved: ResolvedRequest, folder: Path) -> Order:
    """What will be rendered; its images are written into `folder`, which has to last as long as the job."""
    image_paths = await asyncio.to_thread(write_images, folder, [image.data for image in resolved.images])
    return Order(
        spec=to_spec(resolved, image_paths, resolved.prompt, engine.settings.stages),
        original_prompt=resolved.prompt,
        adjustments=resolved.adjustments + _enhancement_adjustments(resolved),
    )


def _enhancement_adjustments(resolved: ResolvedRequest) -> tuple[Adjustment, ...]:
    return (Adjustment("enhance_prompt", True, False, NO_ENHANCER),) if resolved.enhance_prompt else ()


def _validate_fits(engine: Engine, resolved: ResolvedRequest) -> None:
    """Before it waits in the queue. While the model loads nothing is known; then it is not taken on anyway."""
    model = engine.dispatcher.status.model
    if model is None or model.plan is None:
        return
    try:
        model.plan.validate(clip_size(resolved))
    except SpecError as exc:
        raise RequestInvalid.at((), exc.message, "does_not_fit") from exc


async def _check_images(images: tuple[ResolvedImage, ...]) -> None:
    """To the last pixel: what the worker would find out later could no longer be named by its field."""
    loop = asyncio.get_running_loop()
    found = [await loop.run_in_executor(IMAGE_CHECKS, _image_error, image) for image in images]
    errors = [error for error in found if error is not None]
    if errors:
        raise RequestInvalid(errors)


def _image_error(image: ResolvedImage) -> FieldError | None:
    try:
        decode_image(image.data)
    except ImageError as exc:
        return FieldError(image.loc, str(exc), "image_invalid")
    return None
