"""From a checkpoint into a module, tensor by tensor: every tensor mapped, none left over, none invented.

A module comes in on the `meta` device and leaves with real tensors; its non-persistent buffers are real already. A
parameter that the module has as FP8 gets its bytes as they are, or quantised here; any other gets its values.
"""

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from weights.checkpoint import Checkpoint, stored_spelling
from weights.errors import TensorError
from weights.header import quoted
from weights.names import NameMap
from weights.published import published_tensors
from weights.quantization import is_fp8, is_sidecar
from weights.stream import TensorReader

if TYPE_CHECKING:
    import torch
    from torch import nn

# Called after each tensor with its size as stored.
OnBytes = Callable[[int], None]

# A model's file that is one of several.
SHARD = re.compile(r"-\d{5}-of-\d{5}\.safetensors$")

SCALE_SUFFIXES = (".weight_scale", ".input_scale")


def load_module(
    module: "nn.Module",
    checkpoint: Checkpoint,
    name_map: NameMap,
    device: "torch.device",
    dtype: "torch.dtype",
    on_bytes: OnBytes = lambda size_bytes: None,
    pin: bool = False,
) -> None:
    """Fill `module` from the file. With `pin`, page-lock its host memory if there is a card to copy it to.

    Raises TensorError before anything is read if file and module do not match.
    """
    names = validate_match(module, checkpoint, name_map)
    # In the order of the file, so that the disk reads sequentially.
    in_order = sorted(names, key=lambda name: (checkpoint.stored[name].path, checkpoint.stored[name].offset))
    with TensorReader(checkpoint, ahead=in_order) as reader:
        for published in in_order:
            name = names[published]
            _load_tensor(module, name, reader, checkpoint, published, device, dtype)
            on_bytes(checkpoint.tensors[published].size_bytes)
    _move_buffers(module, device)
    if pin:
        _pin(module)
    _validate_materialised(module, checkpoint)
    module.requires_grad_(False).eval()


def validate_coverage(checkpoint: Checkpoint, name_maps: Iterable[NameMap]) -> None:
    """Raise TensorError when the file holds a tensor that no component takes."""
    maps = tuple(name_maps)
    unexpected = [name for name in checkpoint.tensors if not any(name_map.takes(name) for name_map in maps)]
    if unexpected:
        raise unexpected_tensors(checkpoint, unexpected, "no part of LTX-2.3 takes this name")


def validate_match(module: "nn.Module", checkpoint: Checkpoint, name_map: NameMap) -> dict[str, str]:
    """Return module names by published ones. Raise TensorError where file and module differ; read no tensor."""
    tensors = checkpoint.tensors
    names = name_map.select(name for name in tensors if not is_sidecar(name))
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items() if not _is_scale(name)}
    published = {module_name: name for name, module_name in names.items()}
    missing = sorted(set(expected) - set(published))
    if missing:
        raise missing_tensors(checkpoint, missing, name_map, type(module).__name__)
    unexpected = sorted(name for module_name, name in published.items() if module_name not in expected)
    if unexpected:
        raise unexpected_tensors(checkpoint, unexpected, f"{type(module).__name__} has no such tensor")
    for module_name, shape in expected.items():
        found = tensors[published[module_name]].shape
        if found != shape:
            stored = checkpoint.stored[published[module_name]]
            raise TensorError(
                f"{stored.path}: {quoted(stored.name)} has shape {list(found)}, "
                f"{type(module).__name__} needs {list(shape)}"
            )
    return names


def missing_tensors(checkpoint: Checkpoint, missing: list[str], name_map: NameMap, owner: str) -> TensorError:
    """Return the error that names the first of the missing tensors as its file would. missing: by module name."""
    path, name = stored_spelling(checkpoint.stored, _published_name(checkpoint, missing[0], name_map), checkpoint.path)
    if SHARD.search(path.name):
        path = path.parent
    return TensorError(f"{path}: missing tensor {quoted(name)}{_more(missing)} of {owner}")


def unexpected_tensors(checkpoint: Checkpoint, unexpected: list[str], reason: str) -> TensorError:
    """Return the error that names the first unexpected tensor as its file does. unexpected: by published name."""
    stored = checkpoint.stored[unexpected[0]]
    return TensorError(f"{stored.path}: unexpected tensor {quoted(stored.name)}{_more(unexpected)}: {reason}")


def _published_name(checkpoint: Checkpoint, module_name: str, name_map: NameMap) -> str:
    names = name_map.select(name for name in _all_names(checkpoint) if not is_sidecar(name))
    published = next((name for name, renamed in names.items() if renamed == module_name), None)
    if published is not None:
        return published
    # Outside the one-file layout names only lose a prefix.
    prefixes = (name.removesuffix(renamed) for name, renamed in names.items() if name.endswith(renamed))
    return next(prefixes, "") + module_name


def _all_names(checkpoint: Checkpoint) -> list[str]:
    """Return every name that the checkpoint has, and in the one-file layout every one that its config asks for."""
    names = list(checkpoint.tensors)
    if "transformer" in checkpoint.config:
        with suppress(LookupError, TypeError, ValueError):
            names += published_tensors(checkpoint.config, text_layers=1)
    return names


def _is_scale(module_name: str) -> bool:
    return module_name.endswith(SCALE_SUFFIXES)


def _load_tensor(
    module: "nn.Module",
    name: str,
    reader: TensorReader,
    checkpoint: Checkpoint,
    published: str,
    device: "torch.device",
    dtype: "torch.dtype",
) -> None:
    """Copy a tensor: to an FP8 layer in FP8 with its scales, else as plain values."""
    path, _, leaf = name.rpartition(".")
    owner = module.get_submodule(path)
    if leaf == "weight" and hasattr(owner, "weight_scale"):
        for key, tensor in _fp8_tensors(owner, reader, checkpoint, published, device).items():
            _assign(owner, key, tensor)
    else:
        _assign(owner, leaf, reader.dequantize(published, device, dtype))


def _fp8_tensors(
    owner: "nn.Module", reader: TensorReader, checkpoint: Checkpoint, published: str, device: "torch.device"
) -> dict[str, "torch.Tensor"]:
    import torch

    if not is_fp8(checkpoint.tensors[published]):
        weight, scale = quantize(reader.read(published, device))
        return {"weight": weight, "weight_scale": scale}
    tensors = {
        "weight": reader.read(published, device),
        "weight_scale": reader.read(f"{published}_scale", device, torch.float32).reshape(()),
    }
    if owner.input_scale is not None:
        input_scale = f"{published.removesuffix('.weight')}.input_scale"
        tensors["input_scale"] = reader.read(input_scale, device, torch.float32).reshape(())
    return tensors


def quantize(weight: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
    """Quantise to FP8 E4M3 with one scale that maps the largest value to 448: (weight, float32 scale of shape [])."""
    import torch

    largest = torch.finfo(torch.float8_e4m3fn).max
    scale = (weight.abs().amax().float() / largest).clamp(min=torch.finfo(torch.float32).tiny)
    return (weight.float() / scale).clamp(-largest, largest).to(torch.float8_e4m3fn), scale


def _assign(owner: "nn.Module", leaf: str, tensor: "torch.Tensor") -> None:
    """Assign to the owner directly: `load_state_dict` walks the whole tree for each tensor."""
    from torch import nn

    if leaf in owner._parameters:
        owner._parameters[leaf] = nn.Parameter(tensor, requires_grad=False)
    else:
        owner._buffers[leaf] = tensor


def _move_buffers(module: "nn.Module", device: "torch.device") -> None:
    for owner in module.modules():
        for name, buffer in owner._buffers.items():
            if buffer is not None and not buffer.is_meta and buffer.device != device:
                owner._buffers[name] = buffer.to(device)


def _pin(module: "nn.Module") -> None:
    """Pin one tensor after the other, releasing each before the next."""
    import torch

    if not torch.cuda.is_available():
        return
    for owner in module.modules():
        for name, tensor in [*owner._parameters.items(), *owner._buffers.items()]:
            if tensor is not None:
                _assign(owner, name, tensor.data.pin_memory())


def _validate_materialised(module: "nn.Module", checkpoint: Checkpoint) -> None:
    tensors = [*module.named_parameters(), *module.named_buffers()]
    left = [name for name, tensor in tensors if tensor.is_meta]
    if left:
        name = f"{left[0]!r}{_more(left)}"
        raise TensorError(f"{checkpoint.path}: never loaded tensor {name} of {type(module).__name__}")


def _more(names: list[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""
