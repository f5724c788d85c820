"""`ltx23 generate` and `ltx23 serve` as commands: their output files and their error messages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipelines.media.probe import probe
from server.commands.local_clip import build_spec
from tests.conftest import RunCommand
from tests.diffusers_folder import copy_folder
from tests.pipeline.four_bits import force_avx512_bf16
from weights.tiny import TinyFiles

SMALL = ["--prompt", "a fox", "--width", "64", "--height", "64", "--num-frames", "9"]
TONES = "tests/parity/data/directions/tones-48k-stereo.wav"


def run_process(cache_dir: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a separate process, for commands that start a server."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LTX23_")}
    folders = {"LTX23_CACHE_DIR": str(cache_dir), "LTX23_DATA_DIR": str(cache_dir / "data")}
    command = [sys.executable, "-m", "server.cli", *args]
    return subprocess.run(command, capture_output=True, text=True, env=clean | folders | env)


def test_without_a_checkpoint_it_renders_the_tiny_model(
    tiny: TinyFiles, run_command: RunCommand, tmp_path: Path
) -> None:
    Image.new("RGB", (80, 60), "red").save(tmp_path / "red.png")
    clip = tmp_path / "clip.webm"

    keyframe = ["--keyframe", f"{tmp_path}/red.png:-1:0.5"]
    options = ["--fps", "23.976", "--no-audio", "--prompt", "x" * 1100]
    done = run_command("generate", *SMALL, *options, *keyframe, "-o", str(clip))

    assert done.returncode == 0
    assert done.stderr == (
        f"ltx23: note: {tmp_path}/red.png: the picture has 80x60 pixels, and a clip of 64x64 shows the middle 60x60 of "
        "them (75%), the rest is cropped; a clip of 512x384 would show it whole\n"
        "ltx23: note: the prompt has 1101 tokens, and the text encoder reads 1024; the last 77, "
        f'"{"x" * 77}", are left out\n'
    )
    assert "64x64, 9 frames, seed 42" in done.stdout
    info = probe(clip)
    assert (info.num_frames, info.has_audio, str(info.frame_rate)) == (9, False, "24000/1001")


@pytest.mark.parametrize(
    ("options", "num_frames"),
    [
        ({}, 121),
        ({"duration": 1.0}, 25),
        ({"audio": Path(TONES)}, 33),
        ({"audio": Path(TONES), "audio_start": 0.6}, 17),
        ({"audio": Path(TONES), "duration": 2.0}, 49),
        ({"audio": Path(TONES), "num_frames": 9}, 9),
    ],
)
def test_without_a_length_the_clip_is_as_long_as_its_sound(
    options: dict[str, Any], num_frames: int, tmp_path: Path
) -> None:
    fixed: dict[str, Any] = {"prompt": "x", "keyframes": [], "fps": "24", "seed": 1, "width": 64, "height": 64}

    spec = build_spec(tmp_path / "clip.mp4", 2, **fixed, **options)

    assert spec.num_frames == num_frames


def test_keyframes_are_sorted_by_their_frame(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), "red").save(tmp_path / "red.png")
    keyframes = [f"{tmp_path}/red.png:{frame}" for frame in (-1, 0, 4)]
    options: dict[str, Any] = {"width": 64, "height": 64, "num_frames": 9, "seed": 2**64 - 1, "generate_audio": True}

    spec = build_spec(tmp_path / "clip.mp4", 2, prompt="x", keyframes=keyframes, **options)

    assert [keyframe.frame_idx for keyframe in spec.keyframes] == [0, 4, 8]


@pytest.mark.parametrize("has_avx512_bf16", [False, True])
@pytest.mark.parametrize("quantization", ["8bit", "4bit"])
def test_quantising_the_text_encoder_prints_no_warnings(
    quantization: str,
    has_avx512_bf16: bool,
    tiny: TinyFiles,
    run_command: RunCommand,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packed = force_avx512_bf16(monkeypatch, has_avx512_bf16)
    option = ["--text-encoder-quantization", quantization]
    done = run_command("generate", *SMALL, *option, "-o", str(tmp_path / "clip.mp4"))

    assert (done.returncode, done.stderr) == (0, "")
    assert probe(tmp_path / "clip.mp4").num_frames == 9
    assert bool(packed) is (has_avx512_bf16 and quantization == "4bit")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--width", "100"], "width: must be a positive multiple of 64, got 100"),
        (["--num-frames", "10"], "num_frames: must be 8k + 1 and at least 9, got 10"),
        (["--fps", "fast"], "fps: should be a rate such as 24, 23.976 or 30000/1001, got 'fast'"),
        (["--fps", "1/0"], "fps: should be a rate"),
        (["--keyframe", "a.png"], "keyframe: should be PATH:FRAME_IDX[:STRENGTH[:CRF]], got 'a.png'"),
        (["--keyframe", "absent.png:0"], "keyframe: absent.png: No such file or directory"),
        (["--keyframe", "pyproject.toml:0"], "keyframe: pyproject.toml: "),
        (["--audio", "absent.wav"], "audio: absent.wav: the sound file cannot be read: No such file"),
        (["--audio", "pyproject.toml"], "audio: pyproject.toml: it is not a sound of a known format: send a WAV"),
        (["--audio-start", "1"], "audio_start: needs --audio"),
        (["--audio", TONES, "--audio-start", "1.25"], "audio_start: must be before the end of the sound, which is"),
        (["--audio", TONES, "--audio-start", "-1"], "audio_start: must be 0 or more seconds, got -1"),
        (["-o", "clip.avi"], "output: should end in .mp4 or .webm, got 'clip.avi'"),
        (["-o", "nowhere/clip.mp4"], "output: there is no folder nowhere"),
        (["--checkpoint", "absent.safetensors"], "a checkpoint needs its text encoder"),
        (["--device", "abacus"], "unknown device 'abacus'"),
        (
            ["--checkpoint", "absent.safetensors", "--text-encoder", "absent/gemma", "--stages", "1"],
            "absent.safetensors: cannot be read: No such file",
        ),
        (["--checkpoint", "bf61"], "--checkpoint: 'bf61' is neither a file, a folder nor a name; names are hosted"),
        (
            ["--checkpoint", "bf16", "--weights-dir", "absent"],
            "LTX23_CHECKPOINT / --checkpoint: bf16: absent/Lightricks/LTX-2.3/ltx-2.3-22b-distilled-1.1.safetensors "
            "is missing; fetch it with: ltx23 weights pull bf16 --weights-dir absent",
        ),
    ],
)
def test_an_error_is_one_line(args: list[str], message: str, run_command: RunCommand, tmp_path: Path) -> None:
    done = run_command("generate", *SMALL, "-o", str(tmp_path / "clip.mp4"), *args)

    assert done.returncode == 1
    assert done.stderr.startswith("ltx23: error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_serve_ends_when_its_weights_cannot_be_loaded(tiny: TinyFiles, cache_dir: Path, tmp_path: Path) -> None:
    """Neither the server nor its worker waits for a writer of the FIFO."""
    companions = ["--text-encoder", str(tiny.text_encoder), "--upscaler", "absent.safetensors"]
    os.mkfifo(tmp_path / "fifo.safetensors")
    done = run_process(
        cache_dir, "serve", "--port", "0", "--checkpoint", str(tmp_path / "fifo.safetensors"), *companions
    )

    assert done.returncode == 1
    assert f"cannot be loaded: {tmp_path}/fifo.safetensors: is a FIFO; a .safetensors file is needed\n" in done.stderr
    assert "Traceback" not in done.stderr


def test_serve_ends_before_it_listens_when_named_weights_are_missing(run_command: RunCommand, tmp_path: Path) -> None:
    done = run_command("serve", "--checkpoint", "hosted", "--text-encoder", "gemma-fp8", "--weights-dir", "absent")

    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith("ltx23: error: LTX23_CHECKPOINT / --checkpoint: hosted: absent/Kijai/LTX2.3_comfy/")
    assert sentence.endswith("ltx23 weights pull hosted --text-encoder gemma-fp8 --weights-dir absent")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "99999"),
        ("QUEUE_SIZE", "many"),
        ("STAGES", "3"),
        ("DTYPE", "int4"),
        ("TEXT_ENCODER_QUANTIZATION", "2bit"),
    ],
)
def test_serve_names_an_invalid_setting(variable: str, value: str, run_command: RunCommand) -> None:
    done = run_command("serve", **{f"LTX23_{variable}": value})

    assert done.returncode == 1
    assert variable in done.stderr
    assert done.stderr.startswith("ltx23: error: ")


def test_inspect_describes_a_weight_file(tiny: TinyFiles, run_command: RunCommand) -> None:
    done = run_command("weights", "inspect", str(tiny.checkpoint))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{tiny.checkpoint}: LTX-2.3; one file, BF16\n")
    assert "needs beside it" not in done.stdout


def test_inspect_describes_a_diffusers_folder(tiny_folder: Path, run_command: RunCommand, tmp_path: Path) -> None:
    folder = copy_folder(tiny_folder, tmp_path / "folder")
    shutil.rmtree(folder / "connectors")
    shutil.rmtree(folder / "latent_upsampler")
    done = run_command("weights", "inspect", str(folder))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{folder}: LTX-2.3; diffusers folder, BF16\n")
    assert "  holds: transformer, vae, audio_vae, vocoder, text_encoder, tokenizer\n" in done.stdout
    assert "  lacks: connectors/\n  needs beside it: --upscaler\n" in done.stdout


def test_a_diffusers_folder_is_served_with_its_own_parts(
    tiny_folder: Path, run_command: RunCommand, tmp_path: Path
) -> None:
    clip = tmp_path / "clip.mp4"
    done = run_command("generate", *SMALL, "--checkpoint", str(tiny_folder), "-o", str(clip))

    assert (done.returncode, done.stderr) == (0, "")
    assert probe(clip).has_audio


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("text_encoder", "a checkpoint needs its text encoder: --text-encoder"),
        ("tokenizer", "folder: holds no tokenizer/ for its text_encoder/"),
        ("latent_upsampler", "two stages need --upscaler"),
    ],
)
def test_the_parts_that_a_diffusers_folder_lacks_are_named(
    part: str, message: str, tiny_folder: Path, run_command: RunCommand, tmp_path: Path
) -> None:
    folder = copy_folder(tiny_folder, tmp_path / "folder")
    shutil.rmtree(folder / part)
    done = run_command("generate", *SMALL, "--checkpoint", str(folder), "-o", str(tmp_path / "clip.mp4"))

    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_options_replace_parts_of_a_diffusers_folder(
    tiny: TinyFiles, tiny_folder: Path, run_command: RunCommand, tmp_path: Path
) -> None:
    folder = copy_folder(tiny_folder, tmp_path / "folder")
    shutil.rmtree(folder / "text_encoder")
    shutil.rmtree(folder / "latent_upsampler")
    named = ["--text-encoder", str(tiny.text_encoder), "--upscaler", str(tiny_folder / "latent_upsampler")]
    done = run_command("generate", *SMALL, "--checkpoint", str(folder), *named, "-o", str(tmp_path / "clip.mp4"))

    assert (done.returncode, done.stderr) == (0, "")


def test_inspect_refuses_a_file_that_is_not_a_weight_file(run_command: RunCommand) -> None:
    done = run_command("weights", "inspect", "README.md")

    assert done.returncode == 1
    assert done.stderr.startswith("ltx23: error: README.md: is a text file ('# ")
