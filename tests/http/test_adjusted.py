"""Values that do not fit are adjusted and reported, or refused if the client prefers that."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.http.conftest import SMALL, STRICT, encode, picture

KEYFRAMES = [{"image_b64": encode(picture()), "frame_idx": 0}, {"image_b64": encode(picture()), "frame_idx": 719}]

ADJUSTED: list[tuple[dict[str, Any], list[tuple[str, Any, Any]]]] = [
    ({"width": 300, "height": 250}, [("width", 300, 320), ("height", 250, 256)]),
    ({"width": 1}, [("width", 1, 256)]),
    ({"num_frames": 10}, [("num_frames", 10, 9)]),
    ({"num_frames": 13}, [("num_frames", 13, 17)]),
    ({"frames": 10, "num_frames": None}, [("num_frames", 10, 9)]),
    ({"fps": 5}, [("fps", 5.0, 8)]),
    ({"fps": 120}, [("fps", 120.0, 50)]),
    ({"duration": 3, "fps": 24}, [("duration", 3.0, 0.375)]),
    ({"guidance_scale": 1}, [("guidance_scale", 1.0, 1.0)]),
    ({"negative_prompt": "rain", "nag_scale": 1}, [("negative_prompt", "rain", None)]),
    ({"motion": 5, "steps": 4}, [("motion", 5, None)]),
    ({"enhance_prompt": True}, [("enhance_prompt", True, False)]),
]


IDS = ["-".join(fields) for fields, _ in ADJUSTED]


@pytest.mark.parametrize(("fields", "changes"), ADJUSTED, ids=IDS)
def test_adjustments_are_in_the_header_and_in_the_json(generate: Callable, fields: dict, changes: list) -> None:
    clip = generate(return_json=True, **fields)

    assert clip.changes == changes
    assert all(a.keys() == {"field", "requested", "used", "reason"} and a["reason"] for a in clip.adjustments)
    assert clip.response.json()["adjustments"] == clip.adjustments


@pytest.mark.parametrize(("fields", "changes"), ADJUSTED, ids=IDS)
def test_strict_handling_refuses_each_adjustment(refuse: Callable, fields: dict, changes: list) -> None:
    refusal = refuse(headers=STRICT, **fields)

    names = ["frames" if "frames" in fields else field for field, *_ in changes]
    assert refusal.locs == [f"body.{name}" for name in names]
    assert {error["type"] for error in refusal.detail} == {"adjustment_refused"}
    assert refusal.response.headers["preference-applied"] == "handling=strict"


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"width": 5000, "height": 5000}, ["width", "height"]),
        ({"width": 1920, "height": 1080}, ["height"]),
        ({"num_frames": 489}, ["num_frames"]),
        ({"num_frames": None, "duration": 21}, ["duration"]),
        ({"width": 2560, "height": 1472, "num_frames": None, "duration": 11}, ["duration"]),
        ({"num_frames": None, "duration": 30, "keyframes": KEYFRAMES}, ["duration", "keyframes.1.frame_idx"]),
    ],
    ids=str,
)
def test_strict_handling_names_every_adjustment(refuse: Callable, fields: dict, names: list[str]) -> None:
    """Sizes and lengths whose clips would take long."""
    assert refuse(headers=STRICT, **fields).locs == [f"body.{name}" for name in names]


def test_strict_handling_serves_a_request_that_fits(generate: Callable) -> None:
    clip = generate(headers={"Prefer": "respond-async, HANDLING=strict; wait=10"}, num_inference_steps=50)

    assert clip.headers["preference-applied"] == "handling=strict"
    assert clip.adjustments == []


@pytest.mark.parametrize("prefer", ["handling=lenient", "strict", "handling"])
def test_other_preferences_change_nothing(generate: Callable, prefer: str) -> None:
    clip = generate(headers={"Prefer": prefer}, num_frames=10)

    assert "preference-applied" not in clip.headers
    assert clip.changes == [("num_frames", 10, 9)]


def test_a_refused_type_is_marked_as_strict_too(refuse: Callable) -> None:
    assert refuse(headers=STRICT, width="wide").response.headers["preference-applied"] == "handling=strict"


def test_defaults_and_nulls_are_not_adjustments(client: httpx.Client) -> None:
    defaults = client.get("/models").json()["data"][0]["defaults"]
    nulls = dict.fromkeys(
        ["duration", "frames", "fps", "keyframes", "input_image_b64", "images", "resolution", "image"]
    )

    response = client.post(
        "/generate", json=defaults | nulls | SMALL | {"seed": None, "num_inference_steps": 30}, headers=STRICT
    )

    assert response.status_code == 200, response.text
    assert response.headers["x-ltx-adjustments"] == "[]"


@pytest.mark.parametrize("name", ["unknown_{}", "\U0001f98a" * 100 + "{}", "\x7f" * 100 + "{}"], ids=ascii)
@pytest.mark.parametrize("return_json", [False, True])
def test_all_headers_fit_a_proxys_buffer(generate: Callable, name: str, return_json: bool) -> None:
    """Nginx accepts 4 KiB of headers by default; longer ones become a 502 after the render."""
    unknown = {name.format(i): "\U0001f98a" * 1000 for i in range(100)}
    headers = {"X-Request-ID": "x" * 128}

    clip = generate(headers=headers, return_json=return_json, seed=2**64 - 1, video_format="webm", **unknown)

    assert len(clip.headers["x-ltx-adjustments"]) <= 2000
    assert sum(len(name) + len(value) + 4 for name, value in clip.headers.raw) < 3500
    assert clip.adjustments[-1]["field"] == "adjustments"
    if return_json:
        assert [a["field"] for a in clip.response.json()["adjustments"]][-1] == "*"
        assert len(clip.response.json()["adjustments"]) == 65


def test_keyframes_win_over_a_single_image(generate: Callable) -> None:
    image = encode(picture())
    keyframes = [{"image_b64": image, "frame_idx": 0}, {"image_b64": image, "frame_idx": -1}]

    [change] = generate(keyframes=keyframes, input_image_b64=image).changes

    assert (change[0], change[2]) == ("input_image_b64", None)
    assert len(change[1]) <= 64


def test_without_an_enhancer_the_original_prompt_is_used(generate: Callable) -> None:
    body = generate(enhance_prompt=True, return_json=True).response.json()

    assert (body["prompt"], body["original_prompt"], body["enhanced"]) == ("a red fox", "a red fox", False)
    assert body["adjustments"][0]["field"] == "enhance_prompt"
