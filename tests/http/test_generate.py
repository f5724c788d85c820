"""POST /generate end to end, with a real server, worker, tiny model and encoder."""

import base64
import io
import json
from collections.abc import Callable
from typing import Any

import av
import httpx
import pytest

from tests.http.conftest import STRICT, encode, picture

SMALL = {"prompt": "a red fox", "width": 256, "height": 256, "num_frames": 9}
SILENT = SMALL | {"seed": 7, "generate_audio": False}
FIRST, LAST = encode(picture()), encode(picture(color="navy"))


def test_the_answer_is_a_playable_clip(client: httpx.Client) -> None:
    response = client.post("/generate", json=SMALL | {"seed": 7})

    assert response.status_code == 200
    assert response.headers["content-type"] == "video/mp4"
    assert int(response.headers["content-length"]) == len(response.content)
    assert response.headers["x-ltx-seed"] == "7"
    assert json.loads(response.headers["x-ltx-adjustments"]) == []
    with av.open(io.BytesIO(response.content)) as clip:
        assert sum(1 for _ in clip.decode(video=0)) == 9
        assert clip.streams.audio[0].sample_rate == 48000


def test_the_same_seed_gives_the_same_bytes(client: httpx.Client) -> None:
    first, second, other = (client.post("/generate", json=SMALL | {"seed": seed}).content for seed in (3, 3, 4))

    assert first == second
    assert first != other


def test_json_has_the_same_clip_and_the_values_used(client: httpx.Client) -> None:
    response = client.post("/generate", json=SMALL | {"seed": 7, "return_json": True, "width": 250})

    body = response.json()
    assert base64.b64decode(body["video"]) == client.post("/generate", json=SMALL | {"seed": 7}).content
    assert (body["width"], body["num_frames"], body["fps"], body["seed"]) == (256, 9, 24, 7)
    assert body["adjustments"][0]["field"] == "width"
    assert {"queue", "enhance", "encode", "denoise", "decode", "mux"} <= body["timings"].keys()


@pytest.fixture(scope="module")
def clip(client: httpx.Client) -> bytes:
    return client.post("/generate", json=SILENT, headers=STRICT).content


@pytest.mark.parametrize(
    "spelling",
    [
        {"width": "256", "height": 256.0, "num_frames": " 9 ", "seed": "7", "generate_audio": "false"},
        {"use_random_seed": 1, "return_json": "false", "enhance_prompt": "off", "fps": "24.0", "guidance_scale": "3.1"},
        {"fps": 0, "duration": "0", "image": "", "keyframes": [], "images": [{}], "video_format": "", "styles": []},
    ],
    ids=["numbers", "booleans", "empties"],
)
def test_every_spelling_of_a_request_gives_the_same_clip(client: httpx.Client, clip: bytes, spelling: dict) -> None:
    response = client.post("/generate", json=SILENT | spelling, headers=STRICT)

    assert response.status_code == 200, response.text
    assert response.content == clip


@pytest.mark.parametrize("body", [{"input": SILENT}, {"args": [SILENT]}, {"data": {"parameters": SILENT}}], ids=str)
def test_an_envelope_is_removed(client: httpx.Client, clip: bytes, body: dict[str, Any]) -> None:
    response = client.post("/generate", json=body)

    assert response.content == clip
    assert json.loads(response.headers["x-ltx-adjustments"])[0]["field"] == next(iter(body))
    assert client.post("/generate", json=body, headers=STRICT).status_code == 422


def test_an_error_names_the_field_inside_the_envelope(client: httpx.Client) -> None:
    response = client.post("/generate", json={"input": SILENT | {"width": "wide", "image": "!"}})

    assert [error["loc"] for error in response.json()["detail"]] == [["body", "input", "width"]]


def test_first_and_last_frame_are_keyframes_in_any_order(generate: Callable) -> None:
    keyframes = [{"image_b64": FIRST, "frame_idx": 0}, {"image_b64": LAST, "frame_idx": -1}]

    named = generate(first_frame_image=FIRST, end_image={"url": f"data:image/png;base64,{LAST}"})
    forth, back = generate(keyframes=keyframes), generate(keyframes=keyframes[::-1])

    assert named.content == forth.content == back.content
    assert named.content != generate(input_image_b64=FIRST).content


def test_the_last_requested_frame_stays_the_last(generate: Callable) -> None:
    keyframes = [{"image_b64": FIRST, "frame_idx": 0}, {"image_b64": LAST, "frame_idx": 13}]

    clip = generate(num_frames=14, keyframes=keyframes)

    assert clip.changes == [("num_frames", 14, 17), ("keyframes.1.frame_idx", 13, 16)]
    keyframes[1]["frame_idx"] = -1
    assert clip.content == generate(num_frames=17, keyframes=keyframes).content


@pytest.mark.parametrize(
    ("fields", "loc", "word"),
    [
        ({"reference_images": [FIRST]}, "reference_images", "input_image_b64"),
        ({"last_frame_image": LAST}, "last_frame_image", "input_image_b64"),
        ({"keyframes": [{"image_b64": LAST, "frame_idx": 8}]}, "keyframes", "frame_idx 0"),
        ({"image_url": "https://example.com/a.png"}, "image_url", "fetches nothing"),
    ],
)
def test_a_picture_that_cannot_be_used_is_refused(refuse: Callable, fields: dict, loc: str, word: str) -> None:
    refusal = refuse(**fields)

    assert refusal.locs == [f"body.{loc}"]
    assert word in refusal.detail[0]["msg"]
