"""Too large, too many, too long."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

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


@pytest.fixture(scope="module")
def answers(insider: httpx.Client) -> dict[str, httpx.Response]:
    """A render that takes too long, and what others are told meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(insider.post, "/generate", json=LONG)
        while not (health := insider.get("/health")).json()["queue"]["running"]:
            pass
        refused, invalid = insider.post("/generate", json=SMALL), insider.post("/generate", json=SMALL | {"width": 0})
        return {"late": late.result(), "refused": refused, "invalid": invalid, "health": health}


def test_one_too_many(answers: dict[str, httpx.Response]) -> None:
    refused = answers["refused"]

    assert refused.status_code == 429
    assert refused.json().keys() == {"error", "detail"}
    assert refused.json()["error"] == "RateLimitExceeded"
    assert isinstance(refused.json()["detail"], str)
    assert int(refused.headers["retry-after"]) > 0


def test_health_says_that_a_request_would_not_be_served(answers: dict[str, httpx.Response]) -> None:
    assert answers["health"].status_code == 503
    assert answers["health"].json()["status"] != "ok"
    assert int(answers["health"].headers["retry-after"]) > 0


def test_an_invalid_body_is_told_so_all_the_same(answers: dict[str, httpx.Response]) -> None:
    assert answers["invalid"].status_code == 422


def test_one_too_long(answers: dict[str, httpx.Response]) -> None:
    assert answers["late"].status_code == 504
    assert "2 s" in answers["late"].json()["detail"]
