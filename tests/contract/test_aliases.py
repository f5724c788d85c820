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
