"""Folders for what a job reads and writes. Each lives as long as its request, all of them as long as the server."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class Workspace:
    def __init__(self, parent: Path | None) -> None:
        if parent is not None:
            parent.mkdir(parents=True, exist_ok=True)
        self._root = Path(tempfile.mkdtemp(prefix="ltx23-", dir=parent))

    @contextmanager
    def job_folder(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="job-", dir=self._root))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        shutil.rmtree(self._root, ignore_errors=True)


def write_images(folder: Path, images: Sequence[bytes]) -> list[Path]:
    """As they came: the worker decodes them again, from a name that nobody chose."""
    paths = [folder / f"image-{i}" for i in range(len(images))]
    for path, data in zip(paths, images, strict=True):
        path.write_bytes(data)
    return paths
