"""Folders for the files of running jobs. Each lasts as long as its request, and all of them as long as the server."""

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from server.process.folder_lock import LOCK, lock_folder

log = logging.getLogger("ltx23.workspace")

PREFIX = "ltx23-work-"


class Workspace:
    """A folder below `parent`, by default the system's temporary folder. Removes what killed servers left there.

    If another program removes the folder, such as a cleaner of /tmp, the next job creates a new one.
    """

    def __init__(self, parent: Path | None) -> None:
        self._parent = parent or Path(tempfile.gettempdir())
        self._root, self._locks = _create_root(self._parent)
        _remove_abandoned(self._parent)

    @contextmanager
    def job_folder(self) -> Iterator[Path]:
        folder = self._create_job_folder()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        _remove(self._root)
        self._unlock()

    def _create_job_folder(self) -> Path:
        try:
            return Path(tempfile.mkdtemp(prefix="job-", dir=self._root))
        except FileNotFoundError:
            log.warning("%s was removed by another program; a new folder takes its place", self._root)
        self._unlock()
        self._root, self._locks = _create_root(self._parent)
        return Path(tempfile.mkdtemp(prefix="job-", dir=self._root))

    def _unlock(self) -> None:
        while self._locks:
            os.close(self._locks.pop())


def _create_root(parent: Path) -> tuple[Path, list[int]]:
    """Create a folder, and return it with the descriptors that lock it.

    It is locked before it gets the name that other servers look for.
    """
    parent.mkdir(parents=True, exist_ok=True)
    unnamed = Path(tempfile.mkdtemp(prefix=f".{PREFIX}", dir=parent))
    locks = [lock_folder(unnamed, os.O_CREAT), _lock_directory(unnamed)]
    return unnamed.rename(parent / unnamed.name.removeprefix(".")), locks


def _lock_directory(folder: Path) -> int:
    """Lock the directory itself, because systemd-tmpfiles skips locked directories."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return fd


def _remove_abandoned(parent: Path) -> None:
    """Remove the folders of servers that have ended: they have a lock file that nobody holds."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = lock_folder(folder)
            _remove(folder)
            os.close(lock)


def _remove(root: Path) -> None:
    """Remove the jobs' folders and the lock, and the root if it is then empty."""
    for folder in root.glob("job-*"):
        shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        (root / LOCK).unlink()
        root.rmdir()
