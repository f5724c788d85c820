"""POST /generate end to end: a real server, worker, tiny model and encoder."""

import base64
import io
import json

import av
import httpx

SMALL = {"prompt": "a red fox", "width": 256, "height": 256, "num_frames": 9}


def test_answers_with_a_playable_clip(client: httpx.Client) -> None:
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


def test_json_holds_the_same_clip_and_what_was_used(client: httpx.Client) -> None:
    response = client.post("/generate", json=SMALL | {"seed": 7, "return_json": True, "width": 250})

    body = response.json()
    assert base64.b64decode(body["video"]) == client.post("/generate", json=SMALL | {"seed": 7}).content
    assert (body["width"], body["num_frames"], body["fps"], body["seed"]) == (256, 9, 24, 7)
    assert body["adjustments"][0]["field"] == "width"
    assert {"queue", "enhance", "encode", "denoise", "decode", "mux"} <= body["timings"].keys()
