"""A server that gets a signal to stop while it renders."""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from tests.conftest import run_server
from tests.http.conftest import LONG, SMALL
from tests.waiting import wait_for_queue
from weights.tiny import TinyFiles


def test_requests_that_outlast_the_grace_period_get_a_503(cache_dir: Path, tiny: TinyFiles, tmp_path: Path) -> None:
    with run_server(cache_dir, tmp_path, LTX23_DRAIN_S="0.5") as server, ThreadPoolExecutor(2) as pool:
        workers = psutil.Process(server.process.pid).children(recursive=True)
        with server.client() as client:
            answers = [pool.submit(client.post, "/generate", json=LONG) for _ in range(2)]
            wait_for_queue(client, running=1, depth=1)

            server.process.send_signal(signal.SIGTERM)

            for answer in [answer.result() for answer in answers]:
                assert answer.status_code == 503
                assert int(answer.headers["retry-after"]) > 0
                assert isinstance(answer.json()["detail"], str)
        assert server.process.wait() == 0

    assert len(workers) == 1
    assert not workers[0].is_running()
    assert list(tmp_path.iterdir()) == []
    assert not any("Traceback" in line for line in server.lines)


def test_a_running_clip_is_finished(cache_dir: Path, tiny: TinyFiles, tmp_path: Path) -> None:
    with run_server(cache_dir, tmp_path) as server, ThreadPoolExecutor(2) as pool:
        with server.client() as client:
            running = pool.submit(client.post, "/generate", json=SMALL | {"num_frames": 97})
            wait_for_queue(client, running=1, depth=0)
            waiting = pool.submit(client.post, "/generate", json=LONG)
            wait_for_queue(client, running=1, depth=1)

            server.process.send_signal(signal.SIGTERM)

            assert waiting.result().status_code == 503
            assert running.result().status_code == 200
        assert server.process.wait() == 0

    assert list(tmp_path.iterdir()) == []
    assert any("told again, at once" in line for line in server.lines)
    assert not any("Traceback" in line for line in server.lines)


def test_a_second_signal_ends_a_running_clip(cache_dir: Path, tiny: TinyFiles, tmp_path: Path) -> None:
    with run_server(cache_dir, tmp_path, LTX23_DRAIN_S="600") as server, ThreadPoolExecutor(2) as pool:
        with server.client() as client:
            running = pool.submit(client.post, "/generate", json=LONG | {"num_frames": 481})
            wait_for_queue(client, running=1, depth=0)

            # Two signals of one kind may be delivered as one.
            for signum in (signal.SIGINT, signal.SIGTERM):
                server.process.send_signal(signum)

            assert running.result().status_code == 503
        assert server.process.wait() == 0

    assert list(tmp_path.iterdir()) == []
    assert not any("Traceback" in line for line in server.lines)
