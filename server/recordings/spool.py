"""The bytes of a body while they pass: in memory up to a size, then in a file without a name, which a kill removes."""

import hashlib
import shutil
from pathlib import Path
from tempfile import SpooledTemporaryFile

from server.recordings.exchange import BODIES, StoredBody
from weights.disk import replacing

MAX_MEMORY_BYTES = 2**20

SUFFIXES = {
    "application/json": ".json",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
    "image/webp": ".webp",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "text/html": ".html",
    "text/plain": ".txt",
    "text/event-stream": ".txt",
}


class Spool:
    """Collects a body. folder: for the file; by default the system's temporary folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self._file = SpooledTemporaryFile(MAX_MEMORY_BYTES, dir=None if folder is None else str(folder))  # noqa: SIM115
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.size_bytes += len(data)

    def read(self) -> bytes:
        self._file.seek(0)
        return self._file.read()

    def save(self, root: Path, content_type: str) -> StoredBody | None:
        """Write the file, whole or not at all, into the recording in `root`, unless it is there already.

        An empty body has no file. Raises OSError.
        """
        if not self.size_bytes:
            return None
        suffix = SUFFIXES.get(content_type.partition(";")[0].strip().lower(), "")
        name = f"{BODIES}/{self._digest.hexdigest()}{suffix}"
        path = root / name
        if not path.exists():
            self._file.seek(0)
            with replacing(path) as part, part.open("wb") as file:
                shutil.copyfileobj(self._file, file)
        return StoredBody(file=name, bytes=self.size_bytes)

    def close(self) -> None:
        self._file.close()
