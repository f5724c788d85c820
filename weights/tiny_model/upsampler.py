"""The latent upsampler: a linear one, fitted by `training.export`, that its norms and activations leave as it is.

A signal goes through the first norm in a group with its opposite and two constants, and through SiLU as the difference
of both. The residual blocks add a constant so large that SiLU is the identity.
"""

import math

import torch

GROUPS = SIGNALS = 32  # of the group norms
GROUP = 4  # channels: a signal, its opposite, a constant, its opposite
CONSTANT = 32.0
LIFT = 12.0


def set_upsampler(tensors: dict[str, torch.Tensor], trained: dict[str, torch.Tensor]) -> None:
    """Set all tensors, by published names."""
    for name, tensor in tensors.items():
        if not name.endswith("norm.weight"):
            tensor.zero_()
    mean, deviation = (trained[f"per_channel_statistics.{kind}-of-means"] for kind in ("mean", "std"))
    signals, kernel = trained["upsampler.signals"], trained["upsampler.kernel"]

    first, bias = tensors["initial_conv.weight"], tensors["initial_conv.bias"]
    weight = signals / deviation
    for sign, part in ((1, 0), (-1, 1)):
        first[part::GROUP, :, 1, 1, 1] = sign * weight
        bias[part::GROUP] = -sign * (weight @ mean)
    bias[2::GROUP], bias[3::GROUP] = CONSTANT, -CONSTANT
    # The variance of a group is nearly that of its constants.
    tensors["initial_norm.weight"].fill_(CONSTANT / math.sqrt(2))

    for block in ("res_blocks.0", "post_upsample_res_blocks.0"):
        tensors[f"{block}.norm2.bias"].fill_(LIFT)

    middle = tensors["upsampler.0.weight"]
    spread = kernel.view(len(middle), SIGNALS, 3, 3)
    middle[:, 0::GROUP], middle[:, 1::GROUP] = spread, -spread

    channels = torch.arange(len(mean))
    tensors["final_conv.weight"][channels, channels, 1, 1, 1] = deviation
    tensors["final_conv.bias"].copy_(mean - LIFT * deviation)
