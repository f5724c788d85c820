"""Many clips in one folder: which of them are there already, which have failed, and what is told in the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.commands.batch_items import BatchItem
from server.commands.clip_bar import ClipBar
from server.commands.clip_key import clip_key
from server.commands.clip_report import ClipReport
from server.commands.manifest import Manifest


@dataclass(frozen=True)
class PendingClip:
    """A clip of a batch that is to be rendered."""

    item: BatchItem
    key: str
    path: Path


class Batch:
    """Clips that are asked for, and how they ended. bar: counts those that have to be rendered."""

    def __init__(self, items: Sequence[BatchItem], folder: Path, container: str) -> None:
        """Raises BatchError, OSError."""
        self._folder, self._manifest = folder, Manifest(folder)
        self._entries: list[dict[str, Any]] = []
        self._failures: list[dict[str, Any]] = []
        self._found = 0
        self.pending: list[PendingClip] = []
        # Two lines that ask for the same clip are one; two images of the same content are two.
        asked = {clip_key(container, {**item.options, "name": item.name}): item for item in items}
        self._total = len(asked)
        for key, item in asked.items():
            finished = self._manifest.finished(key)
            if finished is not None:
                self._found += 1
                self._entries.append(finished)
            else:
                self.pending.append(PendingClip(item, key, folder / f"{item.name}-{key[:8]}.{container}"))
        self.bar = ClipBar(len(self.pending))

    def completed(self, clip: PendingClip, report: ClipReport) -> None:
        entry = {"status": "completed", **self._describe(clip), **report.to_json(), "file": clip.path.name}
        self._manifest.record(clip.key, entry)
        self._entries.append(entry)
        self.bar.clip_done()

    def failed(self, clip: PendingClip, error: Exception) -> None:
        """Print and record why a clip could not be rendered. The next run tries again."""
        entry = {"status": "failed", **self._describe(clip), "error": str(error)}
        self._manifest.record(clip.key, entry)
        self._failures.append(entry)
        self.bar.note(f"ltx23: error: {clip.item.source}: {error}")
        self.bar.clip_done()

    @property
    def has_failures(self) -> bool:
        return bool(self._failures)

    @property
    def progress(self) -> str:
        return f"{len(self._entries)} of {self._total} clips are in {self._folder}"

    def __str__(self) -> str:
        before = f", {self._found} of them from before" if self._found else ""
        failed = f"; {len(self._failures)} failed" if self._failures else ""
        return f"{self.progress}{before}{failed}"

    def to_json(self) -> dict[str, Any]:
        return {
            "folder": str(self._folder),
            "clips": self._entries,
            "from_before": self._found,
            "failed": self._failures,
        }

    def _describe(self, clip: PendingClip) -> dict[str, Any]:
        options = {name: value for name, value in clip.item.options.items() if value is not None and value != []}
        return {
            "source": clip.item.source,
            "prompt": clip.item.options["prompt"],
            "options": {name: str(value) if isinstance(value, Path) else value for name, value in options.items()},
        }
