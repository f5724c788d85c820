"""POST /check: what a request would become, without rendering it, so that a page can say so while it is typed."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from server.answers.clip import AdjustmentAnswer, Decimal, adjustments_json, decimal
from server.answers.error_schema import errors
from server.contract.schema import request_schema
from server.requests.body import read_body
from server.requests.context import context_of
from server.requests.prepare import resolve_body
from server.services import services_of

router = APIRouter()


class CheckAnswer(BaseModel):
    """The clip that a request would make."""

    model_config = ConfigDict(title="Check")

    width: int
    height: int
    num_frames: int
    fps: Decimal
    duration: Decimal = Field(description="The length of the clip in seconds.")
    has_audio: bool
    adjustments: list[AdjustmentAnswer] = Field(description="Every value that would be changed or ignored.")


@router.post(
    "/check",
    summary="Say what a request would become, or what is wrong with it, without rendering it",
    responses=errors(401, 408, 413, 415, 422, 500),
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": request_schema()}}},
    },
)
async def check(request: Request) -> CheckAnswer:
    """Check everything but what pictures show: they are not decoded."""
    resolved = await resolve_body(services_of(request), context_of(request), await read_body(request))
    spec = resolved.spec
    return CheckAnswer(
        width=spec.width,
        height=spec.height,
        num_frames=spec.delivered_frames,
        fps=decimal(spec.frame_rate),
        duration=decimal(spec.duration_s),
        has_audio=spec.generate_audio,
        adjustments=adjustments_json(resolved.adjustments),
    )
