"""Install SGLang in a virtual environment of its own, because it pins other versions of torch and transformers.

    install(Installation(Path("~/.local/share/ltx23/sglang").expanduser()))

The folder contains `venv/`, `lock` (which marks the folder as ours) and, once complete, `complete.json`. An interrupted
installation has no such file, and the next one starts again. Only pip accesses the index.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from enhancer.errors import InstallError

# The tested release; it brings its own torch and CUDA libraries.
REQUIREMENT = "sglang==0.5.23"

DEFAULT_FOLDER = Path("~/.local/share/ltx23/sglang")

# With less than this left, pip has run out of disk.
NEAR_FULL_BYTES = 2**30

HAS_SERVER = "import importlib.util, sys; sys.exit(importlib.util.find_spec('sglang.launch_server') is None)"


@dataclass(frozen=True)
class Installation:
    """A folder for SGLang, whether or not it is installed yet."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    @property
    def requirement(self) -> str | None:
        """Return the installed requirement, or None if the installation is missing or incomplete."""
        try:
            complete = json.loads(self._complete.read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return str(complete["requirement"]) if self.python.exists() else None

    @property
    def _complete(self) -> Path:
        return self.folder / "complete.json"

    def declare_complete(self, requirement: str) -> None:
        """Write the marker atomically, so that half a file never counts."""
        draft = self._complete.with_suffix(".new")
        draft.write_text(json.dumps({"requirement": requirement}), "utf-8")
        draft.replace(self._complete)

    def clear(self) -> None:
        self._complete.unlink(missing_ok=True)
        shutil.rmtree(self.folder / "venv", ignore_errors=True)


def install(installation: Installation, requirement: str = REQUIREMENT, python: str = sys.executable) -> bool:
    """Install; return False if it is installed already. pip writes to the terminal. Raises InstallError."""
    with _locked(installation.folder):
        if installation.requirement == requirement:
            return False
        installation.clear()
        _make_environment(installation, python)
        _install_into(installation, requirement)
        installation.declare_complete(requirement)
    return True


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock the folder. The lock file marks it as ours: no other folder is ever cleared."""
    lock = folder / "lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not lock.exists() and any(folder.iterdir()):
            raise InstallError(f"{folder} holds something else: give an empty folder, or one that is not there yet")
        file = lock.open("w")
    except OSError as exc:
        raise InstallError(f"{folder}: {exc.strerror or exc}") from exc
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise InstallError(f"{folder}: another installation is running there") from exc
        yield


def _make_environment(installation: Installation, python: str) -> None:
    venv = installation.folder / "venv"
    if _run(installation.folder, [python, "-m", "venv", str(venv)]) == 0:
        return
    advice = "install its venv module (Debian, Ubuntu: apt install python3-venv) or give another --python"
    raise InstallError(f"{python} cannot make a virtual environment in {venv}: {_or_disk(installation, advice)}")


def _install_into(installation: Installation, requirement: str) -> None:
    python = str(installation.python)
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", requirement]
    if _run(installation.folder, pip) != 0:
        advice = "what it says is above; run the command again once that is mended"
        raise InstallError(f"pip cannot install {requirement}: {_or_disk(installation, advice)}")
    if _run(installation.folder, [python, "-c", HAS_SERVER]) != 0:
        raise InstallError(f"{requirement} has no sglang.launch_server: give a requirement that is SGLang")


def _run(folder: Path, command: Sequence[str]) -> int:
    """Run without the user's packages and ours."""
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    sys.stdout.flush()
    try:
        return subprocess.run(command, env=env, cwd=folder).returncode
    except OSError as exc:
        raise InstallError(f"{command[0]} cannot be started: {exc.strerror or exc}") from exc


def _or_disk(installation: Installation, advice: str) -> str:
    free_bytes = shutil.disk_usage(installation.folder).free
    if free_bytes < NEAR_FULL_BYTES:
        return f"its disk is full ({free_bytes / 1e6:.0f} MB are left); make room, or give another --dir"
    return advice
