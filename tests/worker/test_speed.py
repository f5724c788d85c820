"""Clips that are rendered before a worker is ready, and settings of speed that are refused."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipelines.ltx.fp8 import Fp8Mode
from pipelines.ltx.models import WeightFiles, open_models
from pipelines.ltx.speed import Speed
from pipelines.ltx.text_quantized import TextQuantization
from pipelines.memory import ClipSize, MemoryLevel, choose_plan
from server.settings import SettingsError, load_settings, parse_clip_size
from server.worker.messages import SpeedInfo, WorkerConfig
from server.worker.model import describe_speed, load_model
from server.worker.speed import SpeedError, accelerate, resolve_speed, speed_warnings
from tests.conftest import RunCommand
from weights.tiny import TinyFiles

SIZE = ClipSize(128, 64, 9, is_conditioned=True)


def test_a_clip_of_each_size_is_rendered_while_the_model_loads(tiny: TinyFiles, cache_dir: Path) -> None:
    seen: list[str] = []
    config = WorkerConfig(cache_dir, device="cpu", warmup=(SIZE, ClipSize(64, 64, 17, is_conditioned=True)))

    model = load_model(config, lambda component, done, total: seen.append(component))

    assert seen[-2:] == ["warm-up 128x64x9", "warm-up 64x64x17"]
    assert model.info.speed == SpeedInfo("eager", 0, ("128x64x9", "64x64x17"))
    assert model.components.prompt_keys.kept_bytes > 0


def test_a_size_that_does_not_fit_is_named(tiny: TinyFiles, cache_dir: Path) -> None:
    config = WorkerConfig(cache_dir, device="cpu", vram_bytes=10**9, warmup=(ClipSize(3840, 2176, 121),))

    with pytest.raises(
        SpeedError, match=r"^LTX23_WARMUP / --warmup 3840x2176x121: width: .* the device has 1\.0 GB for it; "
    ):
        load_model(config, lambda component, done, total: None)


def test_a_streamed_transformer_runs_eagerly_with_a_note(tiny: TinyFiles, cache_dir: Path) -> None:
    loaded = load_model(WorkerConfig(cache_dir, device="cpu"), lambda component, done, total: None).components
    files = WeightFiles(tiny.checkpoint, tiny.text_encoder, tiny.upsampler)
    models = open_models(files, torch.float32, Fp8Mode.DEQUANTIZE, TextQuantization.NONE)
    plan = choose_plan(MemoryLevel.LOW, models.sizes(), models.widths(), 24 * 10**9)
    components, seen = replace(loaded, plan=plan), list[str]()

    found = accelerate(components, Speed.GRAPHS, False, lambda component, done, total: seen.append(component))

    assert found is components
    assert seen == []
    assert describe_speed(found, Speed.GRAPHS, ()) == SpeedInfo("eager")
    assert speed_warnings(found, Speed.GRAPHS) == (
        "LTX23_SPEED / --speed graphs needs the transformer on the device; it is streamed, and runs eagerly",
    )
    assert speed_warnings(loaded, Speed.COMPILE) == ()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("768x512", "'768x512' is not a size such as 768x512x121: width, height and number of frames"),
        ("256x256x9,big", "'big' is not a size such as 768x512x121: width, height and number of frames"),
        ("768x500x121", "768x500x121: height: must be a positive multiple of 64, got 500"),
        ("768x512x120", "768x512x120: num_frames: must be 8k + 1 and at least 9, got 120"),
    ],
)
def test_a_size_that_no_clip_has_is_refused_before_anything_starts(value: str, message: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings(warmup=value)

    assert str(error.value) == f"LTX23_WARMUP / --warmup: {message}"


def test_sizes_are_read_from_a_list() -> None:
    settings = load_settings(warmup=" 768x512x121, 1280x704x121 ")

    assert [parse_clip_size(text) for text in settings.warmup] == [
        ClipSize(768, 512, 121, is_conditioned=True),
        ClipSize(1280, 704, 121, is_conditioned=True),
    ]


def test_graphs_are_refused_on_a_cpu(run_command: RunCommand, tmp_path: Path) -> None:
    args = ["--prompt", "a fox", "-o", str(tmp_path / "clip.mp4"), "--device", "cpu"]

    done = run_command("generate", *args, "--speed", "graphs")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "ltx23: error: LTX23_SPEED / --speed graphs needs an NVIDIA GPU, the device is cpu: use --speed "
        "compile or eager\n"
    )


def test_a_missing_compiler_is_reported_before_the_weights_are_read(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "server.cli", "generate", "--prompt", "a fox", "-o", str(tmp_path / "clip.mp4")]
    env = {"PATH": "/nowhere", "LTX23_CACHE_DIR": str(tmp_path / "cache"), "HOME": str(tmp_path)}

    done = subprocess.run([*command, "--device", "cpu", "--speed", "compile"], env=env, capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stderr == (
        "ltx23: error: LTX23_SPEED / --speed compile: torch cannot compile the transformer here: there is no C++ "
        "compiler: install g++; or use --speed eager\n"
    )
    # Where compiled code would have been kept, and nothing of the model.
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["compiled"]


def test_a_cache_that_cannot_be_written_to_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/dev/null/compiled")

    with pytest.raises(SpeedError) as error:
        resolve_speed("compile", torch.device("cpu"), Path("/unused"))

    assert str(error.value) == (
        "LTX23_SPEED / --speed compile keeps compiled code in /dev/null/compiled, which cannot be written to: "
        "Not a directory; choose another LTX23_CACHE_DIR / --cache-dir (or TORCHINDUCTOR_CACHE_DIR), or use "
        "--speed eager"
    )
