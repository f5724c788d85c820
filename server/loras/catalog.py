"""List the LoRAs of the settings and of a folder, as the files are now."""

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.direction import LoraStrength
from pipelines.lora_size import branch_values
from server.contract.loras import KnownLora
from server.worker.messages import ModelInfo
from weights.errors import WeightsError
from weights.header import read_header
from weights.lora import Linears, Lora, LoraReader, validate_lora_file
from weights.regular_file import FileVersion

SUFFIX = ".safetensors"
# Files that people take for LoRAs; they are listed with the reason why they are not read.
UNREADABLE_SUFFIXES = frozenset({".pt", ".pth", ".ckpt", ".bin"})


@dataclass(frozen=True)
class NamedLora:
    """A LoRA of the settings. strength: that of every clip; None leaves it to the requests."""

    name: str
    path: Path
    strength: float | None = None


@dataclass(frozen=True)
class CatalogEntry(KnownLora):
    """A LoRA as its file is now. lora: its layers; None if it cannot be used, or while no model is loaded."""

    size_bytes: int | None = None
    lora: Lora | None = None


@dataclass(frozen=True)
class _Read:
    """The result of reading a file: its layers, or an error."""

    lora: Lora | None = None
    error: str | None = None


@dataclass
class LoraCatalog:
    """The LoRAs by name. May be used from any thread.

    named: those of the settings, which win over files of the folder with their names.
    """

    named: Sequence[NamedLora] = ()
    folder: Path | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _reads: dict[FileVersion, _Read] = field(default_factory=dict, init=False)
    _reader: LoraReader | None = field(default=None, init=False)
    _linears: Linears | None = field(default=None, init=False)

    @property
    def is_empty(self) -> bool:
        """Return whether there will never be a LoRA."""
        return not self.named and self.folder is None

    def entries(self, model: ModelInfo | None) -> dict[str, CatalogEntry]:
        """Return the LoRAs as the files are now. model: the one that they have to fit, None while it loads."""
        with self._lock:
            self._use_model(model)
            reads: dict[FileVersion, _Read] = {}
            found = {lora.name: self._entry(lora, reads) for lora in self._all()}
            self._reads = reads
        return found

    def lora_bytes(self, loras: Iterable[LoraStrength], model: ModelInfo) -> int:
        """Return the memory that these LoRAs take on a device of this model."""
        entries = self.entries(model)
        used = [lora.name for lora in loras if lora.strength]
        opened = [entry.lora for name in used if (entry := entries.get(name)) is not None and entry.lora is not None]
        if model.plan is None:
            return 0
        values = branch_values(opened, model.linears, uniform=model.speed.mode != "eager")
        return values * model.plan.widths.item_bytes

    def _all(self) -> Iterator[NamedLora]:
        names = {lora.name for lora in self.named}
        yield from self.named
        for path in _files(self.folder):
            name = path.stem if path.suffix == SUFFIX else path.name
            if name not in names:
                yield NamedLora(name, path)

    def _use_model(self, model: ModelInfo | None) -> None:
        linears = None if model is None else model.linears
        if linears != self._linears:
            self._reads = {}
            self._reader = None if linears is None else LoraReader(linears)
        self._linears = linears

    def _entry(self, named: NamedLora, reads: dict[FileVersion, _Read]) -> CatalogEntry:
        size_bytes = None
        try:
            version = FileVersion.of(named.path)
            size_bytes = version.size_bytes
            read = reads[version] = self._reads.get(version) or self._read(named.path)
        except WeightsError as exc:
            read = _Read(error=without_folder(exc, named.path))
        return CatalogEntry(
            named.name,
            named.path,
            strength=1.0 if named.strength is None else named.strength,
            is_applied=named.strength is not None,
            error=read.error,
            size_bytes=size_bytes,
            lora=read.lora,
        )

    def _read(self, path: Path) -> _Read:
        try:
            header = read_header(path)
            if self._reader is None:
                validate_lora_file(header)
                return _Read()
            return _Read(self._reader.read(header))
        except WeightsError as exc:
            return _Read(error=without_folder(exc, path))


def _files(folder: Path | None) -> list[Path]:
    """Return the files of a folder that may be LoRAs, by name; none if it cannot be read."""
    if folder is None:
        return []
    try:
        with os.scandir(folder) as found:
            names = [entry.name for entry in found if not entry.name.startswith(".")]
    except OSError:
        return []
    paths = [folder / name for name in sorted(names)]
    return [path for path in paths if path.suffix in UNREADABLE_SUFFIXES | {SUFFIX}]


def without_folder(exc: WeightsError, path: Path) -> str:
    """Return the message with the name of the file alone: clients need not know the server's folders."""
    return str(exc).replace(str(path), path.name)
