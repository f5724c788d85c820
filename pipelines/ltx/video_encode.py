"""Encode a video to latents, a few frames at a time.

LTX-2.3's encoder is causal: a frame's latent depends on that frame and those before it. Each 3-tap convolution over
time keeps its last two frames, so the latents equal those of a whole encode, in memory for one chunk: the first frame,
then eight frames to a latent. `weights` refuses any other encoder.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import torch

from pipelines.geometry import TEMPORAL_COMPRESSION
from pipelines.ltx.convolution import convolve, default_memory_format
from pipelines.ltx.decode import activate, last_two
from pipelines.ltx.latents import normalize_video

if TYPE_CHECKING:
    from diffusers import AutoencoderKLLTX2Video
    from diffusers.models.autoencoders.autoencoder_kl_ltx2 import (
        LTX2VideoCausalConv3d,
        LTX2VideoDownsampler3d,
        LTX2VideoEncoder3d,
        LTX2VideoResnetBlock3d,
    )

# Takes the next frames, (1, C, f, H, W), and returns those that they become.
Layer = Callable[[torch.Tensor], torch.Tensor]


def encode_video(
    frames: Iterable[torch.Tensor],
    vae: "AutoencoderKLLTX2Video",
    device: torch.device,
    on_latent: Callable[[], None] = lambda: None,
) -> torch.Tensor:
    """Encode 8k + 1 frames, each (3, H, W) in -1 .. 1, to a normalised float32 latent, (1, C, k + 1, H / 32, W / 32).

    The mean of the distribution is returned. on_latent: called after each latent frame; may raise to stop.
    """
    memory_format = default_memory_format(device)
    encode = encoder(vae.encoder)
    means = []
    for chunk in latent_chunks(frames):
        pixels = torch.stack(chunk, dim=1).unsqueeze(0).to(device, vae.dtype)
        encoded = encode(pixels.contiguous(memory_format=memory_format))
        means.append(encoded[:, : vae.config.latent_channels].float().contiguous())
        on_latent()
    return normalize_video(torch.cat(means, dim=2), vae)


def latent_chunks(frames: Iterable[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Yield the frames of each latent: the first alone, then eight at a time."""
    chunk: list[torch.Tensor] = []
    length = 1
    for frame in frames:
        chunk.append(frame)
        if len(chunk) == length:
            yield chunk
            chunk, length = [], TEMPORAL_COMPRESSION
    assert not chunk, "a video of 8k + 1 frames is needed"


def encoder(module: "LTX2VideoEncoder3d") -> Layer:
    """Return what encodes one video, chunk by chunk: mean and log-variance of each latent frame."""
    layers = [patches(module.patch_size), convolution(module.conv_in)]
    for block in module.down_blocks:
        layers += [resnet(each) for each in block.resnets]
        layers += [downsampler(each) for each in block.downsamplers or ()]
    layers += [resnet(each) for each in module.mid_block.resnets]
    layers += [lambda frames: activate(module.norm_out, frames), convolution(module.conv_out)]

    def encode(frames: torch.Tensor) -> torch.Tensor:
        for layer in layers:
            frames = layer(frames)
        return frames

    return encode


def patches(size: int) -> Layer:
    """Move each patch of pixels into the channels, in the order (channel, column, row)."""

    def move(frames: torch.Tensor) -> torch.Tensor:
        _, channels, count, height, width = frames.shape
        split = frames.reshape(1, channels, count, height // size, size, width // size, size)
        return split.permute(0, 2, 3, 5, 1, 6, 4).flatten(4).movedim(4, 1)

    return move


def convolution(conv: "LTX2VideoCausalConv3d") -> Layer:
    """Convolve over each frame and the two before it. Before the first frame, the clip is that frame."""
    tail: list[torch.Tensor] = []

    def apply(frames: torch.Tensor) -> torch.Tensor:
        nonlocal tail
        window = [*(tail or [frames[:, :, :1]] * 2), frames]
        tail = last_two(window)
        return convolve(conv.conv, window)

    return apply


def resnet(block: "LTX2VideoResnetBlock3d") -> Layer:
    first, second = convolution(block.conv1), convolution(block.conv2)

    def apply(frames: torch.Tensor) -> torch.Tensor:
        hidden = first(activate(block.norm1, frames))
        return second(activate(block.norm2, hidden)).add_(frames)

    return apply


def downsampler(block: "LTX2VideoDownsampler3d") -> Layer:
    """Move time, rows and columns into the channels, and add the mean of those that become one channel.

    The first frame is taken for as many as one becomes of.
    """
    conv = convolution(block.conv)
    is_first = True

    def apply(frames: torch.Tensor) -> torch.Tensor:
        nonlocal is_first
        if is_first:
            frames = torch.cat([frames[:, :, : block.stride[0] - 1], frames], dim=2)
            is_first = False
        folded = fold(frames, block.stride)
        shortcut = folded.reshape(1, -1, block.group_size, *folded.shape[2:]).mean(dim=2)
        return fold(conv(frames), block.stride).add_(shortcut)

    return apply


def fold(frames: torch.Tensor, stride: tuple[int, int, int]) -> torch.Tensor:
    """Rearrange (1, C, f * t, h * r, w * c) to (1, C * t * r * c, f, h, w)."""
    time, rows, columns = stride
    _, channels, count, height, width = frames.shape
    split = frames.reshape(1, channels, count // time, time, height // rows, rows, width // columns, columns)
    return split.permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(4).movedim(4, 1)
