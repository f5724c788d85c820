from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import geometry
from pipelines.spec import GenerationSpec

sides = st.integers(1, 16_384)
rates = st.fractions(min_value=8, max_value=50, max_denominator=geometry.MAX_RATE_DENOMINATOR)


@pytest.mark.parametrize(
    ("sent", "snapped"),
    [
        ((768, 512), (768, 512)),
        ((1920, 1080), (1920, 1088)),
        ((1080, 1920), (1088, 1920)),
        ((3840, 2160), (3840, 2176)),
        ((2160, 3840), (2176, 3840)),
        ((1280, 720), (1280, 704)),
        ((351, 351), (320, 320)),
        ((352, 352), (384, 384)),
        ((353, 353), (384, 384)),
        ((1, 1), (256, 256)),
        ((16_384, 16_384), (3840, 2176)),
        ((16_384, 100), (3840, 256)),
        ((100, 16_384), (256, 3840)),
        ((3000, 3000), (3008, 2176)),
        ((3000, 3001), (2176, 3008)),
    ],
)
def test_snap_size(sent: tuple[int, int], snapped: tuple[int, int]) -> None:
    assert geometry.snap_size(*sent) == snapped


@settings(deadline=None)
@given(sides, sides)
def test_a_snapped_size_is_on_the_grid_within_the_limits_and_stable(width: int, height: int) -> None:
    snapped = geometry.snap_size(width, height)
    assert all(side % 64 == 0 and side >= 256 for side in snapped)
    assert max(snapped) <= 3840
    assert min(snapped) <= 2176
    assert geometry.snap_size(*snapped) == snapped


@settings(deadline=None)
@given(sides, sides)
def test_orientation_is_kept(width: int, height: int) -> None:
    transposed = geometry.snap_size(height, width)
    if width != height:
        assert geometry.snap_size(width, height) == transposed[::-1]


@pytest.mark.parametrize(
    ("frames", "snapped"),
    [(1, 9), (9, 9), (12, 9), (13, 17), (17, 17), (120, 121), (121, 121), (124, 121), (125, 129), (10**30, 10**30 + 1)],
)
def test_snap_num_frames(frames: int, snapped: int) -> None:
    assert geometry.snap_num_frames(frames) == snapped


@pytest.mark.parametrize(
    ("frames", "snapped"),
    [(Fraction(0), 9), (Fraction("12.99"), 9), (Fraction(13), 17), (Fraction("120.5"), 121), (Fraction(1, 10**320), 9)],
)
def test_snap_num_frames_of_a_fraction(frames: Fraction, snapped: int) -> None:
    assert geometry.snap_num_frames(frames) == snapped


@settings(deadline=None)
@given(st.fractions(min_value=0, max_value=10**6))
def test_snapped_frames_are_the_nearest_8k_plus_1_and_stable(frames: Fraction) -> None:
    snapped = geometry.snap_num_frames(frames)
    assert snapped % 8 == 1
    assert snapped == 9 or -4 < snapped - frames <= 4
    assert geometry.snap_num_frames(snapped) == snapped


@pytest.mark.parametrize(
    ("size", "seconds", "frames"),
    [
        ((768, 512), 20, 481),
        ((1920, 1088), 20, 481),
        ((1088, 1920), 20, 481),
        ((1984, 1088), 10, 241),
        ((2560, 1472), 10, 241),
        ((1472, 2560), 10, 241),
        ((2624, 1472), 5, 121),
        ((3840, 2176), 5, 121),
        ((2176, 3840), 5, 121),
    ],
)
def test_the_maximum_length_depends_on_the_size(size: tuple[int, int], seconds: int, frames: int) -> None:
    assert geometry.max_duration_s(*size) == seconds
    assert geometry.max_num_frames(*size, Fraction(24)) == frames


@pytest.mark.parametrize(
    ("fps", "rate"),
    [
        (24, Fraction(24)),
        (24.0, Fraction(24)),
        (12.5, Fraction(25, 2)),
        (24.123, Fraction(24123, 1000)),
        (0.1, Fraction(1, 10)),
        (23.976, Fraction(24000, 1001)),
        (23.976023976, Fraction(24000, 1001)),
        (24000 / 1001, Fraction(24000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (29.97003, Fraction(30000, 1001)),
        (47.952, Fraction(48000, 1001)),
        (23.97, Fraction(2397, 100)),
        (23.98, Fraction(1199, 50)),
        (29.972, Fraction(29972, 1000)),
    ],
)
def test_exact_frame_rate(fps: float, rate: Fraction) -> None:
    assert geometry.exact_frame_rate(fps) == rate


@pytest.mark.parametrize(
    ("rate", "clamped"),
    [
        (Fraction(-1), Fraction(8)),
        (Fraction("7.99"), Fraction(8)),
        (Fraction(8), Fraction(8)),
        (Fraction(50), Fraction(50)),
        (Fraction("50.01"), Fraction(50)),
        (Fraction(10) ** 300, Fraction(50)),
        (Fraction(30000, 1001), Fraction(30000, 1001)),
    ],
)
def test_clamp_frame_rate(rate: Fraction, clamped: Fraction) -> None:
    assert geometry.clamp_frame_rate(rate) == clamped


@settings(deadline=None)
@given(st.fractions())
def test_a_clamped_rate_fits_a_32_bit_time_base(rate: Fraction) -> None:
    clamped = geometry.clamp_frame_rate(rate)
    assert 8 <= clamped <= 50
    assert max(clamped.numerator, clamped.denominator) < 2**31
    assert geometry.clamp_frame_rate(clamped) == clamped


@settings(deadline=None)
@given(rates)
def test_a_rate_survives_its_decimal_spelling(rate: Fraction) -> None:
    again = geometry.clamp_frame_rate(geometry.exact_frame_rate(float(rate)))
    assert again == rate or min(abs(rate - ntsc) for ntsc in geometry.NTSC_RATES) < geometry.NTSC_TOLERANCE


def test_the_latent_grid_has_the_size_of_the_clip() -> None:
    spec = GenerationSpec("a fox", 0, 768, 512, 121, Fraction(24))
    grid = geometry.latent_grid(spec)
    assert (grid.frames, grid.height, grid.width) == (16, 16, 24)
    assert geometry.latent_grid(spec, downscale=2) == geometry.LatentGrid(16, 8, 12)
    assert grid.tokens == 16 * grid.tokens_per_frame
    assert geometry.audio_latent_length(spec) == 126


@pytest.mark.parametrize(
    ("rate", "fps"),
    [(Fraction(24000, 1001), 23.976), (Fraction(30000, 1001), 29.97), (Fraction(25, 2), 12.5)],
)
def test_positions_use_the_decimal_of_a_rate(rate: Fraction, fps: float) -> None:
    assert geometry.position_fps(rate) == fps
