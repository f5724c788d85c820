"""Record the operations of a computation on `meta`: the matrix work and the memory that each reads and writes.

Nothing is computed, so a model of any size needs no memory, and a card's operations are recorded without one.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from itertools import count
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import flop_registry, sdpa_flop_count

from pipelines.bench.cards import Work
from pipelines.bench.operations import is_view

# Operations that reserve memory and compute nothing.
ALLOCATIONS = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"}

# Operations that write their output without reading what their arguments held.
FILLS = {"zeros_like", "ones_like", "full_like", "fill_", "zero_"}

# Operations that read as much of their first argument as they return.
LOOKUPS = {"index", "index_select", "gather", "embedding"}


class Access(NamedTuple):
    """Memory that is read or written.

    value: a number for what a storage holds; each write gives it a new one. held_bytes: of the storage, what was
    written to it by now.
    """

    value: int
    size_bytes: int
    held_bytes: int


class Operation(NamedTuple):
    """One launch on a card, or a view of what is there.

    work: the kind of matrix work, None for all others. region: the block that it is in, None outside. times: how many
    blocks are equal to this one, which is recorded for all.
    ends_chain: what follows needs all of its output, because it reduces a whole tensor to a few values.
    """

    name: str
    work: Work | None
    flops: int
    reads: tuple[Access, ...]
    writes: tuple[Access, ...]
    region: int | None
    times: int
    is_view: bool = False
    ends_chain: bool = False


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records what runs inside it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[Operation] = []
        self.region: int | None = None
        self.times = 1
        self._numbers = count()
        # By the address of a storage. Of a storage that was freed, the next one at its address is written first.
        self._values: dict[int, Access] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        outputs = tensors_in(result)
        if is_view(func):
            self.operations.append(Operation(name, None, 0, (), (), self.region, self.times, is_view=True))
        elif name in ALLOCATIONS:
            for output in outputs:
                self._values[address(output)] = Access(next(self._numbers), 0, 0)
        elif any(output.numel() for output in outputs):
            formula = flop_registry.get(func.overloadpacket, no_flops)
            flops = int(formula(*args, **(kwargs or {}), out_val=result))
            work = work_of(name, args, kwargs) if flops else None
            self.add(name, work, flops, inputs_of(name, args, kwargs), outputs)
        return result

    def add(
        self, name: str, work: Work | None, flops: int, inputs: Iterable[torch.Tensor], outputs: list[torch.Tensor]
    ) -> None:
        """Record one launch that reads `inputs` and writes `outputs`."""
        read_bytes = sum(bytes_of(output) for output in outputs) if name in LOOKUPS else None
        reads = tuple({self._read(tensor, read_bytes) for tensor in inputs})
        largest = max((tensor.numel() for tensor in inputs), default=0)
        ends_chain = work is not None or (largest > 1 and all(output.numel() == 1 for output in outputs))
        writes = tuple(self._write(tensor) for tensor in outputs)
        self.operations.append(
            Operation(name, work, flops, reads, writes, self.region, self.times, ends_chain=ends_chain)
        )

    def _read(self, tensor: torch.Tensor, most_bytes: int | None) -> Access:
        held = self._values.get(address(tensor))
        if held is None:  # a weight, which nothing wrote
            size_bytes = tensor.untyped_storage().nbytes()
            held = self._values[address(tensor)] = Access(next(self._numbers), size_bytes, size_bytes)
        size_bytes = bytes_of(tensor)
        return held._replace(size_bytes=size_bytes if most_bytes is None else min(size_bytes, most_bytes))

    def _write(self, tensor: torch.Tensor) -> Access:
        """Give the storage a new value; what it held grows with each part that is written."""
        before, size_bytes = self._values.get(address(tensor)), bytes_of(tensor)
        held_bytes = size_bytes + (before.held_bytes if before else 0)
        access = Access(next(self._numbers), size_bytes, min(tensor.untyped_storage().nbytes(), held_bytes))
        self._values[address(tensor)] = access
        return access


class FusedByTorch(TorchFunctionMode):
    """Records as one launch what torch computes with one kernel on a card and with several on `meta`."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.nn.functional.scaled_dot_product_attention:
            return self._attention(*args, **kwargs)
        if func is torch.nn.functional.rms_norm:
            return self._rms_norm(*args, **kwargs)
        return func(*args, **kwargs)

    def _attention(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *args: Any, **kwargs: Any
    ) -> torch.Tensor:
        # The kernels keep the layout of the projections: (1, T, H, d), seen as (1, H, T, d).
        shape = (query.shape[0], query.shape[2], query.shape[1], value.shape[-1])
        with torch._C._DisableTorchDispatch():
            output = query.new_empty(shape).transpose(1, 2)
        # Several heads may share their keys and values.
        keys, values = ((*query.shape[:2], *tensor.shape[2:]) for tensor in (key, value))
        flops = sdpa_flop_count(query.shape, keys, values)  # type: ignore[no-untyped-call]
        self._recorder.add("attention", Work.ATTENTION, int(flops), (query, key, value), [output])
        return output

    def _rms_norm(
        self, x: torch.Tensor, shape: object, weight: torch.Tensor | None = None, eps: float | None = None
    ) -> torch.Tensor:
        with torch._C._DisableTorchDispatch():
            output = torch.empty_like(x)
        self._recorder.add("rms_norm", None, 0, (x,) if weight is None else (x, weight), [output])
        return output


def record(call: Callable[[], object], blocks: Mapping[nn.Module, int] | None = None) -> list[Operation]:
    """Record what a call computes.

    blocks: modules whose operations are told apart, each with the number of modules that it stands for.
    """
    recorder, regions = Recorder(), count()
    with ExitStack() as stack:
        for module, times in (blocks or {}).items():

            def enter(*_: object, times: int = times) -> None:
                recorder.region, recorder.times = next(regions), times

            def leave(*_: object) -> None:
                recorder.region, recorder.times = None, 1

            stack.callback(module.register_forward_pre_hook(enter).remove)
            stack.callback(module.register_forward_hook(leave).remove)
        stack.enter_context(torch.no_grad())
        stack.enter_context(FusedByTorch(recorder))
        stack.enter_context(recorder)
        call()
    return recorder.operations


def no_flops(*args: object, **kwargs: object) -> int:
    return 0


def work_of(name: str, args: Any, kwargs: Any) -> Work:
    """Return the kind of an operation that has matrix FLOPs."""
    dtype = args[0].dtype
    if dtype == torch.float8_e4m3fn:
        return Work.FP8_FAST if (kwargs or {}).get("use_fast_accum") else Work.FP8
    if dtype == torch.float32:
        return Work.FLOAT32
    return Work.CONVOLUTION if "convolution" in name else Work.BF16


def inputs_of(name: str, args: Any, kwargs: Any) -> list[torch.Tensor]:
    if name in FILLS:
        return []
    return tensors_in(args[1:] if name == "copy_" else (args, kwargs))


def tensors_in(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_iter(tree) if isinstance(leaf, torch.Tensor)]


def address(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def bytes_of(tensor: torch.Tensor) -> int:
    """Return the bytes of the distinct values: what is expanded is there once."""
    sizes = (size for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride or size == 1)
    return math.prod(sizes) * tensor.element_size()
