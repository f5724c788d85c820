"""Files and folders without permission, and a full disk: errors of one sentence that name the path."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.ltx.text_encoder import open_text_encoder
from server.commands import weights as weights_command
from server.worker.messages import WorkerConfig
from server.worker.model import resolve_files
from tests.weights.small_world import REGISTRY
from weights import download
from weights.errors import DiskError, FileError
from weights.header import read_header
from weights.inspect import inspect
from weights.progress import Progress
from weights.source import open_source, open_upsampler
from weights.store import Store
from weights.tiny import TinyFiles, tiny_files

NOBODY = 65534


@contextmanager
def without_privileges() -> Iterator[None]:
    """Run as an unprivileged user, because root may do anything. Import nothing meanwhile: only root may be able to."""
    was_root = os.geteuid() == 0
    try:
        if was_root:
            os.seteuid(NOBODY)
        yield
    finally:
        if was_root:
            os.seteuid(0)


@pytest.fixture
def place() -> Iterator[Path]:
    """Make a folder that every user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
        for path in Path(name).rglob("*"):
            path.chmod(0o755)


@pytest.fixture
def closed_file(place: Path, tiny: TinyFiles) -> Path:
    path = Path(shutil.copy(tiny.checkpoint, place / "closed.safetensors"))
    path.chmod(0)
    return path


def below_closed(place: Path, tiny: TinyFiles) -> Path:
    (place / "closed").mkdir()
    path = Path(shutil.copy(tiny.checkpoint, place / "closed" / "model.safetensors"))
    (place / "closed").chmod(0)
    return path


OPENERS: dict[str, Callable[[Path], object]] = {
    "checkpoint": open_source,
    "upsampler": open_upsampler,
    "text encoder": open_text_encoder,
    "inspect": inspect,
    "header": read_header,
    "serve": lambda path: resolve_files(WorkerConfig(path, checkpoint=path, text_encoder=path, upsampler=path)),
}


@pytest.mark.parametrize("opener", [name for name in OPENERS if name != "serve"])
def test_a_file_without_read_permission_is_named(opener: str, closed_file: Path) -> None:
    with pytest.raises(FileError) as caught, without_privileges():
        OPENERS[opener](closed_file)

    assert str(caught.value) == f"{closed_file}: cannot be read: Permission denied"


@pytest.mark.parametrize("opener", OPENERS)
def test_a_file_in_a_folder_without_permission_is_named(opener: str, place: Path, tiny: TinyFiles) -> None:
    path = below_closed(place, tiny)

    with pytest.raises(FileError) as caught, without_privileges():
        OPENERS[opener](path)

    assert str(caught.value) == f"{path}: cannot be read: Permission denied"


@pytest.mark.parametrize("opener", ["checkpoint", "inspect", "serve"])
def test_a_checkpoint_folder_without_permission_is_named(opener: str, place: Path) -> None:
    (place / "folder").mkdir(mode=0)

    with pytest.raises(FileError) as caught, without_privileges():
        OPENERS[opener](place / "folder")

    assert str(caught.value) == f"{place / 'folder'}: cannot be read: Permission denied"


def test_a_text_encoder_folder_without_permission_is_named(place: Path, tiny: TinyFiles) -> None:
    folder = Path(shutil.copytree(tiny.text_encoder, place / "gemma"))
    folder.chmod(0)

    with pytest.raises(FileError) as caught, without_privileges():
        open_text_encoder(folder)

    assert str(caught.value) == f"{folder / 'config.json'}: cannot be read: Permission denied"


def test_text_encoder_weights_without_read_permission_are_named(place: Path, tiny: TinyFiles) -> None:
    folder = Path(shutil.copytree(tiny.text_encoder, place / "gemma"))
    folder.chmod(0o755)
    (folder / "model.safetensors").chmod(0)
    open_text_encoder(tiny.text_encoder)  # do the imports as root

    with pytest.raises(FileError) as caught, without_privileges():
        open_text_encoder(folder)

    assert str(caught.value) == f"{folder / 'model.safetensors'}: cannot be read: Permission denied"


def test_a_weights_folder_without_write_permission_is_named(place: Path) -> None:
    with pytest.raises(DiskError) as caught, without_privileges():
        download.pull(REGISTRY.default, Store(place), Progress())

    assert str(caught.value).startswith(f"{place}: cannot be written: Permission denied; ")


@pytest.mark.parametrize("command", ["list", "where", "verify"])
def test_a_weights_folder_without_read_permission_is_named(
    command: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = place / "weights"
    folder.mkdir(mode=0)
    options = {} if command == "list" else {"set_name": None, "text_encoder": None}

    with without_privileges():
        dependencies = weights_command.Dependencies(REGISTRY)
        code = weights_command.weights(
            weights_command=command, dependencies=dependencies, weights_dir=str(folder), **options
        )

    assert code == 1
    error = f"ltx23: error: {folder}/maker/video/.published.json: cannot be read: Permission denied\n"
    assert capsys.readouterr().err == error


def test_a_cache_without_write_permission_is_named(place: Path, tiny: TinyFiles) -> None:
    with pytest.raises(FileError) as caught, without_privileges():
        tiny_files(place)

    message = f"{place}: the tiny model cannot be written here: Permission denied; choose another cache"
    assert str(caught.value) == message


LIMITED = """
import resource, sys
from server.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
sys.exit(main(sys.argv[1:]))
"""


def test_a_full_disk_is_reported_when_the_tiny_model_is_written(tmp_path: Path) -> None:
    """The full disk is a limit on the size of files (RLIMIT_FSIZE)."""
    cache, clip = tmp_path / "cache", tmp_path / "clip.mp4"
    command = ["generate", "--prompt", "a fox", "--cache-dir", str(cache), "-o", str(clip)]

    done = subprocess.run([sys.executable, "-c", LIMITED, *command], capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stderr.startswith(f"ltx23: error: {cache}: the tiny model cannot be written here: ")
    assert "File too large" in done.stderr
    assert done.stderr.endswith("; choose another cache\n")
    assert done.stderr.count("\n") == 1
    assert list(cache.iterdir()) == []
