"""A model in host memory whose blocks come to the card as they run: the next one is copied while one computes.

diffusers' group offloading does the work. On a CPU there is nowhere to stream from, and the same calls move nothing.
"""

import torch
from torch import nn

# The one that computes, the one that is copied, and one whose memory is still being given back.
BLOCKS_ON_DEVICE = 3


def stream_blocks(module: nn.Module, device: torch.device) -> None:
    """`module` has its weights in host memory, pinned if it is to be fast; its ModuleLists are what is streamed.

    What else it has comes whole for each forward.
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
    """What of the weights is on the device at once. item_bytes: of what will not be FP8."""
    blocks = [block for child in module.children() if isinstance(child, nn.ModuleList) for block in child]
    sizes = [weight_bytes(block, item_bytes) for block in blocks]
    return weight_bytes(module, item_bytes) - sum(sizes) + BLOCKS_ON_DEVICE * max(sizes, default=0)


def weight_bytes(module: nn.Module, item_bytes: int) -> int:
    """Also of a module on `meta`, whose dtypes are not yet the final ones but where they are FP8."""
    tensors = [*module.parameters(), *module.buffers()]
    return sum(tensor.numel() * (1 if tensor.element_size() == 1 else item_bytes) for tensor in tensors)
