"""From a checkpoint into a module, tensor by tensor: every tensor mapped, none left over, none invented.

A module comes in on the `meta` device and leaves with real tensors; its non-persistent buffers are real already. A
parameter that the module has as FP8 gets its bytes as they are, or quantised here; any other gets its values.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from weights.checkpoint import Checkpoint
from weights.errors import TensorError
from weights.names import NameMap
from weights.quantization import is_fp8, is_sidecar
from weights.stream import TensorReader

if TYPE_CHECKING:
    import torch
    from torch import nn

# Called after each tensor with its size as stored.
OnBytes = Callable[[int], None]

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
    """Fill `module` from the file. pin: page-lock its memory, that of the host, where there is a card to copy it to.

    Raises TensorError before anything is read when the two do not match.
    """
    names = validate_match(module, checkpoint, name_map)
    # In the order of the file, which a disk likes best.
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
    """Raises TensorError when the file holds a tensor that no component takes."""
    maps = tuple(name_maps)
    unexpected = [name for name in checkpoint.tensors if not any(name_map.takes(name) for name_map in maps)]
    if unexpected:
        raise TensorError(f"{checkpoint.path}: unexpected {_listed(unexpected)}: no part of LTX-2.3 takes this name")


def validate_match(module: "nn.Module", checkpoint: Checkpoint, name_map: NameMap) -> dict[str, str]:
    """Published name to module name. Raises TensorError where file and module differ; reads no tensor."""
    tensors = checkpoint.tensors
    names = name_map.select(name for name in tensors if not is_sidecar(name))
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items() if not _is_scale(name)}
    published = {module_name: name for name, module_name in names.items()}
    missing = sorted(set(expected) - set(published))
    if missing:
        raise TensorError(f"{checkpoint.path}: missing {_listed(missing)} of {type(module).__name__}")
    unexpected = sorted(name for module_name, name in published.items() if module_name not in expected)
    if unexpected:
        raise TensorError(
            f"{checkpoint.path}: unexpected {_listed(unexpected)}: {type(module).__name__} has no such tensor"
        )
    for module_name, shape in expected.items():
        found = tensors[published[module_name]].shape
        if found != shape:
            raise TensorError(
                f"{checkpoint.path}: {published[module_name]!r} has shape {list(found)}, "
                f"{type(module).__name__} needs {list(shape)}"
            )
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
    """What the module holds in FP8 goes there in FP8, with its scales; all else as plain values."""
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
    """To FP8 E4M3 with one scale, so that the largest value becomes 448: (weight, float32 scale of shape [])."""
    import torch

    largest = torch.finfo(torch.float8_e4m3fn).max
    scale = (weight.abs().amax().float() / largest).clamp(min=torch.finfo(torch.float32).tiny)
    return (weight.float() / scale).clamp(-largest, largest).to(torch.float8_e4m3fn), scale


def _assign(owner: "nn.Module", leaf: str, tensor: "torch.Tensor") -> None:
    """Straight to the owner: `load_state_dict` walks the whole tree for each tensor."""
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
    """One by one: what was there before is let go at once."""
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
        raise TensorError(f"{checkpoint.path}: never loaded {_listed(left)} of {type(module).__name__}")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"tensor {names[0]!r}{more}"
