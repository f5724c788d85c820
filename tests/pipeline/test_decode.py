"""The streamed decode gives the same values as diffusers' decode of the whole latent, in few operations."""

from typing import Any

import pytest
import torch

from pipelines.bench.operations import Operations
from pipelines.ltx.build import build_module
from pipelines.ltx.components import Components
from pipelines.ltx.decode import (
    CPU_CHUNK_BYTES,
    MAX_CHUNK_BYTES,
    MIN_CHUNK_BYTES,
    chunk_bytes_for,
    decode_video,
    stream_decoder,
    usable_bytes,
)
from weights.architecture import video_vae_kwargs
from weights.full_config import full_config


@pytest.mark.parametrize("latent_frames", [1, 2, 3, 7, 16])
@pytest.mark.parametrize("chunk_bytes", [1, 10_000, 2**29])
@torch.inference_mode()
def test_streamed_pixels_equal_those_of_a_whole_decode(
    latent_frames: int, chunk_bytes: int, components: Components
) -> None:
    vae = components.video_vae
    latent = torch.randn(1, 128, latent_frames, 2, 3, generator=torch.Generator().manual_seed(latent_frames))
    whole = vae.decoder(latent)

    chunks = list(stream_decoder(vae.decoder, latent, chunk_bytes))

    assert whole.shape[2] == 8 * latent_frames - 7
    torch.testing.assert_close(torch.cat(chunks, dim=2), whole, rtol=0, atol=5e-6)


@pytest.mark.parametrize(
    ("latent_frames", "chunk_bytes", "convolutions", "computed"),
    [(3, 2**29, 42, 329), (16, 2**29, 51, 423), (16, 2**27, 153, 1459)],
    ids=["17 frames in one chunk", "121 frames in two", "121 frames in seven"],
)
@torch.no_grad()
def test_a_convolution_runs_once_per_chunk(
    latent_frames: int, chunk_bytes: int, convolutions: int, computed: int
) -> None:
    """The decoder at full size, which has 42 convolutions, for 768x512."""
    meta = torch.device("meta")
    vae: Any = build_module("video_vae", video_vae_kwargs(full_config()["vae"])).to(meta, torch.bfloat16)
    latent = torch.zeros(1, 128, latent_frames, 16, 24, device=meta, dtype=torch.bfloat16)

    with Operations() as operations:
        frames = sum(chunk.shape[2] for chunk in stream_decoder(vae.decoder, latent, chunk_bytes))

    assert frames == 8 * latent_frames - 7
    assert operations.computed["convolution"] == convolutions
    assert operations.computed.total() <= computed


@torch.inference_mode()
def test_a_long_clip_comes_in_chunks(components: Components) -> None:
    latent = torch.randn(1, 128, 20, 16, 16)

    sizes = [len(frames) for frames in decode_video(latent, components.video_vae)]

    assert sum(sizes) == 8 * 20 - 7
    assert max(sizes) <= 64


@pytest.mark.parametrize(
    ("free", "chunk_bytes"),
    [
        (None, CPU_CHUNK_BYTES),
        (10**9, MIN_CHUNK_BYTES),
        (3 * 10**9 + 2**30, 2**26),
        (90 * 10**9, MAX_CHUNK_BYTES),
    ],
)
def test_chunks_are_as_large_as_memory_allows(free: int | None, chunk_bytes: int) -> None:
    assert chunk_bytes_for(free, kept=3 * 10**9) == chunk_bytes


@pytest.mark.parametrize(
    ("allowed", "usable"),
    [(80, 45), (60, 45), (50, 35), (15, 0)],
    ids=["all of the card", "all that is free", "less than is free", "no more"],
)
def test_the_memory_left_is_that_which_the_driver_has_and_torch_may_take(allowed: int, usable: int) -> None:
    assert usable_bytes(free=40, allowed=allowed, reserved=20, allocated=15) == usable
