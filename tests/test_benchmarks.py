"""The GPU benchmark at tiny size on the CPU, and a short soak."""

import os
import subprocess
import sys
from pathlib import Path

from weights.tiny import TinyFiles


def test_the_gpu_benchmark_runs_at_tiny_size() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", "--tiny", "--memory", "low", "--clips", "2"],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert "10 layers multiply in FP8" in done.stdout
    assert "128x64, 9 frames in" in done.stdout


def test_a_short_soak_loses_nothing(cache_dir: Path, tiny: TinyFiles) -> None:
    command = [sys.executable, "-m", "benchmarks.soak", "--clips", "4"]
    env = os.environ | {"LTX23_CACHE_DIR": str(cache_dir)}
    done = subprocess.run(command, capture_output=True, text=True, env=env)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 workers killed; clips " in done.stdout
    assert "; lost 0; at the end queue {'depth': 0, " in done.stdout
