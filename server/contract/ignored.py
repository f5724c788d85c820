"""Report fields that have no effect: the scale of CFG, names that lost to another, unknown fields."""

from itertools import islice

from pydantic import ValidationError

from server.contract.adjustments import Adjustment, Report
from server.contract.errors import Loc, dotted
from server.contract.names.sent import Overridden, SentRequest
from server.contract.wire import (
    CFG,
    DEFAULT_GUIDANCE_SCALE,
    GenerateRequest,
    KeyframeRequest,
    field_names,
)

MAX_UNKNOWN_REPORTED = 64
REASON = f"the distilled model does not use it, it runs at CFG {CFG:g}"


def report_ignored(request: GenerateRequest, sent: SentRequest, report: Report) -> None:
    if request.guidance_scale != DEFAULT_GUIDANCE_SCALE:
        report.add("guidance_scale", CFG, REASON)
    for overridden in sent.overridden:
        _report_overridden(overridden, sent, report)
    _report_unknown(sent, report)


def _report_overridden(overridden: Overridden, sent: SentRequest, report: Report) -> None:
    path, loser = overridden.path, overridden.loc[-1]
    used = sent.value_at(path)
    if path == ("num_inference_steps",) or _is_same(path, overridden.value, used):
        return
    name = dotted(path) if loser not in field_names(GenerateRequest) else str(loser)
    reason = f"{sent.as_sent(path)[-1]} wins over {loser}"
    report.add_sent(overridden.loc, Adjustment(name, overridden.value, used, reason))


def _is_same(path: Loc, ignored: object, used: object) -> bool:
    """Return whether the ignored value equals the used one or the field's default."""
    # A client's nested values are never compared: they may be nested deeper than the stack allows.
    if isinstance(ignored, list | dict) or isinstance(used, list | dict):
        return False
    name = str(path[-1])
    if len(path) > 1:
        return _read(KeyframeRequest, name, ignored) == _read(KeyframeRequest, name, used)
    default = GenerateRequest.model_fields[name].default
    return _read(GenerateRequest, name, ignored) in (_read(GenerateRequest, name, used), default)


def _read(model: type[GenerateRequest] | type[KeyframeRequest], name: str, value: object) -> object:
    """Return the value as the model reads it, or unchanged if the model cannot read it."""
    others = {"prompt": "x", "image_b64": "", "frame_idx": 0}
    try:
        return getattr(model.model_validate(others | {name: value}), name)
    except ValidationError:
        return value


def _report_unknown(sent: SentRequest, report: Report) -> None:
    unknown = (path for path, value in sent.unknown_fields() if value is not None)
    for path in islice(unknown, MAX_UNKNOWN_REPORTED):
        report.add(dotted(path), None, "not a field of this endpoint, ignored", path=path)
    more = sum(1 for _ in unknown)
    if more:
        report.add_sent((), Adjustment("*", more, None, f"{more} more unknown fields, ignored"))
