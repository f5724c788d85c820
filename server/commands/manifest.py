"""What a folder of clips holds: `manifest.jsonl`, a line for each clip that was rendered or has failed."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from server.commands.batch_items import BatchError
from weights.disk import replacing

NAME = "manifest.jsonl"


class Manifest:
    """Knows the clips of a folder by their keys. Each change is written at once, whole."""

    def __init__(self, folder: Path) -> None:
        """Raises BatchError, OSError."""
        self._folder, self._path = folder, folder / NAME
        self._entries = self._read()

    def finished(self, key: str) -> dict[str, Any] | None:
        """Return the entry of a clip whose file is there, as it was written."""
        entry = self._entries.get(key)
        if entry is None or entry.get("status") != "completed":
            return None
        try:
            return entry if (self._folder / entry["file"]).stat().st_size == entry["size_bytes"] else None
        except (OSError, KeyError):
            return None

    def record(self, key: str, entry: dict[str, Any]) -> None:
        self._entries[key] = {"key": key, **entry}
        with replacing(self._path) as part:
            part.write_text("".join(json.dumps(each, default=str) + "\n" for each in self._entries.values()))

    def _read(self) -> dict[str, dict[str, Any]]:
        if not self._path.exists():
            return {}
        entries = {}
        for number, line in enumerate(self._path.read_text().splitlines(), 1):
            try:
                entry = json.loads(line)
                entries[entry["key"]] = entry
            except (ValueError, KeyError, TypeError) as exc:
                raise BatchError(
                    f"{self._path}:{number}: is not a line of a manifest; remove it, and its clip is made again"
                ) from exc
        return entries


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Admit one command at a time to a folder of clips. Raises BatchError. A killed process frees its place."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(descriptor)
        raise BatchError(f"output: another command writes into {folder}") from exc
    try:
        yield
    finally:
        os.close(descriptor)
