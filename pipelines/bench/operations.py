"""Count the operations of a computation."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


def is_view(func: Any) -> bool:
    """Return whether an operation of ATen computes nothing."""
    return bool(func.is_view) or func.overloadpacket.__name__ == "_unsafe_view"


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what is computed, and the views of it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.computed: Counter[str] = Counter()
        self.views = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if is_view(func):
            self.views += 1
        else:
            self.computed[name] += 1
        return func(*args, **(kwargs or {}))


def count_operations(call: Callable[[], object]) -> Operations:
    operations = Operations()
    # Without inference mode, in which a Linear counts as one operation rather than as what it is made of.
    with torch.no_grad(), operations:
        call()
    return operations
