import json
from typing import Any

import pytest

from server.contract.adjustments import Adjustment, adjustments_header, adjustments_json

IMAGE = "QUJD"


def test_sending_the_defaults_is_not_an_adjustment(resolve) -> None:
    defaults = {
        "negative_prompt": "shaky, glitchy, low quality, worst quality, deformed, distorted",
        "width": 768,
        "height": 512,
        "num_frames": None,
        "frames": None,
        "duration": None,
        "fps": 24,
        "seed": None,
        "use_random_seed": True,
        "keyframes": None,
        "input_image_b64": None,
        "generate_audio": True,
        "guidance_scale": 3.1,
        "num_inference_steps": 8,
        "video_format": "mp4",
        "enhance_prompt": False,
        "return_json": False,
        "stream": False,
    }
    assert resolve(strict=True, **defaults) == resolve()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (5, 5),
        (1.5, 1.5),
        ("short", "short"),
        ("x" * 64, "x" * 64),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        ("\ud800", "?"),
        ([1, 2], "a list of 2"),
        ({"a": 1}, "an object of 1"),
        (b"bytes", "a bytes"),
        (10**30, 10**30),
        (10**4000, "an integer of about 4001 digits"),
    ],
)
def test_values_are_shown_as_short_scalars(value: Any, shown: Any) -> None:
    [entry] = adjustments_json([Adjustment("field", value, value, "reason")])
    assert entry == {"field": "field", "requested": shown, "used": shown, "reason": "reason"}


def test_a_long_string_is_reported_with_its_length() -> None:
    shown = Adjustment("field", "x" * 1000, None, "reason").requested
    assert isinstance(shown, str)
    assert len(shown) == 64
    assert shown.endswith("... (1000 characters)")


def test_a_long_field_name_is_shortened(resolve) -> None:
    [adjustment] = resolve(**{"n\ud800" * 10_000: 1}).adjustments
    assert len(adjustment.field) == 64
    assert "\ud800" not in adjustment.field


def test_a_header_without_adjustments_is_an_empty_list() -> None:
    assert adjustments_header([]) == "[]"


def test_a_header_is_a_json_list_in_ascii() -> None:
    adjustments = [Adjustment("prompt", "Füchslein 🦊 \x7f \r\n", 1.5, "¿por qué?")]
    header = adjustments_header(adjustments)
    assert all(0x20 <= ord(char) < 0x7F for char in header)
    assert json.loads(header) == adjustments_json(adjustments)


def test_a_header_says_how_many_were_left_out() -> None:
    adjustments = [Adjustment(f"field_{i}", "🦊" * 100, i, "reason") for i in range(50)]
    header = adjustments_header(adjustments)
    assert len(header) <= 2000
    *shown, last = json.loads(header)
    assert shown == adjustments_json(adjustments)[: len(shown)]
    assert shown
    assert last["field"] == "adjustments"
    assert (last["requested"], last["used"]) == (50, len(shown))
    assert last["reason"].startswith(f"{50 - len(shown)} more")


def test_a_header_whose_first_entry_is_too_long_says_so() -> None:
    [entry] = json.loads(adjustments_header([Adjustment("field", 1, 2, "x" * 5000)]))
    assert entry["field"] == "adjustments"
