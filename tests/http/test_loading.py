"""A server whose model is loading, or turns out to be invalid."""

import signal

import psutil
import pytest

from tests.http.conftest import SMALL
from tests.http.loading import Loading


def test_a_loading_server_answers_and_refuses_clips(loading: Loading) -> None:
    client = loading.client

    assert client.get("/livez").status_code == 200
    health = client.get("/health")
    assert (health.status_code, health.json()["status"]) == (503, "loading")
    assert health.json().keys() >= {"model", "device", "uptime_s", "queue", "memory"}
    nothing_yet = {"stage": "loading", "name": None, "done_bytes": None, "total_bytes": None, "seconds_left": None}
    assert health.json()["loading"] == nothing_yet
    assert [worker["loading"] for worker in health.json()["workers"]] == [nothing_yet]
    assert client.get("/models").json()["data"][0]["id"] == "LTX-23-Video"
    assert "/generate" in client.get("/openapi.json").json()["paths"]

    refused = client.post("/generate", json=SMALL)
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert isinstance(refused.json()["detail"], str)
    assert client.post("/generate", json=SMALL | {"width": "wide"}).status_code == 422
    assert list(loading.temp_dir.rglob("job-*")) == []


def test_an_invalid_checkpoint_ends_the_server(loading: Loading) -> None:
    assert loading.client.get("/livez").status_code == 200
    loading.worker.resume()

    said = loading.end()

    assert loading.process.returncode == 1
    assert "error: the model cannot be loaded" in said
    assert "model.safetensors" in said
    assert "Traceback" not in said
    assert list(loading.temp_dir.iterdir()) == []


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_loading_server_cleanly(loading: Loading, signum: signal.Signals) -> None:
    assert loading.client.get("/livez").status_code == 200
    workers = psutil.Process(loading.process.pid).children(recursive=True)
    assert len(workers) == 1

    loading.process.send_signal(signum)

    assert loading.end().count("Traceback") == 0
    assert loading.process.returncode == 0
    assert not any(worker.is_running() for worker in workers)
    assert list(loading.temp_dir.iterdir()) == []
