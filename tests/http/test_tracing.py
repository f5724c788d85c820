"""Traces as a collector on loopback receives them."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.conftest import Server, run_server
from tests.http.conftest import KEY, SMALL, closed_port
from tests.http.test_enhance import ENHANCED
from tests.http.videos import PATH
from weights.tiny import TinyFiles

TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector(ThreadingHTTPServer):
    """A server that keeps whatever is sent to /v1/traces."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.received: list[ExportTraceServiceRequest] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in self.received
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/v1/traces"
        self.server.received.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def collecting() -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            collector.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def collector(cache_dir: Path, tiny: TinyFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """Collect the spans of a clip in its client's trace, of a refusal, and of two stored videos.

    One video is awaited and then found, the other is only created. The server has ended.
    """
    options: tuple[str, ...] = ("--sglang-url", f"http://127.0.0.1:{closed_port()}", "--captioner", "off")
    with collecting() as collector:
        options += ("--otel-endpoint", collector.url)
        tracing = run_server(cache_dir, tmp_path_factory.mktemp("work"), *options, LTX23_API_KEYS=KEY)
        with tracing as server, server.client(headers={"x-api-key": KEY}) as client:
            headers = {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01", "X-Request-ID": "mine"}
            assert client.post("/generate", json=ENHANCED, headers=headers).status_code == 200
            assert client.post("/generate", json={}).status_code == 422
            for path, request_id in (("/generate", "awaited"), ("/generate", "found"), (PATH, "created")):
                headers = {"Idempotency-Key": path, "X-Request-ID": request_id}
                assert client.post(path, json=ENHANCED, headers=headers).status_code == 200
        yield collector


def request_span(collector: Collector, request_id: str) -> Span:
    (span,) = (s for s in collector.spans if attributes(s).get("ltx23.request_id") == request_id)
    return span


def attributes(span: Span) -> dict[str, Any]:
    values = {item.key: item.value for item in span.attributes}
    return {key: getattr(value, value.WhichOneof("value")) for key, value in values.items()}


def parts(collector: Collector, span: Span) -> list[Span]:
    """Return the children of a span, by their start."""
    children = [child for child in collector.spans if child.parent_span_id == span.span_id]
    return sorted(children, key=lambda child: child.start_time_unix_nano)


@pytest.fixture
def clip(collector: Collector) -> Span:
    return request_span(collector, "mine")


def test_a_request_is_a_span_of_the_clients_trace(clip: Span) -> None:
    assert (clip.name, clip.kind) == ("POST /generate", Span.SPAN_KIND_SERVER)
    assert (clip.trace_id.hex(), clip.parent_span_id.hex()) == (TRACE_ID, PARENT_ID)
    values = attributes(clip)
    assert values["http.route"] == "/generate"
    assert values["http.response.status_code"] == 200
    assert values["ltx23.seed"] == SMALL["seed"]
    assert values["ltx23.outcome"] == "done"


@pytest.mark.parametrize("request_id", ["mine", "awaited"])
def test_the_stages_of_a_clip_are_consecutive_child_spans(collector: Collector, request_id: str) -> None:
    clip = request_span(collector, request_id)
    children = parts(collector, clip)

    assert [part.name for part in children] == ["enhance", "queue", "encode", "denoise", "decode", "mux"]
    assert all(part.trace_id == clip.trace_id for part in children)
    ends = [part.end_time_unix_nano for part in children]
    assert [part.start_time_unix_nano for part in children[1:]] == ends[:-1]
    assert clip.start_time_unix_nano < children[0].start_time_unix_nano
    assert ends[-1] <= clip.end_time_unix_nano


def test_a_video_that_is_created_or_found_has_attributes_and_no_child_spans(collector: Collector) -> None:
    awaited, found, created = (
        attributes(request_span(collector, request_id)) for request_id in ("awaited", "found", "created")
    )

    assert awaited["ltx23.video_id"] == found["ltx23.video_id"] != created["ltx23.video_id"]
    assert {values["ltx23.seed"] for values in (awaited, found, created)} == {SMALL["seed"]}
    assert (awaited["ltx23.outcome"], found["ltx23.outcome"]) == ("done", "done")
    assert "ltx23.outcome" not in created
    assert not parts(collector, request_span(collector, "found"))
    assert not parts(collector, request_span(collector, "created"))


def test_a_refusal_is_a_span_of_its_own_trace(collector: Collector) -> None:
    (refusal,) = (s for s in collector.spans if attributes(s).get("http.response.status_code") == 422)

    assert (refusal.name, refusal.parent_span_id) == ("POST /generate", b"")
    assert refusal.trace_id.hex() != TRACE_ID
    assert refusal.status.code == Status.STATUS_CODE_UNSET
    assert not parts(collector, refusal)


def test_traces_contain_no_key_and_no_prompt(collector: Collector) -> None:
    sent = b"".join(request.SerializeToString() for request in collector.received)

    assert KEY.encode() not in sent
    assert str(SMALL["prompt"]).encode() not in sent
    (service,) = {
        item.value.string_value
        for request in collector.received
        for resource in request.resource_spans
        for item in resource.resource.attributes
        if item.key == "service.name"
    }
    assert service == "ltx23-server"


def test_clips_are_rendered_if_the_collector_is_not_there(without_services: Server) -> None:
    """The fixture checks that the server also stops without it."""
    with without_services.client(headers={"x-api-key": KEY}) as client:
        assert client.post("/generate", json=SMALL).status_code == 200


def test_a_server_without_the_otel_extra_does_not_start_and_says_why(tmp_path: Path) -> None:
    """A None in `sys.modules` makes the import of opentelemetry.sdk fail."""
    program = (
        "import sys; sys.modules['opentelemetry.sdk'] = None\n"
        "from server.cli import main\n"
        "sys.exit(main(['serve', '--port', '0', '--otel-endpoint', 'http://127.0.0.1:9', *sys.argv[1:]]))"
    )
    command = [sys.executable, "-c", program, "--data-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("ltx23: error: LTX23_OTEL_ENDPOINT / --otel-endpoint: traces need OpenTelemetry")
    assert "ltx23-server[otel]" in sentence


def test_an_invalid_endpoint_is_reported_in_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "server.cli", "serve", "--port", "0", "--otel-endpoint", "collector"]
    done = subprocess.run([*command, "--data-dir", str(tmp_path)], capture_output=True, text=True)

    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert "LTX23_OTEL_ENDPOINT / --otel-endpoint" in sentence


def test_the_server_does_not_import_opentelemetry_without_an_endpoint() -> None:
    program = "import sys, server.commands.serve, server.app; print('opentelemetry.sdk' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
