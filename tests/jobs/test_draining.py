"""A server that gets one signal to stop, or two."""

import os
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from server.worker.messages import Ready
from tests.http.videos import begin, create, finish, look
from tests.jobs.conftest import program_of
from tests.jobs.serving import Served, serve


@pytest.fixture
def orders(tmp_path: Path) -> int:
    """Open the named pipe that tells the program `obeys` what to do."""
    os.mkfifo(tmp_path / "orders-auto")
    return os.open(tmp_path / "orders-auto", os.O_RDWR)


def wait_for_queue(served: Served, **queue: int) -> None:
    while not queue.items() <= served.client.get("/health").json()["queue"].items():
        pass


def running_and_waiting(served: Served, pool: ThreadPoolExecutor) -> list["Future[httpx.Response]"]:
    served.told(Ready)
    running = pool.submit(served.ask, "running")
    wait_for_queue(served, running=1, depth=0)
    waiting = pool.submit(served.ask, "waiting")
    wait_for_queue(served, running=1, depth=1)
    return [running, waiting]


def test_running_requests_finish_and_all_others_get_a_503(tmp_path: Path, orders: int) -> None:
    served_by = serve(program_of("obeys"), tmp_path / "work", cache_dir=tmp_path, drain_s=60)
    with served_by as served, ThreadPoolExecutor() as pool:
        running, waiting = running_and_waiting(served, pool)
        served.signal()
        told = waiting.result()
        with httpx.Client(base_url=served.client.base_url, trust_env=False) as newcomer:
            health, refused = newcomer.get("/health"), served.ask("late")
        os.write(orders, b"f")
        finished = running.result()
        served.ended()

    assert (finished.status_code, finished.content) == (200, b"running")
    for answer in (told, refused):
        assert (answer.status_code, answer.json()["detail"]) == (503, "the server is stopping")
        assert int(answer.headers["retry-after"]) > 0
    assert (health.status_code, health.json()["status"]) == (503, "draining")
    assert [path.name for path in served.temp_dir.iterdir()] == ["data"]
    os.close(orders)


def test_a_second_signal_ends_running_requests(tmp_path: Path, orders: int) -> None:
    served_by = serve(program_of("obeys"), tmp_path / "work", cache_dir=tmp_path, drain_s=600)
    with served_by as served, ThreadPoolExecutor() as pool:
        answers = running_and_waiting(served, pool)
        served.signal()
        assert answers[1].result().status_code == 503
        served.signal()
        assert answers[0].result().status_code == 503
        served.ended()
    os.close(orders)


def test_a_running_stored_video_finishes_and_a_waiting_one_is_left_to_the_next_server(
    tmp_path: Path, orders: int
) -> None:
    def serving() -> AbstractContextManager[Served]:
        return serve(program_of("obeys"), tmp_path / "work", cache_dir=tmp_path, data_dir=tmp_path / "data", drain_s=60)

    with serving() as served:
        served.told(Ready)
        running = create(served.client)
        wait_for_queue(served, running=1, depth=0)
        waiting = create(served.client)
        served.signal()
        while served.client.get("/health").json()["status"] != "draining":
            pass
        os.write(orders, b"f")
        served.ended()
    with serving() as served:
        assert look(served.client, running)["status"] == "completed"
        begin(served.client, waiting)
        os.write(orders, b"f")
        assert finish(served.client, waiting)["status"] == "completed"
    os.close(orders)


HALF_A_BODY = b"POST /generate HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
WAITING_CLIENTS = {
    "silent": b"",
    "half a head": b"POST /generate HTTP/1.1\r\nHost: x\r\n",
    "half a body": HALF_A_BODY,
    "chunks without end": b"POST /generate HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    "half a form": HALF_A_BODY.replace(b"Host: x", b"Host: x\r\nContent-Type: multipart/form-data; boundary=b"),
    "idle": b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    "refused": b"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n",
    "owes the body of an answered request": HALF_A_BODY.replace(b"/generate", b"/livez"),
    "refused for a body too large": HALF_A_BODY.replace(b"100", b"1000000000"),
}


def test_no_client_delays_the_end_if_no_clip_is_running(tmp_path: Path) -> None:
    """A test that waited for `drain_s` would time out."""
    with (
        serve(program_of("behaves"), tmp_path / "work", cache_dir=tmp_path, drain_s=3600) as served,
        ExitStack() as stack,
    ):
        served.told(Ready)
        address = urlsplit(str(served.client.base_url))
        for sent in WAITING_CLIENTS.values():
            client = stack.enter_context(socket.create_connection((address.hostname, address.port)))
            client.sendall(sent)
        assert served.ask("quick").status_code == 200
        served.signal()
        served.ended()


def test_no_client_delays_the_end_after_a_second_signal(tmp_path: Path, orders: int) -> None:
    with serve(program_of("obeys"), tmp_path / "work", cache_dir=tmp_path, drain_s=3600) as served:
        served.told(Ready)
        address = urlsplit(str(served.client.base_url))
        with socket.create_connection((address.hostname, address.port)) as half, ThreadPoolExecutor() as pool:
            half.sendall(HALF_A_BODY)
            running = pool.submit(served.ask, "running")
            wait_for_queue(served, running=1, depth=0)
            served.signal()
            served.signal()
            assert running.result().status_code == 503
            served.ended()
    os.close(orders)
