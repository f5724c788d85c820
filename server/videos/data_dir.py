"""The data folder: the database, and a folder of files for each video. Used by one server at a time."""

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from server.process.folder_lock import lock_folder
from server.videos.errors import DataDirError, DataDirLocked
from server.videos.video import ID_PREFIX, LIVE

DATABASE = "videos.sqlite3"
FILES = "videos"


class DataDir:
    """The data folder, locked for this process until `close`.

    Raises DataDirLocked, or DataDirError if it cannot be written to.
    """

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

    @property
    def has_videos(self) -> bool:
        return any(self._files.glob(f"{ID_PREFIX}*"))

    def folder(self, video_id: str) -> Path:
        return self._files / video_id

    def create_folder(self, video_id: str) -> Path:
        """Create and return the video's folder. Raises DataDirError if that fails."""
        folder = self.folder(video_id)
        try:
            # Someone may have removed the parent folder to free disk space.
            self._files.mkdir(exist_ok=True, mode=0o700)
            folder.mkdir(mode=0o700)
        except OSError as exc:
            raise DataDirError(f"{folder} cannot be made: {exc.strerror or exc}") from exc
        return folder

    def remove_folder(self, video_id: str) -> None:
        shutil.rmtree(self.folder(video_id), ignore_errors=True)

    def remove_work_files(self, video_id: str) -> None:
        """Remove what was there for the render alone: the files that were sent, and the clip as it was decoded."""
        for pattern in ("image-*", "sound", "source", f"{LIVE}.*"):
            for file in self.folder(video_id).glob(pattern):
                file.unlink(missing_ok=True)

    def remove_files(self, video_id: str) -> None:
        """Remove all files of a video that has no clip and will have none; its folder stays."""
        for file in self.folder(video_id).glob("*"):
            file.unlink(missing_ok=True)

    def remove_unknown(self, known_ids: Collection[str]) -> None:
        """Remove folders without a record: the server ended while it was creating or deleting these videos."""
        for folder in self._files.glob(f"{ID_PREFIX}*"):
            if folder.name not in known_ids:
                self.remove_folder(folder.name)

    def close(self) -> None:
        os.close(self._lock)
