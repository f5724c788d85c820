"""Idempotency-Key: a request that is sent again is not rendered again."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import Server
from tests.http.conftest import SMALL, picture
from tests.http.videos import PATH, SLOW, begin, create, delete, finish, look

pytestmark = pytest.mark.usefixtures("no_videos")

WITHOUT_SEED = {name: value for name, value in SMALL.items() if name != "seed"}


def named(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def test_the_same_request_gives_the_same_video(client: httpx.Client) -> None:
    first, again = (create(client, named("one"), seed=None) for _ in range(2))
    assert first["id"] == again["id"]
    assert first["seed"] == again["seed"]
    assert create(client, named("two"), seed=None)["id"] != first["id"]
    done = finish(client, first)
    assert create(client, named("one"), seed=None) == done

    delete(client, first)
    assert create(client, named("one"), seed=None)["id"] != first["id"]
    for video in client.get(PATH).json()["data"]:
        delete(client, video)


def test_equal_forms_with_different_boundaries_are_the_same_request(client: httpx.Client) -> None:
    def send(boundary: str, color: str = "orange") -> httpx.Response:
        files = {"input_reference": ("a.png", picture(color=color), "image/png")}
        data = {name: json.dumps(value) if name != "prompt" else value for name, value in SMALL.items()}
        content_type = f"multipart/form-data; boundary={boundary}"
        return client.post(PATH, data=data, files=files, headers=named("form") | {"Content-Type": content_type})

    first, again, other = send("aaaa"), send("bbbb"), send("cccc", "blue")
    assert first.status_code == again.status_code == 200, first.text
    assert first.json()["id"] == again.json()["id"]
    assert other.status_code == 422
    finish(client, first.json())
    delete(client, first.json())


def test_requests_at_the_same_time_give_the_same_video(client: httpx.Client) -> None:
    """The requests overlap because the image of the first has to be decoded."""
    together = threading.Barrier(4)

    def send() -> str:
        together.wait()
        return str(create(client, named("at-once"), seed=None)["id"])

    with ThreadPoolExecutor(4) as pool:
        (video_id,) = {future.result() for future in [pool.submit(send) for _ in range(4)]}
    delete(client, {"id": video_id})


def test_another_request_under_the_same_key_is_refused(client: httpx.Client) -> None:
    video = create(client, named("taken"))
    for response in (
        client.post(PATH, json=SMALL | {"seed": 8}, headers=named("taken")),
        client.post("/generate", json=SMALL, headers=named("taken")),
        client.post(PATH, json=SMALL, headers=named("taken") | {"Prefer": "handling=strict"}),
    ):
        assert response.status_code == 422
        [error] = response.json()["detail"]
        assert error["loc"] == ["header", "Idempotency-Key"]
        assert "used for another request" in error["msg"]
    delete(client, video)


@pytest.mark.parametrize("key", ["", "two words", "x" * 256])
def test_an_invalid_key_is_refused(client: httpx.Client, key: str) -> None:
    assert client.post(PATH, json=SMALL, headers=named(key)).status_code == 422
    assert client.post("/generate", json=SMALL, headers=named(key)).status_code == 422


def test_generate_returns_the_same_clip_again(client: httpx.Client) -> None:
    first, again = (client.post("/generate", json=WITHOUT_SEED, headers=named("clip")) for _ in range(2))

    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert first.headers["x-ltx-seed"] == again.headers["x-ltx-seed"]
    assert first.headers["server-timing"] == again.headers["server-timing"]
    [video] = client.get(PATH).json()["data"]
    assert client.get(f"{PATH}/{video['id']}/content").content == first.content
    delete(client, video)


def test_a_client_that_disconnected_gets_its_clip_later(server: Server, client: httpx.Client) -> None:
    body = json.dumps(SMALL | {"num_frames": 25, "return_json": True})
    headers = named("again") | {"Content-Type": "application/json"}
    connection = HTTPConnection(urlsplit(server.url).netloc)
    connection.request("POST", "/generate", body, headers)
    while not client.get(PATH).json()["data"]:
        pass
    connection.close()

    answer = client.post("/generate", content=body, headers=headers).json()
    [video] = client.get(PATH).json()["data"]
    assert (answer["id"], answer["seed"]) == (video["id"], 7)
    delete(client, video)


def test_a_refused_request_does_not_use_up_its_key(client: httpx.Client) -> None:
    assert client.post(PATH, json=SMALL | {"width": 0}, headers=named("free")).status_code == 422
    delete(client, create(client, named("free")))


def test_a_client_waiting_for_a_video_that_is_deleted_gets_a_404(server: Server, client: httpx.Client) -> None:
    with ThreadPoolExecutor(1) as pool, server.client() as other:
        answer = pool.submit(other.post, "/generate", json=SLOW, headers=named("gone"))
        while not (videos := client.get(PATH).json()["data"]):
            pass
        begin(client, videos[0])
        assert look(client, videos[0])["status"] == "in_progress"
        delete(client, videos[0])

        assert answer.result().status_code == 404
