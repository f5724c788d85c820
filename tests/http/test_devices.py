"""A server with two workers, which share one CPU here."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from server.worker.messages import Ready
from tests.conftest import RunCommand, Server, run_server
from tests.http.conftest import SMALL
from tests.http.test_metrics import sample, values
from tests.jobs.conftest import program_of
from tests.jobs.serving import serve
from tests.waiting import wait_for, wait_for_queue


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server whose two workers find no tiny model, and both write it."""
    cache_dir, temp_dir = tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("work")
    with run_server(cache_dir, temp_dir, "--devices", "cpu,cpu") as server:
        with server.client() as client:
            wait_for(lambda: {worker["status"] for worker in client.get("/health").json()["workers"]} == {"ready"})
        yield server


@pytest.fixture
def client(pair: Server) -> Iterator[httpx.Client]:
    with pair.client() as client:
        yield client


def test_health_and_metrics_report_each_worker(client: httpx.Client) -> None:
    health = client.get("/health").json()
    now = values(client)

    assert [(worker["device"], worker["name"]) for worker in health["workers"]] == [("cpu", "cpu")] * 2
    assert all(worker["memory"]["resident_bytes"] > 0 for worker in health["workers"])
    assert health["memory"].keys() == health["workers"][0]["memory"].keys()
    assert now[sample("ltx23_workers")] == now[sample("ltx23_workers_ready")] == 2
    assert all(now[sample("ltx23_worker_resident_bytes", worker=number)] > 0 for number in ("0", "1"))


def test_both_workers_render_at_once_and_give_the_same_clip(client: httpx.Client) -> None:
    with ThreadPoolExecutor() as pool:
        clips = [pool.submit(client.post, "/generate", json=SMALL | {"num_frames": 49}) for _ in range(2)]
        wait_for_queue(client, running=2, depth=0)
        first, second = (clip.result() for clip in clips)

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.content == second.content


def test_one_worker_goes_on_when_the_other_ends(tmp_path: Path) -> None:
    """The workers do as they are told in place of rendering."""
    first, second = tmp_path / "orders-cuda:0", tmp_path / "orders-cuda:1"
    for orders in (first, second):
        os.mkfifo(orders)
    serving = serve(program_of("obeys"), tmp_path / "work", cache_dir=tmp_path, devices="cuda:0,cuda:1")
    with serving as served, ThreadPoolExecutor() as pool:
        for _ in range(2):
            served.told(Ready)
        clips = [pool.submit(served.ask, "a red fox") for _ in range(2)]
        wait_for_queue(served.client, running=2, depth=0)
        first.write_bytes(b"d")
        wait_for_queue(served.client, running=1)
        health = served.client.get("/health")
        second.write_bytes(b"f")
        statuses = sorted(clip.result().status_code for clip in clips)
        served.told(Ready)

        assert (health.status_code, health.json()["status"]) == (200, "ok")
        assert statuses == [200, 500]
        assert served.client.get("/health").json()["worker_restarts"] == 1


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (("--devices", "cuda:0,cuda"), "cuda:0 is given twice"),
        (("--devices", "cpu,gpu"), "unknown device 'gpu'"),
        (("--devices", "all,cpu"), "unknown device 'all'"),
        (("--devices", "cpu", "--device", "cpu"), "not both"),
    ],
)
def test_invalid_devices_are_refused_in_one_sentence(
    args: tuple[str, ...], reason: str, run_command: RunCommand
) -> None:
    done = run_command("serve", "--port", "0", *args)

    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith("ltx23: error: ")
    assert "--devices" in sentence
    assert reason in sentence
