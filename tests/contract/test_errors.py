"""What errors reveal, and where they point."""

from typing import Any

import pytest

from server.contract.errors import FieldError, RequestInvalid
from server.contract.resolve import resolve_request

IMAGE = "QUJD"
KEYFRAMES = [{"image_b64": IMAGE, "frame_idx": 0}, {"image_b64": IMAGE, "frame_idx": 8}]


@pytest.mark.parametrize(
    "fields",
    [
        {"input_image_b64": "SECRET*" * 1000},
        {"input_image_b64": 123456789},
        {"width": "SECRET"},
        {"video_format": "SECRET"},
        {"resolution": "SECRET"},
        {"keyframes": "SECRET"},
        {"keyframes": ["SECRET", {"image_b64": ["SECRET"], "frame_idx": "SECRET", "strength": 123456789}]},
        {"seed": -123456789},
        {"prompt": "SECRET" * 10_000},
        {"strict": True, "foo": "SECRET"},
        {"strict": True, "negative_prompt": "SECRET", "nag_scale": 1},
        {"strict": True, "num_frames": 123456789},
        {"strict": True, "fps": 123456789},
        {"strict": True, "duration": 123456789},
    ],
)
def test_an_error_never_echoes_the_value(resolve, fields: dict[str, Any]) -> None:
    with pytest.raises(RequestInvalid) as caught:
        resolve(**fields)
    for text in (str(caught.value.detail), str(caught.value), str(caught.value.__cause__)):
        assert "SECRET" not in text
        assert "123456789" not in text


def test_a_field_name_in_an_error_is_short_and_can_be_encoded() -> None:
    with pytest.raises(RequestInvalid) as caught:
        resolve_request({"prompt": "a fox", "\ud800" * 100_000: 1}, strict=True)
    [error] = caught.value.detail
    assert len(error["loc"][1].encode()) <= 64


def test_an_error_names_no_internal_class(resolve) -> None:
    with pytest.raises(RequestInvalid) as caught:
        resolve(keyframes=[1, 2])
    assert "KeyframeRequest" not in str(caught.value.detail)


def test_at_most_100_errors_are_reported() -> None:
    errors = [FieldError(("keyframes", i), "wrong", "wrong") for i in range(1000)]
    assert len(RequestInvalid(errors).detail) == 100


def test_an_error_found_later_can_name_its_field(resolve) -> None:
    image = resolve(keyframes=KEYFRAMES).images[1]
    [error] = RequestInvalid.at(image.loc, "not an image", "image_invalid").detail
    assert error == {"loc": ["body", "keyframes", 1, "image_b64"], "msg": "not an image", "type": "image_invalid"}
