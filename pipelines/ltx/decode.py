"""Decode latents to frames and a waveform.

The video decoder runs as a stream: each 3-tap convolution over time keeps its last two frames and passes on what is
ready. A chunk says whether it is the last, so each convolution runs once per chunk. A clip of any length is decoded in
memory for a few frames, with the values of a whole decode and without seams. (Tiles would have to overlap by the
decoder's reach, 14 latent frames on each side, to be exact.) The code follows LTX-2.3's decoder: not causal, no
timestep, no injected noise, no residual upsampling. `weights` refuses any other.

About forty generators are chained here, and a local variable of a suspended generator keeps its memory in use. So each
one releases what it has passed on before it asks for more: at 3840x2176 that is 11 GB instead of 50.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from pipelines.geometry import SPATIAL_COMPRESSION
from pipelines.ltx.convolution import Subpixels, convolve, default_memory_format, frame_count
from pipelines.ltx.frames import Convert, to_rgb
from pipelines.ltx.host_copies import copied_to_host
from pipelines.ltx.latents import denormalize_audio, denormalize_video, unpack_audio
from pipelines.memory import DECODED_PIXEL

if TYPE_CHECKING:
    from diffusers import AutoencoderKLLTX2Audio, AutoencoderKLLTX2Video
    from diffusers.models.autoencoders.autoencoder_kl_ltx2 import (
        LTX2VideoCausalConv3d,
        LTX2VideoDecoder3d,
        LTX2VideoResnetBlock3d,
        LTX2VideoUpsampler3d,
    )
    from diffusers.pipelines.ltx2.vocoder import LTX2VocoderWithBWE


class Chunk(NamedTuple):
    """Frames of a clip, (1, C, f, H, W), f >= 1, and whether the clip ends with them."""

    frames: torch.Tensor
    is_last: bool

    def with_frames(self, frames: torch.Tensor) -> "Chunk":
        return Chunk(frames, self.is_last)


Chunks = Iterable[Chunk]  # in order of time

# Bounds of a chunk; a chunk has at least one frame. By count, larger ones would speed up a GPU by at most 2 %, and the
# encoder would get its first frames later.
MIN_CHUNK_BYTES, MAX_CHUNK_BYTES = 2**24, 2**27

# On a CPU larger chunks are slower: the system maps and clears their memory anew for each operation.
CPU_CHUNK_BYTES = 2**22

# Each convolution makes the last chunk a frame longer; beyond this factor it is split again.
MAX_GROWTH = 2

# Mel frames of the sound; the first latent holds one.
MEL_PER_LATENT = 4

# About this many chunks share the free memory at once.
CHUNKS_AT_ONCE = 16


def decode_video(
    latent: torch.Tensor,
    vae: "AutoencoderKLLTX2Video",
    convert: Convert = to_rgb,
    memory_format: torch.memory_format | None = None,
    graph_bytes: int = 0,
) -> Iterator[np.ndarray]:
    """Decode a normalised latent (1, C, F, h, w) to chunks of frames, 8F - 7 in all, with the layout of `convert`.

    memory_format: that of the decoder's activations, by default the fastest on the device. On a card, weights in the
    same format save their conversion. graph_bytes: what CUDA graphs hold, which torch does not count as allocated.
    """
    latent = denormalize_video(latent.float(), vae).to(vae.dtype)
    latent = latent.contiguous(memory_format=memory_format or default_memory_format(latent.device))
    chunk_bytes = chunk_bytes_for(free_bytes(latent.device), kept_bytes(latent, vae) + graph_bytes)
    chunks = stream_decoder(vae.decoder, latent, chunk_bytes)
    yield from copied_to_host(map(convert, chunks), latent.device)


def chunk_bytes_for(free: int | None, kept: int) -> int:
    """Return a chunk size as large as the free memory allows.

    free: unused bytes, None if unknown. kept: bytes that the stream keeps whatever its chunk size.
    """
    if free is None:
        return CPU_CHUNK_BYTES
    return min(max((free - kept) // CHUNKS_AT_ONCE, MIN_CHUNK_BYTES), MAX_CHUNK_BYTES)


def kept_bytes(latent: torch.Tensor, vae: "AutoencoderKLLTX2Video") -> int:
    pixels = latent.shape[-1] * latent.shape[-2] * SPATIAL_COMPRESSION**2
    channels: int = vae.decoder.conv_out.conv.in_channels
    return round(DECODED_PIXEL * pixels * channels * latent.element_size())


def free_bytes(device: torch.device) -> int | None:
    """Return what torch may still allocate on a card, or None on a CPU."""
    if device.type != "cuda":
        return None
    free, total = torch.cuda.mem_get_info(device)
    allowed = round(total * torch.cuda.get_per_process_memory_fraction(device.index))
    return usable_bytes(free, allowed, torch.cuda.memory_reserved(device), torch.cuda.memory_allocated(device))


def usable_bytes(free: int, allowed: int, reserved: int, allocated: int) -> int:
    """Return the bytes that fit beside those allocated, of what the driver has left and torch has reserved.

    allowed: the most that torch may reserve.
    """
    return min(free + reserved, allowed) - allocated


def decode_audio(
    tokens: torch.Tensor,
    vae: "AutoencoderKLLTX2Audio",
    vocoder: "LTX2VocoderWithBWE",
    max_latents: int | None = None,
) -> torch.Tensor:
    """Decode a normalised audio latent (1, L, C) to a waveform (2, samples) float32 at 48 kHz, (4L - 3) * 10 ms.

    max_latents: how many of them the VAE decodes; what follows is those backwards and forwards again. None: all.
    """
    latent = unpack_audio(denormalize_audio(tokens.float(), vae)).to(vae.dtype)
    mel = vae.decode(latent[:, :, :max_latents], return_dict=False)[0]
    mel = back_and_forth(mel, MEL_PER_LATENT * (latent.shape[2] - 1) + 1)
    waveform: torch.Tensor = vocoder(mel.float())[0]
    return waveform


def back_and_forth(mel: torch.Tensor, length: int) -> torch.Tensor:
    """Extend (1, C, frames, bins) to `length` frames: from the last back to the first, forth again, and so on."""
    last = mel.shape[2] - 1
    if last == length - 1:
        return mel
    places = torch.arange(length, device=mel.device) % (2 * last)
    return mel[:, :, last - (places - last).abs()]


def stream_decoder(decoder: "LTX2VideoDecoder3d", latent: torch.Tensor, chunk_bytes: int) -> Iterator[torch.Tensor]:
    """Decode an un-normalised latent (1, C, F, h, w) to pixel chunks (1, 3, n, H, W)."""
    chunks = stream_conv(decoder.conv_in, limited([Chunk(latent, is_last=True)], chunk_bytes))
    for resnet in decoder.mid_block.resnets:
        chunks = limited(stream_resnet(resnet, chunks), MAX_GROWTH * chunk_bytes)
    for block in decoder.up_blocks:
        for upsampler in block.upsamplers:
            chunks = limited(stream_upsampler(upsampler, chunks), chunk_bytes)
        for resnet in block.resnets:
            chunks = limited(stream_resnet(resnet, chunks), MAX_GROWTH * chunk_bytes)

    def last_norm(chunk: Chunk) -> Chunk:
        return chunk.with_frames(activate(decoder.norm_out, chunk.frames))

    # The last convolution's output is the largest of the tiny model: smaller chunks stay in a CPU's cache.
    out = decoder.conv_out.conv
    chunks = limited(chunks, chunk_bytes * out.in_channels // out.out_channels)
    patch = Subpixels(1, decoder.patch_size, decoder.patch_size, columns_first=True)
    # `map` does not hold a chunk while it waits, as a generator expression would.
    return map(frames_of, stream_conv(decoder.conv_out, map(last_norm, chunks), patch))


def frames_of(chunk: Chunk) -> torch.Tensor:
    return chunk.frames


def limited(chunks: Chunks, chunk_bytes: int) -> Iterator[Chunk]:
    """Split chunks evenly to at most `chunk_bytes`, or one frame."""
    for chunk in chunks:
        frames, is_last = chunk
        most = max(1, chunk_bytes * frames.shape[2] // frames.nbytes)
        pieces = list(torch.tensor_split(frames, math.ceil(frames.shape[2] / most), dim=2))[::-1]
        del chunk, frames
        while pieces:
            yield Chunk(pieces.pop(), is_last and not pieces)


def stream_conv(conv: "LTX2VideoCausalConv3d", chunks: Chunks, subpixels: Subpixels | None = None) -> Iterator[Chunk]:
    """Convolve over 3 frames, repeating the clip's edge frames; the output is one frame behind until the last chunk."""
    tail: list[torch.Tensor] = []
    for chunk in chunks:
        frames, is_last = chunk
        window = [*(tail or [frames[:, :, :1]]), frames, *([frames[:, :, -1:]] if is_last else [])]
        del chunk, frames
        tail = [] if is_last else last_two(window)
        ready = [Chunk(convolve(conv.conv, window, subpixels), is_last)] if frame_count(window) >= 3 else []
        del window
        while ready:
            yield ready.pop()


def last_two(window: list[torch.Tensor]) -> list[torch.Tensor]:
    """Return the last two frames of successive frames, without keeping the memory of any other."""
    *before, last = window
    if last.shape[2] >= 2:
        return [last[:, :, -2:].clone()]
    return [owned(before[-1][:, :, -1:]), owned(last)]


def owned(frames: torch.Tensor) -> torch.Tensor:
    """Return the frames in memory that holds no others."""
    return frames if frames.untyped_storage().nbytes() == frames.nbytes else frames.clone()


def stream_resnet(resnet: "LTX2VideoResnetBlock3d", chunks: Chunks) -> Iterator[Chunk]:
    shortcut = FrameBuffer()

    def first_half(chunk: Chunk) -> Chunk:
        shortcut.push(chunk.frames)
        return chunk.with_frames(activate(resnet.norm1, chunk.frames))

    def second_half(hidden: Chunk) -> Chunk:
        return hidden.with_frames(activate(resnet.norm2, hidden.frames))

    def add_shortcut(residual: Chunk) -> Chunk:
        shortcut.pop_into(residual.frames)
        return residual

    hidden = stream_conv(resnet.conv1, map(first_half, chunks))
    return map(add_shortcut, stream_conv(resnet.conv2, map(second_half, hidden)))


def stream_upsampler(upsampler: "LTX2VideoUpsampler3d", chunks: Chunks) -> Iterator[Chunk]:
    """Move channels to space and time. The first latent frame stands for one pixel frame; its others are dropped."""
    drop = upsampler.stride[0] - 1
    for hidden in stream_conv(upsampler.conv, chunks, Subpixels(*upsampler.stride)):
        ready = [hidden.with_frames(hidden.frames[:, :, drop:])]
        del hidden
        drop = 0
        yield ready.pop()


def activate(norm: torch.nn.Module, frames: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.silu(norm(frames), inplace=True)


class FrameBuffer:
    """Keeps frames in order, pushed and popped in chunks of any length."""

    def __init__(self) -> None:
        self._chunks: deque[torch.Tensor] = deque()

    def push(self, chunk: torch.Tensor) -> None:
        self._chunks.append(chunk)

    def pop_into(self, sums: torch.Tensor) -> None:
        """Pop as many frames as `sums` has and add them to it."""
        while sums.shape[2]:
            frames, count = self._chunks.popleft(), sums.shape[2]
            sums[:, :, : frames.shape[2]].add_(frames[:, :, :count])
            if frames.shape[2] > count:
                self._chunks.appendleft(frames[:, :, count:].clone())
            sums = sums[:, :, frames.shape[2] :]
