"""What can be wrong with stored videos. Knows no status codes.

VideosError
+-- VideoNotFound         none of that name, or none of this owner's, or it has expired
+-- VideoNotFinished      its file was asked for before it was there, or where there will be none
+-- IdempotencyError      the key was used for something else, or is none
+-- DataDirError          the folder cannot be used
|   +-- DataDirLocked     another server uses it
+-- StoreError            the database cannot be read or written
    +-- DatabaseDamaged   it is none, or not whole
"""

from pathlib import Path


class VideosError(Exception):
    """code: its name for programs."""

    code = "videos_error"


class VideoNotFound(VideosError):
    code = "video_not_found"

    def __init__(self, video_id: str) -> None:
        super().__init__(f"there is no video {video_id[:64]!r} here; finished ones are kept for a time only")


class VideoNotFinished(VideosError):
    code = "video_not_finished"


class IdempotencyError(VideosError):
    code = "idempotency_key_invalid"


class DataDirError(VideosError):
    code = "data_dir"


class DataDirLocked(DataDirError):
    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is in use by another server; stop it, or give this one a folder of its own")


class StoreError(VideosError):
    code = "store_failed"


class DatabaseDamaged(StoreError):
    pass
