"""Send one request to an ASGI application, without a socket."""

import asyncio
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


def ask(
    app: ASGIApp,
    path: str = "/",
    method: str = "GET",
    client: str = "192.0.2.1",
    base: str = "http://h",
    **options: Any,
) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(client, 4000))
        async with httpx.AsyncClient(transport=transport, base_url=base) as session:
            return await session.request(method, base + path, **options)

    return asyncio.run(send())


async def show(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the request as the application sees it."""
    request = Request(scope, receive)
    seen = {
        "base_url": str(request.base_url),
        "path": scope["path"],
        "client": scope["client"][0],
        "key_id": scope.get("state", {}).get("key_id"),
    }
    await JSONResponse(seen)(scope, receive, send)
