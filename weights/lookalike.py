"""Recognise a file that has the published size but is not the published file: it runs, but a person should know."""

from pathlib import Path

from weights.errors import HashError
from weights.progress import Progress
from weights.registry import UPSCALER, Part
from weights.store import State, Store, file_size
from weights.verify import verify_file


def find_lookalike(path: Path, store: Store, part: Part = UPSCALER) -> str | None:
    """Return a warning about the file at `path` that is used as `part`, or None.

    Reads the whole file if its size is the published one and `store` has not verified it. Raises FileError.
    """
    file = part.file
    if file is None or not path.is_file() or file_size(path) != file.size_bytes:
        return None
    if _is_same(path, store.path(part)) and store.presence(part, file).state == State.COMPLETE:
        return None
    try:
        verify_file(path, file, path.name, Progress())
    except HashError:
        return f"{path} has the size of {file.path}, but not its sha256: {part.lookalike}"
    return None


def _is_same(path: Path, published: Path) -> bool:
    return published.exists() and path.samefile(published)
