"""The part of a picture that a clip shows, and the size that would show all of it."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.geometry import snap_size
from pipelines.media.image_crop import MAX_LOSS, Crop, Size, whole_size


@pytest.mark.parametrize(
    ("picture", "clip", "shown", "whole"),
    [
        ((1024, 256), (256, 256), (256, 256), (1024, 256)),
        ((768, 1152), (768, 512), (768, 512), (512, 768)),
        ((4032, 3024), (768, 512), (4032, 2688), (768, 576)),
        ((3024, 4032), (768, 512), (3024, 2016), (576, 768)),
        ((1179, 2556), (768, 512), (1179, 786), (448, 960)),
        ((10_000, 100), (768, 512), (150, 100), (3840, 256)),
        ((1, 8000), (256, 256), (1, 1), (256, 3840)),
    ],
)
def test_the_shown_part_and_the_size_that_shows_everything(
    picture: tuple[int, int], clip: tuple[int, int], shown: tuple[int, int], whole: tuple[int, int]
) -> None:
    crop = Crop(Size(*picture), Size(*clip))
    assert crop.is_reported
    assert crop.shown == Size(*shown)
    assert whole_size(crop.picture, crop.clip) == Size(*whole)


@pytest.mark.parametrize(
    ("picture", "clip"),
    [((1920, 1080), (1920, 1088)), ((1280, 720), (1280, 704)), ((768, 512), (768, 512)), ((1, 1), (768, 512))],
)
def test_a_crop_due_to_rounding_is_not_reported(picture: tuple[int, int], clip: tuple[int, int]) -> None:
    assert not Crop(Size(*picture), Size(*clip)).is_reported


sides = st.integers(1, 64_000)


@given(st.builds(Size, sides, sides), st.builds(lambda w, h: Size(*snap_size(w, h)), sides, sides))
def test_the_suggested_size_is_valid_and_shows_more(picture: Size, clip: Size) -> None:
    crop = Crop(picture, clip)
    whole = whole_size(picture, clip)
    assert snap_size(whole.width, whole.height) == (whole.width, whole.height)
    better = Crop(picture, whole)
    assert better.loss <= max(MAX_LOSS, crop.loss)
    if 256 / 3840 < picture.width / picture.height < 3840 / 256:
        assert not better.is_reported
    if not crop.is_reported and crop.loss <= MAX_LOSS:
        assert abs(log(whole.area / clip.area)) < 1e-9
