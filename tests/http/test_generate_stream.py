"""POST /generate with `stream`: events while the clip is rendered, then the clip."""

import base64
import json
from typing import Any

import httpx
import pytest

from tests.conftest import Server
from tests.http.conftest import LONG, SMALL
from tests.waiting import wait_for

FIELDS: dict[str, Any] = SMALL | {"num_frames": 49, "stream": True}


def events(response: httpx.Response) -> list[tuple[str, dict[str, Any]]]:
    lines = [line for line in response.text.split("\n") if line and not line.startswith(":")]
    names, data = lines[::2], lines[1::2]
    return [(n.removeprefix("event: "), json.loads(d.removeprefix("data: "))) for n, d in zip(names, data, strict=True)]


def test_events_come_in_order_and_end_with_the_clip(client: httpx.Client) -> None:
    response = client.post("/generate", json=FIELDS)

    assert (response.status_code, response.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert response.headers["cache-control"] == "no-store"
    told = events(response)
    assert {name for name, _ in told[:-1]} == {"progress", "preview"}
    percents = [data["percent"] for name, data in told if name == "progress"]
    assert percents == sorted(percents)
    previews = [data for name, data in told if name == "preview"]
    assert {data["content_type"] for data in previews} == {"image/webp"}
    assert base64.b64decode(previews[0]["data"]).startswith(b"RIFF")
    name, clip = told[-1]
    plain = client.post("/generate", json=FIELDS | {"stream": False, "return_json": True}).json()
    assert name == "completed"
    for changing in ("id", "timings"):
        clip.pop(changing), plain.pop(changing)
    assert clip == plain
    assert base64.b64decode(clip["video"]) == client.post("/generate", json=FIELDS | {"stream": False}).content


def test_a_stored_clip_is_sent_again_at_once(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "streamed-1"}
    first = events(client.post("/generate", json=FIELDS, headers=headers))

    again = events(client.post("/generate", json=FIELDS, headers=headers))

    assert [name for name, _ in again] == ["completed"]
    assert again[-1][1]["video"] == first[-1][1]["video"]


@pytest.mark.parametrize(("fields", "field"), [({"width": "wide"}, "width"), ({"stream": "soon"}, "stream")])
def test_what_is_wrong_with_a_request_is_answered_with_its_status(
    client: httpx.Client, fields: dict[str, Any], field: str
) -> None:
    response = client.post("/generate", json=FIELDS | fields)

    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["body", field]


def test_a_full_queue_is_answered_with_its_status(guarded: Server) -> None:
    from tests.http.conftest import KEY

    with guarded.client(headers={"Authorization": f"Bearer {KEY}"}) as http:
        with http.stream("POST", "/generate", json=LONG | {"stream": True}) as running:
            assert running.status_code == 200
            next(running.iter_lines())
            assert http.post("/generate", json=FIELDS).status_code == 429
        wait_for(lambda: http.get("/health").json()["queue"]["running"] == 0 or None)


def test_a_client_that_leaves_ends_the_render(client: httpx.Client) -> None:
    with client.stream("POST", "/generate", json=LONG | {"stream": True}) as response:
        next(response.iter_lines())

    assert wait_for(lambda: client.get("/health").json()["queue"]["running"] == 0 or None)
