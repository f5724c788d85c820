"""GET /metrics: the server's counters in Prometheus' text format."""

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from server.answers.error_schema import errors
from server.telemetry.metrics import Metrics

router = APIRouter()


METRICS: dict[str, Any] = {"description": "The counters", "content": {"text/plain": {"schema": {"type": "string"}}}}


@router.get(
    "/metrics",
    summary="Get metrics in Prometheus' text format",
    response_class=Response,
    responses=errors(401, 500) | {200: METRICS},
)
async def metrics(request: Request) -> Response:
    counters: Metrics = request.app.state.metrics
    return Response(counters.exposition(), media_type=CONTENT_TYPE_PLAIN_0_0_4)
