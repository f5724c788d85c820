"""Count the peak of bytes that a computation allocates, on the device `meta`: the shapes of 22B without its weights."""

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

META = torch.device("meta")


def peak_bytes(call: Callable[[], object], weights: Iterable[torch.Tensor]) -> int:
    """Return the peak of bytes that `call` allocates, without `weights`."""
    counter = _Counter(weights)
    with torch.no_grad(), FusedAttention(), counter:
        call()
    return counter.peak


class FusedAttention(TorchFunctionMode):
    """Attention that allocates as a fused kernel does. On `meta`, torch would allocate the scores."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.nn.functional.scaled_dot_product_attention:
            query, value = (args[0], args[2]) if args else (kwargs["query"], kwargs["value"])
            return query.new_empty(*query.shape[:-1], value.shape[-1])
        return func(*args, **(kwargs or {}))


class _Counter(TorchDispatchMode):
    def __init__(self, weights: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self._known = {tensor.untyped_storage()._cdata for tensor in weights}
        self._live: dict[int, int] = {}
        self._now = self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_iter(result):
            if isinstance(tensor, torch.Tensor) and tensor.is_meta:
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._known or key in self._live:
            return
        self._live[key] = storage.nbytes()
        self._now += storage.nbytes()
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._free, key)

    def _free(self, key: int) -> None:
        self._now -= self._live.pop(key)
