"""Run a model whose weights are in host memory: each block is copied to the device while the one before it computes."""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from pipelines.memory import BLOCKS_AT_ONCE, kept_parts

# The beginning of each tensor in a buffer.
ALIGNMENT_BYTES = 256


class StreamedModel:
    """Copies the parts of a module to the device when they run: its blocks, and the rest for a whole forward pass.

    The blocks are those of its ModuleLists and run in their order. Their copies lie in buffers that take turns.
    Nothing waits on the host: a stream of its own copies, and events order it and the computation.
    """

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        """The module's weights are in host memory, pinned for speed."""
        self._device = device
        self._copying = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        blocks = blocks_of(module)
        self._parts = [
            _Part(_tensor_places(module, without=blocks)),
            *(_Part(_tensor_places(block)) for block in blocks),
        ]
        self._kept: frozenset[int] = frozenset()
        self._buffers: list[_Buffer] = []
        self._loaded: dict[int, _Buffer] = {}
        self._queue: list[int] = []
        module.register_forward_pre_hook(lambda *_: self._begin())
        module.register_forward_hook(lambda *_: self._end(), always_call=True)
        for number, block in enumerate(blocks, start=1):
            block.register_forward_pre_hook(lambda *_, number=number: self._before(number))
            block.register_forward_hook(lambda *_, number=number: self._after(number))

    def keep(self, count: int) -> None:
        """Keep that many parts on the device, and drop the others there."""
        kept = kept_parts(len(self._parts), count)
        for number in self._kept - kept:
            self._parts[number].use_host()
        for number in sorted(kept - self._kept):
            self._parts[number].use([tensor.to(self._device) for tensor in self._parts[number].host])
        self._kept = kept

    def _begin(self) -> None:
        if 0 not in self._kept:
            self._parts[0].use([tensor.to(self._device, non_blocking=True) for tensor in self._parts[0].host])
        streamed = [number for number in range(1, len(self._parts)) if number not in self._kept]
        size_bytes = max((_buffer_bytes(self._parts[number].host) for number in streamed), default=0)
        self._buffers = [_Buffer(size_bytes, self._device) for _ in streamed[:BLOCKS_AT_ONCE]]
        self._queue = streamed[::-1]
        if self._copying is not None:
            # The buffers' memory may have belonged to what is still being computed.
            self._copying.wait_stream(torch.cuda.current_stream(self._device))

    def _before(self, number: int) -> None:
        """Make a block ready to compute, and begin to copy the next one that is streamed."""
        if number not in self._kept:
            if number not in self._loaded:
                self._load_next()
            self._loaded[number].wait_for_copy()
        if self._queue and len(self._loaded) < len(self._buffers):
            self._load_next()

    def _load_next(self) -> None:
        number = self._queue.pop()
        buffer = next(buffer for buffer in self._buffers if buffer not in self._loaded.values())
        part = self._parts[number]
        with self._on_copying_stream():
            part.use(buffer.fill(part.host, self._copying))
        self._loaded[number] = buffer

    def _after(self, number: int) -> None:
        if number not in self._kept:
            self._loaded.pop(number).release()
            self._parts[number].use_host()

    def _end(self) -> None:
        """Free what only this forward pass needed, also if it failed."""
        for number in {0, *self._loaded} - self._kept:
            self._parts[number].use_host()
        if self._copying is not None:
            torch.cuda.current_stream(self._device).wait_stream(self._copying)
        self._loaded, self._buffers, self._queue = {}, [], []

    def _on_copying_stream(self) -> AbstractContextManager[Any]:
        return nullcontext() if self._copying is None else torch.cuda.stream(self._copying)


class _Part:
    """Some tensors of a module and where they belong. host: them in host memory."""

    def __init__(self, places: Sequence[tuple[dict[str, Any], str]]) -> None:
        self._places = places
        self.host: list[torch.Tensor] = [table[name] for table, name in places]

    def use(self, tensors: Sequence[torch.Tensor]) -> None:
        for (table, name), host, tensor in zip(self._places, self.host, tensors, strict=True):
            is_parameter = isinstance(host, nn.Parameter)
            table[name] = nn.Parameter(tensor, requires_grad=False) if is_parameter else tensor

    def use_host(self) -> None:
        for (table, name), host in zip(self._places, self.host, strict=True):
            table[name] = host


class _Buffer:
    """Device memory for one block at a time."""

    def __init__(self, size_bytes: int, device: torch.device) -> None:
        self._memory = torch.empty(size_bytes, dtype=torch.uint8, device=device)
        self._copied = torch.cuda.Event() if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._computed = torch.cuda.Event() if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def fill(self, tensors: Sequence[torch.Tensor], copying: "torch.cuda.Stream | None") -> list[torch.Tensor]:
        """Return copies of the tensors in this memory, once what was there before has been computed."""
        if copying is not None and self._computed is not None:
            copying.wait_event(self._computed)
        filled = [
            view.copy_(tensor, non_blocking=True)
            for view, tensor in zip(_views(self._memory, tensors), tensors, strict=True)
        ]
        if copying is not None and self._copied is not None:
            self._copied.record(copying)
        return filled

    def wait_for_copy(self) -> None:
        if self._copied is not None:
            self._copied.wait()

    def release(self) -> None:
        if self._computed is not None:
            self._computed.record()


def _views(memory: torch.Tensor, like: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Divide bytes into tensors of these shapes and dtypes."""
    start = 0
    for tensor in like:
        yield memory[start : start + tensor.nbytes].view(tensor.dtype).view(tensor.shape)
        start += _aligned(tensor.nbytes)


def _buffer_bytes(tensors: Sequence[torch.Tensor]) -> int:
    return sum(_aligned(tensor.nbytes) for tensor in tensors)


def _aligned(size_bytes: int) -> int:
    return math.ceil(size_bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def _tensor_places(module: nn.Module, without: Sequence[nn.Module] = ()) -> list[tuple[dict[str, Any], str]]:
    """Return the tables and the names of all tensors in a module, except for those of some submodules."""
    left_out = {id(inner) for outer in without for inner in outer.modules()}
    owners = [owner for owner in module.modules() if id(owner) not in left_out]
    tables: list[dict[str, Any]] = [table for owner in owners for table in (owner._parameters, owner._buffers)]
    return [(table, name) for table in tables for name, tensor in table.items() if tensor is not None]


def blocks_of(module: nn.Module) -> list[nn.Module]:
    """Return the blocks that can be streamed, in the order in which they run."""
    return [block for child in module.children() if isinstance(child, nn.ModuleList) for block in child]


def part_bytes(module: nn.Module, item_bytes: int) -> tuple[int, ...]:
    """Return the weight bytes of the parts that are streamed, as ComponentSize has them."""
    blocks = [weight_bytes(block, item_bytes) for block in blocks_of(module)]
    return (weight_bytes(module, item_bytes) - sum(blocks), *blocks)


def weight_bytes(module: nn.Module, item_bytes: int) -> int:
    """Return the weight bytes, also of a module on `meta`, where only FP8 dtypes are final yet."""
    tensors = [*module.parameters(), *module.buffers()]
    return sum(tensor.numel() * (1 if tensor.element_size() == 1 else item_bytes) for tensor in tensors)
