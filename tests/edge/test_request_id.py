import asyncio
import re
from collections.abc import Callable
from typing import Any

import httpx
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from server.edge.request_id import RequestId

Connect = Callable[..., Any]


async def show_request_id(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse(scope["state"]["request_id"])(scope, receive, send)


def test_a_valid_id_from_the_client_is_kept(http: Connect) -> None:
    client = http(RequestId(show_request_id))
    for name in ("a", "job-7_b.2", "0" * 128):
        response = client.get("/", headers={"X-Request-ID": name})
        assert response.headers["x-request-id"] == response.json() == name


def test_an_invalid_id_from_the_client_is_replaced(wire: Connect) -> None:
    client = wire(RequestId(show_request_id))
    for name in ("", "0" * 129, "two words", "a/b", "clé", "٣", "<script>", "a,b"):
        client.send_head(f"X-Request-ID: {name}")
        answer = client.answer()
        assert re.fullmatch("[0-9a-f]{32}", answer.json()), name
        assert answer.headers.get_all("x-request-id") == [answer.json()]


def test_each_request_has_its_own_id(http: Connect) -> None:
    client = http(RequestId(show_request_id))
    assert len({client.get("/").json() for _ in range(3)}) == 3


def test_an_id_set_by_the_application_is_replaced() -> None:
    async def sets_its_own_id(scope: Scope, receive: Receive, send: Send) -> None:
        await JSONResponse(None, headers={"x-request-id": "inner"})(scope, receive, send)

    assert get(sets_its_own_id).headers.get_list("x-request-id") == ["outer"]


def test_an_answer_without_headers_gets_the_id() -> None:
    async def bare(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    assert get(bare).headers["x-request-id"] == "outer"


def get(app: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(RequestId(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://h") as client:
            return await client.get("/", headers={"X-Request-ID": "outer"})

    return asyncio.run(ask())
