"""Have the prompt of a request rewritten, and turn the result into adjustments."""

from collections.abc import Sequence
from pathlib import Path

from enhancer.enhancement import Enhancement, EnhanceRequest, EnhancerStatus
from enhancer.messages import Mode
from server.contract.adjustments import Adjustment
from server.contract.errors import RequestInvalid
from server.contract.resolve import ResolvedRequest
from server.requests.context import RequestContext
from server.services import Services

NO_ENHANCER = "no prompt enhancer is configured; the prompt was used as it came"


async def enhance_request(
    services: Services, context: RequestContext, resolved: ResolvedRequest, image_paths: Sequence[Path]
) -> Enhancement:
    """Rewrite the prompt. Failures become notes.

    Raises EnhancerError if enhancement is required (by the settings or by strict handling) and fails, and
    RequestInvalid if handling is strict and there is no enhancer.
    """
    enhancer, required = services.enhancer, services.settings.enhancer_required
    if enhancer.state.status is EnhancerStatus.OFF and context.is_strict:
        raise RequestInvalid.at(("enhance_prompt",), NO_ENHANCER, "adjustment_refused")
    if enhancer.state.status is EnhancerStatus.OFF and not required:
        return Enhancement(resolved.spec.prompt, notes=(NO_ENHANCER,))
    request = EnhanceRequest(
        prompt=resolved.spec.prompt,
        mode=(Mode.T2V, Mode.I2V, Mode.KEYFRAMES)[min(len(resolved.images), 2)],
        image_path=_first_image(resolved, image_paths),
        seed=resolved.spec.seed,
        duration_s=float(resolved.spec.duration_s),
    )
    # `handling=strict` allows no deviation from the request.
    return await enhancer.enhance(request, required=required or context.is_strict)


def enhancement_adjustments(enhancement: Enhancement) -> tuple[Adjustment, ...]:
    return tuple(Adjustment("enhance_prompt", True, enhancement.enhanced, note) for note in enhancement.notes)


def _first_image(resolved: ResolvedRequest, paths: Sequence[Path]) -> Path | None:
    """Return the image with the lowest frame number, or None."""
    by_frame = {image.frame_idx: path for image, path in zip(resolved.images, paths, strict=True)}
    return by_frame[min(by_frame)] if by_frame else None
