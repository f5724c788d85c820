"""Requests wrapped in another object."""

from typing import Any

import pytest

from server.contract.enhance import resolve_enhance
from server.contract.errors import RequestInvalid
from server.contract.resolve import resolve_request

FIELDS = {"prompt": "a fox", "width": 512, "seed": 7}
ENVELOPES: list[tuple[dict[str, Any], tuple[str | int, ...]]] = [
    ({"input": FIELDS}, ("input",)),
    ({"input_args": FIELDS}, ("input_args",)),
    ({"args": FIELDS}, ("args",)),
    ({"args": [FIELDS]}, ("args", 0)),
    ({"data": FIELDS}, ("data",)),
    ({"parameters": FIELDS}, ("parameters",)),
    ({"input": {"args": [FIELDS]}}, ("input", "args", 0)),
    ({"input": FIELDS, "width": None}, ("input",)),
]


@pytest.mark.parametrize(("body", "path"), ENVELOPES, ids=str)
def test_an_envelope_is_removed_and_reported(body: dict[str, Any], path: tuple[str | int, ...]) -> None:
    request = resolve_request(body)

    assert (request.spec.prompt, request.spec.width, request.spec.seed) == ("a fox", 512, 7)
    assert request.adjustments[-1].field == ".".join(part for part in path if isinstance(part, str))
    assert all("top level" in adjustment.reason for adjustment in request.adjustments)


@pytest.mark.parametrize(("body", "path"), ENVELOPES, ids=str)
def test_strict_handling_refuses_an_envelope(body: dict[str, Any], path: tuple[str | int, ...]) -> None:
    with pytest.raises(RequestInvalid) as caught:
        resolve_request(body, strict=True)
    assert [error.loc for error in caught.value.errors] == [path[:1]]


def test_an_error_names_the_field_inside_the_envelope() -> None:
    with pytest.raises(RequestInvalid) as caught:
        resolve_request({"args": [FIELDS | {"width": "wide", "frames": -1}]})
    assert [error.loc for error in caught.value.errors] == [("args", 0, "width"), ("args", 0, "frames")]


def test_an_image_keeps_its_location_inside_the_envelope() -> None:
    assert resolve_request({"input": FIELDS | {"image": "QUJD"}}).images[0].loc == ("input", "image")


def test_fields_beside_an_envelope_are_reported() -> None:
    request = resolve_request({"id": "1", "webhook": "https://example.com/hook", "input": FIELDS})
    assert [adjustment.field for adjustment in request.adjustments] == ["input", "id", "webhook"]


def test_a_request_may_be_split_over_two_envelopes() -> None:
    body: dict[str, Any] = {
        "model": "wan",
        "input": {"prompt": "a fox", "img_url": "QUJD"},
        "parameters": {"width": 512, "fps": "x"},
    }
    with pytest.raises(RequestInvalid) as caught:
        resolve_request(body)
    assert [error.loc for error in caught.value.errors] == [("parameters", "fps")]
    body["parameters"]["fps"] = 25
    assert resolve_request(body).images[0].loc == ("input", "img_url")


@pytest.mark.parametrize(
    "body",
    [
        {"input": FIELDS, "seed": 7},
        {"input": FIELDS, "image_url": "QUJD"},
        {"input": FIELDS, "parameters": FIELDS},
        {"args": [FIELDS, FIELDS]},
        {"input": "a fox"},
        {"input": {}},
        {"payload": FIELDS},
        {"input": {"args": {"data": FIELDS}}},
    ],
    ids=str,
)
def test_a_prompt_in_any_other_object_is_missing(body: dict[str, Any]) -> None:
    with pytest.raises(RequestInvalid) as caught:
        resolve_request(body)
    assert caught.value.errors[0].loc[-1] == "prompt"


@pytest.mark.parametrize("body", [{"payload": FIELDS}, {"input": FIELDS, "parameters": FIELDS}], ids=str)
def test_an_error_says_where_a_nested_prompt_belongs(body: dict[str, Any]) -> None:
    with pytest.raises(RequestInvalid, match="top level"):
        resolve_request(body)


def test_an_envelope_beside_a_prompt_is_an_unknown_field() -> None:
    [adjustment] = resolve_request({"prompt": "a fox", "data": {"width": 512}}).adjustments
    assert (adjustment.field, adjustment.requested) == ("data", "an object of 1")


def test_enhance_removes_an_envelope() -> None:
    enhance = resolve_enhance({"input": {"prompt": "a fox", "duration": "8", "image_url": "QUJD", "seed": ""}})
    assert (enhance.prompt, enhance.duration_s, enhance.seed) == ("a fox", 8.0, 0)
    assert enhance.image is not None
    assert enhance.image.loc == ("input", "image_url")
