"""Golden answers: two servers give the same answers to the same sequence of requests, byte for byte."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.conftest import RunCommand, Server, run_server
from tests.http.conftest import KEY, SMALL
from tests.http.videos import PATH, create, finish
from weights.tiny import TinyFiles

UNSEEDED = {name: value for name, value in SMALL.items() if name != "seed"}

Seen = tuple[int, list[tuple[bytes, bytes]], bytes]


def converse(server: Server, health_checks: int) -> Iterator[Seen]:
    """Yield answers. Those to checks of the health, of which clients make a varying number, have no influence."""
    with server.client(headers={"Authorization": f"Bearer {KEY}"}) as client:
        for _ in range(health_checks):
            assert client.get("/health").status_code == 200
        yield seen(client.post("/generate", json=UNSEEDED))
        yield seen(client.post("/generate", json=UNSEEDED | {"return_json": True}))
        yield seen(client.post("/v1/videos/sync", json=SMALL))
        yield seen(client.post("/generate", json={"prompt": ""}))
        videos = [create(client), create(client, prompt="another")]
        for video in videos:
            finish(client, video)
            done = client.get(f"{PATH}/{video['id']}")
            yield seen(done)
            link = urlsplit(done.json()["url"])
            yield seen(client.get(f"{link.path}?{link.query}"))
            yield seen(client.get(link.path, params={"variant": "thumbnail"}))
        yield seen(client.get(PATH))
        yield seen(client.get(PATH, params={"after": videos[1]["id"]}))
        yield seen(client.get(f"{PATH}/{videos[0]['id']}/nothing"))


def seen(response: httpx.Response) -> Seen:
    return response.status_code, response.headers.raw, response.content


def test_two_servers_answer_the_same(cache_dir: Path, tiny: TinyFiles, tmp_path: Path) -> None:
    conversations = []
    for health_checks in (1, 2):
        with run_server(cache_dir, tmp_path, "--deterministic-time", LTX23_API_KEYS=KEY) as server:
            # The addresses in links have the port.
            url = server.url.encode()
            answers = converse(server, health_checks)
            conversations.append([(status, headers, body.replace(url, b"")) for status, headers, body in answers])
    one, other = conversations

    assert [status for status, _, _ in one] == [200, 200, 200, 422, *(8 * [200]), 404]
    assert one == other
    # Otherwise equal answers would say little.
    assert len({dict(headers)[b"x-request-id"] for _, headers, _ in one}) == len(one)
    sync = dict(one[2][1])
    assert float(sync[b"x-inference-time-s"]) > 0
    page = json.loads(one[-3][2])
    assert [video["created_at"] for video in page["data"]] == [1_767_225_602, 1_767_225_601]
    assert [video["id"] for video in json.loads(one[-2][2])["data"]] == [page["data"][1]["id"]]
    first, second = (dict(headers)[b"x-ltx-seed"] for _, headers, _ in one[:2])
    assert first != second


def test_it_is_refused_with_real_weights(run_command: RunCommand) -> None:
    done = run_command("serve", "--deterministic-time", "--checkpoint", "some.safetensors", "--text-encoder", "absent")

    assert done.returncode == 1
    assert "LTX23_DETERMINISTIC_TIME / --deterministic-time is for tests with the tiny model" in done.stderr


def test_it_is_refused_with_the_videos_of_an_earlier_run(run_command: RunCommand, tmp_path: Path) -> None:
    (tmp_path / "videos" / "video_1").mkdir(parents=True)
    done = run_command("serve", "--deterministic-time", "--port", "0", "--data-dir", str(tmp_path))

    assert done.returncode == 1
    assert f"LTX23_DATA_DIR / --data-dir: {tmp_path} has videos of an earlier run" in done.stderr
