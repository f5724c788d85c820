"""A picture whose aspect ratio differs from the clip's is cropped, and the answer says so."""

import json
from collections.abc import Callable

import httpx
import pytest

from tests.http.conftest import SMALL, STRICT, encode, picture

WIDE = encode(picture(size=(1024, 256)))
SQUARE = encode(picture())


def keyframes(*images: str) -> list[dict[str, object]]:
    return [{"image_b64": image, "frame_idx": 8 * i} for i, image in enumerate(images)]


def test_the_crop_and_the_size_that_would_show_everything_are_reported(generate: Callable) -> None:
    [adjustment] = generate(input_image_b64=WIDE).adjustments

    assert adjustment == {
        "field": "input_image_b64",
        "requested": "1024x256 pixels",
        "used": "256x256 pixels",
        "reason": "the picture has 1024x256 pixels, and a clip of 256x256 shows the middle 256x256 of them (25%), "
        "the rest is cropped; a clip of 1024x256 would show it whole",
    }


def test_an_upright_photograph_is_cropped_after_it_is_rotated(client: httpx.Client) -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"  # orientation 6
    photograph = encode(picture("JPEG", size=(1152, 768), exif=exif))
    body = {"prompt": "a fox", "num_frames": 9, "generate_audio": False, "input_image_b64": photograph}

    response = client.post("/generate", json=body)

    assert (response.headers["x-ltx-width"], response.headers["x-ltx-height"]) == ("768", "512")
    [adjustment] = json.loads(response.headers["x-ltx-adjustments"])
    assert (adjustment["requested"], adjustment["used"]) == ("768x1152 pixels", "768x512 pixels")
    assert "a clip of 512x768 would show it whole" in adjustment["reason"]


@pytest.mark.parametrize("name", ["keyframes", "images"])
def test_each_cropped_keyframe_is_reported_under_its_own_path(generate: Callable, name: str) -> None:
    clip = generate(**{name: keyframes(SQUARE, WIDE)})

    assert [adjustment["field"] for adjustment in clip.adjustments] == ["keyframes.1.image_b64"]


def test_a_crop_due_to_rounding_is_not_reported(generate: Callable) -> None:
    nearly_square = encode(picture(size=(2000, 1960)))

    assert generate(STRICT, input_image_b64=nearly_square).adjustments == []


@pytest.mark.parametrize(
    ("fields", "loc"),
    [
        ({"input_image_b64": WIDE}, "body.input_image_b64"),
        ({"image": WIDE}, "body.image"),
        ({"keyframes": keyframes(SQUARE, WIDE)}, "body.keyframes.1.image_b64"),
        ({"images": keyframes(SQUARE, WIDE)}, "body.images.1.image_b64"),
    ],
    ids=["input_image_b64", "image", "keyframes", "images"],
)
def test_strict_handling_refuses_a_crop(refuse: Callable, fields: dict[str, object], loc: str) -> None:
    refusal = refuse(headers=STRICT, **fields)

    assert refusal.locs == [loc]
    assert refusal.detail[0]["type"] == "adjustment_refused"
    assert "a clip of 1024x256 would show it whole" in refusal.detail[0]["msg"]


def test_a_stored_video_reports_a_crop(client: httpx.Client) -> None:
    video = client.post("/v1/videos", json=SMALL | {"input_reference": WIDE}).json()
    strict = client.post("/v1/videos", json=SMALL | {"input_reference": WIDE}, headers=STRICT)

    assert [adjustment["field"] for adjustment in video["adjustments"]] == ["input_image_b64"]
    assert strict.json()["detail"][0]["loc"] == ["body", "input_reference"]
    client.delete(f"/v1/videos/{video['id']}")
