"""Errors of stored videos. Independent of HTTP status codes.

VideosError
+-- VideoNotFound         no video has this id, it belongs to another owner, or it has expired
+-- VideoNotFinished      its file was requested but is not ready, or will never be
+-- PreviewNotFound       none was made while it was rendered, or it is finished
+-- IdempotencyError      the key was used for another request, or is invalid
+-- DataDirError          the folder cannot be used
|   +-- DataDirLocked     another server uses it
+-- StoreError            the database cannot be read or written
    +-- DatabaseDamaged   the file is not a database, or is damaged
"""

from pathlib import Path


class VideosError(Exception):
    """Base of the errors of stored videos.

    code: the name that programs use.
    """

    code = "videos_error"


class VideoNotFound(VideosError):
    code = "video_not_found"

    def __init__(self, video_id: str) -> None:
        super().__init__(f"there is no video {video_id[:64]!r} here; finished videos are kept for a limited time")


class VideoNotFinished(VideosError):
    code = "video_not_finished"


class PreviewNotFound(VideosError):
    code = "preview_not_found"


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
