"""POST /check: what a request would become, without rendering it."""

from typing import Any

import httpx
import pytest

from tests.conftest import Server


def test_says_what_the_clip_would_be(client: httpx.Client) -> None:
    answer = client.post("/check", json={"prompt": "x", "width": 700, "height": 500, "duration": 2, "fps": 25})

    assert answer.status_code == 200
    fields = answer.json()
    changed = {adjustment["field"]: adjustment["used"] for adjustment in fields.pop("adjustments")}
    assert fields == {"width": 704, "height": 512, "num_frames": 49, "fps": 25, "duration": 1.96, "has_audio": True}
    assert changed == {"width": 704, "height": 512}


@pytest.mark.parametrize(
    ("fields", "loc"),
    [
        ({"width": -5}, ["body", "width"]),
        ({"prompt": ""}, ["body", "prompt"]),
        ({"from_video": "video_none", "retake": {}}, ["body", "from_video"]),
        ({"keyframes": [{"frame_idx": 0, "image_b64": "AAAA"}]}, ["body", "keyframes"]),
        ({"video_format": "gif"}, ["body", "video_format"]),
    ],
)
def test_says_what_is_wrong_as_a_render_would(client: httpx.Client, fields: dict[str, Any], loc: list[str]) -> None:
    request = {"prompt": "x"} | fields
    checked, rendered = client.post("/check", json=request), client.post("/generate", json=request)

    assert checked.status_code == rendered.status_code == 422
    assert checked.json() == rendered.json()
    assert loc in [problem["loc"] for problem in checked.json()["detail"]]


def test_renders_and_stores_nothing(server: Server) -> None:
    with server.client() as client:
        before = client.get("/v1/videos").json()["data"]
        client.post("/check", json={"prompt": "x", "width": 256, "height": 256, "num_frames": 9})

        assert client.get("/v1/videos").json()["data"] == before
        assert client.get("/health").json()["queue"]["running"] == 0


def test_needs_a_key(guarded: Server) -> None:
    with guarded.client() as stranger:
        assert stranger.post("/check", json={"prompt": "x"}).status_code == 401
