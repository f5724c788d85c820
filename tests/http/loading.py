"""A server whose model is not there yet, for as long as a test likes.

The checkpoint is a pipe: the worker waits in the middle of its header.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

LISTENING = re.compile(r"Listening on (http://\S+?);")


class Loading:
    def __init__(self, process: subprocess.Popen[str], url: str, checkpoint: int, temp_dir: Path) -> None:
        self.process, self.checkpoint, self.temp_dir = process, checkpoint, temp_dir
        self.client = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def end(self) -> str:
        """What it still said until it ended of itself."""
        assert self.process.stderr is not None
        said = self.process.stderr.read()
        self.process.wait()
        return said


@pytest.fixture
def loading(tmp_path: Path) -> Iterator[Loading]:
    pipe, temp_dir = tmp_path / "model.safetensors", tmp_path / "work"
    os.mkfifo(pipe)
    # For reading too: opening it for writing alone would wait for the worker.
    checkpoint = os.open(pipe, os.O_RDWR)
    command = [sys.executable, "-m", "server.cli", "serve", "--port", "0", "--stages", "1", "--temp-dir", str(temp_dir)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LTX23_")}
    with subprocess.Popen(
        [*command, "--checkpoint", str(pipe), "--text-encoder", str(tmp_path)],
        env=environment | {"LTX23_DATA_DIR": str(tmp_path / "data")},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        listening = next(match for line in process.stderr if (match := LISTENING.search(line)))
        running = Loading(process, listening[1], checkpoint, temp_dir)
        try:
            with running.client:
                yield running
        finally:
            process.kill()
            os.close(checkpoint)
