"""What is reported about each request."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp

from server.edge.api_keys import ApiKeys
from server.edge.body_limit import BodyLimit, BodyLimits
from server.edge.exchange import Exchange, ExchangeReporter
from server.edge.key_ring import KeyRing
from server.edge.request_id import RequestId

KEY = {"Authorization": "Bearer key"}

Connect = Callable[..., Any]


@pytest.fixture
def told() -> list[Exchange]:
    return []


@pytest.fixture
def app(told: list[Exchange]) -> ASGIApp:
    api = FastAPI()

    @api.get("/videos/{id}")
    def video(id: str) -> str:
        return id

    @api.post("/generate")
    def generate() -> str:
        return "clip"

    keyed = ApiKeys(BodyLimit(api, BodyLimits(1000)), KeyRing(["key"]))
    return RequestId(ExchangeReporter(keyed, [told.append], ["/generate"]))


@pytest.mark.parametrize(
    ("method", "path", "headers", "size_bytes", "expected"),
    [
        ("GET", "/videos/mine", KEY, 0, ("GET", "/videos/{id}", 200)),
        ("GET", "/videos/yours?secret=1", KEY, 0, ("GET", "/videos/{id}", 200)),
        ("POST", "/videos/mine", KEY, 0, ("POST", "/videos/{id}", 405)),
        ("POST", "/generate", {}, 1, ("POST", "/generate", 401)),
        ("POST", "/generate", KEY, 1001, ("POST", "/generate", 413)),
        ("GET", "/nowhere", KEY, 0, ("GET", "none", 404)),
        ("GET", "/nowhere", {}, 0, ("GET", "none", 401)),
        ("BREW", "/generate", KEY, 0, ("OTHER", "/generate", 405)),
    ],
)
def test_a_request_is_reported_by_its_route_and_method_without_text_from_the_client(
    http: Connect,
    app: ASGIApp,
    told: list[Exchange],
    method: str,
    path: str,
    headers: dict[str, str],
    size_bytes: int,
    expected: tuple[str, str, int],
) -> None:
    client: httpx.Client = http(app)
    response = client.request(method, path, headers=headers, content=b"x" * size_bytes)
    client.get("/videos/last", headers=KEY)  # an exchange is reported after its answer and before the next one

    exchange = told[0]
    assert (exchange.method, exchange.route, exchange.status) == expected
    assert exchange.body_bytes == len(response.content)
    assert exchange.seconds > 0
    assert exchange.state["request_id"] == response.headers["x-request-id"]
    assert bool(exchange.state["key_id"]) == bool(headers)


def test_the_clients_traceparent_is_reported(http: Connect, app: ASGIApp, told: list[Exchange]) -> None:
    client = http(app)
    for headers in ({"traceparent": "00-1-2-01"}, {}):
        client.post("/generate", headers=KEY | headers)
    client.get("/videos/last", headers=KEY)

    assert [exchange.traceparent for exchange in told[:2]] == ["00-1-2-01", None]
