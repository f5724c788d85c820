"""Read the headers that a reverse proxy adds to a request."""

import re
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

# The prefix becomes part of links and HTML.
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]+")


class ForwardedHeaders:
    """Read X-Forwarded-For, -Proto, -Host and -Prefix, but only from `trusted_proxies` (addresses and networks).

    uvicorn's middleware reads the first two. If a header has several values, the last one counts, because the trusted
    proxy added it.
    """

    def __init__(self, app: ASGIApp, trusted_proxies: Collection[str]) -> None:
        # uvicorn has its own names for the same ASGI types.
        self._app = ProxyHeadersMiddleware(app, list(trusted_proxies))  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _client_host(scope) in self._app.trusted_hosts:
            scope = _with_host_and_prefix(scope)
        await self._app(scope, receive, send)  # type: ignore[arg-type]


def _client_host(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


def _with_host_and_prefix(scope: Scope) -> Scope:
    headers = MutableHeaders(raw=list(scope["headers"]))
    host, prefix = _last_value(headers, "x-forwarded-host"), _last_value(headers, "x-forwarded-prefix").rstrip("/")
    if _HOST.fullmatch(host):
        headers["host"] = host
    root_path = prefix if _PREFIX.fullmatch(prefix) else scope.get("root_path", "")
    return {**scope, "headers": headers.raw, "root_path": root_path}


def _last_value(headers: Headers, name: str) -> str:
    return ",".join(headers.getlist(name)).rpartition(",")[2].strip()
