"""Give the transformer and the connectors the LoRAs of a clip, as low-rank branches of their linear layers.

The matrices stay in host memory for later clips, as much as fits, and are copied to the device for the clip that uses
them. The files are read, never mapped: they may change at any time.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from pipelines.direction import LoraStrength
from pipelines.errors import SpecError
from pipelines.lora_size import branch_values, uniform_rank
from pipelines.ltx.fp8 import Fp8Linear
from pipelines.ltx.low_rank import LowRank, add_low_rank
from pipelines.ltx.transformer.linear import Linear
from weights.checkpoint import Checkpoint, stored_tensors
from weights.errors import FileError, WeightsError
from weights.header import quoted, read_header
from weights.lora import CONNECTORS_PREFIX, Linears, Lora, LoraReader
from weights.regular_file import FileVersion
from weights.stream import TensorReader

HOST = torch.device("cpu")

Branches = Mapping[str, LowRank]


@dataclass(frozen=True)
class OpenLora:
    """A LoRA of a clip whose header was read. position: among those of the clip. version: of its file."""

    wanted: LoraStrength
    position: int
    lora: Lora
    version: FileVersion

    @property
    def key(self) -> Hashable:
        """Return what its effect depends on."""
        return self.version, self.wanted.strength

    def error(self, reason: WeightsError) -> SpecError:
        return unusable(self.position, self.wanted, reason)


def unusable(position: int, lora: LoraStrength, reason: WeightsError) -> SpecError:
    """Return the error that a client may see: with the name of the file, without its folder."""
    text = str(reason).replace(str(lora.path), lora.path.name)
    return SpecError(f"loras.{position}.name", f"the LoRA {lora.name!r} cannot be used: {text}")


class Loras:
    """The linear layers of a model, and the LoRAs that they have.

    is_uniform: whether every layer of the transformer gets a branch of the same rank, in tensors that stay where they
    are. Compiled code and CUDA graphs are then the same for all LoRAs of this rank.
    """

    def __init__(
        self,
        transformer: nn.Module,
        connectors: nn.Module,
        device: torch.device,
        dtype: torch.dtype,
        cache_bytes: int = 0,
    ) -> None:
        """cache_bytes: of host memory, for the matrices of LoRAs that are not in use."""
        self._layers = layers_of(transformer)
        self._connectors = {
            CONNECTORS_PREFIX + name: module
            for name, module in connectors.named_modules()
            if isinstance(module, nn.Linear)
        }
        self._device, self._dtype = device, dtype
        self.linears: Linears = {
            name: (layer.out_features, layer.in_features) for name, layer in (self._layers | self._connectors).items()
        }
        self._reader = LoraReader(self.linears)
        self._cache = _Cache(cache_bytes, dtype)
        self.is_uniform = False
        self._in_use: tuple[OpenLora, ...] = ()
        self._hooks: list[RemovableHandle] = []
        self._slots: _Slots | None = None

    def validate(self, paths: Iterable[Path]) -> None:
        """Raise WeightsError if one of these files is no LoRA for this model. Reads headers alone."""
        for path in paths:
            self._reader.read(read_header(path))

    def open(self, loras: Sequence[LoraStrength]) -> tuple[OpenLora, ...]:
        """Read the headers of those that have an effect. Raises SpecError that names the LoRA."""
        return tuple(self._open(i, lora) for i, lora in enumerate(loras) if lora.strength)

    def _open(self, position: int, lora: LoraStrength) -> OpenLora:
        try:
            version = FileVersion.of(lora.path)
            return OpenLora(lora, position, self._reader.read(read_header(lora.path)), version)
        except WeightsError as exc:
            raise unusable(position, lora, exc) from exc

    def size_bytes(self, loras: Sequence[OpenLora]) -> int:
        """Return the device memory that these LoRAs take."""
        values = branch_values([opened.lora for opened in loras], self.linears, self.is_uniform)
        return values * self._dtype.itemsize

    @property
    def kept_bytes(self) -> int:
        """Return the device memory of the tensors that stay for later clips with LoRAs while none is in use."""
        return 0 if self._slots is None or self._in_use else self._slots.size_bytes

    @property
    def slots_number(self) -> Hashable:
        """Return what identifies the tensors that stay; None without any."""
        return None if self._slots is None else self._slots.number

    @property
    def key(self) -> Hashable:
        """Return what identifies the LoRAs in use."""
        return tuple(each.key for each in self._in_use)

    @property
    def connectors_key(self) -> Hashable:
        """Return what the connectors' outputs depend on; None if no LoRA changes them."""
        return tuple(each.key for each in self._in_use if each.lora.changes_connectors) or None

    def release(self, unless: Sequence[OpenLora] = ()) -> None:
        """Take the LoRAs from the model, unless they are these."""
        if self._is_using(unless):
            return
        self._detach()
        if unless and self._slots is not None and self._slots.rank != _rank(unless):
            self.drop_slots()

    def drop_slots(self) -> None:
        self._slots = None

    def use(self, loras: Sequence[OpenLora]) -> None:
        """Give the model these LoRAs and no others. Raises SpecError that names a file that cannot be read."""
        self.release(unless=loras)
        if self._is_using(loras):
            return
        try:
            self._attach(self._combined(loras), _rank(loras))
        except BaseException:
            self._detach()
            raise
        self._in_use = tuple(loras)

    def _is_using(self, loras: Sequence[OpenLora]) -> bool:
        return self.key == tuple(each.key for each in loras)

    def _attach(self, branches: Branches, rank: int) -> None:
        in_transformer = {name: branch for name, branch in branches.items() if name in self._layers}
        if self.is_uniform:
            self._slots = self._slots or _Slots(self._layers, rank, self._device, self._dtype)
            on_device = self._slots.filled(in_transformer)
        else:
            on_device = {name: self._copied(branch) for name, branch in in_transformer.items()}
        for name, branch in on_device.items():
            self._layers[name].low_rank = branch
        for name, branch in branches.items():
            if name in self._connectors:
                self._hooks.append(_add_to_output(self._connectors[name], self._copied(branch)))

    def _detach(self) -> None:
        for layer in self._layers.values():
            layer.low_rank = None
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
        self._in_use = ()

    def use_example(self, rank: int) -> None:
        """Give every layer a branch of this rank that changes nothing."""
        self._slots = _Slots(self._layers, rank, self._device, self._dtype)
        for name, branch in self._slots.filled({}).items():
            self._layers[name].low_rank = branch

    def remove_example(self) -> None:
        self._detach()
        self.drop_slots()

    def _combined(self, loras: Sequence[OpenLora]) -> dict[str, LowRank]:
        """Return one branch for each layer, on the host: ranks beside each other, strengths in `up`."""
        self._cache.begin(loras)
        parts: dict[str, list[tuple[LowRank, float]]] = {}
        for opened in loras:
            for name, branch in self._cache.read(opened).items():
                parts.setdefault(name, []).append((branch, opened.wanted.strength))
        return {name: _concatenated(of_layer) for name, of_layer in parts.items()}

    def _copied(self, branch: LowRank) -> LowRank:
        return LowRank(*(matrix.to(self._device) for matrix in branch))


class _Cache:
    """The matrices of the LoRAs that were used last, in host memory."""

    def __init__(self, limit_bytes: int, dtype: torch.dtype) -> None:
        self._limit_bytes, self._dtype = limit_bytes, dtype
        self._kept: OrderedDict[FileVersion, Branches] = OrderedDict()

    def begin(self, loras: Sequence[OpenLora]) -> None:
        """Drop what was used longest ago, so that these fit; they are kept whatever their size."""
        wanted = {opened.version: opened for opened in loras}
        coming_bytes = sum(_values(opened.lora) for opened in wanted.values()) * self._dtype.itemsize
        for version in [version for version in self._kept if version not in wanted]:
            kept_bytes = sum(map(_size_bytes, (self._kept[other] for other in self._kept if other not in wanted)))
            if coming_bytes + kept_bytes > self._limit_bytes or any(version.path == other.path for other in wanted):
                del self._kept[version]

    def read(self, opened: OpenLora) -> Branches:
        """Raise SpecError that names the LoRA if its file cannot be read."""
        if opened.version not in self._kept:
            try:
                self._kept[opened.version] = read_branches(opened.lora, opened.version, self._dtype)
            except WeightsError as exc:
                raise opened.error(exc) from exc
        self._kept.move_to_end(opened.version)
        return self._kept[opened.version]


class _Slots:
    """A branch of one rank for every layer, in tensors that stay where they are."""

    _numbers = count(1)

    def __init__(self, layers: Mapping[str, Any], rank: int, device: torch.device, dtype: torch.dtype) -> None:
        self.rank, self.number = rank, next(self._numbers)
        self._branches = {
            name: LowRank(
                torch.zeros(rank, layer.in_features, device=device, dtype=dtype),
                torch.zeros(layer.out_features, rank, device=device, dtype=dtype),
            )
            for name, layer in layers.items()
        }

    @property
    def size_bytes(self) -> int:
        return _size_bytes(self._branches)

    def filled(self, branches: Branches) -> Branches:
        """Copy branches of at most this rank into the tensors; layers without one get zeros."""
        for name, slot in self._branches.items():
            used = len(branches[name].down) if name in branches else 0
            # What is left in `down` is multiplied by zeros.
            slot.up[:, used:].zero_()
            if used:
                slot.down[:used].copy_(branches[name].down)
                slot.up[:, :used].copy_(branches[name].up)
        return self._branches


def layers_of(transformer: nn.Module) -> dict[str, Linear | Fp8Linear]:
    return {name: module for name, module in transformer.named_modules() if isinstance(module, Linear | Fp8Linear)}


def read_branches(lora: Lora, version: FileVersion, dtype: torch.dtype) -> Branches:
    """Read the matrices, in the order of the file. Raises WeightsError if it changed, or holds what is no number."""
    path, header = lora.path, lora.header
    checkpoint = Checkpoint(path, stored_tensors(header), {})
    alphas = [layer.alpha for layer in lora.layers.values() if layer.alpha is not None]
    matrices = sorted(header.tensors.keys() - set(alphas), key=header.offsets.__getitem__)
    scales: dict[str, float] = {}
    read: dict[str, torch.Tensor] = {}
    with TensorReader(checkpoint) as reader:
        values = {name: _finite(path, name, reader.read(name, HOST)).item() for name in alphas}
    for layer in lora.layers.values():
        scales[layer.up] = _scale(lora, layer.rank, None if layer.alpha is None else values[layer.alpha])
    with TensorReader(checkpoint, ahead=matrices) as reader:
        for name in matrices:
            matrix = reader.read(name, HOST)
            if name in scales:
                matrix = matrix.float() * scales[name]
            read[name] = _finite(path, name, matrix.to(dtype))
    if FileVersion.of(path) != version:
        raise FileError(path, "changed while it was read; send the request again")
    return {name: LowRank(read[layer.down], read[layer.up]) for name, layer in lora.layers.items()}


def _scale(lora: Lora, rank: int, alpha: float | None) -> float:
    if alpha is not None:
        return alpha / rank
    return 1.0 if lora.peft_scale is None else lora.peft_scale.of(rank)


def _finite(path: Path, name: str, tensor: torch.Tensor) -> torch.Tensor:
    if not bool(tensor.isfinite().all()):
        raise FileError(path, f"{quoted(name)} holds values that are no numbers; the file is damaged")
    return tensor


def _concatenated(parts: Sequence[tuple[LowRank, float]]) -> LowRank:
    ups = [branch.up if strength == 1 else branch.up * strength for branch, strength in parts]
    if len(parts) == 1:
        return LowRank(parts[0][0].down, ups[0])
    return LowRank(torch.cat([branch.down for branch, _ in parts]), torch.cat(ups, dim=1))


def _add_to_output(layer: nn.Module, branch: LowRank) -> RemovableHandle:
    def add(_: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        return add_low_rank(output, inputs[0], branch)

    return layer.register_forward_hook(add)


def _rank(loras: Sequence[OpenLora]) -> int:
    return uniform_rank([opened.lora for opened in loras])


def _values(lora: Lora) -> int:
    tensors = lora.header.tensors
    sizes = (tensors[name].shape for layer in lora.layers.values() for name in (layer.down, layer.up))
    return sum(rows * columns for rows, columns in sizes)


def _size_bytes(branches: Branches) -> int:
    return sum(matrix.nbytes for branch in branches.values() for matrix in branch)
