"""A server whose model is not there yet, and one whose model turns out to be none.

The checkpoint is a pipe: the worker waits in the middle of its header for as long as the test likes.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.http.conftest import SMALL

LISTENING = re.compile(r"Listening on (http://\S+?);")


class Loading:
    def __init__(self, process: subprocess.Popen[str], url: str, checkpoint: int, temp_dir: Path) -> None:
        self.process, self.checkpoint, self.temp_dir = process, checkpoint, temp_dir
        self.client = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def end(self) -> str:
        """What it still said until it ended of itself."""
        assert self.process.stderr is not None
        said = self.process.stderr.read()
        self.process.wait()
        return said


@pytest.fixture
def loading(tmp_path: Path) -> Iterator[Loading]:
    pipe, temp_dir = tmp_path / "model.safetensors", tmp_path / "work"
    os.mkfifo(pipe)
    # For reading too: opening it for writing alone would wait for the worker.
    checkpoint = os.open(pipe, os.O_RDWR)
    command = [sys.executable, "-m", "server.cli", "serve", "--port", "0", "--stages", "1", "--temp-dir", str(temp_dir)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LTX23_")}
    with subprocess.Popen(
        [*command, "--checkpoint", str(pipe), "--text-encoder", str(tmp_path)],
        env=environment | {"LTX23_DATA_DIR": str(tmp_path / "data")},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        listening = next(match for line in process.stderr if (match := LISTENING.search(line)))
        running = Loading(process, listening[1], checkpoint, temp_dir)
        try:
            with running.client:
                yield running
        finally:
            process.kill()
            os.close(checkpoint)


def test_while_it_loads(loading: Loading) -> None:
    client = loading.client

    assert client.get("/livez").status_code == 200
    health = client.get("/health")
    assert (health.status_code, health.json()["status"]) == (503, "loading")
    assert health.json().keys() >= {"model", "device", "uptime_s", "queue", "memory"}
    assert client.get("/models").json()["data"][0]["id"] == "LTX-23-Video"
    assert "/generate" in client.get("/openapi.json").json()["paths"]

    refused = client.post("/generate", json=SMALL)
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert isinstance(refused.json()["detail"], str)
    assert client.post("/generate", json=SMALL | {"width": "wide"}).status_code == 422
    assert list(loading.temp_dir.rglob("job-*")) == []


def test_a_checkpoint_that_is_none_ends_the_server(loading: Loading) -> None:
    assert loading.client.get("/livez").status_code == 200
    os.write(loading.checkpoint, b"no model")

    said = loading.end()

    assert loading.process.returncode == 1
    assert "error: the model cannot be loaded" in said
    assert "model.safetensors" in said
    assert "Traceback" not in said
    assert list(loading.temp_dir.iterdir()) == []


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(loading: Loading, signum: signal.Signals) -> None:
    assert loading.client.get("/livez").status_code == 200
    workers = psutil.Process(loading.process.pid).children(recursive=True)
    assert len(workers) == 1

    loading.process.send_signal(signum)

    assert loading.end().count("Traceback") == 0
    assert loading.process.returncode == 0
    assert not any(worker.is_running() for worker in workers)
    assert list(loading.temp_dir.iterdir()) == []
