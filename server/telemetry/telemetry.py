"""Create the metrics, the log and the traces that the settings ask for."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from server.edge.exchange import OnExchange
from server.settings import Settings
from server.telemetry.metrics import Metrics
from server.telemetry.request_log import RequestLog

if TYPE_CHECKING:
    from server.telemetry.tracing import Tracing


@dataclass(frozen=True)
class Telemetry:
    request_log: RequestLog
    tracing: "Tracing | None" = None
    metrics: Metrics = field(default_factory=Metrics)

    @property
    def listeners(self) -> tuple[OnExchange, ...]:
        tracing = () if self.tracing is None else (self.tracing.on_exchange,)
        return (self.metrics.on_exchange, self.request_log, *tracing)

    async def aclose(self) -> None:
        """Send the remaining traces."""
        if self.tracing is not None:
            await asyncio.to_thread(self.tracing.close)


def create_telemetry(settings: Settings) -> Telemetry:
    """Create the telemetry. Raises SettingsError if traces are wanted and OpenTelemetry is not installed."""
    request_log = RequestLog(settings.log_prompts)
    if settings.otel_endpoint is None:
        return Telemetry(request_log)
    from server.telemetry.tracing import create_tracing

    return Telemetry(request_log, create_tracing(settings.otel_endpoint, with_prompts=settings.log_prompts))
