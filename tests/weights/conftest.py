"""A hub on loopback, and `ltx23 weights` that uses it, in this process or in one of its own."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from huggingface_hub import close_session, constants

from tests.conftest import Done
from tests.weights.hub import Hub, run_hub
from tests.weights.small_world import MODEL_PATH, MODEL_REPO, TOKEN, repos, run_weights

ROOT = Path(__file__).parents[2]
FOREIGN = ("LTX23_", "HF_", "HUGGING", "TRANSFORMERS_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "TQDM_")


class Shell:
    """Run the command with small weight sets and its own weights folder."""

    def __init__(self, url: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.weights_dir = folder / "weights"
        self.model = self.weights_dir / MODEL_REPO / MODEL_PATH
        self.partial = self.model.with_name(self.model.name + ".part")
        self._capfd = capfd
        self._env = {
            "HF_ENDPOINT": url,
            "HF_HOME": str(folder / "hf"),
            "HF_TOKEN": TOKEN,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "LTX23_WEIGHTS_DIR": str(self.weights_dir),
        }

    def start(self, *args: str, stderr: int = subprocess.PIPE, **env: str) -> subprocess.Popen[str]:
        """Start a process, for what would also end or limit the tests': signals, limits, a terminal."""
        command = [sys.executable, "-W", "error", "-m", "tests.weights.small_world", *args]
        clean = {name: value for name, value in os.environ.items() if not is_foreign(name)}
        return subprocess.Popen(
            command, cwd=ROOT, env=clean | self._env | env, stdout=subprocess.PIPE, stderr=stderr, text=True
        )

    def run(self, *args: str, **env: str) -> Done:
        """Run in this process: starting another takes longer than the command itself."""
        self._capfd.readouterr()
        with hub_environment(self._env | env):
            code = run_weights(args)
        return Done(code, *self._capfd.readouterr())


@contextmanager
def hub_environment(env: Mapping[str, str]) -> Iterator[None]:
    """Set the environment of the hub's library, which reads most of it when it is imported."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in filter(is_foreign, list(os.environ)):
            monkeypatch.delenv(name)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        importlib.reload(constants)
        yield
    close_session()
    importlib.reload(constants)


def is_foreign(name: str) -> bool:
    return name.upper().startswith(FOREIGN)


@pytest.fixture
def hub() -> Hub:
    hub = Hub()
    hub.repos = repos()
    return hub


@pytest.fixture
def shell(hub: Hub, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    with run_hub(hub) as url:
        yield Shell(url, tmp_path, capfd)
