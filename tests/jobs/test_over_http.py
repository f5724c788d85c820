"""Renders that fail on a real server, and the answers to its clients."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from benchmarks.running_server import worker_processes
from tests.conftest import Server, run_server
from tests.jobs.conftest import has_ended
from tests.waiting import wait_for, wait_for_queue
from weights.tiny import TinyFiles

SMALL = {"prompt": "a red fox", "width": 256, "height": 256, "num_frames": 9}
# Takes seconds even with the tiny model; no test waits for its end.
LONG = {"prompt": "a red fox", "width": 256, "height": 256, "num_frames": 481, "generate_audio": False}


@pytest.fixture(scope="module")
def temp_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def narrow(cache_dir: Path, tiny: TinyFiles, temp_dir: Path) -> Iterator[Server]:
    """Run a server with room for one job in its queue."""
    with run_server(cache_dir, temp_dir, LTX23_QUEUE_SIZE="1") as server:
        yield server


@pytest.fixture
def client(narrow: Server) -> Iterator[httpx.Client]:
    with narrow.client() as client:
        yield client


def send(server: Server, body: dict[str, object]) -> http.client.HTTPConnection:
    """Send a request without waiting for its answer."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=120)
    connection.request("POST", "/generate", json.dumps(body))
    return connection


def wait_for_decoding(temp_dir: Path) -> None:
    """Wait until the clip is being written, late in its render."""
    wait_for(lambda: list(temp_dir.rglob("*.part")))


def worker_of(server: Server) -> psutil.Process:
    (worker,) = worker_processes(server.process.pid)
    return worker


def test_a_client_that_disconnects_frees_the_worker(narrow: Server, client: httpx.Client, temp_dir: Path) -> None:
    gone = send(narrow, LONG)
    wait_for_decoding(temp_dir)
    worker = worker_of(narrow)
    gone.close()

    assert client.post("/generate", json=SMALL).status_code == 200
    assert worker_of(narrow) == worker
    assert list(temp_dir.rglob("job-*")) == []


def test_a_full_queue_gets_a_429(narrow: Server, client: httpx.Client) -> None:
    running = send(narrow, LONG)
    wait_for_queue(client, running=1, depth=0)
    waiting = send(narrow, SMALL)
    wait_for_queue(client, running=1, depth=1)
    refused = client.post("/generate", json=SMALL)
    running.close()

    assert refused.status_code == 429
    seconds = refused.headers["retry-after"]
    assert int(seconds) >= 1
    assert refused.json() == {
        "error": "RateLimitExceeded",
        "detail": f"the queue is full (1 waiting); try again in {seconds} s",
    }
    assert waiting.getresponse().status == 200
    waiting.close()


def test_a_killed_worker_fails_its_request_and_the_next_is_served(
    narrow: Server, client: httpx.Client, temp_dir: Path
) -> None:
    running = send(narrow, LONG)
    wait_for_decoding(temp_dir)
    waiting = send(narrow, SMALL)
    wait_for_queue(client, running=1, depth=1)
    killed = worker_of(narrow)
    killed.kill()

    failed = running.getresponse()
    assert failed.status == 500
    assert json.load(failed) == {"detail": "the worker process ended while it rendered this clip"}
    assert waiting.getresponse().status == 200
    assert worker_of(narrow) != killed
    assert list(temp_dir.rglob("job-*")) == []
    assert client.get("/health").json()["status"] == "ok"
    running.close()
    waiting.close()


def test_a_render_past_the_deadline_gets_a_504(cache_dir: Path, tiny: TinyFiles, tmp_path: Path) -> None:
    with run_server(cache_dir, tmp_path, LTX23_DEADLINE_S="0.01") as server, server.client() as client:
        for _ in range(2):
            late = client.post("/generate", json=SMALL)
            assert late.status_code == 504
            assert late.json() == {
                "detail": "the render took longer than 0.01 s, this server's deadline, and was stopped"
            }
        assert client.get("/health").json()["worker_restarts"] == 0


def test_the_worker_of_a_killed_server_ends_by_itself(cache_dir: Path, tiny: TinyFiles, tmp_path: Path) -> None:
    with run_server(cache_dir, tmp_path) as server, server.client() as client:
        running = send(server, LONG)
        wait_for_queue(client, running=1, depth=0)
        worker = worker_of(server)
        server.process.kill()
        assert has_ended(worker)
        running.close()
