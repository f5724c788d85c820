"""Golden answers: two servers give the same answers to the same sequence of requests, byte for byte."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import RunCommand
from tests.http.conversation import Seen
from tests.media.clips import write_clip

ROOT = Path(__file__).parents[2]


def answers(folder: Path, health_checks: int) -> list[Seen]:
    """Return what a server in a process of its own answers; the hashes of texts differ from one to the next."""
    command = [sys.executable, "-m", "tests.http.conversation", str(folder), str(health_checks)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LTX23_")}
    environment = clean | {"PYTHONHASHSEED": str(health_checks)}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    found: list[Seen] = pickle.loads(done.stdout)
    return found


def test_two_servers_answer_the_same(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 9)
    conversations = []
    for health_checks in (1, 2):
        folder = tmp_path / str(health_checks)
        folder.mkdir()
        shutil.copy(clip, folder)
        conversations.append(answers(folder, health_checks))
    one, other = conversations

    assert [status for status, _, _ in one] == [200, 200, 200, 422, *(8 * [200]), 404]
    assert one == other
    # Otherwise equal answers would say little.
    assert len({dict(headers)[b"x-request-id"] for _, headers, _ in one}) == len(one)
    sync = dict(one[2][1])
    assert float(sync[b"x-inference-time-s"]) > 0
    page = json.loads(one[-3][2])
    assert [video["created_at"] for video in page["data"]] == [1_767_225_602, 1_767_225_601]
    assert [video["id"] for video in json.loads(one[-2][2])["data"]] == [page["data"][1]["id"]]
    first, second = (dict(headers)[b"x-ltx-seed"] for _, headers, _ in one[:2])
    assert first != second


def test_it_is_refused_with_real_weights(run_command: RunCommand) -> None:
    done = run_command("serve", "--deterministic-time", "--checkpoint", "some.safetensors", "--text-encoder", "absent")

    assert done.returncode == 1
    assert "LTX23_DETERMINISTIC_TIME / --deterministic-time is for tests with the tiny model" in done.stderr


def test_it_is_refused_with_the_videos_of_an_earlier_run(run_command: RunCommand, tmp_path: Path) -> None:
    (tmp_path / "videos" / "video_1").mkdir(parents=True)
    done = run_command("serve", "--deterministic-time", "--port", "0", "--data-dir", str(tmp_path))

    assert done.returncode == 1
    assert f"LTX23_DATA_DIR / --data-dir: {tmp_path} has videos of an earlier run" in done.stderr
