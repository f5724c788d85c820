from typing import Any

import httpx
import pytest

from server.edge.cors import EXPOSED_HEADERS
from server.edge.key_ring import KeyRing
from server.edge.stack import with_edge
from server.settings import load_settings
from tests.edge.asgi import ask, show

PAGE = "https://studio.example.com"
PREFLIGHT = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,idempotency-key,x-stainless-os",
}


def asked(method: str = "GET", origins: str = PAGE, **options: Any) -> httpx.Response:
    settings = load_settings(cors_origins=origins, max_body_bytes=10)
    return ask(with_edge(show, settings, KeyRing(["key"])), "/generate", method, **options)


@pytest.mark.parametrize("extra", [{}, {"Access-Control-Request-Private-Network": "true"}], ids=["plain", "private"])
def test_a_preflight_needs_no_key(extra: dict[str, str]) -> None:
    answer = asked("OPTIONS", headers=PREFLIGHT | extra)

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert {"GET", "HEAD", "POST", "DELETE"} <= set(answer.headers["access-control-allow-methods"].split(", "))
    assert answer.headers["access-control-allow-headers"] == PREFLIGHT["Access-Control-Request-Headers"]
    assert "access-control-allow-credentials" not in answer.headers
    assert "x-request-id" in answer.headers
    assert bool(extra) == ("access-control-allow-private-network" in answer.headers)


@pytest.mark.parametrize(
    ("status", "options"),
    [
        (200, {"headers": {"Origin": PAGE, "X-API-Key": "key"}}),
        (401, {"headers": {"Origin": PAGE}}),
        (413, {"headers": {"Origin": PAGE, "X-API-Key": "key"}, "method": "POST", "content": b"x" * 11}),
    ],
)
def test_a_listed_page_may_read_every_answer(status: int, options: dict[str, Any]) -> None:
    answer = asked(**options)

    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-expose-headers"] == ", ".join(EXPOSED_HEADERS)
    assert "Origin" in answer.headers["vary"]


def test_a_page_that_is_not_listed_may_not_read() -> None:
    other = {"Origin": "https://evil.example"}
    refused = asked("OPTIONS", headers=PREFLIGHT | other)
    read = asked(headers=other | {"X-API-Key": "key"})

    assert refused.status_code == 400
    assert "--cors-origins" in refused.json()["detail"]
    assert read.status_code == 200
    assert [name for name in (*refused.headers, *read.headers) if name == "access-control-allow-origin"] == []


def test_a_star_allows_every_page() -> None:
    assert asked(origins="*", headers={"Origin": "null"}).headers["access-control-allow-origin"] == "*"


def test_without_the_setting_there_is_no_cors() -> None:
    for method in ("OPTIONS", "GET"):
        headers = asked(method, origins="", headers=PREFLIGHT | {"X-API-Key": "key"}).headers
        assert not any(name.startswith("access-control-") for name in headers)
