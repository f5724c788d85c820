"""Start `ltx23 serve` with the tiny model and measure its memory, files and worker."""

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

READY = re.compile(r"is ready on (http://\S+)")


def worker_processes(pid: int) -> list[psutil.Process]:
    """Return the running workers of the server `pid`."""
    return [child for child in psutil.Process(pid).children() if _checks_images(child) is False]


def media_checkers(pid: int) -> list[psutil.Process]:
    """Return the running media checkers of the server `pid`."""
    return [child for child in psutil.Process(pid).children() if _checks_images(child)]


def _checks_images(child: psutil.Process) -> bool | None:
    """Return None for a process that has ended."""
    try:
        return None if child.status() == psutil.STATUS_ZOMBIE else "server.uploads.main" in child.cmdline()
    except psutil.NoSuchProcess:  # ZombieProcess is one
        return None


@dataclass(frozen=True)
class RunningServer:
    url: str
    pid: int
    temp_dir: Path

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self.pid)

    @property
    def worker(self) -> psutil.Process | None:
        """Return the worker's process, or None."""
        return next(iter(worker_processes(self.pid)), None)

    def temp_files(self) -> int:
        """Count the folders of jobs."""
        return sum(1 for _ in self.temp_dir.rglob("job-*"))


@contextmanager
def running_server(*args: str, **env: str) -> Iterator[RunningServer]:
    """Serve on a free port and wait until ready. Of the LTX23_* variables, only the cache folder is kept."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("LTX23_") or k == "LTX23_CACHE_DIR"}
    command = [sys.executable, "-m", "server.cli", "serve", "--port", "0", *args]
    with tempfile.TemporaryDirectory() as folder:
        clean |= {"LTX23_TEMP_DIR": folder, "LTX23_DATA_DIR": str(Path(folder) / "videos")} | env
        process = subprocess.Popen(
            command, env=clean, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
        )
        assert process.stderr is not None
        try:
            url = next(match[1] for line in process.stderr if (match := READY.search(line)))
            # Keep reading, or the pipe fills up and the server blocks.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield RunningServer(url, process.pid, Path(folder))
        finally:
            process.terminate()
            process.wait()
