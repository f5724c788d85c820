import json
import math

import pytest

from server.contract.errors import RequestInvalid
from server.contract.parsing.json_body import MAX_VALUES, parse_body
from server.contract.resolve import resolve_request


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"{",
        b"{'prompt': 1}",
        b'{"prompt": "x"} trailing',
        b'{"prompt": "\xff"}',
        b'{"prompt": "\xed\xa0\x80"}',
        '{"prompt": "x"}'.encode("utf-16"),
        b"[]",
        b'"prompt"',
        b"null",
        b"5",
        b"NaN",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"seed": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_body_that_is_not_a_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(RequestInvalid) as caught:
        parse_body(body)
    [error] = caught.value.detail
    assert error["loc"] == ["body"]
    assert error["msg"]
    assert error["type"] in ("json_invalid", "dict_type")


@pytest.mark.parametrize("item", [b'{"":{}},', b"[],", b"1,", b'"",'])
def test_too_many_values_are_refused_before_parsing(item: bytes) -> None:
    with pytest.raises(RequestInvalid) as caught:
        parse_body(b'{"a": [' + item * MAX_VALUES + b"1]}")
    assert caught.value.detail == [
        {"loc": ["body"], "msg": "The body should hold at most 100,000 values", "type": "too_many_values"}
    ]


def test_long_texts_and_many_keyframes_are_within_the_limit_of_values() -> None:
    body = {"prompt": ", " * 5000, "image": "x" * (5 << 20), "keyframes": [{"image_b64": "", "frame_idx": 0}] * 1000}
    assert parse_body(json.dumps(body).encode()) == body


def test_a_json_object_is_parsed() -> None:
    assert parse_body('{"prompt": "ein Füchslein 🦊"}'.encode()) == {"prompt": "ein Füchslein 🦊"}
    assert parse_body(b"{}") == {}


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse_body(b'\xef\xbb\xbf{"prompt": "x"}') == {"prompt": "x"}


def test_nan_is_refused_at_its_field() -> None:
    body = parse_body(b'{"prompt": "x", "fps": NaN, "note": Infinity}')
    assert math.isnan(body["fps"])
    with pytest.raises(RequestInvalid) as caught:
        resolve_request(body)
    assert [error["loc"] for error in caught.value.detail] == [["body", "fps"]]


def test_nan_in_an_unknown_field_is_ignored() -> None:
    [adjustment] = resolve_request(parse_body(b'{"prompt": "x", "note": -Infinity}')).adjustments
    assert (adjustment.field, adjustment.requested) == ("note", "-inf")


def test_the_message_does_not_quote_the_body() -> None:
    with pytest.raises(RequestInvalid) as caught:
        parse_body(b'{"prompt": SECRET}')
    assert "SECRET" not in str(caught.value.detail)
