"""What was sent and has no effect: fields of other models, aliases that lost, unknown fields."""

from collections.abc import Iterator
from itertools import islice

from server.contract.adjustments import Adjustment
from server.contract.aliases import Overridden, SentRequest
from server.contract.errors import Loc
from server.contract.report import Report
from server.contract.wire import DEFAULT_GUIDANCE_SCALE, DEFAULT_NEGATIVE_PROMPT, GenerateRequest, KeyframeRequest

CFG = 1.0
MAX_UNKNOWN_REPORTED = 64


def report_ignored(request: GenerateRequest, sent: SentRequest, report: Report) -> None:
    _report_guidance(request, report)
    for alias in sent.overridden:
        _report_overridden(alias, sent, report)
    _report_unknown(sent, report)


def _report_guidance(request: GenerateRequest, report: Report) -> None:
    if request.guidance_scale != DEFAULT_GUIDANCE_SCALE:
        report.add("guidance_scale", CFG, "the distilled model does not use it, it runs at CFG 1")
    if request.negative_prompt != DEFAULT_NEGATIVE_PROMPT:
        report.add("negative_prompt", None, "the distilled model does not use it, it runs at CFG 1")


def _report_overridden(alias: Overridden, sent: SentRequest, report: Report) -> None:
    if alias.path == ("num_inference_steps",):
        return
    used = sent.value_at(alias.path)
    field = GenerateRequest.model_fields.get(str(alias.path[-1]))
    unchanged = (used, field.default if field else used)
    # Nested values of a client are never compared: they may be deeper than the stack.
    if isinstance(alias.value, list | dict) or alias.value not in unchanged:
        name = ".".join(map(str, alias.path))
        reason = f"{sent.as_sent(alias.path)[-1]} wins over {alias.loc[-1]}"
        report.add_sent(alias.loc, Adjustment(name, alias.value, used, reason))


def _report_unknown(sent: SentRequest, report: Report) -> None:
    unknown = _unknown_paths(sent)
    for path in islice(unknown, MAX_UNKNOWN_REPORTED):
        report.add(".".join(map(str, path)), None, "not a field of this endpoint, ignored", path=path)
    more = sum(1 for _ in unknown)
    if more:
        report.add_sent((), Adjustment("*", more, None, f"{more} more unknown fields, ignored"))


def _unknown_paths(sent: SentRequest) -> Iterator[Loc]:
    known, known_inside = GenerateRequest.model_fields, KeyframeRequest.model_fields
    yield from ((name,) for name in sent.values if name not in known)
    for i, keyframe in enumerate(sent.values.get("keyframes", ())):
        for name, value in keyframe.items():
            if value is not None and name not in known_inside:
                yield ("keyframes", i, name)
