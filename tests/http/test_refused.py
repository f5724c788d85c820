"""Refused bodies: the answer names the field and does not show its value."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.http.conftest import SMALL

SECRET = "c2VjcmV0"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"prompt": "a fox",}',
        b"not json",
        b"prompt=a+fox",
        b'{"prompt": "\xff"}',
        '{"prompt": "a fox"}'.encode("utf-16"),
        b'"a fox"',
        b"[]",
        b"null",
        b"5",
        b"[" * 100_000,
        b'{"prompt": "a fox", "a":' * 50_000,
        b'{"prompt": "a fox", "seed": ' + b"1" * 5000 + b"}",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_body_that_is_not_a_json_object_is_refused(refuse: Callable, body: bytes) -> None:
    assert refuse(body).locs == ["body"]


WRONG: list[tuple[dict[str, Any], str]] = [
    *[
        ({"prompt": value}, "prompt")
        for value in (None, "", "   \n", "x" * 10_001, 5, ["a fox"], "\ud800", "\u200b\ufeff\u2800")
    ],
    *[
        ({side: value}, side)
        for side in ("width", "height")
        for value in (0, -64, 16_385, 768.5, "768.5", "wide", True, [768])
    ],
    *[({"width": value}, "width") for value in (float("nan"), float("inf"), 10**400)],
    *[
        ({"num_frames": None} | {name: n}, name)
        for name in ("num_frames", "frames")
        for n in (0, -9, 9.5, "nine", True)
    ],
    *[({"duration": value}, "duration") for value in (-1, "long", "nan", True, float("nan"), float("inf"))],
    *[({"fps": value}, "fps") for value in ("fast", "inf", True, float("nan"), float("-inf"))],
    ({"fps": {}}, "fps"),
    *[({"seed": value}, "seed") for value in (-2, 2**64, "18446744073709551616", 1.5, "seven", True)],
    *[({"guidance_scale": value}, "guidance_scale") for value in ("high", True, float("nan"))],
    *[({"num_inference_steps": value}, "num_inference_steps") for value in ("eight", 8.5, True)],
    *[({"video_format": value}, "video_format") for value in ("avi", "MP4", 4)],
    *[
        ({name: value}, name)
        for name in ("use_random_seed", "generate_audio", "enhance_prompt", "return_json")
        for value in (2, "maybe")
    ],
    ({"negative_prompt": 5}, "negative_prompt"),
    ({"input_image_b64": 5}, "input_image_b64"),
    *[
        ({"resolution": value, "width": None, "height": None}, "resolution")
        for value in ("large", "1280", 1280, "1280x", "0x720")
    ],
    ({"frame_rate": "fast"}, "frame_rate"),
    ({"cfg_guidance_scale": "high"}, "cfg_guidance_scale"),
    ({"image": 5}, "image"),
]


@pytest.mark.parametrize(("fields", "name"), WRONG, ids=lambda value: str(value)[:40])
def test_a_value_of_the_wrong_type_is_refused_at_its_field(refuse: Callable, fields: dict, name: str) -> None:
    assert refuse(**fields).locs == [f"body.{name}"]


def test_every_invalid_field_is_named(refuse: Callable) -> None:
    refusal = refuse(prompt="", width="wide", seed=-2)

    assert sorted(refusal.locs) == ["body.prompt", "body.seed", "body.width"]


@pytest.mark.parametrize(
    "fields",
    [
        {"width": SECRET},
        {"input_image_b64": SECRET + "!"},
        {"input_image_b64": SECRET},
        {"keyframes": [{"image_b64": SECRET, "frame_idx": 0}, {"image_b64": SECRET, "frame_idx": "1"}]},
        {"keyframes": SECRET},
        {"resolution": SECRET, "width": None},
        {"video_format": SECRET},
        {"seed": [SECRET]},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_refusal_does_not_repeat_the_value(refuse: Callable, fields: dict) -> None:
    assert SECRET not in refuse(**fields).response.text


def test_the_refusal_of_a_large_image_is_small(refuse: Callable) -> None:
    assert len(refuse(input_image_b64="%" * 5_000_000).response.content) < 500


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/json; charset=x",
    ],
)
def test_the_body_is_read_as_json_whatever_its_content_type(refuse: Callable, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    body = b'\xef\xbb\xbf{"prompt": "a fox", "width": "wide"}'

    assert refuse(body, headers).locs == ["body.width"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/nowhere", 404),
        ("GET", "/generate/1", 404),
        ("GET", "/%00%ff", 404),
        ("GET", "/generate", 405),
        ("PUT", "/generate", 405),
        ("OPTIONS", "/generate", 405),
        ("POST", "/health", 405),
        ("DELETE", "/models", 405),
    ],
)
def test_other_paths_and_methods_are_refused(client: httpx.Client, method: str, path: str, status: int) -> None:
    response = client.request(method, path, json=SMALL)

    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert isinstance(response.json()["detail"], str)
    assert ("allow" in response.headers) == (status == 405)


def test_a_refused_head_request_has_no_body(client: httpx.Client) -> None:
    response = client.head("/generate")

    assert (response.status_code, response.content) == (405, b"")
