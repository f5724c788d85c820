"""A server that is told to stop while it renders."""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from tests.conftest import run_server
from tests.http.conftest import LONG
from weights.tiny import TinyFiles


def test_what_outlasts_the_grace_is_answered(cache_dir: Path, tiny: TinyFiles, tmp_path: Path) -> None:
    with run_server(cache_dir, tmp_path, LTX23_DRAIN_S="0.5", LTX23_GRACE_S="0.5") as server, ThreadPoolExecutor(2) as pool:
        workers = psutil.Process(server.process.pid).children(recursive=True)
        with server.client() as client:
            answers = [pool.submit(client.post, "/generate", json=LONG) for _ in range(2)]
            while not (queue := client.get("/health").json()["queue"])["depth"]:
                assert queue["running"] <= 1

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
