"""Fetch one file from the hub; it gets its final name only when it is complete and verified."""

import os
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

from weights import hub
from weights.disk import disk_errors
from weights.errors import IntegrityError
from weights.progress import Progress
from weights.registry import Part, PublishedFile
from weights.retry import with_retries
from weights.store import Store, file_size
from weights.verify import verify_file

# A file that differs from the published one is fetched once more from its start: it may have begun with the
# rest of another version.
ATTEMPTS = 2


def fetch_file(part: Part, file: PublishedFile, store: Store, progress: Progress, delays_s: Sequence[float]) -> str:
    """Fetch the file, resuming what an earlier process left; return its sha256.

    Raises DownloadError, and then keeps what has arrived; IntegrityError, and then does not.
    """
    path, partial = store.path(part, file), store.partial_path(part, file)
    attempts = 0
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                _complete(part, file, partial, progress, delays_s)
                sha256 = verify_file(partial, file, part.name_of(file), progress, part.lookalike)
            except IntegrityError as exc:
                partial.unlink(missing_ok=True)
                attempts += 1
                if attempts == ATTEMPTS:
                    raise exc.with_advice("fetched twice and deleted; try later, or through another network") from exc
                progress.note(f"{exc}; fetching it once more")
            else:
                os.replace(partial, path)
                return sha256


def _complete(part: Part, file: PublishedFile, partial: Path, progress: Progress, delays_s: Sequence[float]) -> None:
    def arrived_bytes() -> int:
        return file_size(partial) or 0

    with_retries(lambda: _append(part, file, partial, progress), delays_s, progress.note, arrived_bytes)


def _append(part: Part, file: PublishedFile, partial: Path, progress: Progress) -> None:
    """Append what the hub sends, from the end of `partial` on. The bytes are not checked here."""
    arrived_bytes = file_size(partial)
    if arrived_bytes is not None and arrived_bytes >= file.size_bytes:
        return
    with hub.open_file(part, file, arrived_bytes or 0) as (offset, chunks), partial.open("ab", buffering=0) as target:
        target.truncate(offset)
        progress.begin("downloading", part.name_of(file), file.size_bytes, offset)
        for chunk in chunks:
            _write(target, chunk)
            offset += len(chunk)
            progress.advance(len(chunk))
            if offset > file.size_bytes:
                break
        # A file with its final name has to survive a power failure.
        os.fsync(target.fileno())


def _write(target: FileIO, chunk: bytes) -> None:
    """Write unbuffered, so that nothing is lost with the process; a single write may take less than it is given."""
    rest = memoryview(chunk)
    while rest:
        rest = rest[target.write(rest) :]
