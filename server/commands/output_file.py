"""The file that `ltx23 generate` writes: the one that is named, or a new one named after the prompt."""

import re
from itertools import count
from pathlib import Path

from pipelines.errors import SpecError
from pipelines.spec import Container

MAX_NAME = 40


def choose_file(output: str | None, container: str | None, name: str) -> Path:
    """Return the path. output, container: as given. name: of the file, if none is given; it never replaces one.

    Raises SpecError.
    """
    if output is None:
        suffix = f".{container or Container.MP4}"
        names = (f"{name}{suffix}" if i == 1 else f"{name}-{i}{suffix}" for i in count(1))
        return next(path for path in map(Path, names) if not path.exists())
    path = Path(output)
    found = read_container(path)
    if container is not None and found != container:
        raise SpecError("format", f"is {container}, but the output ends in {path.suffix}")
    return path


def choose_folder(output: str | None) -> Path:
    """Make the folder of many clips, if it is not there, and return it. Raises SpecError, OSError."""
    folder = Path(output or "clips")
    if folder.suffix.lower().removeprefix(".") in tuple(Container) or folder.is_file():
        raise SpecError("output", f"should be a folder, because there are many clips, got {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def read_container(path: Path) -> Container:
    """Raises SpecError."""
    try:
        container = Container(path.suffix.lower().removeprefix("."))
    except ValueError as exc:
        raise SpecError(
            "output", f"should end in {' or '.join('.' + c for c in Container)}, got {path.name!r}"
        ) from exc
    if not path.parent.is_dir():
        raise SpecError("output", f"there is no folder {path.parent}")
    return container


def slug(text: str) -> str:
    """Return the first words of a text as a name of a file: letters and digits of any script, joined by hyphens."""
    words = re.findall(r"\w+", text.encode("utf-8", "ignore").decode().lower())
    name = ""
    for word in words:
        if name and len(name) + len(word) >= MAX_NAME:
            break
        name = f"{name}-{word}" if name else word[:MAX_NAME]
    return name or "clip"
