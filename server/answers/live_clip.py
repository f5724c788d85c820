"""Send a clip while it is decoded."""

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from server.edge.connection import cut
from server.jobs.live_clip import ClipCut, LiveReader


class LiveClipResponse(StreamingResponse):
    """Sends what the reader yields. Cuts the connection if the clip ends before it is whole."""

    def __init__(self, reader: LiveReader, headers: dict[str, str], media_type: str) -> None:
        super().__init__(reader.pieces(), headers=headers, media_type=media_type)
        self._reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except ClipCut:
            cut(scope)
        finally:
            self._reader.close()
