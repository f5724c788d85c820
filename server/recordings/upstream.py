"""The endpoint behind a recorder: an HTTP client that changes nothing on the way and keeps nothing in memory."""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import httpx2
from starlette.types import Scope

from server.edge.browser_guard import is_own_name
from server.recordings.errors import RecordingError
from server.recordings.redaction import message_headers

CONNECT_TIMEOUT_S = 30.0


class Upstream:
    """An endpoint, by its address, such as https://example.com or http://127.0.0.1:8000. Raises RecordingError.

    Each request has a connection of its own: one that is kept may be closed at the moment when it is used, which would
    look like a cut answer.
    """

    def __init__(self, url: str) -> None:
        try:
            self._base = httpx2.URL(url.rstrip("/"))
        except httpx2.InvalidURL as exc:
            raise RecordingError(f"{url}: is not an address: {exc}") from exc
        if self._base.scheme not in ("http", "https") or not self._base.host or self._base.query:
            raise RecordingError(f"{url}: is not an address such as https://example.com or http://127.0.0.1:8000")
        self._http = httpx2.AsyncClient(
            # A clip may take as long as it likes.
            timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT_S),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0),
            # Proxies of the environment are for addresses beyond this machine.
            trust_env=not is_own_name(self._base.host),
        )

    def __str__(self) -> str:
        return str(self._base)

    async def open(self, scope: Scope, body: AsyncIterator[bytes] | None) -> httpx2.Response:
        """Send the request, and return the answer once its head has arrived; the caller closes it.

        Raises httpx2.ConnectError, httpx2.ConnectTimeout or httpx2.ProxyError if there is no connection, and another
        httpx2.TransportError if it was cut.
        """
        headers = [(name, value) for name, value in message_headers(scope["headers"]) if name.lower() != b"host"]
        target = self._base.raw_path.rstrip(b"/") + scope["raw_path"]
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        url = self._base.copy_with(raw_path=target)
        return await self._http.send(httpx2.Request(scope["method"], url, headers=headers, content=body), stream=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.aclose()
