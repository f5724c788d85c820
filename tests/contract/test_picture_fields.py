"""Which pictures become the first frame, and which become keyframes."""

from typing import Any

import pytest

IMAGE, OTHER = "QUJD", "REVG"


def entry(**fields: Any) -> dict[str, Any]:
    return {"image_b64": IMAGE} | fields


@pytest.mark.parametrize("alias", ["image", "image_b64"])
def test_image_and_image_b64_are_the_first_frame(resolve, alias: str) -> None:
    [image] = resolve(**{alias: IMAGE}).images
    assert (image.data, image.frame_idx, image.loc) == (b"ABC", 0, (alias,))


@pytest.mark.parametrize("fields", [{}, {"frame_index": 0}, {"frame_idx": 0}, {"frame_index": None}])
def test_a_single_entry_of_images_is_the_first_frame(resolve, fields: dict) -> None:
    request = resolve(images=[entry(**fields)])
    [image] = request.images
    assert (image.data, image.frame_idx, image.loc) == (b"ABC", 0, ("images", 0, "image_b64"))
    assert request.adjustments == ()


def test_a_single_entry_of_images_keeps_its_strength(resolve) -> None:
    [image] = resolve(images=[entry(strength=0.25)]).images
    assert image.strength == 0.25


@pytest.mark.parametrize("name", ["frame_index", "frame_idx"])
@pytest.mark.parametrize("frame", [40, -1, 10**30])
def test_a_single_entry_of_images_is_moved_to_the_first_frame(resolve, name: str, frame: int) -> None:
    request = resolve(images=[entry(**{name: frame})])
    assert request.images[0].frame_idx == 0
    [adjustment] = request.adjustments
    assert (adjustment.field, adjustment.requested, adjustment.used) == ("keyframes.0.frame_idx", frame, 0)


def test_several_images_are_keyframes(resolve) -> None:
    request = resolve(images=[entry(frame_index=-1, strength=0.5), entry(frame_idx=0)])
    assert [(i.frame_idx, i.strength, i.loc) for i in request.images] == [
        (0, 1.0, ("images", 1, "image_b64")),
        (120, 0.5, ("images", 0, "image_b64")),
    ]
    assert request.adjustments == ()


def test_keyframes_win_over_images(resolve) -> None:
    keyframes = [{"image_b64": OTHER, "frame_idx": 0}, {"image_b64": OTHER, "frame_idx": 8}]
    request = resolve(keyframes=keyframes, images=[entry()])
    assert [image.data for image in request.images] == [b"DEF", b"DEF"]
    [adjustment] = request.adjustments
    assert (adjustment.field, adjustment.requested, adjustment.used) == ("keyframes", "a list of 1", "a list of 2")


def test_several_images_win_over_a_single_one(resolve) -> None:
    request = resolve(input_image_b64=OTHER, images=[entry(frame_index=0), entry(frame_index=8)])
    assert [image.data for image in request.images] == [b"ABC", b"ABC"]
    assert [adjustment.field for adjustment in request.adjustments] == ["input_image_b64"]


def test_frame_idx_wins_over_frame_index(adjusted) -> None:
    images = [entry(frame_idx=0, frame_index=0), entry(frame_idx=8, frame_index=9)]
    assert adjusted(images=images) == [("keyframes.1.frame_idx", 9, 8)]


def test_a_last_frame_follows_a_single_entry_of_images(resolve) -> None:
    request = resolve(strict=True, images=[IMAGE], end_image=OTHER)
    assert [(i.data, i.frame_idx, i.loc) for i in request.images] == [
        (b"ABC", 0, ("images", 0)),
        (b"DEF", 120, ("end_image",)),
    ]


def test_keyframes_win_over_a_last_frame(resolve, adjusted) -> None:
    keyframes = [{"image": IMAGE, "frame": 0}, {"image": IMAGE, "frame": 8}]
    [(field, _, used)] = adjusted(keyframes=keyframes, end_image=OTHER)
    assert (field, used) == ("keyframes", "a list of 2")


def test_several_pictures_as_the_first_frame_are_refused(refuse) -> None:
    assert refuse(input_image=[IMAGE, OTHER]) == ["input_image"]
