"""A video that is encoded as a stream has the latents of a whole encode."""

from typing import Any

import pytest
import torch

from pipelines.ltx.build import build_module
from pipelines.ltx.latents import normalize_video
from pipelines.ltx.video_encode import encode_video
from weights.architecture import video_vae_kwargs
from weights.full_config import full_config

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def vae() -> Any:
    """Build the published architecture with few channels and random weights."""
    config = full_config()["vae"] | {"encoder_base_channels": 8, "decoder_base_channels": 8}
    torch.manual_seed(0)
    found: Any = build_module("video_vae", video_vae_kwargs(config)).to_empty(device=CPU)
    for parameter in found.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    found.latents_mean.normal_()
    found.latents_std.uniform_(0.5, 2)
    return found.eval()


@pytest.mark.parametrize("frames", [1, 9, 25])
@torch.inference_mode()
def test_equals_a_whole_encode(vae: Any, frames: int) -> None:
    video = torch.rand(frames, 3, 64, 96) * 2 - 1
    done: list[int] = []

    found = encode_video(iter(video), vae, CPU, lambda: done.append(1))

    whole = normalize_video(vae.encode(video.transpose(0, 1).unsqueeze(0)).latent_dist.mode(), vae)
    assert found.shape == whole.shape
    assert (found - whole).abs().max() < 1e-5 * whole.abs().max()
    assert len(done) == found.shape[2]
