"""The folder that videos live in: a database, and a folder for the files of each. One server at a time."""

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from server.folder_lock import lock_folder
from server.videos.errors import DataDirError, DataDirLocked
from server.videos.video import ID_PREFIX

DATABASE = "videos.sqlite3"
FILES = "videos"


class DataDir:
    """Locked for this process until `close`. Raises DataDirLocked, or DataDirError when it cannot be written to."""

    def __init__(self, root: Path) -> None:
        self._files = root / FILES
        self.database = root / DATABASE
        try:
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._files.mkdir(exist_ok=True, mode=0o700)
            self._lock = lock_folder(root, os.O_CREAT)
        except BlockingIOError as exc:
            raise DataDirLocked(root) from exc
        except OSError as exc:
            raise DataDirError(f"{root} cannot be written to: {exc.strerror or exc}") from exc

    def folder(self, video_id: str) -> Path:
        return self._files / video_id

    def create_folder(self, video_id: str) -> Path:
        """Raises DataDirError when there is no room for it."""
        folder = self.folder(video_id)
        try:
            # Whoever cleans up a disk may have removed what holds the folders.
            self._files.mkdir(exist_ok=True, mode=0o700)
            folder.mkdir(mode=0o700)
        except OSError as exc:
            raise DataDirError(f"{folder} cannot be made: {exc.strerror or exc}") from exc
        return folder

    def remove_folder(self, video_id: str) -> None:
        shutil.rmtree(self.folder(video_id), ignore_errors=True)

    def remove_images(self, video_id: str) -> None:
        """What a clip was made from, once it is there."""
        for image in self.folder(video_id).glob("image-*"):
            image.unlink(missing_ok=True)

    def remove_files(self, video_id: str) -> None:
        """All files of a video that has no clip and will have none; its folder stays."""
        for file in self.folder(video_id).glob("*"):
            file.unlink(missing_ok=True)

    def remove_unknown(self, known_ids: Collection[str]) -> None:
        """Folders of videos that a server was about to take on, or to delete, when it ended."""
        for folder in self._files.glob(f"{ID_PREFIX}*"):
            if folder.name not in known_ids:
                self.remove_folder(folder.name)

    def close(self) -> None:
        os.close(self._lock)
