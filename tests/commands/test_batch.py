"""`ltx23 generate --prompts` and `--images`: many clips in a folder, in this process and on a server."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from pipelines.media.probe import probe
from server.commands.batch_items import BatchError, read_images, read_prompts
from server.commands.clip_key import clip_key
from server.commands.manifest import Manifest, only_writer
from tests.commands.terminal import run_on_terminal
from tests.conftest import Done, RunCommand, Server
from tests.http.videos import ids
from tests.jobs.conftest import program_of
from tests.jobs.serving import serve
from tests.waiting import wait_for
from weights.tiny import TinyFiles

LENGTH = ["--num-frames", "9", "--no-audio"]
# A server makes no smaller one.
SMALL = ["--width", "256", "--height", "256", *LENGTH]
LOCAL = ["--width", "64", "--height", "64", *LENGTH]
COMMON: dict[str, Any] = {"seed": 42, "num_frames": 9, "keyframes": [], "generate_audio": True}

Generate = Callable[..., Done]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(params=["local", "remote"])
def generate(request: pytest.FixtureRequest, tiny: TinyFiles, run_command: RunCommand) -> Generate:
    """Return a function that runs `ltx23 generate` in this process, or with a server."""
    if request.param == "local":
        return lambda *args: run_command("generate", *LOCAL, *args)
    url = request.getfixturevalue("server").url
    return lambda *args: run_command("generate", *SMALL, *args, "--server", url, NO_PROXY="127.0.0.1")


def manifest() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("clips/manifest.jsonl").read_text().splitlines()]


def clips() -> dict[str, int]:
    """Return the clips in the folder by name, with the time of their last change."""
    return {path.name: path.stat().st_mtime_ns for path in Path("clips").glob("*.mp4")}


def test_each_line_is_a_clip(generate: Generate) -> None:
    lines = ["a red fox", "", '{"prompt": "a blue whale", "seed": 7, "duration": 0.7, "generate_audio": true}']
    Path("prompts.txt").write_text("\n".join(lines))

    done = generate("--prompts", "prompts.txt")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "2 of 2 clips are in clips\n"
    fox, whale = sorted(manifest(), key=lambda entry: entry["source"])
    assert (fox["source"], fox["prompt"], fox["seed"], fox["frames"]) == ("prompts.txt:1", "a red fox", 42, 9)
    assert (whale["source"], whale["status"], whale["seed"], whale["frames"]) == ("prompts.txt:3", "completed", 7, 17)
    assert fox["file"].startswith("a-red-fox-")
    assert not probe(Path("clips", fox["file"])).has_audio
    assert probe(Path("clips", whale["file"])).has_audio


def test_a_clip_is_made_for_each_image(generate: Generate, folder: Path) -> None:
    Path("photos").mkdir()
    for name in ("red one", "blue one"):
        Image.new("RGB", (256, 256), "red").save(folder / "photos" / f"{name}.png")
    Path("photos/notes.txt").write_text("no image")

    done = generate("it moves slowly", "--images", "photos", "--json")

    found = json.loads(done.stdout)
    assert (done.returncode, found["folder"], found["from_before"], found["failed"]) == (0, "clips", 0, [])
    assert sorted(clip["file"][:8] for clip in found["clips"]) == ["blue-one", "red-one-"]
    assert {clip["prompt"] for clip in found["clips"]} == {"it moves slowly"}


def test_clips_that_are_there_are_kept_and_a_changed_one_is_made(generate: Generate) -> None:
    Path("prompts.txt").write_text("a red fox\na blue whale\n")
    generate("--prompts", "prompts.txt")
    before = clips()
    Path("prompts.txt").write_text('a blue whale\n{"prompt": "a red fox", "seed": 8}\n')

    done = generate("--prompts", "prompts.txt")

    assert done.stdout == "2 of 2 clips are in clips, 1 of them from before\n"
    assert len(clips()) == 3
    assert before.items() <= clips().items()
    assert generate("--prompts", "prompts.txt").stdout == "2 of 2 clips are in clips, 2 of them from before\n"


def test_a_clip_that_is_gone_or_cut_is_made_again(generate: Generate) -> None:
    Path("prompts.txt").write_text("a red fox\na blue whale\n")
    generate("--prompts", "prompts.txt")
    fox, whale = (Path("clips", entry["file"]) for entry in manifest())
    whole = fox.read_bytes()
    fox.write_bytes(whole[:100])
    whale.unlink()

    assert generate("--prompts", "prompts.txt").stdout == "2 of 2 clips are in clips\n"
    assert fox.read_bytes() == whole
    assert whale.exists()


def test_one_failure_stops_nothing_and_is_tried_again(generate: Generate, folder: Path) -> None:
    lines = [{"prompt": "it drifts off", "image": "absent.png"}, {"prompt": "a red fox"}]
    Path("prompts.jsonl").write_text("\n".join(map(json.dumps, lines)))

    done = generate("--prompts", "prompts.jsonl")

    assert done.returncode == 1
    assert done.stdout == "1 of 2 clips are in clips; 1 failed\n"
    assert done.stderr.startswith("ltx23: error: prompts.jsonl:1: ")
    assert "absent.png: No such file or directory" in done.stderr
    assert {entry["prompt"]: entry["status"] for entry in manifest()} == {
        "it drifts off": "failed",
        "a red fox": "completed",
    }
    Image.new("RGB", (256, 256), "red").save(folder / "absent.png")
    assert generate("--prompts", "prompts.jsonl").stdout == "2 of 2 clips are in clips, 1 of them from before\n"


@pytest.mark.parametrize(("end", "is_local"), [(signal.SIGKILL, False), (signal.SIGINT, True)])
def test_a_batch_that_was_ended_goes_on(
    end: signal.Signals, is_local: bool, server: Server, cache_dir: Path, run_command: RunCommand
) -> None:
    """With a server, the process starts ten times as fast; Ctrl-C with one is tested below."""
    Path("prompts.txt").write_text("\n".join(f"a fox in the snow of {year}" for year in range(2000, 2006)))
    args = ["generate", *SMALL, "--prompts", "prompts.txt", *([] if is_local else ["--server", server.url])]
    root = str(Path(__file__).parents[2])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LTX23_")}
    environment |= {"LTX23_CACHE_DIR": str(cache_dir), "PYTHONPATH": root, "NO_PROXY": "127.0.0.1"}
    with subprocess.Popen(
        [sys.executable, "-m", "server.cli", *args], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_for(lambda: Path("clips/manifest.jsonl").exists() or process.poll() is not None)
        process.send_signal(end)
        _, said = process.communicate()
    before = clips()

    done = run_command(*args, NO_PROXY="127.0.0.1")

    assert 1 <= len(before) < 6, said
    assert (done.returncode, done.stdout.startswith("6 of 6 clips are in clips, ")) == (0, True)
    assert {entry["status"] for entry in manifest()} == {"completed"}
    assert sorted(clips()) == sorted(entry["file"] for entry in manifest())
    if end == signal.SIGINT:
        assert process.returncode == 130
        assert re.fullmatch(
            r"ltx23: interrupted; \d of 6 clips are in clips; the same command goes on from there\n", said
        )


def test_ctrl_c_cancels_every_render_of_a_server(server: Server, client: httpx.Client) -> None:
    Path("prompts.txt").write_text("\n".join(f"a walk in {year}" for year in range(2000, 2004)))
    before = ids(client)
    options = ["--prompts", "prompts.txt", "--width", "768", "--height", "512", "--server", server.url]
    code, shown = run_on_terminal("generate", *options, env={"NO_PROXY": "127.0.0.1"}, interrupt_at=" left")

    assert code == 130
    assert "| clip 1 of 4: " in shown
    assert shown.endswith("0 of 4 clips are in clips; the same command goes on from there\r\n")
    assert ids(client) == before
    assert clips() == {}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--prompts", "absent.txt"], "prompts: absent.txt: No such file or directory"),
        (["--prompts", "empty.txt"], "prompts: empty.txt has no prompts"),
        (["a fox", "--images", "absent"], "images: absent: No such file or directory"),
        (["a fox", "--images", "."], "images: . has no images (.avif, .bmp"),
        (["--images", "."], "prompt: is missing, as in: "),
        (["a fox", "--prompts", "one.txt"], "prompt: cannot be given with --prompts, whose lines have their own"),
        (["--prompts", "one.txt", "-o", "fox.mp4"], "output: should be a folder, because there are many clips"),
        (["--prompts", "one.txt", "--open"], "open: is for a single clip, and cannot be given with many"),
        (["--prompts", "one.txt", "--preview", "a.webp"], "preview: is for a single clip, and cannot be given"),
        (["--prompts", "one.txt", "--checkpoint", "bf61"], "LTX23_CHECKPOINT / --checkpoint: 'bf61' is neither"),
    ],
)
def test_a_batch_that_cannot_begin(args: list[str], message: str, run_command: RunCommand) -> None:
    Path("empty.txt").write_text("\n \n")
    Path("one.txt").write_text("a fox\n")

    done = run_command("generate", *args)

    assert done.returncode == 1
    assert done.stderr.startswith(f"ltx23: error: {message}")
    assert clips() == {}


def test_a_server_that_refuses_the_key_ends_the_batch(run_command: RunCommand, folder: Path) -> None:
    Path("prompts.txt").write_text("a fox\na whale\n")
    with serve(program_of("behaves"), folder, api_keys="sk-of-this-test") as served:
        done = run_command("generate", "--prompts", "prompts.txt", "--server", served.url, NO_PROXY="127.0.0.1")

    assert done.returncode == 1
    assert done.stderr.count("LTX23_API_KEY") == 1
    assert not Path("clips/manifest.jsonl").exists()


def test_every_line_that_cannot_be_read_is_named() -> None:
    wrong = [
        '{"prompt": "a", "heigth": 5}',
        '{"prompt": "a", "width": "wide"}',
        '{"seed": 5}',
        '{"prompt": "a"',
        '{"prompt": "a", "keyframes": "a.png:0"}',
        '{"prompt": "a", "generate_audio": "no"}',
        '{"prompt": "a", "tail_guard": "maybe"}',
        '{"prompt": "a", "audio": ["a.wav"]}',
    ]
    Path("prompts.jsonl").write_text("\n".join(["a fox", *wrong]))

    with pytest.raises(BatchError) as raised:
        read_prompts(Path("prompts.jsonl"), COMMON)

    assert str(raised.value).split("\nltx23: error: ") == [
        "prompts.jsonl:2: heigth: is not a field of a clip: did you mean height?",
        "prompts.jsonl:3: width: should be a number, got 'wide'",
        "prompts.jsonl:4: prompt: is missing",
        "prompts.jsonl:5: line: is not a JSON object: Expecting ',' delimiter: line 1 column 15 (char 14)",
        'prompts.jsonl:6: keyframes: should be a list of texts, got "a.png:0"',
        'prompts.jsonl:7: generate_audio: should be true or false, got "no"',
        "prompts.jsonl:8: tail_guard: should be one of auto, on, off, got 'maybe'",
        'prompts.jsonl:9: audio: should be a text or a number, got ["a.wav"]',
    ]


def test_fields_of_a_line_replace_the_options_of_the_command() -> None:
    line = {"prompt": "a", "duration": 2, "fps": 23.976, "keyframes": ["a.png:0"], "nag_scale": 3, "audio": "a.wav"}
    Path("prompts.jsonl").write_text(json.dumps(line))

    [item] = read_prompts(Path("prompts.jsonl"), COMMON)

    assert item.options == COMMON | {
        "prompt": "a",
        "num_frames": None,
        "duration": 2.0,
        "fps": "23.976",
        "keyframes": ["a.png:0"],
        "nag_scale": 3.0,
        "audio": Path("a.wav"),
    }


def test_a_key_is_that_of_the_contents_of_the_files(folder: Path) -> None:
    for name, data in (("a.png", b"one"), ("b.png", b"one"), ("c.png", b"two")):
        Path(name).write_bytes(data)
    items = read_images(folder, COMMON)
    a, b, c = (clip_key("mp4", item.options) for item in items)
    framed = [clip_key("mp4", COMMON | {"keyframes": [f"{name}:0"]}) for name in ("a.png", "c.png")]
    retaken = clip_key("mp4", COMMON | {"retake": "a.png:0:1"})
    Path("a.png").write_bytes(b"three")

    assert a == b != c
    assert len({a, c, *framed, retaken, clip_key("webm", items[1].options)}) == 6
    assert clip_key("mp4", items[0].options) != a
    assert clip_key("mp4", COMMON | {"keyframes": ["a.png:0"]}) != framed[0]
    assert clip_key("mp4", COMMON | {"retake": "a.png:0:1"}) != retaken


def test_one_command_writes_into_a_folder(folder: Path) -> None:
    with only_writer(folder), pytest.raises(BatchError, match="another command writes into"), only_writer(folder):
        pass
    with only_writer(folder):
        pass


def test_a_line_that_is_none_of_a_manifest(folder: Path) -> None:
    (folder / "manifest.jsonl").write_text('{"key": "a", "status": "failed"}\nnonsense\n')

    with pytest.raises(BatchError, match=r"manifest.jsonl:2: is not a line of a manifest; remove it"):
        Manifest(folder)
