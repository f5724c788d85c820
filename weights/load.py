"""From a file into a module, tensor by tensor: every tensor mapped, none left over, none invented.

A module comes in on the `meta` device and leaves with real tensors; its non-persistent buffers are real already.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from weights.errors import TensorError
from weights.header import Header
from weights.names import NameMap
from weights.stream import is_scale, stream_tensors

if TYPE_CHECKING:
    import torch
    from torch import nn

# Called after each tensor with its size as stored.
OnBytes = Callable[[int], None]


def load_module(
    module: "nn.Module",
    header: Header,
    name_map: NameMap,
    device: "torch.device",
    dtype: "torch.dtype",
    on_bytes: OnBytes = lambda size_bytes: None,
) -> None:
    """Fill `module` from the file. Raises TensorError before anything is read when the two do not match."""
    names = validate_match(module, header, name_map)
    for published, tensor in stream_tensors(header, names, device, dtype):
        _assign(module, names[published], tensor)
        on_bytes(header.tensors[published].size_bytes)
    _move_buffers(module, device)
    _validate_materialised(module, header)
    module.requires_grad_(False).eval()


def validate_coverage(header: Header, name_maps: Iterable[NameMap]) -> None:
    """Raises TensorError when the file holds a tensor that no component takes."""
    maps = tuple(name_maps)
    unexpected = [name for name in header.tensors if not any(name_map.takes(name) for name_map in maps)]
    if unexpected:
        raise TensorError(f"{header.path}: unexpected {_listed(unexpected)}: no part of LTX-2.3 takes this name")


def validate_match(module: "nn.Module", header: Header, name_map: NameMap) -> dict[str, str]:
    """Published name to module name. Raises TensorError where file and module differ; reads no tensor."""
    names = name_map.select(name for name in header.tensors if not is_scale(name))
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    published = {module_name: name for name, module_name in names.items()}
    missing = sorted(set(expected) - set(published))
    if missing:
        raise TensorError(f"{header.path}: missing {_listed(missing)} of {type(module).__name__}")
    unexpected = sorted(name for module_name, name in published.items() if module_name not in expected)
    if unexpected:
        raise TensorError(
            f"{header.path}: unexpected {_listed(unexpected)}: {type(module).__name__} has no such tensor"
        )
    for module_name, shape in expected.items():
        found = header.tensors[published[module_name]].shape
        if found != shape:
            raise TensorError(f"{header.path}: {published[module_name]!r} has shape {list(found)}, "
                              f"{type(module).__name__} needs {list(shape)}")  # fmt: skip
    return names


def _assign(module: "nn.Module", name: str, tensor: "torch.Tensor") -> None:
    """Straight to the owner: `load_state_dict` walks the whole tree for each tensor."""
    from torch import nn

    path, _, leaf = name.rpartition(".")
    owner = module.get_submodule(path)
    if leaf in owner._parameters:
        owner._parameters[leaf] = nn.Parameter(tensor, requires_grad=False)
    else:
        owner._buffers[leaf] = tensor


def _move_buffers(module: "nn.Module", device: "torch.device") -> None:
    for owner in module.modules():
        for name, buffer in owner._buffers.items():
            if buffer is not None and not buffer.is_meta and buffer.device != device:
                owner._buffers[name] = buffer.to(device)


def _validate_materialised(module: "nn.Module", header: Header) -> None:
    tensors = [*module.named_parameters(), *module.named_buffers()]
    left = [name for name, tensor in tensors if tensor.is_meta]
    if left:
        raise TensorError(f"{header.path}: never loaded {_listed(left)} of {type(module).__name__}")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"tensor {names[0]!r}{more}"
