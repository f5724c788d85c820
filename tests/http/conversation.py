"""`python -m tests.http.conversation FOLDER HEALTH_CHECKS`: print a server's answers to a sequence of requests.

The server has made-up times, and gives the clip `clip.mp4` of FOLDER to every request.
"""

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from server.worker.messages import Ready
from tests.http.conftest import KEY, SMALL
from tests.http.videos import PATH, create, finish
from tests.jobs.conftest import program_of
from tests.jobs.serving import serve

UNSEEDED = {name: value for name, value in SMALL.items() if name != "seed"}

Seen = tuple[int, list[tuple[bytes, bytes]], bytes]


def converse(client: httpx.Client, health_checks: int) -> Iterator[httpx.Response]:
    """Yield answers. Those to checks of the health, of which clients make a varying number, have no influence."""
    for _ in range(health_checks):
        assert client.get("/health").status_code == 200
    yield client.post("/generate", json=UNSEEDED)
    yield client.post("/generate", json=UNSEEDED | {"return_json": True})
    yield client.post("/v1/videos/sync", json=SMALL)
    yield client.post("/generate", json={"prompt": ""})
    videos = [create(client), create(client, prompt="another")]
    for video in videos:
        finish(client, video)
        done = client.get(f"{PATH}/{video['id']}")
        yield done
        link = urlsplit(done.json()["url"])
        yield client.get(f"{link.path}?{link.query}")
        yield client.get(link.path, params={"variant": "thumbnail"})
    yield client.get(PATH)
    yield client.get(PATH, params={"after": videos[1]["id"]})
    yield client.get(f"{PATH}/{videos[0]['id']}/nothing")


def main(folder: Path, health_checks: int) -> None:
    program = program_of("measures_itself")
    with serve(program, folder / "work", cache_dir=folder, api_keys=KEY, deterministic_time=True) as served:
        served.told(Ready)
        served.client.headers["Authorization"] = f"Bearer {KEY}"
        # The addresses in links have the port.
        url = str(served.client.base_url).encode()
        seen: list[Seen] = [
            (answer.status_code, answer.headers.raw, answer.content.replace(url, b""))
            for answer in converse(served.client, health_checks)
        ]
    pickle.dump(seen, sys.stdout.buffer)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
