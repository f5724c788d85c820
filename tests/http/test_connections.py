"""Settings for connections, and a server that has run out of file descriptors."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from server.worker.messages import Ready
from tests.conftest import Server
from tests.edge.conftest import Wire
from tests.jobs.conftest import program_of
from tests.jobs.serving import serve

KEY = "sk-of-a-client"


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.URL]:
    """Run a server with short timeouts, a key and room for one body."""
    work = tmp_path_factory.mktemp("impatient")
    settings = {
        "api_keys": KEY,
        "head_timeout_s": 0.2,
        "stall_timeout_s": 0.2,
        "keep_alive_s": 1,
        "max_body_bytes": 1000,
        "max_total_body_bytes": 1000,
    }
    with serve(program_of("behaves"), work, cache_dir=work, **settings) as served:
        served.told(Ready)
        yield served.client.base_url


@pytest.fixture
def wire(impatient: httpx.URL) -> Iterator[Wire]:
    with Wire((impatient.host, impatient.port or 80)) as wire:
        yield wire


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [("/generate", KEY, 408), ("/v1/videos", KEY, 408), ("/enhance", KEY, 408), ("/generate", "another", 401)],
)
def test_a_body_that_stalls_ends_the_connection(wire: Wire, path: str, key: str, status: int) -> None:
    wire.send_head("Content-Length: 10", f"Authorization: Bearer {key}", target=path)
    wire.send(b"{")
    answer = wire.answer()
    assert answer.status == status
    assert isinstance(answer.json()["detail"], str)
    assert "x-request-id" in answer.headers
    assert wire.rest() == b""


def test_an_incomplete_head_ends_the_connection(wire: Wire) -> None:
    wire.send(b"POST /generate HTTP/1.1\r\n")
    assert wire.answer().status == 408
    assert wire.rest() == b""


def test_a_silent_connection_is_closed(wire: Wire) -> None:
    assert wire.rest() == b""


def test_a_connection_is_kept_for_the_next_request(wire: Wire) -> None:
    for _ in range(3):
        wire.send_head(method="GET", target="/livez")
        assert wire.answer().status == 200


def test_a_server_without_descriptors_logs_it_once_and_recovers(server: Server, client: httpx.Client) -> None:
    process = psutil.Process(server.process.pid)
    limits = process.rlimit(psutil.RLIMIT_NOFILE)
    address = urlsplit(server.url)
    first_line = len(server.lines)
    assert client.get("/livez").status_code == 200
    with ExitStack() as sockets:
        try:
            process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds() + 2, limits[1]))
            for _ in range(20):
                sockets.enter_context(socket.create_connection((address.hostname, address.port)))
            while not (told := [line for line in server.lines[first_line:] if "too many files are open" in line]):
                assert client.get("/livez").status_code == 200
        finally:
            process.rlimit(psutil.RLIMIT_NOFILE, limits)
        with server.client() as newcomer:
            assert newcomer.get("/livez").status_code == 200
    assert [line for line in server.lines[first_line:] if "too many" in line or "Traceback" in line] == told
    assert len(told) == 1
