"""Too large and too many."""

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import Server
from tests.http.conftest import KEY, LONG, MAX_BODY_BYTES, SMALL


@pytest.fixture(scope="module")
def insider(guarded: Server) -> Iterator[httpx.Client]:
    with guarded.client(headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client


def assert_too_large(response: httpx.Response) -> None:
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/json"
    assert str(MAX_BODY_BYTES) in response.json()["detail"]
    assert "x-request-id" in response.headers


def test_a_body_above_the_limit(insider: httpx.Client) -> None:
    assert_too_large(insider.post("/generate", content=b"x" * (MAX_BODY_BYTES + 1)))


def test_a_body_at_the_limit_is_read(insider: httpx.Client) -> None:
    assert insider.post("/generate", content=b"x" * MAX_BODY_BYTES).status_code == 422


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_a_client_that_keeps_sending_gets_its_answer(insider: httpx.Client, declared: bool) -> None:
    pieces = 512
    headers = {"Content-Length": str(pieces << 16)} if declared else {}

    response = insider.post("/generate", content=(b"x" * (1 << 16) for _ in range(pieces)), headers=headers)

    assert_too_large(response)


def test_a_stranger_is_not_told_the_limit(guarded: Server) -> None:
    with guarded.client() as stranger:
        assert stranger.post("/generate", content=b"x" * (MAX_BODY_BYTES + 1)).status_code == 401


def test_while_nothing_more_would_be_served(guarded: Server, insider: httpx.Client) -> None:
    """The queue has no room: a request would be told to come back, but an invalid one that it is invalid."""
    url = urlsplit(guarded.url)
    running = http.client.HTTPConnection(url.netloc, timeout=120)
    running.request("POST", "/generate", json.dumps(LONG), {"x-api-key": KEY})
    while not (health := insider.get("/health")).json()["queue"]["running"]:
        pass
    refused, invalid = (insider.post("/generate", json=SMALL | extra) for extra in ({}, {"width": 0}))
    running.close()

    assert health.status_code == 503
    assert health.json()["status"] != "ok"
    assert int(health.headers["retry-after"]) > 0
    assert (refused.status_code, refused.json()["error"]) == (429, "RateLimitExceeded")
    assert invalid.status_code == 422
