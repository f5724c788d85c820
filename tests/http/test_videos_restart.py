"""Videos of a server that is killed, stopped or started twice."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.running_server import worker_processes
from server.worker.messages import Ready
from tests.conftest import RunCommand, Server, run_server
from tests.http.conftest import encode, picture
from tests.http.test_loras import colour
from tests.http.videos import PATH, SLOW, begin, create, delete, finish, look
from tests.jobs.conftest import has_ended, program_of
from tests.jobs.serving import Served, serve
from weights.tiny import TinyFiles


class Data:
    """A data folder that one server after another uses."""

    def __init__(self, cache_dir: Path, folder: Path) -> None:
        self._cache_dir, self._folder = cache_dir, folder
        self.dir, self.lora_dir = folder / "data", folder / "loras"

    def start(self) -> AbstractContextManager[Server]:
        options = ("--data-dir", str(self.dir), "--lora-dir", str(self.lora_dir))
        return run_server(self._cache_dir, self._folder / "work", *options)

    def files(self, *videos: dict[str, Any]) -> list[str]:
        folders = [self.dir / "videos" / video["id"] for video in videos]
        return [path.name for folder in folders for path in folder.rglob("*") if path.is_file()]


@dataclass(frozen=True)
class Killed:
    """Videos that a killed server left, some of them without their image or LoRA; `client` is the next server's."""

    client: httpx.Client
    data: Data
    done: dict[str, Any]
    file: bytes
    running: dict[str, Any]
    waiting: dict[str, Any]
    without_image: dict[str, Any]
    with_lora: dict[str, Any]
    without_lora: dict[str, Any]


@pytest.fixture(scope="module")
def killed(
    cache_dir: Path, tiny: TinyFiles, tmp_path_factory: pytest.TempPathFactory, lora_file: Path
) -> Iterator[Killed]:
    data = Data(cache_dir, tmp_path_factory.mktemp("killed"))
    kept, gone = data.lora_dir / "kept.safetensors", data.lora_dir / "gone.safetensors"
    data.lora_dir.mkdir()
    for path in (kept, gone):
        shutil.copy(lora_file, path)
    image = encode(picture())
    with data.start() as server, server.client() as client:
        done = finish(client, create(client))
        file = client.get(f"{PATH}/{done['id']}/content").content
        running = create(client, **SLOW)
        begin(client, running)
        waiting = create(client, seed=8, input_image_b64=image, guidance_scale=2, fps=23.976, negative_prompt="blue")
        without_image = create(client, input_image_b64=image)
        with_lora, without_lora = (
            create(client, prompt="a red field", loras=[{"name": path.stem}]) for path in (kept, gone)
        )
        (worker,) = worker_processes(server.process.pid)
        worker.suspend()
        server.process.kill()
        server.process.wait()
        assert has_ended(worker)  # although it was suspended
    (data.dir / "videos" / without_image["id"] / "image-0").unlink()
    gone.unlink()

    with data.start() as server, server.client() as client:
        yield Killed(client, data, done, file, running, waiting, without_image, with_lora, without_lora)


def test_the_next_server_continues_the_videos_of_a_killed_one(killed: Killed) -> None:
    client, done, waiting = killed.client, killed.done, killed.waiting
    assert steady(look(client, done)) == steady(done)
    assert look(client, done)["completed_at"] == done["completed_at"]
    assert client.get(f"{PATH}/{done['id']}/content").content == killed.file

    failed = look(client, killed.running)
    assert (failed["status"], failed["progress"]) == ("failed", 0)
    assert failed["error"] == {"code": "interrupted", "message": "the server ended while it was rendered"}
    refused = client.get(f"{PATH}/{failed['id']}/content")
    assert refused.status_code == 409
    assert "the server ended" in refused.json()["detail"]

    finished = finish(client, waiting)
    assert finished["status"] == "completed"
    assert steady(finished) == steady(waiting)
    assert [a["field"] for a in finished["adjustments"]] == ["guidance_scale"]
    while killed.data.files(waiting) != ["clip.mp4"]:
        pass  # the others are removed once every client has been told of the clip
    assert killed.data.files(done, failed, waiting) == ["clip.mp4", "clip.mp4"]

    for video in (done, failed, waiting):
        delete(client, video)
    assert killed.data.files(done, failed, waiting) == []


# Between its creation and its end, or from one server to the next, which has another port.
CHANGING = {"status", "progress", "completed_at", "expires_at", "size_bytes", "timings", "url", "events_url"}
CHANGING |= {"inference_time_s", "peak_memory_mb"}


def steady(video: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in video.items() if name not in CHANGING}


def test_a_waiting_video_without_its_images_fails(killed: Killed) -> None:
    error = look(killed.client, killed.without_image)["error"]

    assert error["code"] == "lost"
    assert "its images or its sound are gone" in error["message"]


def test_a_waiting_video_keeps_its_lora(killed: Killed) -> None:
    rendered = finish(killed.client, killed.with_lora)

    assert rendered["loras"] == [{"name": "kept", "strength": 1.0}]
    assert colour(killed.client.get(f"{PATH}/{rendered['id']}/content").content) == "blue"


def test_a_waiting_video_whose_lora_is_gone_fails_in_words(killed: Killed) -> None:
    failed = finish(killed.client, killed.without_lora)

    assert failed["status"] == "failed"
    message = (
        "loras.0.name: the LoRA 'gone' cannot be used: gone.safetensors: cannot be read: No such file or directory"
    )
    assert failed["error"] == {"code": "refused", "message": message}


def test_a_stopping_server_ends_event_streams_and_leaves_its_videos_to_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def serving(program: str) -> AbstractContextManager[Served]:
        work, data_dir = tmp_path / "work", tmp_path / "data"
        return serve(program_of(program), work, cache_dir=tmp_path, data_dir=data_dir)

    with serving("cancels") as served:
        served.told(Ready)
        running, waiting = create(served.client, prompt="long"), create(served.client)
        begin(served.client, running)
        with served.client.stream("GET", f"{PATH}/{waiting['id']}/events") as stream:
            served.signal()
            text = "".join(stream.iter_text())
        served.ended()
    assert "event: progress" in text
    assert "event: completed" not in text
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []

    with serving("behaves") as served:
        statuses = [finish(served.client, video)["status"] for video in (running, waiting)]
    assert statuses == ["completed", "completed"]


def test_a_damaged_database_is_moved_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The database is read before a worker starts, so a worker that does not really render is enough."""

    def complete_one() -> list[Any]:
        """Complete one video; return those that were there before."""
        with serve(program_of("behaves"), tmp_path / "work", cache_dir=tmp_path, data_dir=tmp_path / "data") as served:
            served.told(Ready)
            before = served.client.get(PATH).json()["data"]
            assert finish(served.client, create(served.client))["status"] == "completed"
        return before

    assert complete_one() == []
    database = tmp_path / "data" / "videos.sqlite3"
    for damage in (b"this is no database" * 500, database.read_bytes()[:4096] + b"\xff" * 9000):
        database.write_bytes(damage)
        caplog.clear()
        assert complete_one() == []
        assert "videos.sqlite3 is damaged" in caplog.text
    assert len(list((tmp_path / "data").glob("videos.sqlite3.damaged-*"))) == 2
    assert [path.name for path in (tmp_path / "data" / "videos").rglob("*.*")] == ["clip.mp4"]


def test_a_second_server_refuses_to_use_the_same_data(server: Server, run_command: RunCommand) -> None:
    done = run_command("serve", "--port", "0", "--data-dir", str(server.data_dir))

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"ltx23: error: LTX23_DATA_DIR / --data-dir: {server.data_dir} is in use by another server; "
        "stop it, or give this one a folder of its own"
    ]


def test_a_database_of_a_newer_server_is_not_changed(tmp_path: Path, run_command: RunCommand) -> None:
    database = tmp_path / "videos.sqlite3"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.commit()
    before = database.read_bytes()

    done = run_command("serve", "--port", "0", "--data-dir", str(tmp_path))

    assert done.returncode == 1
    assert done.stderr.startswith(
        f"ltx23: error: LTX23_DATA_DIR / --data-dir: {database} was written by a newer server (version 99, "
    )
    assert database.read_bytes()[100:] == before[100:]


def test_a_database_that_cannot_be_opened_ends_the_start_with_one_sentence(
    tmp_path: Path, run_command: RunCommand
) -> None:
    database = tmp_path / "videos.sqlite3"
    database.mkdir()

    done = run_command("serve", "--port", "0", "--data-dir", str(tmp_path))

    assert done.returncode == 1
    assert done.stderr == f"ltx23: error: LTX23_DATA_DIR / --data-dir: {database}: unable to open database file\n"
