"""Layers of files, each of which holds what one step has changed, as in an image."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layers:
    """A folder with numbered layers. Mounting needs a mount namespace of its own."""

    folder: Path

    def create(self) -> str:
        """Create an empty layer and return its name."""
        name = str(len(os.listdir(self.folder)))
        (self.folder / name).mkdir()
        return name

    def path(self, name: str) -> Path:
        return self.folder / name

    @contextmanager
    def mounted(self, lower: Sequence[str], upper: str | None = None, at: str = "root") -> Iterator[Path]:
        """Yield a folder that shows the layers, the first at the bottom, and writes changes to `upper` if it is given.

        at: the name of the folder; two mounts at a time need two.
        """
        root = self.folder.parent / at
        scratch, empty = (self.folder.parent / f"{at}-{name}" for name in ("scratch", "empty"))
        for folder in (root, scratch, empty):
            folder.mkdir(exist_ok=True)
        # Names, not paths: the kernel limits the options to a page. Without `upper` there have to be two layers.
        options = "lowerdir=" + ":".join([*reversed(lower), str(empty)])
        if upper is not None:
            options += f",upperdir={upper},workdir={scratch}"
        run(["mount", "-t", "overlay", "-o", options, "overlay", str(root)], cwd=self.folder)
        try:
            yield root
        finally:
            run(["umount", str(root)])

    def size_bytes(self, name: str) -> int:
        """Return the size of its files; hard links count once."""
        found: dict[tuple[int, int], int] = {}
        for folder, _, names in os.walk(self.path(name)):
            for each in names:
                status = os.lstat(os.path.join(folder, each))
                found[status.st_dev, status.st_ino] = status.st_size
        return sum(found.values())


def run(command: Sequence[str], cwd: Path | None = None) -> None:
    subprocess.run(command, cwd=cwd, check=True)
