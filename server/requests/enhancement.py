"""Connect requests to the prompt enhancer: build its requests, and turn its answers into ours."""

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from enhancer.captioner import Captioner, CaptionerOptions
from enhancer.enhance import Enhancer
from enhancer.enhancement import Enhancement, EnhanceRequest, EnhancerState, Result, Status
from enhancer.messages import Mode
from enhancer.sglang import Sglang, SglangOptions
from enhancer.sglang_install import DEFAULT_FOLDER, Installation
from enhancer.sglang_process import ManagedOptions, ManagedSglang, ManagedStatus
from server.contract import Adjustment, RequestInvalid, ResolvedRequest
from server.settings import Settings, setting_error

OnResult = Callable[[Result, float], None]

NO_ENHANCER = "no prompt enhancer is configured; the prompt was used as it came"


@dataclass(frozen=True)
class UsedPrompt:
    """The prompt that is rendered, and how it was made."""

    prompt: str
    enhanced: bool = False
    adjustments: tuple[Adjustment, ...] = ()
    seconds: float = 0.0


def create_managed(settings: Settings) -> ManagedSglang | None:
    """Create the SGLang process if the settings ask for one, else return None. Raises SettingsError if it is absent."""
    if settings.enhancer != "managed":
        return None
    args = tuple(shlex.split(settings.sglang_args))
    return ManagedSglang(ManagedOptions(_sglang_python(settings), settings.sglang_model, extra_args=args))


def _sglang_python(settings: Settings) -> Path:
    """Return the Python that has SGLang. Raises SettingsError if it is missing or its installation is incomplete."""
    python, installed = settings.sglang_python, Installation(DEFAULT_FOLDER.expanduser())
    if python is None and installed.requirement is None:
        raise setting_error("sglang_python", f"SGLang is not in {installed.folder}: `ltx23 enhancer install`")
    if python is not None and not python.exists():
        raise setting_error("sglang_python", f"{python} is not there: give the Python that has SGLang")
    return (python or installed.python).absolute()


def create_enhancer(
    settings: Settings,
    managed: ManagedSglang | None = None,
    on_result: OnResult = lambda result, seconds: None,
) -> Enhancer:
    """Create the enhancer, which is off without a language model. Raises enhancer.errors.SettingsError."""
    url = managed.url if managed else settings.rewriter_url
    if url is None:
        return Enhancer(on_result=on_result)
    key = settings.sglang_api_key
    options = SglangOptions(
        url,
        settings.sglang_model,
        key.get_secret_value() if key else None,
        timeout_s=settings.enhance_timeout_s,
    )
    return Enhancer(Sglang(options), create_captioner(settings), on_result=on_result)


def create_captioner(settings: Settings) -> Captioner | None:
    if settings.captioner == "off":
        return None
    return Captioner(CaptionerOptions(settings.captioner, settings.captioner_device))


def enhancer_state(enhancer: Enhancer, managed: ManagedSglang | None) -> EnhancerState:
    """Return the enhancer's state; it is down until a managed SGLang is ready."""
    if managed is None or managed.state.status is ManagedStatus.READY:
        return enhancer.state
    reason = managed.state.reason or f"the prompt enhancer's language model is {managed.state.status}"
    return EnhancerState(Status.DOWN, (reason,))


async def enhance_request(
    enhancer: Enhancer, resolved: ResolvedRequest, image_paths: Sequence[Path], *, required: bool, strict: bool
) -> UsedPrompt:
    """Return the prompt to render, enhanced if the request asks for it.

    Raises EnhancerError if enhancement is required (by the settings or by strict handling) and fails, and
    RequestInvalid if handling is strict and there is no enhancer.
    """
    if not resolved.enhance_prompt:
        return UsedPrompt(resolved.spec.prompt)
    if enhancer.state.status is Status.OFF and strict:
        raise RequestInvalid.at(("enhance_prompt",), NO_ENHANCER, "adjustment_refused")
    if enhancer.state.status is Status.OFF and not required:
        return UsedPrompt(resolved.spec.prompt, adjustments=(Adjustment("enhance_prompt", True, False, NO_ENHANCER),))
    begun = time.monotonic()
    request = EnhanceRequest(
        prompt=resolved.spec.prompt,
        mode=mode_of(resolved),
        image_path=first_image(resolved, image_paths),
        seed=resolved.spec.seed,
        duration_s=float(resolved.spec.duration_s),
    )
    # `handling=strict` allows no deviation from the request.
    enhancement = await enhancer.enhance(request, required=required or strict)
    return UsedPrompt(enhancement.prompt, enhancement.enhanced, adjustments_of(enhancement), time.monotonic() - begun)


def mode_of(resolved: ResolvedRequest) -> Mode:
    return (Mode.T2V, Mode.I2V, Mode.KEYFRAMES)[min(len(resolved.images), 2)]


def first_image(resolved: ResolvedRequest, paths: Sequence[Path]) -> Path | None:
    """Return the image with the lowest frame number, or None."""
    by_frame = {image.frame_idx: path for image, path in zip(resolved.images, paths, strict=True)}
    return by_frame[min(by_frame)] if by_frame else None


def adjustments_of(enhancement: Enhancement) -> tuple[Adjustment, ...]:
    return tuple(Adjustment("enhance_prompt", True, enhancement.enhanced, note) for note in enhancement.notes)
