"""A server that is killed, stopped or started twice: what becomes of its videos."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import run_server
from tests.http.conftest import encode, picture
from tests.http.videos import PATH, SLOW, begin, delete, finish, look, order
from weights.tiny import TinyFiles


@pytest.fixture
def start(cache_dir: Path, tiny: TinyFiles, tmp_path: Path) -> Any:
    """One server after the other, on the same data."""
    return lambda *args, **env: run_server(
        cache_dir, tmp_path / "work", *args, LTX23_DATA_DIR=str(tmp_path / "data"), **env
    )


def files(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "data" / "videos").rglob("*") if path.is_file())


def test_a_killed_server_forgets_nothing(start: Any, tmp_path: Path) -> None:
    with start() as server, server.client() as client:
        done = finish(client, order(client))
        file = client.get(f"{PATH}/{done['id']}/content").content
        running = order(client, **SLOW)
        begin(client, running)
        waiting = order(client, seed=8, input_image_b64=encode(picture()), guidance_scale=2, fps=23.976)
        server.process.kill()
        server.process.wait()

    with start() as server, server.client() as client:
        assert look(client, done) == done
        assert client.get(f"{PATH}/{done['id']}/content").content == file

        failed = look(client, running)
        assert (failed["status"], failed["progress"]) == ("failed", 0)
        assert failed["error"] == {"code": "interrupted", "message": "the server ended while it was rendered"}
        refused = client.get(f"{PATH}/{failed['id']}/content")
        assert refused.status_code == 409
        assert "the server ended" in refused.json()["detail"]

        finished = finish(client, waiting)
        assert finished["status"] == "completed"
        same = {name: value for name, value in waiting.items() if name not in CHANGING}
        assert {name: finished[name] for name in same} == same
        assert [a["field"] for a in finished["adjustments"]] == ["guidance_scale"]
        assert files(tmp_path) == ["clip.mp4", "clip.mp4"]

        for video in (done, running, waiting):
            delete(client, video)
        assert files(tmp_path) == []


CHANGING = {"status", "progress", "completed_at", "expires_at", "size_bytes", "timings"}


def test_a_server_that_is_told_to_stop_leaves_its_work_to_the_next(start: Any) -> None:
    with start(LTX23_GRACE_S="0.2") as server, server.client() as client:
        running, waiting = order(client, **SLOW | {"num_frames": 25}), order(client)
        begin(client, running)
        server.process.terminate()
        assert server.process.wait() == 0
        assert not any("Traceback" in line for line in server.lines)

    with start() as server, server.client() as client:
        assert [finish(client, video)["status"] for video in (running, waiting)] == ["completed", "completed"]


def test_streams_end_with_the_server(start: Any) -> None:
    with start(LTX23_GRACE_S="0.2") as server, server.client() as client:
        running, waiting = order(client, **SLOW), order(client)
        with client.stream("GET", f"{PATH}/{waiting['id']}/events") as stream:
            server.process.terminate()
            text = "".join(stream.iter_text())
        assert "event: progress" in text
        assert "event: completed" not in text
        assert server.process.wait() == 0
        assert running["id"] != waiting["id"]


def test_what_waited_without_its_images_has_failed(start: Any, tmp_path: Path) -> None:
    with start() as server, server.client() as client:
        begin(client, order(client, **SLOW))
        waiting = order(client, input_image_b64=encode(picture()))
        server.process.kill()
        server.process.wait()
    (tmp_path / "data" / "videos" / waiting["id"] / "image-0").unlink()

    with start() as server, server.client() as client:
        error = look(client, waiting)["error"]
        assert error["code"] == "lost"
        assert "images are gone" in error["message"]


def test_a_damaged_database_is_moved_aside(start: Any, tmp_path: Path) -> None:
    with start() as server, server.client() as client:
        finish(client, order(client))
    database = tmp_path / "data" / "videos.sqlite3"
    for damage in (b"this is no database" * 500, database.read_bytes()[:4096] + b"\xff" * 9000):
        database.write_bytes(damage)
        with start() as server, server.client() as client:
            assert any("videos.sqlite3 is damaged" in line for line in server.lines)
            assert client.get(PATH).json()["data"] == []
            assert finish(client, order(client))["status"] == "completed"
    aside = list((tmp_path / "data").glob("videos.sqlite3.damaged-*"))
    assert len(aside) == 2
    assert files(tmp_path) == ["clip.mp4"]


def second_server(data_dir: Path, cache_dir: Path) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("LTX23_")}
    command = [sys.executable, "-m", "server.cli", "serve", "--port", "0", "--data-dir", str(data_dir)]
    return subprocess.run(command, env=env | {"LTX23_CACHE_DIR": str(cache_dir)}, capture_output=True, text=True)


def test_a_second_server_on_the_same_data_refuses(start: Any, tmp_path: Path, cache_dir: Path) -> None:
    with start():
        done = second_server(tmp_path / "data", cache_dir)

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"ltx23: error: LTX23_DATA_DIR / --data-dir: {tmp_path / 'data'} is in use by another server; "
        "stop it, or give this one a folder of its own"
    ]


def test_a_database_of_a_newer_server_is_left_alone(tmp_path: Path, cache_dir: Path) -> None:
    (tmp_path / "data").mkdir()
    with sqlite3.connect(tmp_path / "data" / "videos.sqlite3") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = (tmp_path / "data" / "videos.sqlite3").read_bytes()
    done = second_server(tmp_path / "data", cache_dir)

    assert done.returncode != 0
    assert "was written by a newer server (version 99" in done.stderr
    assert (tmp_path / "data" / "videos.sqlite3").read_bytes()[100:] == before[100:]
