"""Stream a model's blocks from host memory: the next block is copied while one computes.

diffusers' group offloading does the work. On a CPU the same calls move nothing.
"""

import torch
from torch import nn

# One block computes, one is copied, and the memory of one is still being released.
BLOCKS_ON_DEVICE = 3


def stream_blocks(module: nn.Module, device: torch.device) -> None:
    """Stream the ModuleLists of `module`, whose weights are in host memory, pinned for speed.

    Everything else in it is copied whole for each forward pass.
    """
    from diffusers.hooks import apply_group_offloading

    is_cuda = device.type == "cuda"
    apply_group_offloading(
        module,
        onload_device=device,
        offload_device=torch.device("cpu"),
        offload_type="block_level",
        num_blocks_per_group=1,
        use_stream=is_cuda,
        record_stream=is_cuda,
    )


def working_bytes(module: nn.Module, item_bytes: int) -> int:
    """Return the weight bytes on the device at once. `item_bytes` applies to values that will not be FP8."""
    blocks = [block for child in module.children() if isinstance(child, nn.ModuleList) for block in child]
    sizes = [weight_bytes(block, item_bytes) for block in blocks]
    return weight_bytes(module, item_bytes) - sum(sizes) + BLOCKS_ON_DEVICE * max(sizes, default=0)


def weight_bytes(module: nn.Module, item_bytes: int) -> int:
    """Return the weight bytes, also of a module on `meta`, where only FP8 dtypes are final yet."""
    tensors = [*module.parameters(), *module.buffers()]
    return sum(tensor.numel() * (1 if tensor.element_size() == 1 else item_bytes) for tensor in tensors)
