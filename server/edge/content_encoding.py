"""Refuse compressed bodies before they are read: images do not shrink, and a compression bomb fills the memory."""

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from server.edge.refusal import DEFAULT_LINGER, Linger, Refusal

_CODING = re.compile(r"[a-z0-9-]{1,20}(, *[a-z0-9-]{1,20}){0,2}")


class UncompressedBodies:
    """Answer 415 to a request whose Content-Encoding is not `identity`."""

    def __init__(self, app: ASGIApp, linger: Linger = DEFAULT_LINGER) -> None:
        self._app = app
        self._linger = linger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        coding = ""
        if scope["type"] == "http":
            coding = ",".join(Headers(scope=scope).getlist("content-encoding")).strip().lower()
        if coding in ("", "identity"):
            await self._app(scope, receive, send)
        else:
            await self._refusal(coding)(scope, receive, send)

    def _refusal(self, coding: str) -> Refusal:
        named = f": {coding}" if _CODING.fullmatch(coding) else ""
        return Refusal(
            415,
            f"The body has a Content-Encoding{named}. Send it as it is, without that header.",
            ((b"accept-encoding", b"identity"),),
            self._linger,
        )
