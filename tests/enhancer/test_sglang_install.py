"""`ltx23 enhancer install` with a real virtual environment and the real pip, without a package index."""

import fcntl
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from enhancer.sglang_process import ManagedOptions, ManagedSglang, ManagedStatus
from tests.conftest import Done, RunCommand
from tests.enhancer.wheel import write_wheel
from weights.licenses import ENHANCER_LICENSES

PROGRAMS = Path(__file__).parent / "programs" / "launch_server"


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write two releases with a `launch_server` that serves."""
    folder = tmp_path_factory.mktemp("wheels")
    protocol = (PROGRAMS / "protocol.py").read_text()
    serves = (PROGRAMS / "serves.py").read_text().replace("from protocol", "from sglang.protocol")
    package = {"sglang/__init__.py": "", "sglang/protocol.py": protocol, "sglang/launch_server.py": serves}
    for version in ("0.5.23", "0.5.24"):
        write_wheel(folder, version, package)
    return folder


Install = Callable[..., Done]

# Plays `python -m venv DIR`, and the interpreter in it: its `pip install` says something and ends with {code}, and its
# packages are those of {packages}.
PYTHON = """#!/bin/sh
case "$2" in
venv) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
pip) echo "the words of pip" >&2; exit {code} ;;
*) PYTHONPATH="{packages}" exec "{python}" -S "$@" ;;
esac
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> Callable[[int], str]:
    """Write an interpreter with another `sglang`, which serves nothing; return its path."""
    (tmp_path / "packages" / "sglang").mkdir(parents=True)
    (tmp_path / "packages" / "sglang" / "__init__.py").touch()

    def write(code: int) -> str:
        path = tmp_path / f"python-{code}"
        path.write_text(PYTHON.format(code=code, packages=tmp_path / "packages", python=sys.executable))
        path.chmod(0o755)
        return str(path)

    return write


@pytest.fixture
def enhancer(wheels: Path, run_command: RunCommand, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Run `ltx23 enhancer`; pip finds only the wheels."""
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_NO_CACHE_DIR": "1"}.items():
        monkeypatch.setenv(name, value)
    return partial(run_command, "enhancer")


async def test_an_installation_that_failed_is_not_used_and_the_next_one_is_found_and_runs(
    enhancer: Install, stand_in: Callable[[int], str], tmp_path: Path
) -> None:
    folder = tmp_path / "made" / "here"
    failed = enhancer("install", "--dir", str(folder), "--python", stand_in(1))
    assert failed.returncode == 1
    words, error = failed.stderr.splitlines()
    assert words == "the words of pip"
    assert error.startswith("ltx23: error: pip cannot install sglang==0.5.23: what it says is above")
    where = enhancer("where", "--dir", str(folder))
    assert (where.returncode, where.stdout) == (1, "")
    assert where.stderr == f"ltx23: error: SGLang is not installed in {folder}: ltx23 enhancer install\n"

    done = enhancer("install", "--dir", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert "Successfully installed sglang-0.5.23" in done.stdout  # pip's own words
    licences = "".join(f"  {license}\n" for license in ENHANCER_LICENSES)
    assert done.stdout.endswith(f"{licences}sglang==0.5.23 is installed in {folder}\n")

    python = Path(enhancer("where", "--dir", str(folder)).stdout.strip())
    managed = ManagedSglang(ManagedOptions(python, str(tmp_path)))
    managed.start()
    await managed.wait_until_ready()
    assert managed.state.status is ManagedStatus.READY
    await managed.aclose()

    again = enhancer("install", "--dir", str(folder))
    assert (again.returncode, again.stdout) == (0, f"sglang==0.5.23 is installed already in {folder}\n")

    other = enhancer("install", "--dir", str(folder), "--requirement", "sglang==0.0.1", "--python", stand_in(0))
    assert other.returncode == 1
    assert "sglang==0.0.1 has no sglang.launch_server" in other.stderr
    assert enhancer("where", "--dir", str(folder)).returncode == 1


def test_a_folder_with_other_files_is_not_touched(enhancer: Install, tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "thesis.txt").write_text("three years of work")
    done = enhancer("install", "--dir", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == (
        f"ltx23: error: {tmp_path} holds something else: give an empty folder, or one that is not there yet\n"
    )
    assert [path.name for path in tmp_path.rglob("*")] == ["venv", "thesis.txt"]


def test_a_second_installation_at_the_same_time_is_refused(enhancer: Install, tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = enhancer("install", "--dir", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == f"ltx23: error: {tmp_path}: another installation is running there\n"


@pytest.mark.parametrize(
    ("python", "reason"),
    [
        ("/absent/python", "/absent/python cannot be started: No such file or directory"),
        ("/bin/false", "/bin/false cannot make a virtual environment in {}/venv: install its venv module"),
    ],
)
def test_an_unsuitable_python_is_an_error(enhancer: Install, tmp_path: Path, python: str, reason: str) -> None:
    done = enhancer("install", "--dir", str(tmp_path), "--python", python)
    assert done.returncode == 1
    assert done.stderr.startswith(f"ltx23: error: {reason.format(tmp_path)}")


def test_a_folder_that_cannot_be_created_is_an_error(enhancer: Install, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = enhancer("install", "--dir", str(tmp_path / "file"))
    assert done.returncode == 1
    assert done.stderr == f"ltx23: error: {tmp_path}/file: File exists\n"
