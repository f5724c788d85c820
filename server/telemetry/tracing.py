"""Send OpenTelemetry traces: a span for each request and for each stage of its clip. Needs the extra `otel`.

Spans are created when a request is over, from its measured times. Decoding and muxing alternate in reality; their spans
follow each other, each as long as its parts together. A stored video's stages are spans of the request that created and
awaited it, not of a request that finds it later.
"""

import time
from dataclasses import dataclass
from typing import Any

from server.edge.exchange import Exchange
from server.requests.context import RequestContext, context_in
from server.settings import SettingsError
from server.telemetry.request_log import clip_fields, timings_s

try:
    from opentelemetry.context import Context
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import SpanKind, StatusCode, Tracer, set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError as exc:
    raise SettingsError(
        "LTX23_OTEL_ENDPOINT / --otel-endpoint: traces need OpenTelemetry, which is not installed: "
        "pip install 'ltx23-server[otel]'"
    ) from exc

SERVICE = "ltx23-server"
# The path of OTLP over HTTP below a collector's address.
TRACES_PATH = "/v1/traces"
EXPORT_TIMEOUT_S = 5.0
MAX_INTEGER = 2**63 - 1


@dataclass(frozen=True)
class Tracing:
    provider: TracerProvider
    with_prompts: bool = False

    def on_exchange(self, exchange: Exchange) -> None:
        context = context_in(exchange.state)
        tracer = self.provider.get_tracer(SERVICE)
        # The wall-clock time at which the monotonic clock was zero.
        epoch_s = time.time() - time.monotonic()
        carrier = {} if exchange.traceparent is None else {"traceparent": exchange.traceparent}
        span = tracer.start_span(
            f"{exchange.method} {exchange.route}",
            TraceContextTextMapPropagator().extract(carrier),
            SpanKind.SERVER,
            self._attributes(exchange, context),
            start_time=_ns(epoch_s + exchange.began_at),
        )
        if exchange.status >= 500:
            span.set_status(StatusCode.ERROR)
        end_s = epoch_s + exchange.began_at + exchange.seconds
        _add_parts(tracer, set_span_in_context(span), epoch_s, end_s, context)
        span.end(_ns(end_s))

    def close(self) -> None:
        self.provider.shutdown()

    def _attributes(self, exchange: Exchange, context: RequestContext) -> dict[str, Any]:
        """Use OpenTelemetry's names where it defines them."""
        clip = clip_fields(context, with_prompt=self.with_prompts)
        return {
            "http.request.method": exchange.method,
            "http.route": exchange.route,
            "http.response.status_code": exchange.status,
            "http.response.body.size": exchange.body_bytes,
            "ltx23.request_id": context.id,
            **{f"ltx23.{name}": _attribute(value) for name, value in clip.items()},
        }


def _add_parts(tracer: Tracer, parent: Context, epoch_s: float, end_s: float, context: RequestContext) -> None:
    """Add the stages of the clip, none of which ends after the request: the worker measured them, and is heard late."""
    if context.job is None:
        return
    seconds = timings_s(context)
    at = epoch_s + context.job.submitted_at - seconds["enhance"]
    for name, duration in seconds.items():
        if duration or name == "queue":
            span = tracer.start_span(name, parent, start_time=_ns(at))
            at = min(at + duration, end_s)
            span.end(_ns(at))


def _attribute(value: Any) -> Any:
    """Return an integer as text where OTLP's, which are signed, cannot hold it: a seed may be up to 2**64 - 1."""
    return str(value) if isinstance(value, int) and value > MAX_INTEGER else value


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


def create_tracing(endpoint: str, *, with_prompts: bool) -> Tracing:
    """Create the exporter for a collector at `endpoint`. If it does not answer, spans are lost, not requests."""
    exporter = OTLPSpanExporter(endpoint.rstrip("/") + TRACES_PATH, timeout=EXPORT_TIMEOUT_S)
    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracing(provider, with_prompts)
