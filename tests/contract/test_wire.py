"""Types, defaults and limits of the documented fields."""

from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from pipelines.spec import Container
from server.contract.errors import RequestInvalid

INF, NAN = float("inf"), float("nan")
INTEGERS = ("width", "height", "num_frames", "frames", "seed", "num_inference_steps")
NUMBERS = ("duration", "fps", "guidance_scale", "nag_scale", "nag_alpha", "nag_tau")
BOOLEANS = ("use_random_seed", "generate_audio", "enhance_prompt", "return_json", "stream")
STRINGS = ("prompt", "negative_prompt", "input_image_b64", "video_format")


def test_defaults(resolve) -> None:
    request = resolve()
    assert request.spec.prompt == "a fox"
    assert (request.spec.width, request.spec.height, request.spec.num_frames) == (768, 512, 121)
    assert request.spec.frame_rate == Fraction(24)
    assert request.images == ()
    assert request.spec.generate_audio
    assert request.spec.container is Container.MP4
    assert not request.enhance_prompt
    assert request.adjustments == ()


def test_sent_values_are_used(resolve) -> None:
    sent = {"generate_audio": False, "video_format": "webm", "enhance_prompt": True, "return_json": True}
    request = resolve(prompt="  as it is \n", **sent)
    assert request.spec.prompt == "  as it is \n"
    assert not request.spec.generate_audio
    assert request.spec.container is Container.WEBM
    assert request.enhance_prompt
    assert request.adjustments == ()


@pytest.mark.parametrize("field", [*INTEGERS, *NUMBERS, *BOOLEANS, *STRINGS[1:], "keyframes", "images", "resolution"])
def test_null_counts_as_absent(resolve, field: str) -> None:
    assert resolve(strict=True, **{field: None}) == resolve()


def test_an_unknown_field_that_is_null_counts_as_absent(adjusted) -> None:
    assert adjusted(unknown=None) == []


def test_a_null_prompt_counts_as_missing(refuse) -> None:
    assert refuse(prompt=None) == ["prompt"]


@pytest.mark.parametrize("empty", ["", []], ids=repr)
@pytest.mark.parametrize("field", [*INTEGERS, *NUMBERS, *BOOLEANS, *STRINGS[1:], "keyframes", "images", "image", "foo"])
def test_an_empty_value_counts_as_absent(resolve, field: str, empty: object) -> None:
    assert resolve(strict=True, **{field: empty}) == resolve()


@pytest.mark.parametrize("field", ["keyframes", "images", "input_image_b64", "image", "end_image", "foo"])
@pytest.mark.parametrize("empty", [{}, [None], [""], [{}]], ids=repr)
def test_a_list_or_object_of_empty_values_counts_as_absent(resolve, field: str, empty: object) -> None:
    if field == "foo":
        empty = {}
    assert resolve(strict=True, **{field: empty}) == resolve()


@pytest.mark.parametrize("zero", [0, 0.0, -0.0, "0", "0.0", " 0 "], ids=repr)
@pytest.mark.parametrize("field", ["fps", "frame_rate", "duration"])
def test_a_rate_or_duration_of_0_counts_as_absent(resolve, field: str, zero: object) -> None:
    assert resolve(strict=True, **{field: zero}) == resolve()


def test_an_empty_prompt_counts_as_missing(refuse) -> None:
    assert refuse(prompt="") == ["prompt"]


@pytest.mark.parametrize("text", ["{}", "{}.0", " {}", "{}\n", "+{}"])
@pytest.mark.parametrize(("field", "value"), [(field, 24) for field in (*INTEGERS, "duration", "fps")])
def test_a_number_may_be_sent_as_text(resolve, field: str, value: int, text: str) -> None:
    spelled, plain = resolve(**{field: text.format(value)}), resolve(**{field: value})

    assert replace(spelled, adjustments=()) == replace(plain, adjustments=())
    assert [(a.field, a.used) for a in spelled.adjustments] == [(a.field, a.used) for a in plain.adjustments]


@pytest.mark.parametrize("sent", [{"width": "768"}, {"fps": "24"}, {"guidance_scale": "3.1"}, {"num_frames": " 121 "}])
def test_a_number_as_text_is_not_an_adjustment(resolve, sent: dict) -> None:
    assert resolve(strict=True, **sent) == resolve()


@pytest.mark.parametrize("digits", [300, 4000, 5000])
@pytest.mark.parametrize("field", [*INTEGERS, *NUMBERS])
def test_numbers_of_thousands_of_digits_do_not_crash(resolve, field: str, digits: int) -> None:
    with suppress(RequestInvalid):
        resolve(**{field: "9" * digits})


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        *[(value, True) for value in (1, 1.0, "1", "true", "True", "on", "yes", "t")],
        *[(value, False) for value in (0, 0.0, "0", "false", "FALSE", "off", "no", "n")],
    ],
)
@pytest.mark.parametrize("field", BOOLEANS)
def test_every_boolean_that_pydantic_accepts_is_accepted(resolve, field: str, value: Any, meaning: bool) -> None:
    assert resolve(strict=True, **{field: value}) == resolve(strict=True, **{field: meaning})


@pytest.mark.parametrize("field", INTEGERS)
def test_an_integral_float_is_an_integer(resolve, field: str) -> None:
    assert resolve(**{field: 768.0}) == resolve(**{field: 768})


@pytest.mark.parametrize("value", [768.5, "768.5", "wide", " ", True, False, NAN, INF, -INF, [768], {"v": 768}, {}])
@pytest.mark.parametrize("field", INTEGERS)
def test_values_that_are_not_integers_are_refused(refuse, field: str, value: Any) -> None:
    assert refuse(**{field: value}) == [field]


@pytest.mark.parametrize(
    "value", ["fast", "nan", "-inf", "1e400", " ", True, False, NAN, INF, -INF, [24], {"v": 24}, {}]
)
@pytest.mark.parametrize("field", NUMBERS)
def test_values_that_are_not_numbers_are_refused(refuse, field: str, value: Any) -> None:
    assert refuse(**{field: value}) == [field]


@pytest.mark.parametrize("value", [2, 0.5, NAN, "maybe", " ", [True], {"v": True}, {}])
@pytest.mark.parametrize("field", BOOLEANS)
def test_values_that_are_not_booleans_are_refused(refuse, field: str, value: Any) -> None:
    assert refuse(**{field: value}) == [field]


@pytest.mark.parametrize("value", [1, True, ["a"], {"a": 1}, 1.5, NAN, "a \ud800 b", "\udfff"])
@pytest.mark.parametrize("field", STRINGS)
def test_values_that_are_not_strings_are_refused(refuse, field: str, value: Any) -> None:
    assert refuse(**{field: value}) == [field]


# Spaces, control characters, a byte order mark, a zero-width joiner, Hangul fillers, a blank Braille pattern,
# a lone accent.
BLANK = [
    "",
    " ",
    "\n\t ",
    "\u2003",
    "\x00",
    "\ufeff",
    "\u200b\u200d",
    "\u3164",
    "\uffa0",
    "\u2800",
    "\u0301",
    "\U000e0041",
]


@pytest.mark.parametrize("prompt", [*BLANK, " ".join(BLANK), "x" * 10_001, "🦊" * 10_001])
def test_prompts_that_are_refused(refuse, prompt: str) -> None:
    assert refuse(prompt=prompt) == ["prompt"]


@pytest.mark.parametrize(
    "prompt", ["x", "x" * 10_000, "🦊" * 10_000, "a\x00b", "\ufeff狐", ".", "\u200d🦊\ufe0f", "각", "ก็"]
)
def test_prompts_that_are_accepted(resolve, prompt: str) -> None:
    assert resolve(prompt=prompt).spec.prompt == prompt


@pytest.mark.parametrize("value", [0, -1, -768, 16_385, 10**30, 1e300, -0.0])
@pytest.mark.parametrize("field", ["width", "height"])
def test_sizes_that_are_refused(refuse, field: str, value: float) -> None:
    assert refuse(**{field: value}) == [field]


@pytest.mark.parametrize("value", [0, -1, -(10**30), -0.0])
@pytest.mark.parametrize("field", ["num_frames", "frames"])
def test_frame_counts_that_are_refused(refuse, field: str, value: float) -> None:
    assert refuse(**{field: value}) == [field]


@pytest.mark.parametrize("value", [-1, -0.001, -5e-324, -1e300, -(10**400)])
def test_durations_that_are_refused(refuse, value: float) -> None:
    assert refuse(duration=value) == ["duration"]


@pytest.mark.parametrize("value", ["MP4", "mov", " "])
def test_formats_that_are_refused(refuse, value: str) -> None:
    assert refuse(video_format=value) == ["video_format"]


@pytest.mark.parametrize("steps", [1, 5, 8, 30, 0, -3, 10**30])
@pytest.mark.parametrize("field", ["num_inference_steps", "steps"])
def test_steps_are_always_8_without_an_adjustment(resolve, field: str, steps: int) -> None:
    assert resolve(strict=True, **{field: steps}) == resolve()


def test_every_bad_field_is_named_at_once(refuse) -> None:
    assert refuse(prompt="", width=0, fps="x") == ["prompt", "width", "fps"]
