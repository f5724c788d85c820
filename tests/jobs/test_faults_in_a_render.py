"""Faults during a real render: one clip fails and leaves nothing behind, and the next one is served."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch
from safetensors.torch import load_file, save_file

from benchmarks.running_server import worker_processes
from server.jobs.worker_process import WORKER_PROGRAM
from server.worker.messages import LoadFailed, Loading, Ready
from tests.conftest import Server
from tests.jobs.conftest import Started, program_of
from tests.jobs.serving import serve
from weights.tiny import TinyFiles
from weights.tiny_config import CHECKPOINT_CONFIG

SMALL = {"prompt": "a red fox", "width": 256, "height": 256, "num_frames": 9, "generate_audio": False}
STAGES = ("encode", "stage_1", "upsample", "stage_2", "decode", "mux")
# Two of them, while it computes and while it writes: the next worker takes a while to load.
KILLED_IN = ("stage_2", "mux")


def test_a_worker_killed_in_a_stage_fails_only_its_clip(cache_dir: Path, tiny: TinyFiles, tmp_path: Path) -> None:
    with serve(program_of("killed_in_a_stage"), tmp_path, cache_dir=cache_dir) as served:
        served.told(Ready)
        for stage in KILLED_IN:
            killed, left = served.ask(stage), served.left_files()
            served.told(Ready)
            following = served.ask("a red fox")

            assert (stage, killed.status_code) == (stage, 500)
            assert killed.json() == {"detail": "the worker process ended while it rendered this clip"}
            assert left == []
            assert (following.status_code, following.headers["content-type"]) == (200, "video/mp4")
        assert served.client.get("/health").json()["worker_restarts"] == len(KILLED_IN)


def test_a_worker_killed_while_it_loads_is_replaced(
    cache_dir: Path, tiny: TinyFiles, tmp_path: Path, started: Started
) -> None:
    with serve(WORKER_PROGRAM, tmp_path, cache_dir=cache_dir) as served:
        served.told(Loading)
        (worker,) = started()
        worker.kill()
        served.told(LoadFailed)
        health, refused = served.client.get("/health").json(), served.ask("a red fox")
        served.told(Ready)

        assert health["status"] == "failed"
        assert health["error"].startswith("the worker process ended with signal 9 while it loaded")
        assert (refused.status_code, refused.json()["detail"]) == (503, health["error"])
        assert served.ask("a red fox").status_code == 200


def test_running_out_of_memory_in_any_stage_fails_only_its_clip(
    cache_dir: Path, tiny: TinyFiles, tmp_path: Path
) -> None:
    with serve(program_of("runs_out_of_memory"), tmp_path, cache_dir=cache_dir) as served:
        served.told(Ready)
        failed = [served.ask(stage) for stage in STAGES]
        left, following = served.left_files(), served.ask("a red fox")
        health = served.client.get("/health").json()

    assert [response.status_code for response in failed] == [500] * len(STAGES)
    assert {response.json()["detail"] for response in failed} == {
        "the device ran out of memory for 256x256 with 9 frames; a smaller or shorter clip may fit"
    }
    assert left == []
    assert following.status_code == 200
    assert (health["status"], health["worker_restarts"]) == ("ok", 0)


@contextmanager
def full_disk(process: psutil.Process, size_bytes: int) -> Iterator[None]:
    """Limit the size of files that the process can write."""
    soft, hard = process.rlimit(psutil.RLIMIT_FSIZE)
    process.rlimit(psutil.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        process.rlimit(psutil.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_fails_only_its_clip(server: Server) -> None:
    (worker,) = worker_processes(server.process.pid)
    with server.client() as client:
        with full_disk(worker, size_bytes=4096):
            failed = [client.post("/generate", json=SMALL | {"video_format": name}) for name in ("mp4", "webm")]
        following = client.post("/generate", json=SMALL)

    assert [response.status_code for response in failed] == [500, 500]
    assert {response.json()["detail"] for response in failed} == {"the clip cannot be written: File too large"}
    assert following.status_code == 200
    assert list(server.temp_dir.rglob("job-*")) == []
    assert worker.is_running()


def test_a_clip_of_nan_values_is_not_sent(tiny: TinyFiles, tmp_path: Path) -> None:
    tensors = load_file(tiny.checkpoint)
    bias = "model.diffusion_model.proj_out.bias"
    tensors[bias] = torch.full_like(tensors[bias], float("nan"))
    checkpoint = tmp_path / "damaged.safetensors"
    save_file(tensors, checkpoint, {"config": json.dumps(CHECKPOINT_CONFIG)})
    files = {"checkpoint": checkpoint, "text_encoder": tiny.text_encoder, "upscaler": tiny.upsampler}
    with serve(WORKER_PROGRAM, tmp_path / "work", cache_dir=tmp_path, **files) as served:
        served.told(Ready)
        failed, again = served.ask("a red fox"), served.ask("a red fox")
        left, health = served.left_files(), served.client.get("/health").json()

    assert [failed.status_code, again.status_code] == [500, 500]
    assert failed.json()["detail"].startswith("stage_1: the transformer computed values that are no numbers")
    assert left == []
    assert (health["status"], health["worker_restarts"]) == ("ok", 0)
