"""`ltx23 generate --server URL`: the same command, with a server's model."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from pipelines.media.probe import probe
from server.commands.remote_fields import LOCAL_OPTIONS, read_remote_fields
from tests.commands.terminal import run_on_terminal
from tests.conftest import Done, RunCommand, Server
from tests.http.conftest import closed_port
from tests.http.videos import ids
from tests.jobs.conftest import program_of
from tests.jobs.serving import serve
from tests.python_client.conftest import CREATE

SMALL = ["--width", "256", "--height", "256", "--num-frames", "9", "--no-audio"]
LONG = ["--width", "768", "--height", "512", "--num-frames", "121"]

Generate = Callable[..., Done]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def generate(server: Server, run_command: RunCommand) -> Generate:
    return lambda *args: run_command("generate", *args, "--server", server.url, NO_PROXY="127.0.0.1")


def test_a_clip_of_a_server_is_the_clip_of_this_process(generate: Generate, run_command: RunCommand) -> None:
    remote = generate("a red fox", *SMALL, "-o", "remote.mp4")
    local = run_command("generate", "a red fox", *SMALL, "-o", "local.mp4")

    assert (remote.returncode, remote.stderr) == (local.returncode, local.stderr) == (0, "")
    assert Path("remote.mp4").read_bytes() == Path("local.mp4").read_bytes()
    assert remote.stdout.startswith("remote.mp4: 256x256, 9 frames, seed 42 (seconds: queue ")


def test_json_has_the_adjustments(generate: Generate) -> None:
    done = generate("a red fox", *SMALL, "--width", "260", "--json", "--seed", "7")

    clip = json.loads(done.stdout)
    assert (clip["file"], clip["seed"], clip["size"], clip["frames"]) == ("a-red-fox-7.mp4", 7, "256x256", 9)
    assert [adjustment["field"] for adjustment in clip["adjustments"]] == ["width"]
    assert done.stderr.startswith("ltx23: note: width: 256 instead of 260 (")


def test_pictures_previews_and_the_rest(generate: Generate, folder: Path) -> None:
    Image.new("RGB", (256, 256), "red").save(folder / "red.png")
    Image.new("RGB", (256, 256), "blue").save(folder / "blue.png")
    options = ["--image", "red.png", "--keyframe", "blue.png:-1:0.8:20", "--fps", "24000/1001", "--tail-guard", "off"]
    more = ["--negative-prompt", "green", "--nag-audio", "--embed-metadata", "--preview", "preview.webp"]
    done = generate("red turns to blue", *SMALL, *options, *more, "-o", "clip.webm")

    assert (done.returncode, done.stderr) == (0, "")
    assert str(probe(Path("clip.webm")).frame_rate) == "24000/1001"
    with Image.open("preview.webp") as preview:
        assert preview.format == "WEBP"


def test_a_clip_is_retaken_and_continued(generate: Generate) -> None:
    generate("a red field", *SMALL, "-o", "first.mp4")

    retaken = generate("a blue field", "--retake", "first.mp4:0:0.3", "--retake-keep", "audio", "-o", "retaken.mp4")
    continued = generate("the same", "--continue-from", "first.mp4:9", "--duration", "0.5", "-o", "continued.mp4")

    assert retaken.returncode == 1
    assert "no sound" in retaken.stderr
    assert (continued.returncode, continued.stderr) == (0, "")
    assert probe(Path("continued.mp4")).num_frames == 25


@pytest.mark.parametrize("option", LOCAL_OPTIONS)
def test_what_only_a_model_of_this_process_has_is_refused(option: str) -> None:
    with pytest.raises(ValueError, match=f"{option.replace('_', '-')}: cannot be given with --server"):
        read_remote_fields("mp4", prompt="a fox", **{option: "x"})


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"loras": ["style", "a:b:0.5"]}, {"loras": [{"name": "style"}, {"name": "a:b", "strength": 0.5}]}),
        (
            {"retake": "a:b.mp4:1:2.5", "retake_keep": "video"},
            {"video": "a:b.mp4", "retake": {"start": 1.0, "end": 2.5, "video": False, "audio": True}},
        ),
        ({"continue_from": "a.mp4"}, {"video": "a.mp4", "continue_": {}}),
        ({"tail_guard": "auto", "fps": "23.976"}, {"tail_guard": "auto", "fps": 24000 / 1001}),
        ({"audio": Path("song.wav"), "audio_start": 1.5}, {"audio": Path("song.wav"), "audio_start": 1.5}),
    ],
    ids=str,
)
def test_options_become_fields(options: dict[str, Any], fields: dict[str, Any]) -> None:
    _, read = read_remote_fields("mp4", prompt="a fox", **options)

    given = {name: value for name, value in read.items() if value is not None}
    assert given == {"video_format": "mp4"} | fields


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--width", "-4"], "width: Input should be greater than 0 (422)"),
        (["--image", "absent.png"], "image: absent.png: No such file or directory"),
        (["--keyframe", "a.png"], "keyframe: should be PATH:FRAME_IDX[:STRENGTH[:CRF]], got 'a.png'"),
        (["--retake", "a.mp4"], "retake: should be CLIP:START:END in seconds, got 'a.mp4'"),
        (["--retake-keep", "audio"], "retake-keep: needs --retake"),
        (["--continue-from", "a.mp4"], "num-frames: cannot be given beside --continue-from with --server"),
        (["--checkpoint", "hosted"], "checkpoint: cannot be given with --server, whose model is its own"),
        (["--preview", "a.gif"], "preview: should end in .webp, got 'a.gif'"),
        (["-o", "clip.avi"], "output: should end in .mp4 or .webm, got 'clip.avi'"),
    ],
)
def test_errors_are_one_line(args: list[str], message: str, generate: Generate, folder: Path) -> None:
    done = generate("a fox", *SMALL, *args)

    assert done.returncode == 1
    assert done.stderr.startswith(f"ltx23: error: {message}")
    assert done.stderr.count("\n") == 1
    assert list(folder.iterdir()) == []


def test_a_server_that_is_not_there(run_command: RunCommand) -> None:
    done = run_command("generate", "a fox", "--server", f"127.0.0.1:{closed_port()}", NO_PROXY="127.0.0.1")

    assert done.returncode == 1
    assert done.stderr.startswith("ltx23: error: no server can be reached at http://127.0.0.1:")


def test_the_bar_is_that_of_a_local_clip(server: Server) -> None:
    args = ["generate", "a fox", *SMALL, "--server", server.url, "-o", "fox.mp4"]
    code, shown = run_on_terminal(*args, env={"NO_PROXY": "127.0.0.1"})

    assert code == 0
    assert re.search(r"\d+%\|[^|]*\| stage 1, step \d of 8, \d+ s left", shown)


def test_the_bar_says_why_nothing_happens(folder: Path) -> None:
    rules = folder / "rules.toml"
    rules.write_text(f'[[rules]]\nrequest = "{CREATE}"\nanswer = "status=429; retry-after=1; times=1"\n')
    with serve(program_of("behaves"), folder, rehearsal=True, rehearsal_file=rules) as served:
        args = ["generate", "a fox", *SMALL, "--server", served.url, "-o", "fox.mp4"]
        code, shown = run_on_terminal(*args, env={"NO_PROXY": "127.0.0.1"})

    assert code == 0
    assert "| the queue is full (rehearsed) (429): tries again in 1 s" in shown


def test_neither_torch_nor_a_model_is_loaded(server: Server, folder: Path) -> None:
    program = (
        "import sys; from server.cli import main; main(sys.argv[1:]); "
        "print([name for name in ('torch', 'transformers', 'av', 'PIL', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "generate", "a fox", *SMALL, "--server", server.url, "-o", "fox.mp4"],
        env=os.environ | {"NO_PROXY": "127.0.0.1", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "[]"


def test_ctrl_c_cancels_the_render_and_leaves_nothing(server: Server, client: httpx.Client, folder: Path) -> None:
    before = ids(client)
    args = ["generate", "a walk", *LONG, "--server", server.url, "-o", "walk.mp4"]
    code, shown = run_on_terminal(*args, env={"NO_PROXY": "127.0.0.1"}, interrupt_at=" left")

    assert code == 130
    assert shown.endswith("ltx23: interrupted; no clip was written\r\n")
    assert ids(client) == before
    assert list(folder.iterdir()) == []
