"""GET /metrics of a real server."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Server, run_server
from tests.http.conftest import KEY, SMALL, closed_port
from tests.http.test_enhance import ENHANCED
from weights.tiny import TinyFiles

Sample = tuple[str, frozenset[tuple[str, str]]]


def scrape(client: httpx.Client) -> list[Metric]:
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return list(text_string_to_metric_families(response.text))


def values(client: httpx.Client) -> dict[Sample, float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in scrape(client)
        for sample in family.samples
    }


def sample(name: str, **labels: str) -> Sample:
    return name, frozenset(labels.items())


@pytest.fixture(scope="module")
def counting(cache_dir: Path, tiny: TinyFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server whose language model is not there."""
    url = f"http://127.0.0.1:{closed_port()}"
    with run_server(cache_dir, tmp_path_factory.mktemp("work"), "--sglang-url", url, "--captioner", "off") as server:
        yield server


@pytest.fixture
def client(counting: Server) -> Iterator[httpx.Client]:
    with counting.client() as client:
        yield client


def test_a_clip_is_counted_everywhere(client: httpx.Client) -> None:
    before = values(client)
    clip = client.post("/generate", json=SMALL)
    after = values(client)

    def grown(name: str, **labels: str) -> float:
        return after[sample(name, **labels)] - before.get(sample(name, **labels), 0)

    assert grown("ltx23_http_requests_total", method="POST", route="/generate", status="200") == 1
    assert grown("ltx23_http_request_seconds_count", method="POST", route="/generate") == 1
    assert grown("ltx23_http_response_bytes_total", route="/generate") == len(clip.content)
    assert grown("ltx23_jobs_total", outcome="done") == 1
    assert grown("ltx23_frames_rendered_total") == SMALL["num_frames"]
    assert grown("ltx23_queue_wait_seconds_count") == 1
    assert grown("ltx23_step_seconds_count", stage="stage_1") == 8
    assert grown("ltx23_step_seconds_count", stage="stage_2") == 3
    for stage in ("encode", "denoise", "decode", "mux"):
        assert grown("ltx23_stage_seconds_count", stage=stage) == 1
        assert grown("ltx23_stage_seconds_sum", stage=stage) >= 0


def test_the_server_reports_its_state(client: httpx.Client) -> None:
    health = client.get("/health").json()
    now = values(client)

    assert now[sample("ltx23_ready")] == 1
    assert now[sample("ltx23_queue_depth")] == now[sample("ltx23_running")] == 0
    assert now[sample("ltx23_queue_capacity")] == health["queue"]["capacity"]
    assert now[sample("ltx23_worker_restarts_total")] == 0
    assert now[sample("ltx23_worker_resident_bytes", worker="0")] > 0
    assert now[sample("ltx23_model_info", checkpoint=health["checkpoint"], device="cpu", dtype="float32")] == 1
    assert now[sample("ltx23_model_size_bytes", dtype="float32")] > 0
    # Without a GPU there is no GPU memory to report.
    assert sample("ltx23_gpu_allocated_bytes") not in now


def test_a_prompt_that_was_not_enhanced_is_counted(client: httpx.Client) -> None:
    assert client.post("/generate", json=ENHANCED).status_code == 200
    now = values(client)

    assert now[sample("ltx23_enhancements_total", result="failed")] == 1
    assert now[sample("ltx23_enhancements_total", result="enhanced")] == 0
    assert now[sample("ltx23_stage_seconds_count", stage="enhance")] == 1
    assert sum(now[sample("ltx23_enhancer_status", status=name)] for name in ("ok", "degraded", "down", "off")) == 1


def test_clients_cannot_create_new_series(client: httpx.Client) -> None:
    def ask(i: int) -> None:
        client.get(f"/nowhere-{i}?x={i}")
        client.request(f"M{i}", "/health", headers={"X-Request-ID": f"id-{i}", "User-Agent": f"agent-{i}"})
        client.post("/generate", json={"prompt": f"prompt-{i}", "width": f"no-{i}"})

    ask(0)
    client.get("/metrics")
    before = values(client).keys()
    for i in range(1, 4):
        ask(i)
    after = values(client)

    assert after.keys() == before
    assert after[sample("ltx23_http_requests_total", method="GET", route="none", status="404")] == 4
    assert after[sample("ltx23_http_requests_total", method="OTHER", route="/health", status="405")] == 4


def test_a_server_with_keys_requires_one_for_metrics(guarded: Server) -> None:
    with guarded.client() as client:
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers={"Authorization": f"Bearer {KEY}"}).status_code == 200
        assert KEY not in client.get("/metrics", headers={"x-api-key": KEY}).text


def test_open_metrics_need_no_key(without_services: Server) -> None:
    with without_services.client() as client:
        assert client.get("/metrics").status_code == 200
        assert client.get("/models").status_code == 401
