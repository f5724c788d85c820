"""Resolve the negative prompt and the numbers of its guidance."""

from pipelines.direction import DEFAULT_NEGATIVE_PROMPT, Guidance
from server.contract.adjustments import Report
from server.contract.wire import GenerateRequest

NOT_ASKED = "neither negative_prompt nor nag_scale asks for guidance"


def resolve_guidance(request: GenerateRequest, report: Report) -> Guidance | None:
    """Return the guidance of the clip. What was sent for one that has no effect is reported.

    A negative prompt asks for it, unless it is the hosted endpoint's default text, which its clients send with every
    request; so does a `nag_scale` above 1, with the default text if no other is sent.
    """
    is_own = request.negative_prompt.strip() not in ("", DEFAULT_NEGATIVE_PROMPT)
    scale = request.nag_scale if request.nag_scale is not None else Guidance.scale if is_own else 1.0
    guidance = Guidance(
        request.negative_prompt,
        scale,
        Guidance.alpha if request.nag_alpha is None else request.nag_alpha,
        Guidance.tau if request.nag_tau is None else request.nag_tau,
        bool(request.nag_audio),
    )
    if guidance.has_effect:
        return guidance
    _report_unused(guidance, is_own, report)
    return None


def _report_unused(guidance: Guidance, is_own: bool, report: Report) -> None:
    reason = _reason(guidance, is_own)
    if is_own:
        report.add("negative_prompt", None, reason)
    if guidance.scale > 1:
        report.add("nag_scale", 1, reason)
    if guidance.alpha not in (Guidance.alpha, 0):
        report.add("nag_alpha", None, reason)
    if guidance.tau != Guidance.tau:
        report.add("nag_tau", None, reason)
    if guidance.audio:
        report.add("nag_audio", False, reason)


def _reason(guidance: Guidance, is_own: bool) -> str:
    if not guidance.negative_prompt.strip():
        return "negative_prompt is empty, so there is nothing to lead away from"
    if guidance.scale > 1:
        return "nag_alpha is 0, so guidance has no share in the clip"
    return "nag_scale is not above 1, so there is no guidance" if is_own else NOT_ASKED
