"""Width and height of the clip."""

from pipelines.geometry import MIN_SIDE, max_size, snap_size
from pipelines.spec import SIZE_MULTIPLE
from server.contract.report import Report
from server.contract.wire import GenerateRequest


def resolve_size(request: GenerateRequest, report: Report) -> tuple[int, int]:
    size = snap_size(request.width, request.height)
    limits = max_size(request.width, request.height)
    for field, sent, used, limit in zip(
        ("width", "height"), (request.width, request.height), size, limits, strict=True
    ):
        if used != sent:
            report.add(field, used, f"the nearest multiple of {SIZE_MULTIPLE} within {MIN_SIDE} .. {limit} is {used}")
    return size
