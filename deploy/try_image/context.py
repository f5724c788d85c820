"""The files of the build context that .dockerignore lets through, and what COPY does with them."""

import os
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath


class CopyError(Exception):
    """A file that COPY names is not in the build context, or is ignored."""


class Ignored:
    """The rules of a .dockerignore file: the last one that matches a path, or a folder above it, decides."""

    def __init__(self, lines: Iterable[str]) -> None:
        rules = (line.strip() for line in lines)
        self._rules = [
            (_pattern(rule.removeprefix("!")), not rule.startswith("!"))
            for rule in rules
            if rule and not rule.startswith("#")
        ]

    @classmethod
    def of(cls, context: Path) -> "Ignored":
        path = context / ".dockerignore"
        return cls(path.read_text().splitlines() if path.exists() else [])

    def __call__(self, path: PurePosixPath) -> bool:
        """Return whether a file is left out. path: relative to the context."""
        names = [str(each) for each in (path, *path.parents) if str(each) != "."]
        ignored = False
        for pattern, ignores in self._rules:
            if any(pattern.fullmatch(name) for name in names):
                ignored = ignores
        return ignored


def _pattern(rule: str) -> re.Pattern[str]:
    """Translate `*`, `?` and `**` as Docker does."""
    rule = rule.strip("/")
    parts = {"**/": "(.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    tokens = re.split(r"(\*\*/|\*\*|\*|\?)", rule)
    return re.compile("".join(parts.get(token, re.escape(token)) for token in tokens))


def copy(context: Path, ignored: Ignored, sources: Sequence[str], target: Path) -> None:
    """Copy files, links and the contents of folders into the folder `target`, as COPY does: owned by root.

    Raises CopyError.
    """
    for source in sources:
        path = context / source
        if not path.exists():
            raise CopyError(f"{source} is not in the build context")
        files = _files(path, context, ignored)
        if not files:
            raise CopyError(f"{source} is left out by .dockerignore")
        for file in files:
            _copy_file(file, target / (file.relative_to(path) if path.is_dir() else file.name))


def _files(path: Path, context: Path, ignored: Ignored) -> list[Path]:
    found = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file() or file.is_symlink()]
    return sorted(file for file in found if not ignored(PurePosixPath(file.relative_to(context))))


def _copy_file(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # Links stay links, as in Docker.
    shutil.copy2(file, target, follow_symlinks=False)
    if os.geteuid() == 0:
        os.chown(target, 0, 0, follow_symlinks=False)
