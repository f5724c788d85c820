"""How an answer describes its clip, in headers and in JSON."""

import base64
import json
import re
from collections.abc import Callable

import httpx
import pytest

from tests.http.conftest import SMALL

STAGES = ["queue", "enhance", "encode", "denoise", "decode", "mux"]


@pytest.mark.parametrize("container", ["mp4", "webm"])
def test_headers_describe_the_clip(generate: Callable, container: str) -> None:
    clip = generate(video_format=container)

    assert clip.headers["content-type"] == f"video/{container}"
    assert clip.headers["content-length"] == str(len(clip.content))
    assert re.fullmatch(rf'inline; filename="[\w.-]+\.{container}"', clip.headers["content-disposition"])
    names = ("seed", "width", "height", "frames", "fps", "duration", "adjustments")
    assert [clip.headers[f"x-ltx-{name}"] for name in names] == ["7", "256", "256", "9", "24", "0.375", "[]"]


def test_server_timing_names_every_stage(generate: Callable) -> None:
    entries = generate().headers["server-timing"].split(", ")

    assert [entry.split(";")[0] for entry in entries] == STAGES
    assert all(re.fullmatch(r"\w+;dur=\d+\.\d", entry) for entry in entries)


def test_a_fractional_rate_is_decimal(generate: Callable) -> None:
    clip = generate(fps=23.976)

    assert (clip.headers["x-ltx-fps"], clip.headers["x-ltx-duration"]) == ("23.976024", "0.375375")


def test_the_callers_request_id_comes_back(generate: Callable) -> None:
    clip = generate(headers={"X-Request-ID": "My.own-id_1"}, return_json=True)

    assert clip.headers["x-request-id"] == "My.own-id_1"
    assert clip.response.json()["id"] == "My.own-id_1"


@pytest.mark.parametrize("sent", ["", "two words", "semi;colon", "x" * 129, "é"])
def test_a_request_id_that_is_not_safe_is_replaced(client: httpx.Client, sent: str) -> None:
    response = client.post("/generate", content=b"{}", headers={b"X-Request-ID": sent.encode()})

    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["x-request-id"])


def test_requests_with_the_same_id_do_not_interfere(generate: Callable) -> None:
    first, second = (generate(headers={"X-Request-ID": "same"}, seed=seed) for seed in (1, 2))

    assert first.content != second.content


def test_json_describes_the_clip(client: httpx.Client) -> None:
    response = client.post("/generate", json=SMALL | {"return_json": True})
    body = response.json()

    assert response.headers["content-type"] == "application/json"
    assert base64.b64decode(body.pop("video"), validate=True).startswith(b"\0\0\0")
    assert body.pop("id") == response.headers["x-request-id"]
    timings = body.pop("timings")
    assert list(timings) == STAGES
    assert all(seconds >= 0 for seconds in timings.values())
    assert body == {
        "model": "LTX-23-Video",
        "content_type": "video/mp4",
        "width": 256,
        "height": 256,
        "num_frames": 9,
        "fps": 24,
        "duration": 0.375,
        "has_audio": False,
        "seed": 7,
        "prompt": "a red fox",
        "original_prompt": "a red fox",
        "enhanced": False,
        "adjustments": [],
    }


def test_json_of_another_kind_of_clip(generate: Callable) -> None:
    body = generate(return_json=True, video_format="webm", generate_audio=True, fps=29.97).response.json()

    assert base64.b64decode(body["video"]).startswith(b"\x1a\x45\xdf\xa3")
    assert (body["content_type"], body["has_audio"], body["fps"]) == ("video/webm", True, 29.97003)


def test_answers_are_ascii_and_preserve_any_text(generate: Callable) -> None:
    prompt = "ein Füchslein, 狐 \U0001f98a\x7f"
    clip = generate(prompt=prompt, return_json=True, **{"größe": "µ", "\x7f\n": "\r\n"})

    assert clip.content.isascii()
    assert all(32 <= byte < 127 for _, value in clip.headers.raw for byte in value)
    body = clip.response.json()
    assert (body["prompt"], body["original_prompt"]) == (prompt, prompt)
    assert [a["field"] for a in body["adjustments"]] == ["größe", "\x7f\n"]
    assert json.loads(clip.headers["x-ltx-adjustments"]) == body["adjustments"]
