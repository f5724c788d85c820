"""The arithmetic of latent states and sampling steps, without weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines.geometry import LatentGrid
from pipelines.ltx.conditioning import cover, keyframe_coords, recompress, trim
from pipelines.ltx.sampling import State
from pipelines.ltx.schedule import STAGE_1_SIGMAS, STAGE_2_SIGMAS


def state(strength: float, clean: float = 2.0) -> State:
    shape = (1, 4, 3)
    return State(
        latent=torch.zeros(shape),
        clean=torch.full(shape, clean),
        denoise_mask=torch.full((1, 4, 1), 1 - strength),
        coords=torch.zeros(1, 3, 4, 2),
        tokens_per_frame=4,
    )


def test_a_condition_of_full_strength_is_not_changed() -> None:
    kept = state(strength=1.0).noised(1.0, torch.Generator().manual_seed(0), torch.float32)
    stepped = kept.stepped(torch.randn(1, 4, 3), sigma=1.0, sigma_next=0.5)

    assert torch.equal(kept.latent, kept.clean)
    assert torch.equal(stepped.latent, stepped.clean)


def test_without_a_condition_a_step_is_plain_euler() -> None:
    free = state(strength=0.0).noised(1.0, torch.Generator().manual_seed(0), torch.float32)
    velocity = torch.randn(1, 4, 3)

    stepped = free.stepped(velocity, sigma=0.9, sigma_next=0.7)

    torch.testing.assert_close(stepped.latent, free.latent - 0.2 * velocity)


def test_a_partial_strength_scales_velocity_by_the_tokens_own_sigma() -> None:
    half = state(strength=0.5)
    velocity = torch.ones(1, 4, 3)

    stepped = half.stepped(velocity, sigma=0.8, sigma_next=0.0)

    x0 = (0 - 1 * 0.8 * 0.5) * 0.5 + 2.0 * 0.5
    torch.testing.assert_close(stepped.latent, torch.full((1, 4, 3), x0))


def test_noise_starts_at_the_first_sigma_of_the_stage() -> None:
    start = replace(
        state(strength=0),
        latent=torch.ones(1, 1000, 8),
        clean=torch.zeros(1, 1000, 8),
        denoise_mask=torch.ones(1, 1000, 1),
    )
    noised = start.noised(STAGE_2_SIGMAS[0], torch.Generator().manual_seed(0), torch.float32)

    assert float(noised.latent.mean()) == pytest.approx(1 - STAGE_2_SIGMAS[0], abs=0.03)
    assert float(noised.latent.std()) == pytest.approx(STAGE_2_SIGMAS[0], abs=0.03)


def test_the_schedules_have_8_and_3_steps_and_end_at_zero() -> None:
    assert (len(STAGE_1_SIGMAS) - 1, len(STAGE_2_SIGMAS) - 1) == (8, 3)
    assert STAGE_1_SIGMAS[-1] == STAGE_2_SIGMAS[-1] == 0
    assert STAGE_1_SIGMAS[-4:] == STAGE_2_SIGMAS


def test_an_appended_keyframe_has_the_positions_of_the_first_frame_and_its_own_time() -> None:
    grid = LatentGrid(frames=2, height=1, width=2)
    coords = torch.arange(24, dtype=torch.float32).reshape(1, 3, 4, 2)

    keyframe = keyframe_coords(coords, grid, frame_idx=11, fps=30.0)

    assert torch.equal(keyframe[:, 1:], coords[:, 1:, :2])
    torch.testing.assert_close(keyframe[0, 0], torch.tensor([[11 / 30, 12 / 30]] * 2))


@pytest.mark.parametrize("shape", [(1, 1), (1, 20), (20, 1), (3, 5), (17000, 4), (4, 17000)])
def test_a_picture_of_any_size_can_be_encoded(shape: tuple[int, int]) -> None:
    recompressed = recompress(np.full((*shape, 3), 90, np.uint8), crf=33)

    assert recompressed.size
    assert np.abs(recompressed.astype(int) - 90).max() < 8


def test_only_very_thin_pictures_are_cropped_first() -> None:
    panorama, thread = np.zeros((100, 799, 3), np.uint8), np.zeros((2, 20001, 3), np.uint8)
    thread[:, 10000] = 1

    assert trim(panorama, aspect=1.0).shape == panorama.shape
    trimmed = trim(thread, aspect=1.0)
    assert trimmed.shape == (2, 16, 3)
    assert trimmed[:, 8].all()


@pytest.mark.parametrize(("source", "target"), [((70, 130), (64, 64)), ((10, 500), (128, 64)), ((64, 128), (64, 128))])
def test_a_picture_covers_the_frame_from_its_centre(source: tuple[int, int], target: tuple[int, int]) -> None:
    ramp = torch.linspace(-1, 1, source[1]).expand(1, 3, *source)

    covered = cover(ramp, *target)

    assert covered.shape == (1, 3, *target)
    assert abs(float(covered.mean())) < 0.02
