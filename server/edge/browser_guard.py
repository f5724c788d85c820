"""Protect a server without keys from web pages: any page in a browser on this machine can send requests to it."""

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from server.edge.refusal import DEFAULT_LINGER, Linger, Refusal

HOST_DETAIL = (
    "This server has no API key, so it answers only to localhost and to IP addresses. To use another host name, set "
    "LTX23_ALLOWED_HOSTS / --allowed-hosts, or set an API key."
)
ORIGIN_DETAIL = (
    "This server has no API key, so web pages of other origins may not use it. To allow a page, set "
    "LTX23_CORS_ORIGINS / --cors-origins, or set an API key."
)
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_PORT = re.compile(r":\d*$")


class BrowserGuard:
    """Refuse host names that do not belong to this machine (421) and requests from pages of other origins (403).

    The host check stops DNS rebinding. Rebinding needs a name, so IP addresses pass. Programs other than browsers send
    neither `Origin` nor `Sec-Fetch-Site`, so they pass.
    """

    def __init__(
        self,
        app: ASGIApp,
        allowed_hosts: Collection[str] = (),
        allowed_origins: Collection[str] = (),
        linger: Linger = DEFAULT_LINGER,
    ) -> None:
        self._app = app
        self._hosts = {host.lower() for host in allowed_hosts}
        self._origins = frozenset(allowed_origins)
        self._refuse_host = Refusal(421, HOST_DETAIL, linger=linger)
        self._refuse_origin = Refusal(403, ORIGIN_DETAIL, linger=linger)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not self._is_allowed_host(headers):
            await self._refuse_host(scope, receive, send)
        elif not self._is_allowed_origin(scope["method"], headers):
            await self._refuse_origin(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_allowed_host(self, headers: Headers) -> bool:
        """Return whether every Host header is allowed. A request without one passes: browsers always send it."""
        names = [_PORT.sub("", host).lower() for host in headers.getlist("host") if host]
        return all(name in self._hosts or is_own_name(name) for name in names)

    def _is_allowed_origin(self, method: str, headers: Headers) -> bool:
        origins = headers.getlist("origin")
        if origins:
            return all(self._is_listed(origin) or _is_same_origin(origin, headers) for origin in origins)
        # A GET without an Origin changes nothing, and the browser hides the answer from the page.
        return method in _SAFE_METHODS or headers.get("sec-fetch-site", "none") in ("same-origin", "none")

    def _is_listed(self, origin: str) -> bool:
        return origin in self._origins or "*" in self._origins


def is_own_name(name: str) -> bool:
    """Return whether no DNS server outside this machine can make `name` point here."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _is_same_origin(origin: str, headers: Headers) -> bool:
    """Compare host and port only: behind a proxy that ends TLS, the scheme differs from the page's."""
    try:
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""
    except ValueError:
        return False
