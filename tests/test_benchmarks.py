"""The benchmarks run: that of a GPU at tiny size on the CPU, those of encoders and kernels, and a short soak."""

import json
import os
import subprocess
import sys
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks.fast import Clips, compare
from benchmarks.running_server import RunningServer
from pipelines.media.muxer import mux
from pipelines.spec import GenerationSpec
from tests.conftest import Server
from weights.tiny import TinyFiles


def test_the_gpu_benchmark_runs_at_tiny_size(tmp_path: Path) -> None:
    report, chart = tmp_path / "gpu.json", tmp_path / "gpu.svg"
    options = ["--arithmetic", "fp8-dynamic", "--memory", "resident", "low", "--clips", "2", "--chunks", "4"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", "--tiny", *options, "--json", report, "--chart", chart],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert "28 layers multiply in FP8" in done.stdout
    found = json.loads(report.read_text())
    assert [run["name"] for run in found["runs"]] == ["fp8-dynamic eager", "fp8-dynamic eager low"]
    errors = {choice["name"]: choice["error"] for choice in found["choices"]}
    assert errors["step"] == 0
    assert errors["step, flash attention"] == 0
    decodes = [error for name, error in errors.items() if name.startswith("decode")]
    assert len(decodes) == 2
    assert max(decodes) < 0.01
    assert "fp8-dynamic eager: denoise" in (ElementTree.parse(chart).getroot()[1].text or "")


def test_encoders_are_compared_on_a_film(tmp_path: Path) -> None:
    spec = GenerationSpec("a film", 0, 128, 64, 25, Fraction(24), generate_audio=False)
    noise = np.random.default_rng(0).integers(0, 256, (25, 64, 128, 3), dtype=np.uint8)
    mux(tmp_path / "film.mp4", [noise], spec, None)
    options = ["--size", "64x64", "--frames", "9", "--rounds", "1", "--ffmpeg", str(tmp_path / "none")]
    settings = ["--settings", "preset=veryfast,crf=0", "preset=veryfast,crf=45"]
    command = [sys.executable, "-m", "benchmarks.encoders", str(tmp_path / "film.mp4"), *options, *settings]
    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    title, _, _, *rows = done.stdout.splitlines()
    assert title == "film.mp4, 64x64, 9 frames, 24 fps"
    names, rates, vmaf, ssim = zip(*(row.strip("| ").split(" | ")[:4] for row in rows), strict=True)
    assert names[0].startswith("libx264 preset=veryfast crf=")
    assert names[1:] == ("libx264 preset=veryfast crf=0", "libx264 preset=veryfast crf=45")
    assert float(rates[1]) > float(rates[0]) > float(rates[2])
    assert float(ssim[1]) == 1 > float(ssim[0]) > float(ssim[2])
    assert set(map(str.strip, vmaf)) == {""}


@pytest.mark.skipif(find_spec("triton") is None, reason="needs Triton")
def test_static_fp8_adds_no_kernel_to_a_compiled_block() -> None:
    done = subprocess.run([sys.executable, "-m", "benchmarks.fusion"], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    cells = [line.split("|")[1:4] for line in done.stdout.splitlines()[2:]]
    rows = {name.strip(): (int(kernels), int(written)) for name, kernels, written in cells}
    assert rows["fp8 static"] == (rows["bf16"][0], 20)
    assert rows["fp8 dynamic"][1] == 20


def test_a_short_soak_loses_nothing(cache_dir: Path, tiny: TinyFiles) -> None:
    command = [sys.executable, "-m", "benchmarks.soak", "--clips", "4"]
    env = os.environ | {"LTX23_CACHE_DIR": str(cache_dir)}
    done = subprocess.run(command, capture_output=True, text=True, env=env)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 workers killed; clips " in done.stdout
    assert "; lost 0; at the end queue {'depth': 0, " in done.stdout


def test_the_fast_mode_is_compared_with_the_plain_one(server: Server) -> None:
    """With one server for both."""
    running = RunningServer(server.url, server.process.pid, server.temp_dir)

    _, title, waited, busy = compare(running, running, Clips(pairs=1, width=256, height=256, num_frames=9))

    assert title.split() == ["256x256,", "9", "frames,", "sound", "plain", "fast", "ratio"]
    for row in (waited, busy):
        assert all(float(figure) > 0 for figure in row.split()[-3:])
