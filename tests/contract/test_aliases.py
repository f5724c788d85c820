from fractions import Fraction
from typing import Any

import pytest

IMAGE, OTHER = "QUJD", "REVG"


def entry(**fields: Any) -> dict[str, Any]:
    return {"image_b64": IMAGE} | fields


@pytest.mark.parametrize(
    ("alias", "documented"),
    [
        ({"frame_rate": 29.97}, {"fps": 29.97}),
        ({"cfg_guidance_scale": 5}, {"guidance_scale": 5}),
        ({"steps": 30}, {"num_inference_steps": 30}),
        ({"resolution": "1280*720"}, {"width": 1280, "height": 720}),
        ({"resolution": "1280x720"}, {"width": 1280, "height": 720}),
        ({"resolution": " 1280 X 720\n"}, {"width": 1280, "height": 720}),
        ({"images": []}, {}),
        ({"frame_rate": None, "resolution": None, "images": None, "image": None}, {}),
    ],
)
def test_an_alias_means_the_documented_field(resolve, alias: dict, documented: dict) -> None:
    assert resolve(**alias) == resolve(**documented)


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


@pytest.mark.parametrize(
    ("sent", "locs"),
    [
        ({"frame_rate": "fast"}, ["frame_rate"]),
        ({"steps": "8.5"}, ["steps"]),
        ({"cfg_guidance_scale": True}, ["cfg_guidance_scale"]),
        ({"image": 5}, ["image"]),
        ({"image_b64": 5}, ["image_b64"]),
        ({"resolution": "1280"}, ["resolution"]),
        ({"resolution": "1280x"}, ["resolution"]),
        ({"resolution": "-1280x720"}, ["resolution"]),
        ({"resolution": "1280x720x3"}, ["resolution"]),
        ({"resolution": "1280.0x720"}, ["resolution"]),
        ({"resolution": "\uff19x\uff19"}, ["resolution"]),
        ({"resolution": "9" * 5000 + "x720"}, ["resolution"]),
        ({"resolution": 1280}, ["resolution"]),
        ({"resolution": [1280, 720]}, ["resolution"]),
        ({"resolution": "0x720"}, ["resolution"]),
        ({"resolution": "99999x720"}, ["resolution"]),
        ({"images": "QUJD"}, ["images"]),
        ({"images": {"0": "QUJD"}}, ["images"]),
        ({"images": [5]}, ["images.0"]),
        ({"images": [{"strength": 1}]}, ["images.0.image_b64"]),
        ({"images": [None, {"strength": 1}]}, ["images.1.image_b64"]),
        ({"images": [entry(frame_index="first")]}, ["images.0.frame_index"]),
        ({"images": [entry(frame_idx="0.5")]}, ["images.0.frame_idx"]),
        ({"images": [entry(strength=2)]}, ["images.0.strength"]),
        ({"images": [entry(frame_index=0), entry()]}, ["images.1.frame_index"]),
        ({"images": [entry(frame_index=0), entry(frame_index=500)]}, ["images.1.frame_index"]),
        ({"images": [entry(frame_index=0), entry(frame_idx=0)]}, ["images.1.frame_idx"]),
        ({"images": [entry(frame_index=8), entry(frame_index=9)]}, ["images"]),
        ({"images": [entry(frame_index=0), entry(frame_index=8, image_b64="?")]}, ["images.1.image_b64"]),
        ({"images": [entry()] * 1002}, ["images"]),
    ],
)
def test_an_error_names_the_field_as_it_was_sent(refuse, sent: dict, locs: list[str]) -> None:
    assert refuse(**sent) == locs


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"fps": 30, "frame_rate": 25}, [("fps", 25, 30)]),
        ({"fps": 30, "frame_rate": "junk"}, [("fps", "junk", 30)]),
        ({"fps": 30, "frame_rate": 30}, []),
        ({"num_inference_steps": 8, "steps": 30}, []),
        ({"guidance_scale": 3.1, "cfg_guidance_scale": 5}, [("guidance_scale", 5, 3.1)]),
        ({"input_image_b64": IMAGE, "image": OTHER}, [("input_image_b64", OTHER, IMAGE)]),
        ({"image": IMAGE, "image_b64": OTHER}, [("input_image_b64", OTHER, IMAGE)]),
        ({"width": 640, "resolution": "1280x512"}, [("width", 1280, 640)]),
        ({"width": 640, "height": 384, "resolution": "768x512"}, []),
        ({"input_image_b64": IMAGE, "images": [entry()]}, [("input_image_b64", "a list of 1", IMAGE)]),
        # Sent with its default: never an adjustment.
        ({"guidance_scale": 3.1, "cfg_guidance_scale": 3.1}, []),
        # Both null: nothing is overridden.
        ({"fps": None, "frame_rate": 25}, []),
    ],
)
def test_the_documented_name_wins(adjusted, sent: dict, expected: list) -> None:
    assert adjusted(**sent) == expected


def test_an_alias_is_used_if_the_documented_field_is_null(resolve) -> None:
    assert resolve(fps=None, frame_rate=25).spec.frame_rate == Fraction(25)


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
