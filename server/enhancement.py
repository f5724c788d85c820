"""Between a request and the enhancer: what it is asked, and what becomes of its answer in ours."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from enhancer.captioner import Captioner, CaptionerOptions
from enhancer.enhance import Enhancer
from enhancer.enhancement import Enhancement, EnhanceRequest, Result, Status
from enhancer.messages import Mode
from enhancer.sglang import Sglang, SglangOptions
from server.contract import Adjustment, RequestInvalid, ResolvedRequest
from server.settings import Settings

OnResult = Callable[[Result, float], None]

NO_ENHANCER = "no prompt enhancer is configured; the prompt was used as it came"


@dataclass(frozen=True)
class UsedPrompt:
    """The prompt that is rendered, and how it came about."""

    prompt: str
    enhanced: bool = False
    adjustments: tuple[Adjustment, ...] = ()
    seconds: float = 0.0


def create_enhancer(settings: Settings, on_result: OnResult = lambda result, seconds: None) -> Enhancer:
    """Off without a language model. Raises enhancer.errors.SettingsError."""
    if settings.rewriter_url is None:
        return Enhancer(on_result=on_result)
    key = settings.sglang_api_key
    options = SglangOptions(
        settings.rewriter_url,
        settings.sglang_model,
        key.get_secret_value() if key else None,
        timeout_s=settings.enhance_timeout_s,
    )
    return Enhancer(Sglang(options), create_captioner(settings), on_result=on_result)


def create_captioner(settings: Settings) -> Captioner | None:
    if settings.captioner == "off":
        return None
    return Captioner(CaptionerOptions(settings.captioner, settings.captioner_device))


async def enhance_request(
    enhancer: Enhancer, resolved: ResolvedRequest, image_paths: Sequence[Path], *, required: bool, strict: bool
) -> UsedPrompt:
    """Raises EnhancerError where it is required, RequestInvalid where strict and there is no enhancer."""
    if not resolved.enhance_prompt:
        return UsedPrompt(resolved.prompt)
    if enhancer.state.status is Status.OFF and strict:
        raise RequestInvalid.at(("enhance_prompt",), NO_ENHANCER, "adjustment_refused")
    if enhancer.state.status is Status.OFF and not required:
        return UsedPrompt(resolved.prompt, adjustments=(Adjustment("enhance_prompt", True, False, NO_ENHANCER),))
    begun = time.monotonic()
    request = EnhanceRequest(
        prompt=resolved.prompt,
        mode=mode_of(resolved),
        image_path=first_image(resolved, image_paths),
        seed=resolved.seed,
        duration_s=float(resolved.num_frames / resolved.frame_rate),
    )
    # Under `handling=strict` nothing may be other than it was asked for.
    enhancement = await enhancer.enhance(request, required=required or strict)
    return UsedPrompt(enhancement.prompt, enhancement.enhanced, adjustments_of(enhancement), time.monotonic() - begun)


def mode_of(resolved: ResolvedRequest) -> Mode:
    return (Mode.T2V, Mode.I2V, Mode.KEYFRAMES)[min(len(resolved.images), 2)]


def first_image(resolved: ResolvedRequest, paths: Sequence[Path]) -> Path | None:
    """The one at frame 0."""
    by_frame = {image.frame_idx: path for image, path in zip(resolved.images, paths, strict=True)}
    return by_frame[min(by_frame)] if by_frame else None


def adjustments_of(enhancement: Enhancement) -> tuple[Adjustment, ...]:
    return tuple(Adjustment("enhance_prompt", True, enhancement.enhanced, note) for note in enhancement.notes)
