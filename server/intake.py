"""A request's body, checked and made an order. Everything that can be wrong with it is found here, before it waits."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.errors import SpecError
from pipelines.media.image_crop import Size
from pipelines.prompt_cut import MAX_TOKENS, PromptCut
from server.contract import (
    Adjustment,
    RequestInvalid,
    ResolvedRequest,
    clip_size,
    report_crops,
    resolve_request,
    to_spec,
)
from server.engine import Engine
from server.enhancement import enhance_request
from server.image_checks import check_images
from server.orders import Order
from server.workspace import write_images


async def accept_request(engine: Engine, raw: Mapping[str, Any], strict: bool, owner: str | None) -> ResolvedRequest:
    """Resolve a request that the queue has room for now; its images are not looked at yet.

    Raise RequestInvalid, QueueFull or NotReady.
    """
    # Off the event loop: megabytes of base64 take a while.
    resolved = await asyncio.to_thread(resolve_request, raw, strict=strict)
    _validate_fits(engine, resolved)
    engine.dispatcher.validate_admits(owner)
    return resolved


async def prepare_order(
    engine: Engine, resolved: ResolvedRequest, folder: Path, strict: bool, owner: str | None
) -> Order:
    """Check the images and return what will be rendered, its prompt enhanced if that was asked for.

    Images are written into `folder`, which has to last as long as the job. Cancelled, it has stopped when it returns.
    Raise RequestInvalid for an image, or EnhancerError or RequestInvalid where the prompt may not be used as it came,
    and NotReady where the server stops or no worker can tell how long the prompt is.
    """
    image_paths = await write_images(folder, [image.data for image in resolved.images])
    pictures = await check_images(engine.images, resolved.images, image_paths, owner)
    crops = report_crops(resolved.images, pictures, Size(resolved.width, resolved.height), strict=strict)
    if resolved.enhance_prompt:
        # Nothing is rewritten for a clip that would not be taken on.
        engine.dispatcher.validate_admits(owner)
    required = engine.settings.enhancer_required
    used = await enhance_request(engine.enhancer, resolved, image_paths, required=required, strict=strict)
    cut = await engine.dispatcher.find_cut(used.prompt)
    cut_adjustments = () if cut is None else (adjust_cut(cut, enhanced=used.enhanced, strict=strict),)
    return Order(
        spec=to_spec(resolved, image_paths, used.prompt, engine.settings.stages),
        original_prompt=resolved.prompt,
        enhanced=used.enhanced,
        adjustments=resolved.adjustments + crops + used.adjustments + cut_adjustments,
        enhance_s=used.seconds,
        requested_duration_s=resolved.requested_duration_s,
    )


def adjust_cut(cut: PromptCut, *, enhanced: bool, strict: bool) -> Adjustment:
    """Report what is left out of a prompt. Raises RequestInvalid where strict: nothing may be left out then."""
    name = "the enhanced prompt" if enhanced else "the prompt"
    if strict:
        raise RequestInvalid.at(("prompt",), f"Should be shorter: {name} has {cut}", "adjustment_refused")
    return Adjustment("prompt", f"{cut.tokens} tokens", f"{MAX_TOKENS} tokens", f"{name} has {cut}")


def _validate_fits(engine: Engine, resolved: ResolvedRequest) -> None:
    """Before it waits in the queue, and on every device: any may get it. While the model loads nothing is known; then
    it is not taken on anyway.
    """
    models = [worker.model for worker in engine.dispatcher.status.workers]
    plans = [model.plan for model in models if model is not None and model.plan is not None]
    try:
        for plan in plans:
            plan.validate(clip_size(resolved))
    except SpecError as exc:
        raise RequestInvalid.at((), exc.message, "does_not_fit") from exc
