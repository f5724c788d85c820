"""The weights folder: where each published file lies, and what is known of it without asking the hub.

    ROOT/OWNER/NAME/PATH             a file of the repository OWNER/NAME, complete and verified
    ROOT/OWNER/NAME/PATH.part        what has arrived of it
    ROOT/OWNER/NAME/.published.json  what the hub said of the repository's files, and which of them were verified

A file that two sets share is stored once. The hub's answer is kept so that a resumed pull stays at its commit, and a
verification needs no network.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from weights.disk import PART_SUFFIX, disk_errors, replacing
from weights.errors import FileError
from weights.registry import Part, PublishedFile

RECORD_NAME = ".published.json"


class State(StrEnum):
    COMPLETE = "complete"
    UNVERIFIED = "unverified"
    """All there, in the right size, but its hash was never looked at."""

    PARTIAL = "partial"
    MISSING = "missing"
    WRONG_SIZE = "wrong size"


@dataclass(frozen=True)
class Presence:
    state: State
    on_disk_bytes: int


@dataclass(frozen=True)
class Record:
    """A record of one repository's files."""

    files: dict[str, PublishedFile] = field(default_factory=dict)
    verified: frozenset[str] = frozenset()


class Store:
    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, part: Part, file: PublishedFile | None = None) -> Path:
        """Return the path of one file of the part, or without `file` that of the whole part, which may be a folder."""
        file = file or part.file
        folder = self.root / part.repo
        return folder / file.path if file else folder

    def partial_path(self, part: Part, file: PublishedFile) -> Path:
        path = self.path(part, file)
        return path.with_name(path.name + PART_SUFFIX)

    def files(self, part: Part) -> tuple[PublishedFile, ...]:
        """Return the files known without the hub: none of a folder that was never pulled."""
        recorded = self._read(part).files
        if part.file is None:
            return tuple(file for path, file in recorded.items() if part.takes(path))
        file = recorded.get(part.file.path)
        # A different sha256 was recorded for a version that the registry no longer names.
        return (file,) if file is not None and file.sha256 == part.file.sha256 else (part.file,)

    def remember(self, part: Part, files: Iterable[PublishedFile]) -> None:
        """Record what the hub says of missing files; a folder's all at once, so that its record is never incomplete."""
        record = self._read(part)
        news = {file.path: file for file in files}
        self._write(part, Record(record.files | news, record.verified - news.keys()))

    def mark_verified(self, part: Part, file: PublishedFile, sha256: str) -> None:
        record = self._read(part)
        files = record.files | {file.path: replace(file, sha256=sha256)}
        self._write(part, Record(files, record.verified | {file.path}))

    def presence(self, part: Part, file: PublishedFile) -> Presence:
        found_bytes = file_size(self.path(part, file))
        if found_bytes is None:
            partial_bytes = file_size(self.partial_path(part, file))
            return Presence(State.MISSING if partial_bytes is None else State.PARTIAL, partial_bytes or 0)
        if found_bytes != file.size_bytes:
            return Presence(State.WRONG_SIZE, found_bytes)
        is_verified = file.path in self._read(part).verified
        return Presence(State.COMPLETE if is_verified else State.UNVERIFIED, found_bytes)

    def part_presence(self, part: Part) -> Presence:
        if files := self.files(part):
            return combine(self.presence(part, file) for file in files)
        sizes = list(self._unknown_sizes(part))
        return Presence(State.UNVERIFIED if sizes else State.MISSING, sum(sizes))

    def _unknown_sizes(self, part: Part) -> Iterator[int]:
        """Return the sizes of the files in a folder that was not pulled."""
        folder = self.path(part)
        for path in folder.rglob("*"):
            if path.is_file() and not path.name.startswith(".") and part.takes(path.relative_to(folder).as_posix()):
                yield path.stat().st_size

    def _record_path(self, part: Part) -> Path:
        return self.root / part.repo / RECORD_NAME

    def _read(self, part: Part) -> Record:
        path = self._record_path(part)
        try:
            entries = json.loads(path.read_text())
            files = {name: PublishedFile(name, **entry) for name, entry in entries["files"].items()}
            return Record(files, frozenset(entries["verified"]))
        except FileNotFoundError:
            return Record()
        except OSError as exc:
            raise FileError(path, f"cannot be read: {exc.strerror or exc}") from exc
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise FileError(path, "is not what a pull writes; delete it, and pull again") from exc

    def _write(self, part: Part, record: Record) -> None:
        path = self._record_path(part)
        entries = {name: {k: v for k, v in asdict(file).items() if k != "path"} for name, file in record.files.items()}
        text = json.dumps({"files": entries, "verified": sorted(record.verified)}, indent=1) + "\n"
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as part_path:
                part_path.write_text(text)


def file_size(path: Path) -> int | None:
    """Return the size, or None if there is no such file."""
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return None


def combine(presences: Iterable[Presence]) -> Presence:
    """Combine the presence of several files or parts."""
    found = list(presences)
    states = {presence.state for presence in found}
    on_disk_bytes = sum(presence.on_disk_bytes for presence in found)
    if State.WRONG_SIZE in states:
        return Presence(State.WRONG_SIZE, on_disk_bytes)
    if len(states) == 1:
        return Presence(states.pop(), on_disk_bytes)
    if states == {State.COMPLETE, State.UNVERIFIED}:
        return Presence(State.UNVERIFIED, on_disk_bytes)
    return Presence(State.PARTIAL, on_disk_bytes)
