"""Folders for what a job reads and writes. Each lives as long as its request, all of them as long as the server."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from server.folder_lock import LOCK, lock_folder

PREFIX = "ltx23-work-"


class Workspace:
    """A folder below `parent`, or below the system's temporary folder. What a killed server left there is removed."""

    def __init__(self, parent: Path | None) -> None:
        parent = parent or Path(tempfile.gettempdir())
        parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(parent)
        # Locked before it has the name that others look for.
        unnamed = Path(tempfile.mkdtemp(prefix=f".{PREFIX}", dir=parent))
        self._lock = lock_folder(unnamed, os.O_CREAT)
        self._root = unnamed.rename(parent / unnamed.name.removeprefix("."))

    @contextmanager
    def job_folder(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="job-", dir=self._root))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        _remove(self._root)
        os.close(self._lock)


def _remove_abandoned(parent: Path) -> None:
    """Those whose lock is there and free. A folder without one is none of ours, whatever its name."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = lock_folder(folder)
            _remove(folder)
            os.close(lock)


def _remove(root: Path) -> None:
    """The jobs' folders, the lock, and the root if nothing else is in it."""
    for folder in root.glob("job-*"):
        shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        (root / LOCK).unlink()
        root.rmdir()


def write_images(folder: Path, images: Sequence[bytes]) -> list[Path]:
    """As they came: the worker decodes them again, from a name that nobody chose."""
    paths = [folder / f"image-{i}" for i in range(len(images))]
    for path, data in zip(paths, images, strict=True):
        path.write_bytes(data)
    return paths
