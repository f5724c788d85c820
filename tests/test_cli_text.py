"""Non-ASCII text, bytes that are not UTF-8, and output streams that are ASCII-only, closed or full: no tracebacks."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.errors import SpecError
from pipelines.media.probe import probe
from server.cli import main
from server.commands.streams import decode_prompt
from server.settings import Settings
from tests.pipeline.gemma import copy_of
from weights.tiny import TinyFiles

SMALL = ["--width", "64", "--height", "64", "--num-frames", "9", "--no-audio"]

# A byte that is not UTF-8, as Python decodes it.
BYTE = "\udcff"


@pytest.fixture(autouse=True)
def own_settings(cache_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LTX23_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LTX23_CACHE_DIR", str(cache_dir))
    monkeypatch.setenv("LTX23_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LTX23_WEIGHTS_DIR", str(tmp_path / "weights"))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("folder", ["wö", "狐", f"w{BYTE}"])
def test_characters_that_a_stream_cannot_encode_are_escaped(
    folder: str, encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = io.BytesIO(), io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding=encoding))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(err, encoding=encoding))
    monkeypatch.setenv("LTX23_WEIGHTS_DIR", str(tmp_path / folder))

    assert main(["weights", "list"]) == 0
    assert main(["weights", "inspect", str(tmp_path / folder / "absent.safetensors")]) == 1

    sys.stderr.flush()
    shown = str(tmp_path / folder).encode(encoding, "backslashreplace")
    assert out.getvalue().startswith(b"in " + shown + b":\n")
    assert (
        err.getvalue()
        == b"ltx23: error: " + shown + b"/absent.safetensors: cannot be read: No such file or directory\n"
    )


def run_with(streams: str, *args: str) -> tuple[int, list[str]]:
    command = f'exec "$0" -m server.cli "$@" {streams}'
    done = subprocess.run(["sh", "-c", command, sys.executable, *args], capture_output=True, text=True)
    return done.returncode, done.stderr.splitlines()


def test_closed_streams_cause_no_error() -> None:
    assert run_with(">&- 2>&- <&-", "weights", "list") == (0, [])


def test_a_full_disk_behind_stdout_is_reported() -> None:
    code, [line] = run_with(">/dev/full", "weights", "list")

    assert code == 1
    assert line.startswith("ltx23: error: ")
    assert line.endswith("No space left on device")


def test_a_closed_pipe_causes_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "server.cli", "weights", "list"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)

    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize(
    ("argument", "prompt"),
    [
        ("a fox", "a fox"),
        ("Füchse 狐 🦊", "Füchse 狐 🦊"),
        # As in an ASCII-only locale.
        ("F\udcc3\udcbcchse", "Füchse"),
    ],
)
def test_a_prompt_is_read_as_utf_8(argument: str, prompt: str) -> None:
    assert decode_prompt(argument) == prompt


@pytest.mark.parametrize("argument", [f"bad {BYTE}", "\ud800", f"F\udcc3\udcbcchse {BYTE}"])
def test_a_prompt_that_is_not_utf_8_is_refused(argument: str) -> None:
    with pytest.raises(SpecError, match="prompt: should be UTF-8 text"):
        decode_prompt(argument)


@pytest.mark.parametrize(
    "command", [["generate", "-o", "clip.mp4"], ["enhance", "--sglang-url", "http://127.0.0.1:9"]], ids=lambda c: c[0]
)
def test_every_command_refuses_a_prompt_that_is_not_utf_8(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--prompt", f"bad {BYTE}"]) == 1

    assert capsys.readouterr().err == "ltx23: error: prompt: should be UTF-8 text\n"


@pytest.mark.parametrize("name", ["ö 狐.mp4", f"{BYTE}.mp4"])
def test_a_clip_may_have_any_name(
    name: str, tiny: TinyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = tmp_path / name

    assert main(["generate", "--prompt", "Füchse 狐 🦊", *SMALL, "-o", str(clip)]) == 0

    assert capsys.readouterr().err == ""
    assert probe(clip).num_frames == 9


def test_a_cache_whose_path_is_not_utf_8_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LTX23_CACHE_DIR", str(tmp_path / f"c{BYTE}"))

    assert main(["generate", "--prompt", "a fox", *SMALL, "-o", str(tmp_path / "clip.mp4")]) == 1

    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith("the tiny model cannot be written here: the path is not UTF-8; choose another cache")
    assert [path.name for path in tmp_path.glob("*/*") if path.name.startswith(".tiny")] == []


def test_a_text_encoder_whose_path_is_not_utf_8_is_refused(
    tiny: TinyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy_of(tiny.text_encoder, tmp_path / f"gemma{BYTE}")
    weights = ["--checkpoint", str(tiny.checkpoint), "--upscaler", str(tiny.upsampler), "--text-encoder", str(folder)]

    assert main(["generate", "--prompt", "a fox", *SMALL, "-o", str(tmp_path / "clip.mp4"), *weights]) == 1

    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith("is a path that is not UTF-8, which its tokenizer's library needs; rename it")


@pytest.mark.parametrize("value", ["ö狐", BYTE], ids=["UTF-8", "not UTF-8"])
@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_accepts_any_text_or_is_an_error_of_one_line(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"LTX23_{name.upper()}", value)

    code = main(["weights", "list"])

    lines = capsys.readouterr().err.splitlines()
    assert (code, len(lines)) in ((0, 0), (1, 1))
    assert all(line.startswith("ltx23: error: ") for line in lines)
