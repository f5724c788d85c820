"""A server process that ends with the process that started it."""

import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

READY = re.compile(r"LTX-23-Video is ready on (http://\S+)")
# The first start writes the tiny model.
START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 30.0
# Of the log, for an error.
KEPT_LINES = 50
# The only variable of the server that counts: continuous integration keeps this folder between runs.
KEPT_VARIABLES = frozenset({"LTX23_CACHE_DIR"})
# The folder that holds the server's packages.
ROOT = Path(__file__).parents[1]


class ServerFailed(Exception):
    """The server did not start; the message has the end of its log."""


class ServerProcess:
    """A server on a free port, started with `options`, which are settings by name. Raises ServerFailed.

    folder: for its files.
    """

    def __init__(self, folder: Path, options: Mapping[str, object]) -> None:
        self.folder = folder
        self.url = ""
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._has_spoken = threading.Event()
        # -P: a project that is tested may have a package named `server`.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "server.cli", "serve", *_arguments(folder, options)],
            env=_environment(),
            # The server ends when this pipe is closed, however this process ends.
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            # Otherwise Ctrl-C would also end the server, before the tests that still use it.
            start_new_session=True,
            text=True,
        )
        # The pipe has to be read, or the server would wait.
        threading.Thread(target=self._read, daemon=True).start()
        self._has_spoken.wait(START_TIMEOUT_S)
        if not self.url:
            self.stop()
            raise ServerFailed("the server did not start; its log ends with:\n" + "".join(self._lines))

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """Stop the server and wait until it has ended."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stderr:
            for line in stderr:
                self._lines.append(line)
                if match := READY.search(line):
                    self.url = match[1]
                    self._has_spoken.set()
        self._has_spoken.set()


def _arguments(folder: Path, options: Mapping[str, object]) -> list[str]:
    defaults: dict[str, object] = {
        "port": 0,
        "data_dir": folder / "data",
        "temp_dir": folder,
        "requests_dir": folder / "requests",
        # Nobody waits for a clip that is still rendered at the end.
        "drain_s": 0,
        "stop_with_stdin": True,
    }
    return [argument for name, value in (defaults | dict(options)).items() for argument in _argument(name, value)]


def _argument(name: str, value: object) -> list[str]:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    if isinstance(value, list | tuple):
        value = ",".join(map(str, value))
    return [] if value is None else [f"--{flag}={value}"]


def _environment() -> dict[str, str]:
    """Return the environment, without other settings of the server, in which it finds its own packages first."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("LTX23_") or name in KEPT_VARIABLES
    }
    paths = [str(ROOT), *filter(None, [kept.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(paths)} | _threads()


def _threads() -> dict[str, str]:
    """Let the servers of parallel test processes share the cores."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers == 1 or "OMP_NUM_THREADS" in os.environ:
        return {}
    return {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // workers))}
