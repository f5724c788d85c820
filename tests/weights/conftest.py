"""A hub on loopback, and `ltx23 weights` in a separate process that uses it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.weights.hub import Hub, run_hub
from tests.weights.small_world import MODEL_PATH, MODEL_REPO, TOKEN, repos

ROOT = Path(__file__).parents[2]
FOREIGN = ("LTX23_", "HF_", "HUGGING", "TRANSFORMERS_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "TQDM_")


class Shell:
    """Run the command with small weight sets and its own weights folder."""

    def __init__(self, url: str, folder: Path) -> None:
        self.weights_dir = folder / "weights"
        self.model = self.weights_dir / MODEL_REPO / MODEL_PATH
        self.partial = self.model.with_name(self.model.name + ".part")
        clean = {name: value for name, value in os.environ.items() if not name.upper().startswith(FOREIGN)}
        self._env = clean | {
            "HF_ENDPOINT": url,
            "HF_HOME": str(folder / "hf"),
            "HF_TOKEN": TOKEN,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "LTX23_WEIGHTS_DIR": str(self.weights_dir),
        }

    def start(self, *args: str, stderr: int = subprocess.PIPE, **env: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-W", "error", "-m", "tests.weights.small_world", *args]
        return subprocess.Popen(
            command, cwd=ROOT, env=self._env | env, stdout=subprocess.PIPE, stderr=stderr, text=True
        )

    def run(self, *args: str, **env: Any) -> subprocess.CompletedProcess[str]:
        process = self.start(*args, **env)
        stdout, stderr = process.communicate()
        return subprocess.CompletedProcess(args, process.returncode, stdout, stderr)


@pytest.fixture
def hub() -> Hub:
    hub = Hub()
    hub.repos = repos()
    return hub


@pytest.fixture
def shell(hub: Hub, tmp_path: Path) -> Iterator[Shell]:
    with run_hub(hub) as url:
        yield Shell(url, tmp_path)
