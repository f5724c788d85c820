"""Limits on the size of a body and on the queue."""

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


def test_a_body_above_the_limit_is_refused(insider: httpx.Client) -> None:
    assert_too_large(insider.post("/generate", content=b"x" * (MAX_BODY_BYTES + 1)))


def test_a_body_at_the_limit_is_accepted(insider: httpx.Client) -> None:
    assert insider.post("/generate", content=b"x" * MAX_BODY_BYTES).status_code == 422


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_a_client_that_keeps_sending_gets_the_answer(insider: httpx.Client, declared: bool) -> None:
    pieces = 512
    headers = {"Content-Length": str(pieces << 16)} if declared else {}

    response = insider.post("/generate", content=(b"x" * (1 << 16) for _ in range(pieces)), headers=headers)

    assert_too_large(response)


def test_a_large_body_without_a_key_is_refused_for_its_key(guarded: Server) -> None:
    with guarded.client() as stranger:
        assert stranger.post("/generate", content=b"x" * (MAX_BODY_BYTES + 1)).status_code == 401


def test_a_full_queue_refuses_valid_requests_with_429_and_invalid_ones_with_422(
    guarded: Server, insider: httpx.Client
) -> None:
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
