"""The map from latents to RGB: what it shows, how it is fitted, and where it is kept."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.ltx.components import Components
from pipelines.ltx.latent_rgb import LatentRgb, map_path, read_map, vae_identity
from pipelines.ltx.latents import normalize_video
from pipelines.ltx.preview_clips import NUM_FRAMES, SIDE, drawn_clip
from pipelines.ltx.preview_fit import PreviewFit, block_means
from training.pictures import picture


def shown_error(shown: LatentRgb, components: Components, pixels: torch.Tensor) -> tuple[float, float]:
    """Return the mean square errors in RGB of 0 .. 255 of the map, and of showing the mean colour alone."""
    vae = components.video_vae
    with torch.inference_mode():
        latent = normalize_video(vae.encode(pixels).latent_dist.mode(), vae)
    frames = shown.frames(latent).float()
    wanted = (block_means(pixels)[0].movedim(0, -1) + 1) * 127.5
    return (frames - wanted).square().mean().item(), (wanted - wanted.mean((0, 1, 2))).square().mean().item()


def held_out(seed: int) -> torch.Tensor:
    """Return a picture of another kind than those that the map was fitted to, in 9 frames."""
    still = torch.from_numpy(picture(np.random.default_rng((7, seed)), SIDE).copy()).movedim(-1, 0)
    return (still / 127.5 - 1)[None, :, None].expand(-1, -1, 9, -1, -1).float().contiguous()


def test_the_map_shows_pictures_that_it_was_not_fitted_to(components: Components, tmp_path: Path) -> None:
    shown = read_map(map_path(tmp_path, vae_identity(components.video_vae)), 128)
    assert shown is not None

    errors = [shown_error(shown, components, held_out(seed)) for seed in range(4)]

    assert np.mean([error for error, _ in errors]) < 0.1 * np.mean([spread for _, spread in errors])


def test_the_fit_finds_a_map_that_is_linear() -> None:
    generator = torch.Generator().manual_seed(1)
    weight, bias = torch.randn(8, 3, generator=generator) / 8, torch.randn(3, generator=generator) / 8
    fit = PreviewFit(8)
    for _ in range(4):
        latent = torch.randn(1, 8, 3, 4, 4, generator=generator)
        rgb = (latent.movedim(1, -1) @ weight + bias).movedim(-1, 1)
        first, rest = rgb[:, :, :1], rgb[:, :, 1:].repeat_interleave(8, dim=2)
        fit.add(latent, torch.cat([first, rest], dim=2).repeat_interleave(32, 3).repeat_interleave(32, 4))

    found = fit.solve()

    torch.testing.assert_close(found.weight, weight, rtol=0, atol=1e-2)
    torch.testing.assert_close(found.bias, bias, rtol=0, atol=1e-2)


def test_the_map_turns_a_latent_into_pixels() -> None:
    shown = LatentRgb(torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), torch.tensor([0.0, 0.0, -1.0]))
    latent = torch.tensor([[-1.0, 1.0], [0.0, 1.0]]).view(1, 2, 2, 1, 1)

    assert shown.frames(latent).flatten(1).tolist() == [[0, 128, 0], [255, 255, 0]]


def test_clips_are_the_same_for_a_seed_and_use_the_whole_range() -> None:
    clip = drawn_clip(3)

    assert clip.shape == (NUM_FRAMES, SIDE, SIDE, 3)
    assert np.array_equal(clip, drawn_clip(3))
    assert not np.array_equal(clip, drawn_clip(4))
    assert np.abs(clip).max() <= 1
    spread = np.concatenate([drawn_clip(seed)[0].reshape(-1, 3)[::97] for seed in range(8)])
    assert spread.std(axis=0).min() > 0.4


def test_a_map_is_kept_by_the_identity_of_its_vae(components: Components, tmp_path: Path) -> None:
    vae = components.video_vae
    identity = vae_identity(vae)
    assert identity == vae_identity(vae)
    saved = LatentRgb(torch.randn(128, 3), torch.randn(3))
    path = map_path(tmp_path, "0" * 16)
    assert read_map(path, 128) is None
    saved.save(path)

    read = read_map(path, 128)

    assert path == tmp_path / "previews" / f"preview-{'0' * 16}.safetensors"
    assert read is not None
    assert torch.equal(read.weight, saved.weight)
    assert read_map(path, 64) is None


@pytest.mark.parametrize("content", [b"", b"no safetensors", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_damaged_map_counts_as_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "map").write_bytes(content)

    assert read_map(tmp_path / "map", 128) is None
