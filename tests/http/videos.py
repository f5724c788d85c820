"""Helpers of the tests of /v1/videos: create small videos and wait for them."""

import json
from collections.abc import Iterator
from typing import Any

import httpx

from tests.http.conftest import LONG, SMALL

PATH = "/v1/videos"
# Takes seconds to render; the test that creates it deletes it.
SLOW: dict[str, Any] = LONG | {"generate_audio": False}


def create(client: httpx.Client, headers: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    response = client.post(PATH, json=SMALL | fields, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


def look(client: httpx.Client, video: dict[str, Any]) -> dict[str, Any]:
    return client.get(f"{PATH}/{video['id']}").json()


def ids(client: httpx.Client) -> list[str]:
    """Return the ids of the newest videos."""
    return [video["id"] for video in client.get(PATH).json()["data"]]


def finish(client: httpx.Client, video: dict[str, Any]) -> dict[str, Any]:
    """Wait for the end of the event stream; return the data of the last event."""
    return list(events(client, video))[-1][1]


def begin(client: httpx.Client, video: dict[str, Any]) -> None:
    """Wait until a worker renders the video."""
    for name, data in events(client, video):
        assert name in {"progress", "preview"}
        if data["stage"]:
            return


def events(client: httpx.Client, video: dict[str, Any], url: str | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    with client.stream("GET", url or f"{PATH}/{video['id']}/events") as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        name = ""
        for line in response.iter_lines():
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                yield name, json.loads(value)


def delete(client: httpx.Client, video: dict[str, Any]) -> None:
    assert client.delete(f"{PATH}/{video['id']}").json() == {
        "id": video["id"],
        "object": "video.deleted",
        "deleted": True,
    }
