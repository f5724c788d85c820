"""`ltx23 generate` as people type it: the prompt first, a name by default, a bar, JSON, a player."""

import json
import os
import re
from pathlib import Path

import pytest

from pipelines.media.probe import probe
from server.commands.output_file import choose_file, slug
from tests.commands.terminal import run_on_terminal
from tests.conftest import RunCommand
from weights.tiny import TinyFiles

SMALL = ["--width", "64", "--height", "64", "--num-frames", "9", "--no-audio"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_prompt_is_an_argument_and_names_the_file(tiny: TinyFiles, run_command: RunCommand, folder: Path) -> None:
    first = run_command("generate", "A red fox, in snow!", *SMALL)
    second = run_command("generate", *SMALL, "A red fox, in snow!", "--format", "webm", "--seed", "7")

    assert (first.returncode, first.stderr) == (second.returncode, second.stderr) == (0, "")
    assert {path.name for path in folder.iterdir()} == {"a-red-fox-in-snow-42.mp4", "a-red-fox-in-snow-7.webm"}
    assert first.stdout.startswith("a-red-fox-in-snow-42.mp4: 64x64, 9 frames, seed 42 (seconds: encode ")


def test_json_is_one_object(tiny: TinyFiles, run_command: RunCommand) -> None:
    done = run_command("generate", "a fox", *SMALL, "-o", "fox.mp4", "--json")

    clip = json.loads(done.stdout)
    assert clip.pop("timings").keys() == {"encode", "denoise", "decode", "mux"}
    assert clip == {
        "file": "fox.mp4",
        "seed": 42,
        "size": "64x64",
        "frames": 9,
        "fps": 24,
        "size_bytes": Path("fox.mp4").stat().st_size,
        "adjustments": [],
    }


def test_a_named_file_is_replaced_and_that_is_said(tiny: TinyFiles, run_command: RunCommand) -> None:
    Path("fox.mp4").write_text("a file of mine")

    done = run_command("generate", "a fox", *SMALL, "-o", "fox.mp4")

    assert (done.returncode, done.stderr) == (0, "ltx23: note: fox.mp4 was there before and has been replaced\n")
    assert probe(Path("fox.mp4")).num_frames == 9


def test_the_clip_is_opened_with_the_systems_player(
    tiny: TinyFiles, run_command: RunCommand, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The player writes into a pipe what it was asked to open."""
    os.mkfifo(folder / "asked")
    player = folder / "bin" / "xdg-open"
    player.parent.mkdir()
    player.write_text(f'#!/bin/sh\nprintf %s "$1" > "{folder}/asked"\n')
    player.chmod(0o755)
    monkeypatch.setattr("sys.platform", "linux")

    done = run_command("generate", "a fox", *SMALL, "-o", "fox.mp4", "--open", PATH=f"{player.parent}:{os.defpath}")

    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "asked").read_text() == str(folder / "fox.mp4")


def test_without_a_player_the_clip_is_there_all_the_same(tiny: TinyFiles, run_command: RunCommand) -> None:
    done = run_command("generate", "a fox", *SMALL, "-o", "fox.mp4", "--open", PATH="/nowhere")

    assert done.returncode == 0
    assert done.stderr == "ltx23: note: fox.mp4 cannot be opened: No such file or directory\n"


def test_one_bar_shows_the_whole_clip(tiny: TinyFiles, cache_dir: Path) -> None:
    args = ["generate", "a fox", *SMALL, "-o", "fox.mp4"]
    code, shown = run_on_terminal(*args, env={"LTX23_CACHE_DIR": str(cache_dir)})

    assert code == 0
    percents = [int(percent) for percent in re.findall(r"(\d+)%\|[^|]*\| [a-z]", shown)]
    assert percents == sorted(percents)
    assert max(percents) > 90
    assert "| stage 1, step 4 of 8, " in shown
    assert "| stage 2, step 2 of 3, " in shown
    assert re.search(r"\| decodes, \d+ s left", shown)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], 'prompt: is missing, as in: ltx23 generate "a red fox"'),
        (["a fox", "--prompt", "a cat"], "prompt: is given twice: as an argument, and as --prompt"),
        (["a fox", "-o", "fox.mp4", "--format", "webm"], "format: is webm, but the output ends in .mp4"),
    ],
)
def test_wrong_usage_is_one_line(args: list[str], message: str, run_command: RunCommand, folder: Path) -> None:
    done = run_command("generate", *SMALL, *args)

    assert (done.returncode, done.stderr) == (1, f"ltx23: error: {message}\n")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("A red fox!", "a-red-fox"),
        ("ein Fuchs läuft durch tiefen Schnee, langsam und leise", "ein-fuchs-läuft-durch-tiefen-schnee"),
        ("狐が走る", "狐が走る"),
        ("../../etc/passwd", "etc-passwd"),
        ("x" * 100, "x" * 40),
        ("!?", "clip"),
        ("\udcff", "clip"),
    ],
)
def test_a_file_is_named_after_its_prompt(prompt: str, name: str) -> None:
    assert slug(prompt) == name


def test_a_name_that_was_not_given_is_a_new_one(folder: Path) -> None:
    for name in ("fox-1.mp4", "fox-1-2.mp4"):
        (folder / name).touch()

    assert choose_file(None, None, "fox-1") == Path("fox-1-3.mp4")
    assert choose_file(None, "webm", "fox-1") == Path("fox-1.webm")


def test_ctrl_c_leaves_nothing(tiny: TinyFiles, cache_dir: Path, folder: Path) -> None:
    """While frames are decoded and the file is written; test_batch.py interrupts a clip that is denoised."""
    args = ["generate", "a walk", "--width", "512", "--height", "320", "--num-frames", "49", "--no-audio"]
    env = {"LTX23_CACHE_DIR": str(cache_dir)}
    code, shown = run_on_terminal(*args, "-o", "walk.mp4", env=env, interrupt_at="| decodes")

    assert code == 130
    assert shown.endswith("ltx23: interrupted; no clip was written\r\n")
    assert list(folder.iterdir()) == []
