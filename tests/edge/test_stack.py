"""All middlewares, in order, around a FastAPI application."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.edge.key_ring import KeyRing
from server.edge.stack import with_edge
from server.settings import load_settings

KEY = {"Authorization": "Bearer key"}
LIMIT = 1 << 20

Connect = Callable[..., Any]


def stacked(app: ASGIApp) -> ASGIApp:
    return with_edge(app, load_settings(max_body_bytes=LIMIT), KeyRing(["key"]), open_paths=["/health"])


@pytest.fixture
def app() -> ASGIApp:
    api = FastAPI()

    @api.get("/health")
    def health() -> str:
        return "ok"

    @api.post("/generate")
    async def generate(request: Request) -> dict[str, Any]:
        state = request.state
        return {"size": len(await request.body()), "request_id": state.request_id, "has_key": bool(state.key_id)}

    @api.post("/broken")
    async def broken() -> None:
        raise LookupError("lost")

    return stacked(api)


def test_every_answer_has_a_request_id_and_security_headers(http: Connect, app: ASGIApp) -> None:
    client = http(app)
    for status, method, path, key, size in [
        (200, "GET", "/health", {}, 0),
        (200, "POST", "/generate", KEY, LIMIT),
        (401, "POST", "/generate", {}, 1),
        (401, "POST", "/generate", {}, LIMIT + 1),
        (404, "POST", "/nowhere", KEY, 1),
        (405, "GET", "/generate", KEY, 1),
        (413, "POST", "/generate", KEY, LIMIT + 1),
        (413, "POST", "/nowhere", KEY, 32 * LIMIT),
    ]:
        response = client.request(method, path, headers={**key, "X-Request-ID": "mine"}, content=b"x" * size)
        assert response.status_code == status
        assert response.headers["x-request-id"] == "mine"
        assert response.headers["x-content-type-options"] == "nosniff"


def test_the_application_knows_the_request_id_and_the_key(http: Connect, app: ASGIApp) -> None:
    response = http(app).post("/generate", headers={**KEY, "X-Request-ID": "mine"}, content=b"12345")
    assert response.json() == {"size": 5, "request_id": "mine", "has_key": True}


def test_the_answer_to_a_crash_has_a_request_id(app: ASGIApp) -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://h") as client:
            return await client.post("/broken", headers={**KEY, "X-Request-ID": "mine"})

    response = asyncio.run(ask())
    assert (response.status_code, response.headers["x-request-id"]) == (500, "mine")


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
def test_other_scopes_pass_unchanged(kind: str) -> None:
    calls: list[tuple[Scope, Receive, Send]] = []

    async def record(scope: Scope, receive: Receive, send: Send) -> None:
        calls.append((scope, receive, send))

    async def receive() -> Message:
        raise NotImplementedError

    async def send(message: Message) -> None:
        raise NotImplementedError

    async def call() -> None:
        await stacked(record)({"type": kind}, receive, send)

    asyncio.run(call())
    assert calls == [({"type": kind}, receive, send)]
