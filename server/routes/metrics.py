"""GET /metrics: the server's counters in Prometheus' text format."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from server.telemetry.metrics import Metrics

router = APIRouter()


@router.get("/metrics", summary="Counters, in Prometheus' text format", response_class=Response)
async def metrics(request: Request) -> Response:
    counters: Metrics = request.app.state.metrics
    return Response(counters.exposition(), media_type=CONTENT_TYPE_PLAIN_0_0_4)
