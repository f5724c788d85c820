"""A server whose model is still loading: its worker is suspended for as long as a test needs.

The checkpoint is invalid, so that the server ends once the worker resumes.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

LISTENING = re.compile(r"Listening on (http://\S+?);")


class Loading:
    def __init__(self, process: subprocess.Popen[str], url: str, temp_dir: Path) -> None:
        self.process, self.temp_dir = process, temp_dir
        self.worker = stopped_worker(process.pid)
        self.client = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def end(self) -> str:
        """Wait until the server has ended; return what it printed."""
        assert self.process.stderr is not None
        said = self.process.stderr.read()
        self.process.wait()
        return said


def stopped_worker(pid: int) -> psutil.Process:
    """Suspend the server's worker before it reads a file: its imports take longer than this."""
    while True:
        for child in psutil.Process(pid).children():
            # Before exec, the child has the server's command line, and suspending it would suspend the server.
            if "server.worker.main" in child.cmdline():
                child.suspend()
                return child


@pytest.fixture
def loading(tmp_path: Path) -> Iterator[Loading]:
    checkpoint, temp_dir = tmp_path / "model.safetensors", tmp_path / "work"
    checkpoint.write_bytes(b"no model")
    command = [sys.executable, "-m", "server.cli", "serve", "--port", "0", "--stages", "1", "--temp-dir", str(temp_dir)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LTX23_")}
    with subprocess.Popen(
        [*command, "--checkpoint", str(checkpoint), "--text-encoder", str(tmp_path), "--heartbeat-s", "3600"],
        env=environment | {"LTX23_DATA_DIR": str(tmp_path / "data")},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        listening = next(match for line in process.stderr if (match := LISTENING.search(line)))
        running = Loading(process, listening[1], temp_dir)
        try:
            with running.client:
                yield running
        finally:
            process.kill()
            # It may not have asked for its parent's death signal yet.
            with suppress(psutil.NoSuchProcess):
                running.worker.kill()
